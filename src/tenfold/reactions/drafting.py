"""Drafts: guesses at how an output goes on, verified by one call of the decoder. A bad draft costs time, never the result."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from tenfold.reactions.tokens import BOS, EOS, PAD

__all__ = ["Drafter", "RowDrafts", "SuffixDrafter"]


class Drafter(Protocol):
    """What proposes drafts; one for all rows."""

    def start(self, source: Sequence[int]) -> "RowDrafts":
        """The drafts of one row.

        Args:
            source: token ids of the query, with or without begin, end and padding.
        """
        ...


class RowDrafts(Protocol):
    """What proposes drafts for one row: fast when each prefix continues the one before, right for any prefix."""

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        """Guess how the output goes on.

        Args:
            prefix: token ids of the output so far, with `BOS`.
            width: how many drafts at most.
            length: how many tokens a draft has at most.

        Returns:
            Different drafts, the best first; none is empty, and none begins another.
        """
        ...


class SuffixDrafter:
    """Copies the query from where it matches the longest suffix of the output.

    Of equally long matches the one nearest to where copying left off comes first.
    Spec: a suffix matcher with an alignment pointer, after Andronov et al. 2025, section 2.3 (all windows of the query).
    """

    def __init__(self, separator: int | None = None) -> None:
        """Set up.

        Args:
            separator: the token between molecules (`.`), where a copied span ends with `EOS`; none: copy across it.
        """
        self._separator = separator

    def start(self, source: Sequence[int]) -> "RowDrafts":
        """See `Drafter.start`."""
        tokens = [token for token in source if token not in (PAD, BOS, EOS)]
        return _SuffixRow(tokens, self._separator)


class _SuffixRow:
    def __init__(self, source: list[int], separator: int | None) -> None:
        self._source = source
        self._separator = separator
        self._places: dict[int, list[int]] = {}
        for place, token in enumerate(source):
            self._places.setdefault(token, []).append(place)
        self._restart()

    def _restart(self) -> None:
        self._seen: list[int] = []
        self._matches: dict[int, int] = {}  # place in the query that comes next -> tokens that match before it
        self._pointer = 0

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        """See `RowDrafts.propose`."""
        self._follow(prefix)
        pointer = self._pointer
        ranked = sorted(self._matches, key=lambda place: (-self._matches[place], abs(place - pointer)))
        resumed = [pointer, pointer + 1]
        return distinct((self._copy(place, length) for place in (*ranked, *resumed)), width)

    def _follow(self, prefix: Sequence[int]) -> None:
        seen = len(self._seen)
        if list(prefix[:seen]) != self._seen:
            self._restart()
            seen = 0
        for token in prefix[seen:]:
            before = self._matches
            self._matches = {place + 1: before.get(place, 0) + 1 for place in self._places.get(token, ())}
            if self._matches:
                best = max(self._matches, key=lambda place: (self._matches[place], -abs(place - self._pointer)))
                if self._matches[best] >= 2 or best == self._pointer + 1:
                    self._pointer = best
        self._seen.extend(prefix[seen:])

    def _copy(self, place: int, length: int) -> list[int]:
        span = self._source[place : place + length]
        if self._separator in span:
            span = [*span[: span.index(self._separator)], EOS]
        elif len(span) < length and place <= len(self._source):
            span.append(EOS)
        return span


def distinct(drafts: Iterable[list[int]], width: int) -> list[list[int]]:
    """The first `width` drafts that are not empty and begin no earlier one."""
    kept: list[list[int]] = []
    for draft in drafts:
        if len(kept) == width:
            break
        if draft and not any(other[: len(draft)] == draft for other in kept):
            kept = [other for other in kept if draft[: len(other)] != other]
            kept.append(draft)
    return kept
