"""The Time-Series-Library's protocol as a table: models x files x horizons x seeds, every test window forecast (spec 1.7).

Every model gets the same windows, the same budget and the same choice of weights by validation. A trial that is done is
kept, so the same call goes on where it stopped.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict

from tenfold.core.errors import BadInput
from tenfold.core.experiment import bootstrap_interval
from tenfold.core.files import append_line, make_folder, read_lines
from tenfold.core.parallel import parallel_map
from tenfold.core.runs import lock_folder
from tenfold.facts.fitting import fit_series
from tenfold.facts.forecasting import Forecaster
from tenfold.facts.harness import fit_windows, score
from tenfold.facts.rivals import RIVALS, LeastSquares, rival
from tenfold.facts.series import Series, read_series
from tenfold.facts.settings import Settings
from tenfold.facts.windows import PROTOCOLS, Scaler, Windows, borders_of

__all__ = ["MODELS", "Budget", "Result", "Summary", "Trial", "evaluate_trial", "evaluate_trials", "summarise", "trials_of"]

MODELS = ("facts", "facts linear part", *RIVALS)
# Peak learning rates as they are usual for these models; all other rivals learn with the harness's default.
_RATES = {"DLinear": 5e-3, "RLinear": 5e-3, "PatchTST": 1e-3, "iTransformer": 1e-3, "S-Mamba": 1e-3}
_BATCH = 32
_NO_LIMIT = 10_000.0  # minutes
_DROPOUT = 0.1  # chosen on Weather's validation part
_STEP = {
    "ETTh1": "h",
    "ETTh2": "h",
    "ETTm1": "15min",
    "ETTm2": "15min",
    "electricity": "h",
    "traffic": "h",
    "weather": "10min",
}
_PERIODS = {"ETTm1": 96, "ETTm2": 96, "weather": 144, "solar": 144, "exchange_rate": 5}


class Budget(NamedTuple):
    """What each model may use.

    Attributes:
        minutes: of training; None: no limit.
        steps: of the optimiser at most; None: ten epochs.
    """

    minutes: float | None = 1.0
    steps: int | None = None


class Trial(NamedTuple):
    """One row to be made.

    Attributes:
        model: one of `MODELS`.
        data: a name in `PROTOCOLS`, or any other: then the parts are shares of the rows.
        path: of the file.
        horizon: steps to forecast.
        seed: of weights and batches.
        look_back: steps that are seen.
        budget: see `Budget`.
        device: where it learns.
    """

    model: str
    data: str
    path: str
    horizon: int
    seed: int
    look_back: int = 96
    budget: Budget = Budget()
    device: str = "cpu"

    @property
    def key(self) -> str:
        """What makes it this trial and no other."""
        minutes, steps = self.budget
        return f"{self.model}|{self.data}|{self.look_back}|{self.horizon}|{self.seed}|{minutes}|{steps}"


class Result(BaseModel):
    """A trial that was made; errors are of scaled values, over all test windows.

    Attributes:
        key: of the trial.
        model: its name.
        data: name of the file.
        horizon: steps forecast.
        seed: of weights and batches.
        mse: mean squared error.
        mae: mean absolute error.
        validation: mean squared error there.
        steps: of training.
        seconds: of training.
        windows: that were forecast.
        gate: share of the slots' forecast that validation left; None for other models.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    model: str
    data: str
    horizon: int
    seed: int
    mse: float
    mae: float
    validation: float | None
    steps: int
    seconds: float
    windows: int
    gate: float | None = None


class Summary(NamedTuple):
    """A model on a file and horizon, over seeds.

    Attributes:
        model: its name.
        data: name of the file.
        horizon: steps forecast.
        mse: mean over seeds.
        low: lower end of its 95 % bootstrap interval.
        high: the upper one.
        mae: mean over seeds.
        seeds: how many.
        won: whether no other model has a smaller mean.
    """

    model: str
    data: str
    horizon: int
    mse: float
    low: float
    high: float
    mae: float
    seeds: int
    won: bool


def trials_of(
    files: Mapping[str, str | os.PathLike[str]],
    *,
    models: Sequence[str] = MODELS,
    horizons: Sequence[int] = (96,),
    seeds: Sequence[int] = (0,),
    look_back: int = 96,
    budget: Budget = Budget(),  # noqa: B008 - it is immutable
    device: str = "cpu",
) -> list[Trial]:
    """All combinations, file by file; a model that does not depend on the seed runs with the first alone.

    Raises:
        BadInput: a model is unknown.
    """
    unknown = [name for name in models if name not in MODELS]
    if unknown:
        raise BadInput(f"model {unknown[0]!r} is unknown.", f"Use one of: {', '.join(MODELS)}.")
    seedless = ("last value", "seasonal naive", "least squares", "facts linear part")
    return [
        Trial(model, data, os.fspath(path), horizon, seed, look_back, budget, device)
        for data, path in files.items()
        for horizon in horizons
        for model in models
        for seed in (seeds[:1] if model in seedless else seeds)
    ]


