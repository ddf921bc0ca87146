"""A table -> a trained forecaster: the linear part at once, the slots by gradient, then what validation leaves of both."""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tenfold.core.errors import BadInput
from tenfold.core.runs import Run
from tenfold.facts.covariates import Roles, rows_of
from tenfold.facts.harness import Fitted, Step, fit_windows, squared_error
from tenfold.facts.intervals import Conformal
from tenfold.facts.residual import Normal, ResidualNetwork
from tenfold.facts.series import Series
from tenfold.facts.settings import Settings
from tenfold.facts.trained import Trained, Training, ends, scaler_of, shape_of, unit_of
from tenfold.facts.windows import Windows

__all__ = ["fit_series"]

_MINUTES = 2.5
_VALIDATION_SHARE = 0.2
# A smaller share of the branch is not worth its computation.
_LEAST_GATE = 0.05


def fit_series(
    series: Series,
    validation: Series | None,
    settings: Settings,
    *,
    folder: str | os.PathLike[str] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Trained:
    """Train. Ctrl-C ends the training, and what is best so far is kept.

    Args:
        series: to learn from.
        validation: rows that follow it; default: its last fifth.
        settings: see `Settings`.
        folder: where the state of the training is kept; the same call goes on from there.
        on_step: told at each validation.

    Raises:
        BadInput: there are too few rows, or the two tables do not go together.
    """
    roles = Roles.of(series, settings.past_covariates, settings.future_covariates, calendar=settings.calendar)
    series, rows = _with_validation(series, validation, settings)
    values = rows_of(series, roles, settings.horizon)
    scaler = scaler_of(values[:rows], roles)
    parts = _parts(scaler.scaled(values), rows, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ResidualNetwork(shape_of(settings, roles))
    network.linear.solve(parts.learned)
    network.linear.choose(parts.judged)
    of_data = {"targets": roles.targets, "data": hashlib.sha256(values.tobytes()).hexdigest()[:16]}
    fitted = _trained_branch(network, parts, settings, of_data, folder, on_step)
    training, notes = _with_gate(network.eval(), parts.judged, fitted), series.notes
    if not training.gate and training.steps:
        notes += ("What the slots add did not help in validation: the forecast is the linear part alone.",)
    conformal = _calibrated(network, parts.judged, settings)
    if conformal.highest < settings.levels[-1]:
        notes += (f"{len(parts.judged)} validation windows can promise intervals of at most {conformal.highest:.1%}.",)
    return Trained(settings, roles, scaler, network, conformal, training, notes)


class _Parts(NamedTuple):
    """Windows to learn from, and windows that judge."""

    learned: Windows
    judged: Windows


def _with_validation(series: Series, validation: Series | None, settings: Settings) -> tuple[Series, int]:
    """Training rows with validation behind them, and how many are for training."""
    look_back, horizon, rows = settings.look_back, settings.horizon, len(series.values)
    hint = "Give more rows, or a shorter look-back or horizon."
    if validation is not None:
        if rows < look_back + horizon or len(validation.values) < horizon:
            words = f"{rows} rows, and {len(validation.values)} to validate, are too few: look-back {look_back} and horizon"
            raise BadInput(f"{words} {horizon} need {look_back + horizon}, and {horizon} to validate.", hint)
        return series.followed_by(validation), rows
    needed = look_back + 2 * horizon
    if rows < needed:
        words = f"{rows} rows are too few: look-back {look_back}, horizon {horizon} and as much to validate need {needed}."
        raise BadInput(words, hint)
    behind = min(rows - look_back - horizon, max(horizon, int(rows * _VALIDATION_SHARE)))
    return series, rows - behind


def _parts(scaled: np.ndarray, rows: int, settings: Settings) -> _Parts:
    look_back, horizon = settings.look_back, settings.horizon
    return _Parts(Windows(scaled, look_back, horizon, 0, rows), Windows(scaled, look_back, horizon, rows))


def _trained_branch(
    network: ResidualNetwork,
    parts: _Parts,
    settings: Settings,
    of_data: Mapping[str, Any],
    folder: str | os.PathLike[str] | None,
    on_step: Callable[[Step], None] | None,
) -> Fitted:
    if not settings.steps:
        network.gate.zero_()
        return Fitted(0, 0.0, float("nan"))
    options: dict[str, Any] = {
        "loss": mean_and_quantiles if settings.quantile_heads else squared_error, "minutes": settings.minutes or _MINUTES,
        "steps": settings.steps, "learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay,
        "batch_size": settings.batch_size, "seed": settings.seed, "device": settings.device, "on_step": on_step,
    }  # fmt: skip
    if folder is None:
        return fit_windows(network, *parts, **options)
    config = {"verb": "fit", **settings.model_dump(mode="json"), **of_data}
    with Run.open(folder, system="facts", config=config, free=("device", "minutes")) as run:
        return fit_windows(network, *parts, run=run, **options)


def mean_and_quantiles(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Squared error of the mean and pinball loss of the quantiles (Koenker and Bassett 1978)."""
    past, future = batch
    parts = model.parts(past)
    levels = torch.tensor(model.config.quantiles, device=parts.device)
    truth = future[..., : parts.shape[2], None]
    missed = (truth - parts).where(truth.isfinite(), 0)
    pinball = torch.maximum(levels * missed[..., 1:], (levels - 1) * missed[..., 1:])
    return missed[..., 0].square().mean() + pinball.mean()


def _with_gate(network: ResidualNetwork, judged: Windows, fitted: Fitted) -> Training:
    """Give the branch the share with the least validation error: a least-squares problem of one unknown."""
    against = along = squared = count = 0.0
    for past, future in judged.batches():
        with torch.no_grad():
            whole = network(past).double()
            linear = network.linear(Normal.of(past[..., : whole.shape[-1]].contiguous())).double()
        truth = future[..., : whole.shape[-1]].double()
        known = truth.isfinite()
        missed, added = (truth - linear).where(known, 0), (whole - linear).where(known, 0)
        against += float((missed * added).sum())
        along += float(added.square().sum())
        squared += float(missed.square().sum())
        count += float(known.sum())
    gate = min(1.0, max(0.0, against / along)) if along else 0.0
    gate = gate if gate >= _LEAST_GATE else 0.0
    network.gate.fill_(gate)
    count = max(1.0, count)
    whole_mse = (squared - 2 * gate * against + gate * gate * along) / count
    return Training(fitted.steps, fitted.seconds, fitted.stopped, squared / count, whole_mse, gate)


def _calibrated(network: ResidualNetwork, judged: Windows, settings: Settings) -> Conformal:
    """Widths of the intervals, from how far the validation windows were missed."""
    misses, plain = [], []
    for past, future in judged.batches():
        with torch.no_grad():
            parts = network.parts(past).numpy()
        targets = parts.shape[2]
        truth, unit = future[..., :targets].numpy(), unit_of(past, targets)
        places = range(len(settings.levels)) if settings.quantile_heads else range(1)
        missed = [(np.maximum(low - truth, truth - high) / unit) for low, high in (ends(parts, place) for place in places)]
        misses.append(np.stack(missed))
        plain.append(np.abs(truth - parts[..., 0]) / unit)
    return Conformal.of(np.concatenate(misses, 1), settings.levels, np.concatenate(plain))
