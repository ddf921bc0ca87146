"""Users' files, row by row, of any length: .smi, .rsmi, CSV, TSV, JSON lines, .rxn, also gzipped, in; tables out."""

import csv
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from tenfold.core.errors import BadInput
from tenfold.core.files import jsonable

__all__ = [
    "COLUMNS",
    "READS",
    "WRITES",
    "Row",
    "Rows",
    "header",
    "read_rows",
    "reading_form",
    "write_rows",
    "writing_form",
]

COLUMNS: tuple[str, ...] = ("input", "rank", "smiles", "log_prob", "probability", "valid", "n_calls", "ms", "note")
READS = ("smi", "rsmi", "csv", "tsv", "jsonl", "rxn")
WRITES = ("csv", "tsv", "jsonl")

_LONGEST_LINE = 1 << 20
_NAMES = ("smiles", "input", "rxn_smiles", "reaction_smiles", "reaction", "source", "query")
_MAP = "atom_map"
_SAME = {"smiles": "smi", "txt": "smi", "ndjson": "jsonl", "json": "jsonl", "tab": "tsv"}


class Row(NamedTuple):
    """One row of a user's file.

    Attributes:
        number: from 1; a header is not counted.
        text: the SMILES or reaction in it.
        error: why there is none, or empty.
        atom_map: of a reaction from the columns reactants and product, the column of that name; else None.
    """

    number: int
    text: str
    error: str = ""
    atom_map: str | None = None


def read_rows(path: str | Path, column: str | None = None, form: str | None = None) -> "Rows":
    """The rows of a file, one at a time.

    Args:
        path: of the file; "-" is the standard input.
        column: of a table, or key of JSON lines; default: one called smiles, input, reaction ..., the only one, or, where
            there are reactants and product, the reaction of both and the reagents.
        form: one of `READS`; default: by the file's name, .smi for the standard input.

    Raises:
        BadInput: as the rows are read: the file is not there, not text, has no such column, or its form is unknown.
    """
    return Rows(path, column, form)


class Rows:
    """An iterator over a file's rows that knows how much of the file it has read."""

    def __init__(self, path: str | Path, column: str | None = None, form: str | None = None) -> None:
        """See `read_rows`."""
        self._path, self._column, self._form = path, column, form
        self._raw: BinaryIO | None = None
        self._size = 0
        self._rows = self._read()

    def __iter__(self) -> "Rows":
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def share_read(self) -> float | None:
        """Of the file's bytes, packed ones if it is packed, the share that has been read; None where that is unknown."""
        return self._raw.tell() / self._size if self._raw is not None and self._size else None

    def _read(self) -> Iterator[Row]:
        path, column, form = self._path, self._column, self._form or reading_form(self._path)
        if form not in READS:
            raise BadInput(f"The form {form!r} is unknown.", f"There are: {', '.join(READS)}.")
        with self._opened() as file:
            try:
                if form in ("csv", "tsv"):
                    yield from _table(_lines(file), column, "," if form == "csv" else "\t", str(path))
                elif form == "jsonl":
                    yield from _json_lines(_lines(file), column)
                elif form == "rxn":
                    yield from _rxn(file, path)
                else:
                    yield from _smiles_lines(_lines(file))
            except UnicodeDecodeError as error:
                raise BadInput(
                    f"{path} is not text in UTF-8 (byte {error.start} of a block).", "Save it as UTF-8."
                ) from error
            except (OSError, EOFError, zlib.error) as error:
                raise BadInput(f"{path} cannot be read to its end: {error}.", "It may be cut short or damaged.") from error

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        if str(self._path) == "-":
            raw = getattr(sys.stdin, "buffer", None)
            yield io.TextIOWrapper(raw, "utf-8-sig", newline="") if raw is not None else sys.stdin
            return
        path = Path(self._path)
        if not path.is_file():
            raise BadInput(f"{path} is not a file." if path.exists() else f"{path} does not exist.")
        try:
            file = path.open("rb")
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
        with file:
            self._size = os.fstat(file.fileno()).st_size
            unpacked: Any = gzip.GzipFile(fileobj=file) if path.name.lower().endswith(".gz") else file
            self._raw = file
            yield io.TextIOWrapper(unpacked, "utf-8-sig", newline="")
            self._raw = None


def reading_form(path: str | Path) -> str:
    """The form of a file by its name, .gz left aside."""
    if str(path) == "-":
        return "smi"
    suffix = _suffix(path)
    if suffix not in READS:
        raise BadInput(f"{path}: the ending says nothing known.", f"Use one of {', '.join(READS)} (also .gz), or --format.")
    return suffix


def writing_form(path: str | Path) -> str:
    """The form of an output by its name, .gz left aside."""
    suffix = _suffix(path)
    if suffix not in WRITES:
        raise BadInput(f"{path}: no table is written with this ending.", f"Use one of {', '.join(WRITES)} (also .gz).")
    return suffix


def header(form: str) -> str:
    """The first line of a table; JSON lines have none."""
    return "" if form == "jsonl" else ("," if form == "csv" else "\t").join(COLUMNS) + "\n"


