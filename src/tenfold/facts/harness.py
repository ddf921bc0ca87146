"""One way to train and to score every forecaster, ours and the rivals: mean squared error on windows, the best validated
weights kept, all test windows scored."""

import copy
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tenfold.core import checkpoint
from tenfold.core import train as loop
from tenfold.core.console import torch_device
from tenfold.core.files import read_object, write_json
from tenfold.core.runs import Run
from tenfold.facts.windows import Windows

__all__ = ["Fitted", "Loss", "Score", "Step", "WindowBatches", "fit_windows", "score", "squared_error"]

Loss = Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]

_JUDGED = 512  # windows that a validation looks at
_AT_ONCE = 256
_TIMED = 5
# Validations and the optimiser take some of a budget too.
_SHARE_OF_BUDGET = 0.8


class Score(NamedTuple):
    """Mean squared and absolute error over all windows, steps and series."""

    mse: float
    mae: float


class Fitted(NamedTuple):
    """How a training went.

    Attributes:
        steps: made.
        seconds: taken.
        validation: lowest loss there, of the mean squared error unless asked otherwise (NaN without validation).
        stopped: Ctrl-C ended it; the best weights so far are kept.
    """

    steps: int
    seconds: float
    validation: float
    stopped: bool = False


class Step(NamedTuple):
    """How far a training is.

    Attributes:
        step: optimiser steps made.
        steps: that there will be at most.
        loss: mean of the training loss since the last report.
        validation: the loss there.
        seconds_left: at this pace, within the time budget.
    """

    step: int
    steps: int
    loss: float
    validation: float
    seconds_left: float


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


