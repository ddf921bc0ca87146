"""Gates and races."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from tenfold.core.errors import BadInput
from tenfold.semgrad.gates import Race, paired_p, passes, race_order

scores = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=25)


def test_strict_wants_more_ties_wants_no_less_none_wants_nothing() -> None:
    assert [passes(g, [1, 0], [0, 1]) for g in ("strict", "racing", "ties", "none", "paired")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert passes("strict", [1, 0], [1, 1])
    assert not passes("ties", [1, 1], [1, 0])
    with pytest.raises(BadInput, match="strict, ties, none, paired, racing"):
        passes("loose", [1], [1])


@settings(deadline=None)
@given(scores, st.sampled_from(["strict", "ties", "racing"]), st.randoms(use_true_random=False))
def test_a_race_decides_as_the_full_evaluation_does_in_any_order(pairs, gate, random) -> None:
    kept, found = [k for k, _ in pairs], [f for _, f in pairs]
    race, order = Race(gate, kept), list(range(len(kept)))
    random.shuffle(order)
    lost = any([race.lost(number, found[number]) for number in order])  # noqa: C419 - all are told
    assert lost != passes(gate, kept, found)


@settings(deadline=None)
@given(scores)
def test_a_lost_race_stays_lost(pairs) -> None:
    kept, found = [k for k, _ in pairs], [f for _, f in pairs]
    race = Race("strict", kept)
    told = [race.lost(number, found[number]) for number in race_order(kept)]
    assert told == sorted(told)


def test_wrong_samples_run_first_and_a_candidate_that_mends_none_is_stopped_after_them() -> None:
    kept = [1.0, 0.0, 1.0, 0.0, 1.0]
    assert race_order(kept) == [1, 3, 0, 2, 4]
    race = Race("strict", kept)
    assert [race.lost(1, 0.0), race.lost(3, 0.0)] == [False, True]


def test_right_or_wrong_differences_have_the_binomial_p_value() -> None:
    kept, found = [0] * 9 + [1] * 3 + [1] * 8, [1] * 9 + [0] * 3 + [1] * 8
    assert paired_p(kept, found) == pytest.approx(binomtest(9, 12, alternative="greater").pvalue)
    assert paired_p([1, 0], [1, 0]) == 1


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=8))
def test_the_paired_test_counts_all_sign_patterns(pairs) -> None:
    kept, found = [a / 8 for a, _ in pairs], [b / 8 for _, b in pairs]
    differences = [f - k for k, f in zip(kept, found, strict=True)]
    patterns = list(product((1, -1), repeat=len(pairs)))
    as_good = [sum(s * abs(d) for s, d in zip(p, differences, strict=True)) >= sum(differences) - 1e-9 for p in patterns]
    expected = sum(as_good) / len(patterns)
    assert paired_p(kept, found) == pytest.approx(expected if any(differences) else 1.0)


def test_many_differences_are_judged_by_random_flips_near_the_permutation_test() -> None:
    rng = Random(1)
    kept = [rng.random() for _ in range(30)]
    found = [min(1.0, k + rng.uniform(-0.2, 0.35)) for k in kept]
    reference = permutation_test(
        ([f - k for k, f in zip(kept, found, strict=True)],), lambda x, axis: x.sum(axis=axis), permutation_type="samples",
        alternative="greater", n_resamples=20_000, vectorized=True,
    )  # fmt: skip
    assert paired_p(kept, found) == pytest.approx(reference.pvalue, abs=0.01)
