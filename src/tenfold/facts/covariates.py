"""Rows beside the series that are forecast: covariates known so far, covariates known ahead, and marks of the calendar.

What is known ahead is moved back by the horizon, so that a window's last frame holds what is known of the last step to
forecast.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tenfold.core.errors import BadInput
from tenfold.facts.series import Series

__all__ = ["Roles", "calendar_marks", "rows_of", "season_of"]

_DAY = 86_400
# Periods that are marked, in seconds, if a step is at most a quarter of them.
_PERIODS = {"day": _DAY, "week": 7 * _DAY, "year": 365.25 * _DAY}


class Roles(NamedTuple):
    """Which column is what.

    Attributes:
        targets: series to forecast.
        past: covariates known up to now.
        future: covariates known over the horizon too.
        marks: of the calendar, e.g. "day sin".
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows, in order."""
        return self.targets + self.past + self.future + self.marks

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return self.targets + self.past + self.future

    @classmethod
    def of(cls, series: Series, past: Sequence[str], future: Sequence[str], *, calendar: bool) -> "Roles":
        """Roles of a table's columns: what is no covariate is a target.

        Raises:
            BadInput: a covariate is no column, or named twice; nothing is left to forecast; there are no times to mark.
        """
        named = [*past, *future]
        series.chosen(named)
        if len(set(named)) < len(named):
            raise BadInput("A covariate is named twice; it is known either so far or ahead.")
        targets = tuple(name for name in series.names if name not in named)
        if not targets:
            raise BadInput("All columns are covariates: there is nothing to forecast.")
        if calendar and series.times is None:
            raise BadInput("The table has no times, so there are no marks of the calendar.", "Leave the calendar out.")
        marks = tuple(calendar_marks(series.times[:3])) if calendar and series.times is not None else ()
        return cls(targets, tuple(past), tuple(future), marks)


def calendar_marks(times: pd.DatetimeIndex) -> dict[str, np.ndarray]:
    """Sine and cosine of the time of day, week and year, as far as the steps are fine enough for them."""
    seconds = np.asarray(times.astype("datetime64[s]").astype("int64"), dtype=float)
    step = seconds[1] - seconds[0] if len(seconds) > 1 else 0.0
    marks = {}
    for name, period in _PERIODS.items():
        if 4 * step <= period:
            # The first of January 1970 was a Thursday: three days later weeks begin.
            angle = 2 * np.pi * (seconds - 4 * _DAY) / period
            marks[f"{name} sin"], marks[f"{name} cos"] = np.sin(angle), np.cos(angle)
    return marks


def season_of(series: Series, look_back: int) -> int:
    """Steps of the shortest period of the calendar that has at least four and fits a window; 1 if there is none."""
    if series.times is None:
        return 1
    span: Any = series.times[-1] - series.times[0]
    step = span.total_seconds() / (len(series.times) - 1)  # a mean, for months differ in length
    fitting = [round(period / step) for period in _PERIODS.values() if 4 * step <= period <= look_back * step]
    return fitting[0] if fitting else 1


def rows_of(series: Series, roles: Roles, horizon: int, future: Series | None = None) -> np.ndarray:
    """A table as rows (times, R), in the order of `Roles.rows`; what is not known is NaN.

    Args:
        series: the table; a column that it lacks is hidden.
        roles: of its columns.
        horizon: by which what is known ahead is moved back.
        future: covariates known ahead for the `horizon` steps behind the table.

    Raises:
        BadInput: `future` lacks a covariate, or has fewer steps than the horizon.
    """
    length = len(series.values)
    found = np.full((length, len(roles.rows)), np.nan)
    for place, name in enumerate(roles.rows):
        if name in roles.marks:
            continue
        column = series.values[:, series.names.index(name)] if name in series.names else np.full(length, np.nan)
        if name in roles.future:
            behind = np.full(horizon, np.nan) if future is None else _ahead(future, name, horizon)
            column = np.concatenate((column, behind))[horizon:]
        found[:, place] = column
    if roles.marks and series.times is not None:
        times = pd.DatetimeIndex(series.times.append(pd.DatetimeIndex(series.after(horizon))))
        marks = calendar_marks(times[horizon:])
        for name in roles.marks:
            if name in marks:
                found[:, roles.rows.index(name)] = marks[name]
    return found


def _ahead(future: Series, name: str, horizon: int) -> np.ndarray:
    column = future.chosen([name]).values[:, 0]
    if len(column) < horizon:
        raise BadInput(f"Covariate {name!r} is known {len(column)} steps ahead; the horizon is {horizon}.")
    return column[:horizon]
