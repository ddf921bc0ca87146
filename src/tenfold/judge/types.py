"""What is judged and what comes out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from tenfold.core.errors import BadInput

__all__ = ["Evidence", "Judgement", "Report", "Requirement", "Requirements", "Verdict"]

Verdict = Literal["satisfied", "unsatisfied", "undecided"]


@dataclass(frozen=True)
class Requirement:
    """One requirement.

    Attributes:
        id: as text, e.g. "3".
        criteria: what must hold.
        prerequisites: ids of requirements that it builds on.
        category: e.g. "Visualization", or empty.
        weight: its share among its siblings, for weighted totals.
    """

    id: str
    criteria: str
    prerequisites: tuple[str, ...] = ()
    category: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Requirements:
    """The requirements of a task: ids are unique and prerequisites form no cycle (see `requirements.load_requirements`)."""

    name: str
    items: tuple[Requirement, ...]
    query: str = ""

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, identity: str) -> Requirement:
        return self.by_id[str(identity)]

    @cached_property
    def by_id(self) -> dict[str, Requirement]:
        """The requirements by id."""
        return {item.id: item for item in self.items}

    def ancestors(self, identity: str) -> set[str]:
        """Ids of all direct and indirect prerequisites."""
        found: set[str] = set()
        left = list(self.by_id[identity].prerequisites)
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.by_id[one].prerequisites
        return found


@dataclass(frozen=True)
class Evidence:
    """One fact for or against a requirement.

    Attributes:
        supports: True = for, False = against.
        words: the fact, in one sentence.
        weight: in (0, 1): how strongly it speaks.
        file: relative path, or empty.
        line: from 1, or 0 for the file as a whole.
        sha256: of the file's content, or empty.
        kind: name of the check, or of the agent's module.
    """

    supports: bool
    words: str
    weight: float = 0.0
    file: str = ""
    line: int = 0
    sha256: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict on one requirement.

    Attributes:
        requirement: what was judged.
        verdict: satisfied, unsatisfied or undecided.
        confidence: in [0, 1]: how likely the verdict is right, as calibrated; of undecided, 0.5.
        probability: that it is satisfied, in [0, 1].
        evidence: for and against, strongest first.
        missing: what would be needed to decide, one sentence, or empty.
        engine: "embedded", "llm", "hybrid", "llm-single" or "human".
        calls: of a model.
        usd: cost of them; None = unknown.
        seconds: wall time.
    """

    requirement: Requirement
    verdict: Verdict
    confidence: float
    probability: float
    evidence: tuple[Evidence, ...] = ()
    missing: str = ""
    engine: str = "embedded"
    calls: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The judgements on one workspace.

    Attributes:
        workspace: its name.
        requirements: what was asked.
        judgements: one for each requirement, in their order.
        flags: text in files that addresses the judge: {file, line, text}.
        settings: engine, model, setting and so on.
        notes: sentences on what was limited or left out.
    """

    workspace: str
    requirements: Requirements
    judgements: tuple[Judgement, ...]
    flags: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Judgement]:
        return iter(self.judgements)

    def __getitem__(self, identity: str) -> Judgement:
        found = self._by_id.get(str(identity))
        if found is None:
            raise BadInput(f"There is no requirement {identity!r}.", f"There are: {', '.join(self._by_id)}.")
        return found

    @cached_property
    def _by_id(self) -> dict[str, Judgement]:
        return {one.requirement.id: one for one in self.judgements}

    def is_met(self, identity: str, dependent: bool | str = False) -> bool:
        """Whether a requirement is satisfied; dependent: with its direct prerequisites, or "transitive", with all."""
        if self[identity].verdict != "satisfied":
            return False
        needed: Sequence[str] | set[str] = ()
        if dependent == "transitive":
            needed = self.requirements.ancestors(str(identity))
        elif dependent is True:
            needed = self.requirements[str(identity)].prerequisites
        elif dependent is not False:
            raise BadInput(f"dependent is {dependent!r}.", "It is True, False or 'transitive'.")
        return all(self[one].verdict == "satisfied" for one in needed)

    def met(self, dependent: bool | str = False) -> float:
        """The share of requirements met, in [0, 1]: the paper's (I), with dependent=True (D). Undecided is not met."""
        return sum(self.is_met(one.requirement.id, dependent) for one in self) / max(1, len(self.judgements))

    def rewards(self) -> dict[str, float]:
        """For each requirement the probability that it is satisfied, times the least of its direct prerequisites'."""
        probability = {one.requirement.id: one.probability for one in self}
        return {
            item.id: probability[item.id] * min((probability[one] for one in item.prerequisites), default=1.0)
            for item in self.requirements
        }

    def reward(self) -> float:
        """The weighted mean of `rewards`, in [0, 1]: a dense signal that rises with every requirement that gets likelier."""
        found, total = self.rewards(), sum(item.weight for item in self.requirements)
        return sum(item.weight * found[item.id] for item in self.requirements) / total if total else 0.0

    def table(self) -> str:
        """The verdicts as text, one line each."""
        marks = {"satisfied": "yes", "unsatisfied": "NO", "undecided": "?"}
        width = max((len(one.requirement.id) for one in self), default=1)
        rows = [
            f"{one.requirement.id:>{width}}  {marks[one.verdict]:<3}  {one.confidence:.2f}  {one.requirement.criteria[:90]}"
            for one in self
        ]
        summary = f"{self.met():.1%} met, {self.met(True):.1%} with prerequisites, reward {self.reward():.3f}"
        return "\n".join([*rows, summary])
