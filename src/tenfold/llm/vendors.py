"""The backend `litellm:VENDOR/MODEL`: vendors with an interface of their own, through the `litellm` package."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.llm import refusals, wire
from tenfold.llm.errors import ContextOverflow, Transient
from tenfold.llm.secrets import find_key
from tenfold.llm.tokens import estimated_usage
from tenfold.llm.types import Reply, Request

__all__ = ["Vendor", "open_vendor"]

_SECRET = ("_API_KEY", "_TOKEN", "_SECRET_ACCESS_KEY", "_ACCESS_KEY_ID")


def open_vendor(text: str, *, timeout: float = 60.0, key_file: str | os.PathLike[str] | None = None) -> "Vendor":
    """The backend of "VENDOR/MODEL" or "VENDOR/MODEL?api_base=http://host/v1".

    Args:
        text: as litellm names models, e.g. "anthropic/claude-sonnet-4-5".
        timeout: seconds for one try.
        key_file: holds the vendor's key; None = litellm looks into the vendor's own variable, e.g. ANTHROPIC_API_KEY.

    Raises:
        BadInput: no vendor of litellm has that name, or the option is unknown.
        ExtraMissing: litellm is not installed.
    """
    name, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    address = options.pop("api_base", None)
    if options:
        raise BadInput(f"litellm: has no option {next(iter(options))!r}.", "It has: api_base.")
    return Vendor(_litellm(), name, address, timeout=timeout, key=find_key("", key_file) if key_file else None)


class Vendor:
    """A model of a vendor; attributes and methods as in `Backend`. No retries here.

    Args:
        litellm: the package.
        model: VENDOR/MODEL.
        address: of the server, where it is not the vendor's usual one.
        timeout: seconds for one try.
        key: of the vendor; None = from the vendor's own environment variable.

    Raises:
        BadInput: litellm knows no such vendor.
    """

    source, is_free = "live", False

    def __init__(self, litellm: Any, model: str, address: str | None, *, timeout: float, key: str | None) -> None:
        try:
            litellm.get_llm_provider(model)
        except Exception as error:
            hint = "Write litellm:VENDOR/MODEL as litellm's list of providers does, e.g. litellm:anthropic/NAME."
            raise BadInput(f"litellm knows no vendor for {model!r}.", hint) from error
        self._litellm, self.model = litellm, model
        self.endpoint = f"litellm:{model.partition('/')[0]}" + (f"@{address}" if address else "")
        self.identity = f"{self.endpoint}#{model}"
        self.takes_schema: bool | None = bool(litellm.supports_response_schema(model=model)) or None
        self._common = {"timeout": timeout, "num_retries": 0, "max_retries": 0, "api_base": address, "api_key": key}
        self._timeout = timeout

    async def complete(self, request: Request) -> Reply:
        """One try. Raises as `Backend.complete`."""
        started = time.perf_counter()
        made = await self._send(request)
        return wire.reply(made.model_dump(), request, self.model, time.perf_counter() - started)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """One try in pieces; the whole reply last. Raises as `Backend.complete`."""
        started = time.perf_counter()
        chunks = await self._send(request, stream=True, stream_options={"include_usage": True})
        pieces: list[str] = []
        counted, reason = None, "stop"
        try:
            async for chunk in chunks:
                body = chunk.model_dump()
                counted = wire.usage(body.get("usage")) or counted
                for choice in body.get("choices", ())[:1]:
                    reason = choice.get("finish_reason") or reason
                    if text := (choice.get("delta") or {}).get("content"):
                        pieces.append(text)
                        yield text
        except GeneratorExit:
            raise
        except Exception as error:
            raise self._meaning(error) from None
        usage = counted or estimated_usage(request, ["".join(pieces)])
        yield Reply(("".join(pieces),), (reason,), usage, None, time.perf_counter() - started, model=self.model)

    async def aclose(self) -> None:
        """litellm keeps its own connections and closes them with the process."""

    async def _send(self, request: Request, **more: Any) -> Any:
        asked = wire.schema_in_prompt(request) if self.takes_schema is False else request
        body = wire.arguments(asked, self.model)
        if "/" not in body["model"]:  # a request may name another model of the same vendor
            body["model"] = f"{self.model.partition('/')[0]}/{body['model']}"
        try:
            async with asyncio.timeout(self._timeout):
                return await self._litellm.acompletion(**body, **self._common, **more)
        except TimeoutError:
            raise Transient(f"no answer in {self._timeout:g} s", billed=True) from None
        except Exception as error:
            if self._is_refusal_of_schema(error, request):
                self.takes_schema = False
                return await self._send(request, **more)
            raise self._meaning(error) from None

    def _is_refusal_of_schema(self, error: Exception, request: Request) -> bool:
        if request.json_schema is None or self.takes_schema is False:
            return False
        is_unsupported = isinstance(error, self._litellm.UnsupportedParamsError)
        status = getattr(error, "status_code", 0) or 0
        return is_unsupported or refusals.refused_parameter(status, str(error)) == "response_format"

    def _meaning(self, error: Exception) -> Exception:
        """Our error for one of litellm's; anything else is what it is."""
        status = getattr(error, "status_code", None)
        if isinstance(error, TenfoldError | Transient) or not isinstance(status, int):
            return error
        said = _scrubbed(" ".join(str(error).split())[:400])
        if isinstance(error, self._litellm.ContextWindowExceededError):
            found = refusals.meaning(413, said, {}, self.endpoint, self.model)
            assert isinstance(found, ContextOverflow)
            return found
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return refusals.meaning(status if status >= 400 else 500, said, headers, self.endpoint, self.model)


def _litellm() -> Any:
    # Before its import: no list of prices fetched from the network; after it: no telemetry, nothing on stdout.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = require("litellm", "vendors")
    litellm.telemetry = False  # pyright: ignore[reportAttributeAccessIssue]
    litellm.suppress_debug_info = True  # pyright: ignore[reportAttributeAccessIssue]
    return litellm


def _scrubbed(text: str) -> str:
    """Without any key that stands in the environment: litellm finds the vendors' keys there itself."""
    for name, value in os.environ.items():
        if name.endswith(_SECRET) and len(value) >= 8:
            text = text.replace(value, "[key]")
    return text
