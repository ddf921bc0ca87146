import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts import Forecaster
from tenfold.facts.intervals import Band, Conformal, coverage
from tenfold.facts.synthetic import town_meters
from tenfold.facts.trained import ends


def test_the_width_is_the_order_statistic_that_split_conformal_prediction_asks_for():
    misses = np.random.default_rng(0).permutation(np.arange(1.0, 20)).reshape(1, 19, 1, 1)
    found = Conformal.of(misses, (0.5, 0.8, 0.95))
    assert found.widths.ravel().tolist() == [10, 16, 19]  # ceil(20 x level) of 19
    assert found.highest == 0.95


def test_too_few_windows_give_the_widest_miss_and_say_what_they_can_promise():
    found = Conformal.of(np.arange(1.0, 5).reshape(1, 4, 1, 1), (0.8, 0.95))
    assert found.widths.ravel().tolist() == [4, 4]
    assert found.highest == 0.8


@given(seed=st.integers(0, 10_000), count=st.integers(10, 60))
def test_each_step_and_series_is_calibrated_for_itself_and_missing_truths_do_not_count(seed, count):
    misses = np.abs(np.random.default_rng(seed).standard_normal((1, count, 2, 3))) * np.array([1, 10, 100])
    alone = Conformal.of(misses[:, :, :1, :1], (0.8,)).widths
    holed = np.concatenate((misses, np.full((1, 5, 2, 3), np.nan)), 1)
    found = Conformal.of(holed, (0.8,)).widths
    np.testing.assert_array_equal(found[:, :1, :1], alone)
    assert (found[..., 2] > found[..., 0]).all()


def test_new_truths_are_covered_as_often_as_promised():
    """1,000 calibrations of 39 misses each; the mean coverage lies in [level, level + 1 / 40]."""
    draw = np.random.default_rng(0)
    hits = []
    for _ in range(1000):
        width = Conformal.of(np.abs(draw.standard_t(3, (1, 39, 1, 1))), (0.8,)).widths.item()
        hits.append(float((np.abs(draw.standard_t(3, 200)) <= width).mean()))
    assert 0.8 - 0.01 <= np.mean(hits) <= 0.8 + 1 / 40 + 0.01


def test_bands_grow_with_the_unit_and_never_cross_where_quantiles_were_too_wide():
    conformal = Conformal((0.8,), np.array([[[-3.0]]]), np.array([[4.0]]), 9)
    low, high = np.array([[[-1.0]]]), np.array([[[1.0]]])
    narrow = conformal.band(low, high, np.array([[[0.1]]]), 0.8)
    assert (float(narrow.low.item()), float(narrow.high.item())) == pytest.approx((-0.7, 0.7))
    crossed = conformal.band(low, high, np.array([[[1.0]]]), 0.8)
    assert crossed.low.item() == crossed.high.item() == 0.0
    with pytest.raises(BadInput, match=r"Level 0\.9 was not calibrated"):
        conformal.band(low, high, np.ones((1, 1, 1)), 0.9)


def test_a_series_that_was_not_calibrated_gets_the_widest_interval_of_all_forecasts():
    plain = np.abs(np.random.default_rng(0).standard_normal((40, 2, 3))) * np.array([1, 10, 100])
    conformal = Conformal.of(-plain[None], (0.8,), plain)
    chosen = conformal.of_series(np.array([2, -1]))
    np.testing.assert_array_equal(chosen.widths[..., 0], conformal.widths[..., 2])
    np.testing.assert_array_equal(chosen.widths[..., 1], Conformal.of(plain[None], (0.8,)).widths[..., 2])


@pytest.mark.parametrize("levels", [(), (0.0,), (1.0,), (0.9, 0.8), (0.8, 0.8)])
def test_levels_that_promise_nothing_are_refused(levels):
    with pytest.raises(BadInput, match="must rise and lie between 0 and 1"):
        Conformal.of(np.ones((1, 9, 1, 1)), levels)


def test_coverage_is_the_share_of_known_truths_inside():
    band = Band(np.zeros((1, 4, 1)), np.ones((1, 4, 1)))
    assert coverage(band, np.array([0.0, 0.5, 2.0, np.nan]).reshape(1, 4, 1)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("heads", [False, True])
def test_a_fitted_forecasters_intervals_hold_on_what_comes_next(heads):
    table = town_meters(1500)
    settings = {"horizon": 6, "look_back": 24, "steps": 40, "slots": 4, "slot_size": 8, "heads": 2}
    model = Forecaster(**settings, quantile_heads=heads).fit(table[:700], table[700:1100])
    low, high = ends(model.trained.network.parts(torch.randn(5, 24, 7)).detach().numpy(), 0)
    assert (high > low).any() == heads  # the heads have learned something
    found = model.evaluate(table[1100:], context=table[1076:1100])
    assert found.coverage[0.8] == pytest.approx(0.8, abs=0.08)
    assert found.coverage[0.95] == pytest.approx(0.95, abs=0.05)
