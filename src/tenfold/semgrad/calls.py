"""Calls to models: what can be answered now is answered now, the rest by futures; no barriers, no polling.

A caller asks and names what shall happen with the reply. `Calls.run` feeds new work in as there is room, and ends when
nothing is left. Callbacks run one at a time, so that they need no locks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from tenfold.core.errors import BadInput, BudgetReached, TenfoldError
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.memo import Memo

__all__ = ["Calls", "Model", "Store", "Then", "is_fatal"]

Then = Callable[[Reply | None, TenfoldError | None], None]


class Model(Protocol):
    """What calls need of a client."""

    @property
    def identity(self) -> str:
        """What answers: part of a request's key."""
        ...

    @property
    def takes_schema(self) -> bool | None:
        """Whether it keeps to a request's JSON schema; None = not known yet."""
        ...

    def try_now(self, request: Request) -> Reply | None:
        """A reply that needs no waiting, or None."""
        ...

    async def complete(self, request: Request) -> Reply:
        """The reply."""
        ...

    async def aclose(self) -> None:
        """Close what is open on the running event loop."""
        ...


class Store(Protocol):
    """Replies that were paid for, kept for a resumed run."""

    def replay(self, key: str) -> Reply | None:
        """The next kept reply to a request, or None."""
        ...

    def record(self, key: str, request: Request, reply: Reply) -> None:
        """Keep a reply, durably."""
        ...


