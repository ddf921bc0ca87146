"""Confidence fitted to the user's own labels: isotonic regression, and the threshold below which a verdict is undecided.

The threshold is split-conformal (Vovk, Gammerman, Shafer 2005): with nonconformity 1 - p(label), its quantile at 1 - error
gives sets that hold the label with that chance on exchangeable requirements; a verdict stands only where it is alone in its
set. Scores come from folds by task, so that no requirement is calibrated by itself.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.core.errors import BadInput
from tenfold.core.files import read_json, write_json
from tenfold.judge.labels import Label, read_labels
from tenfold.judge.metrics import calibration_error
from tenfold.judge.types import Judgement, Report, Verdict
from tenfold.judge.verdicts import Verdicts, beside_labels

__all__ = ["FORMAT", "Calibration", "calibrate", "conformal_threshold", "fit_calibration", "isotonic", "read_calibration"]

FORMAT = "tenfold.judge.calibration/1"
LEAST = 20
_NEIGHBOURS = 10


@dataclass(frozen=True)
class Calibration:
    """A map from the judge's probability to the fitted one, and where a verdict stands.

    Attributes:
        raw: probabilities as judged, ascending.
        fitted: their calibrated values, not falling.
        threshold: confidence in [0.5, 1] from which a verdict stands; above 1 none does.
        error: the wanted share of wrong verdicts among all requirements.
        labels: that it was fitted on.
        tasks: of these.
        error_before: expected calibration error as judged, over 10 equal bins of confidence.
        error_after: the same with out-of-fold calibrated probabilities.
        coverage: share of requirements whose out-of-fold verdict stands.
        accuracy: of those; None where none stands.
    """

    raw: tuple[float, ...]
    fitted: tuple[float, ...]
    threshold: float
    error: float
    labels: int
    tasks: int
    error_before: float
    error_after: float
    coverage: float
    accuracy: float | None

    def probability(self, value: float) -> float:
        """The calibrated probability of a judged one, both in [0, 1]; linear between fitted points, flat outside."""
        return float(np.interp(value, self.raw, self.fitted))

    def judgement(self, one: Judgement) -> Judgement:
        """A judgement with calibrated probability and confidence; undecided where the confidence is too low.

        A person's verdict stays as it is, and so does one of the judge's that was undecided for want of evidence.
        """
        if one.engine == "human":
            return one
        probability = self.probability(one.probability)
        confidence = max(probability, 1.0 - probability)
        if one.verdict == "undecided":
            return replace(one, probability=probability)
        if confidence < self.threshold or probability == 0.5:
            words = one.missing or f"The calibrated confidence is {confidence:.2f}; a verdict needs {self.threshold:.2f}."
            return replace(one, verdict="undecided", confidence=0.5, probability=probability, missing=words)
        verdict: Verdict = "satisfied" if probability > 0.5 else "unsatisfied"
        return replace(one, verdict=verdict, confidence=confidence, probability=probability)

    def report(self, judged: Report) -> Report:
        """A report with every judgement calibrated."""
        settings = {**judged.settings, "calibrated_on": self.labels}
        return replace(judged, judgements=tuple(self.judgement(one) for one in judged), settings=settings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON, atomically."""
        return write_json(path, {"format": FORMAT, **asdict(self)})

    def words(self) -> str:
        """What fitting changed, in one sentence."""
        right = "" if self.accuracy is None else f", {self.accuracy:.1%} of them right"
        return (
            f"Calibration error {self.error_before:.3f} before, {self.error_after:.3f} after (cross-validated on "
            f"{self.labels} labels of {self.tasks} tasks); verdicts stand from confidence {self.threshold:.2f}, "
            f"for {self.coverage:.1%} of requirements{right}."
        )


def calibrate(
    verdicts: Verdicts,
    labels: str | os.PathLike[str] | Sequence[Label],
    *,
    error: float = 0.1,
    folds: int = 5,
) -> Calibration:
    """Fit a calibration from reports and the user's labels of the same requirements.

    Args:
        verdicts: reports, as of `alignment.agreement`.
        labels: a CSV file (see `labels.read_labels`), or its rows.
        error: the wanted share of wrong verdicts, in (0, 1).
        folds: of cross-validation, by task where there are as many tasks.

    Raises:
        BadInput: fewer than 20 labels, or only one kind of label; unreadable files.
    """
    rows = read_labels(labels) if isinstance(labels, str | os.PathLike) else list(labels)
    judged, _, _ = beside_labels(verdicts, rows, "")
    return fit_calibration(
        [one.probability for one in judged],
        [one.label.human for one in judged],
        [one.label.task for one in judged],
        error=error,
        folds=folds,
    )


def fit_calibration(
    probabilities: ArrayLike, satisfied: ArrayLike, tasks: Sequence[str] | None = None, *, error: float = 0.1, folds: int = 5
) -> Calibration:
    """Fit a calibration from pairs.

    Args:
        probabilities: (n,), judged to be satisfied, in [0, 1].
        satisfied: (n,), a person's verdicts.
        tasks: (n,), whose requirements stand or fall together; None = each by itself.
        error: the wanted share of wrong verdicts, in (0, 1).
        folds: of cross-validation, at least 2.

    Raises:
        BadInput: fewer than 20 pairs, only one kind of label, values out of range.
    """
    value, truth = np.asarray(probabilities, dtype=float), np.asarray(satisfied, dtype=bool)
    groups = np.arange(len(value)) if tasks is None else np.unique(np.asarray(tasks), return_inverse=True)[1]
    _check(value, truth, groups, error, folds)
    fold = _folds(groups, folds)
    fresh = np.empty(len(value))
    for one in range(int(fold.max()) + 1):
        out = fold == one
        fresh[out] = np.interp(value[out], *_fit(value[~out], truth[~out]))
    threshold = conformal_threshold(fresh, truth, error)
    raw, fitted = _fit(value, truth)
    stands = (np.maximum(fresh, 1 - fresh) >= threshold) & (fresh != 0.5)
    right = (fresh > 0.5) == truth
    return Calibration(
        tuple(raw.tolist()),
        tuple(fitted.tolist()),
        threshold,
        error,
        labels=len(value),
        tasks=len(np.unique(groups)),
        error_before=_confidence_error(value, truth),
        error_after=_confidence_error(fresh, truth),
        coverage=float(stands.mean()),
        accuracy=float(right[stands].mean()) if stands.any() else None,
    )


