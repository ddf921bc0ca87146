"""DevAI: 55 tasks of AI development with 365 requirements, and the labels of three people's consensus.

Zhuge et al. 2024, arXiv 2410.10934, section 2 (MIT licence). The labels are of an older revision of the tasks with 366
requirements: they are joined by the text that was judged (`labels.join_labels`), never by index.
"""

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.data import locate
from tenfold.core.errors import BadInput
from tenfold.judge.forms import Draft, read_drafts, read_text, read_values
from tenfold.judge.labels import Label, read_labels
from tenfold.judge.requirements import load_requirements
from tenfold.judge.types import Requirements

__all__ = [
    "PAPER_COSTS",
    "RECORDED",
    "Instance",
    "Preference",
    "TaskFlags",
    "flags",
    "instances",
    "labels",
    "paper_file",
    "tasks",
]

RECORDED = "aaaj_gray_box"
# Minutes and dollars of the paper's own evaluation of three agents on 55 tasks each; nobody here measured them again.
PAPER_COSTS: Mapping[str, tuple[float, float]] = {
    "three people": (86.5 * 60, 1297.50),
    "Agent-as-a-Judge": (118.43, 30.58),
    "LLM-as-a-Judge": (10.99, 29.63),
}
_TASKS = "devai_instances.jsonl"


class Preference(NamedTuple):
    """What the user would like but does not require; the benchmark never labelled these."""

    id: str
    criteria: str


class TaskFlags(NamedTuple):
    """How an agent's run of a task ended: by itself (self-termination), and what it met by its labels."""

    self_terminated: bool
    all_requirements: bool
    all_preferences: bool


@dataclass(frozen=True)
class Instance:
    """A DevAI task.

    Attributes:
        requirements: with the task's name and query.
        preferences: soft wishes.
        tags: e.g. "Computer Vision".
        needs_kaggle: an account there is needed.
        needs_training: a model is trained.
        needs_web: the agent must browse.
        hint: to the agent, or empty.
        resource: where material lies, or empty.
    """

    requirements: Requirements
    preferences: tuple[Preference, ...] = ()
    tags: tuple[str, ...] = ()
    needs_kaggle: bool = False
    needs_training: bool = False
    needs_web: bool = False
    hint: str = ""
    resource: str = ""

    @property
    def name(self) -> str:
        """Of the task."""
        return self.requirements.name


def instances(data: str | os.PathLike[str] | None = None) -> dict[str, Instance]:
    """The tasks with their preferences and flags, by name, in the order of the names.

    Args:
        data: a file in any form of `load_requirements`; a folder that holds devai_instances.jsonl; or the published folder
            benchmark/devai/instances with one JSON file for each task. None = the data set `judge/devai`.

    Raises:
        BadInput: unreadable, or not in that form.
        DataMissing: `data` is None and the data set is not here.
    """
    found: dict[str, Instance] = {}
    for draft in _drafts(paper_file(_TASKS) if data is None else Path(data)):
        if draft.name in found:
            raise BadInput(f"Two tasks are named {draft.name!r:.80}.", "Give each its own name.")
        found[draft.name] = _instance(draft)
    return dict(sorted(found.items()))


def tasks(data: str | os.PathLike[str] | None = None) -> dict[str, Requirements]:
    """The requirements of each task, by name: see `instances`."""
    return {name: one.requirements for name, one in instances(data).items()}


def labels(path: str | os.PathLike[str]) -> list[Label]:
    """The consensus labels of one agent's workspaces: a file, or the name of a staged one ("MetaGPT", "OpenHands").

    Raises:
        BadInput: unreadable, or not in the form of `labels.read_labels`.
        DataMissing: a staged one is not here.
    """
    return read_labels(_staged("labels", path))


def flags(path: str | os.PathLike[str]) -> dict[str, TaskFlags]:
    """How each task's run ended, by task: a CSV file, or the name of a staged one ("MetaGPT", "OpenHands").

    Raises:
        BadInput: unreadable, no such columns, a cell that is neither true nor false, a task twice.
        DataMissing: a staged one is not here.
    """
    path = _staged("task_flags", path)
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    columns = ("task", "executed_successfully", "satisfied_all_requirements", "satisfied_all_preferences")
    lacking = [name for name in columns[:2] if name not in (rows.fieldnames or [])]
    if lacking:
        raise BadInput(f"{path} has no column {lacking[0]}.", f"It needs: {', '.join(columns)}.")
    found: dict[str, TaskFlags] = {}
    for row in rows:
        task = (row["task"] or "").strip()
        if not task or task in found:
            raise BadInput(f"{path}, line {rows.line_num}: {'the task is empty' if not task else f'{task} stands twice'}.")
        found[task] = TaskFlags(*(_is_true(path, rows.line_num, name, row.get(name)) for name in columns[1:]))
    return found


def paper_file(name: str) -> Path:
    """A file of the data set, e.g. "labels_MetaGPT.csv".

    Raises:
        DataMissing: it is not here; says which file to put where.
    """
    return locate(f"judge/{name}")


def _staged(kind: str, path: str | os.PathLike[str]) -> Path:
    is_name = isinstance(path, str) and path.isidentifier() and not os.path.exists(path)
    return paper_file(f"{kind}_{path}.csv") if is_name else Path(path)


def _is_true(path: Path, line: int, name: str, cell: str | None) -> bool:
    text = (cell or "false").strip().lower()
    if text not in ("true", "false", "1", "0"):
        raise BadInput(f"{path}, line {line}: {name} is {cell!r:.40}.", "It is True or False.")
    return text in ("true", "1")


def _drafts(path: Path) -> list[Draft]:
    if not path.is_dir():
        return read_drafts(path)
    if (path / _TASKS).is_file():
        return read_drafts(path / _TASKS)
    files = sorted(path.glob("*.json"))
    if not files:
        raise BadInput(f"{path} holds no task.", f"It should hold {_TASKS}, or one JSON file for each task.")
    return [draft for file in files for draft in read_drafts({"name": file.stem, **_table(file)})]


def _table(file: Path) -> Mapping[str, Any]:
    value = read_values(file)
    if not isinstance(value, Mapping):
        raise BadInput(f"{file} is no task: a task is a table with name, query and requirements.")
    return value


def _instance(draft: Draft) -> Instance:
    details = draft.details or {}
    wishes = details.get("preferences") or []
    if not isinstance(wishes, list) or not all(isinstance(one, Mapping) and "criteria" in one for one in wishes):
        raise BadInput(f"{draft.name}: the preferences are not a list of tables with criteria.")
    tags = details.get("tags") or []
    if not isinstance(tags, list):
        raise BadInput(f"{draft.name}: the tags are not a list of words.")
    if draft.findings:
        raise BadInput(f"{draft.name}: {draft.findings[0].words}", draft.findings[0].hint)
    return Instance(
        load_requirements(Requirements(draft.name, draft.items, draft.query)),
        tuple(Preference(str(one.get("preference_id", number)), str(one["criteria"])) for number, one in enumerate(wishes)),
        tuple(str(tag) for tag in tags),
        details.get("is_kaggle_api_needed") is True,
        details.get("is_training_needed") is True,
        details.get("is_web_navigation_needed") is True,
        _words(details.get("hint")),
        _words(details.get("resource")),
    )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
