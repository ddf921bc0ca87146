"""Guesses at how an output goes on, which one call of the decoder verifies. A bad draft costs time, never the result."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, Protocol

from tenfold.core.errors import BadInput
from tenfold.reactions.ngrams import ORDERS, Continuations, NgramTable
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
    """What proposes drafts for one row: fast when each prefix continues one before, right for any prefix."""

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


class _Place(NamedTuple):
    """How far an output has followed the query.

    `matches`: place in the query that comes next -> how many symbols match before it. `pointer`: where copying left off.
    """

    matches: Mapping[int, int]
    pointer: int
    is_start: bool


class _State(NamedTuple):
    """What is known of a prefix: its last symbols, the digits' ids of its open rings, its place in the query."""

    symbols: list[int]
    open_rings: list[int]
    place: _Place


class _Row:
    """See `RowDrafts`: follows the outputs of one query, each from the longest beginning that it has seen."""

    def __init__(self, copies: "_Copies", rings: RingSymbols, table: Continuations | None) -> None:
        self._copies, self._rings, self._table = copies, rings, table
        self._states: dict[tuple[int, ...], _State] = {(): _State([], [], _Place({}, 0, True))}

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        """See `RowDrafts.propose`."""
        if width < 1 or length < 1:
            return []
        state = self._follow(tuple(prefix))
        copies = (self._rings.write(symbols, state.open_rings) for symbols in self._copies.drafts(state.place, length))
        guess, expected = self._guess(state, length)
        if expected > self._copies.expected(state.place):
            return distinct(chain([guess], copies), width)
        return distinct(chain(distinct(copies, max(1, width - 1)), [guess], copies), width)

    def _guess(self, state: _State, length: int) -> tuple[list[int], float]:
        """The draft of n-grams, perhaps empty, and how many of its tokens are expected to be right."""
        if self._table is None:
            return [], 0.0
        symbols, expected = self._table.after(state.symbols, length)
        return self._rings.write(symbols, state.open_rings), expected

    def _follow(self, prefix: tuple[int, ...]) -> _State:
        """Read what the prefix adds to the longest one before that begins it."""
        known = next(count for count in range(len(prefix), -1, -1) if prefix[:count] in self._states)
        state = self._states[prefix[:known]]
        if known == len(prefix):
            return state
        open_rings, place = list(state.open_rings), state.place
        added = self._rings.read(prefix[known:], open_rings)
        for symbol in added:
            if symbol != BOS:
                place = self._copies.after(place, symbol)
        found = self._states[prefix] = _State([*state.symbols, *added][-ORDERS[-1] :], open_rings, place)
        return found


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

    def after(self, place: _Place, symbol: int) -> _Place:
        """The output gets this symbol."""
        before, pointer = place.matches, place.pointer
        matches = {start: before.get(start - 1, 0) + 1 for start in self._places.get(symbol, ())}
        most = max(matches.values(), default=0)
        if most > 1:
            tied = [start for start, length in matches.items() if length == most]
            pointer = tied[0] if len(tied) == 1 else min(tied, key=lambda start: abs(start - place.pointer))
        elif pointer + 1 in matches:
            pointer += 1
        return _Place(matches, pointer, False)

    def expected(self, place: _Place) -> float:
        """How good the best copy is, on the scale of `Continuations.after`."""
        if place.is_start:
            return _AT_START
        return _EXPECTED[min(max(place.matches.values(), default=0), len(_EXPECTED) - 1)]

    def drafts(self, place: _Place, length: int) -> Iterator[list[int]]:
        """Copies of the query, the best first."""
        if place.is_start:
            starts = self._starts
        else:
            matches, pointer = place.matches, place.pointer
            starts = sorted(matches, key=lambda start: (-matches[start], abs(start - pointer)))
            starts += [pointer, pointer + 1]  # something was put in, or replaced
        for start in starts:
            yield self._copy(start, length)

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
