"""A town's hourly meters, made up: weather that drives them, late and not linearly, and people's days and weeks.

For the tour, tests and the shipped model: no public data set may be shipped. What a meter does next depends on what other
meters showed hours before, so that looking at all of them together pays.
"""

import numpy as np
import pandas as pd

from tenfold.core.errors import BadInput

__all__ = ["town_meters"]

_START = "2024-01-01"


def town_meters(hours: int = 24 * 300, seed: int = 0) -> pd.DataFrame:
    """Meters of a town that does not exist.

    Args:
        hours: rows, at least 48.
        seed: of the weather and of the noise.

    Returns:
        `time`, then `temperature` (degrees), `sun` (share of a clear day's), `rain` (mm), `heat_old` and `heat_new` (MW of
        old houses, which cool quickly, and of new ones), `power` (MW), `river` (m3/s).
    """
    if hours < 48:
        raise BadInput(f"hours is {hours}; at least 48 are needed.")
    draw = np.random.default_rng(seed)
    hour = np.arange(hours)
    of_day, is_weekend = hour % 24, (hour // 24) % 7 >= 5
    fronts = _smooth(draw.standard_normal(hours), 0.985) * 0.9
    clouds = 1 / (1 + np.exp(-1.2 * _smooth(draw.standard_normal(hours), 0.93)))
    height = np.clip(np.sin(np.pi * (of_day - 6) / 12), 0, None)
    sun = height * (1 - 0.8 * clouds)
    temperature = 9 + 5 * fronts + 5 * _late(sun, 1, 0.8) + 0.3 * draw.standard_normal(hours)
    rain = np.where(clouds > 0.75, draw.exponential(6 * np.clip(clouds - 0.75, 0, None)), 0.0)
    presence = np.where(is_weekend, 0.8, 1.0) * (0.6 + 0.5 * _bump(of_day, 8, 2) + 0.7 * _bump(of_day, 19, 3))
    cold_old, cold_new = (np.clip(16 - _late(temperature, lag, keep), 0, None) for lag, keep in ((5, 0.8), (14, 0.93)))
    heat_old = 2.0 * cold_old * (0.6 + 0.4 * presence) + 0.8 * draw.standard_normal(hours)
    heat_new = 0.8 * cold_new * (0.8 + 0.2 * presence) + 0.3 * draw.standard_normal(hours)
    cooling = np.clip(_late(temperature, 4, 0.8) - 18, 0, None)
    power = 20 + 16 * presence + 1.5 * cooling - 9 * sun + 0.6 * draw.standard_normal(hours)
    river = 8 + 14 * _late(rain, 20, 0.96) ** 1.3 + 0.2 * draw.standard_normal(hours)
    columns = {
        "temperature": temperature, "sun": sun, "rain": rain, "heat_old": heat_old, "heat_new": heat_new, "power": power,
        "river": river,
    }  # fmt: skip
    return pd.DataFrame(
        {"time": pd.date_range(_START, periods=hours, freq="h")}
        | {name: values.round(3) for name, values in columns.items()}
    )


def _smooth(values: np.ndarray, keep: float) -> np.ndarray:
    """A moving average that keeps so much of the hour before; white noise keeps its spread of 1."""
    found = np.empty_like(values)
    state = values[0]
    for place, value in enumerate(values):
        state = keep * state + np.sqrt(1 - keep**2) * value
        found[place] = state
    return found


def _late(values: np.ndarray, lag: int, keep: float) -> np.ndarray:
    """What comes `lag` hours late and smoothed, as through walls or a catchment."""
    delayed = np.concatenate((np.full(lag, values[0]), values[:-lag]))
    found = np.empty_like(delayed)
    state = delayed[0]
    for place, value in enumerate(delayed):
        state = keep * state + (1 - keep) * value
        found[place] = state
    return found


def _bump(hour: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((hour - centre) / width) ** 2)
