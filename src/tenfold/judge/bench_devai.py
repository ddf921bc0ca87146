"""The DevAI benchmark by one command: agents side by side from people's labels, or any engine on a folder of workspaces."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.core.errors import DataMissing
from tenfold.core.files import jsonable
from tenfold.core.parallel import Failure
from tenfold.judge import devai
from tenfold.judge.alignment import Agreement, agreement
from tenfold.judge.benchmark_folder import Found, find_cases, ladder
from tenfold.judge.runner import run_many
from tenfold.judge.types import Report

__all__ = ["DevAI", "judge_devai", "ladder_agreements", "system_agreements", "systems_markdown"]


@dataclass(frozen=True)
class DevAI:
    """An engine on the workspaces of one agent.

    Attributes:
        found: what was there.
        reports: by task.
        failed: workspaces that could not be judged.
        agreement: with people's labels, or None without labels.
    """

    found: Found
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
                "missing": self.found.missing,
                "unknown": self.found.extra,
                "failed": [one._asdict() for one in self.failed],
                "verdicts": verdicts,
                "agreement": None if self.agreement is None else self.agreement.to_dict(),
            }
        )


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
        trajectories: a folder with a file for each task, by its name; see `benchmark_folder`.
        data: the tasks, as of `devai.tasks`.
        **options: of `runner.run_many`.

    Raises:
        BadInput: as `benchmark_folder.find_cases`, `read_labels`, `runner.run_many`.
        DataMissing: the tasks or staged labels are not here.
    """
    tasks = devai.tasks(data)
    found = find_cases(workspaces, tasks, trajectories)
    rows = None if labels is None else devai.labels(labels)
    ended = None if flags is None else devai.flags(flags)
    made = run_many(list(found.cases.values()), on_error="collect", **options)
    pairs = list(zip(found.cases, made, strict=True))
    reports = {task: one for task, one in pairs if isinstance(one, Report)}
    failed = tuple(Failure(task, one.error) for task, one in pairs if isinstance(one, Failure))
    with_people = None if rows is None or not reports else agreement(reports, rows, flags=ended)
    return DevAI(found, reports, failed, with_people)


def ladder_agreements(
    workspaces: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    *,
    trajectories: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    **options: Any,
) -> dict[str, Agreement]:
    """The paper's ablation beside people's labels: the agent with one module more each time; arguments as `judge_devai`."""
    rows = devai.labels(labels)
    rungs = ladder(workspaces, devai.tasks(data), trajectories, **options)
    return {name: agreement(reports, rows) for name, reports in rungs.items()}


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
