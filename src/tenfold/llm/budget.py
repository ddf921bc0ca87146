"""Budgets: the worst case is reserved before a request is sent, the real cost settled after.

A request whose worst case does not fit waits while replies in flight may still turn out cheaper, and is refused
(`BudgetReached`) as soon as it would not fit even if nothing were in flight. So parallel calls never pass a budget, and
none is refused too early. What costs nothing: hits in cache and cassette, requests that joined an equal one in flight,
tries that the server turned away (429, 5xx, 4xx). A try whose answer was lost (timeout, reset, half a body, cancelled at
the deadline) may have been billed: it counts as a call at its worst case.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.types import Usage

__all__ = ["Account", "Budget", "Claim", "Hold", "Spent"]

_KEPT = "Raise the budget to go on; what came is kept."


@dataclass(frozen=True)
class Budget:
    """What may be spent; None = no limit.

    Attributes:
        calls: requests that a model answers.
        tokens: of prompts and replies together.
        usd: US dollars; every model needs a known price then.
        seconds: from the start of the account; requests in flight are cancelled at the end.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "usd", "seconds"):
            value, is_counted = getattr(self, name), name in ("calls", "tokens")
            if value is None:
                continue
            kinds = int if is_counted else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < float("inf"):
                kind = "a whole number" if is_counted else "a number"
                raise BadInput(f"The budget's {name} is {value!r}.", f"It must be {kind}, 0 or more, or None.")


