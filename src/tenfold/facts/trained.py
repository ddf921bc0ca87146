"""A trained forecaster as one value: network, scale, calibrated intervals, and what every row is; and on disk."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from tenfold.core import checkpoint
from tenfold.core.errors import BadInput
from tenfold.core.files import make_folder, read_object, write_json
from tenfold.facts.covariates import Roles, rows_of
from tenfold.facts.intervals import Band, Conformal
from tenfold.facts.residual import Keys, Normal, ResidualConfig, ResidualNetwork
from tenfold.facts.series import Series
from tenfold.facts.settings import Settings, validated
from tenfold.facts.windows import Scaler

__all__ = ["Forecast", "Matched", "Trained", "Training", "load", "save", "scaler_of", "shape_of"]

_SYSTEM = "facts"
_FORMAT = 1
# A window that happens to be quiet does not make the future certain: intervals are in units of at least this share of the
# training data's spread.
_LEAST_UNIT = 0.1


class Training(NamedTuple):
    """How a training went.

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


class Matched(NamedTuple):
    """The columns of a table as rows of the model: their roles, which trained rows they are, and their scale."""

    roles: Roles
    keys: Keys
    scaler: Scaler


class Forecast(NamedTuple):
    """Scaled forecasts: the mean, and the interval of each level."""

    mean: Float[np.ndarray, "windows horizon targets"]
    bands: dict[float, Band]


@dataclass(frozen=True)
class Trained:
    """A trained forecaster.

    Attributes:
        settings: how it was made.
        roles: which column is what.
        scaler: of the rows.
        network: gives scaled forecasts.
        conformal: calibrated intervals.
        training: how it went.
        notes: what a user should know.
    """

    settings: Settings
    roles: Roles
    scaler: Scaler
    network: ResidualNetwork
    conformal: Conformal
    training: Training
    notes: tuple[str, ...] = ()

    def matched(self, series: Series, *, any_columns: bool) -> Matched:
        """What the columns of a table are.

        Args:
            series: the table.
            any_columns: series may be missing, or new.

        Raises:
            BadInput: they are not those of the training; missing and further ones are named.
        """
        missing = [name for name in self.roles.columns if name not in series.names]
        extra = [name for name in series.names if name not in self.roles.columns]
        if not any_columns:
            said = [
                f"{word} {', '.join(map(repr, names))}" for word, names in (("lacks", missing), ("adds", extra)) if names
            ]
            if said:
                raise BadInput(
                    f"The columns are not those of the training: the table {' and '.join(said)}.",
                    "Allow it with any_columns=True (--any-columns): the linear part alone forecasts new series.",
                )
            return Matched(self.roles, self.network.all_keys(), self.scaler)
        targets = tuple(name for name in series.names if name not in (*self.roles.past, *self.roles.future))
        if not targets:
            raise BadInput("The table has no series to forecast: all its columns are covariates.")
        roles = self.roles._replace(targets=targets)
        trained = {name: place for place, name in enumerate(self.roles.rows)}
        places = np.array([trained.get(name, -1) for name in roles.rows])
        own = scaler_of(rows_of(series, roles, self.settings.horizon), roles)
        known = places >= 0
        scaler = Scaler(
            np.where(known, self.scaler.mean[places], own.mean), np.where(known, self.scaler.spread[places], own.spread)
        )
        return Matched(roles, Keys(torch.from_numpy(places), torch.from_numpy(places[: len(targets)])), scaler)

    def forecast(self, past: Float[Tensor, "windows look_back rows"], keys: Keys | None = None) -> Forecast:
        """Mean and intervals of scaled windows; a new series gets the widest intervals of all."""
        keys = keys or self.network.all_keys()
        with torch.no_grad():
            parts = self.network.parts(past.contiguous(), keys).numpy()
        places = keys.targets.numpy()
        conformal, unit = self.conformal.of_series(places), unit_of(past, len(places))
        bands = {level: conformal.band(*ends(parts, place), unit, level) for place, level in enumerate(self.settings.levels)}
        return Forecast(parts[..., 0], bands)

    def linear(self, past: Float[Tensor, "windows look_back rows"]) -> Float[np.ndarray, "windows horizon targets"]:
        """What the linear part alone forecasts, scaled."""
        with torch.no_grad():
            return self.network.linear(Normal.of(past[..., : len(self.roles.targets)].contiguous())).numpy()

    def rows_of_windows(self, values: Float[np.ndarray | Tensor, "windows look_back targets"]) -> Tensor:
        """Windows of the targets, in the units of the data, as scaled rows; covariates and marks are hidden.

        Raises:
            BadInput: the shape is another one.
        """
        found = np.asarray(values, dtype=np.float64)
        targets, look_back = len(self.roles.targets), self.settings.look_back
        if found.ndim != 3 or found.shape[1:] != (look_back, targets) or not len(found):
            raise BadInput(
                f"values have shape {found.shape}; they must be (windows, {look_back} steps, {targets} series).",
                f"The series are, in order: {', '.join(self.roles.targets)}.",
            )
        rows = np.full((*found.shape[:2], len(self.roles.rows)), np.nan)
        rows[..., :targets] = self.targets_scaler.scaled(found)
        return torch.from_numpy(rows.astype(np.float32))

    @property
    def targets_scaler(self) -> Scaler:
        """Of the targets alone."""
        targets = len(self.roles.targets)
        return Scaler(self.scaler.mean[:targets], self.scaler.spread[:targets])


