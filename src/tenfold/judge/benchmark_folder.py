"""A folder with one workspace for each task, as benchmarks hand them out: what is there, what is missing, judging it all.

A workspace is a sub-folder, archive or JSON file with the name of its task (or the number that the name begins with). A
trajectory is a file with the task's name beside it in a folder of trajectories, or `trajectory.json` as `collect` leaves it.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.planning import LADDER
from tenfold.judge.runner import Case, run_many
from tenfold.judge.types import Report, Requirements

__all__ = ["Found", "find_cases", "judge_folder", "ladder"]

_ENDINGS = (".json.gz", ".json", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip")


class Found(NamedTuple):
    """What a folder holds: cases by task, tasks without a workspace, entries that are of no task."""

    cases: dict[str, Case]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    def sentence(self) -> str:
        """How complete it is, in words."""
        total = len(self.cases) + len(self.missing)
        with_log = sum(case.trajectory is not None for case in self.cases.values())
        parts = [f"{len(self.cases)} of {total} tasks have a workspace, {with_log} of them a trajectory."]
        if self.missing:
            parts.append(f"Missing: {', '.join(self.missing[:5])}{', ...' if len(self.missing) > 5 else ''}.")
        if self.extra:
            parts.append(f"Of no task: {', '.join(self.extra[:5])}{', ...' if len(self.extra) > 5 else ''}.")
        return " ".join(parts)


def find_cases(
    workspaces: str | os.PathLike[str],
    tasks: Mapping[str, Requirements],
    trajectories: str | os.PathLike[str] | None = None,
) -> Found:
    """Match a folder's entries with tasks.

    Raises:
        BadInput: it is no folder, or holds no workspace of any task.
    """
    folder = _folder(workspaces)
    logs = _entries(_folder(trajectories), tasks) if trajectories is not None else {}
    entries = _entries(folder, tasks)
    cases = {}
    for name in tasks:
        if name in entries:
            path = entries[name]
            collected = path / "workspace" if (path / "result.json").is_file() else path
            cases[name] = Case(collected, tasks[name], logs.get(name) or _own_log(path))
    extra = sorted(one.name for one in folder.iterdir() if one not in entries.values() and not one.name.startswith("."))
    extra = [name for name in extra if name not in ("config.json", "manifest.json", "result.json", "metrics.jsonl")]
    if not cases:
        hint = f"Name each workspace as its task, e.g. {next(iter(tasks), 'task')}."
        raise BadInput(f"{folder} holds no workspace of the {len(tasks)} tasks.", hint)
    return Found(cases, tuple(name for name in tasks if name not in cases), tuple(extra))


def judge_folder(
    workspaces: str | os.PathLike[str],
    tasks: Mapping[str, Requirements],
    trajectories: str | os.PathLike[str] | None = None,
    **options: Any,
) -> tuple[dict[str, Report], Found]:
    """Judge every workspace that is there; options as of `runner.run_many`. A bad one fails the call, and is named.

    Returns:
        Reports by task (as `alignment.agreement` takes them), and what was found.
    """
    found = find_cases(workspaces, tasks, trajectories)
    made = run_many(list(found.cases.values()), **options)
    return {name: report for name, report in zip(found.cases, made, strict=True) if isinstance(report, Report)}, found


def ladder(
    workspaces: str | os.PathLike[str],
    tasks: Mapping[str, Requirements],
    trajectories: str | os.PathLike[str] | None = None,
    **options: Any,
) -> dict[str, dict[str, Report]]:
    """The paper's ablation: the agent with one module more each time (`planning.LADDER`); reports by rung and task.

    The last rung needs trajectories and is left out where a workspace has none.
    """
    found = find_cases(workspaces, tasks, trajectories)
    has_logs = all(case.trajectory is not None for case in found.cases.values())
    rungs = {name: plan for name, plan in LADDER.items() if has_logs or "trajectory" not in plan}
    return {
        name: judge_folder(workspaces, tasks, trajectories, **{**options, "engine": "llm", "plan": plan})[0]
        for name, plan in rungs.items()
    }


def _entries(folder: Path, tasks: Mapping[str, Requirements]) -> dict[str, Path]:
    """Entries by the task that they are of: by its whole name, else by a number that begins just one task's name."""
    numbers: dict[str, list[str]] = {}
    for name in tasks:
        number = re.match(r"\d+", name)
        if number:
            numbers.setdefault(number.group(), []).append(name)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = next((path.name.removesuffix(end) for end in _ENDINGS if path.name.endswith(end)), path.name)
        named = [stem] if stem in tasks else numbers.get(stem, [])
        if len(named) == 1 and not path.is_symlink():
            found.setdefault(named[0], path)
    return found


def _own_log(path: Path) -> Path | None:
    places = [path / name for name in ("trajectory.json", "trajectory.jsonl")] if (path / "result.json").is_file() else []
    return next((place for place in places if place.is_file()), None)


def _folder(path: str | os.PathLike[str]) -> Path:
    if not Path(path).is_dir():
        raise BadInput(f"{path} is not a folder.", "Name the folder that holds one workspace for each task.")
    return Path(path)