class Calls:
    """Requests of several roles with bounded concurrency. Use as a context manager.

    Attributes:
        clients: by role; a role without a client is answered by `forward`'s.
        concurrency: most requests in flight.
        store: keeps live replies; None = nothing is kept.
        owned: clients that `close` closes too.
        recorded: roles whose clients put replies into the store themselves.
        counts: requests by role, whatever answered them.
        memo: replies to requests of `ask`, used again; None = ask again every time.
    """

    def __init__(
        self,
        clients: Mapping[str, Model],
        *,
        concurrency: int = 32,
        store: Store | None = None,
        owned: Sequence[Model] = (),
        recorded: Collection[str] = (),
    ) -> None:
        if concurrency < 1:
            raise BadInput(f"concurrency is {concurrency}; it must be at least 1.")
        self.clients, self.concurrency, self.store = dict(clients), concurrency, store
        self._owned, self._recorded = tuple(owned), frozenset(recorded)
        self.memo: Memo[Reply] | None = None
        self.counts: dict[str, int] = {}
        self._waiting: deque[tuple[str, Request, Then]] = deque()
        self._flying: dict[asyncio.Task[Reply], tuple[Request, str, Then]] = {}
        self._feed: Callable[[], bool] = _nothing
        self._failure: BaseException | None = None
        self._finished: asyncio.Future[None] | None = None
        self._runner: asyncio.Runner | None = None
        self._thread: ThreadPoolExecutor | None = None

    def client(self, role: str) -> Model:
        """The client of a role."""
        return self.clients.get(role) or self.clients["forward"]

    def now(self, role: str, request: Request) -> Reply | None:
        """A reply that needs no waiting; None = ask `later`."""
        self.counts[role] = self.counts.get(role, 0) + 1
        client = self.clients.get(role) or self.clients["forward"]
        reply = client.try_now(request)
        if reply is None and self.store is not None:
            return self.store.replay(request.key(client.identity))
        return reply

    def later(self, role: str, request: Request, then: Then) -> None:
        """Have a request sent when there is room; `then` gets the reply, or an error that ends only this request."""
        self._waiting.append((role, request, then))

    def ask(self, role: str, request: Request, then: Then) -> None:
        """Have `then` called with the reply, at once where it can be had at once."""
        memo, key = self.memo, (role, request.prompt)
        reply = None if memo is None else memo.get(key)
        if reply is not None:
            then(reply, None)
            return
        try:
            reply = self.now(role, request)
        except TenfoldError as error:
            if is_fatal(error):
                raise
            then(None, error)
            return

        def kept(reply: Reply | None, error: TenfoldError | None) -> None:
            if reply is not None and memo is not None:
                memo.put(key, reply)
            then(reply, error)

        if reply is None:
            self.later(role, request, kept)
        else:
            kept(reply, None)

    def run(self, feed: Callable[[], bool] = lambda: False) -> None:
        """Work until nothing is left.

        Args:
            feed: begins one more piece of work (which asks); False = there is none. It is called when there is room.

        Raises:
            TenfoldError: an error that ends everything: a budget, a key, an endpoint that does not recover.
        """
        self._feed = feed
        try:
            while len(self._waiting) < self.concurrency and feed():
                pass
            while self._waiting:
                self._wait()
        finally:
            self._waiting.clear()
            self._feed = _nothing
            if self.memo is not None:
                self.memo.turn()

    def stop(self) -> None:
        """Give up everything that is waiting or in flight: its replies are not needed any more."""
        self._waiting.clear()
        self._feed = _nothing
        for task, (request, role, _) in list(self._flying.items()):
            self._flying[task] = (request, role, _unwanted)  # a reply that is here already is still kept
            task.cancel()
        self._end_if_done()

    def close(self) -> None:
        """Close the event loop, and the clients that are owned."""
        if self._runner is not None:
            for client in self._owned:
                self._in_thread(self._runner.run, client.aclose())
            self._in_thread(self._runner.close)
            self._runner = None
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        if self._runner is None:
            if _inside_a_loop():  # a notebook or a page: its loop cannot be used for waiting
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="semgrad")
            self._runner = asyncio.Runner()
        self._failure = None
        self._in_thread(self._runner.run, self._drive())
        if self._failure is not None:
            raise self._failure

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._thread is None:
            return function(*arguments)
        future = self._thread.submit(function, *arguments)
        try:
            return future.result()
        except KeyboardInterrupt:
            if self._runner is not None:
                self._runner.get_loop().call_soon_threadsafe(self.stop)
            raise

    async def _drive(self) -> None:
        self._finished = asyncio.get_running_loop().create_future()
        try:
            self._refill()
            self._end_if_done()
            await self._finished
        finally:
            self.stop()
            await asyncio.gather(*self._flying, return_exceptions=True)
            self._flying.clear()
            self._finished = None

    def _refill(self) -> None:
        while len(self._flying) < self.concurrency:
            while not self._waiting and self._feed():
                pass
            if not self._waiting:
                return
            role, request, then = self._waiting.popleft()
            task = asyncio.ensure_future(self.client(role).complete(request))
            self._flying[task] = (request, role, then)
            task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[Reply]") -> None:
        request, role, then = self._flying.pop(task)
        try:
            if not task.cancelled():
                self._deliver(task, request, role, then)
                self._refill()
        except BaseException as failure:  # a callback runs where nobody would see it: `_wait` raises it
            self._failure = self._failure or failure
            self.stop()
        self._end_if_done()

    def _deliver(self, task: "asyncio.Task[Reply]", request: Request, role: str, then: Then) -> None:
        error = task.exception()
        if error is None:
            reply = task.result()
            if self.store is not None and reply.source == "live" and role not in self._recorded:
                self.store.record(request.key(self.client(role).identity), request, reply)
            then(reply, None)
        elif then is not _unwanted:
            if not isinstance(error, TenfoldError) or is_fatal(error):
                raise error
            then(None, error)

    def _end_if_done(self) -> None:
        if self._finished is not None and not self._finished.done() and not self._flying and not self._waiting:
            self._finished.set_result(None)


def is_fatal(error: TenfoldError) -> bool:
    """Whether no later request can do better: the run ends, with its state kept."""
    return isinstance(error, BudgetReached) or getattr(error, "ends_run", False)


def _nothing() -> bool:
    return False


def _unwanted(reply: Reply | None, error: TenfoldError | None) -> None:
    pass


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
