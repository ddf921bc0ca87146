"""Any engine of `runner.run` as a judge that the benches can measure."""

from dataclasses import dataclass
from pathlib import Path

from tenfold.judge.bench import embedded_judge
from tenfold.judge.bench_rows import Judge
from tenfold.judge.runner import run
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

    engine: str | None
    model: str | None
    votes: int = 1
    plan: str = "efficient"
    budget: str | None = None
    folder: str | None = None

    def __call__(self, folder: Path, requirements: Requirements) -> Report:
        return run(
            folder, requirements, "auto", None, self.model, self.budget, self.engine, self.votes,
            plan=self.plan, folder=self.folder, cache="",
        )  # type: ignore[arg-type] # names are checked by run  # fmt: skip


def judge_of(engine: str | None, model: str | None, **options: str | int | None) -> Judge:
    """The embedded engine without a model, else an `EngineJudge`."""
    if model is None and engine in (None, "embedded"):
        return embedded_judge
    return EngineJudge(engine, model, **options)  # type: ignore[arg-type] # as above
