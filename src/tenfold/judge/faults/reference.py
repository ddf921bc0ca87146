"""The reference tasks: requirements, and a workspace in which every one of them holds, as it stood after it ran."""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from tenfold.core.errors import BadInput
from tenfold.core.files import write_atomic
from tenfold.judge.types import Requirement, Requirements

__all__ = ["Files", "ReferenceTask", "Split", "pack", "tasks"]

Files = Mapping[str, bytes]
Split = Literal["tune", "held-out"]
SUITE = Path(__file__).parent / "suite"


@dataclass(frozen=True)
class ReferenceTask:
    """One task of the suite.

    Attributes:
        name: of the task and of its two files in the suite.
        split: "tune" (calibration may look at it) or "held-out" (only reported).
        style: how its author writes, in a few words.
        ran: the command that was run, with versions.
        requirements: true of the reference workspace, all of them.
        table: which requirements hang on which file, folder, function or edit (see `table.faults_of`).
    """

    name: str
    split: Split
    style: str
    ran: str
    requirements: Requirements
    table: Mapping[str, Any]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The reference workspace: content by relative path."""
        with gzip.open(SUITE / f"{self.name}.json.gz", "rt", encoding="utf-8") as packed:
            return {path: _bytes(content) for path, content in json.load(packed).items()}


def tasks(split: Split | None = None) -> tuple[ReferenceTask, ...]:
    """The tasks of the suite in the order of their names; split: "tune", "held-out", or None for all.

    Raises:
        BadInput: there is no such split.
    """
    if split not in (None, "tune", "held-out"):
        raise BadInput(f"The suite has no split {split!r}.", "It has 'tune' and 'held-out'.")
    return tuple(task for task in _all_tasks() if split in (None, task.split))


def pack(folder: Path, path: Path) -> int:
    """Store a workspace for the suite: text as text, the rest as base64; the same bytes each time.

    Args:
        folder: the workspace after its run.
        path: the file to write, `NAME.json.gz`.

    Returns:
        The size of the file in bytes.
    """
    found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    packed = gzip.compress(json.dumps({name: _packed(content) for name, content in found.items()}).encode(), 9, mtime=0)
    write_atomic(path, packed)
    return len(packed)


@cache
def _all_tasks() -> tuple[ReferenceTask, ...]:
    return tuple(_read(path) for path in sorted(SUITE.glob("*.yaml")))


def _read(path: Path) -> ReferenceTask:
    row = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    items = tuple(
        Requirement(str(number), one["criteria"], tuple(str(other) for other in one.get("after", ())), one["category"])
        for number, one in enumerate(row["requirements"])
    )
    requirements = Requirements(path.stem, items, row["query"])
    return ReferenceTask(path.stem, row["split"], row["style"], row["ran"], requirements, row)


def _packed(content: bytes) -> dict[str, str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
    return {"text": text}


def _bytes(content: Mapping[str, str]) -> bytes:
    return content["text"].encode() if "text" in content else base64.b64decode(content["base64"])
