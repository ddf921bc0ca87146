"""How well a judge agrees with people: the paper's metrics, with floors and intervals (section 4 of arXiv 2410.10934).

(I) = requirements met; (D) = met together with every direct prerequisite: only so do the published labels give the
paper's numbers; D-transitive asks for all prerequisites. Undecided is not met. Intervals are percentiles of a bootstrap
over tasks, for requirements of one task stand or fall together.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import BadInput
from tenfold.judge.agreement_table import agreement_markdown
from tenfold.judge.devai import PAPER_COSTS, RECORDED, TaskFlags
from tenfold.judge.devai import flags as read_flags
from tenfold.judge.floors import Floors, floors
from tenfold.judge.labels import Label, Unmatched, read_labels
from tenfold.judge.metrics import (
    Confusion,
    CurvePoint,
    auroc,
    average_precision,
    calibration_error,
    coverage_curve,
    disagreement,
    majority,
    precision_recall,
)
from tenfold.judge.types import Report
from tenfold.judge.verdicts import Judged, Verdicts, beside_labels

__all__ = ["Agreement", "Cost", "Interval", "Met", "agreement"]


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Met:
    """Counts of requirements that an evaluator calls met.

    Attributes:
        met: (I).
        met_dependent: (D), with the direct prerequisites.
        met_transitive: with all prerequisites.
        solved: tasks with every requirement met.
    """

    met: int
    met_dependent: int
    met_transitive: int
    solved: int


@dataclass(frozen=True)
class Cost:
    """What the judged reports cost: calls of a model, dollars (None = unknown), minutes of wall time, one after another."""

    calls: int
    usd: float | None
    minutes: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of a judge with labels.

    Attributes:
        judge: whose verdicts, in words.
        total: labels that have a verdict.
        tasks: of these.
        confusion: satisfied = positive; undecided counts as not satisfied.
        undecided: verdicts.
        decided_aligned: decided verdicts that agree.
        human: counts by the labels.
        judged: counts by the judge.
        self_terminated: runs that ended by themselves, or None without flags.
        floor: constant and text-only prior.
        intervals: 95 %, of shares in [0, 1] by name; empty for a single task.
        average_precision: of the probability of "satisfied".
        confidence_auroc: of confidence for being right, among decided.
        calibration_error: over 10 equal bins, among decided.
        curve: precision and recall.
        coverage: (coverage, accuracy) among all, most confident first.
        disagreement: of each pair of evaluators.
        majority_aligned: labels that agree with the majority of all judges, where there are two or more.
        by_category: (aligned, total).
        unmatched: labels that match no criterion.
        left_out: labels of what was not judged.
        cost: of the judge, or None for recorded verdicts.
    """

    judge: str
    total: int
    tasks: int
    confusion: Confusion
    undecided: int
    decided_aligned: int
    human: Met
    judged: Met
    self_terminated: int | None
    floor: Floors
    intervals: Mapping[str, Interval]
    average_precision: float | None
    confidence_auroc: float | None
    calibration_error: float | None
    curve: tuple[CurvePoint, ...] = ()
    coverage: tuple[tuple[float, float], ...] = ()
    disagreement: Mapping[tuple[str, str], float] = field(default_factory=dict)
    majority_aligned: int | None = None
    by_category: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unmatched: tuple[Unmatched, ...] = ()
    left_out: int = 0
    cost: Cost | None = None

    @property
    def aligned(self) -> int:
        """Labels with which the judge agrees."""
        return self.confusion.aligned

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa."""
        return self.confusion.kappa

    @property
    def shift(self) -> dict[str, float]:
        """Judge shift: |share by the judge - share by people|, in [0, 1]; `solved` is a share of tasks."""
        counts = {"met": self.total, "met_dependent": self.total, "met_transitive": self.total, "solved": self.tasks}
        return {name: abs(getattr(self.judged, name) - getattr(self.human, name)) / n for name, n in counts.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values: counts as counts, shares in [0, 1]."""
        return {
            "aligned": self.aligned,
            "total": self.total,
            "kappa": self.kappa,
            "self_terminated": self.self_terminated,
            "human": asdict(self.human),
            "judge": asdict(self.judged),
            "judge_name": self.judge,
            "tasks": self.tasks,
            "alignment": self.aligned / self.total,
            "undecided": self.undecided,
            "decided_aligned": self.decided_aligned,
            "confusion": self.confusion._asdict(),
            "shift": self.shift,
            "floors": {
                "constant": {
                    "verdict": "satisfied" if self.floor.constant else "unsatisfied",
                    "aligned": self.floor.constant_aligned,
                },
                "text_only": {"aligned": self.floor.text_aligned},
            },
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "average_precision": self.average_precision,
            "confidence_auroc": self.confidence_auroc,
            "calibration_error": self.calibration_error,
            "curve": [point._asdict() for point in self.curve],
            "coverage": [list(point) for point in self.coverage],
            "disagreement": [{"pair": list(pair), "share": share} for pair, share in self.disagreement.items()],
            "majority_aligned": self.majority_aligned,
            "by_category": {name: {"aligned": good, "total": n} for name, (good, n) in self.by_category.items()},
            "left_out": self.left_out,
            "unmatched": [_unmatched(one) for one in self.unmatched],
            "cost": None if self.cost is None else asdict(self.cost),
            "paper_costs": {name: {"minutes": minutes, "usd": usd} for name, (minutes, usd) in PAPER_COSTS.items()},
        }

    def to_markdown(self) -> str:
        """A table for people: the judge, both floors, the paper's costs beside ours."""
        return agreement_markdown(self)