def isotonic(values: ArrayLike, truths: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Isotonic regression by pooling adjacent violators: the non-falling function nearest in squares.

    Args:
        values: (n,), n >= 1.
        truths: (n,), 0 or 1 (or any numbers).

    Returns:
        The distinct values, ascending, and their fitted means.
    """
    points, place = np.unique(np.asarray(values, dtype=float), return_inverse=True)
    weights = np.bincount(place).astype(float)
    means = np.bincount(place, np.asarray(truths, dtype=float)) / weights
    blocks: list[tuple[float, float, int]] = []
    for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
        block = (mean, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / total, total, before[2] + block[2])
        blocks.append(block)
    return points, np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


def conformal_threshold(probabilities: ArrayLike, satisfied: ArrayLike, error: float) -> float:
    """The confidence from which a verdict stands so that at most a share `error` of all verdicts is wrong.

    With n labels and q the ceil((n + 1)(1 - error))-th smallest of 1 - p(label), the set of answers with p >= 1 - q holds
    the label with chance >= 1 - error. For q >= 1/2 it holds one answer alone where the confidence exceeds q; for q < 1/2
    every wrong verdict has its label outside, so all verdicts may stand.

    Returns:
        In [0.5, 1], or just above 1 where there are too few labels for that error (n < 1 / error - 1).
    """
    value, truth = np.asarray(probabilities, dtype=float), np.asarray(satisfied, dtype=bool)
    surprise = np.sort(1.0 - np.where(truth, value, 1.0 - value))
    rank = math.ceil((len(value) + 1) * (1.0 - error))
    if rank > len(value):
        return math.nextafter(1.0, 2.0)
    quantile = float(surprise[rank - 1])
    return math.nextafter(quantile, 2.0) if quantile >= 0.5 else 0.5


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """A calibration that `Calibration.save` wrote.

    Raises:
        BadInput: unreadable, or no calibration.
    """
    from pydantic import TypeAdapter, ValidationError

    value: Any = read_json(path, 16 << 20)
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise BadInput(f"{path} is not a calibration.", f"Its field format should be {FORMAT}.")
    try:
        found = TypeAdapter(Calibration).validate_python({name: one for name, one in value.items() if name != "format"})
    except ValidationError as problem:
        first = problem.errors()[0]
        raise BadInput(f"{path} is damaged at {'.'.join(map(str, first['loc']))}: {first['msg']}.") from problem
    both = [*found.raw, *found.fitted]
    if not found.raw or len(found.raw) != len(found.fitted) or not all(0 <= one <= 1 for one in both):
        raise BadInput(f"{path} is damaged: its points are no map of [0, 1].")
    if (np.diff(found.raw) <= 0).any():
        raise BadInput(f"{path} is damaged: its points do not rise.")
    return found


def _fit(values: NDArray[np.float64], truths: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Isotonic regression on groups of ten neighbours or more: a single label at an end claims no certainty."""
    points, place = np.unique(values, return_inverse=True)
    group = np.empty(len(points), dtype=int)
    current, size = 0, 0
    for number, count in enumerate(np.bincount(place).tolist()):
        group[number] = current
        size += count
        if size >= _NEIGHBOURS:
            current, size = current + 1, 0
    if size and current:
        group[group == current] = current - 1
    where = group[place]
    means = np.bincount(where, values) / np.bincount(where)
    return isotonic(means[where], truths)


def _check(value: NDArray[np.float64], truth: NDArray[np.bool_], groups: NDArray[np.intp], error: float, folds: int) -> None:
    if not len(value) == len(truth) == len(groups):
        raise BadInput(f"There are {len(value)} probabilities, {len(truth)} labels and {len(groups)} tasks.")
    if len(value) < LEAST:
        raise BadInput(f"There are {len(value)} labels of what was judged.", f"Calibration needs at least {LEAST}.")
    if not ((value >= 0) & (value <= 1)).all():
        raise BadInput("A probability is not in [0, 1].")
    if truth.all() or not truth.any():
        raise BadInput("All labels are the same.", "Label requirements that are met and some that are not.")
    if not 0.0 < error < 1.0:
        raise BadInput(f"The wanted error is {error}.", "It is a share between 0 and 1, such as 0.1.")
    if folds < 2:
        raise BadInput(f"folds is {folds}.", "It must be at least 2.")


def _folds(groups: NDArray[np.intp], folds: int) -> NDArray[np.intp]:
    """Tasks whole in a fold where there are enough of them, else requirements in turn."""
    tasks = int(groups.max()) + 1
    return groups % folds if tasks >= folds else np.arange(len(groups)) % folds


def _confidence_error(probability: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    confidence = np.maximum(probability, 1.0 - probability)
    return calibration_error(confidence, (probability > 0.5) == truth) or 0.0
