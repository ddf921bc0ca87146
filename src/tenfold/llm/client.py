"""The client: layers around a backend."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm import background
from tenfold.llm.bounded import REPLY_LIMIT
from tenfold.llm.budget import Account, Budget, Claim, Hold
from tenfold.llm.flights import Flights
from tenfold.llm.limits import Limits
from tenfold.llm.models import Backend, open_backend
from tenfold.llm.prices import Price, Prices
from tenfold.llm.retry import Retry
from tenfold.llm.tokens import most_prompt_tokens
from tenfold.llm.types import Reply, Request

__all__ = ["Client"]

Model = TypeVar("Model")
Mode = Literal["record", "replay", "replay-then-live"]
PathLike = str | os.PathLike[str]


class Client:
    """Sends requests to a model, through the layers that `tenfold.llm` names. Safe to use from threads and event loops.

    Args:
        model: a model string (see `tenfold.llm`).
        budget: limits of this client, or an `Account` that several clients share.
        cache: SQLite file of replies; None = no cache.
        cassette: file of recorded replies (.jsonl or .jsonl.gz); None = none.
        mode: of the cassette. "replay" sends nothing and raises on a miss; "replay-then-live" asks for what is missing
            and appends it; "record" asks for everything and appends it.
        cache_sampled: also cache, and join in flight, requests with a temperature above 0 and no seed.
        concurrency: requests in flight at once, on each event loop.
        timeout: seconds for one try.
        rpm: requests a minute, shared by the process's clients of this endpoint; None = no limit.
        tpm: tokens a minute, in the same way.
        tries: at most, for one request.
        backoff: seconds before the second try; doubled for each further one, with jitter.
        seed: of the jitter.
        prices: price file or {model: {prompt, completion, cached}} in dollars per million tokens; None = $TENFOLD_PRICES
            or the package's.
        ledger: SQLite file that keeps what was spent; earlier rows count against the budget (unless it is an `Account`).
        coalesce: whether equal requests in flight become one.
        key_file: file that holds the server's key; None = environment.
        base_url: address of the server of an `openai:` model.
        reply_limit: most bytes of a server's reply; a longer one is given up (`ReplyTooLong`).
        backend: answers instead of what `model` names.

    Raises:
        BadInput: an argument that cannot be used, or a budget of money for a model without a known price.
    """

    def __init__(
        self,
        model: str = "engine:rules",
        *,
        budget: Budget | Account | None = None,
        cache: PathLike | None = None,
        cassette: PathLike | None = None,
        mode: Mode = "replay",
        cache_sampled: bool = False,
        concurrency: int = 32,
        timeout: float = 60.0,
        rpm: float | None = None,
        tpm: float | None = None,
        tries: int = 6,
        backoff: float = 0.5,
        seed: int = 0,
        prices: PathLike | Mapping[str, Any] | None = None,
        ledger: PathLike | None = None,
        coalesce: bool = True,
        key_file: PathLike | None = None,
        base_url: str | None = None,
        reply_limit: int = REPLY_LIMIT,
        backend: Backend | None = None,
    ) -> None:
        _check(concurrency=concurrency, timeout=timeout, tries=tries, rpm=rpm, tpm=tpm, reply_limit=reply_limit)
        places = {"timeout": timeout, "key_file": key_file, "base_url": base_url, "reply_limit": reply_limit}
        self.model = model if backend is None else backend.model
        self._backend = backend or open_backend(model, **places)
        self._pure = getattr(self._backend, "answer", None)
        self._prices = None if self._backend.is_free else Prices.load(prices)
        self._cache = _open_cache(cache)
        self._cassette = _open_cassette(cassette, mode)
        self._ledger = _open_ledger(ledger)
        self._account = budget if isinstance(budget, Account) else Account(budget, self._ledger and self._ledger.spent())
        self._is_bare = self._pure is not None and cache is None and cassette is None and ledger is None
        self._cache_sampled, self._coalesce, self._concurrency = cache_sampled, coalesce, concurrency
        self._limits = Limits.of(self._backend.endpoint, rpm, tpm)
        self._retry = Retry(self._backend.endpoint, tries=tries, first=backoff, seed=seed)
        self._flights = Flights()
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._price(None)

    @property
    def identity(self) -> str:
        """What the replies depend on besides the request; part of every key."""
        return self._backend.identity

    @property
    def account(self) -> Account:
        """What was spent: calls, tokens, usd (None = unknown), hits, and all of it by role."""
        return self._account

    @property
    def takes_schema(self) -> bool | None:
        """Whether the model keeps to `Request.json_schema`; None = not tried yet."""
        return self._backend.takes_schema

    def try_now(self, request: Request) -> Reply | None:
        """A reply that is to be had without waiting: from a pure engine, the cassette or the cache; else None.

        Needs no event loop, sends nothing, and counts exactly like `complete`.

        Raises:
            BudgetReached: the budget does not allow it.
            CassetteMiss: strict replay has no such request.
        """
        if self._is_bare:
            return self._answer(request, "")
        return self._recall(request, request.key(self._backend.identity))

    async def complete(self, request: Request) -> Reply:
        """The reply to a request.

        Raises:
            BudgetReached: it may not be sent, or the time is over.
            ModelError: its kinds are in `tenfold.llm.errors`.
        """
        if self._is_bare:
            return self._answer(request, "") or await self._fetch(request, "")
        key = request.key(self._backend.identity)
        reply = self._recall(request, key)
        if reply is not None:
            return reply
        if not self._coalesce or not self._is_repeatable(request):
            return await self._fetch(request, key)
        reply, was_sent = await self._flights.join(key, lambda: self._fetch(request, key))
        return reply if was_sent else self._hit(request, replace(reply, cost=0.0))

    async def complete_many(
        self, requests: Iterable[Request], *, on_error: Literal["raise", "collect"] = "raise"
    ) -> list[Any]:
        """Replies in the order of the requests, many in flight at once.

        Args:
            requests: the work.
            on_error: "raise" the first error, once all others are done, or "collect" a `TenfoldError` in its place.
        """
        made = await asyncio.gather(*(self.complete(request) for request in requests), return_exceptions=True)
        for reply in made:
            if isinstance(reply, BaseException) and (on_error == "raise" or not isinstance(reply, TenfoldError)):
                raise reply
        return made

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """The first text in pieces, as they come; a reply that is at hand comes as one piece. Retried before the first.

        Raises:
            BadInput: n is above 1 or tools are offered: use `complete`.
        """
        if request.n != 1 or request.tools:
            raise BadInput("A stream has one text and no tool calls.", "Use complete for n > 1 and tools.")
        reply = self.try_now(request)
        if reply is not None:
            yield reply.text
            return
        async with self._account.deadline():
            hold = await self._reserve(request)
            try:
                await self._limits.wait(hold.claim)
                async with self._slot():
                    async for item in self._retry.stream(lambda: self._backend.stream(request), hold, self._limits):
                        if isinstance(item, Reply):
                            self._settle(request, request.key(self._backend.identity), item, hold)
                        else:
                            yield item
            finally:
                hold.close()

    async def structured(self, request: Request, model: type[Model]) -> Model:
        """The reply as an instance of a pydantic model, with one repair if the first does not fit.

        Raises:
            StructuredOutputError: it does not fit after the repair; `.raw` holds the text.
        """
        from tenfold.llm.structured import structured

        return await structured(self, request, model)

    def complete_sync(self, request: Request) -> Reply:
        """`complete` for code without an event loop; also from several threads."""
        return self.try_now(request) or background.run(self.complete(request))

    def complete_many_sync(
        self, requests: Iterable[Request], *, on_error: Literal["raise", "collect"] = "raise"
    ) -> list[Any]:
        """`complete_many` for code without an event loop."""
        return background.run(self.complete_many(requests, on_error=on_error))

    def structured_sync(self, request: Request, model: type[Model]) -> Model:
        """`structured` for code without an event loop."""
        return background.run(self.structured(request, model))

    async def aclose(self) -> None:
        """Close connections of the running event loop, and files."""
        await self._backend.aclose()
        for layer in (self._cache, self._cassette, self._ledger):
            if layer is not None:
                layer.close()

    def close(self) -> None:
        """`aclose` for code without an event loop."""
        background.run(self.aclose())

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recall(self, request: Request, key: str) -> Reply | None:
        self._account.check_deadline()
        if self._cassette is not None:
            reply = self._cassette.get(request, key)
            if reply is not None:
                return self._hit(request, reply)
        if self._cache is not None:
            reply = self._cache.get(key) if self._is_repeatable(request) else None
            if reply is not None:
                if self._cassette is not None:
                    self._cassette.add(key, request, reply, self._backend.identity)
                return self._hit(request, reply)
        return None if self._pure is None else self._answer(request, key)

    def _answer(self, request: Request, key: str) -> Reply | None:
        assert self._pure is not None
        reply: Reply = self._pure(request)
        if reply.source == "cassette":
            return self._hit(request, reply)
        if not self._account.charge(request.role, reply.usage.prompt, reply.usage.completion):
            return None
        return self._keep(request, replace(reply, request_key=key)) if key else reply

    def _hit(self, request: Request, reply: Reply) -> Reply:
        self._account.hit(request.role)
        if self._ledger is not None:
            self._ledger.add(request, reply, is_hit=True)
        return reply

    async def _fetch(self, request: Request, key: str) -> Reply:
        async with self._account.deadline():
            hold = await self._reserve(request)
            try:
                await self._limits.wait(hold.claim)
                async with self._slot():
                    reply = await self._retry.call(lambda: self._backend.complete(request), hold, self._limits)
                return self._settle(request, key, reply, hold)
            finally:
                hold.close()

    async def _reserve(self, request: Request) -> Hold:
        claim, ledger = self._worst(request), self._ledger
        model = request.model or self._backend.model
        on_lost = None if ledger is None else lambda: ledger.add_lost(request, model, claim)
        return await self._account.reserve(request.role, claim, on_lost)

    def _settle(self, request: Request, key: str, reply: Reply, hold: Hold) -> Reply:
        price = self._price(request.model)
        cost = 0.0 if self._backend.is_free else price and price.cost(reply.usage)
        reply = replace(reply, cost=cost, request_key=key)
        hold.settle(reply.usage, cost)
        self._limits.settle(hold.claim, reply.usage)
        return self._keep(request, reply) if key else reply

    def _keep(self, request: Request, reply: Reply) -> Reply:
        key = reply.request_key
        # First what a killed run would have to pay again, then the books.
        if self._cache is not None and self._is_repeatable(request):
            self._cache.add(key, reply)
        if self._cassette is not None:
            self._cassette.add(key, request, reply, self._backend.identity)
        if self._ledger is not None:
            self._ledger.add(request, reply)
        return reply

    def _is_repeatable(self, request: Request) -> bool:
        return request.temperature == 0 or request.seed is not None or self._cache_sampled or self._pure is not None

    def _slot(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        slot = self._slots.get(loop)
        if slot is None:
            slot = self._slots[loop] = asyncio.Semaphore(self._concurrency)
        return slot

    def _price(self, name: str | None) -> Price | None:
        """The price of a model of this client.

        Raises:
            BadInput: it is unknown, and there is a budget of money.
        """
        if self._prices is None:
            return None
        price = self._prices.of(name or self._backend.model)
        if price is None and self._account.budget.usd is not None:
            hint = f"Add its price to {self._prices.place}, or drop the budget in dollars."
            raise BadInput(f"The price of {name or self._backend.model!r} is unknown.", hint)
        return price

    def _worst(self, request: Request) -> Claim:
        prompt, completion = most_prompt_tokens(request), request.max_tokens * request.n
        if self._backend.is_free:
            return Claim(prompt, completion, 0.0)
        price = self._price(request.model)
        return Claim(prompt, completion, price.worst(prompt, completion) if price else None)


def _check(**limits: float | None) -> None:
    for name, value in limits.items():
        if value is not None and not (isinstance(value, (int, float)) and value > 0):
            raise BadInput(f"{name} is {value!r}.", "It must be a number above 0.")


def _open_cache(path: PathLike | None) -> Any:
    if path is None:
        return None
    from tenfold.llm.cache import Cache

    return Cache(Path(path))


def _open_cassette(path: PathLike | None, mode: str) -> Any:
    if path is None:
        return None
    from tenfold.llm.cassette import Cassette

    return Cassette(Path(path), mode)


def _open_ledger(path: PathLike | None) -> Any:
    if path is None:
        return None
    from tenfold.llm.ledger import Ledger

    return Ledger(Path(path))
