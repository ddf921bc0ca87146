"""`Forecaster`: fit it on a table, ask it for the next steps, with intervals; save it and load it (spec sections 1.4 and 7)."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from tenfold.core import checkpoint
from tenfold.core.console import torch_device
from tenfold.core.errors import BadInput
from tenfold.core.files import make_folder, read_object, write_json
from tenfold.core.runs import Run
from tenfold.facts.covariates import Roles, rows_of
from tenfold.facts.harness import Fitted, Step, fit_windows, squared_error
from tenfold.facts.intervals import LEVELS, Band, Conformal, coverage
from tenfold.facts.residual import Keys, Normal, ResidualConfig, ResidualNetwork
from tenfold.facts.series import Fill, Series, read_series, series_of
from tenfold.facts.windows import Scaler, Windows

__all__ = ["Evaluation", "Forecaster", "Settings", "Table"]

Shape = TypeVar("Shape", bound=BaseModel)
Table = pd.DataFrame | Series | str | os.PathLike[str]
_SYSTEM = "facts"
_FORMAT = 1
_AT_ONCE = 256
_MINUTES = 2.5
_STEPS = 600
_VALIDATION_SHARE = 0.2
_LEAST_GATE = 0.05


class Settings(BaseModel):
    """How a forecaster is built and trained.

    Attributes:
        horizon: steps to forecast.
        look_back: steps that it sees.
        minutes: time budget of the training; None: 2.5. The number of steps is bounded too.
        steps: of the training at most.
        seed: of weights and batches.
        past_covariates: columns known up to now that help to forecast the others.
        future_covariates: columns known over the horizon too.
        calendar: whether time of day, week and year are given to the model.
        fill: what becomes of missing values: see `read_series`; "mask" hides them from the model.
        levels: of the intervals.
        quantile_heads: whether intervals begin from learned quantiles instead of the forecast alone.
        slots: K.
        slot_size: D.
        layers: of the encoder.
        stride: see `ResidualConfig`.
        dropout: in training.
        hidden: see `ResidualConfig`.
        learning_rate: of the training.
        weight_decay: of the training.
        batch_size: windows a step.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = Field(default=96, ge=1, le=10_000)
    look_back: int = Field(default=96, ge=2, le=100_000)
    minutes: float | None = Field(default=None, gt=0)
    steps: int = Field(default=_STEPS, ge=0)
    seed: int = Field(default=0, ge=0)
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    calendar: bool = False
    fill: Fill = "refuse"
    levels: tuple[float, ...] = LEVELS
    quantile_heads: bool = False
    slots: int = Field(default=4, ge=1)
    slot_size: int = Field(default=16, ge=1)
    layers: int = Field(default=1, ge=1)
    stride: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    hidden: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=32, ge=1)
    device: str = "cpu"


@dataclass(frozen=True)
class Evaluation:
    """How good forecasts of a table are, over all its windows; errors in units of the training data's spread.

    Attributes:
        mse: mean squared error.
        mae: mean absolute error.
        linear_mse: of the linear part alone.
        coverage: share of the truths inside the interval of each level.
        windows: that were forecast.
    """

    mse: float
    mae: float
    linear_mse: float
    coverage: dict[float, float]
    windows: int


class Training(NamedTuple):
    """What `fit` found.

    Attributes:
        steps: made.
        seconds: taken.
        stopped: by Ctrl-C.
        linear_mse: validation error of the linear part.
        mse: validation error of the whole.
        gate: share of the branch that validation left, in [0, 1].
    """

    steps: int
    seconds: float
    stopped: bool
    linear_mse: float
    mse: float
    gate: float


