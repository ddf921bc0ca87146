"""Tables and records: CSV, JSON, JSON lines."""

import json
import re

from tenfold.judge.addressing import flags_in, without_flagged
from tenfold.judge.artefact_texts import NUMBER, prose
from tenfold.judge.facts import Artefact
from tenfold.judge.workspace import decode

__all__ = ["csv_table", "json_lines", "json_value"]


def csv_table(data: bytes, size: int) -> Artefact:
    import csv

    text = decode(data[:1_000_000])
    text = without_flagged(text, flags_in(text))
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        dialect = csv.Sniffer().sniff("\n".join(lines[:5]), delimiters=",;\t|")
        header = next(csv.reader(lines[:1], dialect))
    except csv.Error:
        header = lines[0].split(",")
    columns = [name.strip() for name in header][:200]
    details = {"columns": columns, "rows": len(lines) - 1, "made_up": _made_up(columns)}
    if len(lines) < 2:
        return Artefact(False, "a table without rows", details=details)
    numbers = len(NUMBER.findall(text[:100_000]))
    if len(columns) == 1 and numbers == 0 and all(line.count(" ") >= 2 for line in lines[:3]):
        return Artefact(False, "it is prose and no table", details=details)
    why = f"{len(lines) - 1} rows of {len(columns)} columns"
    return Artefact(True, why, numbers=numbers, text=text[:2_000], details=details)


def json_value(data: bytes, size: int) -> Artefact:
    text = decode(data)
    if size <= len(data):
        found = json.loads(text)
        if found in ({}, [], "", None):
            return Artefact(False, "it holds nothing", empty=True)
        return prose(text, 1, entries=len(found) if isinstance(found, (dict, list)) else 1)
    return prose(text, 1)


def json_lines(data: bytes, size: int) -> Artefact:
    lines = [line for line in decode(data[:1_000_000]).splitlines() if line.strip()]
    json.loads(lines[0])
    return prose("\n".join(lines), 1, rows=len(lines))


def _made_up(columns: list[str]) -> bool:
    """Columns that nobody but a generator of data calls so: feature1, feature_2, x3, col4."""
    plain = [name for name in columns if re.fullmatch(r"(?i)(feature|feat|col|column|var|x|f)[ _-]?\d+", name)]
    return len(plain) >= 2 and len(plain) >= 0.6 * len(columns)
