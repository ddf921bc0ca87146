"""Any engine of `runner.run` as a judge that the benches can measure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.judge.bench import embedded_judge
from tenfold.judge.bench_rows import Judge
from tenfold.judge.planning import Plan
from tenfold.judge.runner import Engine, run
from tenfold.judge.types import Report, Requirements

__all__ = ["EngineJudge", "judge_of"]


@dataclass(frozen=True)
class EngineJudge:
    """An engine with a model; goes to other processes.

    Attributes:
        engine: hybrid, llm or llm-single.
        model: model string.
        votes: on each requirement.
        plan: of the agent.
        budget: of everything that is kept in the folder.
        folder: of replies and spending, shared by all workspaces, so that nothing is paid twice.
    """

    engine: Engine | None
    model: str | None
    votes: int = 1
    plan: Plan = "efficient"
    budget: str | None = None
    folder: str | None = None

    def __call__(self, folder: Path, requirements: Requirements) -> Report:
        return run(
            folder, requirements, "auto", None, self.model, self.budget, self.engine, self.votes,
            plan=self.plan, folder=self.folder, cache="",
        )  # fmt: skip


def judge_of(engine: Any, model: str | None, **options: Any) -> Judge:
    """The embedded engine without a model, else an `EngineJudge`."""
    if model is None and engine in (None, "embedded"):
        return embedded_judge
    return EngineJudge(engine, model, **options)
