"""`Forecaster`: fit it on a table, ask it for the next steps with intervals, save it and load it (spec sections 1.4, 7)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from tenfold.core.console import torch_device
from tenfold.core.errors import BadInput
from tenfold.facts.covariates import Roles, rows_of, season_of
from tenfold.facts.intervals import coverage
from tenfold.facts.residual import Normal
from tenfold.facts.rivals import SeasonalNaive
from tenfold.facts.series import Series, Table, as_series
from tenfold.facts.settings import Settings, validated
from tenfold.facts.trained import Matched, Trained, Training, load, save
from tenfold.facts.windows import Windows

if TYPE_CHECKING:
    from tenfold.facts.harness import Step

__all__ = ["Evaluation", "Forecaster"]

_AT_ONCE = 256
_SHIPPED = Path(__file__).parent / "models" / "town"


@dataclass(frozen=True)
class Evaluation:
    """How good forecasts of a table are, over all its windows; errors in units of the training data's spread.

    Attributes:
        mse: mean squared error.
        mae: mean absolute error.
        linear_mse: of the linear part alone.
        naive_mse: of the last day (week, year: the shortest that makes sense and fits the look-back) again and again; of the
            last value, if the table has no times.
        coverage: share of the truths inside the interval of each level.
        windows: that were forecast.
    """

    mse: float
    mae: float
    linear_mse: float
    naive_mse: float
    coverage: dict[float, float]
    windows: int


class Forecaster:
    """Forecasts of several series together: a linear forecast of each, and what FACTS slots see in all of them.

    Attributes:
        settings: how it is built and trained.
    """

    settings: Settings

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
        given = {"horizon": horizon, "look_back": look_back, "minutes": minutes, "seed": seed, **settings}
        self.settings = validated(Settings, given)
        torch_device(self.settings.device)
        self._trained: Trained | None = None

    def fit(
        self,
        frame: Table,
        validation: Table | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        on_step: "Callable[[Step], None] | None" = None,
    ) -> "Forecaster":
        """Learn from a table. Ctrl-C ends the training, and what is best so far is kept.

        Args:
            frame: a table, wide or long, or the path of one.
            validation: rows that follow it, which choose weights and the widths of intervals; default: its last fifth.
            folder: where the state of the training is kept; the same call goes on from there, also after a crash.
            on_step: told at each validation.

        Raises:
            BadInput: the table cannot be used, or has too few rows.
        """
        from tenfold.facts.fitting import fit_series  # the training loop takes a second to load, forecasts need none

        fill = self.settings.fill
        judged = None if validation is None else as_series(validation, fill=fill)
        self._trained = fit_series(as_series(frame, fill=fill), judged, self.settings, folder=folder, on_step=on_step)
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
            A wide table, also of a long one: the times (numbers of rows, if the table has none) in a column named as the
            table's, the forecast of each series in a column of its name, and for each level, e.g. .8, the ends "NAME-lo-80"
            and "NAME-hi-80".

        Raises:
            BadInput: the table does not fit.
        """
        trained, settings = self.trained, self.settings
        steps = settings.horizon if horizon is None else horizon
        if not 1 <= steps <= settings.horizon:
            raise BadInput(
                f"The horizon is {steps}; the model forecasts 1 to {settings.horizon} steps.",
                "Fit one with a longer horizon.",
            )
        series = as_series(frame, fill=settings.fill)
        matched = trained.matched(series, any_columns=any_columns)
        if matched.roles.future and future is None:
            needed = ", ".join(map(repr, matched.roles.future))
            raise BadInput(f"The model needs {needed} over the horizon.", "Give them as future (--future).")
        past = self._last_window(series, matched, None if future is None else as_series(future, fill=settings.fill))
        found = trained.forecast(past, matched.keys)
        columns: dict[str, Any] = {series.clock or "step": series.after(steps)}
        for place, name in enumerate(matched.roles.targets):
            values = {name: found.mean}
            for level, band in found.bands.items():
                values |= {f"{name}-lo-{100 * level:g}": band.low, f"{name}-hi-{100 * level:g}": band.high}
            scale, origin = matched.scaler.spread[place], matched.scaler.mean[place]
            columns |= {key: value[0, :steps, place] * scale + origin for key, value in values.items()}
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
        rows = self.trained.rows_of_windows(values)
        found = [self.trained.forecast(part).mean for part in rows.split(_AT_ONCE)]
        return self.trained.targets_scaler.back(np.concatenate(found).astype(np.float64))

    def evaluate(self, frame: Table, *, context: Table | None = None) -> Evaluation:
        """Forecast every window of a table and compare with what came.

        Args:
            frame: rows to forecast.
            context: rows before it, so that its first rows are forecast too.

        Raises:
            BadInput: the table does not fit.
        """
        trained, settings = self.trained, self.settings
        series, before = as_series(frame, fill=settings.fill), 0
        trained.matched(series, any_columns=False)
        if context is not None:
            earlier = as_series(context, fill=settings.fill)
            series, before = earlier.followed_by(series), len(earlier.values)
        rows = trained.scaler.scaled(rows_of(series, trained.roles, settings.horizon))
        windows = Windows(rows, settings.look_back, settings.horizon, before)
        naive = SeasonalNaive(settings.look_back, settings.horizon, season_of(series, settings.look_back))
        sums, inside = np.zeros(5), dict.fromkeys(settings.levels, 0.0)
        for past, future in windows.batches():
            truth = future[..., : len(trained.roles.targets)].numpy().astype(np.float64)
            known = np.isfinite(truth)
            found = trained.forecast(past)
            again = naive(past[..., : truth.shape[-1]]).numpy()
            missed, linear, repeated = (np.nan_to_num(one - truth) for one in (found.mean, trained.linear(past), again))
            squares = (float(np.square(one).sum()) for one in (missed, linear, repeated))
            sums += [known.sum(), np.abs(missed).sum(), *squares]
            for level, band in found.bands.items():
                inside[level] += coverage(band, truth) * known.sum()
        count = max(1.0, sums[0])
        mae, mse, linear_mse, naive_mse = (float(one) for one in sums[1:] / count)
        covered = {level: float(hits / count) for level, hits in inside.items()}
        return Evaluation(mse, mae, linear_mse, naive_mse, covered, len(windows))

    def routing(self, frame: Table) -> pd.DataFrame:
        """Who feeds which slot: the router's weights over the last window, averaged over time and heads.

        Returns:
            One row a slot, one column a row of the input; each row adds up to 1.
        """
        series = as_series(frame, fill=self.settings.fill)
        matched = self.trained.matched(series, any_columns=True)
        normal, branch = Normal.of(self._last_window(series, matched, None)), self.trained.network.branch
        with torch.no_grad():
            weights = branch.facts.routing(branch.tokens(normal, matched.keys.rows), branch.mask(normal))
        shares = weights.mean((0, 1, 2)).numpy()
        return pd.DataFrame(
            shares, index=[f"slot {place + 1}" for place in range(len(shares))], columns=list(matched.roles.rows)
        )

    def over_rows(
        self, x: Float[np.ndarray | Tensor, "windows look_back targets"]
    ) -> tuple[Callable[[Tensor], Tensor], Float[Tensor, "windows time rows dim"]]:
        """The scaled forecast as a function of the set of rows, and that set, for `check_invariance`.

        A row is what the router reads of a series at a frame: features of its past, and its name's key.
        """
        network, past = self.trained.network, self.trained.rows_of_windows(x)
        with torch.no_grad():
            normal = Normal.of(past)
            tokens, mask = network.branch.tokens(normal, network.all_keys().rows), network.branch.mask(normal)
            linear = torch.from_numpy(self.trained.linear(past))
        if mask is not None:  # covariates and marks are hidden from all slots at all times: such rows can be left out
            tokens = tokens[:, :, (mask > -torch.inf).any(2).any(1).any(0)]

        def forecast(rows: Tensor) -> Tensor:
            return linear + network.gate * network.branch(rows)[..., 0]

        return forecast, tokens

    def streaming_gap(self, x: Float[np.ndarray | Tensor, "windows look_back targets"]) -> float:
        """Largest difference between slots computed frame by frame and all at once, relative to the largest."""
        branch, (_, tokens) = self.trained.network.branch, self.over_rows(x)
        with torch.no_grad():
            whole = branch.slots(tokens)
            return float((branch.streamed(tokens) - whole).abs().max() / whole.abs().max())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster: `weights.safetensors` and `forecaster.json`.

        Raises:
            BadInput: it was not fitted.
            TenfoldError: the folder cannot be written.
        """
        save(self.trained, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Forecaster":
        """Read a fitted forecaster; it gives the same bits as the one that was saved.

        Raises:
            BadInput: the folder holds no forecaster, or a damaged one.
        """
        return cls.of(load(folder))

    @classmethod
    def shipped(cls) -> "Forecaster":
        """The model that comes along: a day ahead for `town_meters`; `models/town/README.md` is its card."""
        return cls.load(_SHIPPED)

    @classmethod
    def of(cls, trained: Trained) -> "Forecaster":
        """A forecaster that is trained already."""
        model = cls(**trained.settings.model_dump())
        model._trained = trained
        return model

    @property
    def trained(self) -> Trained:
        """What `fit` made.

        Raises:
            BadInput: it was not fitted.
        """
        if self._trained is None:
            raise BadInput("The forecaster was not fitted yet.", "Call fit, or load a saved one.")
        return self._trained

    @property
    def roles(self) -> Roles:
        """Which column is what."""
        return self.trained.roles

    @property
    def training(self) -> Training:
        """How the training went."""
        return self.trained.training

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the data and of what was done."""
        return self.trained.notes

    def _last_window(self, series: Series, matched: Matched, future: Series | None) -> Tensor:
        settings = self.settings
        if len(series.values) < settings.look_back:
            raise BadInput(f"The table has {len(series.values)} rows; the model looks back {settings.look_back}.")
        rows = matched.scaler.scaled(rows_of(series, matched.roles, settings.horizon, future))
        return torch.from_numpy(rows[None, -settings.look_back :].astype(np.float32))
