"""Backends in this process: the embedded rules engine, and anyone's function(request) -> str."""

import asyncio
import importlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qsl

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.background import in_thread
from tenfold.llm.errors import ScriptFailed
from tenfold.llm.tokens import estimate, estimated_usage
from tenfold.llm.types import Reply, Request, Usage

__all__ = ["Rules", "Script", "open_rules", "open_script"]


class Rules:
    """`engine:rules`: a pure function from prompt text to reply text. It is not a language model.

    Args:
        function: prompt -> reply.
        identity: name, version and options.
    """

    source, is_free, takes_schema = "engine", True, False

    def __init__(self, function: Callable[[str], str], identity: str) -> None:
        self._function, self.identity, self.endpoint, self.model = function, identity, "engine:rules", "engine:rules"

    def answer(self, request: Request) -> Reply:
        """The reply, at once."""
        prompt = request.prompt
        text = self._function(prompt)
        usage = Usage(estimate(prompt), estimate(text), 0, True)
        texts = (text,) if request.n == 1 else (text,) * request.n
        return Reply(texts, ("stop",) * len(texts), usage, 0.0, 0.0, "engine", "", (), "engine:rules")

    async def complete(self, request: Request) -> Reply:
        """The reply."""
        return self.answer(request)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """The reply as one piece, then whole."""
        reply = self.answer(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Nothing is open."""


class Script:
    """`script:module:function`: function(request) -> str, or a coroutine function. Plain functions run in threads.

    Args:
        function: gets the `Request`.
        identity: its import path.
        timeout: seconds for one call.
    """

    source, is_free, takes_schema = "live", True, True

    def __init__(self, function: Callable[[Request], Any], identity: str, timeout: float = 60.0) -> None:
        self._function, self.identity, self.endpoint, self.model = function, identity, identity, identity
        self._timeout = timeout

    async def complete(self, request: Request) -> Reply:
        """The reply.

        Raises:
            ScriptFailed: the function raised, returned no text, or took longer than the timeout.
        """
        started = time.perf_counter()
        texts = []
        for _ in range(request.n):
            texts.append(await self._call(request))
        latency = time.perf_counter() - started
        usage = estimated_usage(request, texts)
        return Reply(tuple(texts), ("stop",) * len(texts), usage, 0.0, latency, "live", model=self.model)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """The reply as one piece, then whole."""
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _call(self, request: Request) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                if inspect.iscoroutinefunction(self._function):
                    text = await cast(Awaitable[Any], self._function(request))
                else:
                    text = await in_thread(self._function, request)
        except TimeoutError:
            hint = "Raise the timeout, or mend the function."
            raise ScriptFailed(f"{self.identity} took longer than {self._timeout:g} s.", hint) from None
        except TenfoldError:
            raise
        except Exception as error:
            raise ScriptFailed(f"{self.identity} raised {type(error).__name__}: {str(error)[:300]}.") from error
        if not isinstance(text, str):
            raise ScriptFailed(f"{self.identity} returned {type(text).__name__}.", "It must return a str.")
        return text


def open_rules(text: str) -> Rules:
    """The rules engine from "rules" or "rules?noise=0.1".

    Raises:
        BadInput: another engine, or an option that it does not have.
    """
    name, _, query = text.partition("?")
    if name != "rules":
        raise BadInput(f"There is no engine {name!r}.", "Use engine:rules.")
    options = dict(parse_qsl(query, keep_blank_values=True))
    noise = _share(options.pop("noise", "0"))
    if options:
        raise BadInput(f"engine:rules has no option {next(iter(options))!r}.", "It has: noise.")
    engine = importlib.import_module("tenfold.llm.engine")
    identity = f"engine:rules/{engine.identity()}" + (f"?noise={noise:g}" if noise else "")
    reply = engine.reply
    return Rules((lambda prompt: reply(prompt, noise=noise)) if noise else reply, identity)


def open_script(text: str, timeout: float) -> Script:
    """A script from "module:function".

    Raises:
        BadInput: it is not there or cannot be called.
    """
    module, _, name = text.partition(":")
    if not module or not name:
        raise BadInput(f"script:{text} does not name a function.", "Write script:module:function.")
    try:
        found = importlib.import_module(module)
    except Exception as error:
        hint = "Is its folder on PYTHONPATH?" if isinstance(error, ModuleNotFoundError) else ""
        raise BadInput(f"The module {module} of script:{text} does not load: {error}.", hint) from error
    function = getattr(found, name, None)
    if not callable(function):
        raise BadInput(f"{module} has no function {name!r}.", "Write script:module:function.")
    return Script(function, f"script:{module}:{name}", timeout)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise BadInput(f"noise={text} is no share.", "It lies between 0 and 1.")
    return value
