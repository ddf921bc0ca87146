"""Any OpenAI-compatible server, through the `openai` package."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import SplitResult, urlsplit
from weakref import WeakKeyDictionary

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.llm import refusals, wire
from tenfold.llm.bounded import REPLY_LIMIT, bounded
from tenfold.llm.errors import EndpointDown, KeyRefused, ModelUnknown, RequestRefused, Transient
from tenfold.llm.secrets import find_key, host_variable, is_loopback, scrub
from tenfold.llm.tokens import estimated_usage
from tenfold.llm.types import Reply, Request

__all__ = ["Server"]

Made = TypeVar("Made")

_OPENAI = "api.openai.com"
_TRANSPORT = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "h11", "json")
# These fail before a request is on its way; all other failures of a connection may lose an answer that will be billed.
_BEFORE_SENDING = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")


class Server:
    """A model on a server. One connection pool for each event loop; no retries here.

    Args:
        address: up to and with the version, e.g. "http://127.0.0.1:8000/v1".
        model: name on that server.
        timeout: seconds for one try, all in all.
        key_file: see `secrets.find_key`.
        reply_limit: most bytes of a reply.
        is_openai: whether the user named it by `openai:`.

    Raises:
        BadInput: an address with a password or a query in it (both would stand in cassettes), or a bad key file.
    """

    source, is_free = "live", False

    def __init__(
        self,
        address: str,
        model: str,
        *,
        timeout: float = 60.0,
        key_file: str | os.PathLike[str] | None = None,
        reply_limit: int = REPLY_LIMIT,
        is_openai: bool = False,
    ) -> None:
        parts = _parts(address)
        if parts.username or parts.password or parts.query:
            raise BadInput("An address must hold neither password nor query.", f"Put the key into {host_variable(address)}.")
        self.endpoint = address.rstrip("/")
        self.model, self.identity = model, f"{self.endpoint}#{model}"
        self.takes_schema: bool | None = None
        self._timeout, self._reply_limit = timeout, reply_limit
        self._key = find_key(address, key_file, is_openai=is_openai)
        self._without: set[str] = set()
        self._was_reached = False
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    async def complete(self, request: Request) -> Reply:
        """One try.

        Raises:
            Transient: worth another.
            ModelError: not worth one.
        """

        async def send(client: Any) -> Reply:
            started = time.perf_counter()
            raw = await client.chat.completions.with_raw_response.create(**self._arguments(request))
            body = _decoded(raw.http_response.content)
            return wire.reply(body, request, self.model, time.perf_counter() - started)

        reply = await self._adapting(send, request)
        if request.json_schema is not None and self.takes_schema is None:
            self.takes_schema = True
        return reply

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """One try in pieces; the whole reply last."""
        started = time.perf_counter()

        async def send(client: Any) -> Any:
            options = {} if "stream_options" in self._without else {"stream_options": {"include_usage": True}}
            return await client.chat.completions.create(**self._arguments(request), stream=True, **options)

        chunks = await self._adapting(send, request)
        pieces: list[str] = []
        counted, reason = None, "stop"
        try:
            async with chunks:
                async for chunk in self._timed(chunks):
                    counted = wire.usage(chunk.usage.model_dump() if chunk.usage else None) or counted
                    for choice in (chunk.choices or ())[:1]:
                        reason = choice.finish_reason or reason
                        if choice.delta and choice.delta.content:
                            pieces.append(choice.delta.content)
                            yield pieces[-1]
        except Transient:
            raise
        except (AttributeError, TypeError):  # the package does not check what a server streams
            raise Transient("the stream is no chat completion", billed=True) from None
        except Exception as error:
            self._fail(error)
        text = scrub("".join(pieces))
        usage = counted or estimated_usage(request, [text])
        yield Reply((text,), (reason,), usage, None, time.perf_counter() - started, model=request.model or self.model)

    async def models(self) -> list[str]:
        """Names of the models that the server says it has, sorted. Raises as `complete`."""
        return await self._plainly(_listed)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts, in their order, from the server's /embeddings. Raises as `complete`."""

        async def send(client: Any) -> list[list[float]]:
            made = client.embeddings.with_raw_response.create(model=self.model, input=list(texts), encoding_format="float")
            rows = _decoded((await made).http_response.content).get("data")
            try:
                return [[float(x) for x in row["embedding"]] for row in sorted(rows, key=lambda row: row["index"])]
            except (TypeError, KeyError, ValueError):
                raise Transient("the answer holds no vectors", billed=True) from None

        return await self._plainly(send)

    def require_key(self) -> None:
        """Raises: KeyRefused: there is no key, and the server is one that takes nobody without."""
        if self._key is None and urlsplit(self.endpoint).hostname == _OPENAI:
            hint = f"Set OPENAI_API_KEY, or {host_variable(self.endpoint)}, or give key_file."
            raise KeyRefused(f"There is no key for {self.endpoint}.", hint)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _arguments(self, request: Request) -> dict[str, Any]:
        body = wire.arguments(wire.schema_in_prompt(request) if self.takes_schema is False else request, self.model)
        if "max_tokens" in self._without:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    async def _adapting(self, send: Callable[[Any], Awaitable[Made]], request: Request) -> Made:
        """Send; where the server does not know a parameter that we can do without, remember that and send again."""
        while True:
            left_out = set(self._without)
            try:
                return await self._guarded(send, request.model)
            except _Refused as refused:
                # Many may be refused at once: what counts is what this one was sent without.
                if refused.parameter in left_out or not self._can_do_without(refused.parameter, request):
                    raise refused.error from None
                self._without.add(refused.parameter)

    async def _plainly(self, send: Callable[[Any], Awaitable[Made]]) -> Made:
        try:
            return await self._guarded(send)
        except _Refused as refused:
            raise refused.error from None

    def _can_do_without(self, parameter: str, request: Request) -> bool:
        if parameter != "response_format":
            return True
        if request.json_schema is None:
            return False
        self.takes_schema = False
        return True

    async def _guarded(self, send: Callable[[Any], Awaitable[Made]], model: str | None = None) -> Made:
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                made = await send(client)
        except TimeoutError:
            raise Transient(f"no answer in {self._timeout:g} s", billed=True) from None
        except (Transient, TenfoldError):
            raise
        except Exception as error:
            await self._refuse(error, model or self.model)
            self._fail(error)
        self._was_reached = True
        return made

    async def _refuse(self, error: Exception, model: str) -> None:
        """Raise what an HTTP status means; return if the error is of another kind."""
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None)
        if response is None or not isinstance(status, int) or status < 300:
            return
        self._was_reached = True
        body = getattr(error, "body", None) or response.text
        meaning = refusals.meaning(status, body, response.headers, self.endpoint, model)
        if isinstance(meaning, ModelUnknown) and status >= 400:  # one that moved is asked nothing more
            names = await self._names()
            if names:
                meaning = ModelUnknown(meaning.message, f"It has: {', '.join(names)}.")
        parameter = refusals.refused_parameter(status, body)
        if parameter and type(meaning) is RequestRefused:
            raise _Refused(parameter, meaning)
        raise meaning from None

    def _fail(self, error: Exception) -> NoReturn:
        """Raise what a broken connection or answer means; an error of another kind is raised as it is."""
        cause = error.__cause__ or error
        if isinstance(cause, TenfoldError):  # our own, from within the transport
            raise cause from None
        if type(cause).__module__.partition(".")[0] not in _TRANSPORT and not isinstance(cause, (OSError, ValueError)):
            raise error
        name, words = type(cause).__name__, " ".join(str(cause).split())[:200]
        if name not in _BEFORE_SENDING:
            raise Transient(f"the connection broke ({name}{f': {words}' if words else ''})", billed=True) from None
        if self._was_reached:
            raise Transient(f"it cannot be reached any more ({words or name})") from None
        hint = "Is the server running, and is the address right?"
        raise EndpointDown(f"Nothing answers at {self.endpoint} ({words or name}).", hint) from None

    async def _names(self, most: int = 20) -> list[str]:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(min(5.0, self._timeout)):
                names = await _listed(self._client())
            return [*names[:most], f"and {len(names) - most} more"] if len(names) > most else names
        return []

    async def _timed(self, chunks: Any) -> AsyncIterator[Any]:
        """The chunks, each within the timeout."""
        source = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout(self._timeout):
                    chunk = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Transient(f"the stream stood still for {self._timeout:g} s", billed=True) from None
            yield chunk

    def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            self.require_key()
            for other in [known for known in self._clients if known.is_closed()]:
                del self._clients[other]
            client = self._clients[loop] = self._opened()
        return client

    def _opened(self) -> Any:
        openai = require("openai", "llm")
        is_plain = self.endpoint.startswith("http:")
        # A proxy of the environment must not come between us and this machine. Reading the system's certificates takes
        # 0.1 s: without TLS there are none to check, and no redirect leads to a place where there would be.
        http = openai.DefaultAsyncHttpxClient(
            trust_env=not is_loopback(self.endpoint),
            verify=not is_plain,
            follow_redirects=not is_plain,
            event_hooks={"response": [bounded(self._reply_limit, self.endpoint)]},
        )
        return openai.AsyncOpenAI(
            base_url=self.endpoint, api_key=self._key or "none", max_retries=0, timeout=self._timeout, http_client=http
        )


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port above 65535, an open bracket
        pass
    raise BadInput(f"{address!r} is no address of a server.", "Write http://host:port/v1.")


class _Refused(Exception):
    """A refusal of a parameter that might be left out."""

    def __init__(self, parameter: str, error: Exception) -> None:
        super().__init__(parameter)
        self.parameter, self.error = parameter, error


async def _listed(client: Any) -> list[str]:
    rows = _decoded((await client.models.with_raw_response.list()).http_response.content).get("data")
    rows = rows if isinstance(rows, list) else []
    return sorted(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)


def _decoded(content: bytes) -> Any:
    try:
        # A server may repeat our key; from here on its words go to files and to people.
        body = json.loads(scrub(content.decode()))
    except (ValueError, RecursionError):
        raise Transient(f"the answer is no JSON: {content[:80].decode('utf-8', 'replace')!r}", billed=True) from None
    if not isinstance(body, dict):
        raise Transient("the answer is no JSON object", billed=True)
    return body
