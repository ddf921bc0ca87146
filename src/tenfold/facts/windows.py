"""Windows of series, and the Time-Series-Library's protocol: where training, validation and test lie (spec section 1.7)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tenfold.core.errors import BadInput

__all__ = ["PROTOCOLS", "Borders", "Scaler", "Windows", "borders_of", "least_squares"]


class Borders(NamedTuple):
    """Rows: training ends, validation ends, test ends; a part's windows may look back into the part before."""

    train: int
    validation: int
    test: int


class Scaler(NamedTuple):
    """Mean and population spread of each series; a constant one is only shifted."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Scaler":
        """Of values (times, series), missing ones left out."""
        mean, spread = np.nanmean(values, 0), np.nanstd(values, 0)
        return cls(mean, np.where(spread > 0, spread, 1.0))

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Mean 0 and spread 1."""
        return (values - self.mean) / self.spread

    def back(self, values: np.ndarray) -> np.ndarray:
        """In the units of the data."""
        return values * self.spread + self.mean


class Windows:
    """All windows of some rows, stride 1, none dropped.

    Attributes:
        look_back: steps that a model sees.
        horizon: steps that it forecasts.
    """

    def __init__(self, values: np.ndarray, look_back: int, horizon: int, start: int = 0, stop: int | None = None) -> None:
        """Set up.

        Args:
            values: (times, series).
            look_back: steps that a model sees.
            horizon: steps that it forecasts.
            start: first row to forecast, less `look_back` if that exists.
            stop: the row behind the last one to forecast.

        Raises:
            BadInput: there are too few rows; says how many are needed.
        """
        stop = len(values) if stop is None else stop
        first = max(0, start - look_back)
        if stop - first < look_back + horizon:
            raise BadInput(
                f"{stop - first} rows are too few: a window of {look_back} and a horizon of {horizon} need "
                f"{look_back + horizon}.",
                "Give more rows, or a shorter look-back or horizon.",
            )
        self.look_back, self.horizon = look_back, horizon
        rows = torch.from_numpy(np.ascontiguousarray(values[first:stop], dtype=np.float32))
        self._all = rows.unfold(0, look_back + horizon, 1).transpose(1, 2)  # (windows, steps, series), no copy

    def __len__(self) -> int:
        return len(self._all)

    def batches(self, size: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
        """All windows in order, so many at once."""
        for start in range(0, len(self), size):
            past, future = self[slice(start, start + size)]
            yield past.contiguous(), future

    def __getitem__(self, which: Tensor | np.ndarray | slice) -> tuple[Tensor, Tensor]:
        """Pasts (windows, look_back, series) and futures (windows, horizon, series)."""
        chosen = self._all[torch.as_tensor(which) if isinstance(which, np.ndarray) else which]
        return chosen[:, : self.look_back], chosen[:, self.look_back :]


def least_squares(
    pairs: Iterable[tuple[Tensor, Tensor]], ridge: float, *, own: bool = False
) -> Float[Tensor, "*maps outputs inputs"]:
    """The linear map with the least squared error over all rows, from their products, so that rows need not be kept.

    Args:
        pairs: inputs (windows, series, inputs) and outputs (windows, series, outputs); rows with a missing output do not
            count.
        ridge: added to the diagonal, as a share of its mean.
        own: give a first axis: the map of all series together, then each series' own.
    """
    left = right = torch.zeros(())
    for rows, wanted in pairs:
        whole = wanted.isfinite().all(-1, keepdim=True)
        known, truth = (part.where(whole, 0).double().transpose(0, 1) for part in (rows, wanted))
        left, right = left + known.mT @ known, right + known.mT @ truth
    left, right = (torch.cat((part.sum(0, keepdim=True), part)) if own else part.sum(0) for part in (left, right))
    diagonal = left.diagonal(dim1=-2, dim2=-1)
    diagonal.add_(ridge * diagonal.mean(-1, keepdim=True).clamp_min(1e-12))
    return torch.linalg.solve(left, right).mT.float()


_HOURS = 30 * 24
# Rows of the ETT files that the protocol uses: 12, 4 and 4 months of 30 days.
_ETT = (12 * _HOURS, 16 * _HOURS, 20 * _HOURS)
PROTOCOLS: dict[str, tuple[int, int, int] | None] = {
    "ETTh1": _ETT, "ETTh2": _ETT, "ETTm1": (4 * _ETT[0], 4 * _ETT[1], 4 * _ETT[2]),
    "ETTm2": (4 * _ETT[0], 4 * _ETT[1], 4 * _ETT[2]), "electricity": None, "exchange_rate": None, "traffic": None,
    "weather": None, "solar": None,
}  # fmt: skip


def borders_of(rows: int, protocol: str | None = None) -> Borders:
    """Where the parts end: as published for the ETT files, else 70, 10 and 20 % of the rows.

    Args:
        rows: of the file.
        protocol: a name in `PROTOCOLS`; None: by shares.

    Raises:
        BadInput: the protocol is unknown, or the file is shorter than it says.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise BadInput(f"protocol {protocol!r} is unknown.", f"Use one of: {', '.join(PROTOCOLS)}.")
    fixed = PROTOCOLS[protocol] if protocol else None
    if fixed is not None:
        if rows < fixed[2]:
            raise BadInput(f"{protocol} has {fixed[2]} rows in the protocol, this file {rows}: it is cut off.")
        return Borders(*fixed)
    train, test = int(rows * 0.7), int(rows * 0.2)
    return Borders(train, rows - test, rows)
