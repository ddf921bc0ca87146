"""Which files show whether a requirement is met: asked once for all requirements of a workspace, or found by words."""

import re
from collections.abc import Sequence

from tenfold.judge.accounting import Asker
from tenfold.judge.prompts import locate_messages, parse_located
from tenfold.judge.trajectory import CHARS_PER_TOKEN
from tenfold.judge.types import Requirement
from tenfold.judge.workspace import Workspace

__all__ = ["by_words", "listing", "locate"]

MOST = 5
_AT_ONCE = 40
_TREE_TOKENS = 2_000
_HEAD = 2_000
_BINARY = frozenset({"image", "video", "audio", "npy", "npz", "torch", "safetensors", "hdf5", "pickle", "onnx", "archive"})
_PATHS = re.compile(r"[`\"'“”‘’]([^`\"'“”‘’\n]{1,200})[`\"'“”‘’]|(?<![\w/])((?:[\w.-]+/)+[\w.-]*|[\w-]+\.\w{1,8})")


async def locate(asker: Asker, workspace: Workspace, requirements: Sequence[Requirement]) -> dict[str, list[str]]:
    """At most five files for each requirement, by its id: one call for (up to forty) requirements.

    Where the reply names no file of the workspace for a requirement, its files are found by words.
    """
    found = {}
    for start in range(0, len(requirements), _AT_ONCE):
        some = requirements[start : start + _AT_ONCE]
        guessed = [by_words(workspace, one) for one in some]
        shown = listing(workspace, first=[path for paths in guessed for path in paths])
        messages = locate_messages(shown, [one.criteria for one in some])
        reply = await asker.ask(messages, "locate", some[0].id if len(requirements) == 1 else "", max_tokens=120 * len(some))
        roots = (workspace.root, f"/{workspace.name}", "/workspace")
        named = parse_located(reply, len(some), workspace.files, roots, MOST)
        found.update({one.id: paths or guess for one, paths, guess in zip(some, named, guessed, strict=True)})
    return found


def by_words(workspace: Workspace, requirement: Requirement) -> list[str]:
    """At most five files: those that the criterion names, then those that share words with it."""
    found: dict[str, None] = {}
    for quoted, bare in _PATHS.findall(requirement.criteria):
        found.update(dict.fromkeys(_named(workspace, (quoted or bare).strip().removeprefix("./"))))
    if not found:
        index = _Words.of(workspace)
        found.update(dict.fromkeys(index.top(requirement.criteria)))
    return list(found)[:MOST]


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


def _named(workspace: Workspace, token: str) -> list[str]:
    """The files that a token of a criterion names: as a path, as a folder, or by the file's name alone."""
    if not token or token in workspace.files:
        return [token] if token else []
    inside = workspace.folder(token) if "/" in token or token.rstrip("/") in {p.split("/")[0] for p in workspace.files} else []
    name = token.rstrip("/").rpartition("/")[2]
    return inside or [path for path in workspace.files if "." in name and path.rpartition("/")[2] == name]


class _Words:
    """BM25 over paths and how files begin, made once for a workspace."""

    _last: "tuple[Workspace, _Words] | None" = None

    def __init__(self, workspace: Workspace) -> None:
        from tenfold.llm.search import BM25

        self._paths = list(workspace.files)
        self._index = BM25([self._words(workspace, path) for path in self._paths])

    @classmethod
    def of(cls, workspace: Workspace) -> "_Words":
        last = cls._last
        if last is None or last[0] is not workspace:
            last = cls._last = (workspace, cls(workspace))
        return last[1]

    def top(self, query: str) -> list[str]:
        return [self._paths[hit.document] for hit in self._index.top(query, MOST)]

    @staticmethod
    def _words(workspace: Workspace, path: str) -> str:
        text = "" if workspace.files[path].kind in _BINARY else workspace.read_text(path, _HEAD)
        return re.sub(r"[_./\\-]+|(?<=[a-z])(?=[A-Z])", " ", f"{path} {text}")
