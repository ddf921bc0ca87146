"""Judges that know next to nothing: the floors that any judge must clear. None of them reads more than names and words."""

import re
from collections.abc import Iterator
from pathlib import Path

from tenfold.judge.types import Requirements, Verdict

__all__ = ["all_satisfied", "path_and_keyword", "path_check"]

LIMIT = 1 << 20


def all_satisfied(folder: Path, requirements: Requirements) -> dict[str, Verdict]:
    """Every requirement is satisfied."""
    return {item.id: "satisfied" for item in requirements}


def path_check(folder: Path, requirements: Requirements) -> dict[str, Verdict]:
    """Satisfied if every path that the criterion names is there and not empty; also if it names none."""
    there = _sizes(folder)
    return {item.id: _said(all(_is_there(there, path) for path in _paths(item.criteria))) for item in requirements}


def path_and_keyword(folder: Path, requirements: Requirements) -> dict[str, Verdict]:
    """The path check, and every quoted name of the criterion stands somewhere in a text file, whatever its case."""
    there = _sizes(folder)
    words = " ".join(_letters(text) for text in _texts(folder))
    return {
        item.id: _said(
            all(_is_there(there, path) for path in _paths(item.criteria))
            and all(_letters(name) in words for name in re.findall(r'"([^"]+)"', item.criteria))
        )
        for item in requirements
    }


def _said(satisfied: bool) -> Verdict:
    return "satisfied" if satisfied else "unsatisfied"


def _paths(criteria: str) -> list[str]:
    return re.findall(r"`([\w./-]+)`", criteria)


def _is_there(sizes: dict[str, int], path: str) -> bool:
    folder = path.rstrip("/") + "/"
    return sizes.get(path, 0) > 0 or any(name.startswith(folder) for name in sizes)


def _sizes(folder: Path) -> dict[str, int]:
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.rglob("*") if file.is_file()}


def _texts(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= LIMIT:
            content = file.read_bytes()
            if b"\0" not in content[:1024]:
                yield content.decode(errors="replace")


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())
