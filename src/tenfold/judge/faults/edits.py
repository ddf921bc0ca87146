"""Faults written by hand for a task: words of a file replaced by others, and artefacts that then would not be there.

The kinds are names of what goes wrong; all are done the same way, so that a table can be read without running anything.
"""

from collections.abc import Sequence

from tenfold.core.errors import BadInput
from tenfold.judge.faults.reference import Files

__all__ = ["KINDS", "edited"]

KINDS = {
    "library-swapped": "another library does what a named one should do",
    "method-replaced": "another method stands in the place of the one that was asked for",
    "import-unused": "the named library or method is imported, and something else is done",
    "hard-coded-metrics": "numbers stand in the program instead of being computed",
    "made-up-data": "random numbers in the place of the named data",
    "random-labels": "labels are drawn at random",
    "no-split": "evaluated on the data of the training",
    "metric-dropped": "a metric that was asked for is neither computed nor reported",
    "not-saved": "drawn or fitted, but never written; the artefact is not there",
    "parameters-ignored": "a parameter is accepted and has no effect",
    "step-skipped": "a step of the processing is left out",
    "feature-removed": "a feature of an interface is taken out",
}


def edited(files: Files, path: str, changes: Sequence[Sequence[str]], gone: Sequence[str], whole: str) -> Files:
    """Replace words of a file, each once, or all of it, and take away artefacts.

    Args:
        files: the workspace.
        path: of the file.
        changes: pairs (old, new).
        gone: files that this program would not have written.
        whole: what the file holds instead of all it held; empty = it keeps what `changes` leaves.

    Raises:
        BadInput: the file does not hold the old words.
    """
    text = whole or files[path].decode()
    for old, new in changes:
        if old not in text:
            raise BadInput(f"{path} does not hold {old!r}.")
        text = text.replace(old, new, 1)
    return {**{name: content for name, content in files.items() if name not in gone}, path: text.encode()}
