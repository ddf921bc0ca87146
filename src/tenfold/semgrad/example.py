"""The tour's stop: a two-leaf arithmetic pipeline optimised at every level of the neighbourhood, on generated questions."""

from pathlib import Path
from typing import Any

from tenfold.core.files import write_atomic
from tenfold.core.report import Stop, Table
from tenfold.llm.budget import Account
from tenfold.semgrad import tasks
from tenfold.semgrad.compare import Terms, one_seed, rows_of
from tenfold.semgrad.export import export
from tenfold.semgrad.optimiser import optimise
from tenfold.semgrad.pictures import calls_figure
from tenfold.semgrad.result import Result
from tenfold.semgrad.roles import engine_notice
from tenfold.semgrad.views import kept_changes, run_figures

__all__ = ["run"]

SEEDS = 4
MODES = ("full", "self", "bare", "none")
# Training score whose price in calls is shown.
GOAL = 0.95


def run(folder: Path, seed: int) -> Stop:
    """Compare the levels over a few seeds, and show one run closely; its best graph is left in `folder`.

    Args:
        folder: for best.json and program.py (the same as a DSPy program).
        seed: the first of the seeds.
    """
    terms = Terms("arithmetic", modes=MODES)
    rows = rows_of([one_seed(terms, number) for number in range(seed, seed + SEEDS)], "arithmetic, hint nodes start wrong")
    runs = {mode: [_run(mode, number) for number in range(seed, seed + SEEDS)] for mode in MODES}
    made, _ = runs["full"][0]
    start = made.start
    made.best.save(folder / "best.json")
    write_atomic(folder / "program.py", export(made.best, "dspy"))
    found = {row.method: row.value for row in rows}
    table = [(r.method, r.value, f"{r.low:.3f} to {r.high:.3f}", r.seeds) for r in rows]
    changes = [(c.step, c.parameter, c.before, c.after) for c in kept_changes(start, made.history)]
    return Stop(
        "does seeing the siblings pay?",
        f"{engine_notice('engine:rules')} Two nodes each read one bracket of a question, a third joins their values by the "
        "operator between the brackets. Both readers start with a wrong instruction; wrong answers are carried back through "
        f"the graph and the instructions rewritten. Held-out score over {SEEDS} seeds, by what a backward call sees: all "
        "hints and the question (full), one hint and the question (self), one hint alone (bare), nothing (none).",
        {
            "answered by": "engine:rules, which is not a language model",
            "held-out score at the start": found["start"],
            **{f"held-out score, {mode}": found[mode] for mode in MODES},
            **{f"full - {mode}": found[f"full - {mode}"] for mode in ("self", "bare")},
            "calls of one run": made.account.calls,
        },
        [
            Table(("method", "held-out score", "95 % interval", "seeds"), table, "Levels of the neighbourhood"),
            Table(("step", "instruction of", "before", "after"), changes, f"What seed {seed} changed for good"),
        ],
        [
            *run_figures(start, made.start_score, made.history, made.test_score),
            calls_figure(
                {mode: [calls for _, calls in found] for mode, found in runs.items()}, goal=GOAL, title="What it takes"
            ),
        ],
        (
            "Whether it pays depends on how the hints work together: tenfold semgrad demo shows three kinds side by side.",
            "The best graph is in best.json, and as a DSPy program in program.py, beside this report.",
        ),
    )


def _run(mode: str, seed: int) -> tuple[Result, int | None]:
    """One optimisation, and after how many calls its training score was `GOAL`; None = it was not reached."""
    task, account = tasks.TASKS["arithmetic"], Account()
    train, test = tasks.load(task, seed=seed)
    reached: list[int] = []

    def follow(step: Any) -> None:
        if step.best >= GOAL:
            reached.append(account.calls)

    graph = tasks.graph(task, tasks.start(task, "leaf", seed))
    made = optimise(
        graph, train, test, neighbourhood=mode, update="full", gate="strict", budget=account, on_step=follow, seed=seed
    )
    return made, reached[0] if reached else None
