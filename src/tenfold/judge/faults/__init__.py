"""The seeded-fault suite: workspaces that really ran, faults put into them by rule, and the labels that follow.

Fourteen tasks in DevAI's form, each with a workspace that we wrote and ran once (`suite/`). A fault is a pure function of
a workspace's files; a small table of the task says which requirements it makes false. Edits that change no label (new
names, other layout, more comments) are in it too: a judge must not move. `tenfold.judge.bench` measures any judge on it.

The rule of the labels: a requirement is true if what it names stands in the workspace and is sound, by itself. An artefact
that the reference run wrote stays true when the code that wrote it is damaged afterwards, unless the fault takes the
artefact away. Where a rule cannot tell, the requirement has no label.

| file | holds |
|---|---|
| `reference.py` | `ReferenceTask`, `tasks`, `pack`: the tasks and their workspaces |
| `wholes.py`, `artefacts.py`, `code.py`, `edits.py` | fault operators: any file; pictures, models; code; words of a table |
| `keeping.py` | edits that change no label |
| `table.py` | which faults a task has, and what each makes false |
| `cases.py` | `generate`, `ladders`: cases of one split, made lazily |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.judge.faults.cases import Case, Ladder, generate, ladders
    from tenfold.judge.faults.reference import ReferenceTask, pack, tasks
    from tenfold.judge.faults.table import OPERATORS, Fault, faults_of

_HOME = {
    "OPERATORS": "table",
    "Case": "cases",
    "Fault": "table",
    "Ladder": "cases",
    "ReferenceTask": "reference",
    "faults_of": "table",
    "generate": "cases",
    "ladders": "cases",
    "pack": "reference",
    "tasks": "reference",
}

__all__ = ["OPERATORS", "Case", "Fault", "Ladder", "ReferenceTask", "faults_of", "generate", "ladders", "pack", "tasks"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tenfold.judge.faults.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
