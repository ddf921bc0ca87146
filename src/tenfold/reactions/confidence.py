"""Probabilities that mean something: equal molecules merged, and the model's own sums calibrated on known answers.

A model's sum of log-probabilities is the probability of one string. What a chemist asks is how likely the molecule is right.
So invalid strings are left out, strings of the same molecule are added up, and the sum is mapped to the share of right
answers that such sums had on validation rows: beta calibration (Kull, Silva Filho and Flach 2017) with the length of the
query as a fourth term. The map rises with the sum, so it never changes the order of a query's answers.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenfold.core.errors import BadInput
from tenfold.core.files import read_object, write_json
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.scoring import Outcome
from tenfold.reactions.tokens import tokenize

__all__ = [
    "FILE",
    "Bin",
    "Calibrated",
    "Calibration",
    "Case",
    "Merged",
    "Reliability",
    "calibrate",
    "cases",
    "fit",
    "merge",
    "reliability",
]

FILE = "calibration.json"
_SMALLEST = 1e-9
_RIDGE = 1e-3  # keeps the fit finite where a term separates right from wrong
_STEPS = 50


class Merged(NamedTuple):
    """A molecule among the candidates.

    Attributes:
        smiles: its canonical form.
        log_probability: of all its strings together.
        ranks: of its strings among the candidates, from 0.
    """

    smiles: str
    log_probability: float
    ranks: tuple[int, ...]


class Case(NamedTuple):
    """A merged candidate whose truth is known: its log-probability, the tokens of its query, whether it was right."""

    log_probability: float
    tokens: int
    is_right: bool


class Bin(NamedTuple):
    """Candidates of similar probability: how many, their mean probability, and the share that was right."""

    candidates: int
    probability: float
    right: float


class Reliability(NamedTuple):
    """How far probabilities are to be believed.

    Attributes:
        error: expected calibration error: mean distance between probability and share of right answers, over the bins.
        brier: mean squared distance between probability and truth.
        bins: of equally many candidates, by rising probability.
    """

    error: float
    brier: float
    bins: tuple[Bin, ...]


class Calibrated(NamedTuple):
    """A calibration of all rows, and how far probabilities are to be believed without it and with it.

    Attributes:
        calibration: fitted on all rows.
        before: of the model's own probabilities.
        after: of calibrated ones, each by a fit on the other half of the rows.
    """

    calibration: "Calibration"
    before: Reliability
    after: Reliability

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        of = {"before": self.before, "after": self.after}
        measured = {name: {**one._asdict(), "bins": [part._asdict() for part in one.bins]} for name, one in of.items()}
        return {"calibration": self.calibration.model_dump(), **measured}


class Calibration(BaseModel):
    """log-odds of being right = intercept + rise * ln P - fall * ln(1 - P) + length * ln(tokens of the query).

    Attributes:
        intercept: constant.
        rise: weight of ln P, not negative.
        fall: weight of -ln(1 - P), not negative.
        length: weight of the query's length.
        cases: that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    intercept: float
    rise: float = Field(ge=0)
    fall: float = Field(ge=0)
    length: float
    cases: int = Field(ge=1)

    def probability(self, log_probability: float, tokens: int) -> float:
        """How likely an answer is right.

        Args:
            log_probability: of all its strings together; at most 0.
            tokens: of the query, begin and end not counted.
        """
        terms = _terms(np.array([log_probability]), np.array([tokens]))[0]
        return _logistic(float(terms @ (self.intercept, self.rise, self.fall, self.length)))

    def probabilities(self, log_probabilities: Sequence[float], tokens: int) -> list[float]:
        """The same of all answers to one query, scaled down where they add up to more than 1: at most one is right."""
        found = [self.probability(value, tokens) for value in log_probabilities]
        return [value / max(1.0, sum(found)) for value in found]

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Keep it in a model's folder."""
        write_json(Path(folder) / FILE, self.model_dump())

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> "Calibration | None":
        """The calibration in a model's folder, if there is one.

        Raises:
            BadInput: the file holds something else.
        """
        path = Path(folder) / FILE
        if not path.exists():
            return None
        try:
            return cls(**read_object(path, limit=1 << 16))
        except (TypeError, ValidationError) as error:
            raise BadInput(f"{path} holds no calibration.", "Move it away, or calibrate the model again.") from error


def merge(smiles: Sequence[str], log_probabilities: Sequence[float]) -> list[Merged]:
    """Leave out invalid candidates and add up those of the same molecule, the likeliest first.

    Args:
        smiles: candidates as the model wrote them.
        log_probabilities: their sums of log-probabilities.
    """
    ranks: dict[str, list[int]] = {}
    for rank, form in enumerate(map(canonical_form, smiles)):
        if form:
            ranks.setdefault(form, []).append(rank)
    found = [
        Merged(form, float(np.logaddexp.reduce([log_probabilities[rank] for rank in places])), tuple(places))
        for form, places in ranks.items()
    ]
    return sorted(found, key=lambda one: -one.log_probability)


