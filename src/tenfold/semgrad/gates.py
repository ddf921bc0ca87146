"""Whether a candidate is kept, from its scores on the training samples beside those of the kept graph.

| gate | keeps a candidate |
|---|---|
| strict | whose mean score is higher (the paper's) |
| ties | whose mean score is not lower |
| none | always |
| paired | that is better by a one-sided paired sign-flip test at level alpha |
| racing | as strict, and stops evaluating as soon as it cannot pass any more |

`Race` is the racing itself; strict and ties can race too, with the same decisions as the full evaluation.
"""

import math
from collections.abc import Sequence
from itertools import product
from random import Random

from tenfold.core.errors import BadInput

__all__ = ["GATES", "Race", "paired_p", "passes", "race_order"]

GATES = ("strict", "ties", "none", "paired", "racing")
# Sums of scores that differ by less are equal: they are added in another order.
SLACK = 1e-9


def passes(gate: str, kept: Sequence[float], found: Sequence[float], *, alpha: float = 0.05, seed: int = 0) -> bool:
    """Whether the candidate is kept.

    Args:
        gate: one of `GATES`.
        kept: scores of the kept graph, in [0, 1], by sample.
        found: scores of the candidate, in the same order.
        alpha: level of the paired test.
        seed: of its random sign flips, when there are too many for all.

    Raises:
        BadInput: the gate is unknown.
    """
    gain = math.fsum(found) - math.fsum(kept)
    if gate in ("strict", "racing"):
        return gain > SLACK
    if gate == "ties":
        return gain >= -SLACK
    if gate == "none":
        return True
    if gate == "paired":
        return gain > SLACK and paired_p(kept, found, seed=seed) <= alpha
    raise BadInput(f"The gate {gate!r} is unknown.", f"Gates are: {', '.join(GATES)}.")


def paired_p(kept: Sequence[float], found: Sequence[float], *, seed: int = 0, flips: int = 10_000) -> float:
    """One-sided p-value of the paired sign-flip test that the candidate is better.

    Exact by the binomial distribution where all differences are equal in size (right or wrong answers), and by all sign
    patterns up to 12 differences; else by `flips` random ones, with the plus-one correction.
    """
    differences = [f - k for k, f in zip(kept, found, strict=True) if abs(f - k) > SLACK]
    if not differences:
        return 1.0
    count, sizes = len(differences), [abs(d) for d in differences]
    if max(sizes) - min(sizes) <= SLACK:
        better = sum(d > 0 for d in differences)
        return sum(math.comb(count, k) for k in range(better, count + 1)) / 2**count
    observed = math.fsum(differences) - SLACK
    if count <= 12:
        patterns = list(product((1, -1), repeat=count))
        return sum(math.fsum(s * d for s, d in zip(p, sizes, strict=True)) >= observed for p in patterns) / len(patterns)
    rng = Random(f"paired/{seed}")
    hits = sum(math.fsum(d if rng.random() < 0.5 else -d for d in sizes) >= observed for _ in range(flips))
    return (hits + 1) / (flips + 1)


def race_order(kept: Sequence[float]) -> list[int]:
    """Samples in the order in which a race is decided soonest: those that the kept graph has wrong first."""
    return sorted(range(len(kept)), key=lambda number: (kept[number], number))


class Race:
    """Follows a candidate's scores as they come, in any order, and says when it cannot pass any more.

    Args:
        gate: strict, racing or ties.
        kept: scores of the kept graph.
    """

    def __init__(self, gate: str, kept: Sequence[float]) -> None:
        self._needed = math.fsum(kept) + (SLACK if gate in ("strict", "racing") else -SLACK)
        self._is_strict = gate in ("strict", "racing")
        self._most = float(len(kept))

    def lost(self, number: int, score: float) -> bool:
        """Note the score of a sample; True = even with full scores for all others the candidate does not pass."""
        self._most -= 1.0 - score
        return self._most <= self._needed if self._is_strict else self._most < self._needed
