"""Model strings, and what every backend is."""

import importlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol, cast

from tenfold.core.errors import BadInput
from tenfold.llm.bounded import REPLY_LIMIT
from tenfold.llm.types import Reply, Request, Source

__all__ = ["Backend", "open_backend"]

_FORMS = (
    "engine:rules, openai:MODEL, http://host:port/v1#MODEL, hf:/folder, litellm:VENDOR/MODEL, cassette:FILE, "
    "script:module:function"
)


class Backend(Protocol):
    """What answers requests. A backend that answers at once and purely also has `answer(request) -> Reply`.

    Attributes:
        identity: what the reply depends on besides the request (address and model, or engine and version); part of keys.
        endpoint: what shares limits: an address, or the name of an engine.
        model: name in price lists.
        source: of its replies.
        is_free: whether its replies cost nothing; others cost what the price list says.
        takes_schema: whether it keeps to `Request.json_schema`; None = not known yet.
    """

    identity: str
    endpoint: str
    model: str
    source: Source
    is_free: bool
    takes_schema: bool | None

    async def complete(self, request: Request) -> Reply:
        """One try. `cost` and `request_key` are the client's to fill in.

        Raises:
            Transient: worth another try.
            ModelError: not worth one.
        """
        ...

    def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """One try in pieces of text; the last item is the whole reply. Raises as `complete`."""
        ...

    async def aclose(self) -> None:
        """Close what is open on the running event loop."""
        ...


def open_backend(
    model: str,
    *,
    timeout: float = 60.0,
    key_file: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    reply_limit: int = REPLY_LIMIT,
) -> Backend:
    """The backend that a model string names. Nothing is sent yet.

    Args:
        model: see the table in `tenfold.llm`.
        timeout: seconds for one try.
        key_file: holds the server's key; None = from the environment (`secrets`).
        base_url: address of the server of `openai:`; None = OPENAI_BASE_URL or OpenAI's.
        reply_limit: most bytes of a server's reply.

    Raises:
        BadInput: not a model string, or what it names is not there.
    """
    if not isinstance(model, str):
        raise BadInput(f"{str(model)[:80]!r} is no model.", f"Write one of: {_FORMS}.")
    kind, _, rest = model.partition(":")
    if kind in ("http", "https"):
        address, _, name = model.partition("#")
        if not name:
            raise BadInput(f"{model!r} names no server and model.", "Write http://host:port/v1#MODEL.")
        return _module("server").Server(address, name, timeout=timeout, key_file=key_file, reply_limit=reply_limit)
    if not rest:
        raise BadInput(f"{model!r} is no model.", f"Write one of: {_FORMS}.")
    if kind == "openai":
        address = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        return _module("server").Server(
            address, rest, timeout=timeout, key_file=key_file, reply_limit=reply_limit, is_openai=True
        )
    makers: dict[str, Callable[[], object]] = {
        "engine": lambda: _module("script").open_rules(rest),
        "script": lambda: _module("script").open_script(rest, timeout),
        "cassette": lambda: _module("cassette").open_recorded(Path(rest)),
        "hf": lambda: _module("folder").open_folder(rest),
        "litellm": lambda: _module("vendors").open_vendor(rest, timeout=timeout, key_file=key_file),
    }
    if kind not in makers:
        raise BadInput(f"{model!r} is no model.", f"Write one of: {_FORMS}.")
    return cast(Backend, makers[kind]())


def _module(name: str) -> Any:
    return importlib.import_module(f"tenfold.llm.{name}")
