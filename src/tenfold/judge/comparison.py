"""Two reports side by side: two agents, two judges, or two runs of one agent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from tenfold.core.errors import BadInput
from tenfold.judge.labels import normal_form
from tenfold.judge.types import Report, Requirement, Verdict
from tenfold.judge.writers import inline

__all__ = ["Change", "Comparison", "Difference", "Gain", "compare", "mcnemar"]

Change = Literal["gained", "lost", "same", "changed"]


@dataclass(frozen=True)
class Difference:
    """A requirement in both reports.

    Attributes:
        task: name.
        requirement: as the second report has it.
        before: verdict of the first.
        after: verdict of the second.
        probability: after minus before, in [-1, 1].
        change: "gained" or "lost" (became satisfied, or no longer is), "changed" (unsatisfied against undecided), "same".
    """

    task: str
    requirement: Requirement
    before: Verdict
    after: Verdict
    probability: float
    change: Change


class Gain(NamedTuple):
    """A value of the first, of the second, their difference, and its 95 % interval over tasks (None for one task)."""

    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """What differs between two sides.

    Attributes:
        names: of the two sides.
        rows: requirements in both, in the order of the second.
        only_first: requirements without a partner, as "task: id".
        only_second: the same of the second.
        gains: met, met_dependent, met_transitive, reward: means over tasks.
        p_value: exact McNemar test on satisfied or not: how likely so lopsided changes are by chance.
    """

    names: tuple[str, str]
    rows: tuple[Difference, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    gains: Mapping[str, Gain]
    p_value: float

    def changed(self) -> list[Difference]:
        """The requirements whose verdict differs."""
        return [row for row in self.rows if row.change != "same"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "names": list(self.names),
            "gains": {name: gain._asdict() for name, gain in self.gains.items()},
            "p_value": self.p_value,
            "counts": {kind: sum(row.change == kind for row in self.rows) for kind in ("gained", "lost", "changed", "same")},
            "rows": [
                {
                    "task": row.task,
                    "id": row.requirement.id,
                    "criteria": row.requirement.criteria,
                    "before": row.before,
                    "after": row.after,
                    "probability": row.probability,
                    "change": row.change,
                }
                for row in self.rows
            ],
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
        }

    def to_markdown(self) -> str:
        """The gains and the requirements whose verdict differs."""
        first, second = (inline(name) for name in self.names)
        lines = [f"| | {first} | {second} | difference | 95 % interval over tasks |", "|---|---|---|---|---|"]
        for name, gain in self.gains.items():
            span = f"{gain.interval[0]:+.3f} to {gain.interval[1]:+.3f}" if gain.interval else "one task"
            values = f"{gain.first:.3f} | {gain.second:.3f} | {gain.difference:+.3f}"
            lines.append(f"| {name.replace('_', ' ')} | {values} | {span} |")
        changed = self.changed()
        words = (
            f"{len(changed)} of {len(self.rows)} verdicts differ (exact McNemar test on satisfied: p = {self.p_value:.3g})."
        )
        lines += ["", words]
        if changed:
            lines += ["", f"| task | id | {first} | {second} | requirement |", "|---|---|---|---|---|"]
            for row in changed:
                cells = (
                    inline(row.task),
                    inline(row.requirement.id),
                    row.before,
                    row.after,
                    inline(row.requirement.criteria),
                )
                lines.append(f"| {' | '.join(cells)} |")
        for side, lonely in zip(self.names, (self.only_first, self.only_second), strict=True):
            if lonely:
                lines += ["", f"Only in {inline(side)}: {len(lonely)}, such as {inline(lonely[0])}."]
        return "\n".join(lines) + "\n"


def compare(
    first: Report | Mapping[str, Report],
    second: Report | Mapping[str, Report],
    *,
    names: tuple[str, str] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two reports, or two sets of reports by task.

    Requirements are partners if their texts agree up to case, quotes and punctuation; where texts repeat, by id.

    Args:
        first: before, or one agent.
        second: after, or another agent.
        names: of the two; None = their workspaces, "first" and "second" for sets.
        draws: of the bootstrap over tasks.
        seed: of the bootstrap.

    Raises:
        BadInput: no task, or no requirement, in common.
    """
    one, other = _by_task(first), _by_task(second)
    if len(one) == len(other) == 1:
        # Two runs of one task may call it differently.
        other = dict(zip(one, other.values(), strict=True))
    tasks = [task for task in other if task in one]
    rows = [row for task in tasks for row in _rows(task, one[task], other[task])]
    if not rows:
        raise BadInput("The two have no requirement in common.", f"First: {_few(one)}; second: {_few(other)}.")
    gained, lost = (sum(row.change == kind for row in rows) for kind in ("gained", "lost"))
    return Comparison(
        names or _names(first, second),
        tuple(rows),
        _lonely(one, other),
        _lonely(other, one),
        _gains([(one[task], other[task]) for task in tasks], draws, seed),
        mcnemar(gained, lost),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided McNemar test: the chance that a fair coin splits the changes so lopsidedly, in (0, 1]."""
    total, fewer = gained + lost, min(gained, lost)
    return min(1.0, 2.0 * sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total)


def _by_task(side: Report | Mapping[str, Report]) -> dict[str, Report]:
    return {side.requirements.name: side} if isinstance(side, Report) else dict(side)


def _names(first: Report | Mapping[str, Report], second: Report | Mapping[str, Report]) -> tuple[str, str]:
    if isinstance(first, Report) and isinstance(second, Report) and first.workspace != second.workspace:
        return first.workspace, second.workspace
    return "first", "second"


def _few(side: Mapping[str, Report]) -> str:
    return ", ".join(list(side)[:3]) or "nothing"


def _partners(first: Report, second: Report) -> list[tuple[Requirement, Requirement]]:
    waiting: dict[str, list[Requirement]] = {}
    for item in first.requirements:
        waiting.setdefault(normal_form(item.criteria), []).append(item)
    found = []
    for item in second.requirements:
        same = waiting.get(normal_form(item.criteria), [])
        if same:
            partner = next((one for one in same if one.id == item.id), same[0])
            same.remove(partner)
            found.append((partner, item))
    return found


def _rows(task: str, first: Report, second: Report) -> list[Difference]:
    rows = []
    for old, new in _partners(first, second):
        before, after = first[old.id], second[new.id]
        probability = after.probability - before.probability
        rows.append(
            Difference(task, new, before.verdict, after.verdict, probability, _change(before.verdict, after.verdict))
        )
    return rows


def _change(before: Verdict, after: Verdict) -> Change:
    if before == after:
        return "same"
    if after == "satisfied":
        return "gained"
    return "lost" if before == "satisfied" else "changed"


def _lonely(side: Mapping[str, Report], other: Mapping[str, Report]) -> tuple[str, ...]:
    found = []
    for task, report in side.items():
        partners = {one.id for one, _ in _partners(report, other[task])} if task in other else set()
        found += [f"{task}: {item.id}" for item in report.requirements if item.id not in partners]
    return tuple(found)


def _gains(pairs: list[tuple[Report, Report]], draws: int, seed: int) -> dict[str, Gain]:
    measures = {
        "met": lambda report: report.met(),
        "met_dependent": lambda report: report.met(dependent=True),
        "met_transitive": lambda report: report.met(dependent="transitive"),
        "reward": lambda report: report.reward(),
    }
    tasks = len(pairs)
    weights = np.random.default_rng(seed).multinomial(tasks, np.full(tasks, 1 / tasks), size=draws) / tasks
    found = {}
    for name, measure in measures.items():
        values = np.array([[measure(one), measure(other)] for one, other in pairs])
        low, high = np.percentile(weights @ (values[:, 1] - values[:, 0]), [2.5, 97.5]).tolist()
        first, second = values.mean(0).tolist()
        found[name] = Gain(first, second, second - first, (low, high) if tasks > 1 else None)
    return found
