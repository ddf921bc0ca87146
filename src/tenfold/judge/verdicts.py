"""A judge's verdicts beside the labels that they are about, from whatever form the verdicts come in."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tenfold.core.errors import BadInput
from tenfold.judge.labels import Label, Unmatched, join_labels, unmatched_words
from tenfold.judge.types import Report, Requirements, Verdict
from tenfold.judge.writers import read_report

__all__ = ["Judged", "Verdicts", "beside_labels", "read_reports"]

Verdicts = (
    str
    | os.PathLike[str]
    | Report
    | Sequence[Report]
    | Mapping[str, Report]
    | Mapping[str, Mapping[str, Verdict | bool]]
    | Mapping[str, Verdict | bool]
)


@dataclass(frozen=True)
class Judged:
    """A label and what the judge said.

    Attributes:
        label: a person's verdict.
        verdict: the judge's.
        probability: that it is satisfied, in [0, 1]; a bare verdict counts as 1 or 0, an undecided one as 0.5.
        confidence: in [0, 1]; a bare verdict claims 1.
    """

    label: Label
    verdict: Verdict
    probability: float
    confidence: float

    @property
    def says_met(self) -> bool:
        """Undecided is not met."""
        return self.verdict == "satisfied"


def beside_labels(
    verdicts: Verdicts | None, labels: Sequence[Label], column: str
) -> tuple[list[Judged], tuple[Unmatched, ...], list[Report]]:
    """Pair every label with a verdict.

    Args:
        verdicts: None = the labels' own column; reports (one, several, by task, or a JSON file or folder of them), joined by
            the words of the criteria; or bare verdicts by id, for one task or by task, with the labels' own ids.
        labels: of one agent where verdicts are given.
        column: of the recorded judge.

    Returns:
        Pairs, labels of judged tasks that match no criterion, and the reports.

    Raises:
        BadInput: no such column; nothing matches; labels of several agents.
    """
    if verdicts is None:
        return _recorded(labels, column), (), []
    agents = {label.agent for label in labels}
    if len(agents) > 1:
        raise BadInput(f"The labels are of {len(agents)} agents, the verdicts of one.", "Give that agent's labels.")
    bare = _bare(verdicts, labels)
    if bare is not None:
        judged = [_plain(label, bare[label.task, label.id]) for label in labels if (label.task, label.id) in bare]
        if not judged:
            raise BadInput("No verdict has a label's task and id.", f"The first label: {labels[0].task}, {labels[0].id}.")
        return judged, (), []
    reports = _by_task(verdicts, labels)
    join = join_labels([label for label in labels if label.task in reports], _requirements(reports))
    if not join.matched:
        words = unmatched_words(join.unmatched, len(join.unmatched)) or _tasks_hint(reports, labels)
        raise BadInput("No label is about what was judged.", words)
    judged = [_from_report(label, reports[label.task], item.id) for label, item in join.matched]
    return judged, join.unmatched, list(reports.values())


def read_reports(path: str | os.PathLike[str]) -> list[Report]:
    """Reports from a JSON file, or from every .json file in a folder and the folders in it.

    Raises:
        BadInput: unreadable, or no report there.
    """
    path = Path(path)
    if not path.is_dir():
        return [read_report(path)]
    files = sorted(file for file in [*path.glob("*.json"), *path.glob("*/report.json")] if file.is_file())
    if not files:
        raise BadInput(f"{path} holds no report.", "It should hold one .json file for each workspace.")
    return [read_report(file) for file in files]


def _recorded(labels: Sequence[Label], column: str) -> list[Judged]:
    known = list(dict.fromkeys(name for label in labels for name in label.recorded))
    if column not in known:
        hint = f"Recorded judges there: {', '.join(known) or 'none'}."
        raise BadInput(f"The labels have no column {column!r:.60} of verdicts.", hint)
    found = [_plain(one, verdict) for one in labels if (verdict := one.recorded.get(column)) is not None]
    if not found:
        raise BadInput(f"The column {column} is empty.")
    return found


def _plain(label: Label, verdict: Verdict) -> Judged:
    probability = {"satisfied": 1.0, "unsatisfied": 0.0, "undecided": 0.5}[verdict]
    return Judged(label, verdict, probability, 0.5 if verdict == "undecided" else 1.0)


def _from_report(label: Label, report: Report, identity: str) -> Judged:
    one = report[identity]
    return Judged(label, one.verdict, one.probability, one.confidence)


def _bare(verdicts: Verdicts, labels: Sequence[Label]) -> dict[tuple[str, str], Verdict] | None:
    """Bare verdicts by (task, id), or None where these are reports."""
    if not isinstance(verdicts, Mapping) or any(isinstance(value, Report) for value in verdicts.values()):
        return None
    tables = cast("Mapping[str, Any]", verdicts)
    if not any(isinstance(value, Mapping) for value in tables.values()):
        names = list(dict.fromkeys(label.task for label in labels))
        if len(names) > 1:
            raise BadInput(f"The labels are of {len(names)} tasks, the verdicts of one.", "Give {task: {id: verdict}}.")
        tables = {names[0]: tables}
    found: dict[tuple[str, str], Verdict] = {}
    for task, table in tables.items():
        for identity, value in table.items() if isinstance(table, Mapping) else [("", table)]:
            verdict = {True: "satisfied", False: "unsatisfied"}.get(value, value) if isinstance(value, bool) else value
            if verdict not in ("satisfied", "unsatisfied", "undecided"):
                raise BadInput(
                    f"{value!r:.60} of task {task!r:.60} is no verdict.", "Use satisfied, unsatisfied or undecided."
                )
            found[str(task), str(identity)] = cast("Verdict", verdict)
    return found


def _by_task(verdicts: Verdicts, labels: Sequence[Label]) -> dict[str, Report]:
    """Reports by the labels' names of tasks: by key, by the requirements' name, else by the workspace's."""
    if isinstance(verdicts, Mapping):
        return dict(cast("Mapping[str, Report]", verdicts))
    if isinstance(verdicts, str | os.PathLike):
        reports = read_reports(verdicts)
    else:
        reports = [verdicts] if isinstance(verdicts, Report) else list(cast("Sequence[Report]", verdicts))
    tasks = {label.task for label in labels}
    found: dict[str, Report] = {}
    for report in reports:
        names = (report.requirements.name, report.workspace)
        name = next((one for one in names if one in tasks), None)
        if name is None and len(reports) == 1 and len(tasks) == 1:
            name = next(iter(tasks))
        name = name or names[0]
        if name in found:
            raise BadInput(f"Two reports are about the task {name!r:.80}.", "Give one for each task.")
        found[name] = report
    return found


def _requirements(reports: Mapping[str, Report]) -> dict[str, Requirements]:
    return {task: report.requirements for task, report in reports.items()}


def _tasks_hint(reports: Mapping[str, Report], labels: Sequence[Label]) -> str:
    return f"Judged: {', '.join(list(reports)[:3])}; labelled: {', '.join(list(dict.fromkeys(x.task for x in labels))[:3])}."
