"""What a run did, step by step, in plain JSON types without times: the same seed and engine write the same bytes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tenfold.core.errors import BadInput

__all__ = ["Round", "Step", "Tally"]


@dataclass(frozen=True)
class Round:
    """One draw of errors, what came of it, and the verdict.

    Attributes:
        samples: numbers of the training samples that were drawn.
        values: of query variables and nodes, for each drawn sample.
        gradients: for each drawn sample: {"nodes", "edges", "missing", "errors"} (see `backward.Gradients`).
        chosen: parameters that were to move.
        proposals: new texts by parameter.
        dropped: why a proposal was dropped, by parameter: no tags, identical, too long, no feedback, failed.
        score: of the candidate on the training samples; None = it lost a race, or there was none.
        accepted: whether it was kept.
        reason: why, in a word or two.
    """

    samples: tuple[int, ...]
    values: tuple[Mapping[str, str], ...]
    gradients: tuple[Mapping[str, Any], ...]
    chosen: tuple[str, ...]
    proposals: Mapping[str, str]
    dropped: Mapping[str, str]
    score: float | None
    accepted: bool
    reason: str


@dataclass(frozen=True)
class Step:
    """One step: one round, or with the policy auto up to a few.

    Attributes:
        step: from 1.
        rounds: in order.
        score: of the kept graph after the step, on the training samples.
        best: the highest score so far.
        instructions: of the kept graph after the step.
        evaluations: of the training set so far, the start's included.
    """

    step: int
    rounds: tuple[Round, ...]
    score: float
    best: float
    instructions: Mapping[str, str]
    evaluations: int

    @property
    def accepted(self) -> bool:
        """Whether a candidate was kept."""
        return any(item.accepted for item in self.rounds)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Step":
        """The inverse of `to_dict`.

        Raises:
            BadInput: it is no such value.
        """
        try:
            rounds = tuple(Round(**{**item, **_tuples(item)}) for item in found["rounds"])
            return cls(**{**found, "rounds": rounds})
        except (TypeError, KeyError) as error:
            raise BadInput("The history of this run cannot be read.") from error


@dataclass
class Tally:
    """What only replies show, counted.

    Attributes:
        dropped: proposals, by reason.
        missing: edges without advice, after one repair.
        failed: samples that failed in an evaluation.
        backward_failed: backward calls that failed.
        stalled: rounds that brought no candidate: every proposal was dropped, or had been evaluated before.
        notes: sentences, e.g. "nothing to learn".
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


def _tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(item[name]) for name in ("samples", "values", "gradients", "chosen")}
