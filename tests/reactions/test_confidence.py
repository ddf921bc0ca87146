"""Calibrated probabilities, and molecules merged from candidates."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.confidence import FILE, Calibration, Case, calibrate, cases, fit, merge, reliability
from tenfold.reactions.scoring import Outcome

pytest.importorskip("rdkit", reason="extra reactions is not installed")

LOG_PROBABILITY = st.floats(-30, 0)


def drawn(count: int, seed: int, truth: Calibration) -> list[Case]:
    """Cases whose truth is drawn from a known calibration."""
    random = np.random.default_rng(seed)
    found = []
    for log_p, tokens in zip(np.log(random.uniform(0, 1, count)), random.integers(10, 120, count), strict=True):
        found.append(Case(float(log_p), int(tokens), bool(random.uniform() < truth.probability(float(log_p), int(tokens)))))
    return found


TRUE = Calibration(intercept=1.5, rise=0.8, fall=0.3, length=-0.4, cases=1)


def test_strings_of_one_molecule_are_added_and_invalid_ones_left_out() -> None:
    found = merge(["OCC", "C1CC", "CCO", "C"], [math.log(p) for p in (0.4, 0.3, 0.2, 0.1)])
    assert [(one.smiles, one.ranks) for one in found] == [("CCO", (0, 2)), ("C", (3,))]
    assert math.exp(found[0].log_probability) == pytest.approx(0.6)


def test_a_molecule_written_twice_overtakes_a_likelier_string() -> None:
    found = merge(["C", "OC", "CO"], [math.log(p) for p in (0.4, 0.3, 0.3)])
    assert [one.smiles for one in found] == ["CO", "C"]


def test_empty_candidates_are_no_molecule() -> None:
    assert merge(["", "C"], [-1.0, -2.0])[0].ranks == (1,)


@given(st.lists(st.tuples(st.sampled_from(["C", "OC", "CO", "C1", ""]), LOG_PROBABILITY), max_size=8))
def test_merging_keeps_the_total_probability_of_the_valid_ones(candidates: list[tuple[str, float]]) -> None:
    found = merge([smiles for smiles, _ in candidates], [value for _, value in candidates])
    valid = sum(math.exp(value) for smiles, value in candidates if smiles in ("C", "OC", "CO"))
    assert sum(math.exp(one.log_probability) for one in found) == pytest.approx(valid)
    assert [one.log_probability for one in found] == sorted((one.log_probability for one in found), reverse=True)


def test_a_fit_finds_the_calibration_that_the_truth_was_drawn_from() -> None:
    found = fit(drawn(40_000, 0, TRUE))
    for log_p in (-4.0, -1.0, -0.1, -0.01):
        for tokens in (15, 60, 110):
            assert found.probability(log_p, tokens) == pytest.approx(TRUE.probability(log_p, tokens), abs=0.03)


def test_calibrated_probabilities_of_unseen_cases_are_right_about_as_often_as_they_say() -> None:
    known, unseen = drawn(8_000, 1, TRUE), drawn(8_000, 2, TRUE)
    truth = [case.is_right for case in unseen]
    calibrated = fit(known)
    after = reliability([calibrated.probability(case.log_probability, case.tokens) for case in unseen], truth)
    before = reliability([math.exp(case.log_probability) for case in unseen], truth)
    assert after.error < 0.03 < before.error
    assert after.brier < before.brier


@given(LOG_PROBABILITY, LOG_PROBABILITY, st.integers(1, 500), st.integers(0, 5))
def test_calibration_never_changes_the_order_of_answers(a: float, b: float, tokens: int, seed: int) -> None:
    found = fit(drawn(60, seed, Calibration(intercept=0, rise=0, fall=0, length=0.0, cases=1)))
    low, high = sorted((a, b))
    assert found.probability(low, tokens) <= found.probability(high, tokens)
    assert 0 <= found.probability(a, tokens) <= 1


@given(st.lists(LOG_PROBABILITY, min_size=1, max_size=10), st.integers(1, 300))
def test_the_probabilities_of_one_query_add_up_to_one_at_most(values: list[float], tokens: int) -> None:
    assert sum(TRUE.probabilities(values, tokens)) <= 1 + 1e-9


def test_perfectly_separated_cases_still_give_finite_numbers() -> None:
    found = fit([Case(-0.01, 20, True)] * 50 + [Case(-9.0, 20, False)] * 50)
    assert found.probability(-0.01, 20) > 0.9
    assert found.probability(-9.0, 20) < 0.1


@pytest.mark.parametrize(("is_right", "which"), [(True, "wrong"), (False, "right")])
def test_cases_of_one_kind_are_refused(is_right: bool, which: str) -> None:
    with pytest.raises(BadInput, match=f"None of the 3 candidates is {which}"):
        fit([Case(-1.0, 10, is_right)] * 3)


def test_the_error_of_a_known_table_is_what_paper_and_pencil_give() -> None:
    found = reliability([0.2] * 5 + [0.8] * 5, [True] + [False] * 4 + [True] * 3 + [False] * 2, bins=2)
    assert [(one.candidates, one.right) for one in found.bins] == [(5, 0.2), (5, 0.6)]
    assert found.error == pytest.approx(0.5 * 0.0 + 0.5 * 0.2)
    assert found.brier == pytest.approx((0.64 + 4 * 0.04 + 3 * 0.04 + 2 * 0.64) / 10)


def test_scored_rows_become_cases_with_the_length_of_their_query() -> None:
    rows = [("CCBr", "CCO"), ("C", "C")]
    outcomes = [Outcome(1, answers=("OCC", "C1", "CCO", "N"), scores=(-1.0, -2.0, -1.0, -3.0)), Outcome(2, error="refused")]
    found = cases(rows, outcomes)
    assert [(case.tokens, case.is_right) for case in found] == [(3, True), (3, False)]
    assert found[0].log_probability == pytest.approx(-1.0 + math.log(2))


def test_calibrating_an_overconfident_model_lowers_the_error_on_rows_that_it_was_not_fitted_on() -> None:
    random = np.random.default_rng(3)
    rows, outcomes = [], []
    for number in range(1, 1_501):  # it says 90 to 99 %, and is right in half of the rows
        rows.append(("CCCCC", "C" if random.uniform() < 0.5 else "N"))
        scores = (math.log(random.uniform(0.9, 0.99)), math.log(0.01))
        outcomes.append(Outcome(number, answers=("C", "N"), scores=scores))
    found = calibrate(rows, outcomes)
    assert found.before.error > 0.4
    assert found.after.error < 0.05
    assert found.calibration.probability(math.log(0.95), 5) == pytest.approx(0.5, abs=0.05)


def test_rows_without_a_wrong_candidate_cannot_calibrate() -> None:
    rows, outcomes = [("C", "C")] * 4, [Outcome(number, answers=("C",), scores=(-0.1,)) for number in range(1, 5)]
    with pytest.raises(BadInput, match="is wrong"):
        calibrate(rows, outcomes)


def test_it_is_kept_in_the_folder_of_the_model(tmp_path: Path) -> None:
    assert Calibration.read(tmp_path) is None
    TRUE.write(tmp_path)
    assert Calibration.read(tmp_path) == TRUE


@pytest.mark.parametrize("text", ["[]", "{}", '{"intercept": 1e999, "rise": 1, "fall": 1, "length": 0, "cases": 5}'])
def test_a_strange_file_in_its_place_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadInput):
        Calibration.read(tmp_path)
