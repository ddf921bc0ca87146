"""Users' files, row by row, of any length: .smi, .rsmi, CSV, TSV, JSON lines, .rxn, also gzipped, in; tables out."""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tenfold.core.errors import BadInput
from tenfold.core.files import jsonable

__all__ = ["COLUMNS", "READS", "WRITES", "Row", "header", "read_rows", "reading_form", "write_rows", "writing_form"]

COLUMNS: tuple[str, ...] = ("input", "rank", "smiles", "log_prob", "probability", "valid", "n_calls", "ms", "note")
READS = ("smi", "rsmi", "csv", "tsv", "jsonl", "rxn")
WRITES = ("csv", "tsv", "jsonl")

_LONGEST_LINE = 1 << 20
_NAMES = ("smiles", "input", "rxn_smiles", "reaction_smiles", "reaction", "source", "query")
_SAME = {"smiles": "smi", "txt": "smi", "ndjson": "jsonl", "json": "jsonl", "tab": "tsv"}


class Row(NamedTuple):
    """One row of a user's file.

    Attributes:
        number: from 1; a header is not counted.
        text: the SMILES or reaction in it.
        error: why there is none, or empty.
    """

    number: int
    text: str
    error: str = ""


def read_rows(path: str | Path, column: str | None = None, form: str | None = None) -> Iterator[Row]:
    """The rows of a file, one at a time.

    Args:
        path: of the file; "-" is the standard input.
        column: of a table, or key of JSON lines; default: one called smiles, input, reaction ..., or the only one.
        form: one of `READS`; default: by the file's name, .smi for the standard input.

    Raises:
        BadInput: the file is not there, not text, has no such column, or its form is unknown.
    """
    form = form or reading_form(path)
    if form not in READS:
        raise BadInput(f"The form {form!r} is unknown.", f"There are: {', '.join(READS)}.")
    with _opened(path) as file:
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
            raise BadInput(f"{path} is not text in UTF-8 (byte {error.start} of a block).", "Save it as UTF-8.") from error
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{path} cannot be read to its end: {error}.", "It may be cut short or damaged.") from error


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


@contextmanager
def _opened(path: str | Path) -> Iterator[TextIO]:
    if str(path) == "-":
        raw = getattr(sys.stdin, "buffer", None)
        yield io.TextIOWrapper(raw, "utf-8-sig", newline="") if raw is not None else sys.stdin
        return
    if not Path(path).is_file():
        raise BadInput(f"{path} is not a file." if Path(path).exists() else f"{path} does not exist.")
    opens = gzip.open if str(path).lower().endswith(".gz") else open
    with opens(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file


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
        place = names.index(_choose(names, column, name))
        for number, fields in enumerate(reader, 1):
            if len(fields) <= place:
                yield Row(number, "", "The line is empty." if not fields else f"The row has no column {names[place]!r}.")
            else:
                yield Row(number, fields[place].strip())
    except csv.Error as error:
        raise BadInput(f"{name}, line {reader.line_num}: {error}.", "Check the quotes in that row.") from error


def _choose(names: Sequence[str], column: str | None, file: str) -> str:
    known = ", ".join(names[:20]) or "none"
    if column is not None:
        if column in names:
            return column
        raise BadInput(f"{file} has no column {column!r}.", f"Its columns: {known}.")
    lower = {name.lower(): name for name in reversed(names)}
    found = next((lower[name] for name in _NAMES if name in lower), names[0] if len(names) == 1 else None)
    if found is None:
        raise BadInput(f"{file}: none of its columns is called smiles.", f"Choose one with --column: {known}.")
    return found


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
            key = column if column is not None else next((name for name in _NAMES if name in value), None)
            value = value.get(key) if key is not None else None
        named = column or "smiles"
        yield Row(number, value) if isinstance(value, str) else Row(number, "", f"The object has no text {named!r}.")


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
