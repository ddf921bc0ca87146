"""Equal requests in flight become one."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from tenfold.llm.types import Reply

__all__ = ["Flights"]


class Flights:
    """Requests in flight by key, on each event loop. A failure reaches everyone who waits; one who leaves disturbs none."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Flight]] = WeakKeyDictionary()

    async def join(self, key: str, start: Callable[[], Awaitable[Reply]]) -> tuple[Reply, bool]:
        """The reply to an equal request in flight, or to a new one.

        Args:
            key: of the request.
            start: sends it.

        Returns:
            The reply, and whether this caller's request was the one that was sent.
        """
        loop = asyncio.get_running_loop()
        flights = self._loops.setdefault(loop, {})
        flight = flights.get(key)
        is_first = flight is None
        if flight is None:
            flight = flights[key] = _Flight(loop.create_task(_land(flights, key, start)))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), is_first
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                # A later equal request must not join what is being cancelled.
                if flights.get(key) is flight:
                    del flights[key]
                flight.task.cancel()


class _Flight:
    __slots__ = ("task", "waiting")

    def __init__(self, task: "asyncio.Task[Reply]") -> None:
        self.task, self.waiting = task, 0
        # Everyone may have left when it fails: the failure was still seen.
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())


async def _land(flights: "dict[str, _Flight]", key: str, start: Callable[[], Awaitable[Reply]]) -> Reply:
    try:
        return await start()
    finally:
        current = flights.get(key)
        if current is not None and current.task is asyncio.current_task():
            del flights[key]
