"""The forms in which requirements are written: DevAI JSON, JSON lines, YAML, plain text, rubric trees.

Reading gives drafts: what was written, with what is wrong in it as findings, so that `linting` can show everything at once
and `requirements` can refuse on the first error. User files are hostile: sizes and depths are limited, YAML is read by
the safe loader without aliases.
"""

import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.rubric import is_rubric, read_rubric
from tenfold.judge.types import Requirement, Requirements

__all__ = ["CRITERION_LIMIT", "FILE_LIMIT", "ITEMS_LIMIT", "Draft", "Finding", "read_drafts", "read_text", "read_values"]

FILE_LIMIT = 16 << 20
ITEMS_LIMIT = 10_000
CRITERION_LIMIT = 20_000
_ID = re.compile(r"[\w.:-]{1,80}")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,4}[.)])\s+")
_YAML_START = re.compile(r"(?:---\s*\n)?(?:#.*\n)*(?:name|query|tags|requirements)\s*:")
_NAMES = {
    "id": ("requirement_id", "id"),
    "criteria": ("criteria", "criterion", "text"),
    "prerequisites": ("prerequisites", "needs"),
}


class Finding(NamedTuple):
    """Something wrong or doubtful in requirements.

    Attributes:
        level: "error" (cannot be judged so) or "warning".
        id: of the requirement, or empty for the task as a whole.
        kind: e.g. "cycle", "vague".
        words: what is wrong, one sentence.
        hint: what to do, one sentence, or empty.
    """

    level: str
    id: str
    kind: str
    words: str
    hint: str = ""


@dataclass(frozen=True)
class Draft:
    """A task as it was written, unchecked.

    Attributes:
        name: of the task.
        items: requirements; ids may be double, prerequisites unknown, criteria empty.
        query: what the agent was asked, or empty.
        findings: what could not be understood.
        details: the task's other fields, as written.
    """

    name: str
    items: tuple[Requirement, ...]
    query: str = ""
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Any] | None = None


def read_drafts(source: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | Requirements) -> list[Draft]:
    """Read every task of a source.

    Args:
        source: a file (.json, .jsonl, .yaml, .yml; all else is plain text, one requirement a line; .gz of each), a text of
            several lines, or one that begins with { or [; or the values themselves.

    Raises:
        BadInput: it cannot be read, is too large, or is not in one of the forms; JSON and YAML with line and column.
    """
    if isinstance(source, Requirements):
        return [Draft(source.name, source.items, source.query)]
    if not isinstance(source, str | os.PathLike):
        return _drafts(source, "requirements")
    if isinstance(source, str) and _is_content(source):
        if len(source) > FILE_LIMIT:
            raise BadInput(f"The requirements have {len(source) / 1e6:.0f} MB; the limit is {FILE_LIMIT / 1e6:.0f} MB.")
        return _drafts(_parsed(source, "", "The requirements"), "requirements")
    path = Path(source)
    if not path.exists():
        hint = "Requirements themselves are given as a list, or as a text of several lines."
        raise BadInput(f"{path} does not exist.", hint)
    name = path.name.removesuffix(".gz")
    return _drafts(_parsed(read_text(path), Path(name).suffix.lower(), str(path)), Path(name).stem)


def read_values(path: str | os.PathLike[str]) -> Any:
    """The plain values of a JSON, JSON-lines or YAML file (or .gz of one).

    Raises:
        BadInput: as `read_drafts`.
    """
    path = Path(path)
    return _parsed(read_text(path), Path(path.name.removesuffix(".gz")).suffix.lower(), str(path))


