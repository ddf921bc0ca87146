"""From evidence to a probability, a verdict and a confidence.

Evidence adds up by a noisy or, its strength s = -0.1 + sum over what supports of -ln(1 - w) - 1.25 sum over what speaks
against of -ln(1 - w), and p = sigmoid(1.6 s). A criterion that asks for several things is as likely as the least likely of
them. What is absent lies below all that is there, so that taking a file away never makes anything likelier.
"""

import importlib.resources
import json
import math
from collections.abc import Iterable
from functools import lru_cache

from tenfold.judge.types import Evidence, Verdict

__all__ = ["ABSENT", "CEILING", "DOUBT", "EMPTY", "FLOOR", "UNDECIDED", "confidence", "probability", "verdict"]

ABSENT, EMPTY, FLOOR, CEILING = 0.02, 0.03, 0.05, 0.98
"""Probabilities: of a criterion whose file is absent; or empty; the least and most of one whose files are there."""

UNDECIDED, DOUBT = 0.5, 0.45
"""Probabilities that decide nothing: nothing was found either way; a known name of what is asked for was not found."""

_SATISFIED, _UNSATISFIED = 0.6, 0.4


def probability(evidence: Iterable[Evidence]) -> float:
    """The probability in [FLOOR, CEILING] of what the evidence is about (see the module's docstring)."""
    strength = -0.1
    for one in evidence:
        information = -math.log(1 - one.weight)
        strength += information if one.supports else -1.25 * information
    return min(CEILING, max(FLOOR, 1 / (1 + math.exp(-1.6 * strength))))


def verdict(p: float) -> Verdict:
    """Satisfied from 0.6 on, unsatisfied up to 0.4, undecided between."""
    return "satisfied" if p >= _SATISFIED else "unsatisfied" if p <= _UNSATISFIED else "undecided"


@lru_cache(maxsize=1)
def _table() -> list[tuple[float, float, float]]:
    text = (importlib.resources.files("tenfold.judge") / "confidence.json").read_text("utf-8")
    return [(row["from"], row["to"], row["right"]) for row in json.loads(text)["rows"]]


def confidence(p: float) -> float:
    """How likely the verdict at p is right, by the table in `confidence.json`; of undecided, 0.5."""
    if verdict(p) == "undecided":
        return 0.5
    return next((right for low, high, right in _table() if low <= p < high or p == high == 1.0), max(p, 1 - p))
