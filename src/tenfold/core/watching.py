"""Long work that is watched: it goes on in a thread and tells what it has done as it goes."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tenfold.core.errors import TenfoldError

__all__ = ["Finished", "Stopped", "watched"]


class Stopped(TenfoldError):
    """Nobody watches any more."""


class Finished(NamedTuple):
    """The last thing that is told: what the work returned."""

    result: Any


def watched(work: Callable[[Callable[[Any], None]], Any]) -> Iterator[Any]:
    """Run `work(tell)` in a thread and yield what it tells as it comes, then `Finished(its result)`.

    Closing the iterator (a visitor leaves, or presses Stop) makes the next `tell` raise `Stopped` in the work's thread.

    Args:
        work: calls `tell(anything)` now and then.

    Raises:
        Exception: what the work raised.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    is_over = threading.Event()

    def tell(item: Any) -> None:
        if is_over.is_set():
            raise Stopped("The run was stopped.")
        told.put(item)

    def run() -> None:
        try:
            told.put(Finished(work(tell)))
        except BaseException as error:  # it is raised again where the work is watched
            told.put(_Failed(error))

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            item = told.get()
            if isinstance(item, _Failed):
                raise item.error
            yield item
            if isinstance(item, Finished):
                return
    finally:
        is_over.set()


class _Failed(NamedTuple):
    error: BaseException