def read_text(path: Path, limit: int = FILE_LIMIT) -> str:
    """The text of a UTF-8 file, or of a .gz of one, of at most `limit` bytes.

    Raises:
        BadInput: missing, too large, not UTF-8, a damaged .gz.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            content = gzip.GzipFile(fileobj=plain).read(limit + 1) if packed else plain.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is a damaged .gz file.") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder, not a file.", "Name a file in it.") from error
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise BadInput(f"{path} cannot be read: {why}.", "Name a file that you may read.") from error
    if len(content) > limit:
        raise BadInput(f"{path} has more than {limit / 1e6:.0f} MB.", "Split it into several files.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error


def _is_content(text: str) -> bool:
    return "\n" in text.strip() or text.lstrip()[:1] in ("{", "[")


def _parsed(text: str, suffix: str, where: str) -> Any:
    if suffix == ".jsonl":
        return _json_lines(text, where)
    if suffix in (".yaml", ".yml") or (suffix == "" and _YAML_START.match(text)):
        return _yaml(text, where)
    if suffix == ".json" or text.lstrip()[:1] in ("{", "["):
        return _json(text, where)
    return _plain(text)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].count("\n") <= 1:
            return _json_lines(text, where)
        place = f"at line {error.lineno}, column {error.colno}: {error.msg}"
        raise BadInput(f"{where} is not valid JSON {place}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not valid JSON: it is nested too deeply, or holds a number that is too long.") from error


def _json_lines(text: str, where: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                place = f"at line {number}, column {error.colno}: {error.msg}"
                raise BadInput(f"{where} is not valid JSON {place}.", "JSON lines hold one task on each line.") from error
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{where} is not valid JSON at line {number}, column 1.") from error
    return rows


def _yaml(text: str, where: str) -> Any:
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise BadInput(f"{where} uses YAML aliases, which are not read here.", "Write the values out.")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadInput(f"{where} is not valid YAML{place}: {getattr(error, 'problem', None) or error}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not valid YAML: {error}.") from error


def _plain(text: str) -> list[str]:
    lines = (_BULLET.sub("", line, count=1).strip() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in lines if line]


def _drafts(value: Any, name: str) -> list[Draft]:
    if is_rubric(value):
        rubric = read_rubric(value, name)
        return [Draft(rubric.name, rubric.requirements().items, rubric.root.criteria)]
    if isinstance(value, Mapping):
        return [_task(value, name)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if any(isinstance(item, Mapping) and ("requirements" in item or "sub_tasks" in item) for item in value):
            return [draft for number, item in enumerate(value) for draft in _drafts(item, f"{name}-{number}")]
        return [_task({"name": name, "requirements": list(value)}, name)]
    hint = "Write a list of them, or a DevAI task: {name, query, requirements: [{requirement_id, criteria, prerequisites}]}."
    raise BadInput(f"{name}: there are no requirements in a value of kind {type(value).__name__}.", hint)


def _task(value: Mapping[str, Any], name: str) -> Draft:
    rows = value.get("requirements", [value] if any(key in value for key in _NAMES["criteria"]) else None)
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        keys = ", ".join(str(key)[:40] for key in list(value)[:12]) or "none"
        raise BadInput(f"{name}: there is no list named requirements.", f"The keys are: {keys}.")
    if len(rows) > ITEMS_LIMIT:
        raise BadInput(f"{name} has {len(rows):,} requirements; the limit is {ITEMS_LIMIT:,}.")
    findings: list[Finding] = []
    items = tuple(_item(row, number, findings) for number, row in enumerate(rows))
    query = value.get("query")
    details = {str(key): item for key, item in value.items() if key not in ("name", "query", "requirements")}
    title = value.get("name")
    return Draft(
        title if isinstance(title, str) and title.strip() else name,
        items,
        query if isinstance(query, str) else "",
        tuple(findings),
        details if "requirements" in value else None,
    )


def _item(row: Any, number: int, findings: list[Finding]) -> Requirement:
    if isinstance(row, str):
        row = {"criteria": row}
    if not isinstance(row, Mapping):
        words = f"Requirement {number} is of type {type(row).__name__}, not a text or a table with criteria."
        findings.append(Finding("error", str(number), "form", words))
        return Requirement(str(number), "")
    identity = _identity(row, number, findings)
    return Requirement(
        identity,
        _criteria(row, identity, findings),
        _prerequisites(row, identity, findings),
        row["category"].strip() if isinstance(row.get("category"), str) else "",
        _weight(row, identity, findings),
    )


def _field(row: Mapping[str, Any], name: str) -> tuple[str, Any]:
    return next(((key, row[key]) for key in _NAMES[name] if key in row), ("", None))


def _identity(row: Mapping[str, Any], number: int, findings: list[Finding]) -> str:
    key, value = _field(row, "id")
    if not key:
        return str(number)
    text = str(value).strip()
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if key == "requirement_id" and not (is_number or (isinstance(value, str) and text.isdecimal())):
        words = f"Requirement {number} has the requirement_id {value!r:.60}, which is no integer."
        findings.append(Finding("error", str(number), "id", words, "DevAI's ids are integers; a free text goes into id."))
        return str(number)
    if not (is_number or isinstance(value, str)) or not _ID.fullmatch(text):
        words = f"Requirement {number} has the id {value!r:.60}."
        findings.append(Finding("error", str(number), "id", words, "An id is an integer or a short word."))
        return str(number)
    return text


def _criteria(row: Mapping[str, Any], identity: str, findings: list[Finding]) -> str:
    key, value = _field(row, "criteria")
    if not key:
        hint = f"Its keys: {', '.join(str(name)[:40] for name in list(row)[:12]) or 'none'}."
        findings.append(Finding("error", identity, "criteria", f"Requirement {identity} has no criteria.", hint))
        return ""
    if not isinstance(value, str):
        words = f"The criteria of requirement {identity} is of type {type(value).__name__}, not a text."
        findings.append(Finding("error", identity, "criteria", words))
        return ""
    if not value.strip():
        hint = "Write what must hold, or remove it."
        findings.append(Finding("error", identity, "criteria", f"The criteria of requirement {identity} is empty.", hint))
    if len(value) > CRITERION_LIMIT:
        words = f"The criteria of requirement {identity} has {len(value):,} characters; the limit is {CRITERION_LIMIT:,}."
        findings.append(Finding("error", identity, "criteria", words))
        return value[:CRITERION_LIMIT]
    return value.strip()


def _prerequisites(row: Mapping[str, Any], identity: str, findings: list[Finding]) -> tuple[str, ...]:
    _, value = _field(row, "prerequisites")
    listed = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    wrong = [one for one in listed if isinstance(one, bool) or not isinstance(one, int | str)]
    if wrong:
        words = f"Requirement {identity} has the prerequisite {wrong[0]!r:.60}, which is no id."
        findings.append(Finding("error", identity, "prerequisite", words))
    return tuple(dict.fromkeys(str(one).strip() for one in listed if one not in wrong))


def _weight(row: Mapping[str, Any], identity: str, findings: list[Finding]) -> float:
    value = row.get("weight", 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        words = f"Requirement {identity} has the weight {value!r:.60}."
        findings.append(Finding("error", identity, "weight", words, "A weight is a number from 0 up."))
        return 1.0
    return float(value)
