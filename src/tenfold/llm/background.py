"""One event loop in a thread for the synchronous face, and functions in threads for asynchronous callers."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["in_thread", "run"]

Made = TypeVar("Made")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_process = 0


def run(work: Coroutine[Any, Any, Made]) -> Made:
    """Run a coroutine on the process's background loop and wait for it; works from any thread, also inside a loop."""
    future = asyncio.run_coroutine_threadsafe(work, _background())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def in_thread(function: Callable[..., Made], *values: Any) -> Made:
    """Call a function in a thread of its own. The thread does not keep the process alive when it hangs."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Made] = loop.create_future()

    def work() -> None:
        try:
            made, error = function(*values), None
        except BaseException as raised:
            made, error = None, raised
        try:
            loop.call_soon_threadsafe(_finish, future, made, error)
        except RuntimeError:  # the loop was closed: nobody waits any more
            return

    threading.Thread(target=work, daemon=True, name="tenfold-call").start()
    return await future


def _finish(future: "asyncio.Future[Any]", made: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(made)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        future.set_exception(error)
    else:  # a future takes no StopIteration, and SystemExit would end the loop
        future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))


def _background() -> asyncio.AbstractEventLoop:
    global _loop, _process
    with _lock:
        if _loop is None or _process != os.getpid():  # a forked child has the loop but not its thread
            _loop, _process = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, daemon=True, name="tenfold-llm").start()
        return _loop