class _Stored(BaseModel):
    """What `forecaster.json` holds."""

    model_config = ConfigDict(extra="forbid")

    system: str = Field(default=_SYSTEM, pattern=f"^{_SYSTEM}$")
    kind: str = Field(default="forecaster", pattern="^forecaster$")
    format: int = Field(default=_FORMAT, ge=1, le=_FORMAT)
    sha256: str
    settings: Settings
    roles: Roles
    training: Training
    calibrated_on: int = Field(ge=1)
    notes: tuple[str, ...] = ()


def save(trained: Trained, folder: str | os.PathLike[str]) -> None:
    """Write `weights.safetensors` and, last, `forecaster.json`, which knows the hash of the weights.

    Raises:
        TenfoldError: the folder cannot be written.
    """
    folder = make_folder(folder)
    tensors = {f"model.{name}": value for name, value in trained.network.state_dict().items()}
    tensors |= {
        "intervals.others": torch.from_numpy(trained.conformal.others),
        "scaler.mean": torch.from_numpy(trained.scaler.mean), "scaler.spread": torch.from_numpy(trained.scaler.spread),
        "intervals.widths": torch.from_numpy(trained.conformal.widths),
    }  # fmt: skip
    weights = folder / "weights.safetensors"
    checkpoint.save(weights, tensors, {"kind": "forecaster"}, system=_SYSTEM)
    stored = _Stored(
        sha256=_digest(weights), settings=trained.settings, roles=trained.roles, training=trained.training,
        calibrated_on=trained.conformal.windows, notes=trained.notes,
    )  # fmt: skip
    named = {"roles": trained.roles._asdict(), "training": trained.training._asdict()}  # not as lists without names
    write_json(folder / "forecaster.json", stored.model_dump(mode="json") | named)


def load(folder: str | os.PathLike[str]) -> Trained:
    """Read what `save` wrote; the same bits.

    Raises:
        BadInput: the folder holds no forecaster, or a damaged one.
    """
    folder = Path(folder)
    described, weights = folder / "forecaster.json", folder / "weights.safetensors"
    if not described.is_file():
        raise BadInput(f"{folder} holds no forecaster: there is no forecaster.json.", "Make one with: tenfold facts fit.")
    stored = validated(_Stored, read_object(described, limit=16 << 20), where=f"{described}: ")
    tensors = checkpoint.load(weights, system=_SYSTEM).tensors
    if _digest(weights) != stored.sha256:
        raise BadInput(f"{weights} does not belong to the forecaster.json beside it.", "Fit and save it again.")
    settings, roles = stored.settings.model_copy(update={"device": "cpu"}), stored.roles
    with torch.device("meta"):  # a description that asks for a huge network costs nothing before it is compared
        network = ResidualNetwork(shape_of(settings, roles)).eval()
    shapes = {f"model.{name}": tuple(value.shape) for name, value in network.state_dict().items()}
    shapes |= {"scaler.mean": (len(roles.rows),), "scaler.spread": (len(roles.rows),)}
    shapes["intervals.others"] = (len(settings.levels), settings.horizon)
    shapes["intervals.widths"] = (len(settings.levels), settings.horizon, len(roles.targets))
    checkpoint.check_shapes(weights, tensors, shapes)
    weights_by_name = {name: tensors[f"model.{name}"] for name in network.state_dict()}
    network.load_state_dict(weights_by_name, assign=True)
    scaler = Scaler(tensors["scaler.mean"].numpy(), tensors["scaler.spread"].numpy())
    widths, others = tensors["intervals.widths"].numpy(), tensors["intervals.others"].numpy()
    conformal = Conformal(settings.levels, widths, others, stored.calibrated_on)
    return Trained(settings, roles, scaler, network, conformal, stored.training, stored.notes)


def shape_of(settings: Settings, roles: Roles) -> ResidualConfig:
    """The network for some settings and columns."""
    heads = settings.levels if settings.quantile_heads else ()
    return ResidualConfig(
        look_back=settings.look_back, horizon=settings.horizon, targets=len(roles.targets), rows=len(roles.rows),
        slots=settings.slots, slot_size=settings.slot_size, heads=settings.heads, layers=settings.layers,
        stride=settings.stride, dropout=settings.dropout, hidden=settings.hidden,
        quantiles=tuple(share for level in heads for share in ((1 - level) / 2, (1 + level) / 2)),
    )  # fmt: skip


def scaler_of(values: Float[np.ndarray, "times rows"], roles: Roles) -> Scaler:
    """Of the rows; marks of the calendar, and rows that are missing altogether, are left as they are."""
    scaler = Scaler.of(values)
    marks = np.array([name in roles.marks for name in roles.rows])
    mean, spread = np.nan_to_num(scaler.mean), np.nan_to_num(scaler.spread, nan=1.0)
    return Scaler(np.where(marks, 0.0, mean), np.where(marks, 1.0, spread))


def unit_of(past: Float[Tensor, "windows look_back rows"], targets: int) -> Float[np.ndarray, "windows 1 targets"]:
    """What the width of an interval is a multiple of: the spread of the window."""
    return np.hypot(Normal.of(past[..., :targets].contiguous()).spread.numpy(), _LEAST_UNIT)


def ends(parts: Float[np.ndarray, "windows horizon targets outputs"], place: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of a level before calibration: its quantiles, or the mean where there are none."""
    if parts.shape[-1] == 1:
        return parts[..., 0], parts[..., 0]
    low, high = parts[..., 1 + 2 * place], parts[..., 2 + 2 * place]
    return np.minimum(low, high), np.maximum(low, high)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
