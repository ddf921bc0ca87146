"""Weighted trees of requirements, as in PaperBench: a node's score is the weighted mean of its children's.

Starace et al. 2025, "PaperBench: Evaluating AI's Ability to Replicate AI Research", arXiv 2504.01848. Leaves are judged;
flattened, a leaf's weight is the product of its ancestors' shares, so that the flat weighted mean equals the tree's root.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.judge.types import Requirement, Requirements

__all__ = ["DEPTH_LIMIT", "Rubric", "RubricNode", "is_rubric", "read_rubric"]

DEPTH_LIMIT = 40
NODES_LIMIT = 20_000


@dataclass(frozen=True)
class RubricNode:
    """A node of the tree.

    Attributes:
        id: unique in the tree.
        criteria: what must hold.
        weight: >= 0, against its siblings'.
        category: of a leaf, e.g. "Code Development", or empty.
        score: a stored grade in [0, 1], or None.
        children: empty for a leaf.
    """

    id: str
    criteria: str
    weight: float = 1.0
    category: str = ""
    score: float | None = None
    children: tuple["RubricNode", ...] = field(default=())

    def walk(self) -> Iterator["RubricNode"]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Rubric:
    """A tree of requirements with its name."""

    name: str
    root: RubricNode

    def leaves(self) -> list[RubricNode]:
        """The nodes that are judged, in the order of the tree."""
        return [node for node in self.root.walk() if not node.children]

    def shares(self) -> dict[str, float]:
        """For each leaf its share of the root, by id; they add up to 1 unless all weights of some siblings are 0."""
        found: dict[str, float] = {}
        _share(self.root, 1.0, found)
        return found

    def requirements(self) -> Requirements:
        """The leaves as flat requirements, weighted by their shares of the root."""
        shares = self.shares()
        items = [Requirement(leaf.id, leaf.criteria, (), leaf.category, shares[leaf.id]) for leaf in self.leaves()]
        return Requirements(self.name, tuple(items), self.root.criteria)

    def totals(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The score of every node, by id, from the leaves' scores in [0, 1].

        Raises:
            BadInput: a leaf has no score.
        """
        found: dict[str, float] = {}
        _total(self.root, scores, found)
        return found

    def total(self, scores: Mapping[str, float]) -> float:
        """The score of the root, in [0, 1]."""
        return self.totals(scores)[self.root.id]

    def stored(self) -> dict[str, float]:
        """The leaves' stored grades, by id, of those that have one."""
        return {leaf.id: leaf.score for leaf in self.leaves() if leaf.score is not None}


def is_rubric(value: Any) -> bool:
    """Whether a value looks like the root of a rubric tree."""
    return isinstance(value, Mapping) and "sub_tasks" in value


def read_rubric(value: Mapping[str, Any], name: str = "rubric") -> Rubric:
    """A tree in PaperBench's form: {id, requirements (a text), weight, sub_tasks, task_category, score}.

    Raises:
        BadInput: a node is malformed (its path in the tree is named), ids are double, or it is too deep or large.
    """
    seen: set[str] = set()
    return Rubric(name, _node(value, "root", 0, seen))


def _node(value: Any, where: str, depth: int, seen: set[str]) -> RubricNode:
    if depth > DEPTH_LIMIT:
        raise BadInput(f"The rubric tree is deeper than {DEPTH_LIMIT} levels at {where[:120]}.")
    if not isinstance(value, Mapping):
        raise BadInput(f"The rubric's node {where} is a {type(value).__name__}, not a table.")
    criteria, identity = value.get("requirements"), str(value.get("id") or where)
    if not isinstance(criteria, str) or not criteria.strip():
        raise BadInput(f"The rubric's node {where} has no text named requirements.")
    if identity in seen:
        raise BadInput(f"The rubric has the id {identity!r:.80} twice.", "Every node needs its own.")
    seen.add(identity)
    if len(seen) > NODES_LIMIT:
        raise BadInput(f"The rubric has more than {NODES_LIMIT:,} nodes.")
    below = value.get("sub_tasks") or []
    if not isinstance(below, list):
        raise BadInput(f"The sub_tasks of the rubric's node {where} are no list.")
    weight, score, category = value.get("weight", 1), value.get("score"), value.get("task_category")
    return RubricNode(
        identity,
        criteria.strip(),
        _number(weight, where, "weight", math.inf),
        category if isinstance(category, str) else "",
        None if score is None else _number(score, where, "score", 1.0),
        tuple(_node(one, f"{where}.{number}", depth + 1, seen) for number, one in enumerate(below)),
    )


def _number(value: Any, where: str, what: str, most: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= most
    if not good:
        span = "from 0 up" if most == math.inf else "from 0 to 1"
        raise BadInput(f"The {what} of the rubric's node {where} is {value!r:.60}.", f"It must be a number {span}.")
    return float(value)


def _share(node: RubricNode, share: float, found: dict[str, float]) -> None:
    if not node.children:
        found[node.id] = share
    total = sum(child.weight for child in node.children)
    for child in node.children:
        _share(child, share * child.weight / total if total else 0.0, found)


def _total(node: RubricNode, scores: Mapping[str, float], found: dict[str, float]) -> float:
    if node.children:
        weights = sum(child.weight for child in node.children)
        parts = [child.weight * _total(child, scores, found) for child in node.children]
        found[node.id] = sum(parts) / weights if weights else 0.0
    elif node.id in scores:
        found[node.id] = float(scores[node.id])
    else:
        raise BadInput(f"The leaf {node.id!r:.80} has no score.", f"It asks: {node.criteria:.100}")
    return found[node.id]