def agreement(
    verdicts: Verdicts | None,
    labels: str | os.PathLike[str] | Sequence[Label],
    *,
    column: str = RECORDED,
    flags: str | os.PathLike[str] | Mapping[str, TaskFlags] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Compare a judge's verdicts with people's labels.

    Args:
        verdicts: reports (one, several, by task, or a JSON file or folder of them); bare verdicts {id: verdict} of one task
            or {task: {id: verdict}}; or None for the recorded judge in the labels' `column`.
        labels: a CSV file (see `labels.read_labels`), or its rows.
        column: of the recorded judge, where `verdicts` is None.
        flags: how the runs ended, for self-termination: a CSV file, or its rows.
        draws: of the bootstrap, at least 1.
        seed: of the bootstrap.

    Raises:
        BadInput: an unreadable file, no such column, or no label that is about what was judged.
    """
    if draws < 1:
        raise BadInput(f"draws is {draws}.", "It must be at least 1.")
    rows = read_labels(labels) if isinstance(labels, str | os.PathLike) else list(labels)
    if not rows:
        raise BadInput("There are no labels.")
    judged, unmatched, reports = beside_labels(verdicts, rows, column)
    ended = read_flags(flags) if isinstance(flags, str | os.PathLike) else flags
    name = (
        column if verdicts is None else ", ".join(sorted({one.engine for report in reports for one in report})) or "verdicts"
    )
    found = _measured(name, judged, reports, ended, draws, seed)
    return replace(found, unmatched=unmatched, left_out=len(rows) - len(judged) - len(unmatched))


def _measured(
    name: str,
    judged: Sequence[Judged],
    reports: Sequence[Report],
    ended: Mapping[str, TaskFlags] | None,
    draws: int,
    seed: int,
) -> Agreement:
    human = np.array([one.label.human for one in judged], dtype=bool)
    says = np.array([one.says_met for one in judged], dtype=bool)
    decided = np.array([one.verdict != "undecided" for one in judged], dtype=bool)
    right = human == says
    probability = [one.probability for one in judged]
    confidence = np.array([one.confidence for one in judged], dtype=float)
    floor = floors([one.label for one in judged])
    task = np.unique([f"{one.label.agent}\n{one.label.task}" for one in judged], return_inverse=True)[1]
    table = _counts(judged, human, says, floor)
    others = _evaluators(name, judged)
    return Agreement(
        judge=name,
        total=len(judged),
        tasks=int(task.max()) + 1,
        confusion=Confusion(*(int(table[key].sum()) for key in ("tp", "fp", "fn", "tn"))),
        undecided=int((~decided).sum()),
        decided_aligned=int((right & decided).sum()),
        human=_met(table, "human", task),
        judged=_met(table, "judge", task),
        self_terminated=None if ended is None else _self_terminated(judged, ended),
        floor=floor,
        intervals=_intervals(table, task, draws, seed),
        average_precision=average_precision(probability, human),
        confidence_auroc=auroc(confidence[decided], right[decided]),
        calibration_error=calibration_error(confidence[decided], right[decided]),
        curve=tuple(precision_recall(probability, human)),
        coverage=tuple(coverage_curve(confidence, right)),
        disagreement=disagreement({"human": human.tolist(), **others}),
        majority_aligned=int((np.array(majority(list(others.values()))) == human).sum()) if len(others) > 1 else None,
        by_category=_by_category(judged, right),
        cost=_cost(reports),
    )


def _counts(
    judged: Sequence[Judged], human: NDArray[np.bool_], says: NDArray[np.bool_], floor: Floors
) -> dict[str, NDArray[np.bool_]]:
    """For each label whether it counts, by the name of the count."""
    needs = [_prerequisites(judged, deep) for deep in (False, True)]
    table = {"tp": human & says, "fp": ~human & says, "fn": human & ~says, "tn": ~human & ~says}
    for name, met in (("human", human), ("judge", says)):
        table[f"{name} met"] = met
        for kind, need in zip(("met_dependent", "met_transitive"), needs, strict=True):
            table[f"{name} {kind}"] = np.array(
                [met[i] and all(met[j] for j in need[i]) for i in range(len(met))], dtype=bool
            )
    table["constant"] = human == floor.constant
    table["text"] = human == np.array(floor.text, dtype=bool)
    return table


def _prerequisites(judged: Sequence[Judged], deep: bool) -> list[set[int]]:
    """For each row the rows of its prerequisites, by the labels' own ids; those without a verdict are left out."""
    place = {(one.label.agent, one.label.task, one.label.id): row for row, one in enumerate(judged)}
    direct = [
        {place[key] for needed in one.label.prerequisites if (key := (one.label.agent, one.label.task, needed)) in place}
        for one in judged
    ]
    if not deep:
        return direct
    found = []
    for row in range(len(judged)):
        seen: set[int] = set()
        left = list(direct[row])
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += direct[one]
        found.append(seen)
    return found


def _met(table: Mapping[str, NDArray[np.bool_]], who: str, task: NDArray[np.intp]) -> Met:
    counts = [int(table[f"{who} {kind}"].sum()) for kind in ("met", "met_dependent", "met_transitive")]
    open_tasks = np.unique(task[~table[f"{who} met"]])
    return Met(*counts, solved=int(task.max()) + 1 - len(open_tasks))


def _intervals(table: Mapping[str, NDArray[np.bool_]], task: NDArray[np.intp], draws: int, seed: int) -> dict[str, Interval]:
    """Percentiles over tasks drawn with replacement; each draw weighs the tasks' counts. One task has none."""
    tasks = int(task.max()) + 1
    if tasks < 2:
        return {}
    weights = np.random.default_rng(seed).multinomial(tasks, np.full(tasks, 1.0 / tasks), size=draws)
    sums = {name: weights @ np.bincount(task, values, tasks) for name, values in table.items()}
    total = weights @ np.bincount(task, minlength=tasks)
    aligned = sums["tp"] + sums["tn"]
    judged, human = sums["tp"] + sums["fp"], sums["tp"] + sums["fn"]
    chance = (judged * human + (total - judged) * (total - human)) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (aligned / total - chance) / (1.0 - chance)
    shares = {
        "alignment": aligned / total,
        "kappa": kappa[np.isfinite(kappa)],
        **{name.replace(" ", "_"): sums[name] / total for name in sums if " " in name},
        "shift_met": np.abs(judged - human) / total,
        "shift_met_dependent": np.abs(sums["judge met_dependent"] - sums["human met_dependent"]) / total,
        "constant": sums["constant"] / total,
        "text_only": sums["text"] / total,
        "above_constant": (aligned - sums["constant"]) / total,
        "above_text_only": (aligned - sums["text"]) / total,
    }
    return {name: Interval(*np.percentile(values, [2.5, 97.5]).tolist()) for name, values in shares.items() if len(values)}


def _evaluators(name: str, judged: Sequence[Judged]) -> dict[str, list[bool]]:
    """This judge, and every recorded one that judged all of these requirements."""
    found = {name: [one.says_met for one in judged]}
    for column in dict.fromkeys(key for one in judged for key in one.label.recorded):
        if column != name and all(one.label.recorded.get(column) is not None for one in judged):
            found[column] = [one.label.recorded[column] == "satisfied" for one in judged]
    return found


def _self_terminated(judged: Sequence[Judged], ended: Mapping[str, TaskFlags]) -> int:
    tasks = {one.label.task for one in judged}
    known = tasks & set(ended)
    if not known:
        raise BadInput("The flags are about none of the labelled tasks.", f"A labelled task: {next(iter(sorted(tasks)))}.")
    return sum(ended[task].self_terminated for task in known)


def _by_category(judged: Sequence[Judged], right: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for one, good in zip(judged, right.tolist(), strict=True):
        groups[one.label.category or "none"].append(good)
    return {name: (sum(group), len(group)) for name, group in sorted(groups.items(), key=lambda pair: -len(pair[1]))}


def _cost(reports: Sequence[Report]) -> Cost | None:
    if not reports:
        return None
    every = [one for report in reports for one in report]
    known = [one.usd for one in every if one.usd is not None]
    usd = sum(known) if len(known) == len(every) else None
    return Cost(sum(one.calls for one in every), usd, sum(one.seconds for one in every) / 60)


def _unmatched(one: Unmatched) -> dict[str, Any]:
    nearest = None if one.nearest is None else {"id": one.nearest.id, "criteria": one.nearest.criteria}
    label = {"task": one.label.task, "id": one.label.id, "criteria": one.label.criteria}
    return {**label, "nearest": nearest, "similarity": round(one.similarity, 4)}