class Spent(NamedTuple):
    """What was spent: answered calls, tokens, US dollars (None = some price is unknown), and replies that were free hits."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    usd: float | None = 0.0
    hits: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion


class Claim(NamedTuple):
    """The most that one request may cost. `usd` is None where the price is unknown: then no budget of money is allowed."""

    prompt: int
    completion: int
    usd: float | None


class Account:
    """A running budget and what was spent, by role. Several clients may share one; threads and event loops too.

    Args:
        budget: the limits; None = none.
        spent: by role, of an earlier part of the same run (see `ledger.spent`); it counts against the limits.
    """

    def __init__(self, budget: Budget | None = None, spent: Mapping[str, Spent] | None = None) -> None:
        if budget is not None and not isinstance(budget, Budget):
            raise BadInput(f"{str(budget)[:80]!r} is no budget.", "For example llm.Budget(calls=500, usd=2).")
        self.budget = budget or Budget()
        self._lock = threading.Lock()
        self._roles = {role: _Row(*row) for role, row in (spent or {}).items()}
        self._calls = sum(row.calls for row in self._roles.values())
        self._tokens = sum(row.prompt + row.completion for row in self._roles.values())
        self._usd = sum(row.usd or 0.0 for row in self._roles.values())
        self._held_calls, self._held_tokens, self._held_usd = 0, 0, 0.0
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._ends = None if self.budget.seconds is None else time.monotonic() + self.budget.seconds
        self._is_limited = any(limit is not None for limit in (self.budget.calls, self.budget.tokens, self.budget.usd))

    @property
    def calls(self) -> int:
        """Requests that a model answered."""
        return self._calls

    @property
    def tokens(self) -> int:
        """Of prompts and replies."""
        return self._tokens

    @property
    def usd(self) -> float | None:
        """US dollars; None = some price is unknown."""
        return self.total.usd

    @property
    def hits(self) -> int:
        """Replies that cost nothing: from cache, cassette or an equal request in flight."""
        return self.total.hits

    @property
    def total(self) -> Spent:
        """All roles together."""
        rows = self.by_role.values()
        usd = None if any(row.usd is None for row in rows) else sum((row.usd or 0.0 for row in rows), 0.0)
        prompt, completion = sum(row.prompt for row in rows), sum(row.completion for row in rows)
        return Spent(sum(row.calls for row in rows), prompt, completion, usd, sum(row.hits for row in rows))

    @property
    def by_role(self) -> dict[str, Spent]:
        """What each role (the tag before its colon) spent."""
        with self._lock:
            return {role: row.spent() for role, row in self._roles.items()}

    def check_deadline(self) -> None:
        """Raises: BudgetReached: the budget's seconds are over."""
        if self._ends is not None and time.monotonic() >= self._ends:
            raise _out_of_time(self.budget)

    def charge(self, role: str, prompt: int, completion: int) -> bool:
        """Book a free reply that is already there.

        Returns:
            Whether it was booked; False if it might fit once replies in flight are settled.

        Raises:
            BudgetReached: it does not fit.
        """
        if self._ends is not None:
            self.check_deadline()
        with self._lock:
            if self._is_limited and not self._fits(prompt + completion, 0.0):
                return False
            row = self._roles.get(role) or self._open(role)
            row.calls += 1
            row.prompt += prompt
            row.completion += completion
            self._calls += 1
            self._tokens += prompt + completion
        return True

    def hit(self, role: str) -> None:
        """Count a reply that cost nothing."""
        with self._lock:
            (self._roles.get(role) or self._open(role)).hits += 1

    async def reserve(self, role: str, claim: Claim, on_lost: Callable[[], None] | None = None) -> "Hold":
        """Set the worst case of a request aside, waiting for replies in flight if it may fit after them.

        Args:
            role: that pays.
            claim: the worst case.
            on_lost: called for each try whose answer was lost and that is booked at its worst case.

        Raises:
            BudgetReached: it does not fit, or the time is over.
        """
        hold = Hold(self, role, claim, on_lost)
        await self._take(claim)
        return hold

    @contextlib.asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Cancel the block at the end of the budget's seconds.

        Raises:
            BudgetReached: that happened.
        """
        if self._ends is None:
            yield
            return
        limit = asyncio.timeout(self._ends - time.monotonic())
        try:
            async with limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise _out_of_time(self.budget) from None
            raise

    async def _take(self, claim: Claim) -> None:
        tokens = claim.prompt + claim.completion
        while True:
            self.check_deadline()
            with self._lock:
                if not self._is_limited or self._fits(tokens, claim.usd or 0.0):
                    self._held_calls += 1
                    self._held_tokens += tokens
                    self._held_usd += claim.usd or 0.0
                    return
                loop = asyncio.get_running_loop()
                waiter = loop.create_future()
                self._waiters.append((loop, waiter))
            await waiter

    def _give_back(self, claim: Claim) -> None:
        self._held_calls -= 1
        self._held_tokens -= claim.prompt + claim.completion
        # Sums of fractions leave a rest that would add up.
        self._held_usd = self._held_usd - (claim.usd or 0.0) if self._held_calls else 0.0
        waiting, self._waiters = self._waiters, []
        for loop, waiter in waiting:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                loop.call_soon_threadsafe(_wake, waiter)

    def _book(self, role: str, prompt: int, completion: int, usd: float | None) -> None:
        row = self._roles.get(role) or self._open(role)
        row.calls += 1
        row.prompt += prompt
        row.completion += completion
        row.usd = None if row.usd is None or usd is None else row.usd + usd
        self._calls += 1
        self._tokens += prompt + completion
        self._usd += usd or 0.0

    def _open(self, role: str) -> "_Row":
        row = self._roles[role] = _Row()
        return row

    def _fits(self, tokens: int, usd: float) -> bool:
        """Whether one more call fits now; False if it may fit later."""
        limits = self.budget
        if limits.calls is not None and self._calls + 1 > limits.calls:
            raise BudgetReached(f"The budget of {limits.calls:,} calls is reached.", _KEPT)
        if limits.tokens is not None and self._tokens + tokens > limits.tokens:
            left = f"{max(0, limits.tokens - self._tokens):,} of {limits.tokens:,} tokens"
            hint = "Raise it to go on, or lower max_tokens; what came is kept."
            raise BudgetReached(f"The budget has {left} left and the next call may take {tokens:,}.", hint)
        if limits.usd is not None and self._usd + usd > limits.usd:
            left = f"${max(0.0, limits.usd - self._usd):.4f} of ${limits.usd:g}"
            raise BudgetReached(f"The budget has {left} left and the next call may cost ${usd:.4f}.", _KEPT)
        return (
            (limits.calls is None or self._calls + self._held_calls + 1 <= limits.calls)
            and (limits.tokens is None or self._tokens + self._held_tokens + tokens <= limits.tokens)
            and (limits.usd is None or self._usd + self._held_usd + usd <= limits.usd)
        )


class Hold:
    """The reservation of one request. `is_sent` is true while the model may be working on it."""

    def __init__(self, account: Account, role: str, claim: Claim, on_lost: Callable[[], None] | None) -> None:
        self._account, self._role, self.claim, self._on_lost = account, role, claim, on_lost
        self._is_open = True
        self.is_sent = False

    def settle(self, usage: Usage, usd: float | None) -> None:
        """Book what the reply really cost."""
        with self._account._lock:
            self._is_open = False
            self._account._book(self._role, usage.prompt, usage.completion, usd)
            self._account._give_back(self.claim)

    async def renew(self) -> None:
        """Book a lost try at its worst case, and reserve another.

        Raises:
            BudgetReached: another one does not fit.
        """
        self.close()
        await self._account._take(self.claim)
        self._is_open, self.is_sent = True, False

    def close(self) -> None:
        """If it was not settled: book the worst case if it was sent, else nothing."""
        if not self._is_open:
            return
        claim, self._is_open = self.claim, False
        with self._account._lock:
            if self.is_sent:
                self._account._book(self._role, claim.prompt, claim.completion, claim.usd)
            self._account._give_back(claim)
        if self.is_sent and self._on_lost is not None:
            self._on_lost()


@dataclass(slots=True)
class _Row:
    calls: int = 0
    prompt: int = 0
    completion: int = 0
    usd: float | None = 0.0
    hits: int = 0

    def spent(self) -> Spent:
        return Spent(self.calls, self.prompt, self.completion, self.usd, self.hits)


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _out_of_time(budget: Budget) -> BudgetReached:
    return BudgetReached(f"The budget of {budget.seconds:g} seconds is over.", _KEPT)
