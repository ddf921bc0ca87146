"""No reply beyond a number of bytes: a server that never ends, or a compressed one that swells, must not fill our memory."""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from typing import Any

from tenfold.llm.errors import ReplyTooLong

__all__ = ["REPLY_LIMIT", "bounded"]

# 64 vectors of 8,192 numbers take 12 MiB, a hundred thousand streamed tokens 30.
REPLY_LIMIT = 32 << 20


def bounded(limit: int, endpoint: str) -> Callable[[Any], Awaitable[None]]:
    """A response hook of an httpx client that gives up a body, of an answer or an error, once it passes the limit.

    Args:
        limit: bytes, counted after decompression.
        endpoint: for the message.
    """

    async def bound(response: Any) -> None:
        kind = type(response)
        whole = kind(response.status_code, headers=response.headers, stream=response.stream)  # it decompresses
        response.headers.pop("content-encoding", None)
        response.stream = _stream(kind.__module__.partition(".")[0])(whole, limit, endpoint)

    return bound


@cache
def _stream(package: str) -> type:
    """The class of bounded streams for the httpx that the `openai` package brings."""

    class Bounded(importlib.import_module(package).AsyncByteStream):
        def __init__(self, response: Any, limit: int, endpoint: str) -> None:
            self._response, self._limit, self._endpoint = response, limit, endpoint

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._response.aiter_bytes():
                size += len(part)
                if size > self._limit:
                    message = f"A reply of {self._endpoint} is longer than {self._limit / 2**20:.3g} MiB and was given up."
                    raise ReplyTooLong(message, "Lower max_tokens, or raise reply_limit (bytes).")
                yield part

        async def aclose(self) -> None:
            await self._response.aclose()

    return Bounded
