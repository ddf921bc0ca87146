"""The paper's experiments as it ran them: graphs, splits, settings, and how many calls they take before one is made.

Protocol (section 1.2 of the spec): strict gate, full update, two wrong answers a step, temperature 0, at most 1,024
tokens a reply, no memo, no cache, no joining of equal requests.

| name | graph | samples | steps |
|---|---|---|---|
| bbh | two hints, one answer; every node sees the question | 20 train, all others test, each of 27 tasks | 4 |
| gsm8k | the same | 128 train, all of the test file | 4 |
| liar | five hints that see one field each, one answer that sees the hints alone | 50 train; test 0 in the paper | 8 |

The ladder of ablations on LIAR: full; no gradient; no neighbourhood (kept off after every update); no gate; each of the
six instructions alone. The paper's models were gpt-4o-mini (forward), gpt-4-turbo (backward, optimise).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Row
from tenfold.semgrad.costs import forecast_calls
from tenfold.semgrad.datasets import BBH, Split, bbh, gsm8k, liar
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.protocols import LADDER, layered_graph, liar_graph

__all__ = ["PROTOCOLS", "Plan", "PlannedRun", "plan", "run_plan"]

PROTOCOLS = ("bbh", "gsm8k", "liar")
_NUMBER = "The result is a number in digits."
_METHOD = "semantic gradient descent"


class _Protocol(NamedTuple):
    train: int
    steps: int


_SIZES = {"bbh": _Protocol(20, 4), "gsm8k": _Protocol(128, 4), "liar": _Protocol(50, 8)}


@dataclass(frozen=True)
class PlannedRun:
    """One optimisation.

    Attributes:
        key: its name among the runs of a plan, and of its folder.
        graph: the start.
        train: training samples.
        test: held-out samples; empty = none.
        settings: keywords of `optimise`: steps, errors, neighbourhood, gate, seed.
        group: which mean it belongs to ("NLP", "algorithmic", or none).
    """

    key: str
    graph: Graph
    train: Sequence[Mapping[str, Any]]
    test: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    group: str = ""

    @property
    def calls(self) -> dict[str, int]:
        """Calls by role, exactly, if no step runs out of wrong answers and every reply can be read.

        With V nodes, T training and E test samples, N steps, k errors: forward V T (N + 1) + V E; backward N k times the
        nodes that pass feedback on (their hints, where each is asked about alone); optimise N times the instructions.
        For the graph of two hints and an answer: 3T(N + 1) + N(k + 3) + 3E.
        """
        names = ("steps", "errors", "neighbourhood")
        settings = {name: self.settings[name] for name in names}
        return forecast_calls(self.graph, len(self.train), len(self.test), update="full", **settings)


@dataclass(frozen=True)
class Plan:
    """A protocol, ready to run.

    Attributes:
        name: of the protocol.
        runs: its optimisations.
        notice: the licence of the data, to be shown.
        skipped: rows that could not be used, by data.
    """

    name: str
    runs: tuple[PlannedRun, ...]
    notice: str = ""
    skipped: tuple[str, ...] = field(default=())

    @property
    def calls(self) -> dict[str, int]:
        """Calls by role of all runs."""
        roles = ("forward", "backward", "optimise")
        return {role: sum(run.calls[role] for run in self.runs) for role in roles}


def plan(
    name: str,
    *,
    data: Path | None = None,
    tasks: Sequence[str] | None = None,
    steps: int | None = None,
    train: int | None = None,
    test: int | None = None,
    errors: int = 2,
    seed: int = 0,
) -> Plan:
    """The runs of a protocol; sends nothing.

    Args:
        name: one of `PROTOCOLS`.
        data: the user's file or folder (see `datasets`); None = the data set by name. LIAR always needs it.
        tasks: of BIG-Bench Hard, or rungs of LIAR's ladder; None = all.
        steps: None = the paper's.
        train: training samples; None = the paper's.
        test: at most so many test samples; None = the paper's: all, for LIAR none.
        errors: wrong answers a step.
        seed: of splits and samples.

    Raises:
        BadInput: unknown protocol or task, data that cannot be used.
        DataMissing: the data set is not here.
    """
    if name not in _SIZES:
        raise BadInput(f"There is no protocol {name!r}.", f"There are: {', '.join(PROTOCOLS)}.")
    size = _SIZES[name]
    steps = size.steps if steps is None else steps
    settings = {"steps": steps, "errors": errors, "neighbourhood": "full", "gate": "strict", "seed": seed}
    if steps < 1 or errors < 1 or (test is not None and test < 0):
        raise BadInput("A protocol needs at least one step and one error, and not less than no test sample.")
    count = size.train if train is None else train
    if name == "bbh":
        return _bbh_plan(tasks, data, count, test, settings)
    if name == "gsm8k":
        split = _capped(gsm8k(data, train=count, seed=seed), test)
        run = PlannedRun("gsm8k", layered_graph(output_format=_NUMBER), split.train, split.test, settings)
        return Plan(name, (run,), "GSM8K: MIT.", split.skipped)
    if data is None:
        raise BadInput(
            "LIAR is for research use only and not fetched: its file must be named.", "Give it with --data train.tsv."
        )
    return _liar_plan(tasks, _capped(liar(data, train=count, seed=seed), test or 0), settings)


def run_plan(
    plan: Plan,
    models: Mapping[str, str] | str,
    *,
    budget: Any = None,
    run_dir: Path | None = None,
    cassette: Path | None = None,
    mode: str = "record",
    concurrency: int = 32,
    on_run: Callable[[PlannedRun, Any], None] | None = None,
    **client: Any,
) -> list[Row]:
    """Carry a plan out: one optimisation after the other, many calls at once.

    Args:
        plan: from `plan`.
        models: model string, or one by role (forward, backward, optimise).
        budget: `llm.Budget` of all runs together; None = none.
        run_dir: keeps a folder for each run; the same call goes on where it stopped.
        cassette: file of all replies, to be recorded or replayed; None = none.
        mode: of the cassette: record, replay, replay-then-live.
        concurrency: calls at once.
        on_run: called with each finished run and its `Result`.
        **client: further settings of `llm.Client`: timeout, rpm, ...

    Returns:
        Rows of training and test accuracy for each run; for BIG-Bench Hard also the means of its groups, weighted by the
        number of test questions.

    Raises:
        BudgetReached: it ended before the plan did; with `run_dir` nothing is lost.
    """
    from tenfold.llm.budget import Account, Budget
    from tenfold.semgrad.optimiser import optimise

    folders = {run.key: None if run_dir is None else run_dir / run.key.replace(" ", "-") for run in plan.runs}
    account = budget if isinstance(budget, Account) else Account(budget or Budget(), _spent(folders.values()))
    rows: list[Row] = []
    scores: dict[str, float] = {}
    for run in plan.runs:
        result = optimise(
            run.graph, run.train, run.test or None, metric="exact", update="full", pick="errors", memo=False,
            models=models, budget=account, run_dir=folders[run.key], cassette=cassette, mode=mode,
            concurrency=concurrency, **run.settings, **client,
        )  # fmt: skip
        if on_run is not None:
            on_run(run, result)
        rows.append(_row(run, plan, "training accuracy", result.score))
        if result.test_score is not None:
            scores[run.key] = result.test_score
            rows.append(_row(run, plan, "test accuracy", result.test_score))
    return rows + _means(plan, scores)


def _spent(folders: Iterable[Path | None]) -> dict[str, Any]:
    """What earlier parts of the same runs spent, by role: it counts against the budget."""
    from tenfold.llm.budget import Spent
    from tenfold.llm.ledger import Ledger

    total: dict[str, Spent] = {}
    for folder in folders:
        if folder is None or not (folder / "ledger.sqlite").is_file():
            continue
        ledger = Ledger(folder / "ledger.sqlite")
        for role, spent in ledger.spent().items():
            known = total.get(role, Spent())
            usd = None if known.usd is None or spent.usd is None else known.usd + spent.usd
            prompt, completion = known.prompt + spent.prompt, known.completion + spent.completion
            total[role] = Spent(known.calls + spent.calls, prompt, completion, usd, known.hits + spent.hits)
        ledger.close()
    return total


def _bbh_plan(
    tasks: Sequence[str] | None, data: Path | None, train: int, test: int | None, settings: Mapping[str, Any]
) -> Plan:
    runs, skipped = [], []
    for task in BBH if tasks is None else tasks:
        split = _capped(bbh(task, data, train=train, seed=settings["seed"]), test)
        graph = layered_graph(output_format=BBH[task].answers)
        runs.append(PlannedRun(task, graph, split.train, split.test, settings, BBH[task].group))
        skipped += [f"{task}: {reason}" for reason in split.skipped]
    return Plan("bbh", tuple(runs), "BIG-Bench Hard: MIT; keep its questions out of training corpora.", tuple(skipped))


def _liar_plan(rungs: Sequence[str] | None, split: Split, settings: Mapping[str, Any]) -> Plan:
    runs = []
    for rung in LADDER if rungs is None else rungs:
        if rung not in LADDER:
            raise BadInput(f"LIAR's ladder has no rung {rung!r}.", f"It has: {', '.join(LADDER)}.")
        changes, only = LADDER[rung]
        runs.append(PlannedRun(rung, liar_graph(only), split.train, split.test, {**settings, **changes}))
    notice = "LIAR: research use only; the copyright stays with the sources. Do not pass the file on."
    return Plan("liar", tuple(runs), notice, split.skipped)


def _capped(split: Split, test: int | None) -> Split:
    return split if test is None else split._replace(test=split.test[:test])


def _row(run: PlannedRun, plan: Plan, metric: str, value: float) -> Row:
    samples = run.train if metric == "training accuracy" else run.test
    method = run.key if plan.name == "liar" else _METHOD
    condition = f"LIAR, {len(samples)} samples" if plan.name == "liar" else f"{run.key}, {len(samples)} questions"
    return Row(method=method, metric=metric, value=value, seeds=1, condition=condition)


def _means(plan: Plan, scores: Mapping[str, float]) -> list[Row]:
    """Means over tasks, each weighted by its number of test questions."""
    rows = []
    for group in ("NLP", "algorithmic", ""):
        runs = [run for run in plan.runs if run.key in scores and (run.group == group or (not group and run.group))]
        if not runs:
            continue
        total = sum(len(run.test) for run in runs)
        value = sum(scores[run.key] * len(run.test) for run in runs) / total
        condition = f"BBH{f' {group}' if group else ''}, {len(runs)} tasks, {total} questions"
        rows.append(
            Row(method="semantic gradient descent", metric="test accuracy", value=value, seeds=1, condition=condition)
        )
    return rows
