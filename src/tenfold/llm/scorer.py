"""One way to score an output, for losses, judges and benchmarks."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

__all__ = ["Score", "Scorer"]


class Score(NamedTuple):
    """How good an output is, in [0, 1], and in words how it should change (empty where nothing should)."""

    score: float
    feedback: str = ""


class Scorer(Protocol):
    """Scores an output of a task. A pair (score, feedback) is as good as a `Score`."""

    def __call__(self, task: Mapping[str, Any], output: str) -> Score | tuple[float, str]:
        """Score an output.

        Args:
            task: what was asked; `target` holds the wanted output where there is one.
            output: what came.
        """
        ...
