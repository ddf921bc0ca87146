"""Many queries through one decoder: as many at a time as fit, and a new one as soon as one ends."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tenfold.reactions.tree import Node, PrefixTree

__all__ = ["Answer", "Decoder", "Hypothesis", "Rows", "Search", "run"]


class Hypothesis(NamedTuple):
    """One output.

    Attributes:
        ids: from `BOS`, to `EOS` if it was reached.
        log_probability: the sum over its tokens.
        is_complete: it ends with `EOS`.
    """

    ids: list[int]
    log_probability: float
    is_complete: bool


class Answer(NamedTuple):
    """The outputs to one query.

    Attributes:
        hypotheses: the best first.
        calls: of the decoder in which this query took part.
        verified: nodes that these calls computed for it.
        copied: (position in the first output, length) of the drafts that were accepted.
        is_timed_out: the time limit came first; these are the best so far.
    """

    hypotheses: list[Hypothesis]
    calls: int
    verified: int
    copied: list[tuple[int, int]]
    is_timed_out: bool


class Search(Protocol):
    """How one query is decoded. `wanted` is asked, then its nodes are computed, in turn, until it wants none."""

    tree: PrefixTree
    copied: list[tuple[int, int]]

    def wanted(self, rows: int = 1) -> list[Node]:
        """The nodes to compute next, parents before children; none when the search is over.

        Args:
            rows: how many queries share the call.
        """
        ...

    def hypotheses(self) -> list[Hypothesis]:
        """The best outputs so far, the best first."""
        ...


class Rows(Protocol):
    """Caches of the queries at work, as of `cached.CachedRows`."""

    def admit(self, source: Sequence[int]) -> None: ...
    def drop(self, row: int, slots_of_last: int) -> None: ...
    def verify(self, trees: Sequence[PrefixTree], nodes: Sequence[Sequence[Node]]) -> None: ...


class Decoder(Protocol):
    """What makes rows: with a cache or without."""

    def rows(self, count: int, longest_source: int, best: int) -> Rows: ...


class _Work:
    """A query in a row."""

    def __init__(self, number: int, search: Search, rows: int) -> None:
        self.number, self.search = number, search
        self.calls = self.verified = 0
        self.nodes = search.wanted(rows)

    def go_on(self, rows: int) -> None:
        self.calls += 1
        self.verified += len(self.nodes)
        self.nodes = self.search.wanted(rows)

    def answer(self) -> Answer:
        search = self.search
        return Answer(search.hypotheses(), self.calls, self.verified, search.copied, bool(self.nodes))


def run(
    decoder: Decoder,
    sources: Sequence[Sequence[int]],
    searches: Sequence[Search],
    *,
    batch_size: int,
    best: int = 1,
    time_limit: float | None = None,
    tell: Callable[[int, Answer], None] | None = None,
) -> tuple[list[Answer], int]:
    """Decode queries, the longest first.

    Args:
        decoder: with a cache or without.
        sources: token ids with begin and end, without padding; at least one query.
        searches: one a query.
        batch_size: most queries at a time.
        best: how many likeliest next tokens the searches need.
        time_limit: seconds from now after which no further call is made and every search returns its best so far.
        tell: hears after each call of every query in it: its number, and its answer so far.

    Returns:
        The answers in the order of the queries, and how often the decoder was called.
    """
    deadline = float("inf") if time_limit is None else time.monotonic() + time_limit
    queue = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    rows = decoder.rows(min(batch_size, len(sources)), max(map(len, sources)), best)
    answers: dict[int, Answer] = {}
    at_work: list[_Work] = []
    calls = 0
    while queue or at_work:
        late = time.monotonic() >= deadline
        while queue and (late or len(at_work) < batch_size):
            number = queue.pop()
            work = _Work(number, searches[number], min(batch_size, len(at_work) + len(queue) + 1))
            if late or not work.nodes:
                answers[number] = work.answer()
            else:
                rows.admit(sources[number])
                at_work.append(work)
        if late:
            answers.update((work.number, work.answer()) for work in at_work)
            break
        if not at_work:
            break
        rows.verify([work.search.tree for work in at_work], [work.nodes for work in at_work])
        calls += 1
        share = min(batch_size, len(at_work) + len(queue))
        for row in reversed(range(len(at_work))):
            work = at_work[row]
            work.go_on(share)
            if tell:
                tell(work.number, work.answer())
            if not work.nodes:
                answers[work.number] = work.answer()
                rows.drop(row, at_work[-1].search.tree.filled)
                at_work[row] = at_work[-1]
                at_work.pop()
    return [answers[number] for number in range(len(sources))], calls
