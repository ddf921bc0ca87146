import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.facts.rivals import RIVALS, rival
from tenfold.facts.windows import Scaler, Windows, borders_of


def test_the_protocols_counts_of_windows_are_those_of_the_published_library():
    values = np.zeros((17_420, 7))
    borders = borders_of(len(values), "ETTh1")
    parts = [(0, borders.train), (borders.train, borders.validation), (borders.validation, borders.test)]
    assert [len(Windows(values, 96, 96, *part)) for part in parts] == [8449, 2785, 2785]
    assert borders == (8640, 11_520, 14_400)


def test_other_files_are_split_by_shares_and_short_ones_are_refused():
    assert borders_of(1000) == (700, 800, 1000)
    assert borders_of(52_696, "weather") == (36_887, 42_157, 52_696)
    with pytest.raises(BadInput, match="cut off"):
        borders_of(10_000, "ETTh1")
    with pytest.raises(BadInput, match="protocol 'M4' is unknown"):
        borders_of(1000, "M4")


def test_windows_are_every_stretch_of_rows_past_and_future():
    values = np.arange(20.0).reshape(10, 2)
    windows = Windows(values, 3, 2, start=5)
    assert len(windows) == 4
    pasts, futures = windows[np.array([0, 3])]
    np.testing.assert_array_equal(pasts[:, :, 0], [[4, 6, 8], [10, 12, 14]])
    np.testing.assert_array_equal(futures[:, :, 1], [[11, 13], [17, 19]])
    with pytest.raises(BadInput, match=r"4 rows are too few.*need 5"):
        Windows(values[:4], 3, 2)


def test_scaling_is_undone_and_leaves_a_constant_series_finite():
    values = np.column_stack([np.arange(5.0), np.full(5, 3.0)])
    scaler = Scaler.of(values)
    scaled = scaler.scaled(values)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled[:, 0].std(), 1)
    np.testing.assert_allclose(scaler.back(scaled), values)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_forecasts_the_horizon_and_those_with_weights_learn(name):
    torch.manual_seed(0)
    model = rival(name, 32, 10, period=8)
    x = torch.randn(4, 32, 3)
    out = model(x)
    assert out.shape == (4, 10, 3)
    if any(weight.requires_grad for weight in model.parameters()):
        out.square().mean().backward()
        assert all(float(weight.grad.abs().sum()) > 0 for weight in model.parameters() if weight.dim() > 1)
    with pytest.raises(BadInput, match="model 'ARIMA' is unknown"):
        rival("ARIMA", 32, 10)


def test_the_naive_rivals_repeat_what_they_should():
    x = torch.arange(12.0).view(1, 12, 1)
    assert rival("last value", 12, 3)(x).flatten().tolist() == [11, 11, 11]
    assert rival("seasonal naive", 12, 6, period=4)(x).flatten().tolist() == [8, 9, 10, 11, 8, 9]
