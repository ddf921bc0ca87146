"""Text in a workspace that addresses the judge: found, reported, and without effect."""

import os
import re
from collections.abc import Iterator
from typing import Any

from tenfold.judge.addressing import Flag, flags_in
from tenfold.judge.known import Known
from tenfold.judge.types import Requirements
from tenfold.judge.workspace import Workspace

__all__ = ["flags", "without_criteria"]

_LEAST = 30
_TEXTS = frozenset(
    {"binary", "image", "unknown", "audio", "video", "npy", "npz", "torch", "safetensors", "hdf5", "pickle", "onnx"}
)


def flags(
    workspace: Workspace, requirements: Requirements | None = None, cache: str | os.PathLike[str] | Known | None = None
) -> tuple[dict[str, Any], ...]:
    """Where files of a workspace address the judge: in text, code, comments, tables, notebooks, documents and file names.

    Args:
        workspace: see `Workspace.open`.
        requirements: their words pasted into a file are flagged too.
        cache: as in `embedded.judge`, or facts that are known already.

    Returns:
        {file, line, kind, text} each, by file and line; line 0 = the file's name.
    """
    known = cache if isinstance(cache, Known) else Known(workspace, cache)
    try:
        found = [(path, flag) for path in workspace.files for flag in _of_file(workspace, known, path, requirements)]
    finally:
        if known is not cache:
            known.close()
    return tuple({"file": path, "line": flag.line, "kind": flag.kind, "text": flag.text} for path, flag in found)


def without_criteria(text: str, criteria: list[str]) -> str:
    """A text without what was copied from criteria, in whatever letters and spaces."""
    plain = " ".join(re.findall(r"\w+", text)).lower()
    for criterion in criteria:
        words = re.findall(r"\w+", criterion)
        if len(words) >= 4 and " ".join(words).lower() in plain:
            text = re.sub(r"\W+".join(map(re.escape, words)), " ", text, flags=re.I)
    return text


def _of_file(workspace: Workspace, known: Known, path: str, requirements: Requirements | None) -> Iterator[Flag]:
    name = re.sub(r"[_\-./]+", " ", path)
    yield from (Flag(0, flag.kind, path) for flag in flags_in(name, 1))
    found = [Flag(*one) for one in known[path].flags]
    if requirements is not None and workspace.files[path].kind not in _TEXTS:
        found += _pasted(workspace, known, path, requirements)
    yield from sorted(found)


def _pasted(workspace: Workspace, known: Known, path: str, requirements: Requirements) -> Iterator[Flag]:
    in_document = workspace.files[path].kind in ("pdf", "docx", "pptx")
    text = known[path].artefact.text if in_document else workspace.read_text(path, 500_000)
    joined = re.sub(r"[\s\\\"'`#*]+", " ", text).lower()
    for item in requirements:
        wanted = re.sub(r"[\s\\\"'`#*]+", " ", item.criteria).strip(" .").lower()
        if len(wanted) >= _LEAST and wanted in joined:
            first = next((word for word in re.findall(r"\w{4,}", item.criteria)), "")
            lines = (number for number, line in enumerate(text.split("\n"), start=1) if first.lower() in line.lower())
            yield Flag(next(lines, 1), "criterion pasted in", item.criteria[:200])
