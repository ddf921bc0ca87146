"""Which spans of an answer were copied from where in the query."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Span", "character_span", "common_spans", "copied_spans"]


class Span(NamedTuple):
    """Tokens, or characters, of an answer that stand in the query too.

    Attributes:
        source_start: where they begin in the query, from 0.
        target_start: where they begin in the answer, from 0.
        length: how many.
    """

    source_start: int
    target_start: int
    length: int


def copied_spans(
    source_tokens: Sequence[str] | Sequence[int],
    target_tokens: Sequence[str] | Sequence[int],
    accepted: Iterable[tuple[int, int]],
) -> list[Span]:
    """The parts of accepted drafts that stand in the query, each where it continues the copy before it, if it can.

    Args:
        source_tokens: the query, without begin and end; or its ring symbols (`RingSymbols.read`), so that a ring that was
            copied under another number is one span.
        target_tokens: the answer, likewise.
        accepted: where drafts that the decoder accepted begin in the answer, and how many tokens they brought; what
            reaches beyond the answer (its end) does not count.

    Returns:
        Spans of at least two tokens, by their place in the answer, none overlapping another in it.
    """
    spans: list[Span] = []
    written = 0
    for start, length in sorted(accepted):
        place, stop = max(start, written), min(start + length, len(target_tokens))
        while place < stop:
            wanted = spans[-1].source_start + place - spans[-1].target_start if spans else 0
            found = _longest(source_tokens, target_tokens, place, stop, wanted)
            if found.length >= 2:
                spans.append(found)
            place += max(1, found.length)
        written = max(written, stop)
    return _joined(spans)


def common_spans(source_tokens: Sequence[str] | Sequence[int], target_tokens: Sequence[str] | Sequence[int]) -> list[Span]:
    """What an answer has in common with its query, however it was decoded: longest matches, from left to right.

    Args:
        source_tokens: the query, without begin and end.
        target_tokens: the answer, without begin and end.
    """
    return copied_spans(source_tokens, target_tokens, [(0, len(target_tokens))])


def character_span(span: Span, source_tokens: Sequence[str], target_tokens: Sequence[str]) -> Span:
    """The same span in characters of the two texts. Its length is that in the answer: equal tokens have equal texts."""
    source_start, target_start, length = span
    return Span(
        sum(map(len, source_tokens[:source_start])),
        sum(map(len, target_tokens[:target_start])),
        sum(map(len, target_tokens[target_start : target_start + length])),
    )


def _longest(source: Sequence, target: Sequence, place: int, stop: int, wanted: int) -> Span:
    """The longest part of the query that the answer goes on with; of equal ones, that nearest to the wanted place."""
    best = Span(0, place, 0)
    for start in range(len(source)):
        length = 0
        while place + length < stop and start + length < len(source) and source[start + length] == target[place + length]:
            length += 1
        if (length, -abs(start - wanted)) > (best.length, -abs(best.source_start - wanted)):
            best = Span(start, place, length)
    return best


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans that go on where the one before ends, in both texts, as one."""
    joined: list[Span] = []
    for span in spans:
        if joined:
            before = joined[-1]
            if (before.source_start + before.length, before.target_start + before.length) == span[:2]:
                joined[-1] = before._replace(length=before.length + span.length)
                continue
        joined.append(span)
    return joined
