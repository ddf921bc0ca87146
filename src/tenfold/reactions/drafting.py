"""Guesses at how an output goes on, which one call of the decoder verifies. A bad draft costs time, never the result."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from tenfold.core.errors import BadInput
from tenfold.reactions.ngrams import Continuations, NgramTable
from tenfold.reactions.rings import RingSymbols
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary

__all__ = ["Drafter", "RowDrafts", "SuffixDrafter", "distinct"]

# What the likelihoods of an n-gram draft must add up to, to go before the best copy: at the start, and by how many tokens
# match before the copy. Half of what such copies brought on 800 USPTO-MIT validation rows; there it gave the fewest calls.
_AT_START = 3.5
_EXPECTED = (0.2, 0.85, 1.25, 1.95, 2.45, 2.7)


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
    """Copies the query from where it matches the longest suffix of the output; with a table, one draft is of n-grams.

    Of equally long matches the one nearest to where copying left off comes first. An output begins as a molecule of the
    query does, the longest first. After Andronov et al. 2025, whose drafts are all windows of the query.
    """

    def __init__(self, vocabulary: Vocabulary | None = None, table: NgramTable | None = None) -> None:
        """Set up.

        Args:
            vocabulary: of the ids; with it rings are copied whatever their numbers are, and a copy ends with its molecule.
            table: n-grams of known outputs; needs the vocabulary.

        Raises:
            BadInput: a table without a vocabulary.
        """
        if table is not None and vocabulary is None:
            raise BadInput("A table of n-grams needs the vocabulary of the token ids.")
        self._rings = RingSymbols(vocabulary)
        self._separator = vocabulary.numbers.get(".") if vocabulary else None
        self._table = Continuations(table, vocabulary) if table and vocabulary else None

    def start(self, source: Sequence[int]) -> "RowDrafts":
        """See `Drafter.start`."""
        symbols = self._rings.read((token for token in source if token not in (PAD, BOS, EOS)), [])
        return _Row(_Copies(symbols, self._separator), self._rings, self._table)


class _Row:
    """See `RowDrafts`: follows one output through the query."""

    def __init__(self, copies: "_Copies", rings: RingSymbols, table: Continuations | None) -> None:
        self._copies, self._rings, self._table = copies, rings, table
        self._restart()

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        """See `RowDrafts.propose`."""
        if width < 1 or length < 1:
            return []
        self._follow(prefix)
        copies = (self._rings.write(symbols, self._open) for symbols in self._copies.drafts(length))
        guess, expected = self._guess(length)
        if expected > self._copies.expected():
            return distinct(chain([guess], copies), width)
        return distinct(chain(distinct(copies, max(1, width - 1)), [guess], copies), width)

    def _guess(self, length: int) -> tuple[list[int], float]:
        """The draft of n-grams, perhaps empty, and how many of its tokens are expected to be right."""
        if self._table is None:
            return [], 0.0
        symbols, expected = self._table.after(self._symbols, length)
        return self._rings.write(symbols, self._open), expected

    def _restart(self) -> None:
        self._seen: list[int] = []
        self._symbols: list[int] = []
        self._open: list[int] = []
        self._copies.restart()

    def _follow(self, prefix: Sequence[int]) -> None:
        """Read what the prefix adds to the one before, or all of it if it is another."""
        if list(prefix[: len(self._seen)]) != self._seen:
            self._restart()
        added = list(prefix[len(self._seen) :])
        symbols = self._rings.read(added, self._open)
        self._seen += added
        self._symbols += symbols
        for symbol in symbols:
            if symbol != BOS:
                self._copies.advance(symbol)


class _Copies:
    """Where in the query the output may go on."""

    def __init__(self, source: list[int], separator: int | None) -> None:
        self._source, self._separator = source, separator
        self._places: dict[int, list[int]] = {}
        for place, symbol in enumerate(source):
            self._places.setdefault(symbol, []).append(place + 1)
        ends = [*self._places.get(separator, ()), len(source) + 1] if separator is not None else [len(source) + 1]
        self._ends = [end - 1 for end in ends]
        starts = [0, *ends[:-1]]
        lengths = {start: end - start for start, end in zip(starts, ends, strict=True)}
        self._starts = sorted(starts, key=lambda start: -lengths[start])
        self.restart()

    def restart(self) -> None:
        """Nothing has been written yet."""
        # Place in the query that comes next -> how many symbols match before it.
        self._matches: dict[int, int] = {}
        self._pointer, self._at_start = 0, True

    def advance(self, symbol: int) -> None:
        """The output got this symbol."""
        before, pointer = self._matches, self._pointer
        self._at_start = False
        self._matches = matches = {place: before.get(place - 1, 0) + 1 for place in self._places.get(symbol, ())}
        most = max(matches.values(), default=0)
        if most > 1:
            tied = [place for place, length in matches.items() if length == most]
            self._pointer = tied[0] if len(tied) == 1 else min(tied, key=lambda place: abs(place - pointer))
        elif pointer + 1 in matches:
            self._pointer = pointer + 1

    def expected(self) -> float:
        """How good the best copy is, on the scale of `Continuations.after`."""
        if self._at_start:
            return _AT_START
        return _EXPECTED[min(max(self._matches.values(), default=0), len(_EXPECTED) - 1)]

    def drafts(self, length: int) -> Iterator[list[int]]:
        """Copies of the query, the best first."""
        if self._at_start:
            places = self._starts
        else:
            matches, pointer = self._matches, self._pointer
            places = sorted(matches, key=lambda place: (-matches[place], abs(place - pointer)))
            places += [pointer, pointer + 1]  # something was put in, or replaced
        for place in places:
            yield self._copy(place, length)

    def _copy(self, place: int, length: int) -> list[int]:
        """The query from a place to the end of its molecule."""
        end = next((end for end in self._ends if end >= place), -1)
        if place + length <= end:
            return self._source[place : place + length]
        return [*self._source[place:end], EOS] if place <= end else []


def distinct(drafts: Iterable[list[int]], width: int) -> list[list[int]]:
    """The first `width` drafts, without empty ones and those that begin another, which takes their place."""
    kept: list[list[int]] = []
    if width < 1:
        return kept
    for draft in drafts:
        begun = [place for place, other in enumerate(kept) if draft[: len(other)] == other]
        if begun:
            kept[begun[0]] = draft
        elif draft and not any(other[: len(draft)] == draft for other in kept):
            kept.append(draft)
        if len(kept) == width:
            break
    return kept
