"""What the command line and the page show of a table beside a forecast."""

import pandas as pd
import torch

from tenfold.facts.covariates import season_of
from tenfold.facts.rivals import SeasonalNaive
from tenfold.facts.series import Series

__all__ = ["known_rows", "naive_forecast"]


def known_rows(series: Series, count: int) -> pd.DataFrame:
    """The last rows of a table, its times (or numbers of rows) first."""
    count = min(count, len(series.values))
    first = len(series.values) - count
    times = pd.RangeIndex(first, first + count) if series.times is None else series.times[-count:]
    found = pd.DataFrame(series.values[-count:], columns=list(series.names))
    found.insert(0, series.clock or "step", times)
    return found


def naive_forecast(series: Series, look_back: int, horizon: int) -> pd.DataFrame:
    """The last period of the calendar again and again; the last value where there is none."""
    model = SeasonalNaive(look_back, horizon, season_of(series, look_back))
    past = torch.from_numpy(series.values[None, -look_back:])
    return pd.DataFrame(model(past)[0].numpy(), columns=list(series.names))
