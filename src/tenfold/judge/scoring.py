"""The judge as a reward: a score in [0, 1] and what is missing in words, for optimisers of agents."""

from collections.abc import Callable, Mapping
from typing import Any

from tenfold.judge.types import Report
from tenfold.judge.writers import place_of
from tenfold.llm.scorer import Score, Scorer

__all__ = ["feedback", "score_report", "scorer"]


def score_report(report: Report) -> Score:
    """The report's reward in [0, 1] and its feedback."""
    return Score(report.reward(), feedback(report))


def feedback(report: Report, limit: int = 12) -> str:
    """What is not satisfied and why, a line for each requirement, those that others build on first; empty if all is met."""
    needed_by = {item.id: sum(item.id in one.prerequisites for one in report.requirements) for item in report.requirements}
    left = sorted((one for one in report if one.verdict != "satisfied"), key=lambda one: -needed_by[one.requirement.id])
    lines = []
    for one in left[:limit]:
        against = [fact for fact in one.evidence if not fact.supports]
        why = f"{against[0].words}{place_of(against[0])}" if against else one.missing
        verdict = "Not met" if one.verdict == "unsatisfied" else "Not shown"
        lines.append(f"{verdict}: {one.requirement.criteria} {why}".strip())
    if len(left) > limit:
        lines.append(f"And {len(left) - limit} more.")
    return "\n".join(lines)


def scorer(judge: Callable[[Mapping[str, Any], str], Report]) -> Scorer:
    """A `llm.Scorer` from a function that judges a task's output.

    Args:
        judge: (task, output) -> report; e.g. one that writes the output's files into a folder and calls `runner.run` on it.
    """

    def score(task: Mapping[str, Any], output: str) -> Score:
        return score_report(judge(task, output))

    return score
