"""Verdicts of people (and recorded ones of judges) in a CSV file: read, joined to requirements by their words, saved.

A row is a requirement of a task. Columns: `task`; `requirement_id`; `criteria_as_judged` (or `criteria`): the text that was
judged; `human`; optionally `agent`, `prerequisites` (ids with blanks between), `category`. Every other column whose cells
are all verdicts is a recorded judge. A verdict is 1 / 0, true / false, satisfied / unsatisfied, undecided, or empty (none).
"""

import csv
import difflib
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.files import write_atomic
from tenfold.judge.forms import read_text
from tenfold.judge.types import Report, Requirement, Requirements, Verdict

__all__ = [
    "Join",
    "Label",
    "Unmatched",
    "add_labels",
    "join_labels",
    "normal_form",
    "override",
    "read_labels",
    "report_labels",
    "save_labels",
    "unmatched_words",
]

LIMIT = 64 << 20
_NEAREST_LIMIT = 100
_KNOWN = ("agent", "task", "requirement_id", "prerequisites", "category", "human", "criteria_as_judged", "criteria", "note")
_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "satisfied", "met"), "satisfied"),
    **dict.fromkeys(("0", "0.0", "false", "no", "unsatisfied", "not met"), "unsatisfied"),
    **dict.fromkeys(("undecided", "?"), "undecided"),
}


@dataclass(frozen=True)
class Label:
    """A person's verdict on one requirement.

    Attributes:
        task: name.
        id: of the requirement, in the revision that was judged.
        criteria: the text that was judged, or empty.
        human: whether it is satisfied.
        prerequisites: ids in that revision.
        category: as labelled, or empty.
        agent: whose workspace it was, or empty.
        recorded: verdicts of judges by column; None = the cell is empty.
        row: line in the file, from 2.
    """

    task: str
    id: str
    criteria: str
    human: bool
    prerequisites: tuple[str, ...] = ()
    category: str = ""
    agent: str = ""
    recorded: Mapping[str, Verdict | None] = field(default_factory=dict)
    row: int = 0


class Unmatched(NamedTuple):
    """A label whose text is no current criterion, with the nearest one of the task (similarity in [0, 1])."""

    label: Label
    nearest: Requirement | None
    similarity: float


class Join(NamedTuple):
    """Labels beside the requirements that they are about, and those that match none."""

    matched: tuple[tuple[Label, Requirement], ...]
    unmatched: tuple[Unmatched, ...]


def unmatched_words(unmatched: Sequence[Unmatched], total: int) -> str:
    """How many of `total` labels match no criterion, and the nearest of the first; empty if all match."""
    if not unmatched:
        return ""
    one = unmatched[0]
    said = f"{len(unmatched)} of {total} labels match no criterion; the first: {one.label.criteria[:80]!r}"
    near = f"; the nearest, {one.similarity:.0%} alike: {one.nearest.criteria[:80]!r}" if one.nearest else ""
    return f"{said} (task {one.label.task}){near}."


def read_labels(path: str | os.PathLike[str]) -> list[Label]:
    """Read a labels file (CSV with a header, .gz or not); rows without a human verdict are left out.

    Raises:
        BadInput: unreadable, no such columns, a human verdict that is none, a requirement twice; with the line.
    """
    path = Path(path)
    lines = csv.DictReader(io.StringIO(read_text(path, LIMIT), newline=""))
    try:
        columns = [name for name in (lines.fieldnames or []) if name]
        rows = [(lines.line_num, row) for row in lines]
    except csv.Error as error:
        raise BadInput(f"{path} is not valid CSV at line {lines.line_num}: {error}.") from error
    lacking = [name for name in ("task", "human") if name not in columns]
    if lacking or not {"requirement_id", "criteria_as_judged", "criteria"} & set(columns):
        need = "task, human, and requirement_id or criteria_as_judged"
        raise BadInput(f"{path} has no column {lacking[0] if lacking else 'requirement_id'}.", f"It needs: {need}.")
    judges = [name for name in columns if name not in _KNOWN and all(_is_verdict(row.get(name)) for _, row in rows)]
    labels = [label for number, row in rows if (label := _label(path, number, row, judges)) is not None]
    if not labels:
        raise BadInput(f"{path} holds no human verdict.", "The column human holds 1 or 0.")
    _check_once(path, labels)
    return labels


def join_labels(labels: Iterable[Label], tasks: Mapping[str, Requirements]) -> Join:
    """Find for each label the requirement with its text: as written, else without case, quotes and punctuation.

    Where texts repeat in a task, the id decides. A label without text goes by its id. Each label of a task that is not in
    `tasks` is unmatched. The nearest is looked for on behalf of the first hundred that match none.
    """
    matched: list[tuple[Label, Requirement]] = []
    unmatched: list[Unmatched] = []
    tables: dict[str, dict[str, list[Requirement]]] = {}
    for label in labels:
        items = tasks.get(label.task)
        if items is None:
            unmatched.append(Unmatched(label, None, 0.0))
            continue
        found = _same_text(label, items, tables)
        if found is not None:
            matched.append((label, found))
        else:
            near = items if len(unmatched) < _NEAREST_LIMIT else ()
            alike = [(difflib.SequenceMatcher(None, label.criteria, one.criteria, False).ratio(), one) for one in near]
            similarity, nearest = max(alike, key=lambda pair: pair[0], default=(0.0, None))
            unmatched.append(Unmatched(label, nearest, similarity))
    return Join(tuple(matched), tuple(unmatched))


