"""What the hints of a node may really have to be: the one model that advice and better instructions both use.

Each hint is, with probability `KEEP`, as it has to be; otherwise it has to be what some leaf sentence of the table gives on
this very question, each sentence alike. The instruction is right with probability `RIGHT`; otherwise it is any combining
sentence of the table. Seen the wanted output, Bayes' rule gives how likely each value of each hint is. With many leaf
sentences this is the principle of the fewest changes: a changed hint costs a factor of about the number of sentences.

Often two explanations mirror each other (a + b = b + a). The one that gives the earlier hint the earlier sentence of the
table is taken for likelier (`ORDER`), so that what is said on different questions fits together.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import log

from tenfold.llm.engine.advice import Wish, normal
from tenfold.llm.engine.forms import Context
from tenfold.llm.engine.language import Program, library

__all__ = ["KEEP", "RIGHT", "Case", "alternatives", "evidence", "forget", "leaf_values", "posterior", "prior"]

KEEP = 0.5
RIGHT = 0.8
ORDER = 0.9  # share of the weight of two mirrored explanations that goes to the one in the order of the table
WRONG = 1e-3  # probability that an example's wish is simply wrong
PAIRS = 1000  # of more than two hints, at most so many pairs of changes are tried

Shares = Mapping[str, float]
Case = tuple[Context, tuple[str, ...], Wish]


@lru_cache(maxsize=2048)
def leaf_values(context: Context) -> dict[str, float]:
    """Values that leaf sentences of the table give on a context, with the share of the sentences that give each, in the
    order of the table."""
    places = _places(context)
    count = sum(len(found) for found in places.values())
    return {value: len(found) / count for value, found in places.items()}


@lru_cache(maxsize=1)
def alternatives() -> tuple[Program, ...]:
    """Each combining sentence of the table as an instruction."""
    return tuple(Program((step,), (), True) for step in library("combine"))


def prior(is_current: bool) -> float:
    """Log-probability that an instruction is the right one before anything is seen."""
    return log(RIGHT if is_current else (1 - RIGHT) / len(alternatives()))


def forget() -> None:
    """Drop what is remembered: the table has changed."""
    for cached in (leaf_values, alternatives, _places, _both_changed, _both_changed_mask, _one_changed):
        cached.cache_clear()


def evidence(program: Program, cases: Sequence[Case]) -> float:
    """How likely the wishes on a node's outputs are under an instruction, whatever its hints have to be.

    One leaf sentence stands behind a hint in all cases, so what explains the wishes has to explain all of them at once.

    Args:
        program: the instruction, which uses hints.
        cases: (context, hints in their normal form, wish on the output).
    """
    count = len(cases[0][1])
    changed = both = -1
    misses, size = 0, 1
    for context, hints, wish in cases:
        wanted = wish.wanted
        size = max(size, sum(len(found) for found in _places(context).values()))
        as_is, one = _one_changed(program, context, hints, wanted)
        misses += not as_is
        changed &= one
        both &= _both_changed_mask(program, context, wanted) if count == 2 else 0
    total = KEEP**count * WRONG**misses + KEEP ** (count - 1) * (1 - KEEP) * changed.bit_count() / size
    return total + (1 - KEEP) ** 2 * _ordered(both) / size**2


def posterior(program: Program, context: Context, keep: Sequence[Shares], wish: Wish) -> list[dict[str, float]]:
    """For each hint, the weight of each value given the wanted output; each hint's weights sum to the evidence.

    Args:
        program: the instruction.
        context: of the node.
        keep: for each hint, the shares of what it may be now: one value where it is shown, none where it is unknown.
        wish: on the output.
    """
    found: list[dict[str, float]] = [{} for _ in keep]

    def add(hints: Sequence[str], weight: float) -> None:
        for shares, hint in zip(found, hints, strict=True):
            shares[hint] = shares.get(hint, 0.0) + weight

    if len(keep) == 2:
        outcomes = _both_changed(program, context)
        for value in outcomes if wish.rest else [value for value in wish.weights if value in outcomes]:
            agreement = wish.of(value) * (1 - KEEP) ** 2
            for first, second, weight in outcomes[value] if agreement else ():
                add((first, second), agreement * weight)
    for hints, value, weight in _near(program, context, keep):
        agreement = wish.of(value)
        if agreement:
            add(hints, agreement * weight)
    return found


@lru_cache(maxsize=2048)
def _places(context: Context) -> dict[str, tuple[int, ...]]:
    """Values of leaf sentences on a context, with the places of those sentences in the table."""
    found: dict[str, list[int]] = {}
    for place, step in enumerate(library("leaf")):
        value = step.apply(None, context, ())
        if value is not None:
            found.setdefault(normal(value), []).append(place)
    return {value: tuple(places) for value, places in found.items()}


@lru_cache(maxsize=1024)
def _both_changed(program: Program, context: Context) -> dict[str, list[tuple[str, str, float]]]:
    """Outputs of a program when both of two hints come from leaf sentences: (hint 1, hint 2, weight) of each."""
    usual = leaf_values(context)
    found: dict[str, list[tuple[str, str, float]]] = {}
    for first, p in usual.items():
        for second, q in usual.items():
            value = program.run(context, (first, second))
            if value is not None:
                found.setdefault(normal(value), []).append((first, second, p * q * _order(context, (first, second))))
    return found


@lru_cache(maxsize=1 << 14)
def _both_changed_mask(program: Program, context: Context, wanted: tuple[bool, frozenset[str]]) -> int:
    """Pairs of leaf sentences that meet a wish, as bits: place of hint 1's sentence times their number plus hint 2's."""
    places, width, mask = _places(context), len(library("leaf")), 0
    for value, ways in _both_changed(program, context).items():
        if (value in wanted[1]) == wanted[0]:
            for first, second, _ in ways:
                row = sum(1 << place for place in places[second])
                for place in places[first]:
                    mask |= row << (place * width)
    return mask


@lru_cache(maxsize=1 << 14)
def _one_changed(
    program: Program, context: Context, hints: tuple[str, ...], wanted: tuple[bool, frozenset[str]]
) -> tuple[bool, int]:
    """Whether the hints as they are meet a wish, and, as bits, which leaf sentences do in the place of one hint."""

    def meets(hints: tuple[str, ...]) -> bool:
        value = program.run(context, hints)
        return value is not None and (normal(value) in wanted[1]) == wanted[0]

    mask, width = 0, len(library("leaf"))
    for number in range(min(len(hints), 50)):
        for value, places in _places(context).items():
            if meets((*hints[:number], value, *hints[number + 1 :])):
                mask |= sum(1 << place for place in places) << (number * width)
    return meets(hints), mask


def _order(context: Context, hints: Sequence[str]) -> float:
    """The factor of an explanation among two mirrored ones."""
    places = _places(context)
    if len(hints) != 2 or hints[0] == hints[1] or hints[0] not in places or hints[1] not in places:
        return 1.0
    return 2 * ORDER if places[hints[0]] < places[hints[1]] else 2 * (1 - ORDER)


def _ordered(mask: int) -> float:
    """Pairs in a mask, weighted by their order."""
    up, level, down = _triangles(len(library("leaf")))
    return 2 * ORDER * (mask & up).bit_count() + (mask & level).bit_count() + 2 * (1 - ORDER) * (mask & down).bit_count()


@lru_cache(maxsize=4)
def _triangles(width: int) -> tuple[int, int, int]:
    up = sum(1 << (i * width + j) for i in range(width) for j in range(i + 1, width))
    level = sum(1 << (i * width + i) for i in range(width))
    return up, level, ((1 << width * width) - 1) ^ up ^ level


def _near(program: Program, context: Context, keep: Sequence[Shares]) -> Iterator[tuple[tuple[str, ...], str, float]]:
    """(hints, output, weight) with at most one hint changed; of more than two hints also with two changed."""
    usual = leaf_values(context)
    count = len(keep)
    most = 1 if count == 2 or len(usual) ** 2 * count**2 > 2 * PAIRS else 2
    for size in range(min(count, most) + 1):
        for places in combinations(range(count), size):
            choices = [usual if place in places else keep[place] for place in range(count)]
            factor = KEEP ** (count - size) * (1 - KEEP) ** size
            for hints, weight in _product(choices):
                value = program.run(context, hints)
                if value is not None:
                    yield hints, normal(value), factor * weight * _order(context, hints)


def _product(choices: Sequence[Shares]) -> Iterator[tuple[tuple[str, ...], float]]:
    if not choices:
        yield (), 1.0
        return
    for rest, weight in _product(choices[:-1]):
        for value, share in choices[-1].items():
            yield (*rest, value), weight * share
