"""What a model can do, found out by asking it: speed, JSON schema, images, tools, streaming."""

import contextlib
import json
import statistics
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from tenfold.core.errors import BudgetReached, TenfoldError
from tenfold.llm.client import Client
from tenfold.llm.models import Backend, open_backend
from tenfold.llm.types import Message, Request, Tool, image

__all__ = ["SKILLS", "Finding", "Report", "check_model"]

SKILLS = ("schema", "images", "tools", "streaming")
_CALLS = 3
_COUNT = "Count from 1 to 20 in digits, separated by spaces, and write nothing else."
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["city", "year"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Finding:
    """Whether a model has a skill, and how that was seen."""

    works: bool
    why: str


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        model: the model string.
        text: its first answer.
        first_token: seconds until its first piece of text, median of three calls.
        tokens_per_second: after that piece, median; None where the text came in one piece.
        latency: seconds of a whole call, median.
        skills: by name, see `SKILLS`.
        models: that the server says it has; empty where it does not say.
    """

    model: str
    text: str
    first_token: float
    tokens_per_second: float | None
    latency: float
    skills: dict[str, Finding]
    models: list[str] = field(default_factory=list)

    def missing(self, needs: list[str]) -> list[str]:
        """Which of the needed skills it lacks."""
        return [name for name in needs if not self.skills[name].works]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


async def check_model(model: str, **settings: Any) -> Report:
    """Ask a model a few short things: six or seven calls of at most 200 tokens.

    Args:
        model: a model string.
        settings: of `Client`: timeout, tries, key_file, base_url.

    Raises:
        TenfoldError: it does not answer at all; the message says why.
    """
    places = {name: settings[name] for name in ("timeout", "key_file", "base_url", "reply_limit") if name in settings}
    backend = open_backend(model, **places)
    async with Client(model, backend=backend, coalesce=False, **settings) as client:
        reply = await client.complete(Request.of(_COUNT, max_tokens=100, tag="check:answer"))
        timings = [await _timed(client) for _ in range(_CALLS)]
        skills = {
            "schema": await _tried(_schema, client),
            "images": await _tried(_images, client),
            "tools": await _tried(_tools, client),
            "streaming": _streaming(timings),
        }
        models = await _models(backend)
    rates = [timing.rate for timing in timings if timing.rate is not None]
    return Report(
        model,
        reply.text,
        statistics.median(timing.first for timing in timings),
        statistics.median(rates) if rates else None,
        statistics.median(timing.whole for timing in timings),
        skills,
        models,
    )


class _Timing(NamedTuple):
    """Seconds to the first piece and to the end; pieces; tokens per second after the first piece."""

    first: float
    whole: float
    pieces: int
    rate: float | None
    error: str = ""


async def _timed(client: Client) -> _Timing:
    before, started = client.account.total.completion, time.perf_counter()
    moments: list[float] = []
    try:
        async for _ in client.stream(Request.of(_COUNT, max_tokens=100, tag="check:speed")):
            moments.append(time.perf_counter() - started)
    except BudgetReached:
        raise
    except TenfoldError as error:  # it answers, but not in pieces
        began = time.perf_counter()
        await client.complete(Request.of(_COUNT, max_tokens=100, tag="check:speed"))
        whole = time.perf_counter() - began
        return _Timing(whole, whole, 1, None, error.message)
    whole = time.perf_counter() - started
    first = moments[0] if moments else whole
    tokens = client.account.total.completion - before
    is_measured = len(moments) > 1 and tokens > 1 and whole > first
    return _Timing(first, whole, len(moments), (tokens - 1) / (whole - first) if is_measured else None)


def _streaming(timings: list[_Timing]) -> Finding:
    for timing in timings:
        if timing.error:
            return Finding(False, timing.error)
    pieces = max(timing.pieces for timing in timings)
    return Finding(pieces > 1, f"text came in {pieces} pieces" if pieces > 1 else "the whole text comes at once")


async def _tried(probe: Callable[[Client], Awaitable[Finding]], client: Client) -> Finding:
    try:
        return await probe(client)
    except BudgetReached:
        raise
    except TenfoldError as error:
        return Finding(False, error.message)


async def _schema(client: Client) -> Finding:
    """The prompt asks for prose, so that JSON can only come from the schema."""
    import jsonschema

    prompt = "Tell me in one sentence where and in which year the first modern Olympic Games took place."
    reply = await client.complete(Request.of(prompt, json_schema=_SCHEMA, max_tokens=200, tag="check:schema"))
    if client.takes_schema is False:
        return Finding(False, "it cannot be held to a schema; tenfold then puts the schema into the prompt")
    try:
        jsonschema.validate(json.loads(reply.text), _SCHEMA)
    except (ValueError, RecursionError, jsonschema.ValidationError):
        return Finding(False, f"its reply does not follow the schema: {_short(reply.text)}")
    return Finding(True, "its reply follows the schema")


async def _images(client: Client) -> Finding:
    parts = ({"type": "text", "text": "Which colour fills this picture? Answer with one word."}, image(_picture(220, 0, 0)))
    reply = await client.complete(Request((Message("user", parts),), max_tokens=50, tag="check:images"))
    if "red" in reply.text.lower():
        return Finding(True, "it named the colour of a picture")
    return Finding(False, f"it took a red picture and said: {_short(reply.text)}")


async def _tools(client: Client) -> Finding:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = Tool("get_weather", "The weather in a city, now.", parameters)
    prompt = "What is the weather in Oslo now? Use the tool."
    reply = await client.complete(Request.of(prompt, tools=(tool,), max_tokens=200, tag="check:tools"))
    for call in reply.tool_calls:
        try:
            if call.name == tool.name and isinstance(json.loads(call.arguments), dict):
                return Finding(True, "it called a tool")
        except (ValueError, TypeError, RecursionError):
            return Finding(False, f"it called a tool with broken arguments: {_short(call.arguments)}")
    return Finding(False, f"it did not call the tool and said: {_short(reply.text)}")


async def _models(backend: Backend) -> list[str]:
    """What the server says it has, or nothing: the question is beside the point and may be refused."""
    names = getattr(backend, "models", None)
    with contextlib.suppress(Exception):
        return list(await names()) if names is not None else []
    return []


def _picture(red: int, green: int, blue: int, side: int = 64) -> bytes:
    """A PNG of one colour."""
    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _short(text: str) -> str:
    return repr(" ".join(text.split())[:80])
