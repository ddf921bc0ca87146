"""What a run did, step by step, in plain JSON types without times: the same seed and engine write the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenfold.core.errors import BadInput

__all__ = ["Round", "Step", "Tally"]


class _Entry(dict[str, Any]):
    """A JSON object whose entries can be read as attributes too: histories are written, sent and drawn as they are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Round(_Entry):
    """One draw of errors, what came of it, and the verdict.

    Attributes:
        samples: numbers of the training samples that were drawn.
        values: of query variables and nodes, for each drawn sample.
        gradients: for each drawn sample: {"nodes", "edges", "missing", "errors"} (see `backward.Gradients`); empty at the
            level none.
        chosen: parameters that were to move.
        proposals: new texts by parameter.
        dropped: why a proposal was dropped, by parameter: no tags, identical, too long, no feedback, failed.
        score: of the candidate on the training samples; None = it lost a race, or there was none.
        accepted: whether it was kept.
        reason: why, in a word or two.
    """

    samples: list[int]
    gradients: list[dict[str, Any]]
    chosen: list[str]
    proposals: dict[str, str]
    dropped: dict[str, str]
    score: float | None
    accepted: bool
    reason: str

    @property
    def values(self) -> list[dict[str, str]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The texts of the drawn samples: the word of a trace, which hides the method of dictionaries."""
        return self["values"]


class Step(_Entry):
    """One step: one round, or with the policy auto up to a few.

    Attributes:
        step: from 1.
        rounds: in order.
        score: of the kept graph after the step, on the training samples.
        best: the highest score so far.
        accepted: whether a candidate was kept.
        instructions: of the kept graph after the step.
        evaluations: of the training set so far, the start's included.
    """

    step: int
    rounds: list[Round]
    score: float
    best: float
    accepted: bool
    instructions: dict[str, str]
    evaluations: int

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Step":
        """A step that was written as JSON.

        Raises:
            BadInput: it is no such value.
        """
        if not set(cls.__annotations__) <= set(found) or not isinstance(found["rounds"], list):
            raise BadInput("The history of this run cannot be read: a step lacks an entry.")
        return cls(found, rounds=[Round(item) for item in found["rounds"]])

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries."""
        return {**self, "rounds": [dict(item) for item in self.rounds]}


@dataclass
class Tally:
    """What only replies show, counted.

    Attributes:
        dropped: proposals, by reason.
        missing: edges without advice, after one repair.
        failed: samples that failed in an evaluation.
        backward_failed: backward calls that failed.
        stalled: rounds that brought no candidate: every proposal was dropped, or had been evaluated before.
        notes: sentences, e.g. "Nothing to learn".
    """

    dropped: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    failed: int = 0
    backward_failed: int = 0
    stalled: int = 0
    notes: list[str] = field(default_factory=list)

    def drop(self, reasons: Mapping[str, str]) -> None:
        """Count dropped proposals."""
        for reason in reasons.values():
            self.dropped[reason] = self.dropped.get(reason, 0) + 1
