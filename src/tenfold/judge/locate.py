"""Which files show whether a requirement is met: asked once for all requirements of a workspace, or found by words."""

import asyncio
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from tenfold.judge.accounting import Asker
from tenfold.judge.criterion import Target, parse
from tenfold.judge.prompts import locate_messages, parse_located
from tenfold.judge.trajectory import CHARS_PER_TOKEN
from tenfold.judge.types import Requirement
from tenfold.judge.workspace import Workspace

if TYPE_CHECKING:
    from tenfold.llm.search import BM25

__all__ = ["Finder", "listing", "locate"]

MOST = 5
_AT_ONCE = 40
_TREE_TOKENS = 2_000
_HEAD = 2_000
_BINARY = frozenset({"image", "video", "audio", "npy", "npz", "torch", "safetensors", "hdf5", "pickle", "onnx", "archive"})


async def locate(asker: Asker, finder: "Finder", requirements: Sequence[Requirement]) -> dict[str, list[str]]:
    """At most five files for each requirement, by its id: one call for (up to forty) requirements.

    Where the reply names no file of the workspace for a requirement, its files are found by words.
    """
    some = [requirements[start : start + _AT_ONCE] for start in range(0, len(requirements), _AT_ONCE)]
    found = await asyncio.gather(*(_locate(asker, finder, one, len(some) == 1) for one in some))
    return {identity: paths for part in found for identity, paths in part.items()}


async def _locate(asker: Asker, finder: "Finder", requirements: Sequence[Requirement], is_all: bool) -> dict[str, list[str]]:
    workspace, guessed = finder.workspace, [finder.by_words(one) for one in requirements]
    shown = listing(workspace, first=[path for paths in guessed for path in paths])
    messages = locate_messages(shown, [one.criteria for one in requirements])
    whose = requirements[0].id if is_all and len(requirements) == 1 else ""
    reply = await asker.ask(messages, "locate", whose, max_tokens=120 * len(requirements))
    roots = (workspace.root, f"/{workspace.name}", "/workspace")
    named = parse_located(reply, len(requirements), workspace.files, roots, MOST)
    return {one.id: paths or guess for one, paths, guess in zip(requirements, named, guessed, strict=True)}


class Finder:
    """Finds files by the words of a criterion; what it needs of the workspace is read once, when it is first needed."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._paths = list(workspace.files)

    def by_words(self, requirement: Requirement) -> list[str]:
        """At most five files: those that the criterion names, or else those that share words with it."""
        found: dict[str, None] = {}
        for target in parse(requirement.criteria).targets:
            found.update(dict.fromkeys(self._named(target)))
        if not found:
            found.update((self._paths[hit.document], None) for hit in self._index.top(requirement.criteria, MOST))
        return list(found)[:MOST]

    def _named(self, target: Target) -> list[str]:
        """The files of a target: the path itself, what lies in the folder, or files of that name elsewhere."""
        if target.path in self.workspace.files:
            return [target.path]
        name = target.path.rpartition("/")[2]
        elsewhere = [path for path in self._paths if path.rpartition("/")[2] == name]
        return self.workspace.folder(target.path) if target.kind == "folder" else elsewhere

    @cached_property
    def _index(self) -> "BM25":
        from tenfold.llm.search import BM25

        return BM25([self._words(path) for path in self._paths])

    def _words(self, path: str) -> str:
        text = "" if self.workspace.files[path].kind in _BINARY else self.workspace.read_text(path, _HEAD)
        return re.sub(r"[_./\\-]+|(?<=[a-z])(?=[A-Z])", " ", f"{path} {text}")


def listing(workspace: Workspace, tokens: int = _TREE_TOKENS, first: Sequence[str] = ()) -> str:
    """The files with size and kind, one a line; where not all fit, those of `first` and the least deep ones stay."""
    lines = {path: f"{_shown(path)} ({info.size} bytes, {info.kind})" for path, info in workspace.files.items()}
    left = int(tokens * CHARS_PER_TOKEN)
    if sum(len(line) + 1 for line in lines.values()) <= left:
        return "\n".join(lines.values())
    kept = set()
    for path in (*dict.fromkeys(first), *sorted(lines, key=lambda path: (path.count("/"), path))):
        left -= 0 if path in kept else len(lines[path]) + 1
        if left < 0:
            break
        kept.add(path)
    return "\n".join([*(line for path, line in lines.items() if path in kept), f"({len(lines) - len(kept)} more files)"])


def _shown(path: str) -> str:
    """A file's name on one line, whatever it holds."""
    return path if path.isprintable() else path.encode("unicode_escape").decode()