class Forecaster:
    """Forecasts of several series together.

    Attributes:
        settings: how it was built.
        notes: what a user should know of the data and of what was done.
        training: what `fit` found.
        roles: which column is what.
    """

    settings: Settings
    notes: tuple[str, ...]
    training: Training
    roles: Roles

    def __init__(
        self, horizon: int = 96, look_back: int = 96, minutes: float | None = None, seed: int = 0, **settings: Any
    ) -> None:
        """Choose.

        Args:
            horizon: steps to forecast.
            look_back: steps that it sees.
            minutes: time budget of the training; None: 2.5.
            seed: of weights and batches.
            **settings: any other of `Settings`.

        Raises:
            BadInput: a setting is unknown or out of range; a CUDA device is asked for that is not there.
        """
        self.settings = _validated(
            Settings, {"horizon": horizon, "look_back": look_back, "minutes": minutes, "seed": seed, **settings}
        )
        torch_device(self.settings.device)
        self.notes = ()

    def fit(
        self,
        frame: Table,
        validation: Table | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> "Forecaster":
        """Learn from a table. Ctrl-C ends the training, and what is best so far is kept.

        Args:
            frame: a table, wide or long, or the path of one.
            validation: rows that follow it, to choose weights and widths of intervals by; default: its last fifth.
            folder: where the state of the training is kept; the same call goes on from there, also after a crash.
            on_step: told at each validation.

        Raises:
            BadInput: the table cannot be used, or has too few rows.
        """
        settings = self.settings
        series = _read(frame, settings.fill)
        self.roles = Roles.of(series, settings.past_covariates, settings.future_covariates, calendar=settings.calendar)
        series, rows = _followed(series, None if validation is None else _read(validation, settings.fill), settings)
        self.notes = series.notes
        values = rows_of(series, self.roles, settings.horizon)
        self._scaler = _scaler(values[:rows], self.roles)
        scaled = self._scaler.scaled(values)
        learned = Windows(scaled, settings.look_back, settings.horizon, 0, rows)
        judged = Windows(scaled, settings.look_back, settings.horizon, rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self._network = ResidualNetwork(self._shape())
        self._network.linear.solve(learned, len(self.roles.targets))
        fitted = self._train(learned, judged, folder, on_step)
        self._choose_gate(judged, fitted)
        self._calibrate(judged)
        return self

    def predict(
        self, frame: Table, *, horizon: int | None = None, future: Table | None = None, any_columns: bool = False
    ) -> pd.DataFrame:
        """Forecast the steps behind a table.

        Args:
            frame: at least `look_back` rows; more are not looked at.
            horizon: at most the trained one; default: that.
            future: the covariates known ahead, for the horizon.
            any_columns: series may be missing, or be new ones, which the linear part forecasts alone.

        Returns:
            The times (numbers of rows, if the table has no times) in a column named as the table's, the forecast of each
            series in a column of its name, and for each level, e.g. .8, the ends "NAME-lo-80" and "NAME-hi-80".

        Raises:
            BadInput: the table does not fit.
        """
        settings = self.settings
        steps = self._checked_horizon(horizon)
        series = _read(frame, settings.fill)
        roles, keys, scaler = self._matched(series, any_columns=any_columns)
        if len(series.values) < settings.look_back:
            raise BadInput(f"The table has {len(series.values)} rows; the model looks back {settings.look_back}.")
        if roles.future and future is None:
            raise BadInput(
                f"The model needs {', '.join(map(repr, roles.future))} over the horizon.", "Give them as future (--future)."
            )
        ahead = None if future is None else _read(future, settings.fill)
        rows = scaler.scaled(rows_of(series, roles, settings.horizon, ahead))[-settings.look_back :]
        past = torch.from_numpy(rows[None].astype(np.float32))
        mean, bands = self._forecast(past, keys)
        columns: dict[str, Any] = {series.clock or "step": series.after(steps)}
        for place, name in enumerate(roles.targets):
            columns[name] = _back(mean, scaler, place)[0, :steps]
            for level, band in bands.items():
                for end, values in (("lo", band.low), ("hi", band.high)):
                    columns[f"{name}-{end}-{100 * level:g}"] = _back(values, scaler, place)[0, :steps]
        return pd.DataFrame(columns)

    def forecast_windows(
        self, values: Float[np.ndarray, "windows look_back targets"]
    ) -> Float[np.ndarray, "windows horizon targets"]:
        """Forecast many windows at once, in the units of the data.

        Args:
            values: of the trained series in their order; NaN is missing. Covariates and marks are hidden.

        Raises:
            BadInput: the shape is another one.
        """
        rows = self._rows_of_windows(values)
        found = [self._means(part) for part in rows.split(_AT_ONCE)]
        return self._target_scaler.back(torch.cat(found).numpy().astype(np.float64))

    def evaluate(self, frame: Table, *, context: Table | None = None) -> Evaluation:
        """Forecast every window of a table and compare with what came.

        Args:
            frame: rows to forecast.
            context: rows before it, so that the first rows are forecast too.

        Raises:
            BadInput: the table does not fit.
        """
        settings = self.settings
        series, before = _read(frame, settings.fill), 0
        self._matched(series, any_columns=False)
        if context is not None:
            earlier = _read(context, settings.fill)
            before = len(earlier.values)
            series = _joined(earlier, series)
        rows = self._scaler.scaled(rows_of(series, self.roles, settings.horizon))
        windows = Windows(rows, settings.look_back, settings.horizon, before)
        squared = absolute = linear = count = 0.0
        inside = dict.fromkeys(settings.levels, 0.0)
        for start in range(0, len(windows), _AT_ONCE):
            past, future = windows[slice(start, start + _AT_ONCE)]
            truth = future[..., : len(self.roles.targets)].numpy()
            known = np.isfinite(truth)
            mean, bands = self._forecast(past.contiguous(), self._network.all_keys())
            squared += float(np.square(mean - truth)[known].sum(dtype=np.float64))
            absolute += float(np.abs(mean - truth)[known].sum(dtype=np.float64))
            linear += float(np.square(self._linear(past) - truth)[known].sum(dtype=np.float64))
            count += float(known.sum())
            for level, band in bands.items():
                inside[level] += coverage(band, truth) * float(known.sum())
        count = max(1.0, count)
        return Evaluation(
            squared / count, absolute / count, linear / count, {level: hit / count for level, hit in inside.items()},
            len(windows),
        )  # fmt: skip

    def routing(self, frame: Table) -> pd.DataFrame:
        """Who feeds which slot: the router's weights over the last window, averaged over time and heads.

        Returns:
            One row a slot, one column a row of the input; each row adds up to 1.
        """
        settings = self.settings
        series = _read(frame, settings.fill)
        roles, keys, scaler = self._matched(series, any_columns=True)
        if len(series.values) < settings.look_back:
            raise BadInput(f"The table has {len(series.values)} rows; the model looks back {settings.look_back}.")
        rows = scaler.scaled(rows_of(series, roles, settings.horizon))[-settings.look_back :]
        branch = self._network.branch
        with torch.no_grad():
            normal = Normal.of(torch.from_numpy(rows[None].astype(np.float32)))
            weights = branch.facts.routing(branch.tokens(normal, keys.rows), branch.mask(normal))
        shares = weights.mean((0, 1, 2)).numpy()
        return pd.DataFrame(shares, [f"slot {place + 1}" for place in range(len(shares))], list(roles.rows))

    def over_rows(
        self, x: Float[np.ndarray | Tensor, "windows look_back targets"]
    ) -> tuple[Callable[[Tensor], Tensor], Float[Tensor, "windows time rows dim"]]:
        """The forecast as a function of the set of rows, and that set, for `check_invariance`.

        A row is what the router reads of a series at a frame: features of its past, and its name's key.
        """
        network = self._network
        with torch.no_grad():
            past = self._rows_of_windows(x)
            normal = Normal.of(past)
            targets = len(self.roles.targets)
            own = Normal(*(part if part is None else part[..., :targets] for part in normal))
            linear, tokens = network.linear(own), network.branch.tokens(normal, network.all_keys().rows)

        def forecast(rows: Tensor) -> Tensor:
            return linear + network.gate * network.branch(rows)[..., 0] * own.spread

        return forecast, tokens

    def streaming_gap(self, x: Float[np.ndarray | Tensor, "windows look_back targets"]) -> float:
        """Largest difference between slots computed frame by frame and all at once, relative to the largest."""
        branch = self._network.branch
        _, tokens = self.over_rows(x)
        with torch.no_grad():
            whole = branch.slots(tokens)
            return float((branch.streamed(tokens) - whole).abs().max() / whole.abs().max())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster: `weights.safetensors` and `forecaster.json`.

        Raises:
            BadInput: it was not fitted.
            TenfoldError: the folder cannot be written.
        """
        self._check_fitted()
        folder = make_folder(folder)
        tensors = {f"model.{name}": value for name, value in self._network.state_dict().items()}
        tensors |= {
            "scaler.mean": torch.from_numpy(self._scaler.mean),
            "scaler.spread": torch.from_numpy(self._scaler.spread),
        }
        tensors["intervals.widths"] = torch.from_numpy(self._conformal.widths)
        weights = folder / "weights.safetensors"
        checkpoint.save(weights, tensors, {"kind": "forecaster"}, system=_SYSTEM)
        written = {
            "system": _SYSTEM, "kind": "forecaster", "format": _FORMAT, "sha256": _digest(weights),
            "settings": self.settings.model_dump(mode="json"), "roles": self.roles._asdict(),
            "training": self.training._asdict(), "calibrated_on": self._conformal.windows, "notes": self.notes,
        }  # fmt: skip
        write_json(folder / "forecaster.json", written)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str | None = None) -> "Forecaster":
        """Read a fitted forecaster; it gives the same bits as the one that was saved.

        Args:
            folder: that `save` wrote.
            device: in place of the one that it was trained on.

        Raises:
            BadInput: the folder holds no forecaster, or a damaged one.
        """
        folder = Path(folder)
        if not (folder / "forecaster.json").is_file():
            raise BadInput(
                f"{folder} holds no forecaster: there is no forecaster.json.", "Make one with: tenfold facts fit."
            )
        written = read_object(folder / "forecaster.json", limit=16 << 20)
        stored = _validated(_Stored, written, where=f"{folder / 'forecaster.json'}: ")
        weights = folder / "weights.safetensors"
        found = checkpoint.load(weights, system=_SYSTEM)
        if _digest(weights) != stored.sha256:
            raise BadInput(f"{weights} does not belong to the forecaster.json beside it.", "Fit and save it again.")
        model = cls.__new__(cls)
        model.settings = stored.settings.model_copy(update={"device": device or "cpu"})
        torch_device(model.settings.device)
        model.roles, model.training, model.notes = stored.roles, stored.training, stored.notes
        model._network = ResidualNetwork(model._shape()).eval()
        model._take(weights, found.tensors, stored.calibrated_on)
        return model

    def _take(self, path: Path, tensors: Mapping[str, Tensor], calibrated_on: int) -> None:
        """Weights, scaler and widths of intervals."""
        rows, targets = len(self.roles.rows), len(self.roles.targets)
        shapes = {f"model.{name}": tuple(value.shape) for name, value in self._network.state_dict().items()}
        shapes |= {"scaler.mean": (rows,), "scaler.spread": (rows,)}
        shapes["intervals.widths"] = (len(self.settings.levels), self.settings.horizon, targets)
        checkpoint.check_shapes(path, tensors, shapes)
        prefix = "model."
        self._network.load_state_dict({n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)})
        self._scaler = Scaler(tensors["scaler.mean"].numpy(), tensors["scaler.spread"].numpy())
        self._conformal = Conformal(self.settings.levels, tensors["intervals.widths"].numpy(), calibrated_on)

    def _shape(self) -> ResidualConfig:
        settings = self.settings
        levels = tuple(
            share for level in settings.levels for share in ((1 - level) / 2, (1 + level) / 2)
        ) if settings.quantile_heads else ()  # fmt: skip
        return ResidualConfig(
            look_back=settings.look_back, horizon=settings.horizon, targets=len(self.roles.targets),
            rows=len(self.roles.rows), slots=settings.slots, slot_size=settings.slot_size, layers=settings.layers,
            stride=settings.stride, dropout=settings.dropout, hidden=settings.hidden, levels=levels,
        )  # fmt: skip

    def _train(
        self,
        learned: Windows,
        judged: Windows,
        folder: str | os.PathLike[str] | None,
        on_step: Callable[[Step], None] | None,
    ) -> Fitted:
        settings = self.settings
        options: dict[str, Any] = {
            "loss": _with_quantiles if settings.quantile_heads else squared_error, "minutes": settings.minutes or _MINUTES,
            "steps": settings.steps, "learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay,
            "batch_size": settings.batch_size, "seed": settings.seed, "device": settings.device, "on_step": on_step,
        }  # fmt: skip
        if not settings.steps:
            self._network.branch.requires_grad_(False)
            return fit_windows(self._network.eval(), learned, judged)
        if folder is None:
            return fit_windows(self._network, learned, judged, **options)
        config = {"verb": "fit", **settings.model_dump(mode="json"), "targets": self.roles.targets}
        with Run.open(folder, system=_SYSTEM, config=config, free=("device", "minutes")) as run:
            return fit_windows(self._network, learned, judged, run=run, **options)

    def _choose_gate(self, judged: Windows, fitted: Fitted) -> None:
        """The share of the branch with the least validation error; a least-squares problem of one unknown."""
        against = along = squared = count = 0.0
        network = self._network.eval()
        network.gate.fill_(1.0)
        for start in range(0, len(judged), _AT_ONCE):
            past, future = judged[slice(start, start + _AT_ONCE)]
            linear = torch.from_numpy(self._linear(past)).double()
            truth = future[..., : len(self.roles.targets)].double()
            known = truth.isfinite()
            added = (self._means(past).double() - linear).where(known, 0)
            missed = (linear - truth).where(known, 0)
            against -= float((missed * added).sum())
            along += float(added.square().sum())
            squared += float(missed.square().sum())
            count += float(known.sum())
        gate = min(1.0, max(0.0, against / along)) if along > 0 else 0.0
        gate = gate if gate >= _LEAST_GATE else 0.0
        network.gate.fill_(gate)
        count = max(1.0, count)
        whole = (squared - 2 * gate * against + gate * gate * along) / count
        self.training = Training(fitted.steps, fitted.seconds, fitted.stopped, squared / count, whole, gate)
        if not gate and fitted.steps:
            self.notes += ("What the slots add did not help in validation: the forecast is the linear part alone.",)

    def _calibrate(self, judged: Windows) -> None:
        levels, targets = self.settings.levels, len(self.roles.targets)
        misses: list[np.ndarray] = []
        for start in range(0, len(judged), _AT_ONCE):
            past, future = judged[slice(start, start + _AT_ONCE)]
            parts, spread = self._parts(past.contiguous(), self._network.all_keys())
            truth = future[..., :targets].numpy()
            ends = [self._ends(parts, place) for place in range(len(levels))]
            misses.append(np.stack([np.maximum(low - truth, truth - high) / spread for low, high in ends]))
        self._conformal = Conformal.of(np.concatenate(misses, 1), levels)
        if self._conformal.highest < levels[-1]:
            self.notes += (
                f"{len(judged)} validation windows can promise intervals of at most {self._conformal.highest:.0%}.",
            )

    def _ends(self, parts: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of a level before calibration."""
        if not self.settings.quantile_heads:
            return parts[..., 0], parts[..., 0]
        low, high = parts[..., 1 + 2 * place], parts[..., 2 + 2 * place]
        return np.minimum(low, high), np.maximum(low, high)

    def _forecast(self, past: Tensor, keys: Keys) -> tuple[np.ndarray, dict[float, Band]]:
        """Mean and intervals, scaled; a series that was not trained gets the widest trained one's widths."""
        parts, spread = self._parts(past, keys)
        chosen = keys.targets.numpy()
        widths = np.where(
            chosen >= 0, self._conformal.widths[..., chosen.clip(0)], self._conformal.widths.max(-1, keepdims=True)
        )
        conformal = self._conformal._replace(widths=widths)
        bands = {}
        for place, level in enumerate(self.settings.levels):
            bands[level] = conformal.band(*self._ends(parts, place), spread, level)
        return parts[..., 0], bands

    def _parts(self, past: Tensor, keys: Keys) -> tuple[np.ndarray, np.ndarray]:
        """Mean and quantiles, scaled, and the spread of the windows."""
        with torch.no_grad():
            parts = self._network.parts(past, keys)
            spread = Normal.of(past[..., : len(keys.targets)]).spread
        return parts.numpy(), spread.numpy()

    def _means(self, past: Tensor) -> Tensor:
        with torch.no_grad():
            return self._network(past.contiguous())

    def _linear(self, past: Tensor) -> np.ndarray:
        with torch.no_grad():
            return self._network.linear(Normal.of(past[..., : len(self.roles.targets)].contiguous())).numpy()

    def _matched(self, series: Series, *, any_columns: bool) -> tuple[Roles, Keys, Scaler]:
        """The columns of a table as rows of the model: their roles, which trained rows they are, and their scale."""
        self._check_fitted()
        missing = [name for name in self.roles.columns if name not in series.names]
        extra = [name for name in series.names if name not in self.roles.columns]
        if not any_columns:
            if missing or extra:
                said = [
                    f"{word} {', '.join(map(repr, names))}" for word, names in (("lacks", missing), ("adds", extra)) if names
                ]
                raise BadInput(
                    f"The columns are not those of the training: the table {' and '.join(said)}.",
                    "Allow it with any_columns=True (--any-columns); new series are forecast by the linear part alone.",
                )
            return self.roles, self._network.all_keys(), self._scaler
        covariates = (*self.roles.past, *self.roles.future)
        targets = tuple(name for name in series.names if name not in covariates)
        if not targets:
            raise BadInput("The table has no series to forecast: all its columns are covariates.")
        roles = self.roles._replace(targets=targets)
        trained = {name: place for place, name in enumerate(self.roles.rows)}
        places = np.array([trained.get(name, -1) for name in roles.rows])
        keys = Keys(torch.from_numpy(places), torch.from_numpy(places[: len(targets)]))
        return roles, keys, self._scaler_for(series, roles, places)

    def _scaler_for(self, series: Series, roles: Roles, places: np.ndarray) -> Scaler:
        """The trained scale of trained rows; a new series' own."""
        own = _scaler(rows_of(series, roles, self.settings.horizon), roles)
        known = places >= 0
        return Scaler(
            np.where(known, self._scaler.mean[places], own.mean), np.where(known, self._scaler.spread[places], own.spread)
        )

    @property
    def _target_scaler(self) -> Scaler:
        targets = len(self.roles.targets)
        return Scaler(self._scaler.mean[:targets], self._scaler.spread[:targets])

    def _rows_of_windows(self, values: np.ndarray | Tensor) -> Tensor:
        """Windows of the targets as scaled rows; the other rows are hidden."""
        self._check_fitted()
        found = np.asarray(values, dtype=np.float64)
        targets, look_back = len(self.roles.targets), self.settings.look_back
        if found.ndim != 3 or found.shape[1:] != (look_back, targets) or not len(found):
            raise BadInput(
                f"values have shape {found.shape}; they must be (windows, {look_back} steps, {targets} series).",
                f"The series are, in order: {', '.join(self.roles.targets)}.",
            )
        rows = np.full((*found.shape[:2], len(self.roles.rows)), np.nan)
        rows[..., :targets] = self._target_scaler.scaled(found)
        return torch.from_numpy(rows.astype(np.float32))

    def _checked_horizon(self, horizon: int | None) -> int:
        self._check_fitted()
        trained = self.settings.horizon
        if horizon is None:
            return trained
        if not 1 <= horizon <= trained:
            raise BadInput(
                f"The horizon is {horizon}; the model forecasts 1 to {trained} steps.", "Fit one with a longer horizon."
            )
        return horizon

    def _check_fitted(self) -> None:
        if not hasattr(self, "_network"):
            raise BadInput("The forecaster was not fitted yet.", "Call fit, or load a saved one.")


class _Stored(BaseModel):
    """What `forecaster.json` must hold."""

    model_config = ConfigDict(extra="ignore")

    system: str = Field(pattern="^facts$")
    kind: str = Field(pattern="^forecaster$")
    format: int = Field(ge=1, le=_FORMAT)
    sha256: str
    settings: Settings
    roles: Roles
    training: Training
    calibrated_on: int = Field(ge=1)
    notes: tuple[str, ...] = ()


def _validated(kind: type[Shape], given: Mapping[str, Any], where: str = "") -> Shape:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadInput(f"{where}{name} is wrong: {first['msg']}.") from error


def _read(table: Table, fill: Fill) -> Series:
    if isinstance(table, Series):
        return table
    if isinstance(table, pd.DataFrame):
        return series_of(table, fill=fill)
    return read_series(table, fill=fill)


def _followed(series: Series, validation: Series | None, settings: Settings) -> tuple[Series, int]:
    """Training rows with validation behind them, and how many are for training."""
    look_back, horizon = settings.look_back, settings.horizon
    rows = len(series.values)
    if validation is not None:
        needed = look_back + horizon
        if rows < needed or len(validation.values) < horizon:
            raise BadInput(
                f"{rows} rows and {len(validation.values)} to validate are too few: a look-back of {look_back} and a horizon "
                f"of {horizon} need {needed} and {horizon}.",
                "Give more rows, or a shorter look-back or horizon.",
            )
        return _joined(series, validation.chosen(series.names)), rows
    needed = look_back + 2 * horizon
    if rows < needed:
        raise BadInput(
            f"{rows} rows are too few: a look-back of {look_back}, a horizon of {horizon} and as much to validate need "
            f"{needed}.",
            "Give more rows, or a shorter look-back or horizon.",
        )
    behind = min(rows - look_back - horizon, max(horizon, int(rows * _VALIDATION_SHARE)))
    return series, rows - behind


def _joined(first: Series, second: Series) -> Series:
    """One table of two, the second of which goes on where the first ends.

    Raises:
        BadInput: it does not.
    """
    second = second.chosen(first.names)
    times = None
    if first.times is not None and second.times is not None:
        if second.times[0] != first.after(1)[0]:
            raise BadInput(
                f"The second table begins at {second.times[0]}; the first ends at {first.times[-1]}.",
                "It must go on with the next step.",
            )
        times = first.times.append(second.times)
    notes = tuple(dict.fromkeys((*first.notes, *second.notes)))
    return replace(first, values=np.concatenate((first.values, second.values)), times=times, notes=notes)


def _scaler(values: np.ndarray, roles: Roles) -> Scaler:
    """Of the rows; marks of the calendar are left as they are."""
    scaler = Scaler.of(values)
    marks = np.array([name in roles.marks for name in roles.rows])
    return Scaler(
        np.where(marks, 0.0, np.nan_to_num(scaler.mean)), np.where(marks, 1.0, np.nan_to_num(scaler.spread, nan=1.0))
    )


def _back(values: np.ndarray, scaler: Scaler, place: int) -> np.ndarray:
    """One series, in the units of the data."""
    return values[..., place].astype(np.float64) * scaler.spread[place] + scaler.mean[place]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_quantiles(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Squared error of the mean and pinball loss of the quantiles (Koenker and Bassett 1978)."""
    past, future = batch
    parts = model.parts(past)
    levels = torch.tensor(model.config.levels, device=parts.device)
    truth = future[..., : parts.shape[2], None]
    missed = (truth - parts).where(truth.isfinite(), 0)
    pinball = torch.maximum(levels * missed[..., 1:], (levels - 1) * missed[..., 1:])
    return missed[..., 0].square().mean() + pinball.mean()
