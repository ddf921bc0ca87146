"""Cases of the suite: a workspace with no, one, two or more faults, or with an edit that changes nothing, and its labels."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from tenfold.core.errors import BadInput
from tenfold.judge.faults.keeping import KEEPING, moved_to_helper
from tenfold.judge.faults.reference import Files, ReferenceTask, Split, tasks
from tenfold.judge.faults.table import WIPES, Fault, faults_of
from tenfold.judge.types import Requirements

__all__ = ["Case", "Kind", "Ladder", "draws", "generate", "ladders"]

Kind = Literal["reference", "single", "pair", "keeping", "kept fault", "several"]
_KINDS = ("reference", "single", "pair", "keeping", "kept fault")
HELPER = "helper-module"
PAIRS, KEPT_FAULTS = 24, 12
_PROGRAMS = (".py", ".js", ".mjs", ".ipynb")


@dataclass(frozen=True)
class Case:
    """One workspace to judge. Small: the files are made when they are asked for.

    Attributes:
        task: name of the task.
        kind: reference (no fault), single, pair, keeping (an edit that changes no label), kept fault (both), several.
        faults: in the order in which they are put in.
        keeping: name of the edit that changes no label, or empty.
    """

    task: str
    kind: Kind
    faults: tuple[Fault, ...] = ()
    keeping: str = ""

    @property
    def reference(self) -> ReferenceTask:
        """The task that this is a case of."""
        return _by_name()[self.task]

    @property
    def requirements(self) -> Requirements:
        """What is asked for."""
        return self.reference.requirements

    @property
    def labels(self) -> dict[str, bool]:
        """Truth by id of requirement; one whose truth the rule cannot tell is absent."""
        false = frozenset[str]().union(*(fault.breaks for fault in self.faults))
        if self._no_program_left():
            return dict.fromkeys(sorted(false, key=int), False)
        unclear = frozenset[str]().union(*(fault.unclear for fault in self.faults)) - false
        return {item.id: item.id not in false for item in self.requirements if item.id not in unclear}

    def _no_program_left(self) -> bool:
        """Whether nothing is left that could have made what lies there; then only what is false has a label."""
        programs = [path for path, content in self.reference.files.items() if path.endswith(_PROGRAMS) and content]
        gone = [fault.path for fault in self.faults if fault.operator in WIPES]
        return all(any(path == one or path.startswith(f"{one}/") for one in gone) for path in programs)

    @property
    def name(self) -> str:
        """What was done, e.g. "digits_svm: truncated models/digits_svm.joblib"."""
        done = [f"{fault.operator} {fault.path}" for fault in self.faults] + [self.keeping] * bool(self.keeping)
        return f"{self.task}: {' + '.join(done) or 'as it ran'}"

    def files(self) -> Files:
        """The workspace: content by relative path."""
        files: Files = self.reference.files
        if self.keeping:
            files = _kept(self.reference, self.keeping)
        for fault in self.faults:
            files = fault.apply(files)
        return files

    def write(self, folder: Path) -> Path:
        """Write the workspace as a folder of the task's name in `folder`, and return it."""
        root = folder / self.task
        for path, content in self.files().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root


@dataclass(frozen=True)
class Ladder:
    """Faults of one task, no two of which make the same requirement false or change the same file: rungs of 0 to n."""

    task: str
    faults: tuple[Fault, ...]

    def rung(self, count: int) -> Case:
        """The workspace with the first `count` faults."""
        return Case(self.task, "several", self.faults[:count])


