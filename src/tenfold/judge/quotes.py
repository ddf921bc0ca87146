"""Source lines around a fact, as text, from the workspace's files: for reports and pages."""

from collections.abc import Callable, Sequence

from tenfold.core.errors import BadInput
from tenfold.judge.kinds import CODE, PROSE, TABLES
from tenfold.judge.workspace import Workspace, decode

__all__ = ["quoter", "source_of"]

LIMIT = 1_000_000
_TEXTS = (CODE | PROSE | TABLES | {"svg"}) - {"pdf", "docx", "pptx", "xlsx", "parquet", "sqlite"}


def quoter(workspace: Workspace, around: int = 3) -> Callable[[str, int], Sequence[tuple[int, str]]]:
    """A function (file, line) -> [(line number, text), ...] with so many lines before and after; nothing where none are."""
    sources: dict[str, list[str]] = {}

    def quote(file: str, line: int) -> Sequence[tuple[int, str]]:
        if file not in sources:
            sources[file] = source_of(workspace, file).split("\n")
        lines = sources[file]
        if not 1 <= line <= len(lines) or not any(lines):
            return ()
        first = max(1, line - around)
        return [(number, lines[number - 1]) for number in range(first, min(len(lines), line + around) + 1)]

    return quote


def source_of(workspace: Workspace, file: str) -> str:
    """A file as the text that lines of evidence count in: of a notebook its code cells; empty for what is no text."""
    info = workspace.files.get(file)
    if info is None or info.kind not in _TEXTS:
        return ""
    try:
        data = workspace.read_bytes(file, LIMIT)
    except BadInput:  # it changed since the scan: there is nothing to quote
        return ""
    return _cells(data) if info.kind == "notebook" else decode(data).replace("\r\n", "\n")


def _cells(data: bytes) -> str:
    from tenfold.judge.artefact_notebooks import cell_sources
    from tenfold.judge.python_code import notebook_source

    try:
        return notebook_source(cell_sources(data))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return ""
