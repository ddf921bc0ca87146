"""Any judge's verdicts on many workspaces beside their labels, made in parallel, and what is counted from them."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tenfold.core.errors import BadInput
from tenfold.core.parallel import parallel_map
from tenfold.judge.alignment import Interval
from tenfold.judge.faults import Case
from tenfold.judge.metrics import auroc, average_precision, calibration_error
from tenfold.judge.types import Judgement, Report, Requirements, Verdict

__all__ = ["CaseResult", "Judge", "Row", "Scores", "judge_cases", "judged_report", "reported", "scored"]

# A judge takes a folder and requirements, and gives a report, judgements, or a verdict (or a truth) for each id.
Said = Report | Sequence[Judgement] | Mapping[str, Any]
Judge = Callable[[Path, Requirements], Said]
CHUNK = 12
# Columns of `_counts`: above and below the line.
_RATIOS = {"agreement": (1, 0), "coverage": (0, 2), "found": (4, 3), "alarms": (5, 6)}
_VERDICTS: tuple[tuple[Verdict, float, bool | None], ...] = (
    ("satisfied", 1.0, True),
    ("unsatisfied", 0.0, False),
    ("undecided", 0.5, None),
)


class Row(NamedTuple):
    """One verdict beside its label; probability that it is satisfied and confidence in [0, 1]."""

    id: str
    label: bool
    verdict: Verdict
    confidence: float
    probability: float


class CaseResult(NamedTuple):
    """What a judge said of one workspace: its rows (labelled requirements alone) and the report's reward and shares."""

    case: Case
    rows: tuple[Row, ...]
    reward: float
    met: float
    met_dependent: float

    @property
    def true_share(self) -> float:
        """The share of labelled requirements that are true, in [0, 1]."""
        return sum(row.label for row in self.rows) / len(self.rows)


class Scores(NamedTuple):
    """Counts over workspaces and what follows from them.

    Attributes:
        workspaces: judged.
        labels: requirements with a label.
        false: of them false.
        agreement: right verdicts among decided ones; None where nothing was decided.
        coverage: decided among all.
        found: false requirements called unsatisfied (undecided is not found).
        alarms: true requirements called unsatisfied.
        accuracy: right among all, undecided taken as unsatisfied.
        ece: expected calibration error of confidence over ten equal bins of decided verdicts.
        auroc: of the probability, for the labels.
        ap: average precision of one minus the probability, for false labels.
        intervals: 95 % bootstrap intervals over workspaces of agreement, coverage, found and alarms.
    """

    workspaces: int
    labels: int
    false: int
    agreement: float | None
    coverage: float
    found: float | None
    alarms: float | None
    accuracy: float
    ece: float | None
    auroc: float | None
    ap: float | None
    intervals: dict[str, Interval]


def judge_cases(
    judges: Mapping[str, Judge], cases: Sequence[Case], *, engine: str = "local", workers: int | None = None
) -> dict[str, list[CaseResult]]:
    """Have judges judge every case, each case written once to a temporary folder of its own.

    Args:
        judges: by name; picklable if there is more than one worker.
        cases: see `faults.generate`.
        engine: "local" or "ray".
        workers: processes; None = one per core.

    Returns:
        For each judge the results in the order of the cases.

    Raises:
        BadInput: a judge left out a requirement, or gave what is no verdict.
        TenfoldError: a judge failed on a case.
    """
    chunks = [tuple(cases[i : i + CHUNK]) for i in range(0, len(cases), CHUNK)]
    names = [f"{chunk[0].name} and the next {len(chunk) - 1}" for chunk in chunks]
    job = partial(_judge_chunk, dict(judges))
    done = parallel_map(job, chunks, engine=engine, workers=workers, names=names, title="Judging")
    return {name: [one[name] for chunk in done for one in chunk] for name in judges}


