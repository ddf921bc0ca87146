"""The tour's stop: the shipped model forecasts a made-up town, its rows are shuffled, and frames come one by one."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.core.files import write_atomic
from tenfold.core.report import Stop, Table
from tenfold.facts.forecasting import Forecaster
from tenfold.facts.invariance import check_invariance
from tenfold.facts.pictures import forecast_figure, routing_figure
from tenfold.facts.series import series_of
from tenfold.facts.synthetic import town_meters
from tenfold.facts.views import known_rows, naive_forecast

__all__ = ["NOTICE", "run"]

NOTICE = "The town does not exist: its meters are made up, from a seed on which the shipped model was not trained."
_HOURS = 24 * 40


def run(folder: Path, seed: int) -> Stop:
    """Forecast a day with intervals, and check that order and streaming change nothing; the forecast is left in `folder`.

    Args:
        folder: for the forecast as a table.
        seed: of the town's weather.
    """
    model = Forecaster.shipped()
    horizon, look_back = model.settings.horizon, model.settings.look_back
    town: Any = town_meters(_HOURS, seed=1000 + seed)
    known, came = town[:-horizon], town[-horizon:]
    started = time.perf_counter()
    forecast: Any = model.predict(known)
    seconds = time.perf_counter() - started
    write_atomic(folder / "forecast.csv", forecast.to_csv(index=False).encode())
    judged = model.evaluate(town)
    series = series_of(known)
    naive: Any = naive_forecast(series, look_back, horizon)
    values = series.values
    windows = np.stack([values[start : start + look_back] for start in range(0, len(values) - look_back, 24)])
    fixed, per_frame = check_invariance(model, windows)
    names = model.roles.targets
    rows = [(name, *_errors(forecast[name], naive[name], came[name])) for name in names]
    return Stop(
        "what will the meters show tomorrow?",
        f"{NOTICE} Seven series are forecast a day ahead; then the rows that the memory reads are shuffled, and given one "
        "frame at a time.",
        {
            "mean squared error over all windows, scaled": judged.mse,
            "of its linear part alone": judged.linear_mse,
            "of yesterday again": judged.naive_mse,
            **{f"truths inside the {level:.0%} interval": f"{share:.1%}" for level, share in judged.coverage.items()},
            "largest change if rows are shuffled once": f"{fixed:.1g}",
            "largest change if rows are shuffled in each frame": f"{per_frame:.1g}",
            "largest change if frames come one by one": f"{model.streaming_gap(windows):.1g}",
            "time for the forecast": f"{1000 * seconds:,.0f} ms",
        },
        [Table(("series", "mean error", "of yesterday again"), rows, "The last day, in the units of each meter")],
        [
            *(
                forecast_figure(known_rows(series, look_back), forecast, name, naive=naive[name], truth=came)
                for name in ("heat_new", "power")
            ),
            routing_figure(model.routing(known)),
        ],
        ("Changes are relative to the largest output. A model of your own table: tenfold facts fit TABLE -o MODEL.",),
    )


def _errors(forecast: object, naive: object, came: object) -> tuple[str, str]:
    truth = np.asarray(came)
    mine, again = (float(np.abs(np.asarray(one) - truth).mean()) for one in (forecast, naive))
    return f"{mine:.3g}", f"{again:.3g}"
