"""What the hints of a node may really have to be: the one model that advice and better instructions both use.

Each hint is, with probability `KEEP`, as it has to be; otherwise it has to be what some leaf sentence of the table gives on
this very question, each sentence alike. The instruction is right with probability `RIGHT`; otherwise it is any combining
sentence of the table. Seen the wanted output, Bayes' rule gives how likely each value of each hint is. With many leaf
sentences this is the principle of the fewest changes: a changed hint costs a factor of about the number of sentences.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations

from tenfold.llm.engine.advice import Wish, normal
from tenfold.llm.engine.forms import Context
from tenfold.llm.engine.language import Program, library

__all__ = ["KEEP", "RIGHT", "alternatives", "evidence", "leaf_values", "posterior"]

KEEP = 0.5
RIGHT = 0.8
PAIRS = 4000  # at most so many pairs of changes are tried

Shares = Mapping[str, float]


@lru_cache(maxsize=2048)
def leaf_values(context: Context) -> dict[str, float]:
    """Values that leaf sentences of the table give on a context, with the share of the sentences that give each."""
    found = [step.apply(None, context, ()) for step in library("leaf")]
    given = [normal(value) for value in found if value is not None]
    return {value: given.count(value) / len(given) for value in sorted(set(given))}


@lru_cache(maxsize=1)
def alternatives() -> tuple[Program, ...]:
    """Each combining sentence of the table as an instruction."""
    return tuple(Program((step,), (), True) for step in library("combine"))


def evidence(program: Program, context: Context, keep: Sequence[Shares], wish: Wish) -> float:
    """How likely the wanted output is under an instruction, whatever the hints have to be.

    Args:
        program: the instruction.
        context: of the node.
        keep: for each hint, the shares of what it may be now: one value where it is shown, none where it is unknown.
        wish: on the output.
    """
    changed = _both_changed(program, context) if len(keep) == 2 else {}
    total = (1 - KEEP) ** 2 * sum(wish.of(value) * sum(w for *_, w in ways) for value, ways in _agreeing(changed, wish))
    return total + sum(weight * wish.of(value) for _, value, weight in _near(program, context, keep))


def posterior(program: Program, context: Context, keep: Sequence[Shares], wish: Wish) -> list[dict[str, float]]:
    """For each hint, the weight of each value given the wanted output; each hint's weights sum to the evidence."""
    found: list[dict[str, float]] = [{} for _ in keep]

    def add(hints: Sequence[str], weight: float) -> None:
        for shares, hint in zip(found, hints, strict=True):
            shares[hint] = shares.get(hint, 0.0) + weight

    if len(keep) == 2:
        for value, ways in _agreeing(_both_changed(program, context), wish):
            agreement = wish.of(value) * (1 - KEEP) ** 2
            for first, second, weight in ways:
                add((first, second), agreement * weight)
    for hints, value, weight in _near(program, context, keep):
        agreement = wish.of(value)
        if agreement:
            add(hints, agreement * weight)
    return found


def _agreeing(outcomes: Mapping[str, list], wish: Wish) -> Iterator[tuple[str, list]]:
    values = outcomes if wish.rest else [value for value in wish.weights if value in outcomes]
    return ((value, outcomes[value]) for value in values)


@lru_cache(maxsize=4096)
def _both_changed(program: Program, context: Context) -> dict[str, list[tuple[str, str, float]]]:
    """Outputs of a program when both of two hints come from leaf sentences: (hint 1, hint 2, weight) of each."""
    usual = leaf_values(context)
    found: dict[str, list[tuple[str, str, float]]] = {}
    for first, p in usual.items():
        for second, q in usual.items():
            value = program.run(context, (first, second))
            if value is not None:
                found.setdefault(normal(value), []).append((first, second, p * q))
    return found


def _near(
    program: Program, context: Context, keep: Sequence[Shares]
) -> Iterator[tuple[tuple[str, ...], str, float]]:
    """(hints, output, weight) with at most one hint changed; of more than two hints also with two changed."""
    usual = leaf_values(context)
    count = len(keep)
    sizes = range(2 if count == 2 else min(count, 1 if len(usual) ** 2 * count**2 > 2 * PAIRS else 2) + 1)
    for size in sizes:
        for places in combinations(range(count), size):
            choices = [usual if place in places else keep[place] for place in range(count)]
            factor = KEEP ** (count - size) * (1 - KEEP) ** size
            for hints, weight in _product(choices):
                value = program.run(context, hints)
                if value is not None:
                    yield hints, normal(value), factor * weight


def _product(choices: Sequence[Shares]) -> Iterator[tuple[tuple[str, ...], float]]:
    if not choices:
        yield (), 1.0
        return
    for rest, weight in _product(choices[:-1]):
        for value, share in choices[-1].items():
            yield (*rest, value), weight * share