def squared_error(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean squared error; missing truths do not count."""
    error, count = _misses(model, batch)
    return error.square().sum() / max(1.0, count)


def fit_windows(
    model: nn.Module,
    windows: Windows,
    validation: Windows | None,
    *,
    loss: Loss = squared_error,
    minutes: float | None = None,
    steps: int | None = None,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.0,
    batch_size: int = 32,
    patience: int | None = 5,
    seed: int = 0,
    device: str = "cpu",
    run: Run | None = None,
    on_step: Callable[[Step], None] | None = None,
    title: str = "Training",
) -> Fitted:
    """Train in place; in the end the model has the weights that did best in validation, also after Ctrl-C.

    Args:
        model: pasts -> futures (of the first series of the windows); one without weights to learn is left as it is.
        windows: to learn.
        validation: to choose weights by; None keeps the last ones.
        loss: of the model and a batch of pasts and futures.
        minutes: time budget; fewer steps are planned if so many would not fit into it.
        steps: optimiser steps, at whose end a cosine brings the rate to 0; default: ten epochs.
        learning_rate: its peak.
        weight_decay: of AdamW.
        batch_size: windows.
        patience: validations, of ten, without a better one before it stops; None: never.
        seed: of the batches.
        device: "cpu", "cuda", "auto".
        run: where checkpoints go, and the best weights; the same call goes on from there. None keeps nothing.
        on_step: told at each validation.
        title: of the live line.
    """
    if not any(weight.requires_grad for weight in model.parameters()):
        return Fitted(0, 0.0, float("nan") if validation is None else _judged(model, validation, loss))
    batches = WindowBatches(windows, batch_size)
    steps = steps or 10 * (len(windows) // batches.size)
    if minutes is not None and torch_device(device) == "cpu":
        steps = _planned(model, loss, batches, steps, minutes, run)
    watch = _Watch(validation, loss, run, on_step, steps, minutes)
    watch.judge(model.eval(), 0)
    config = loop.TrainConfig(
        steps=steps, minutes=minutes, seed=seed, device=device, clip=1.0, schedule="cosine", warmup=min(100, steps // 10),
        patience=patience, evaluate_every=max(1, steps // 10), checkpoint_every=max(1, min(500, steps // 10)),
    )  # fmt: skip
    try:
        done = loop.fit(
            model, watch.counted(loss), batches,
            lambda weights: torch.optim.AdamW(weights, lr=learning_rate, weight_decay=weight_decay), config, run,
            evaluate=watch.judge, title=title,
        )  # fmt: skip
        watch.judge(model.eval(), done.step)
        made = (done.step, done.seconds)
    except KeyboardInterrupt:
        made = None
    model.eval().to("cpu")
    watch.restore(model)
    return Fitted(*(made or (watch.step, watch.seconds)), watch.lowest, made is None)


def _planned(model: nn.Module, loss: Loss, batches: WindowBatches, steps: int, minutes: float, run: Run | None) -> int:
    """How many steps fit into the budget, so that the schedule ends with the training; a resumed run keeps its plan."""
    plan = None if run is None else run.folder / "plan.json"
    if plan is not None and plan.exists():
        return int(read_object(plan)["steps"])
    trial = copy.deepcopy(model).train()
    times = []
    with torch.random.fork_rng(devices=[]):
        for step in range(_TIMED):
            started = time.perf_counter()
            loss(trial, batches(0, step)).backward()
            times.append(time.perf_counter() - started)
    steps = max(1, min(steps, int(_SHARE_OF_BUDGET * 60 * minutes / float(np.median(times)))))
    if plan is not None:
        write_json(plan, {"steps": steps})
    return steps


class _Watch:
    """Looks at validation as a training goes on, keeps the best weights, and tells."""

    def __init__(
        self,
        validation: Windows | None,
        loss: Loss,
        run: Run | None,
        on_step: Callable[[Step], None] | None,
        steps: int,
        minutes: float | None,
    ) -> None:
        self.validation, self.loss, self.on_step, self.steps, self.minutes = validation, loss, on_step, steps, minutes
        self.system = "" if run is None else run.config["system"]
        self.path: Path | None = None if run is None else run.folder / "best.safetensors"
        self.best: dict[str, Tensor] = {}
        self.lowest, self.step, self.losses, self.started, self.first = float("inf"), 0, [], time.monotonic(), -1
        if self.path is not None and self.path.exists():
            found = checkpoint.load(self.path, system=self.system)
            self.best, self.lowest = found.tensors, float(found.meta["validation"])

    @property
    def seconds(self) -> float:
        """Since the training began, or went on."""
        return time.monotonic() - self.started

    def counted(self, loss: Loss) -> Loss:
        """The loss, remembered for the next report."""

        def remembered(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            value = loss(model, batch)
            self.losses.append(value.detach())
            return value

        return remembered

    def judge(self, model: nn.Module, step: int) -> dict[str, float]:
        """The loss in validation; better weights than ever are kept, on disk too."""
        found = float("nan") if self.validation is None else _judged(model, self.validation, self.loss)
        if found < self.lowest:
            self.lowest, self.best = found, copy.deepcopy(model.state_dict())
            if self.path is not None:
                checkpoint.save(self.path, self.best, {"validation": found, "step": step}, system=self.system)
        self.step = step
        if self.on_step is not None:
            self.on_step(Step(step, self.steps, self.mean_loss(), found, self.seconds_left(step)))
        return {} if self.validation is None else {"loss": found}

    def mean_loss(self) -> float:
        found = float(torch.stack(self.losses).mean()) if self.losses else float("nan")
        self.losses.clear()
        return found

    def seconds_left(self, step: int) -> float:
        if not step or self.first < 0:
            self.first = step
            return float("nan")
        pace = self.seconds / max(1, step - self.first)
        left = pace * (self.steps - step)
        return left if self.minutes is None else min(left, max(0.0, 60 * self.minutes - self.seconds))

    def restore(self, model: nn.Module) -> None:
        """The best weights into the model."""
        if self.best:
            model.load_state_dict(self.best)


def score(model: nn.Module, windows: Windows) -> Score:
    """Errors over all windows; missing truths do not count."""
    squared = absolute = count = 0.0
    model.eval()
    with torch.inference_mode():
        for batch in windows.batches():
            error, known = _misses(model, batch)
            squared += float(error.double().square().sum())
            absolute += float(error.double().abs().sum())
            count += known
    return Score(squared / max(1.0, count), absolute / max(1.0, count))


def _judged(model: nn.Module, windows: Windows, loss: Loss) -> float:
    """The mean loss over windows that are spread evenly."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(_JUDGED, len(windows))).astype(int))
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    total = 0.0
    with torch.inference_mode():
        for some in np.array_split(chosen, max(1, len(chosen) // _AT_ONCE)):
            past, future = windows[some]
            total += float(loss(model, (past.to(device), future.to(device)))) * len(some)
    return total / len(chosen)


def _misses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    """Forecast less truth, 0 where the truth is missing, and how many are known."""
    past, future = batch
    forecast = model(past.contiguous())
    truth = future[..., : forecast.shape[-1]]
    known = truth.isfinite()
    return (forecast - truth).where(known, 0), float(known.sum())
