"""Questions with their targets, checked before anything is spent: what is wrong is said with counts, rows and columns."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.llm.types import whole
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.prompts import context_block

__all__ = ["Sample", "check_disjoint", "digest", "prepare"]

# `input` and `question` are two words for one variable.
ALIAS = {"question": "input", "input": "question"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One question.

    Attributes:
        id: the row's own, else its number from 0.
        queries: values of the graph's query variables, as text.
        task: the whole row with `target`, and the query variables under the graph's names: what a loss is given.
    """

    id: str
    queries: Mapping[str, str]
    task: Mapping[str, Any]
    _contexts: dict[tuple[str, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def context(self, names: tuple[str, ...]) -> str:
        """The section Context of a prompt with these query variables, made once: evaluations repeat it."""
        made = self._contexts.get(names)
        if made is None:
            made = self._contexts[names] = context_block({name: self.queries[name] for name in names})
        return made


def prepare(graph: Graph, rows: Any, name: str = "train", *, targets: bool = True) -> list[Sample]:
    """Check rows and take what the graph needs from them.

    Args:
        graph: whose query variables the rows must hold.
        rows: mappings with `target`, the query variables (`input` is an alias of `question`) and optional `id`.
        name: what the rows are called in messages.
        targets: whether a target must be there.

    Raises:
        BadInput: no rows, a row without a variable or target, a value that is neither text nor number, ids twice.
    """
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise BadInput(f"{name} must be a list of rows with {', '.join(graph.queries)} and target.")
    rows = list(rows)
    if not rows:
        raise BadInput(f"{name} is empty.", "Give at least one question with its target.")
    if rows and all(isinstance(row, Sample) for row in rows):
        return rows
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise BadInput(f"Row {number} of {name} is {str(row)[:40]!r}, not a table of names and values.")
    if targets:
        _check_targets(rows, name)
    _check_ids(rows, name)
    return [_sample(graph.queries, row, number, name) for number, row in enumerate(rows)]


def check_disjoint(train: Sequence[Sample], test: Sequence[Sample]) -> None:
    """Refuse questions that stand in both.

    Raises:
        BadInput: there are such questions; the message has their number and first ids.
    """
    known = {tuple(sample.queries.values()) for sample in train}
    both = [sample.id for sample in test if tuple(sample.queries.values()) in known]
    if both:
        message = f"{len(both)} of {len(test)} test questions stand in train too: {_first(both)}."
        raise BadInput(message, "A score on questions that were trained on means nothing: take them out of one side.")


def digest(samples: Sequence[Sample]) -> str:
    """A short hash of the questions and targets, in their order."""
    rows = [[sample.id, dict(sample.queries), sample.task.get("target")] for sample in samples]
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _check_targets(rows: Sequence[Mapping[str, Any]], name: str) -> None:
    missing = [_id(row, number) for number, row in enumerate(rows) if row.get("target") in (None, "")]
    if missing:
        raise BadInput(f"{len(missing)} of {len(rows)} rows of {name} have no target: {_first(missing)}.")
    for number, row in enumerate(rows):
        value = row["target"]
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"Row {number} of {name}, column target: {value} is not a number.")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            quoted = " YAML reads Yes and No without quotation marks as true and false: put them into some."
            hint = "A target is text or a number." + (quoted if isinstance(value, bool) else "")
            raise BadInput(f"Row {number} of {name}, column target: {str(value)[:40]!r} is neither text nor number.", hint)


def _check_ids(rows: Sequence[Mapping[str, Any]], name: str) -> None:
    counts = Counter(str(row["id"]) for row in rows if row.get("id") is not None)
    doubled = [item for item, count in counts.items() if count > 1]
    if doubled:
        raise BadInput(f"{len(doubled)} ids stand twice or more in {name}: {_first(doubled)}.", "Give each row its own id.")


def _sample(queries: Sequence[str], row: Mapping[str, Any], number: int, name: str) -> Sample:
    found = {}
    for query in queries:
        value = row.get(query, row.get(ALIAS.get(query, query)))
        if value is None:
            known = ", ".join(str(key) for key in row) or "nothing"
            message = f"Row {number} of {name} has no {query!r}, which the graph takes."
            raise BadInput(message, f"It has: {known}. A node's input that is no node's name is a query variable.")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"Row {number} of {name}, column {query}: {value} is not a number.")
        if not isinstance(value, (str, int, float)):
            raise BadInput(f"Row {number} of {name}, column {query}: {str(value)[:40]!r} is neither text nor number.")
        found[query] = _whole(value, number, query, name)
    _whole(row.get("target", ""), number, "target", name)
    return Sample(_id(row, number), found, {**row, **found})


def _whole(value: Any, number: int, column: str, name: str) -> str:
    text = str(value)
    if whole(text) != text:
        raise BadInput(f"Row {number} of {name}, column {column}, holds half a character (a lone surrogate).")
    return text


def _id(row: Mapping[str, Any], number: int) -> str:
    return str(row["id"]) if row.get("id") is not None else str(number)


def _first(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
