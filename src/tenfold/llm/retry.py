"""Tries, back-off and the circuit breaker.

A transient failure is tried again after `first` seconds, doubled each time, times a random factor in [0.5, 1.5), or after
what the server asked for in Retry-After if that is longer; at most `tries` tries and `patience` seconds in all. Five
requests in a row that fail for good open the breaker: from then on nothing is sent. A request that is only too long, or
whose script raised, says nothing about the endpoint and does not count.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from tenfold.llm.budget import Hold
from tenfold.llm.errors import ContextOverflow, EndpointDown, ModelError, ScriptFailed, Transient
from tenfold.llm.limits import Limits
from tenfold.llm.types import Reply

__all__ = ["Retry"]

Got = TypeVar("Got")

_FATAL_IN_A_ROW = 5
_PATIENCE = 120.0
_LONGEST = 30.0


class Retry:
    """Sends a request until it is answered, refused, or not worth another try.

    Args:
        endpoint: for messages.
        tries: at most.
        first: seconds before the second try.
        seed: of the jitter.
        patience: seconds for all tries of a request.
    """

    def __init__(self, endpoint: str, *, tries: int, first: float, seed: int, patience: float = _PATIENCE) -> None:
        self._endpoint, self._tries, self._first, self._patience = endpoint, tries, first, patience
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._fatal, self._last = 0, ""

    async def call(self, send: Callable[[], Awaitable[Reply]], hold: Hold, limits: Limits) -> Reply:
        """The reply of the first try that has one.

        Args:
            send: one try.
            hold: the request's reservation; a lost try is booked on it.
            limits: each further try waits for them again.

        Raises:
            EndpointDown: no try was answered, or the breaker is open.
            ModelError: as the backend raised it.
            BudgetReached: another try does not fit.
        """
        started = time.monotonic()
        for number in range(1, self._tries + 1):
            try:
                return await self._once(send, hold)
            except Transient as failure:
                await self._before_next(failure, number, started, hold, limits)
        raise AssertionError("the last try ends in _before_next")

    async def stream(
        self, send: Callable[[], AsyncIterator[str | Reply]], hold: Hold, limits: Limits
    ) -> AsyncIterator[str | Reply]:
        """The pieces of the first try that has any; a stream that breaks after its first piece is not tried again."""
        started = time.monotonic()
        for number in range(1, self._tries + 1):
            pieces = send()
            try:
                first = await self._once(lambda source=pieces: anext(source), hold)
            except Transient as failure:
                await self._before_next(failure, number, started, hold, limits)
                continue
            yield first
            try:
                async for piece in pieces:
                    yield piece
            except Transient as failure:
                raise EndpointDown(f"{self._endpoint} broke off in the middle of a stream: {failure.message}.") from None
            return

    async def _once(self, send: Callable[[], Awaitable[Got]], hold: Hold) -> Got:
        """One try, unless the breaker is open."""
        if self._fatal >= _FATAL_IN_A_ROW:
            failed = f"{self._endpoint} failed {self._fatal} times in a row; nothing more is sent."
            message = f"{failed} The last said: {self._last}"
            raise EndpointDown(message, "Mend that and start again; what came is kept.")
        hold.is_sent = True
        try:
            made = await send()
        except Transient as failure:
            hold.is_sent = failure.billed
            raise
        except ModelError as error:
            hold.is_sent = error.billed
            self._count(error)
            raise
        with self._lock:
            self._fatal = 0
        return made

    async def _before_next(self, failure: Transient, number: int, started: float, hold: Hold, limits: Limits) -> None:
        """Wait for the next try, or raise if there is none."""
        with self._lock:
            jitter = self._random.random()
        delay = min(_LONGEST, self._first * 2 ** (number - 1)) * (0.5 + jitter)
        # Those who were told the same time must not all come back at it.
        delay = max(delay, (failure.retry_after or 0.0) * (1 + 0.1 * jitter))
        waited = time.monotonic() - started
        if number == self._tries or waited + delay > self._patience:
            asked = f" It asks to wait {failure.retry_after:.0f} s." if (failure.retry_after or 0) > self._patience else ""
            tried = f"{number} {'tries' if number > 1 else 'try'} in {waited:.1f} s"
            message = f"{self._endpoint} gave no answer in {tried}: {failure.message}.{asked}"
            error = EndpointDown(message, "Try again later; what came is kept.")
            self._count(error)
            raise error from None
        await asyncio.sleep(delay)
        if hold.is_sent:
            await hold.renew()
        await limits.wait(hold.claim)

    def _count(self, error: ModelError) -> None:
        if isinstance(error, (ContextOverflow, ScriptFailed)):
            return
        with self._lock:
            self._fatal += 1
            self._last = error.message
