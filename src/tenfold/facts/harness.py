"""One way to train and to score every forecaster, ours and the rivals: mean squared error on windows, the best validated
weights kept, all test windows scored."""

import copy
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tenfold.core import train as loop
from tenfold.core.runs import Run
from tenfold.facts.windows import Windows

__all__ = ["Fitted", "Score", "WindowBatches", "fit_windows", "score", "start_linear"]

_JUDGED = 1024  # windows that a validation looks at, spread evenly
_AT_ONCE = 256


class Score(NamedTuple):
    """Mean squared and absolute error over all windows, steps and series."""

    mse: float
    mae: float


class Fitted(NamedTuple):
    """How a training went: steps made, seconds, and the best validation error (NaN without validation)."""

    steps: int
    seconds: float
    validation: float


class WindowBatches:
    """Batches of windows as a function of (seed, step): each epoch holds every window once, in a new order."""

    def __init__(self, windows: Windows, size: int) -> None:
        self.windows, self.size = windows, min(size, len(windows))
        self.order = lru_cache(maxsize=2)(self.order)

    def __call__(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """Pasts and futures."""
        epoch, place = divmod(step, len(self.windows) // self.size)
        past, future = self.windows[self.order(seed, epoch)[place * self.size : (place + 1) * self.size]]
        return past.contiguous(), future.contiguous()

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Of an epoch's windows."""
        return np.random.default_rng((seed, epoch)).permutation(len(self.windows))


def fit_windows(
    model: nn.Module,
    windows: Windows,
    validation: Windows | None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    learning_rate: float = 2e-3,
    batch_size: int = 32,
    seed: int = 0,
    device: str = "cpu",
    run: Run | None = None,
    title: str = "Training",
) -> Fitted:
    """Train in place; in the end the model has the weights that did best in validation.

    Args:
        model: pasts -> futures; one without weights is left as it is.
        windows: to learn.
        validation: to choose weights by; None keeps the last ones.
        minutes: time budget.
        steps: optimiser steps, at whose end a cosine brings the rate to 0; default: ten epochs.
        learning_rate: its peak.
        batch_size: windows.
        seed: of the batches.
        device: "cpu", "cuda", "auto".
        run: where checkpoints go; None keeps nothing.
        title: of the live line.
    """
    if not any(weight.requires_grad for weight in model.parameters()):
        return Fitted(0, 0.0, float("nan") if validation is None else _error(model, validation))
    batches = WindowBatches(windows, batch_size)
    steps = steps or 10 * (len(windows) // batches.size)
    best: dict[str, Tensor] = {}
    lowest = float("inf")

    def judge(module: nn.Module, step: int) -> dict[str, float]:
        nonlocal lowest, best
        found = float("inf") if validation is None else _error(module, validation)
        if found < lowest:
            lowest, best = found, copy.deepcopy(module.state_dict())
        return {"loss": found}

    if validation is not None:
        judge(model.eval(), 0)
    config = loop.TrainConfig(
        steps=steps, minutes=minutes, seed=seed, device=device, clip=1.0, schedule="cosine", warmup=min(100, steps // 10),
        evaluate_every=max(1, min(200, steps // 10)),
    )  # fmt: skip
    done = loop.fit(
        model, _loss, batches, lambda weights: torch.optim.Adam(weights, lr=learning_rate), config, run,
        evaluate=None if validation is None else judge, title=title,
    )  # fmt: skip
    model.eval()
    if validation is not None:
        judge(model, done.step)
        model.load_state_dict(best)
    return Fitted(done.step, done.seconds, lowest)


def score(model: nn.Module, windows: Windows) -> Score:
    """Errors over all windows."""
    squared = absolute = 0.0
    count = 0
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(windows), _AT_ONCE):
            past, future = windows[slice(start, start + _AT_ONCE)]
            error = model(past.contiguous()) - future
            squared += float(error.double().square().sum())
            absolute += float(error.double().abs().sum())
            count += error.numel()
    return Score(squared / count, absolute / count)


def start_linear(linear: nn.Linear, windows: Windows, ridge: float = 1e-3) -> None:
    """Set a map of normalised pasts to futures to its least-squares solution over all windows and series, at once.

    A map that starts there needs no training to be as good as a linear forecaster.

    Args:
        linear: (look_back -> horizon), without bias.
        windows: to fit.
        ridge: added to the diagonal, as a share of its mean.
    """
    look_back = windows.look_back
    left = torch.zeros(look_back, look_back, dtype=torch.float64)
    right = torch.zeros(look_back, windows.horizon, dtype=torch.float64)
    for start in range(0, len(windows), _AT_ONCE):
        past, future = windows[slice(start, start + _AT_ONCE)]
        mean = past.mean(1, keepdim=True)  # what a window's spread divides, it multiplies again
        rows, wanted = ((part - mean).transpose(1, 2).flatten(0, 1).double() for part in (past, future))
        left += rows.T @ rows
        right += rows.T @ wanted
    left.diagonal().add_(ridge * left.diagonal().mean())
    with torch.no_grad():
        linear.weight.copy_(torch.linalg.solve(left, right).T)


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    past, future = batch
    return (model(past) - future).square().mean()


def _error(model: nn.Module, windows: Windows) -> float:
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(_JUDGED, len(windows))).astype(int))
    total = count = 0.0
    with torch.inference_mode():
        for some in np.array_split(chosen, max(1, len(chosen) // _AT_ONCE)):
            past, future = windows[some]
            error = model(past.contiguous()) - future
            total += float(error.square().sum())
            count += error.numel()
    return total / count