def scored(results: Sequence[CaseResult], *, resamples: int = 1000, seed: int = 0) -> Scores:
    """What is counted from a judge's verdicts; intervals resample whole workspaces."""
    if not results:
        raise BadInput("There is no verdict to count.", "Give at least one case.")
    rows = [row for one in results for row in one.rows]
    decided = [row for row in rows if row.verdict != "undecided"]
    table = np.array([_counts(one.rows) for one in results])
    draws = np.random.default_rng(seed).multinomial(len(results), np.full(len(results), 1 / len(results)), resamples)
    total, spread = table.sum(axis=0), draws @ table
    return Scores(
        workspaces=len(results),
        labels=len(rows),
        false=int(total[3]),
        agreement=_ratio(total, *_RATIOS["agreement"]),
        coverage=len(decided) / len(rows),
        found=_ratio(total, *_RATIOS["found"]),
        alarms=_ratio(total, *_RATIOS["alarms"]),
        accuracy=sum((row.verdict == "satisfied") == row.label for row in rows) / len(rows),
        ece=calibration_error([row.confidence for row in decided], [_right(row) for row in decided]),
        auroc=auroc([row.probability for row in rows], [row.label for row in rows]),
        ap=average_precision([1 - row.probability for row in rows], [not row.label for row in rows]),
        intervals={name: _interval(spread, *ratio) for name, ratio in _RATIOS.items() if total[ratio[1]]},
    )


def judged_report(judge: Judge, case: Case) -> Report:
    """Write a case to a temporary folder and have it judged; raises as `reported` does."""
    with tempfile.TemporaryDirectory(prefix="tenfold-") as place:
        return reported(case.task, case.requirements, judge(case.write(Path(place)), case.requirements))


def reported(name: str, requirements: Requirements, said: Said) -> Report:
    """What a judge said as a report, with a judgement for each requirement.

    A bare verdict, or a truth (None = undecided), has confidence 1 (undecided: 0.5) and the probability that goes with it.

    Raises:
        BadInput: a requirement is left out, or what is given is no verdict.
    """
    if isinstance(said, Report):
        return said
    given = dict(said) if isinstance(said, Mapping) else {one.requirement.id: one for one in said}
    left_out = [item.id for item in requirements if item.id not in given]
    if left_out:
        raise BadInput(f"The judge said nothing of requirement {left_out[0]} of {name}.", "Give a verdict for each id.")
    return Report(name, requirements, tuple(_judgement(requirements, one, given[one]) for one in requirements.by_id))


def _judge_chunk(judges: Mapping[str, Judge], cases: Sequence[Case]) -> list[dict[str, CaseResult]]:
    return [_judge_case(judges, case) for case in cases]


def _judge_case(judges: Mapping[str, Judge], case: Case) -> dict[str, CaseResult]:
    with tempfile.TemporaryDirectory(prefix="tenfold-") as place:
        root = case.write(Path(place))
        said = {
            name: reported(case.task, case.requirements, judge(root, case.requirements)) for name, judge in judges.items()
        }
    return {name: _beside_labels(case, report) for name, report in said.items()}


def _beside_labels(case: Case, report: Report) -> CaseResult:
    rows = tuple(
        Row(identity, label, report[identity].verdict, report[identity].confidence, report[identity].probability)
        for identity, label in case.labels.items()
    )
    return CaseResult(case, rows, report.reward(), report.met(), report.met(dependent=True))


def _judgement(requirements: Requirements, identity: str, given: Any) -> Judgement:
    if isinstance(given, Judgement):
        return given
    for verdict, chance, truth in _VERDICTS:
        if given is truth or given == verdict:
            return Judgement(requirements[identity], verdict, max(chance, 1 - chance), chance, engine="")
    raise BadInput(f"{given!r} is no verdict.", "Verdicts are satisfied, unsatisfied and undecided.")


def _right(row: Row) -> bool:
    return (row.verdict == "satisfied") == row.label


def _counts(rows: Sequence[Row]) -> tuple[int, ...]:
    """Decided, right, all, false, false and found, true and called unsatisfied, true."""
    decided = [row for row in rows if row.verdict != "undecided"]
    false = [row for row in rows if not row.label]
    called = [row for row in rows if row.verdict == "unsatisfied"]
    found = sum(not row.label for row in called)
    right = sum(map(_right, decided))
    return (len(decided), right, len(rows), len(false), found, len(called) - found, len(rows) - len(false))


def _ratio(counts: np.ndarray, above: int, below: int) -> float | None:
    return float(counts[above] / counts[below]) if counts[below] else None


def _interval(spread: np.ndarray, above: int, below: int) -> Interval:
    drawn = spread[:, below] > 0
    low, high = np.quantile(spread[drawn, above] / spread[drawn, below], [0.025, 0.975])
    return Interval(float(low), float(high))
