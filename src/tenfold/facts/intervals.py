"""Intervals that hold what they promise: split conformal prediction for each step of the horizon and each series
(Vovk et al. 2005; Romano et al. 2019 for quantile heads).

A forecast's miss on validation windows, in units of the spread of the window that it looked at, says how wide an interval
must be. With n exchangeable windows the ceil((n + 1) level)-th smallest miss covers at least `level`, whatever the model.
Windows of a series overlap and drift, so the promise is measured, not taken for granted: see `coverage`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tenfold.core.errors import BadInput

__all__ = ["LEVELS", "Band", "Conformal", "check_levels", "coverage"]

LEVELS = (0.8, 0.95)


class Band(NamedTuple):
    """Lower and upper ends, in the units of the forecast."""

    low: Float[np.ndarray, "windows horizon series"]
    high: Float[np.ndarray, "windows horizon series"]


class Conformal(NamedTuple):
    """Calibrated half-widths.

    Attributes:
        levels: rising, in (0, 1).
        widths: (levels, horizon, series), added on both sides of what is calibrated, in units of the windows' spread.
        others: (levels, horizon), for the forecast alone of a series that was not calibrated: the widest of all series.
        windows: that calibrated them.
    """

    levels: tuple[float, ...]
    widths: Float[np.ndarray, "levels horizon series"]
    others: Float[np.ndarray, "levels horizon"]
    windows: int

    @classmethod
    def of(
        cls,
        misses: Float[np.ndarray, "levels windows horizon series"],
        levels: Sequence[float] = LEVELS,
        plain: Float[np.ndarray, "windows horizon series"] | None = None,
    ) -> "Conformal":
        """Calibrate.

        Args:
            misses: how far each truth lies outside what the level's band is before calibration, in units of the window's
                spread, negative inside; for a point forecast the absolute error. NaN where the truth is missing. The first
                axis may be 1, the same for all levels.
            levels: of coverage.
            plain: absolute errors of the forecast alone in the same units, if `misses` are others.

        Raises:
            BadInput: a level is not in (0, 1), or levels do not rise.
        """
        levels = check_levels(levels)
        widths = _order_statistics(misses, levels)
        others = widths if plain is None else _order_statistics(plain[None], levels)
        return cls(levels, widths, others.max(-1), int(misses.shape[1]))

    def of_series(self, places: Int[np.ndarray, " series"]) -> "Conformal":
        """For some of the calibrated series, or others (-1)."""
        return self._replace(widths=np.where(places >= 0, self.widths[..., places.clip(0)], self.others[..., None]))

    @property
    def highest(self) -> float:
        """The highest level that so many windows can promise: n / (n + 1)."""
        return self.windows / (self.windows + 1)

    def band(
        self,
        low: Float[np.ndarray, "windows horizon series"],
        high: Float[np.ndarray, "windows horizon series"],
        spread: Float[np.ndarray, "windows 1 series"],
        level: float,
    ) -> Band:
        """The interval of one calibrated level.

        Args:
            low: lower end before calibration; the forecast itself if there are no quantile heads.
            high: the upper one.
            spread: of the windows.
            level: one of `levels`.
        """
        wide = self.widths[self.place(level)] * spread
        middle = (low + high) / 2
        return Band(np.minimum(low - wide, middle), np.maximum(high + wide, middle))

    def place(self, level: float) -> int:
        """Of a level among the calibrated ones.

        Raises:
            BadInput: it is not one of them.
        """
        for place, own in enumerate(self.levels):
            if math.isclose(own, level):
                return place
        raise BadInput(f"Level {level:g} was not calibrated.", f"There are: {', '.join(f'{one:g}' for one in self.levels)}.")


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """The levels, if they rise and lie in (0, 1).

    Raises:
        BadInput: they do not.
    """
    levels = tuple(levels)
    if not levels or any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
        raise BadInput(f"Levels {levels} must rise and lie between 0 and 1, e.g. 0.8, 0.95.")
    return levels


def coverage(band: Band, truth: Float[np.ndarray, "windows horizon series"]) -> float:
    """Share of the truths, missing ones left out, that lie in the band."""
    known = ~np.isnan(truth)
    return float(((truth >= band.low) & (truth <= band.high))[known].mean())


def _order_statistics(misses: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Of n misses the ceil((n + 1) level)-th smallest, or the largest where there are too few: (levels, horizon, series)."""
    count = (~np.isnan(misses[0])).sum(0)
    ranked = np.sort(misses, axis=1)  # NaN last
    widths = []
    for place, level in enumerate(levels):
        rank = np.minimum(np.ceil((count + 1) * level), np.maximum(count, 1)).astype(int) - 1
        widths.append(np.take_along_axis(ranked[min(place, len(misses) - 1)], rank[None], 0)[0])
    return np.stack(widths)