def generate(
    split: Split | None = None, *, seed: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
) -> Iterator[Case]:
    """The cases of a split, by turns of its tasks; the same for the same seed.

    For each task: the workspace as it ran, every single fault, 24 pairs, every edit that changes no label, and 12 faults
    put into an edited workspace.

    Args:
        split: "tune", "held-out", or None for both.
        seed: of pairs and of the order.
        limit: at most so many cases.
        kinds: only cases of these kinds; None = all.

    Raises:
        BadInput: unknown split or kind, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"The limit is {limit}; it must be at least 1.")
    unknown = [kind for kind in kinds or () if kind not in _KINDS]
    if unknown:
        raise BadInput(f"There are no cases of kind {unknown[0]!r}.", f"There are: {', '.join(_KINDS)}.")
    columns = [_cases_of(task, random.Random(f"{seed} {task.name}")) for task in tasks(split)]
    turns = [
        case for row in zip_longest(*columns) for case in row if case is not None and (kinds is None or case.kind in kinds)
    ]
    yield from turns[:limit]


def ladders(split: Split | None = None, *, seed: int = 0, count: int = 4, rungs: int = 6) -> tuple[Ladder, ...]:
    """For each task `count` ladders of up to `rungs` faults, drawn by seed."""
    made = []
    for task in tasks(split):
        for number in range(count):
            rng = random.Random(f"{seed} {number} {task.name}")
            made.append(Ladder(task.name, _apart(rng, _narrow_first(rng, faults_of(task)), rungs)))
    return tuple(made)


def draws(task: ReferenceTask, *, seed: int, count: int = 8, most: int = 6) -> tuple[Case, ...]:
    """`count` workspaces of a task with 0 to `most` faults each, as if as many agents had tried."""
    rng = random.Random(f"{seed} draws {task.name}")
    made = []
    for _ in range(count):
        faults = list(faults_of(task))
        rng.shuffle(faults)
        made.append(Case(task.name, "several", _apart(rng, faults, rng.randint(0, most), alone=False)))
    return tuple(made)


def _cases_of(task: ReferenceTask, rng: random.Random) -> list[Case]:
    faults = faults_of(task)
    made = [Case(task.name, "single", (fault,)) for fault in faults]
    made += [Case(task.name, "keeping", (), name) for name in _edits_that_change(task.name)]
    made += [Case(task.name, "pair", pair) for pair in _pairs(faults, rng)]
    alone = [fault for fault in faults if fault.operator not in ("stub", "unreachable") and not fault.arguments]
    names = [name for name in _edits_that_change(task.name) if name != HELPER]
    made += [Case(task.name, "kept fault", (rng.choice(alone),), rng.choice(names)) for _ in range(KEPT_FAULTS)]
    rng.shuffle(made)
    return [Case(task.name, "reference"), *made]


def _pairs(faults: Sequence[Fault], rng: random.Random) -> Iterator[tuple[Fault, Fault]]:
    found = 0
    while found < PAIRS:
        first, second = rng.sample(faults, 2)
        if not first.meets(second):
            found += 1
            yield first, second


def _narrow_first(rng: random.Random, faults: Sequence[Fault]) -> list[Fault]:
    """In random order, those that break one requirement before those that break many, so that ladders get long."""
    return sorted(rng.sample(faults, len(faults)), key=lambda fault: len(fault.breaks))


def _apart(rng: random.Random, faults: Sequence[Fault], count: int, *, alone: bool = True) -> tuple[Fault, ...]:
    """The first faults that change different files and, if `alone`, make different requirements false; shuffled."""
    found: list[Fault] = []
    for fault in faults:
        if len(found) == count:
            break
        if not any(fault.meets(other) or (alone and fault.breaks & other.breaks) for other in found):
            found.append(fault)
    rng.shuffle(found)
    return tuple(found)


@cache
def _by_name() -> dict[str, ReferenceTask]:
    return {task.name: task for task in tasks()}


@cache
def _edits_that_change(name: str) -> tuple[str, ...]:
    task = _by_name()[name]
    names = [*KEEPING, *([HELPER] if "helper" in task.table else [])]
    return tuple(one for one in names if list(_kept(task, one).items()) != list(task.files.items()))


def _kept(task: ReferenceTask, name: str) -> Files:
    return moved_to_helper(task.files, *task.table["helper"]) if name == HELPER else KEEPING[name](task.files)
