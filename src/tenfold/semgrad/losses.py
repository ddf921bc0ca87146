"""Losses: an answer of the graph -> (score in [0, 1], feedback that says how it should change).

Every loss is an `llm.Scorer`, and every `llm.Scorer` is a loss. `judge` alone asks a model; it gives its request to
the runtime, which sends it with the others.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from tenfold.core.errors import BadInput
from tenfold.llm.scorer import Score, Scorer
from tenfold.llm.types import Request
from tenfold.semgrad.prompts import judge_prompt, parse_judgement

__all__ = [
    "METRICS",
    "Judge",
    "Loss",
    "check_targets",
    "exact",
    "f1",
    "feedback_of",
    "loss_named",
    "normalised",
    "numeric",
    "regex",
    "score_of",
]

NUMBER = re.compile(r"[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@lru_cache(maxsize=10_000)
def normalised(text: str) -> str:
    """A short answer in one form: outer brackets, quotes and the last full stop off, one blank between words, small
    letters, and numbers plain ("1,200", "$1200" and "1200.0" are "1200"; "(A)" is "a")."""
    words = " ".join(text.split()).strip().rstrip(".").strip().casefold()
    while len(words) > 1 and (words[0], words[-1]) in _PAIRS:
        words = words[1:-1].strip()
    number = _number(words.lstrip("$€£"))
    return words if number is None else f"{number:.12g}"


def exact(task: Mapping[str, Any], output: str) -> Score:
    """1 if the output is the target after `normalised`, else 0."""
    target = str(task["target"])
    right = output == target or normalised(output) == normalised(target)
    return Score(1.0) if right else Score(0.0, wanted(task))


def numeric(tolerance: float = 1e-6) -> Scorer:
    """A loss that reads the last number of the output: 1 within the tolerance (absolute, or relative above 1), else 0."""

    def score(task: Mapping[str, Any], output: str) -> Score:
        target, found = last_number(str(task["target"])), last_number(output)
        if target is None:
            raise BadInput(f"The target {str(task['target'])[:60]!r} holds no number.", "Use the metric exact.")
        close = found is not None and abs(found - target) <= tolerance * max(1.0, abs(target))
        return Score(1.0) if close else Score(0.0, wanted(task))

    return score


def regex(task: Mapping[str, Any], output: str) -> Score:
    """1 if the target, a regular expression, matches the whole output, else 0.

    A pattern with a repeated group that repeats is refused: it could run for ever.
    """
    pattern = str(task["target"])
    if len(pattern) > 500 or re.search(r"\([^)]*[+*}][^)]*\)\s*[+*{]", pattern):
        raise BadInput(f"The pattern {pattern[:60]!r} is too long, or repeats a group that repeats.", "Write a simpler one.")
    try:
        found = re.fullmatch(pattern, output.strip()[:10_000], re.DOTALL)
    except re.error as error:
        raise BadInput(f"The target {pattern[:60]!r} is no regular expression: {error}.") from error
    return Score(1.0) if found else Score(0.0, f"The output should match the pattern {pattern}.")


def f1(task: Mapping[str, Any], output: str) -> Score:
    """Overlap of the words of output and target, in [0, 1]: the harmonic mean of precision and recall."""
    found = Counter(re.findall(r"\w+", output.casefold()))
    target = Counter(re.findall(r"\w+", str(task["target"]).casefold()))
    common = sum((found & target).values())
    value = 2 * common / (sum(found.values()) + sum(target.values())) if common else float(found == target)
    return Score(value) if value == 1 else Score(value, wanted(task))


@dataclass(frozen=True)
class Judge:
    """A loss that asks the model of the role `judge` for a score and feedback.

    Attributes:
        criterion: what a good answer is, in words.
        max_tokens: of the judgement.
    """

    criterion: str = "The output is right: it says the same as the target."
    max_tokens: int = 512

    def request(self, task: Mapping[str, Any], output: str) -> Request:
        """What the judge is asked."""
        queries = {name: str(value) for name, value in task.items() if name not in ("target", "id")}
        prompt = judge_prompt(self.criterion, queries, output, str(task.get("target", "")))
        return Request.of(prompt, tag="judge:answer", max_tokens=self.max_tokens)

    def read(self, reply: str) -> Score:
        """The judge's reply as a score; one without a score is a 0, and says so."""
        value, feedback = parse_judgement(reply)
        return Score(0.0, "The judge gave no score.") if value is None else Score(value, "" if value == 1 else feedback)


Loss = Scorer | Judge
METRICS: dict[str, Callable[[], Loss]] = {
    "exact": lambda: exact,
    "numeric": numeric,
    "regex": lambda: regex,
    "f1": lambda: f1,
    "judge": Judge,
}


def loss_named(metric: Any) -> Loss:
    """The loss of a name, or the callable itself.

    Raises:
        BadInput: it is neither a known name nor callable.
    """
    if isinstance(metric, str) and metric in METRICS:
        return METRICS[metric]()
    if isinstance(metric, Judge):
        return metric
    if callable(metric):
        return cast(Scorer, metric)
    raise BadInput(f"The metric {metric!r} is unknown.", f"Metrics are: {', '.join(METRICS)}, or a function (task, output).")


def check_targets(metric: Any, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Refuse targets that a metric of ours cannot use, before anything is spent.

    Raises:
        BadInput: there is one.
    """
    if isinstance(metric, str) and metric in ("numeric", "regex"):
        loss = cast(Scorer, METRICS[metric]())
        for task in tasks:
            loss(task, "")


def score_of(loss: Scorer, task: Mapping[str, Any], output: str) -> Score:
    """What a loss says, checked.

    Raises:
        BadInput: it fails, or does not give (score in [0, 1], feedback).
    """
    try:
        found = loss(task, output)
    except BadInput:
        raise
    except Exception as error:  # the user's function may fail in any way
        raise BadInput(f"The metric failed on {output[:60]!r}: {type(error).__name__}: {error}") from error
    if isinstance(found, (int, float)):
        found = (found, "")
    try:
        value, feedback = found
        value = float(value)
    except (TypeError, ValueError) as error:
        raise BadInput(f"The metric gave {str(found)[:60]!r}.", "It must give (score, feedback).") from error
    if not 0 <= value <= 1:  # also NaN
        raise BadInput(f"The metric gave the score {value}; scores are in [0, 1].")
    return Score(value, str(feedback or ""))


def feedback_of(task: Mapping[str, Any], output: str, feedback: str) -> str:
    """What backpropagation starts from: the loss's feedback, or for an answer without one, what it should be."""
    return feedback or (wanted(task) if task.get("target") not in (None, "") else f"The output should be {output}.")


def wanted(task: Mapping[str, Any]) -> str:
    """The feedback of a task with a known answer."""
    return f"The output should be {task['target']}."


def last_number(text: str) -> float | None:
    """The last number in a text, or None."""
    found = NUMBER.findall(text)
    return _number(found[-1]) if found else None


_PAIRS = {("(", ")"), ("[", "]"), ('"', '"'), ("'", "'"), ("“", "”"), ("*", "*"), ("`", "`")}


def _number(text: str) -> float | None:
    if not NUMBER.fullmatch(text) or len(text) > 40:
        return None
    value = float(text.replace(",", "").replace("−", "-"))
    return value if math.isfinite(value) else None
