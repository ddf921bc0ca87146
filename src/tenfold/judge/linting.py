"""What is wrong, vague or contradictory in requirements, before anything is judged by them."""

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from tenfold.core.errors import BadInput
from tenfold.judge.criterion import parse
from tenfold.judge.forms import Draft, Finding, read_drafts
from tenfold.judge.requirements import Source, errors_in
from tenfold.judge.types import Requirement

__all__ = ["HasFiles", "lint", "paths_in", "vague_words"]

_QUOTED = re.compile(r"`([^`\n]{1,200})`|\"([^\"\n]{1,200})\"|'([^'\n]{2,200})'(?!\w)")
_VAGUE = re.compile(
    r"\b(good|well|nice|nicely|proper|properly|appropriate|appropriately|suitable|suitably|reasonable|reasonably|adequate|"
    r"adequately|sufficient|sufficiently|relevant|efficient|efficiently|effective|effectively|robust|robustly|clean|"
    r"user[- ]friendly|intuitive|high[- ]quality|insightful|meaningful|comprehensive|optimal|smooth|smoothly|clear|clearly|"
    r"correct|correctly|as needed|if necessary|and so on|etc)\b",
    re.IGNORECASE,
)
_FILES_LIMIT = 200_000


class HasFiles(Protocol):
    """A workspace, as far as its files' relative paths go."""

    @property
    def files(self) -> Iterable[str]:
        """Relative paths with forward slashes."""
        ...


def lint(source: Source, workspace: str | os.PathLike[str] | HasFiles | None = None) -> dict[str, list[Finding]]:
    """Everything doubtful in requirements: errors first, then warnings, by the name of the task.

    Errors are those that `load_requirements` raises one at a time. Warnings: a requirement that needs itself, vague words, a
    criterion that names neither a file nor a thing, one that names no path, two that name a path differently, equal
    criteria, and, with a workspace, paths that are not in it.

    Args:
        source: as of `load_requirements`; may hold several tasks.
        workspace: a folder (only the names of its files are read), or an opened workspace.

    Raises:
        BadInput: the source or the folder cannot be read at all.
    """
    here = None if workspace is None else _names(workspace)
    found: dict[str, list[Finding]] = {}
    for draft in read_drafts(source):
        warnings = [*_selves(draft), *_vague(draft), *_doubles(draft), *_differences(draft), *_missing(draft, here)]
        found.setdefault(draft.name, []).extend([*errors_in(draft), *warnings])
    return found


def paths_in(criteria: str) -> list[str]:
    """The paths that a criterion names, as the engine reads them, in order; folders with a slash at the end."""
    return [one.path + ("/" if one.kind == "folder" else "") for one in parse(criteria).targets]


def vague_words(criteria: str) -> list[str]:
    """Words that two people would measure differently, in order, lower case."""
    return list(dict.fromkeys(word.group(0).lower() for word in _VAGUE.finditer(_QUOTED.sub(" ", criteria))))


def _selves(draft: Draft) -> Iterator[Finding]:
    for item in draft.items:
        if item.id in item.prerequisites:
            said = f"Requirement {item.id} names itself as a prerequisite, which changes nothing."
            yield Finding("warning", item.id, "own prerequisite", said, "Remove it.")


def _vague(draft: Draft) -> Iterator[Finding]:
    for item in draft.items:
        if not item.criteria:
            continue
        words, paths = vague_words(item.criteria), paths_in(item.criteria)
        if words:
            said = f"Requirement {item.id} says {', '.join(repr(word) for word in words)}, which people measure differently."
            yield Finding("warning", item.id, "vague", said, "Say how it can be seen: a file, a number, a name.")
        if not paths and not _names_something(item):
            said = f"Requirement {item.id} names no file and no thing."
            yield Finding("warning", item.id, "nothing named", said, "Name the file, the data, the method or the number.")
        elif not paths:
            said = f"Requirement {item.id} names no path, so a judge must guess where to look."
            yield Finding("warning", item.id, "no path", said, "Add where it must be, e.g. in `src/train.py`.")


