"""A visit to the page: a table, a model of it, and what is shown of both; the page itself only lays it out."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.keeping import Keeper
from tenfold.facts.forecasting import Forecaster
from tenfold.facts.invariance import check_invariance
from tenfold.facts.series import Fill, Series, read_series, series_of
from tenfold.facts.synthetic import town_meters

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from tenfold.facts.harness import Step

__all__ = ["Frame", "Visit", "begin", "columns_of", "end", "kept", "made_up", "picture", "routes", "shuffled", "streamed"]

MAX_BYTES, MAX_ROWS, MAX_SERIES, MAX_MINUTES = 20 << 20, 200_000, 100, 2.0
_WINDOWS = 16
_visits: "Keeper[Visit]" = Keeper(32)


@dataclass
class Visit:
    """What has been made for a visitor.

    Attributes:
        series: the table.
        model: fitted, or the shipped one.
        forecast: of the steps behind the table.
        ended: set to end the training with what is best so far.
    """

    series: Series
    model: Forecaster
    forecast: "pd.DataFrame | None" = None
    ended: threading.Event = field(default_factory=threading.Event)


class Frame(NamedTuple):
    """A frame of the streaming demonstration.

    Attributes:
        number: from 1.
        frames: that there are.
        slots: (frames so far, slots) size of each slot's output.
        gap: largest difference so far from all frames at once, relative to the largest.
        milliseconds: that the frame took, the median of those so far.
    """

    number: int
    frames: int
    slots: np.ndarray
    gap: float
    milliseconds: float


def columns_of(path: str, fill: Fill = "mask") -> tuple[str, ...]:
    """The names of a table's series."""
    return _table(path, fill).names


def made_up(seed: int = 1) -> str:
    """Forecast the made-up town by the shipped model; returns the word of the visit."""
    series = series_of(town_meters(24 * 30, seed=seed))
    visit = Visit(series, Forecaster.shipped())
    visit.forecast = visit.model.predict(series)
    return _visits.keep(visit)


def begin(
    path: str | None, columns: Sequence[str], horizon: int, look_back: int, minutes: float, fill: Fill
) -> "Iterator[tuple[str, Step | None]]":
    """Fit a model to a visitor's table and forecast; ends early where `Visit.ended` is set.

    Yields:
        The word of the visit, and how far the training is; None when all is done.

    Raises:
        BadInput: the table or a setting cannot be used.
    """
    if not path:
        raise BadInput("There is no table yet.", "Upload one, or take the made-up town.")
    series = _table(path, fill)
    series = series.chosen(list(columns)) if columns else series
    if len(series.names) > MAX_SERIES:
        raise BadInput(f"The table has {len(series.names)} series; this page takes {MAX_SERIES}.", "Choose some of them.")
    model = Forecaster(horizon, look_back, min(minutes, MAX_MINUTES), fill=fill)
    visit = Visit(series, model)
    word = _visits.keep(visit)
    yield from ((word, step) for step in _training(visit))
    visit.forecast = model.predict(series)
    yield word, None


def _training(visit: Visit) -> "Iterator[Step]":
    """The training's reports, as another thread makes them."""
    told: queue.Queue[Any] = queue.Queue()

    def tell(step: "Step") -> None:
        told.put(step)
        if visit.ended.is_set():
            raise KeyboardInterrupt  # as Ctrl-C: what is best so far is kept

    def train() -> None:
        try:
            visit.model.fit(visit.series, on_step=tell)
            told.put(None)
        except BaseException as error:  # told to the visitor by the thread that waits
            told.put(error)

    worker = threading.Thread(target=train, daemon=True)
    worker.start()
    while (found := told.get()) is not None:
        if isinstance(found, BaseException):
            raise found
        yield found


def kept(word: str | None) -> Visit:
    """A visit that has a forecast.

    Raises:
        BadInput: there is none, or it was forgotten.
    """
    visit = _visits.find(word)
    if visit is None or visit.forecast is None:
        raise BadInput("There is no forecast yet, or this page has forgotten it.", "Forecast first.")
    return visit


def end(word: str | None) -> None:
    """Let a training end with what is best so far."""
    visit = _visits.find(word)
    if visit is not None:
        visit.ended.set()


def picture(visit: Visit, name: str) -> "go.Figure":
    """A series' past, forecast, intervals, and the last period again."""
    from tenfold.facts.pictures import forecast_figure
    from tenfold.facts.views import known_rows, naive_forecast

    assert visit.forecast is not None
    look_back = visit.model.settings.look_back
    again: Any = naive_forecast(visit.series, look_back, len(visit.forecast))
    return forecast_figure(known_rows(visit.series, look_back), visit.forecast, name, naive=again[name])


def routes(visit: Visit) -> "go.Figure":
    """Who feeds which slot."""
    from tenfold.facts.pictures import routing_figure

    return routing_figure(visit.model.routing(visit.series))


def shuffled(visit: Visit, seed: int) -> dict[str, float]:
    """Largest change of the output under new orders of the rows: of this model, and of a GRU over rows side by side."""
    windows = _windows(visit)
    fixed, per_frame = check_invariance(visit.model, windows, seed=seed)
    _, tokens = visit.model.over_rows(windows)
    torch.manual_seed(0)
    gru = torch.nn.GRU(tokens.shape[2] * tokens.shape[3], 32, batch_first=True)
    rival = check_invariance(lambda x: gru(x.flatten(2))[0], tokens, seed=seed)
    return {"fixed": fixed, "per_frame": per_frame, "rival_fixed": rival.fixed, "rival_per_frame": rival.per_frame}


def streamed(visit: Visit) -> Iterator[Frame]:
    """The last window, frame by frame: the slots after each, and how far they are from all frames at once."""
    branch = visit.model.trained.network.branch
    _, tokens = visit.model.over_rows(_windows(visit)[-1:])
    with torch.no_grad():
        whole = branch.facts(tokens).y
        state, found, times = branch.facts.initial_state(1), [], []
        for number, frame in enumerate(tokens.unbind(1), 1):
            started = time.perf_counter()
            y, state = branch.facts.step(frame, state)
            times.append(time.perf_counter() - started)
            found.append(y)
            so_far = torch.stack(found, 1)
            gap = float((so_far - whole[:, :number]).abs().max() / whole.abs().max())
            yield Frame(number, tokens.shape[1], so_far[0].norm(dim=-1).numpy(), gap, 1e3 * float(np.median(times)))


def _windows(visit: Visit) -> np.ndarray:
    look_back = visit.model.settings.look_back
    values = visit.series.chosen(visit.model.roles.targets).values
    starts = np.unique(np.linspace(0, len(values) - look_back, _WINDOWS).astype(int))
    return np.stack([values[start : start + look_back] for start in starts])


def _table(path: str, fill: Fill) -> Series:
    if Path(path).stat().st_size > MAX_BYTES:
        raise BadInput(f"The file is larger than {MAX_BYTES >> 20} MB.", "Use the command: tenfold facts fit")
    try:
        found = read_series(path, fill=fill)
    except TenfoldError as error:  # in the visitor's own name of the file
        raise BadInput(error.message.replace(str(Path(path)), Path(path).name), error.hint) from error
    if len(found.values) > MAX_ROWS:
        raise BadInput(f"The table has {len(found.values)} rows; this page takes {MAX_ROWS}.", "Use: tenfold facts fit")
    return found
