"""Benchmarks that any judge can be run on: seeded faults, what its rewards are worth, and the traps.

A judge is a function of a folder and requirements that gives a report, judgements, or a verdict for each id; see
`embedded_judge` for ours. Every number stands beside those of judges that know next to nothing (`baselines`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.files import jsonable
from tenfold.judge.baselines import all_satisfied, path_and_keyword, path_check
from tenfold.judge.bench_rewards import RewardBench, rewards
from tenfold.judge.bench_rows import CaseResult, Judge, Scores, judge_cases, scored
from tenfold.judge.bench_traps import TrapBench, traps
from tenfold.judge.faults import generate
from tenfold.judge.faults.cases import Kind
from tenfold.judge.faults.reference import Split
from tenfold.judge.types import Judgement, Requirements

__all__ = [
    "BASELINES",
    "FaultBench",
    "Found",
    "Judge",
    "RewardBench",
    "TrapBench",
    "embedded_judge",
    "faults",
    "rewards",
    "traps",
]

BASELINES: Mapping[str, Judge] = {
    "all satisfied": all_satisfied,
    "path check": path_check,
    "path and keyword": path_and_keyword,
}
_THIS = "this judge"


class Found(NamedTuple):
    """Of one kind of fault, put in alone: requirements that it made false, and what was said of them."""

    false: int
    found: int
    undecided: int


@dataclass(frozen=True)
class FaultBench:
    """A judge on the seeded faults.

    Attributes:
        split: "tune", "held-out", or None for both.
        scores: over all cases.
        baselines: the same of judges that know next to nothing, by name.
        by_operator: for each kind of fault, put in alone.
        by_task: scores for each task.
        moved: cases whose edit changes no label but changed a verdict: (case, ids).
        results: what was said of each workspace.
    """

    split: Split | None
    scores: Scores
    baselines: Mapping[str, Scores]
    by_operator: Mapping[str, Found]
    by_task: Mapping[str, Scores]
    moved: tuple[tuple[str, tuple[str, ...]], ...]
    results: tuple[CaseResult, ...]

    def to_json(self) -> dict[str, Any]:
        """All but the single results, as plain JSON types."""
        return jsonable(
            {
                "split": self.split or "both",
                "judge": _plain(self.scores),
                "baselines": {name: _plain(one) for name, one in self.baselines.items()},
                "by_operator": {name: one._asdict() for name, one in self.by_operator.items()},
                "by_task": {name: _plain(one) for name, one in self.by_task.items()},
                "moved": [{"case": case, "requirements": ids} for case, ids in self.moved],
            }
        )

    def table(self) -> str:
        """The judge and the baselines as text, one line each, then the kinds of fault that are found least."""
        names = ("agree", "cover", "found", "alarm", "ECE", "AUROC")
        head = f"{'judge':<18} {' '.join(f'{name:>6}' for name in names)}  on {self.scores.labels} labels"
        rows = [_line(_THIS, self.scores), *(_line(name, one) for name, one in self.baselines.items())]
        worst = sorted(self.by_operator.items(), key=lambda item: item[1].found / item[1].false)[:6]
        least = ", ".join(f"{name} {one.found}/{one.false}" for name, one in worst)
        return "\n".join([head, *rows, f"found least: {least}", f"edits that moved a verdict: {len(self.moved)}"])


def embedded_judge(folder: Path, requirements: Requirements, cache: str = "") -> tuple[Judgement, ...]:
    """Our engine without a model, as a judge to measure; cache: folder of known facts, empty = none."""
    from tenfold.judge.embedded import judge
    from tenfold.judge.workspace import Workspace

    return judge(Workspace.open(folder), requirements, cache)


def faults(
    judge: Judge = embedded_judge,
    split: Split | None = "held-out",
    *,
    limit: int | None = None,
    kinds: Collection[Kind] | None = None,
    seed: int = 0,
    engine: str = "local",
    workers: int | None = None,
    baselines: Mapping[str, Judge] = BASELINES,
) -> FaultBench:
    """Run a judge on the seeded faults (section 6.3 of the spec).

    Args:
        judge: picklable if there is more than one worker.
        split: "tune", "held-out" (calibration never saw these tasks), or None for both.
        limit: judge at most so many workspaces.
        kinds: judge only cases of these kinds ("single", "keeping" and so on); None = all.
        seed: of pairs of faults and of the order.
        engine: "local" or "ray".
        workers: processes; None = one per core.
        baselines: judges to run on the same cases.

    Raises:
        BadInput: unknown split, limit below 1, or the judge left out a requirement.
        TenfoldError: the judge failed on a case.
    """
    cases = list(generate(split, seed=seed, limit=limit, kinds=kinds))
    judged = judge_cases({**baselines, _THIS: judge}, cases, engine=engine, workers=workers)
    results = judged.pop(_THIS)
    names = dict.fromkeys(one.case.task for one in results)
    return FaultBench(
        split,
        scored(results),
        {name: scored(said) for name, said in judged.items()},
        _by_operator(results),
        {name: scored([one for one in results if one.case.task == name]) for name in names},
        _moved(results),
        tuple(results),
    )


def _by_operator(results: Sequence[CaseResult]) -> dict[str, Found]:
    said: dict[str, Counter[str]] = {}
    for one in results:
        if one.case.kind == "single":
            counts = said.setdefault(one.case.faults[0].operator, Counter())
            counts.update(row.verdict for row in one.rows if not row.label)
    return {name: Found(counts.total(), counts["unsatisfied"], counts["undecided"]) for name, counts in sorted(said.items())}


def _moved(results: Sequence[CaseResult]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    plain = {one.case.task: {row.id: row.verdict for row in one.rows} for one in results if one.case.kind == "reference"}
    found = []
    for one in results:
        if one.case.kind == "keeping":
            other = tuple(row.id for row in one.rows if row.verdict != plain[one.case.task][row.id])
            found += [(one.case.name, other)] if other else []
    return tuple(found)


def _plain(scores: Scores) -> dict[str, Any]:
    return {**scores._asdict(), "intervals": {name: list(one) for name, one in scores.intervals.items()}}


def _line(name: str, scores: Scores) -> str:
    numbers = (scores.agreement, scores.coverage, scores.found, scores.alarms, scores.ece, scores.auroc)
    return f"{name:<18} " + " ".join(f"{'-' if one is None else format(one, '.3f'):>6}" for one in numbers)
