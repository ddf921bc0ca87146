"""From a task's table to its faults: which operators fit a file, and which requirements each makes false.

A table says what hangs on what; it never looks at a judge. `files` and `functions` name the requirements that are false
once that file or function has lost what it does. Where a file only goes elsewhere, those are false whose words name its
path. `edits` name theirs one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from tenfold.judge.faults import artefacts, code, edits, wholes
from tenfold.judge.faults.reference import Files, ReferenceTask

__all__ = ["OPERATORS", "WIPES", "Fault", "faults_of"]

OPERATORS: dict[str, Callable[..., Files]] = {
    "file-deleted": wholes.deleted,
    "file-emptied": wholes.emptied,
    "file-renamed": wholes.renamed,
    "prose-instead": wholes.prose_instead,
    "placeholder-words": wholes.placeholder_words,
    "claimed-only": wholes.claimed_only,
    "criterion-pasted": wholes.criterion_pasted,
    "folder-deleted": wholes.folder_deleted,
    "folder-emptied": wholes.folder_emptied,
    "folder-moved": wholes.folder_moved,
    "truncated": artefacts.truncated,
    "one-pixel": artefacts.one_pixel,
    "blank-picture": artefacts.blank_picture,
    "one-page-title": artefacts.one_page_title,
    "numbers-removed": artefacts.numbers_removed,
    "header-only": artefacts.header_only,
    "outputs-stripped": artefacts.outputs_stripped,
    "cells-as-text": artefacts.cells_as_text,
    "syntax-error": code.syntax_error,
    "commented-out": code.commented_out,
    "skeleton": code.skeleton,
    "stub": code.stub,
    "body-removed": code.body_removed,
    "pass-through": code.pass_through,
    "not-implemented": code.not_implemented,
    "unreachable": code.unreachable,
    **dict.fromkeys(edits.KINDS, edits.edited),
}

_PROGRAM = ("syntax-error", "commented-out", "criterion-pasted", "prose-instead", "claimed-only")
_BY_ROLE = {
    "python": (*_PROGRAM, "skeleton"),
    "script": _PROGRAM,
    "picture": ("one-pixel", "blank-picture", "truncated", "prose-instead"),
    "document": ("one-page-title", "truncated", "prose-instead"),
    "model": ("truncated", "prose-instead"),
    "numbers": ("numbers-removed", "placeholder-words"),
    "table": ("header-only", "numbers-removed", "placeholder-words"),
    "words": ("placeholder-words",),
    "notebook": ("truncated", "cells-as-text", "prose-instead"),
    "plain": (),
}
_ROLES = {
    **dict.fromkeys((".py",), "python"),
    **dict.fromkeys((".js", ".mjs"), "script"),
    **dict.fromkeys((".png", ".jpg", ".gif"), "picture"),
    **dict.fromkeys((".npy", ".npz", ".pt", ".pkl", ".joblib", ".db"), "model"),
    **dict.fromkeys((".txt", ".json"), "numbers"),
    **dict.fromkeys((".md", ".html", ".svg"), "words"),
    ".csv": "table",
    ".ipynb": "notebook",
    ".pdf": "document",
}
# After these nothing of a program is left.
WIPES = frozenset(
    {
        "file-deleted",
        "file-emptied",
        "prose-instead",
        "claimed-only",
        "criterion-pasted",
        "commented-out",
        "cells-as-text",
        "truncated",
        "folder-deleted",
        "folder-emptied",
    }
)
_OF_FUNCTIONS = ("stub", "body-removed", "pass-through", "not-implemented", "unreachable")


class Fault(NamedTuple):
    """One fault of one task.

    Attributes:
        operator: a name in `OPERATORS`.
        path: the file or folder that it is put into.
        arguments: the operator's others.
        breaks: ids of the requirements that are false with it.
        unclear: ids of those whose truth the rule cannot tell.
        touches: all files and folders that it changes.
    """

    operator: str
    path: str
    arguments: tuple[Any, ...]
    breaks: frozenset[str]
    unclear: frozenset[str] = frozenset()
    touches: tuple[str, ...] = ()

    def apply(self, files: Files) -> Files:
        """The workspace with this fault."""
        return OPERATORS[self.operator](files, self.path, *self.arguments)

    def meets(self, other: "Fault") -> bool:
        """Whether the two change the same file, or one a folder of the other."""
        pairs = [(a, b) for a in self.touches for b in other.touches]
        return any(a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/") for a, b in pairs)


def faults_of(task: ReferenceTask) -> tuple[Fault, ...]:
    """All single faults of a task, each of which makes at least one requirement false, in the order of its table."""
    made = [*_of_files(task), *_of_functions(task), *_of_folders(task), *_by_hand(task)]
    return tuple(fault for fault in made if fault.breaks)


def _of_files(task: ReferenceTask) -> Iterator[Fault]:
    for path, row in task.table["files"].items():
        breaks, unclear = _ids(row)
        criteria = tuple(task.requirements[one].criteria for one in sorted(breaks, key=int))
        own = row.get("role") if isinstance(row, Mapping) else None
        role = own or _ROLES.get(PurePosixPath(path).suffix, "plain")
        for operator in ("file-deleted", "file-emptied", *_BY_ROLE[role]):
            arguments = (criteria,) if operator in ("claimed-only", "criterion-pasted") else ()
            touches = (path, "README.md") if operator == "claimed-only" else (path,)
            yield Fault(operator, path, arguments, breaks, unclear, touches)
        yield Fault("file-renamed", path, (), _naming(task, path), frozenset(), (path,))
        if role == "notebook":
            yield Fault("outputs-stripped", path, (), _texts(row.get("outputs", ())), frozenset(), (path,))


def _of_functions(task: ReferenceTask) -> Iterator[Fault]:
    for path, functions in task.table.get("functions", {}).items():
        for name, row in functions.items():
            breaks, unclear = _ids(row)
            for operator in _OF_FUNCTIONS:
                yield Fault(operator, path, (name,), breaks, unclear, (path,))


def _of_folders(task: ReferenceTask) -> Iterator[Fault]:
    for folder in task.table.get("folders", ()):
        inside = {path: row for path, row in task.table["files"].items() if path.startswith(f"{folder}/")}
        lost = _ids(task.table["folders"][folder])[0].union(*(_ids(row)[0] for row in inside.values()))
        unclear = frozenset[str]().union(*(_ids(row)[1] for row in inside.values())) - lost
        yield Fault("folder-deleted", folder, (), lost, unclear, (folder,))
        yield Fault("folder-emptied", folder, (), lost, unclear, (folder,))
        named = _naming(task, f"{folder}/").union(*(_naming(task, path) for path in inside))
        yield Fault("folder-moved", folder, (), named, frozenset(), (folder,))


def _by_hand(task: ReferenceTask) -> Iterator[Fault]:
    for row in task.table.get("edits", ()):
        gone = tuple(row.get("gone", ()))
        arguments = (tuple(map(tuple, row.get("changes", ()))), gone, row.get("whole", ""))
        breaks, unclear = _ids(row)
        yield Fault(row["kind"], row["file"], arguments, breaks, unclear, (row["file"], *gone))


def _naming(task: ReferenceTask, path: str) -> frozenset[str]:
    return frozenset(item.id for item in task.requirements if path in item.criteria)


def _ids(row: Mapping[str, Any] | Sequence[int]) -> tuple[frozenset[str], frozenset[str]]:
    if isinstance(row, Mapping):
        return _texts(row.get("breaks", ())), _texts(row.get("unclear", ()))
    return _texts(row), frozenset()


def _texts(ids: Sequence[int]) -> frozenset[str]:
    return frozenset(map(str, ids))