def write_rows(rows: Iterable[Sequence[Any]], form: str) -> str:
    """Rows of `COLUMNS` as text.

    Args:
        rows: values in the order of `COLUMNS`; None becomes an empty field.
        form: one of `WRITES`.
    """
    if form == "jsonl":
        return "".join(json.dumps(jsonable(dict(zip(COLUMNS, row, strict=True)))) + "\n" for row in rows)
    text = io.StringIO()
    csv.writer(text, delimiter="," if form == "csv" else "\t", lineterminator="\n").writerows(map(_plain, rows))
    return text.getvalue()


def _plain(row: Sequence[Any]) -> list[Any]:
    return [("true" if value else "false") if isinstance(value, bool) else value for value in row]


def _suffix(path: str | Path) -> str:
    name = Path(path).name.lower().removesuffix(".gz")
    suffix = name.rpartition(".")[2] if "." in name else ""
    return _SAME.get(suffix, suffix)


def _lines(file: TextIO) -> Iterator[str]:
    """Lines of bounded length, whatever their ends: a file without line breaks must not fill the memory."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise BadInput(f"Line {number} is longer than {_LONGEST_LINE} characters.", "Is this the right file?")
        if "\0" in line:
            raise BadInput(f"Line {number} holds a zero byte: this is no text.", "Is this the right file?")
        yield line.rstrip("\r\n") + "\n"


def _smiles_lines(lines: Iterable[str]) -> Iterator[Row]:
    """The first word of each line is the SMILES, the rest its name."""
    for number, line in enumerate(lines, 1):
        words = line.split(maxsplit=1)
        yield Row(number, words[0]) if words else Row(number, "", "The line is empty.")


def _table(lines: Iterable[str], column: str | None, delimiter: str, name: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        names = [one.strip() for one in next(reader, [])]
        chosen = _choose(names, column, name)
        needed = [(name, names.index(name)) for name in chosen]
        mapped = names.index(_MAP) if len(chosen) > 1 and _MAP in names else None
        for number, fields in enumerate(reader, 1):
            lacking = next((name for name, place in needed if len(fields) <= place), None)
            if lacking is not None:
                yield Row(number, "", "The line is empty." if not fields else f"The row has no column {lacking!r}.")
                continue
            sides = [fields[place].strip() for _, place in needed]
            if len(sides) == 1:
                yield Row(number, sides[0])
            else:
                atom_map = fields[mapped] if mapped is not None and len(fields) > mapped else ""
                yield Row(number, (">" if len(sides) == 3 else ">>").join(sides), atom_map=atom_map)
    except csv.Error as error:
        raise BadInput(f"{name}, line {reader.line_num}: {error}.", "Check the quotes in that row.") from error


def _choose(names: Sequence[str], column: str | None, file: str) -> Sequence[str]:
    """The column of the rows, or the three that make up a reaction."""
    known = ", ".join(names[:20]) or "none"
    if column is not None:
        if column in names:
            return [column]
        raise BadInput(f"{file} has no column {column!r}.", f"Its columns: {known}.")
    lower = {name.lower(): name for name in reversed(names)}
    found = next((lower[name] for name in _NAMES if name in lower), names[0] if len(names) == 1 else None)
    if found is not None:
        return [found]
    if {"reactants", "product"} <= lower.keys():
        return [lower[name] for name in ("reactants", "reagents", "product") if name in lower]
    raise BadInput(f"{file}: none of its columns is called smiles.", f"Choose one with --column: {known}.")


def _json_lines(lines: Iterable[str], column: str | None) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield Row(number, "", "The line is empty.")
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, "", "The line is not valid JSON.")
            continue
        if isinstance(value, dict):
            value = _of_object(value, column)
        named = column or "smiles"
        yield Row(number, value) if isinstance(value, str) else Row(number, "", f"The object has no text {named!r}.")


def _of_object(value: dict[str, Any], column: str | None) -> Any:
    key = column if column is not None else next((name for name in _NAMES if name in value), None)
    if key is not None:
        return value.get(key)
    sides = [value.get("reactants"), value.get("reagents", ""), value.get("product")]
    return ">".join(sides) if all(isinstance(side, str) for side in sides) else None


def _rxn(file: TextIO, path: str | Path) -> Iterator[Row]:
    """An MDL reaction file: one reaction."""
    from rdkit import rdBase
    from rdkit.Chem import rdChemReactions

    text = file.read(_LONGEST_LINE)
    try:
        with rdBase.BlockLogs():
            reaction = rdChemReactions.ReactionFromRxnBlock(text)
            found = rdChemReactions.ReactionToSmiles(reaction) if reaction is not None else ""
    except (ValueError, RuntimeError) as error:
        raise BadInput(f"{path} is no readable MDL .rxn file.", "Save it again, or as reaction SMILES (.rsmi).") from error
    if not found:
        raise BadInput(f"{path} holds no reaction.", "Save it again, or as reaction SMILES (.rsmi).")
    yield Row(1, found)
