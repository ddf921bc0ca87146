"""What was copied, shown: the same span in one colour and under one number in two SMILES and in their drawings."""

import html
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tenfold.core.theme import PALETTE
from tenfold.reactions.copying import Span
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.pictures import molecule_svg
from tenfold.reactions.tokens import tokenize

__all__ = ["Marked", "Piece", "marked", "pieces", "text_html"]


class Piece(NamedTuple):
    """One molecule of a SMILES.

    Attributes:
        smiles: as written.
        groups: for each span, the atoms of this molecule that stand in it, by their order from 0.
    """

    smiles: str
    groups: tuple[tuple[int, ...], ...]

    def svg(self) -> str:
        """Its drawing with the spans' atoms coloured; a small molecule's is smaller."""
        width = min(290, 70 + 9 * len(tokenize(self.smiles)))
        return molecule_svg(self.smiles, width=width, height=max(90, round(width * 0.62)), highlight=self.groups)


class Marked(NamedTuple):
    """A SMILES with its spans.

    Attributes:
        text: HTML, the spans coloured and numbered.
        molecules: its molecules; none if one of them cannot be read.
    """

    text: str
    molecules: tuple[Piece, ...]


def marked(source: str, target: str, spans: Sequence[Span]) -> tuple[Marked, Marked]:
    """A query and its answer with what was copied from one into the other.

    Args:
        source: the query, as the model was given it.
        target: the answer, as the model wrote it.
        spans: in tokens; the first gets the first colour in both.
    """
    from_source = [(span.source_start, span.source_start + span.length) for span in spans]
    into_target = [(span.target_start, span.target_start + span.length) for span in spans]
    return _marked(source, from_source), _marked(target, into_target)


def text_html(text: str, stretches: Sequence[tuple[int, int]]) -> str:
    """A text with stretches of its characters marked by number; where several meet, the colour is that of the first.

    Args:
        text: any text; it is escaped.
        stretches: (first, end) of each, in characters.
    """
    bounds = sorted({0, len(text), *(place for stretch in stretches for place in stretch)})
    parts = []
    for begin, end in pairwise(bounds):
        inside = [number for number, (first, last) in enumerate(stretches) if first <= begin and end <= last]
        parts.append(_run(text[begin:end], inside))
    return "".join(parts)


def pieces(smiles: str, stretches: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    """The molecules of a SMILES with the atoms that stand in stretches of its tokens.

    Args:
        smiles: one molecule or several, joined by dots.
        stretches: (first, end) of each, in tokens.
    """
    found: list[Piece] = []
    written: list[str] = []
    groups: list[list[int]] = [[] for _ in stretches]
    atoms = 0
    for place, token in enumerate([*tokenize(smiles), "."]):
        if token == ".":
            found.append(Piece("".join(written), tuple(map(tuple, groups))))
            written, groups, atoms = [], [[] for _ in stretches], 0
            continue
        written.append(token)
        if token[0] == "[" or token[0].isalpha():
            for number, (first, end) in enumerate(stretches):
                if first <= place < end:
                    groups[number].append(atoms)
            atoms += 1
    return tuple(found) if all(canonical_form(one.smiles) for one in found) else ()


def _marked(smiles: str, stretches: Sequence[tuple[int, int]]) -> Marked:
    """Stretches are counted in tokens. A ring that was renumbered may take another number of characters on each side."""
    ends = [0]
    for token in tokenize(smiles):
        ends.append(ends[-1] + len(token))
    return Marked(text_html(smiles, [(ends[first], ends[end]) for first, end in stretches]), pieces(smiles, stretches))


def _run(text: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return html.escape(text)
    colour, shown = PALETTE[numbers[0] % len(PALETTE)], ",".join(str(number + 1) for number in numbers)
    return f'<mark style="--span:{colour}" data-span="{shown}">{html.escape(text)}</mark>'
