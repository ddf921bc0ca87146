"""Requirements, checked: ids are unique, prerequisites are known and form no cycle, every criterion has words."""

import difflib
import graphlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.judge.forms import Draft, Finding, read_drafts, read_values
from tenfold.judge.rubric import Rubric, is_rubric, read_rubric
from tenfold.judge.types import Requirement, Requirements

__all__ = ["Source", "errors_in", "load_requirements", "load_rubric", "load_tasks", "task_of"]

Source = str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | Requirements


def load_requirements(source: Source, *, task: str | None = None) -> Requirements:
    """Read the requirements of a task.

    Args:
        source: a file: DevAI JSON (one task, a list of tasks, or JSON lines), YAML, a PaperBench rubric tree, or plain text
            with one requirement a line (numbered from 0, as in DevAI; lines that begin with # are skipped); or such a text
            of several lines; or the values themselves: a task, a list of texts or of tables.
        task: the name of one where the source holds several; the beginning of its name is enough where it is unique.

    Raises:
        BadInput: unreadable (line and column), a requirement without criteria, double ids, unknown prerequisites, a cycle
            (printed), no requirement at all, several tasks and none named.
    """
    drafts = read_drafts(source)
    if not drafts:
        raise BadInput("There are no requirements: the source is empty.", "Write one a line, or a DevAI task.")
    if task is None and len(drafts) > 1:
        names = ", ".join(draft.name for draft in drafts[:3])
        raise BadInput(f"There are {len(drafts)} tasks, and none was named.", f"Name one, such as: {names}.")
    return _checked(drafts[0] if task is None else _named(drafts, task))


def load_tasks(source: Source) -> dict[str, Requirements]:
    """Read all tasks of a source, by name, in its order.

    Raises:
        BadInput: as `load_requirements`; two tasks have one name.
    """
    found: dict[str, Requirements] = {}
    for draft in read_drafts(source):
        if draft.name in found:
            raise BadInput(f"Two tasks are named {draft.name!r:.80}.", "Give each its own name.")
        found[draft.name] = _checked(draft)
    if not found:
        raise BadInput("There are no tasks: the source is empty.")
    return found


def task_of(tasks: Mapping[str, Requirements], workspace: str) -> Requirements:
    """The task that a workspace is of: the only one, or the one of its name.

    Raises:
        BadInput: there are several, and none has its name.
    """
    found = next(iter(tasks.values())) if len(tasks) == 1 else tasks.get(workspace)
    if found is None:
        raise BadInput(f"None of the {len(tasks)} tasks is named {workspace}.", f"There are, for example: {_some(tasks)}.")
    return found


def _some(tasks: Mapping[str, Requirements]) -> str:
    return ", ".join(list(tasks)[:3])


def load_rubric(path: str | os.PathLike[str]) -> Rubric:
    """Read a PaperBench rubric tree with its stored grades.

    Raises:
        BadInput: unreadable, or no such tree.
    """
    value = read_values(path)
    if not is_rubric(value):
        raise BadInput(f"{path} is no rubric tree.", "Its root is a table with requirements (a text) and sub_tasks.")
    return read_rubric(value, os.path.basename(path).split(".")[0])


def errors_in(draft: Draft) -> list[Finding]:
    """Everything for which a draft cannot be judged, in the order of the requirements; cycles are printed, at most ten."""
    if not draft.items:
        return [Finding("error", "", "empty", "There are 0 requirements.", "Write at least one.")]
    known = Counter(item.id for item in draft.items)
    doubles = [
        Finding("error", one, "double id", f"The id {one} stands {count} times.", "Give each requirement its own.")
        for one, count in known.items()
        if count > 1
    ]
    unknown = []
    for item in draft.items:
        for one in item.prerequisites:
            if one not in known:
                words = f"Requirement {item.id} needs {one!r:.60}, which is not there."
                unknown.append(Finding("error", item.id, "unknown prerequisite", words, _nearest(one, list(known))))
    return [*draft.findings, *doubles, *unknown, *_cycles(draft)]


def _checked(draft: Draft) -> Requirements:
    errors = errors_in(draft)
    if errors:
        more = f" ({len(errors) - 1} more: see `tenfold judge lint`)" if len(errors) > 1 else ""
        raise BadInput(f"{draft.name}: {errors[0].words}", f"{errors[0].hint}{more}")
    return Requirements(draft.name, tuple(_without_self(item) for item in draft.items), draft.query)


def _without_self(item: Requirement) -> Requirement:
    # Two requirements of DevAI name themselves; it changes no metric, but it is no edge of a DAG.
    if item.id not in item.prerequisites:
        return item
    return replace(item, prerequisites=tuple(one for one in item.prerequisites if one != item.id))


def _named(drafts: Sequence[Draft], task: str) -> Draft:
    found = [draft for draft in drafts if draft.name == task] or [one for one in drafts if one.name.startswith(task)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(f"{len(found)} tasks are named {task!r:.60} or begin so.", f"They are: {_list(found)}.")
    raise BadInput(f"There is no task {task!r:.60}.", _nearest(task, [draft.name for draft in drafts]))


def _list(drafts: Sequence[Draft]) -> str:
    return ", ".join(draft.name for draft in drafts[:5])


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."


def _cycles(draft: Draft) -> list[Finding]:
    known = {item.id for item in draft.items}
    needs = {item.id: {one for one in item.prerequisites if one in known and one != item.id} for item in draft.items}
    found: list[Finding] = []
    while len(found) < 10:
        try:
            graphlib.TopologicalSorter(needs).prepare()
            break
        except graphlib.CycleError as error:
            # Each is a prerequisite of the next; without one of its edges, the next cycle shows.
            circle: list[str] = error.args[1]
            words = f"Prerequisites form a cycle: {' -> '.join(circle)} (each is needed by the next)."
            found.append(Finding("error", circle[0], "cycle", words, "Remove one of these prerequisites."))
            needs[circle[1]].discard(circle[0])
    return found
