"""What a judge's reward is worth: does it fall with each fault, pick the best of eight, and guide a repair?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from tenfold.core.experiment import Interval, bootstrap_interval
from tenfold.core.files import jsonable
from tenfold.core.parallel import parallel_map
from tenfold.judge.bench_rows import CaseResult, Judge, judge_cases, judged_report
from tenfold.judge.faults import Case, Fault, Ladder, ladders, tasks
from tenfold.judge.faults.cases import draws
from tenfold.judge.faults.reference import Split
from tenfold.judge.types import Report, Requirements

__all__ = ["Repair", "RewardBench", "rewards"]

LADDERS, GROUPS, CHOICES = 4, 12, 8


@dataclass(frozen=True)
class Repair:
    """A scripted agent that undoes one fault a round, led by the judge's report alone.

    It works on what is called unsatisfied, and on what is undecided, where the prerequisites are met; then on what others
    build on. It ends when there is no fault behind anything that the report leaves open.

    Attributes:
        task: name of the task.
        dependent: requirements met with their prerequisites (D) as judged, before the first round and after each.
        true: the same as labelled; a requirement without a label counts as true.
        left: faults that the agent was never led to: the judge called satisfied what they make false.
    """

    task: str
    dependent: tuple[float, ...]
    true: tuple[float, ...]
    left: int


@dataclass(frozen=True)
class RewardBench:
    """What a judge's reward is worth.

    Attributes:
        spearman: rank correlation of the number of faults put in (0 to 6) with the loss of reward, pooled over all ladders.
        within: the same inside each ladder, mean and 95 % interval over ladders.
        curve: mean reward by number of faults.
        chosen: the true share of requirements of the best of eight by reward: mean and interval over groups.
        random: the same of a random one.
        gain: the difference, group by group.
        repairs: one for each ladder.
    """

    spearman: float
    within: Interval
    curve: tuple[float, ...]
    chosen: Interval
    random: Interval
    gain: Interval
    repairs: tuple[Repair, ...]

    @property
    def rising(self) -> float:
        """The share of repairs in which D as judged rose in each round."""
        return sum(_rises(one.dependent) for one in self.repairs) / len(self.repairs)

    @property
    def truly_rising(self) -> float:
        """The share of repairs in which D as labelled rose in each round."""
        return sum(_rises(one.true) for one in self.repairs) / len(self.repairs)

    @property
    def rounds(self) -> tuple[float, ...]:
        """Mean D as judged before the first round and after each; a repair that ended earlier keeps its last."""
        return _mean_by_round([one.dependent for one in self.repairs])

    @property
    def true_rounds(self) -> tuple[float, ...]:
        """Mean D as labelled, in the same way."""
        return _mean_by_round([one.true for one in self.repairs])

    @property
    def unreported(self) -> float:
        """The share of faults that stayed because what they make false was called satisfied."""
        made = sum(len(one.dependent) - 1 for one in self.repairs)
        left = sum(one.left for one in self.repairs)
        return left / (made + left)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        repairs = [
            {"task": one.task, "dependent": one.dependent, "true": one.true, "left": one.left} for one in self.repairs
        ]
        names = (
            "spearman",
            "within",
            "curve",
            "chosen",
            "random",
            "gain",
            "rising",
            "truly_rising",
            "rounds",
            "true_rounds",
            "unreported",
        )
        return jsonable({**{name: getattr(self, name) for name in names}, "repairs": repairs})

    def table(self) -> str:
        """As text."""
        curve = "  ".join(f"{number}: {value:.3f}" for number, value in enumerate(self.curve))
        return "\n".join(
            [
                f"reward by number of faults   {curve}",
                f"Spearman, pooled {self.spearman:.3f}; within a ladder {_text(self.within)}",
                f"best of {CHOICES}: true share {_text(self.chosen)}, random {_text(self.random)}, gain {_text(self.gain)}",
                f"D by round of repair, as labelled   {_series(self.true_rounds)}",
                f"D by round of repair, as judged     {_series(self.rounds)}",
                f"repairs in which D rose each round: as labelled {self.truly_rising:.0%}, as judged {self.rising:.0%}"
                f" of {len(self.repairs)}",
                f"faults whose requirements were called satisfied to the end: {self.unreported:.0%}",
            ]
        )


def rewards(
    judge: Judge,
    split: Split | None = "held-out",
    *,
    ladder_count: int = LADDERS,
    groups: int = GROUPS,
    seed: int = 0,
    engine: str = "local",
    workers: int | None = None,
) -> RewardBench:
    """Measure the reward of a judge on workspaces with known faults.

    Args:
        judge: picklable if there is more than one worker.
        split: "tune", "held-out", or None for both.
        ladder_count: ladders of 0 to 6 faults for each task.
        groups: groups of eight workspaces for each task.
        seed: of the draws.
        engine: "local" or "ray".
        workers: processes; None = one per core.

    Raises:
        BadInput: unknown split, or the judge left out a requirement.
        TenfoldError: the judge failed on a case.
    """
    steps = ladders(split, seed=seed, count=ladder_count)
    rungs = [one.rung(count) for one in steps for count in range(len(one.faults) + 1)]
    drawn = [draws(task, seed=seed * 1000 + number, count=CHOICES) for task in tasks(split) for number in range(groups)]
    cases = [*rungs, *(case for group in drawn for case in group)]
    found = judge_cases({"": judge}, cases, engine=engine, workers=workers)[""]
    repairs = parallel_map(partial(_repair, judge), steps, engine=engine, workers=workers, title="Repairing")
    return RewardBench(
        *_falling(steps, found[: len(rungs)]),
        *_choosing([found[i : i + CHOICES] for i in range(len(rungs), len(found), CHOICES)]),
        tuple(repairs),
    )


def _falling(steps: Sequence[Ladder], found: Sequence[CaseResult]) -> tuple[float, Interval, tuple[float, ...]]:
    pairs = [(len(one.case.faults), one.reward) for one in found]
    bounds = np.cumsum([0, *(len(one.faults) + 1 for one in steps)])
    within = [_spearman(pairs[low:high]) for low, high in pairwise(bounds)]
    most = max(count for count, _ in pairs)
    curve = tuple(float(np.mean([reward for count, reward in pairs if count == number])) for number in range(most + 1))
    return _spearman(pairs), bootstrap_interval(within), curve


def _spearman(pairs: Sequence[tuple[int, float]]) -> float:
    """Of the number of faults and the loss of reward; 0 where the reward is constant."""
    from scipy.stats import rankdata

    counts, losses = rankdata([count for count, _ in pairs]), rankdata([-round(reward, 9) for _, reward in pairs])
    if np.ptp(counts) == 0 or np.ptp(losses) == 0:
        return 0.0
    return float(np.corrcoef(counts, losses)[0, 1])


def _choosing(groups: Sequence[Sequence[CaseResult]]) -> tuple[Interval, Interval, Interval]:
    """Of several with the same best reward the choice is random, so that their mean counts."""
    chosen, chance = [], []
    for group in groups:
        best = max(one.reward for one in group)
        chosen.append(float(np.mean([one.true_share for one in group if one.reward == best])))
        chance.append(float(np.mean([one.true_share for one in group])))
    gains = [a - b for a, b in zip(chosen, chance, strict=True)]
    return bootstrap_interval(chosen), bootstrap_interval(chance), bootstrap_interval(gains)


def _repair(judge: Judge, ladder: Ladder) -> Repair:
    left: list[Fault] = list(ladder.faults)
    dependent, true = [], []
    while True:
        case = Case(ladder.task, "several", tuple(left))
        report = judged_report(judge, case)
        dependent.append(report.met(dependent=True))
        true.append(_true_dependent(case))
        fault = _next(report, left)
        if fault is None:
            return Repair(ladder.task, tuple(dependent), tuple(true), len(left))
        left.remove(fault)


def _next(report: Report, left: Sequence[Fault]) -> Fault | None:
    """The fault to undo: what stands on met prerequisites first, unsatisfied before undecided; then roots first."""
    behind = {
        identity: next((fault for fault in left if identity in fault.breaks), None)
        for identity in _roots_first(report.requirements)
        if report[identity].verdict != "satisfied"
    }
    ready = [one for one in behind if all(report.is_met(other) for other in report.requirements[one].prerequisites)]
    ready.sort(key=lambda identity: report[identity].verdict == "undecided")
    return next((behind[one] for one in [*ready, *behind] if behind[one] is not None), None)


def _true_dependent(case: Case) -> float:
    """The share of requirements that are not false, nor any of their direct prerequisites (D)."""
    false = {identity for identity, label in case.labels.items() if not label}
    return sum(false.isdisjoint((item.id, *item.prerequisites)) for item in case.requirements) / len(case.requirements)


def _rises(values: Sequence[float]) -> bool:
    """Whether there was a round, and the value rose in every one."""
    return len(values) > 1 and all(a < b for a, b in pairwise(values))


def _mean_by_round(series: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    most = max(map(len, series))
    padded = [one + one[-1:] * (most - len(one)) for one in series]
    return tuple(float(value) for value in np.mean(padded, axis=0))


def _roots_first(requirements: Requirements) -> list[str]:
    return sorted(requirements.by_id, key=lambda identity: len(requirements.ancestors(identity)))


def _text(interval: Interval) -> str:
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _series(values: Sequence[float]) -> str:
    return "  ".join(f"{value:.3f}" for value in values)
