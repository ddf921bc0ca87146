"""The graph of a workspace's code: definitions, and the places that refer to them.

A definition is a place (file and line), not a bare name: two functions called `load` in two files are two nodes. A
reference points to every definition of its name; both are joined by hashing, in time linear in their number.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tenfold.judge.facts import Code
from tenfold.judge.kinds import CODE
from tenfold.judge.known import Known
from tenfold.judge.workspace import Workspace

__all__ = ["Graph", "Node", "Reference", "code_graph"]


class Node(NamedTuple):
    """A definition: place, name, "class", "function" or "method", the class or function that it stands in (or -1)."""

    file: str
    line: int
    end: int
    name: str
    kind: str
    parent: int


class Reference(NamedTuple):
    """A call in code: place, the name as written (with its module), and its last part."""

    file: str
    line: int
    dotted: str
    name: str


@dataclass(frozen=True)
class Graph:
    """Definitions and references of a workspace.

    Attributes:
        nodes: all definitions, by file and line.
        references: all calls and instantiations, by file and line.
    """

    nodes: tuple[Node, ...]
    references: tuple[Reference, ...]

    @cached_property
    def by_name(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> numbers of the definitions that bear it."""
        found: dict[str, list[int]] = {}
        for number, node in enumerate(self.nodes):
            found.setdefault(node.name, []).append(number)
        return {name: tuple(numbers) for name, numbers in found.items()}

    @cached_property
    def members(self) -> tuple[tuple[int, int], ...]:
        """(class, method) numbers."""
        return tuple((node.parent, number) for number, node in enumerate(self.nodes) if node.kind == "method")

    @cached_property
    def uses(self) -> tuple[tuple[int, int], ...]:
        """(reference, definition) numbers, wherever the names agree."""
        return tuple((number, node) for number, one in enumerate(self.references) for node in self.by_name.get(one.name, ()))

    def definitions(self, name: str, near: str = "") -> list[Node]:
        """The definitions of a name, those of the file `near` first."""
        found = [self.nodes[number] for number in self.by_name.get(name, ())]
        return sorted(found, key=lambda node: (node.file != near, node.file, node.line))

    def callers(self, name: str) -> list[Reference]:
        """The places that refer to a name."""
        return [one for one in self.references if one.name == name]


def code_graph(workspace: Workspace, cache: str | os.PathLike[str] | Known | None = None) -> Graph:
    """The graph of all source files of a workspace; a file that does not parse has no nodes.

    Args:
        workspace: see `Workspace.open`.
        cache: as in `embedded.judge`, or facts that are known already.
    """
    known = cache if isinstance(cache, Known) else Known(workspace, cache)
    try:
        nodes: list[Node] = []
        references: list[Reference] = []
        for path, info in workspace.files.items():
            code = known[path].code if info.kind in CODE else None
            if code is not None:
                nodes += _nodes(path, code, len(nodes))
                references += [_reference(path, call.line, call.name) for call in code.calls]
        return Graph(tuple(nodes), tuple(references))
    finally:
        if known is not cache:
            known.close()


def _nodes(path: str, code: Code, start: int) -> list[Node]:
    return [
        Node(path, one.line, one.end, one.name, one.kind, one.parent + start if one.parent >= 0 else -1)
        for one in code.definitions
    ]


def _reference(path: str, line: int, dotted: str) -> Reference:
    return Reference(path, line, dotted, dotted.rsplit(".", 1)[-1])
