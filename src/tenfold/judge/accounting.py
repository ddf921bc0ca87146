"""Every call of a model, written down: which module made it, for which requirement, what it cost.

The cost of a requirement is the sum of its own calls and an even share of those that served all. Summed over the
requirements it is the total.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tenfold.core.errors import BudgetReached
from tenfold.judge.types import Judgement
from tenfold.llm.client import Client
from tenfold.llm.types import Message, Reply, Request

__all__ = ["Asker", "Books", "Call", "Share", "shares", "totals"]


class Call(NamedTuple):
    """One answered call.

    Attributes:
        module: locate, read, retrieve, plan, ask or answer.
        requirement: its id, or empty where the call served several.
        usd: None = unknown price; 0 for a reply from cache or cassette.
        prompt: tokens.
        completion: tokens.
        seconds: until the reply was there.
        source: live, cache, cassette or engine.
    """

    module: str
    requirement: str
    usd: float | None
    prompt: int
    completion: int
    seconds: float
    source: str


class Share(NamedTuple):
    """What one requirement took: calls, dollars (None = unknown), seconds of waiting for a model."""

    calls: int
    usd: float | None
    seconds: float


@dataclass
class Books:
    """What happened while a workspace was judged.

    Attributes:
        calls: every answered call, in the order of the replies.
        stopped: what the budget said when it was reached, or empty.
        watch: called with each judgement as it is made.
    """

    calls: list[Call] = field(default_factory=list)
    stopped: str = ""
    watch: Callable[[Judgement], None] | None = None


class Asker:
    """A client, and the books of what was asked of it."""

    def __init__(self, client: Client, books: Books | None = None) -> None:
        self.client, self.books = client, books or Books()

    async def ask(
        self,
        messages: Sequence[Message],
        module: str,
        requirement: str = "",
        *,
        sample: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 600,
    ) -> str:
        """The text of a reply.

        Raises:
            BudgetReached, ModelError: as `Client.complete`.
        """
        tag = f"{module}:{requirement}" if requirement else module
        request = Request(tuple(messages), temperature=temperature, max_tokens=max_tokens, sample=sample, tag=tag)
        started = time.perf_counter()
        try:
            reply = await self.client.complete(request)
        except BudgetReached as error:
            self.books.stopped = error.message
            raise
        self._note(module, requirement, reply, time.perf_counter() - started)
        return reply.text

    def _note(self, module: str, requirement: str, reply: Reply, seconds: float) -> None:
        usage = reply.usage
        self.books.calls.append(Call(module, requirement, reply.cost, usage.prompt, usage.completion, seconds, reply.source))


def shares(calls: Iterable[Call], requirements: Sequence[str]) -> dict[str, Share]:
    """What each requirement took; shared calls are dealt out one by one, their dollars and seconds evenly."""
    calls = list(calls)
    common = [call for call in calls if call.requirement not in requirements]
    count = max(1, len(requirements))
    found = {}
    for index, identity in enumerate(requirements):
        own = [call for call in calls if call.requirement == identity]
        dealt = len(common) // count + (index < len(common) % count)
        usd, shared = _usd(own), _usd(common)
        seconds = sum(call.seconds for call in own) + sum(call.seconds for call in common) / count
        found[identity] = Share(len(own) + dealt, None if usd is None or shared is None else usd + shared / count, seconds)
    return found


def totals(calls: Iterable[Call]) -> Mapping[str, float | int | None]:
    """Sums over all calls: calls, hits (replies that were there already), usd, prompt_tokens, completion_tokens."""
    calls = list(calls)
    return {
        "calls": len(calls),
        "hits": sum(call.source in ("cache", "cassette") for call in calls),
        "usd": _usd(calls),
        "prompt_tokens": sum(call.prompt for call in calls),
        "completion_tokens": sum(call.completion for call in calls),
    }


def _usd(calls: Iterable[Call]) -> float | None:
    total = 0.0
    for call in calls:
        if call.usd is None:
            return None
        total += call.usd
    return total
