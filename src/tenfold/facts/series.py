"""Users' tables as series of one clock: CSV (wide, or long as `unique_id, ds, y`), parquet, .npz, or a pandas frame."""

import gzip
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from tenfold.core.errors import BadInput
from tenfold.core.extras import require
from tenfold.core.files import read_npz

__all__ = ["Fill", "Series", "Table", "as_series", "read_series", "series_of"]

Fill = Literal["refuse", "forward", "linear", "mask"]
FILLS: tuple[Fill, ...] = ("refuse", "forward", "linear", "mask")
_SIZE_LIMIT = 2 << 30
_NO_TIME = "none"
_AS_ROWS = "Mend the table, or take rows as steps: --time none."
_LONG = ("unique_id", "ds", "y")
_SENTINELS = (-9999.0, -999.0, 9999.0)


@dataclass(frozen=True)
class Series:
    """M series over T common times.

    Attributes:
        values: (T, M) float64; NaN only where missing values were kept ("mask").
        names: of the series.
        times: T rising times a constant step apart; None if the table had none.
        notes: what a user should know of the data.
        clock: name of the column of times; None if the table had none.
    """

    values: np.ndarray
    names: tuple[str, ...]
    times: pd.DatetimeIndex | None = None
    notes: tuple[str, ...] = ()
    clock: str | None = None

    def after(self, steps: int) -> pd.DatetimeIndex | pd.RangeIndex:
        """The next times; numbers of rows if there are no times."""
        rows = len(self.values)
        if self.times is None:
            return pd.RangeIndex(rows, rows + steps)
        return pd.date_range(self.times[-1], periods=steps + 1, freq=_step(self.times))[1:]

    def chosen(self, names: Sequence[str]) -> "Series":
        """These series alone, in this order.

        Raises:
            BadInput: names the missing ones.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            raise BadInput(
                f"There is no column {', '.join(map(repr, missing))}.", f"The columns are: {', '.join(self.names)}."
            )
        return replace(self, values=self.values[:, [self.names.index(name) for name in names]], names=tuple(names))

    def between(self, start: int, stop: int) -> "Series":
        """The rows from `start` to before `stop`."""
        times = None if self.times is None else self.times[start:stop]
        return replace(self, values=self.values[start:stop], times=times)

    def followed_by(self, later: "Series") -> "Series":
        """One table of two.

        Raises:
            BadInput: the second lacks a series, or does not go on where the first ends.
        """
        later = later.chosen(self.names)
        times = None
        if self.times is not None and later.times is not None:
            if bool(later.times[0] != self.after(1)[0]):
                raise BadInput(
                    f"The second table begins at {later.times[0]}; the first ends at {self.times[-1]}.",
                    "It must go on with the next step.",
                )
            times = self.times.append(later.times)
        notes = tuple(dict.fromkeys((*self.notes, *later.notes)))
        return replace(self, values=np.concatenate((self.values, later.values)), times=times, notes=notes)


Table = pd.DataFrame | Series | str | os.PathLike[str]


def as_series(table: Table, *, fill: Fill = "refuse") -> Series:
    """A pandas frame, a path, or series themselves; errors as of `read_series`."""
    if isinstance(table, Series):
        return table
    return series_of(table, fill=fill) if isinstance(table, pd.DataFrame) else read_series(table, fill=fill)


def read_series(
    path: str | os.PathLike[str], *, fill: Fill = "refuse", time: str | None = None, columns: Sequence[str] | None = None
) -> Series:
    """Read a file: .csv, .txt, .tsv (.gz), .parquet, or .npz with one array (T, M).

    Args:
        path: of the file.
        fill: what becomes of missing values: an error; the last value; a line between neighbours; or kept, for a model that
            hides them.
        time: its column; default: named like one, or the first that is no number. "none": rows are steps.
        columns: to take, in this order; default all.

    Raises:
        BadInput: the file is missing, too large or damaged, or a cell, time or column is not usable; it is named.
    """
    file = Path(path)
    if not file.is_file():
        raise BadInput(f"{file} is not there.")
    if file.stat().st_size > _SIZE_LIMIT:
        raise BadInput(f"{file.name} has {file.stat().st_size >> 20} MB; the limit is {_SIZE_LIMIT >> 20} MB.")
    kind = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind == "npz":
        return _of_arrays(file, fill)
    if kind == "parquet":
        require("pyarrow", "facts")
        try:
            frame, notes = pd.read_parquet(file), []
        except Exception as error:  # whatever the reader of a damaged file raises
            raise BadInput(f"{file.name} is no parquet file: {_short(error)}.") from error
    else:
        frame, notes = _read_text(file)
    found = series_of(frame, fill=fill, time=time, columns=columns, source=file.name)
    return replace(found, notes=(*notes, *found.notes))


def series_of(
    frame: Any,
    *,
    fill: Fill = "refuse",
    time: str | None = None,
    columns: Sequence[str] | None = None,
    source: str = "The frame",
) -> Series:
    """A pandas frame, wide or long, as series; other arguments and errors as of `read_series`."""
    if fill not in FILLS:
        raise BadInput(f"fill {fill!r} is unknown.", f"Use one of: {', '.join(FILLS)}.")
    if isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.rename_axis(frame.index.name or "ds").reset_index()
    if set(_LONG) <= set(frame.columns):
        frame = _wide(frame, source)
        time = "ds"
    clock = _clock(frame, None if time == _NO_TIME else time, source)
    kept = [str(name) for name in frame.columns if name != clock]
    if columns is not None:
        missing = [name for name in columns if name not in kept]
        if missing:
            raise BadInput(f"{source} has no column {', '.join(map(repr, missing))}.", f"It has: {', '.join(kept)}.")
        kept = list(columns)
    if not kept or not len(frame):
        raise BadInput(f"{source} holds no numbers.")
    values = np.stack([_numbers(frame[name], name, source) for name in kept], 1)
    times = None if clock is None or time == _NO_TIME else _times(frame[clock], clock, source)
    values, more = _filled(values, kept, fill, source)
    return Series(values, tuple(kept), times, (*more, *_remarks(values, kept)), None if times is None else clock)


def _read_text(file: Path) -> tuple[Any, list[str]]:
    """A text table, with what was odd about it."""
    separator = "\t" if ".tsv" in file.name.lower() else ","
    notes: list[str] = []
    encoding = "utf-8-sig"
    try:
        first, last = _ends(file, encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        first, last = _ends(file, encoding)
        notes.append(f"{file.name} is not UTF-8: read as latin-1.")
    except (OSError, EOFError) as error:
        raise BadInput(f"{file.name} cannot be read: {_short(error)}.") from error
    heads, fields = first.split(separator), last.split(separator)
    if len(fields) < len(heads):
        words = f"The last row of {file.name} has {len(fields)} of {len(heads)} fields: the file is cut off."
        raise BadInput(words, "Fetch it again, or remove the row.")
    has_header = not all(_is_number(head) for head in heads)
    try:
        frame = pd.read_csv(file, sep=separator, encoding=encoding, header=0 if has_header else None, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError, EOFError) as error:
        raise BadInput(f"{file.name} is no table: {_short(error)}.") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame, notes


def _ends(file: Path, encoding: str) -> tuple[str, str]:
    """The first and the last line that is not empty."""
    first = last = ""
    opens: Any = gzip.open if file.name.lower().endswith(".gz") else open
    with opens(file, "rt", encoding=encoding, newline=None) as lines:
        for line in lines:
            if line.strip():
                last = line.rstrip("\n")
                first = first or last
    if not first:
        raise BadInput(f"{file.name} is empty.")
    return first, last


def _of_arrays(file: Path, fill: Fill) -> Series:
    try:
        with zipfile.ZipFile(file) as found:
            keys = tuple(name.removesuffix(".npy") for name in found.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{file.name} is no .npz file: {_short(error)}.") from error
    if len(keys) != 1:
        raise BadInput(f"{file.name} holds {len(keys)} arrays; it must be one, (times, series).")
    values = read_npz(file, keys, limit=_SIZE_LIMIT)[keys[0]]
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        raise BadInput(f"{file.name}: the array has shape {values.shape} and type {values.dtype}; needed: (times, series).")
    return series_of(pd.DataFrame(values).rename(columns=str), fill=fill, source=file.name)


def _wide(frame: Any, source: str) -> Any:
    """Rows (unique_id, ds, y) as one column for each id."""
    twice = frame.duplicated(["unique_id", "ds"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise BadInput(f"{source}: series {row['unique_id']!r} has the time {row['ds']} twice.")
    wide = frame.pivot(index="ds", columns="unique_id", values="y").reset_index()
    wide.columns = [str(name) for name in wide.columns]
    return wide


def _clock(frame: Any, time: str | None, source: str) -> str | None:
    """The column of times, if there is one."""
    names = [str(name) for name in frame.columns]
    if time is not None:
        if time not in names:
            raise BadInput(f"{source} has no column {time!r}.", f"It has: {', '.join(names)}.")
        return time
    named = [name for name in names if name.lower() in ("ds", "date", "datetime", "time", "timestamp")]
    if named:
        return named[0]
    first = frame[names[0]] if names else None
    if first is None or pd.api.types.is_numeric_dtype(first):
        return None
    head = pd.to_datetime(first.head(3), errors="coerce")
    return names[0] if head.notna().all() else None


def _times(column: Any, name: str, source: str) -> pd.DatetimeIndex:
    """Rising times a constant step apart."""
    times: Any = pd.to_datetime(column, errors="coerce")
    if times.isna().any():
        row = int(np.flatnonzero(times.isna())[0])
        raise BadInput(f"{source}, row {row + 1}: {column.iloc[row]!r} in column {name!r} is no time.")
    if len(times) < 3:
        raise BadInput(f"{source} has {len(times)} times; at least 3 are needed.")
    steps = np.diff(times.to_numpy())
    zero = steps.astype("int64") == 0
    if zero.any():
        row = int(np.flatnonzero(zero)[0]) + 1
        raise BadInput(f"{source}, row {row + 1}: the time {column.iloc[row]} stands there twice.", _AS_ROWS)
    backward = steps.astype("int64") < 0
    if backward.any():
        row = int(np.flatnonzero(backward)[0]) + 1
        raise BadInput(
            f"{source}, row {row + 1}: the time {column.iloc[row]} comes before the one above.", f"Sort by time. {_AS_ROWS}"
        )
    index = pd.DatetimeIndex(times)
    if pd.infer_freq(index) is None and (steps != np.median(steps.astype("int64"))).any():
        usual: Any = pd.Timedelta(int(np.median(steps.astype("timedelta64[ns]").astype("int64"))), unit="ns")
        odd = np.flatnonzero(steps != usual.to_timedelta64())
        if len(odd):
            row = int(odd[0]) + 1
            words = f"{source}: the step is {usual}, but {len(odd)} are not, first in row {row + 1} ({column.iloc[row]})."
            raise BadInput(words, _AS_ROWS)
    return index


def _step(times: pd.DatetimeIndex) -> Any:
    named = pd.infer_freq(times)
    return times[-1] - times[-2] if named is None else named


def _numbers(column: Any, name: str, source: str) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column):
        return column.to_numpy(float)
    numbers: Any = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(f"{source}, row {row + 1}, column {name!r}: {str(column.iloc[row])[:40]!r} is no number.")
    return numbers.to_numpy(float)


def _filled(values: np.ndarray, names: Sequence[str], fill: Fill, source: str) -> tuple[np.ndarray, list[str]]:
    """Without missing values, unless they are to be kept."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values, []
    row, place = np.argwhere(missing)[0]
    count = int(missing.sum())
    where = f"{count} of {source}'s values {'is' if count == 1 else 'are'} missing"
    if fill == "refuse":
        words = f"{where}, first in row {row + 1}, column {names[place]!r}."
        raise BadInput(words, "Use --fill forward, linear or mask.")
    kept = np.where(missing, np.nan, values)
    if fill == "mask":
        return kept, [f"{where}; the model does not look at them."]
    frame: Any = pd.DataFrame(kept)
    done = frame.ffill().bfill() if fill == "forward" else frame.interpolate(limit_direction="both")
    if done.isna().to_numpy().any():
        place = int(np.flatnonzero(done.isna().to_numpy().all(axis=0))[0])
        raise BadInput(f"{source}: column {names[place]!r} holds no number at all.")
    return done.to_numpy(float), [f"{where}; filled ({fill})."]


def _remarks(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """What is suspicious: constant columns, and numbers that stand for missing ones."""
    notes = [f"Column {name!r} is constant." for name, column in zip(names, values.T, strict=True) if np.ptp(column) == 0]
    for sentinel in _SENTINELS:
        count = int((values == sentinel).sum())
        if count > 1:
            notes.append(f"{sentinel:g} occurs {count} times: perhaps it stands for a missing value.")
    return notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120].rstrip(".")
