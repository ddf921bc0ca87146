"""The DevAI benchmark by one command: agents side by side from people's labels, or any engine on a folder of workspaces."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.files import jsonable
from tenfold.core.parallel import Failure
from tenfold.judge import devai
from tenfold.judge.alignment import Agreement, agreement
from tenfold.judge.runner import Case, run_many
from tenfold.judge.types import Report, Requirements

__all__ = ["DevAI", "Folder", "find_workspaces", "judge_devai", "system_agreements", "systems_markdown"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".json", ".json.gz")


class Folder(NamedTuple):
    """Which workspaces a folder holds: path by task, tasks without one, and names that are no task."""

    found: Mapping[str, Path]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class DevAI:
    """An engine on the workspaces of one agent.

    Attributes:
        folder: what was there.
        reports: by task.
        failed: workspaces that could not be judged.
        agreement: with people's labels, or None without labels.
    """

    folder: Folder
    reports: Mapping[str, Report]
    failed: tuple[Failure, ...]
    agreement: Agreement | None

    def totals(self) -> dict[str, Any]:
        """Counts and sums over all reports; shares in [0, 1]."""
        verdicts = [one.verdict for report in self.reports.values() for one in report]
        met = {
            name: sum(report.is_met(one.requirement.id, how) for report in self.reports.values() for one in report)
            for name, how in (("met", False), ("met_dependent", True), ("met_transitive", "transitive"))
        }
        costs = [one.usd for report in self.reports.values() for one in report]
        return {
            "tasks": len(self.reports),
            "requirements": len(verdicts),
            **{name: verdicts.count(name) for name in ("satisfied", "unsatisfied", "undecided")},
            **met,
            "solved": sum(report.met() == 1.0 for report in self.reports.values()),
            "calls": sum(int(report.settings.get("calls", 0)) for report in self.reports.values()),
            "usd": None if None in costs else sum(cost for cost in costs if cost is not None),
        }

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        verdicts = {task: {one.requirement.id: one.verdict for one in report} for task, report in self.reports.items()}
        return jsonable(
            {
                **self.totals(),
                "missing": self.folder.missing,
                "unknown": self.folder.unknown,
                "failed": [one._asdict() for one in self.failed],
                "verdicts": verdicts,
                "agreement": None if self.agreement is None else self.agreement.to_dict(),
            }
        )


def find_workspaces(folder: str | os.PathLike[str], tasks: Mapping[str, Requirements]) -> Folder:
    """Which tasks have a workspace (a folder or an archive of the task's name) in a folder.

    Raises:
        BadInput: there is no such folder, or no task has a workspace there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", "It holds one workspace for each task, by the task's name.")
    names = {_task_name(path): path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    found = {task: names[task] for task in tasks if task in names}
    if not found:
        hint = f"A task's name is, for example, {next(iter(tasks), 'none')}."
        raise BadInput(f"No task has a workspace in {folder}.", hint)
    missing = tuple(task for task in tasks if task not in found)
    return Folder(found, missing, tuple(name for name in names if name not in tasks))


def judge_devai(
    workspaces: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    flags: str | os.PathLike[str] | None = None,
    trajectories: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    **options: Any,
) -> DevAI:
    """Judge an agent's workspaces of DevAI.

    Args:
        workspaces: a folder with a workspace for each task, by the task's name; those that are not there are listed.
        labels: people's verdicts on them: a CSV file, or the name of a staged one.
        flags: how the runs ended: a CSV file, or the name of a staged one.
        trajectories: a folder with a file TASK.json or TASK.jsonl for each task.
        data: the tasks, as of `devai.tasks`.
        **options: of `runner.run_many`.

    Raises:
        BadInput: as `find_workspaces`, `read_labels`, `runner.run_many`.
        DataMissing: the tasks or staged labels are not here.
    """
    tasks = devai.tasks(data)
    folder = find_workspaces(workspaces, tasks)
    rows = None if labels is None else devai.labels(labels)
    ended = None if flags is None else devai.flags(flags)
    cases = [Case(path, tasks[task], _trajectory(trajectories, task)) for task, path in folder.found.items()]
    made = run_many(cases, on_error="collect", **options)
    pairs = list(zip(folder.found, made, strict=True))
    reports = {task: one for task, one in pairs if isinstance(one, Report)}
    failed = tuple(Failure(task, one.error) for task, one in pairs if isinstance(one, Failure))
    found = None if rows is None or not reports else agreement(reports, rows, flags=ended)
    return DevAI(folder, reports, failed, found)


def system_agreements(systems: Sequence[str], column: str = devai.RECORDED) -> dict[str, Agreement]:
    """The recorded judge beside people, for each agent.

    Args:
        systems: names of staged labels ("MetaGPT", "OpenHands") or paths of labels files; flags are read where they lie
            beside: task_flags_NAME.csv beside labels_NAME.csv.
        column: of the recorded judge.

    Raises:
        BadInput: a file cannot be used.
        DataMissing: staged labels are not here.
    """
    found = {}
    for system in systems:
        rows = devai.labels(system)
        name = Path(system).stem.removeprefix("labels_") if "." in system or os.sep in system else system
        found[name] = agreement(None, rows, column=column, flags=_flags_beside(system))
    return found


def systems_markdown(found: Mapping[str, Agreement]) -> str:
    """Agents in columns: what people and the judge count, their agreement, and both floors."""
    rows: list[tuple[str, list[str]]] = [
        ("requirements, tasks", [f"{one.total}, {one.tasks}" for one in found.values()]),
        ("people: met (I)", [_count(one.human.met, one.total) for one in found.values()]),
        ("people: met with prerequisites (D)", [_count(one.human.met_dependent, one.total) for one in found.values()]),
        ("people: met, all prerequisites", [_count(one.human.met_transitive, one.total) for one in found.values()]),
        ("people: tasks solved", [_count(one.human.solved, one.tasks) for one in found.values()]),
        ("ended by itself", [_ended(one) for one in found.values()]),
        ("judge: met (I)", [_count(one.judged.met, one.total) for one in found.values()]),
        ("judge: met with prerequisites (D)", [_count(one.judged.met_dependent, one.total) for one in found.values()]),
        ("judge aligned with people", [_count(one.aligned, one.total) + _span(one, "alignment") for one in found.values()]),
        ("Cohen's kappa", ["-" if one.kappa is None else f"{one.kappa:.3f}" for one in found.values()]),
        ("floor: always the same", [_count(one.floor.constant_aligned, one.total) for one in found.values()]),
        ("floor: words of the criteria", [_count(one.floor.text_aligned, one.total) for one in found.values()]),
    ]
    lines = [f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]) + "\n"


def _task_name(path: Path) -> str:
    suffix = next((one for one in sorted(_ARCHIVES, key=len, reverse=True) if path.name.endswith(one)), "")
    return path.name if path.is_dir() else path.name.removesuffix(suffix)


def _trajectory(folder: str | os.PathLike[str] | None, task: str) -> Path | None:
    if folder is None:
        return None
    places = [Path(folder) / f"{task}{suffix}" for suffix in (".json", ".jsonl", ".json.gz")]
    return next((place for place in places if place.is_file()), None)


def _flags_beside(system: str) -> Mapping[str, devai.TaskFlags] | None:
    path = Path(system)
    if not path.is_file():
        try:
            return devai.flags(system)
        except DataMissing:
            return None
    beside = path.with_name(path.name.replace("labels_", "task_flags_", 1))
    return devai.flags(beside) if beside != path and beside.is_file() else None


def _count(count: int, total: int) -> str:
    return f"{count} = {count / total:.2%}"


def _span(one: Agreement, name: str) -> str:
    interval = one.intervals.get(name)
    return f" ({interval.low:.1%} to {interval.high:.1%})" if interval else ""


def _ended(one: Agreement) -> str:
    return "no flags" if one.self_terminated is None else _count(one.self_terminated, one.tasks)