def evaluate_trials(
    trials: Iterable[Trial], folder: str | os.PathLike[str], *, engine: str = "local", workers: int | None = 1
) -> list[Result]:
    """Make the trials that are not there yet; each is kept in `results.jsonl` once it is done.

    Args:
        trials: to make.
        folder: where results are kept.
        engine: "local" or "ray".
        workers: processes; more than one share the cores, so budgets of time buy less.

    Raises:
        BadInput: a file cannot be used, or another process is using the folder.
        TenfoldError: trials failed; the results of the others are kept.
    """
    trials = list(trials)
    path = make_folder(folder) / "results.jsonl"
    with contextlib.closing(lock_folder(path.parent)):
        done = {row["key"]: Result.model_validate(row) for row in read_lines(path)}
        left = [trial for trial in trials if trial.key not in done]

        def keep(index: int, result: Result) -> None:
            append_line(path, result.model_dump())
            done[left[index].key] = result

        names = [trial.key for trial in left]
        parallel_map(
            evaluate_trial, left, engine=engine, workers=workers, names=names, on_result=keep, title="Forecasting",
        )  # fmt: skip
    return [done[trial.key] for trial in trials]


def evaluate_trial(trial: Trial) -> Result:
    """Train on the training part, choose by validation, forecast every window of the test part.

    Raises:
        BadInput: the file cannot be used or is cut off.
    """
    series = _series(trial.path, trial.data)
    protocol = trial.data if trial.data in PROTOCOLS else None
    train, validation, test = borders_of(len(series.values), protocol)
    if trial.model.startswith("facts"):
        return _evaluate_facts(trial, series, train, validation, test)
    values = Scaler.of(series.values[:train]).scaled(series.values[:test])
    learned, judged, tested = (
        Windows(values, trial.look_back, trial.horizon, *part)
        for part in ((0, train), (train, validation), (validation, test))
    )
    torch.manual_seed(trial.seed)
    model = rival(trial.model, trial.look_back, trial.horizon, period=_PERIODS.get(trial.data, 24))
    started = time.monotonic()
    if isinstance(model, LeastSquares):
        model.solve(learned)
    fitted = fit_windows(
        model, learned, judged, minutes=trial.budget.minutes, steps=trial.budget.steps, seed=trial.seed, device=trial.device,
        learning_rate=_RATES.get(trial.model, 2e-3), title=trial.model,
    )  # fmt: skip
    seconds = time.monotonic() - started
    found = score(model, tested)
    return _result(trial, found.mse, found.mae, fitted.validation, fitted.steps, seconds, len(tested))


def summarise(results: Iterable[Result]) -> list[Summary]:
    """Means over seeds with their intervals, and who has the smallest error on each file and horizon."""
    groups: dict[tuple[str, int, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.data, result.horizon, result.model), []).append(result)
    means = {key: float(np.mean([one.mse for one in group])) for key, group in groups.items()}
    least: dict[tuple[str, int], float] = {}
    for (data, horizon, _), mean in means.items():
        least[data, horizon] = min(mean, least.get((data, horizon), float("inf")))
    found = []
    for (data, horizon, model), group in groups.items():
        interval = bootstrap_interval([one.mse for one in group])
        mae = float(np.mean([one.mae for one in group]))
        won = means[data, horizon, model] == least[data, horizon]
        found.append(Summary(model, data, horizon, *interval, mae, len(group), won))
    return found


def _evaluate_facts(trial: Trial, series: Series, train: int, validation: int, test: int) -> Result:
    epochs = 10 * (train // _BATCH)
    steps = 0 if trial.model == "facts linear part" else trial.budget.steps or epochs
    settings = Settings(
        horizon=trial.horizon, look_back=trial.look_back, minutes=trial.budget.minutes or _NO_LIMIT, steps=steps,
        batch_size=_BATCH, seed=trial.seed, device=trial.device, calendar=series.times is not None, dropout=_DROPOUT,
    )  # fmt: skip
    started = time.monotonic()
    trained = fit_series(series.between(0, train), series.between(train, validation), settings)
    seconds = time.monotonic() - started
    model = Forecaster.of(trained)
    found = model.evaluate(
        series.between(validation, test), context=series.between(validation - trial.look_back, validation)
    )
    went = trained.training
    return _result(trial, found.mse, found.mae, went.mse, went.steps, seconds, found.windows, went.gate)


@functools.lru_cache(maxsize=2)
def _series(path: str, data: str) -> Series:
    """A file's series; the benchmark's clocks are taken as regular from their first time on, whatever single rows say."""
    try:
        return read_series(path)
    except BadInput:
        if data not in _STEP:
            raise
        series = read_series(path, time="none")
        start: Any = pd.read_csv(path, nrows=1, encoding="latin-1").iloc[0, 0]
        times = pd.date_range(pd.Timestamp(start), periods=len(series.values), freq=_STEP[data])
        return replace(series, times=times, clock="date")


def _result(
    trial: Trial,
    mse: float,
    mae: float,
    validation: float,
    steps: int,
    seconds: float,
    windows: int,
    gate: float | None = None,
) -> Result:
    return Result(
        key=trial.key, model=trial.model, data=trial.data, horizon=trial.horizon, seed=trial.seed, mse=mse, mae=mae,
        validation=validation, steps=steps, seconds=round(seconds, 1), windows=windows, gate=gate,
    )  # fmt: skip