def normal_form(criteria: str) -> str:
    """A criterion without case, quotes, punctuation and double blanks: what stays when a text is only tidied up."""
    return re.sub(r"[\W_]+", " ", criteria.lower()).strip()


def override(report: Report, verdicts: Mapping[str, str | bool]) -> Report:
    """The report with a person's verdicts in place of the judge's; evidence stays, the engine becomes "human".

    Args:
        report: of the judge.
        verdicts: by id of the requirement.

    Raises:
        BadInput: no such requirement, or no such verdict.
    """
    changed = {report[identity].requirement.id: _verdict_of(value) for identity, value in verdicts.items()}
    sure = {"satisfied": (1.0, 1.0), "unsatisfied": (1.0, 0.0), "undecided": (0.5, 0.5)}
    judgements = tuple(
        one
        if (verdict := changed.get(one.requirement.id)) is None
        else replace(
            one, verdict=verdict, confidence=sure[verdict][0], probability=sure[verdict][1], engine="human", missing=""
        )
        for one in report
    )
    return replace(report, judgements=judgements)


def report_labels(judged: Report, human: Mapping[str, str | bool], *, agent: str = "") -> list[Label]:
    """A person's verdicts on a report as labels, with the judge's own recorded in the column `judge`.

    Raises:
        BadInput: no such requirement, or a verdict that is undecided (leave it out instead).
    """
    labels = []
    for identity, value in human.items():
        one, verdict = judged[identity], _verdict_of(value)
        if verdict == "undecided":
            raise BadInput(f"The human verdict on {identity} is undecided.", "Leave it out: a label says met or not met.")
        item = one.requirement
        name = judged.requirements.name
        recorded: dict[str, Verdict | None] = {"judge": one.verdict}
        fields = (item.prerequisites, item.category, agent, recorded)
        labels.append(Label(name, item.id, item.criteria, verdict == "satisfied", *fields))
    return labels


def save_labels(path: str | os.PathLike[str], labels: Sequence[Label]) -> Path:
    """Write labels as CSV, atomically, in the form that `read_labels` reads."""
    judges = list(dict.fromkeys(name for label in labels for name in label.recorded))
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["agent", "task", "requirement_id", "prerequisites", "category", "human", *judges, "criteria_as_judged"])
    for one in labels:
        cells = [one.agent, one.task, one.id, " ".join(one.prerequisites), one.category, int(one.human)]
        out.writerow([*cells, *(_cell(one.recorded.get(name)) for name in judges), one.criteria])
    return write_atomic(path, text.getvalue())


def add_labels(path: str | os.PathLike[str], labels: Sequence[Label]) -> list[Label]:
    """Put labels into a file, in place of those of the same agent, task and requirement; the others that stand there stay.

    Returns:
        All labels of the file.

    Raises:
        BadInput: what stands there is no file of labels.
    """
    old = read_labels(path) if Path(path).exists() else []
    found = {(one.agent, one.task, one.id): one for one in [*old, *labels]}
    save_labels(path, list(found.values()))
    return list(found.values())


def _cell(verdict: Verdict | None) -> str:
    return {"satisfied": "1", "unsatisfied": "0", "undecided": "undecided", None: ""}[verdict]


def _verdict_of(value: str | bool) -> Verdict:
    verdict = _WORDS.get(str(value).strip().lower())
    if verdict is None:
        raise BadInput(f"{value!r:.60} is no verdict.", "Use satisfied, unsatisfied or undecided.")
    return verdict


def _is_verdict(cell: Any) -> bool:
    return isinstance(cell, str) and (not cell.strip() or cell.strip().lower() in _WORDS)


def _label(path: Path, number: int, row: Mapping[str, Any], judges: Sequence[str]) -> Label | None:
    cells = {name: (value or "").strip() if isinstance(value, str) or value is None else "" for name, value in row.items()}
    if not cells["human"]:
        return None
    verdict = _WORDS.get(cells["human"].lower())
    if verdict is None or verdict == "undecided":
        raise BadInput(f"{path}, line {number}: the human verdict is {cells['human']!r:.60}.", "It is 1 or 0, or empty.")
    criteria = cells.get("criteria_as_judged") or cells.get("criteria", "")
    if not cells["task"] or not (criteria or cells.get("requirement_id")):
        raise BadInput(f"{path}, line {number}: there is no task, or neither an id nor a criterion.")
    return Label(
        cells["task"],
        cells.get("requirement_id") or criteria,
        criteria,
        verdict == "satisfied",
        tuple(cells.get("prerequisites", "").split()),
        cells.get("category", ""),
        cells.get("agent", ""),
        {name: _WORDS.get(cells[name].lower()) for name in judges},
        number,
    )


def _check_once(path: Path, labels: Sequence[Label]) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for one in labels:
        first = seen.setdefault((one.agent, one.task, one.id), one.row)
        if first != one.row:
            where = f"{path}, lines {first} and {one.row}"
            raise BadInput(f"{where}: requirement {one.id[:60]} of task {one.task} stands twice.", "Keep one of them.")


def _same_text(label: Label, items: Requirements, tables: dict[str, dict[str, list[Requirement]]]) -> Requirement | None:
    if not label.criteria:
        return items.by_id.get(label.id)
    if label.task not in tables:
        tables[label.task] = defaultdict(list)
        for item in items:
            tables[label.task][f"exact {item.criteria}"].append(item)
            tables[label.task][f"normal {normal_form(item.criteria)}"].append(item)
    table = tables[label.task]
    found = table.get(f"exact {label.criteria}") or table.get(f"normal {normal_form(label.criteria)}")
    if not found:
        return None
    return next((item for item in found if item.id == label.id), found[0])
