"""Metrics: against closed forms, against scikit-learn's definitions worked out by hand, and at their edges."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.judge.metrics import (
    Confusion,
    auroc,
    average_precision,
    calibration_error,
    coverage_curve,
    disagreement,
    majority,
    majority_probability,
    precision_recall,
)

pairs = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30)


@given(pairs)
def test_auroc_is_the_share_of_pairs_in_order_with_ties_half(rows) -> None:
    scores, truths = zip(*rows, strict=True)
    good = [score for score, truth in rows if truth]
    bad = [score for score, truth in rows if not truth]
    if not good or not bad:
        assert auroc(scores, truths) is None
        return
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(good, bad))
    assert auroc(scores, truths) == pytest.approx(wins / (len(good) * len(bad)))


@pytest.mark.parametrize("wrong", [1, 29, 36])
def test_constant_confidence_has_an_auroc_of_exactly_one_half(wrong: int) -> None:
    assert auroc([1.0] * 366, [True] * (366 - wrong) + [False] * wrong) == 0.5


def test_average_precision_follows_its_definition() -> None:
    # Scores .9 (hit), .8 (miss), .7 (hit, miss tied): 1/2 * 1 + 1/2 * 2/4.
    assert average_precision([0.9, 0.8, 0.7, 0.7], [1, 0, 1, 0]) == pytest.approx(0.75)
    assert [tuple(point) for point in precision_recall([0.9, 0.8, 0.7, 0.7], [1, 0, 1, 0])] == [
        (0.9, 1.0, 0.5),
        (0.8, 0.5, 0.5),
        (0.7, 0.5, 1.0),
    ]
    assert average_precision([0.3, 0.1], [0, 0]) is None


@given(pairs)
def test_average_precision_of_constant_scores_is_the_share_of_positives(rows) -> None:
    truths = [truth for _, truth in rows]
    found = average_precision([0.4] * len(truths), truths)
    assert found == (pytest.approx(sum(truths) / len(truths)) if any(truths) else None)


def test_calibration_error_weighs_the_bins_by_their_cases() -> None:
    # Bin .9-1.0: confidences .95, 1.0, accuracy 1/2; bin .6-.7: .65, accuracy 1.
    assert calibration_error([0.95, 1.0, 0.65], [1, 0, 1]) == pytest.approx((abs(1.95 - 1) + abs(0.65 - 1)) / 3)
    assert calibration_error([], []) is None
    with pytest.raises(BadInput, match="not in"):
        calibration_error([1.2], [1])


def test_coverage_counts_the_most_confident_first_and_ties_together() -> None:
    assert coverage_curve([0.9, 0.6, 0.6, 1.0], [1, 1, 0, 1]) == [(0.25, 1.0), (0.5, 1.0), (1.0, 0.75)]


def test_kappa_is_one_for_agreement_zero_for_chance_and_undefined_for_constants() -> None:
    assert Confusion(5, 0, 0, 5).kappa == 1.0
    assert Confusion(25, 25, 25, 25).kappa == 0.0
    assert Confusion(0, 5, 5, 0).kappa == -1.0
    assert Confusion(0, 0, 0, 7).kappa is None
    assert Confusion(0, 0, 0, 0).kappa is None
    assert Confusion(69, 17, 12, 268).kappa == pytest.approx(0.775, abs=5e-4)


def test_evaluators_disagree_in_pairs_and_the_majority_needs_more_than_half() -> None:
    people = {"a": [True, True, False], "b": [True, False, False], "c": [False, True, False]}
    assert disagreement(people) == {("a", "b"): 1 / 3, ("a", "c"): 1 / 3, ("b", "c"): 2 / 3}
    assert majority(list(people.values())) == [True, True, False]
    assert majority([[True], [False]]) == [False]
    with pytest.raises(BadInput):
        disagreement({"a": [True], "b": []})
    with pytest.raises(BadInput):
        majority([])


@pytest.mark.parametrize("votes", [1, 2, 3, 5])
def test_the_majority_of_independent_votes_has_its_closed_form(votes: int) -> None:
    single = 0.7
    every = itertools.product([False, True], repeat=votes)
    right = math.fsum(
        math.prod(single if vote else 1 - single for vote in ballot)
        for ballot in every
        if majority([[v] for v in ballot])[0]
    )
    assert majority_probability(single, votes) == pytest.approx(right)
    with pytest.raises(BadInput):
        majority_probability(0.5, 0)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(BadInput, match="finite"):
        auroc([np.nan, 1.0], [0, 1])
    with pytest.raises(BadInput, match="2 scores and 1 labels"):
        auroc([0.1, 1.0], [0])
