"""Calibration: isotonic and nearest in squares, right on fresh data, and a threshold that keeps its promise."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.made import report, requirements
from tenfold.core.errors import BadInput
from tenfold.judge.calibration import calibrate, conformal_threshold, fit_calibration, isotonic, read_calibration
from tenfold.judge.labels import Label
from tenfold.judge.metrics import calibration_error

pairs = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=25)


@settings(deadline=None)
@given(pairs)
def test_isotonic_regression_is_the_min_max_formula(rows) -> None:
    value, truth = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    points, fitted = isotonic(value, truth)
    assert (np.diff(fitted) >= -1e-12).all()
    for place, point in enumerate(points):
        means = [[truth[(value >= low) & (value <= high)].mean() for high in points[place:]] for low in points[: place + 1]]
        assert fitted[place] == pytest.approx(max(min(row) for row in means)), point


def overconfident(size: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A judge that says 0.05 or 0.95 or so, and is right in three of four cases."""
    chance = np.random.default_rng(seed)
    truth = chance.random(size) < 0.5
    agrees = chance.random(size) < 0.75
    said = np.where(truth == agrees, 0.95, 0.05) + chance.uniform(-0.04, 0.04, size)
    return said, truth, [f"t{i // 5}" for i in range(size)]


def test_an_overconfident_judge_is_calibrated_on_fresh_data() -> None:
    found = fit_calibration(*overconfident(600, 1), error=0.3)
    assert found.error_before > 0.15
    assert found.error_after < 0.07
    said, truth, _ = overconfident(2000, 2)
    fresh = np.array([found.probability(one) for one in said])
    assert calibration_error(np.maximum(fresh, 1 - fresh), (fresh > 0.5) == truth) < 0.06
    assert (found.labels, found.tasks) == (600, 120)
    assert "before" in found.words()


@pytest.mark.parametrize("error", [0.05, 0.1, 0.2, 0.3])
def test_verdicts_that_stand_are_wrong_in_at_most_the_wanted_share(error: float) -> None:
    shares = []
    for seed in range(60):
        chance = np.random.default_rng(seed)
        probability = chance.random(600)
        truth = chance.random(600) < probability
        threshold = conformal_threshold(probability[:200], truth[:200], error)
        confidence = np.maximum(probability[200:], 1 - probability[200:])
        shares.append(np.mean((confidence >= threshold) & ((probability[200:] > 0.5) != truth[200:])))
    # The guarantee is on the mean; three standard errors of 60 repetitions.
    assert np.mean(shares) <= error + 3 * np.std(shares) / 60**0.5
    assert np.mean(shares) > 0 or error < 0.2


def test_too_few_labels_for_an_error_leave_everything_undecided() -> None:
    assert conformal_threshold([1.0] * 10, [True] * 10, 0.05) > 1.0
    assert conformal_threshold([1.0] * 19, [True] * 19, 0.05) == 0.5


def test_a_calibrated_report_keeps_human_verdicts_and_makes_weak_ones_undecided() -> None:
    found = fit_calibration(*overconfident(600, 1), error=0.05)
    sure = report(requirements([[], [0], []]), ["satisfied", "undecided", "unsatisfied"])
    judged = replace(sure, judgements=(*sure.judgements[:2], replace(sure["2"], probability=0.05)))
    new = found.report(judged)
    assert [one.verdict for one in new] == ["undecided", "undecided", "undecided"]
    assert "needs" in new["0"].missing
    assert new["0"].confidence == 0.5
    loose = fit_calibration(*overconfident(600, 1), error=0.4).report(judged)
    assert [one.verdict for one in loose] == ["satisfied", "undecided", "unsatisfied"]
    assert 0.6 < loose["0"].confidence < 0.9
    assert loose.settings["calibrated_on"] == 600


def test_a_calibration_is_saved_and_read_again(tmp_path: Path) -> None:
    found = fit_calibration(*overconfident(200, 3))
    path = found.save(tmp_path / "fit.json")
    assert read_calibration(path) == found
    plain = json.loads(path.read_text())
    for change, words in (
        ({"format": "other"}, "not a calibration"),
        ({"threshold": "high"}, "damaged at threshold"),
        ({"raw": [0.5, 0.4], "fitted": [0.1, 0.2]}, "do not rise"),
        ({"raw": [0.5], "fitted": [1.5]}, "no map"),
    ):
        path.write_text(json.dumps({**plain, **change}))
        with pytest.raises(BadInput, match=words):
            read_calibration(path)


def test_reports_and_labels_make_a_calibration() -> None:
    reports, labels = [], []
    for number in range(12):
        asked = requirements([[], [], []], f"t{number}")
        reports.append(report(asked, ["satisfied", "unsatisfied", "undecided"]))
        labels += [Label(asked.name, one.id, one.criteria, one.id == "0" and number > 0) for one in asked]
    found = calibrate(reports, labels)
    assert (found.labels, found.tasks) == (36, 12)
    assert found.probability(0.9) == pytest.approx(11 / 12)
    assert found.probability(0.2) == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"probabilities": [0.5] * 19, "satisfied": [True] * 19}, "at least 20"),
        ({"satisfied": [True] * 24}, "All labels are the same"),
        ({"error": 0.0}, "wanted error is 0"),
        ({"folds": 1}, "folds is 1"),
        ({"probabilities": [1.5] * 24}, "not in"),
        ({"tasks": ["t"]}, "24 probabilities, 24 labels and 1 tasks"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_a_sentence(change, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        fit_calibration(**{"probabilities": [0.1, 0.9] * 12, "satisfied": [False, True] * 12, **change})