def _names_something(item: Requirement) -> bool:
    """A quoted name, a known method or library, a data set, a measure; or a proper name, an abbreviation or a number."""
    found = parse(item.criteria, item.category)
    known = found.names or found.methods or found.libraries or found.data_set or found.measures or found.notebook
    return bool(known) or re.search(r"\s[^\s]*(?:[A-Z0-9]|\w_\w)", item.criteria.strip()) is not None


def _doubles(draft: Draft) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for item in draft.items:
        text = " ".join(item.criteria.lower().split())
        if text and first.setdefault(text, item.id) != item.id:
            said = f"Requirements {first[text]} and {item.id} have the same criteria."
            yield Finding("warning", item.id, "double criteria", said, "Remove one, or say how they differ.")


def _differences(draft: Draft) -> Iterator[Finding]:
    """Paths with one file name in two folders, or that differ by case or by one or two letters."""
    users: dict[str, list[Requirement]] = defaultdict(list)
    for item in draft.items:
        for path in paths_in(item.criteria):
            users[path].append(item)
    names = list(users)
    for number, one in enumerate(names[:400]):
        for other in names[number + 1 : 400]:
            why = _alike(one, other)
            if why:
                ids = f"Requirements {users[one][0].id} and {users[other][0].id}"
                said = f"{ids} name {one} and {other}: {why}."
                yield Finding("warning", users[other][0].id, "paths differ", said, "Use one name where one file is meant.")


def _alike(one: str, other: str) -> str:
    if one.lower() == other.lower():
        return "they differ by case"
    if one.rstrip("/") == other.rstrip("/"):
        return "one is a folder, one is not"
    first, second = PurePosixPath(one), PurePosixPath(other)
    common = {"readme.md", "__init__.py", "index.html", "main.py"}
    if first.suffix and first.name == second.name and first.name.lower() not in common:
        return "the same file name in two folders"
    same_kind = first.suffix == second.suffix and first.parent == second.parent and one.endswith("/") == other.endswith("/")
    if same_kind and min(len(first.stem), len(second.stem)) >= 4 and not re.search(r"\d", first.stem + second.stem):
        close = difflib.SequenceMatcher(None, first.stem.lower(), second.stem.lower()).ratio() >= 0.9
        return "they differ by a letter or two" if close else ""
    return ""


def _names(workspace: str | os.PathLike[str] | HasFiles) -> set[str]:
    if not isinstance(workspace, str | os.PathLike):
        return _with_parents(workspace.files)
    folder = Path(workspace)
    if not folder.is_dir():
        raise BadInput(f"The workspace {folder} is not a folder." if folder.exists() else f"There is no workspace {folder}.")
    found: list[str] = []
    for parent, folders, files in os.walk(folder, followlinks=False):
        relative = Path(parent).relative_to(folder)
        found += [(relative / name).as_posix() for name in [*files, *folders]]
        if len(found) > _FILES_LIMIT:
            raise BadInput(f"{folder} has more than {_FILES_LIMIT:,} files.", "Name the folder that the agent wrote in.")
    return _with_parents(found)


def _with_parents(files: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in files:
        path = PurePosixPath(name)
        found.update([path.as_posix(), *(parent.as_posix() for parent in path.parents)])
    return found


def _missing(draft: Draft, here: set[str] | None) -> Iterator[Finding]:
    if here is None:
        return
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in sorted(here):
        by_name[PurePosixPath(path).name.lower()].append(path)
    for item in draft.items:
        for path in paths_in(item.criteria):
            plain = PurePosixPath(path.rstrip("/"))
            if "*" not in path and plain.as_posix() not in here:
                elsewhere = by_name.get(plain.name.lower(), [])
                hint = f"There is {elsewhere[0]}." if elsewhere else ""
                said = f"Requirement {item.id} names {path}, which is not in the workspace."
                yield Finding("warning", item.id, "missing path", said, hint)
