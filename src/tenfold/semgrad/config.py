"""The file of `tenfold semgrad run`: a graph, questions, and the settings of `optimise`, in YAML or JSON.

    graph: {nodes: [{name: first, instruction: Evaluate bracket 1., inputs: [question]}, ...]}   # or a graph file's path
    train: train.jsonl                                                                           # or rows in place
    test: test.csv
    models: {forward: engine:rules}
    steps: 12

Paths are relative to the file. Questions are JSON lines, CSV with a header, or parquet where pandas is installed.
"""

import csv
import difflib
import inspect
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.core.extras import require
from tenfold.llm.budget import Budget
from tenfold.semgrad.graph import Graph, read_plain
from tenfold.semgrad.optimiser import optimise

__all__ = ["Config", "read_config", "read_rows"]

ROWS_LIMIT = 256 << 20
_OWN = ("graph", "train", "test")
# What only a program can give.
_NOT_HERE = ("graph", "train", "test", "on_step", "client")
_CLIENT = ("mode", "timeout", "rpm", "tpm", "tries", "key_file", "base_url", "prices", "reply_limit")
# Text by nature, or several kinds: checked by what takes them.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "steps": (int,), "errors": (int,), "evaluations": (int,), "seed": (int,), "concurrency": (int,), "longest": (int,),
    "max_tokens": (int,), "alpha": (int, float), "temperature": (int, float), "top_p": (int, float), "timeout": (int, float),
    "memo": (bool,), "racing": (bool,), "metric": (str,), "pick": (str,), "neighbourhood": (str,), "update": (str,),
    "gate": (str,), "run_dir": (str,), "cache": (str,), "cassette": (str,), "mode": (str,), "key_file": (str,),
    "base_url": (str,), "reply_limit": (int,),
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """A read file.

    Attributes:
        graph: checked.
        train: rows.
        test: rows, or None.
        settings: keyword arguments of `optimise`; `budget` is a `Budget`.
    """

    graph: Graph
    train: list[dict[str, Any]]
    test: list[dict[str, Any]] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a file of `tenfold semgrad run`, and the files that it names.

    Raises:
        BadInput: a file cannot be read, a key is unknown (the nearest known one is named), a value has the wrong kind.
    """
    path = Path(path)
    found = read_plain(path)
    if not isinstance(found, Mapping):
        raise BadInput(f"{path} is not a table with graph and train.")
    known = [*_OWN, *_settings_names()]
    for key in found:
        if key not in known:
            raise BadInput(f"{path}: the key {str(key)!r} is unknown.", _nearest(str(key), known))
    for key in ("graph", "train"):
        if found.get(key) is None:
            raise BadInput(f"{path} has no {key}.", f"Write {key}: and the path of a file, or the values.")
    if found.get("mode") is not None and found.get("cassette") is None:
        message = f"{path}: mode is a cassette's, and there is no cassette."
        raise BadInput(message, "Write cassette: and a file, or leave mode out.")
    settings = {key: _checked(path, key, value) for key, value in found.items() if key not in _OWN and value is not None}
    return Config(
        _graph(path, found["graph"]),
        _rows(path, "train", found["train"]),
        None if found.get("test") is None else _rows(path, "test", found["test"]),
        settings,
    )


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Rows from a .jsonl (.json with a list), .csv or .parquet file.

    Raises:
        BadInput: the file cannot be read; the message names row and column.
        ExtraMissing: parquet without pandas.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _parquet(path)
    if kind not in (".jsonl", ".json", ".csv"):
        raise BadInput(f"{path} is neither .jsonl, .json, .csv nor .parquet.")
    text = _text(path)
    if kind == ".csv":
        return _csv(path, text)
    if kind == ".json":
        rows = _json(text, str(path))
        if not isinstance(rows, list):
            raise BadInput(f"{path} is no list of rows.")
        return [_row(row, f"{path}, row {number}") for number, row in enumerate(rows)]
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_row(_json(line, f"{path}, line {number}"), f"{path}, line {number}") for number, line in lines]


def _settings_names() -> list[str]:
    return [name for name in inspect.signature(optimise).parameters if name not in _NOT_HERE] + list(_CLIENT)


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Keys are: {', '.join(known)}."


def _checked(path: Path, key: str, value: Any) -> Any:
    if key == "budget":
        names = ("calls", "tokens", "usd", "seconds")
        if not isinstance(value, Mapping):
            raise BadInput(
                f"{path}: budget must be a table.", f"For example budget: {{calls: 5000}}; it has {', '.join(names)}."
            )
        for name in value:
            if name not in names:
                raise BadInput(f"{path}: the budget {str(name)!r} is unknown.", _nearest(str(name), list(names)))
        return Budget(**value)
    if key == "models":
        if isinstance(value, str) or (isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values())):
            return value
        raise BadInput(f"{path}: models must be a model string, or one for each role.")
    kinds = _KINDS.get(key)
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        wanted = "true or false" if bool in kinds else "text" if str in kinds else "a number"
        raise BadInput(f"{path}: {key} is {str(value)[:40]!r}; it must be {wanted}.")
    if key in ("run_dir", "cache", "cassette", "key_file"):
        return str(_beside(path, key, str(value)))
    return value


def _beside(path: Path, key: str, name: str) -> Path:
    """A place that the file names, relative to the file."""
    if "\0" in name or not name.strip():
        raise BadInput(f"{path}: {key} is {name!r}, which is no name of a file.")
    return path.parent / name


def _graph(path: Path, found: Any) -> Graph:
    if isinstance(found, str):
        return Graph.load(_beside(path, "graph", found))
    try:
        return Graph.from_dict(found)
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", error.hint) from error


def _rows(path: Path, name: str, found: Any) -> list[dict[str, Any]]:
    if isinstance(found, str):
        return read_rows(_beside(path, name, found))
    if not isinstance(found, list):
        raise BadInput(f"{path}: {name} must be the path of a file, or a list of rows.")
    return [_row(row, f"{path}, {name}, row {number}") for number, row in enumerate(found)]


def _row(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise BadInput(f"{where}: {str(row)[:40]!r} is not a table of names and values.")
    for column, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{where}, column {column}: {value} is not a number.")
    return row


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > ROWS_LIMIT:
            raise BadInput(f"{path} has {size / 1e6:.0f} MB; the limit is {ROWS_LIMIT / 1e6:.0f} MB.")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise BadInput(f"{path} is not UTF-8 text: line {line}, byte {column}.", "Save it as UTF-8.") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not valid JSON.") from error


def _csv(path: Path, text: str) -> list[dict[str, Any]]:
    rows = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, None)
        if not header or len(set(header)) < len(header) or not all(header):
            raise BadInput(f"{path} needs a first line with the names of its columns, each once.")
        for row in reader:
            if row and len(row) != len(header):
                message = f"{path}, line {reader.line_num}: {len(row)} columns; the first line names {len(header)}."
                raise BadInput(message, "Put text with commas or line breaks between double quotes.")
            if row:
                rows.append(dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise BadInput(f"{path} is not valid CSV: {error}.") from error
    return rows


def _parquet(path: Path) -> list[dict[str, Any]]:
    pandas = require("pandas", "semgrad")
    try:
        if path.stat().st_size > ROWS_LIMIT:
            raise BadInput(f"{path} has {path.stat().st_size / 1e6:.0f} MB; the limit is {ROWS_LIMIT / 1e6:.0f} MB.")
        frame = pandas.read_parquet(path)
    except BadInput:
        raise
    except Exception as error:  # readers of parquet fail in many ways
        raise BadInput(f"{path} is not a readable parquet file: {str(error)[:120]}") from error
    return [_row(row, f"{path}, row {number}") for number, row in enumerate(frame.to_dict("records"))]
