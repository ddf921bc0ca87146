"""What a visitor of the page may use: models that the server's owner allows, and small uploads read as a stranger's.

The owner names models in TENFOLD_STUDIO_MODELS ("name = model string; name = ...") and may set TENFOLD_STUDIO_CALLS, the
most calls of one visit's run. A visitor chooses by name and never gives an address or a path.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.judge.labels import Label, read_labels
from tenfold.judge.requirements import load_requirements, load_tasks
from tenfold.judge.types import Requirements
from tenfold.judge.workspace import Limits, Workspace

__all__ = ["ENGINE", "uploaded_labels", "uploaded_requirements", "uploaded_workspaces"]

ENGINE = "embedded engine (no language model)"
MAX_WORKSPACES, MAX_BYTES, MAX_TEXT, MAX_REQUIREMENTS = 4, 60 << 20, 100_000, 200
LIMITS = Limits(files=5_000, whole=20_000_000, unpacked=150_000_000)


def uploaded_workspaces(files: Sequence[str] | None) -> list[Workspace]:
    """The workspaces in uploaded archives, in memory.

    Raises:
        BadInput: there is none, too many, one is too large, or cannot be read.
    """
    if not files:
        raise BadInput("Upload a workspace.", "A zip or tar archive of the folder that the agent wrote in.")
    if len(files) > MAX_WORKSPACES:
        raise BadInput(f"The page takes at most {MAX_WORKSPACES} workspaces; there are {len(files)}.")
    for file in files:
        _check_size(file)
    return [_named(file, lambda file=file: Workspace.open(file, LIMITS)) for file in files]


def uploaded_requirements(file: str | None, text: str | None) -> dict[str, Requirements]:
    """The tasks in an uploaded file, or in a text (one requirement a line, or JSON). A text is never taken for a path.

    Raises:
        BadInput: there is neither, it is too long, or it holds no requirements.
    """
    if file:
        _check_size(file)
        found = _named(file, lambda: load_tasks(file))
    elif text and text.strip():
        if len(text) > MAX_TEXT:
            raise BadInput(f"The page takes texts of at most {MAX_TEXT:,} characters.")
        found = load_tasks(text) if text.lstrip()[0] in "{[" else _lines(text)
    else:
        raise BadInput("Say what was asked for.", "Upload requirements, or write them, one a line.")
    most = max(len(one) for one in found.values())
    if most > MAX_REQUIREMENTS:
        raise BadInput(f"The page takes at most {MAX_REQUIREMENTS} requirements; there are {most}.", "Use the command line.")
    return found


def uploaded_labels(file: str | None) -> list[Label]:
    """The rows of an uploaded labels file.

    Raises:
        BadInput: there is none, or it holds no labels.
    """
    if not file:
        raise BadInput("Upload labels.", "CSV with the columns task, requirement_id, human, and one for each judge.")
    _check_size(file)
    return _named(file, lambda: read_labels(file))


def _lines(text: str) -> dict[str, Requirements]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {"requirements": load_requirements(lines)}


def _check_size(file: str) -> None:
    path = Path(file)
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; the page takes at most {MAX_BYTES >> 20} MB.")


def _named(file: str, read: Any) -> Any:
    """What is read; errors name the file as its owner does, not by the server's path."""
    try:
        return read()
    except BadInput as error:
        name = Path(file).name
        raise BadInput(error.message.replace(file, name), error.hint.replace(file, name)) from error