def cases(rows: Sequence[tuple[str, str]], outcomes: Sequence[Outcome]) -> list[Case]:
    """What a calibration is fitted on: the merged candidates of scored rows.

    Args:
        rows: (query, right answer), those that were scored.
        outcomes: of `scoring.score` on them.
    """
    found = []
    for outcome in outcomes:
        if outcome.error:
            continue
        query, target = rows[outcome.row - 1]
        tokens, right = len(tokenize(query)), canonical_form(target)
        found += [Case(one.log_probability, tokens, one.smiles == right) for one in merge(outcome.answers, outcome.scores)]
    return found


def calibrate(rows: Sequence[tuple[str, str]], outcomes: Sequence[Outcome]) -> Calibrated:
    """Fit a calibration, and measure what it brings on rows that it was not fitted on.

    Args:
        rows: (query, right answer) that the model was not trained on.
        outcomes: of `scoring.score` on them.

    Raises:
        BadInput: one half of the rows has no right candidates, or no wrong ones.
    """
    halves = [cases(rows, [one for one in outcomes if one.row % 2 == half]) for half in (0, 1)]
    known = [case for half in halves for case in half]
    calibrated = [
        other.probability(case.log_probability, case.tokens)
        for half, other in zip(halves, (fit(halves[1]), fit(halves[0])), strict=True)
        for case in half
    ]
    truth = [case.is_right for case in known]
    own = [math.exp(min(0.0, case.log_probability)) for case in known]
    return Calibrated(fit(known), reliability(own, truth), reliability(calibrated, truth))


def fit(known: Sequence[Case]) -> Calibration:
    """Fit by Newton's method on the regularised likelihood; a term whose weight would be negative is left out.

    Args:
        known: candidates with their truth, right ones and wrong ones among them.

    Raises:
        BadInput: there are no right ones, or no wrong ones.
    """
    truth = np.array([case.is_right for case in known], dtype=np.float64)
    if not 0 < truth.sum() < len(truth):
        which = "right" if truth.sum() == 0 else "wrong"
        raise BadInput(f"None of the {len(truth)} candidates is {which}.", "Calibrate on more rows.")
    terms = _terms(np.array([case.log_probability for case in known]), np.array([case.tokens for case in known]))
    used = [0, 1, 2, 3]
    while True:
        weights = _newton(terms[:, used], truth)
        negative = [term for term, weight in zip(used, weights, strict=True) if term in (1, 2) and weight < 0]
        if not negative:
            break
        used.remove(min(negative, key=lambda term: weights[used.index(term)]))
    full = dict.fromkeys(range(4), 0.0) | dict(zip(used, map(float, weights), strict=True))
    return Calibration(intercept=full[0], rise=full[1], fall=full[2], length=full[3], cases=len(truth))


def reliability(probabilities: Sequence[float], is_right: Sequence[bool], bins: int = 15) -> Reliability:
    """Compare probabilities with the truth, in bins of equally many.

    Args:
        probabilities: in [0, 1].
        is_right: whether each was right.
        bins: at most this many.

    Raises:
        BadInput: there are none, or their numbers differ.
    """
    if not probabilities or len(probabilities) != len(is_right):
        raise BadInput(f"{len(probabilities)} probabilities and {len(is_right)} truths: give as many of each, and some.")
    found, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    parts = np.array_split(np.argsort(found, kind="stable"), min(bins, len(found)))
    table = tuple(Bin(len(part), float(found[part].mean()), float(truth[part].mean())) for part in parts)
    error = sum(one.candidates * abs(one.probability - one.right) for one in table) / len(found)
    return Reliability(error, float(((found - truth) ** 2).mean()), table)


def _terms(log_probabilities: NDArray[np.float64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """(cases, 4): 1, ln P, -ln(1 - P), ln tokens; P kept away from 0 and 1, where the logarithms end."""
    log_p = np.clip(log_probabilities, math.log(_SMALLEST), math.log1p(-_SMALLEST))
    return np.stack((np.ones_like(log_p), log_p, -np.log(-np.expm1(log_p)), np.log(np.maximum(tokens, 1))), axis=1)


def _newton(terms: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros(terms.shape[1])
    for _ in range(_STEPS):
        found = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
        slope = terms.T @ (truth - found) - _RIDGE * weights
        curvature = (terms * (found * (1 - found))[:, None]).T @ terms + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()) / 4)
        if np.abs(step).max() < 1e-10:
            break
    return weights


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))
