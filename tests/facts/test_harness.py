import numpy as np
import pytest
import torch
from torch import nn

from tenfold.facts.harness import WindowBatches, fit_windows, score
from tenfold.facts.rivals import DLinear, LastValue, LeastSquares
from tenfold.facts.windows import Windows, least_squares

WAVES = np.stack([np.sin(np.arange(400) * speed) for speed in (0.3, 0.5)], 1)


def test_an_epoch_holds_every_window_once_and_the_next_one_in_another_order():
    windows = Windows(np.arange(40.0)[:, None], 3, 1)
    batches = WindowBatches(windows, 6)
    epochs = [torch.cat([batches(0, step)[0][:, 0, 0] for step in range(start, start + 6)]) for start in (0, 6)]
    assert sorted(epochs[0].tolist()) != epochs[0].tolist()
    assert len(set(epochs[0].tolist())) == 36
    assert epochs[0].tolist() != epochs[1].tolist()
    torch.testing.assert_close(batches(0, 3), WindowBatches(windows, 6)(0, 3))


def test_the_best_validated_weights_are_kept():
    """A rate so high that training ruins what it began with."""
    learned, judged = Windows(WAVES, 8, 4, 0, 300), Windows(WAVES, 8, 4, 300)
    model = DLinear(8, 4)
    before = score(model, judged).mse
    done = fit_windows(model, learned, judged, steps=20, learning_rate=100.0)
    assert done.validation == pytest.approx(before, rel=1e-5)
    assert score(model, judged).mse == pytest.approx(before, rel=1e-5)


def test_a_model_learns_and_one_without_weights_is_left_as_it_is():
    learned, judged = Windows(WAVES, 8, 4, 0, 300), Windows(WAVES, 8, 4, 300)
    model = DLinear(8, 4)
    done = fit_windows(model, learned, judged, steps=200, learning_rate=1e-2)
    assert done.steps == 200
    assert score(model, judged).mse < 0.3 * score(LastValue(8, 4), judged).mse
    assert fit_windows(LastValue(8, 4), learned, judged).steps == 0


def test_a_budget_of_time_plans_fewer_steps():
    class Slow(DLinear):
        def forward(self, x):
            torch.linalg.matrix_exp(torch.zeros(300, 300))
            return super().forward(x)

    windows = Windows(WAVES, 8, 4)
    done = fit_windows(Slow(8, 4), windows, None, steps=100_000, minutes=0.005)
    assert 0 < done.steps < 10_000


def test_missing_truths_do_not_count():
    holed = WAVES.copy()
    holed[::7] = np.nan
    windows = Windows(holed, 4, 3)

    class Nought(nn.Module):
        def forward(self, past):
            return torch.zeros(len(past), 3, 2)

    _, future = windows[slice(0, len(windows))]
    assert score(Nought(), windows).mse == pytest.approx(float(future.nanmean() * 0 + future.square().nanmean()), rel=1e-5)


def test_least_squares_are_those_of_the_textbook():
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 2, 4, generator=draw)
    true = torch.randn(2, 3, 4, generator=draw)
    wanted = torch.einsum("nsi,soi->nso", rows, true)
    wanted[7] = torch.nan
    found = least_squares([(rows[:25], wanted[:25]), (rows[25:], wanted[25:])], 0.0, own=True)
    torch.testing.assert_close(found[1:], true, rtol=1e-4, atol=1e-5)
    flat = rows[8:].flatten(0, 1), wanted[8:].flatten(0, 1)
    textbook = torch.linalg.lstsq(*flat).solution.T
    torch.testing.assert_close(least_squares([(rows[8:], wanted[8:])], 0.0), textbook, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(least_squares([(rows[8:], wanted[8:])], 0.0, own=True)[0], textbook, rtol=1e-4, atol=1e-5)


def test_waves_are_forecast_exactly_by_least_squares():
    windows = Windows(WAVES, 8, 4)
    model = LeastSquares(8, 4)
    model.solve(windows, ridge=1e-9)
    assert score(model, windows).mse < 1e-6
