"""Numbers on verdicts: Cohen's kappa, precision-recall, AUROC with ties right, calibration error, disagreement, majority.

All inputs are one-dimensional and of equal length; a share without cases is None, never a made-up 0 or 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.core.errors import BadInput

__all__ = [
    "Confusion",
    "CurvePoint",
    "auroc",
    "average_precision",
    "calibration_error",
    "coverage_curve",
    "disagreement",
    "majority",
    "majority_probability",
    "precision_recall",
]


class Confusion(NamedTuple):
    """Counts of verdicts against a person's: positive = satisfied."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def aligned(self) -> int:
        """Verdicts that agree."""
        return self.true_positive + self.true_negative

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa, agreement beyond chance, in [-1, 1]; None where chance alone would agree always."""
        total = sum(self)
        if total == 0:
            return None
        judged, human = self.true_positive + self.false_positive, self.true_positive + self.false_negative
        chance = (judged * human + (total - judged) * (total - human)) / total**2
        return None if chance == 1.0 else (self.aligned / total - chance) / (1.0 - chance)


class CurvePoint(NamedTuple):
    """A point of a precision-recall curve: what is called satisfied from `threshold` up."""

    threshold: float
    precision: float
    recall: float


def auroc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """The chance that a positive has a higher score than a negative, ties counting half; constant scores give exactly 0.5.

    Returns:
        In [0, 1]; None without positives or without negatives.
    """
    score, is_positive = _pair(scores, positive)
    positives = int(is_positive.sum())
    negatives = len(score) - positives
    if positives == 0 or negatives == 0:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    above = np.cumsum(counts) - counts
    ranks = above + (counts + 1) / 2
    return float((ranks[place][is_positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def precision_recall(scores: ArrayLike, positive: ArrayLike) -> list[CurvePoint]:
    """Precision and recall at each distinct score, from the highest down; empty without positives."""
    score, is_positive = _pair(scores, positive)
    total = int(is_positive.sum())
    if total == 0:
        return []
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(is_positive[order])
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return [CurvePoint(float(score[order][i]), float(hits[i] / (i + 1)), float(hits[i] / total)) for i in last]


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """The sum of (gain of recall) x precision along the curve, in [0, 1]; None without positives."""
    points = precision_recall(scores, positive)
    before = [0.0, *(point.recall for point in points)]
    parts = [(point.recall - low) * point.precision for point, low in zip(points, before, strict=False)]
    return math.fsum(parts) if points else None


def calibration_error(confidences: ArrayLike, right: ArrayLike, bins: int = 10) -> float | None:
    """Expected calibration error: mean |confidence - accuracy| over equal bins of [0, 1], weighted by their cases.

    Args:
        confidences: in [0, 1], of decided verdicts.
        right: whether each was right.
        bins: equal in width; 1.0 falls into the last.
    """
    confidence, is_right = _pair(confidences, right)
    if len(confidence) == 0:
        return None
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise BadInput("A confidence is not in [0, 1].")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, confidence, bins) - np.bincount(place, is_right, bins)
    return float(np.abs(gap).sum() / len(confidence))


def coverage_curve(confidences: ArrayLike, right: ArrayLike) -> list[tuple[float, float]]:
    """(coverage, accuracy) when only the most confident verdicts count, at each distinct confidence."""
    confidence, is_right = _pair(confidences, right)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum(is_right[order])
    last = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True)) if len(order) else []
    return [(float((i + 1) / len(order)), float(hits[i] / (i + 1))) for i in last]


def disagreement(evaluators: Mapping[str, Sequence[bool]]) -> dict[tuple[str, str], float]:
    """For each pair of evaluators the share of requirements on which they differ, in [0, 1].

    Raises:
        BadInput: their numbers of verdicts differ, or are 0.
    """
    table = {name: np.asarray(verdicts, dtype=bool) for name, verdicts in evaluators.items()}
    if len({len(verdicts) for verdicts in table.values()}) > 1 or not all(len(verdicts) for verdicts in table.values()):
        raise BadInput("The evaluators judged different numbers of requirements, or none.", "Give each the same ones.")
    names = list(table)
    return {
        (one, other): float(np.mean(table[one] != table[other]))
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    }


def majority(evaluators: Sequence[Sequence[bool]]) -> list[bool]:
    """What more than half of the evaluators call satisfied; a tie is not.

    Raises:
        BadInput: no evaluator, or different numbers of verdicts.
    """
    if not evaluators or len({len(verdicts) for verdicts in evaluators}) > 1:
        raise BadInput("A majority needs evaluators with the same requirements.")
    return [bool(verdict) for verdict in np.asarray(evaluators, dtype=int).sum(0) * 2 > len(evaluators)]


def majority_probability(single: float, votes: int) -> float:
    """The chance that more than half of independent votes say yes, when each does with chance `single` (closed form).

    Raises:
        BadInput: votes < 1, or a chance outside [0, 1].
    """
    if votes < 1 or not 0.0 <= single <= 1.0:
        raise BadInput(f"{votes} votes of chance {single} are none.", "Votes begin at 1, a chance lies in [0, 1].")
    needed = range(votes // 2 + 1, votes + 1)
    return math.fsum(math.comb(votes, k) * single**k * (1.0 - single) ** (votes - k) for k in needed)


def _pair(scores: ArrayLike, truths: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    score, truth = np.asarray(scores, dtype=float).ravel(), np.asarray(truths, dtype=bool).ravel()
    if len(score) != len(truth):
        raise BadInput(f"There are {len(score)} scores and {len(truth)} labels.")
    if not np.isfinite(score).all():
        raise BadInput("A score is not a finite number.")
    return score, truth
