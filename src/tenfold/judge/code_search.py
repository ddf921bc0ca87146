"""Search in a workspace's code by a criterion: exact names, names that are nearly so, and words (BM25); the best three.

The paper's search module has embeddings too; on small workspaces it found search to be of no use (section 1.5 of the spec),
so they are left out.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tenfold.core.extras import require
from tenfold.judge.code_graph import Node, code_graph
from tenfold.judge.workspace import Workspace

__all__ = ["CodeSearch", "Passage"]

_CODE = frozenset({"python", "javascript", "typescript", "tsx", "code", "shell"})
_WINDOW = 40
_MOST_BYTES = 2_000_000
_FUZZY = 70
_NAMES = re.compile(r"[`\"'“”]([\w.\- ]{3,60})[`\"'“”]")


class Passage(NamedTuple):
    """A piece of code: its file, first line (from 1), the name that it defines (or none), and its text."""

    file: str
    line: int
    name: str
    text: str


class CodeSearch:
    """An index of a workspace's code: the definitions of its graph, and pieces of forty lines where nothing is defined.

    Args:
        workspace: what was made.
        cache: folder of known facts, as of the embedded engine.
    """

    def __init__(self, workspace: Workspace, cache: str | None = "") -> None:
        from tenfold.llm.search import BM25

        defined: dict[str, list[Node]] = {}
        for node in code_graph(workspace, cache).nodes:
            defined.setdefault(node.file, []).append(node)
        self.passages = [
            passage
            for path, info in workspace.files.items()
            if info.kind in _CODE
            for passage in _passages(path, workspace.read_text(path, _MOST_BYTES), defined.get(path, ()))
        ]
        self._index = BM25([_words(f"{passage.name} {passage.text}") for passage in self.passages])

    def top(self, criteria: str, k: int = 3) -> list[Passage]:
        """The k best passages: those that bear a name which the criterion quotes, then by words."""
        if not self.passages:
            return []
        ratio = require("rapidfuzz.fuzz", "judge").partial_ratio
        names = [name.lower() for name in _NAMES.findall(criteria)]
        named = [
            (max((ratio(name, one.name.lower()) for name in names), default=0), one) for one in self.passages if one.name
        ]
        near = sorted((found for found in named if found[0] >= _FUZZY), key=lambda found: -found[0])
        by_words = [self.passages[hit.document] for hit in self._index.top(_words(criteria), k)]
        return list(dict.fromkeys([*(passage for _, passage in near[:k]), *by_words]))[:k]


def _passages(path: str, text: str, definitions: Sequence[Node]) -> list[Passage]:
    """The functions of a file, and what stands outside of them; without any, pieces of forty lines."""
    lines = text.splitlines()
    whole = [one for one in definitions if one.kind != "class"]
    if not whole:
        starts = range(0, len(lines), _WINDOW)
        return [Passage(path, start + 1, "", "\n".join(lines[start : start + _WINDOW])) for start in starts]
    made = [Passage(path, one.line, one.name, "\n".join(lines[one.line - 1 : one.end])) for one in whole]
    inside = {number for one in whole for number in range(one.line, one.end + 1)}
    rest = [line for number, line in enumerate(lines, start=1) if number not in inside]
    return [*made, Passage(path, 1, "", "\n".join(rest))]


def _words(text: str) -> str:
    return re.sub(r"[_.]|(?<=[a-z])(?=[A-Z])", " ", text)
