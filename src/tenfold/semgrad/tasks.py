"""The five offline tasks: two leaves read the question, the answer node combines their hints. They differ in the coupling.

How a leaf's value bears on the answer: by itself (a sum), only together with the other one (both must be 0), by an operator
that each question names, or through the other one's value (looking up one hint in the other).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from tenfold.core.errors import BadInput
from tenfold.llm.engine.forms import Context, Kind
from tenfold.llm.engine.language import library, program
from tenfold.semgrad.datasets import rows_with
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.questions import generate

__all__ = ["STARTS", "TASKS", "TRAIN", "Task", "graph", "load", "start"]

TRAIN = 20
GENERATED = 250
STARTS = ("leaf", "all")
_COLUMNS = ("task", "input", "target")


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: also its family in `questions`.
        title: in words.
        coupling: how the leaves' values work together in the answer.
        right: an instruction for each node with which the rules engine answers every question.
        output_format: sentence at the end of the answer node's prompt.
        bbh: beginning of the names of its tasks in BIG-Bench Hard.
        asks: text that its questions in BIG-Bench Hard must hold.
    """

    name: str
    title: str
    coupling: str
    right: Mapping[str, str]
    output_format: str
    bbh: str
    asks: str = ""

    @cached_property
    def leaf_choices(self) -> tuple[str, ...]:
        """Instructions of one sentence that mean something for a leaf on these questions."""
        return tuple(text for text in _texts("leaf") if self._means(text, ()))

    @cached_property
    def combiner_choices(self) -> tuple[str, ...]:
        """Instructions of one sentence that mean something for the answer node, given right hints."""
        return tuple(text for text in _texts("combine") if self._means(text, ("first", "second")))

    def _means(self, text: str, hints: tuple[str, ...]) -> bool:
        for sample in generate(self.name, 10):
            context = Context(sample["question"])
            values = tuple(str(program(self.right[name]).run(context, ())) for name in hints)
            if program(text).run(context, values) is None:
                return False
        return True


TASKS = {
    task.name: task
    for task in (
        Task(
            "arithmetic",
            "Arithmetic in two brackets",
            "an operator that each question names",
            {
                "first": "Evaluate bracket 1, multiplying first.",
                "second": "Evaluate bracket 2, multiplying first.",
                "answer": "Combine the hints with the operator between the brackets.",
            },
            "The result is an integer.",
            "multistep_arithmetic_two",
        ),
        Task(
            "navigate",
            "Does a walk end where it began?",
            "and: both must be 0",
            {
                "first": "Walk the route obeying the turns and report the forward distance.",
                "second": "Walk the route obeying the turns and report the sideways distance.",
                "answer": "Answer Yes if all hints are 0, else No.",
            },
            "The result is Yes or No.",
            "navigate",
        ),
        Task(
            "counting",
            "Counting a list in two halves",
            "a sum",
            {
                "first": "Count the things in the first half of the list, with their quantities.",
                "second": "Count the things in the second half of the list, with their quantities.",
                "answer": "Add the hints.",
            },
            "The result is an integer.",
            "object_counting",
            "How many objects",
        ),
        Task(
            "tracking",
            "Who has what after swaps?",
            "composition: one hint is looked up in the other",
            {
                "first": "Follow the first half of the swaps and report who has what.",
                "second": "Trace the asked person back through the second half of the swaps and report the name.",
                "answer": "Report the option that hint 2 has in hint 1.",
            },
            "The result is the letter of an option, as (A).",
            "tracking_shuffled_objects",
        ),
        Task(
            "boolean",
            "Expressions of True and False",
            "an operator that each question names, where one value can hide the other",
            {
                "first": "Evaluate the part before the main operator, and before or.",
                "second": "Evaluate the part after the main operator, and before or.",
                "answer": "Combine the hints with the main operator.",
            },
            "The result is True or False.",
            "boolean_expressions",
        ),
    )
}


def graph(task: Task, instructions: Mapping[str, str]) -> Graph:
    """The task's graph: `first` and `second` see the question, `answer` sees the question and both hints.

    Args:
        task: the task.
        instructions: of each node.
    """
    made = Graph()
    first = made.node("first", instructions["first"], inputs=["question"])
    second = made.node("second", instructions["second"], inputs=["question"])
    made.node(
        "answer", instructions["answer"], inputs=["question", first, second], output=True, output_format=task.output_format
    )
    return made


def start(task: Task, kind: str = "leaf", seed: int = 0) -> dict[str, str]:
    """Random instructions to begin with: they mean something on these questions, and are mostly wrong.

    Args:
        task: the task.
        kind: "leaf" leaves the answer node right, "all" draws its instruction too.
        seed: of the draw.

    Raises:
        BadInput: another kind.
    """
    if kind not in STARTS:
        raise BadInput(f"The start {kind!r} is unknown.", f"There are: {', '.join(STARTS)}.")
    rng = random.Random(f"{task.name} {kind} {seed}")
    while True:
        made = {
            "first": rng.choice(task.leaf_choices),
            "second": rng.choice(task.leaf_choices),
            "answer": task.right["answer"],
        }
        if kind == "all":
            made["answer"] = rng.choice(task.combiner_choices)
        if made != task.right:
            return made


def load(task: Task, data: Path | None = None, seed: int = 0) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Questions to learn from (20) and to test on (all others). One shuffle, no question on both sides.

    Args:
        task: the task.
        data: a folder with `semgrad/bbh.jsonl.gz` or `bbh.jsonl.gz`, or that file: real questions of BIG-Bench Hard; None =
            250 generated ones.
        seed: of the shuffle and of generated questions.

    Returns:
        Training and test samples: dictionaries with `id`, `question` and `target`.

    Raises:
        BadInput: there is no such file, a line is no question, or there are too few.
    """
    rows = generate(task.name, GENERATED, seed) if data is None else _bbh(task, data)
    samples = [{"id": f"{task.name}/{place}", **row} for place, row in enumerate(rows)]
    if len(samples) <= TRAIN:
        raise BadInput(f"{data} holds {len(samples)} questions of {task.name}; {TRAIN + 1} are needed.")
    random.Random(f"{task.name} {seed}").shuffle(samples)
    return samples[:TRAIN], samples[TRAIN:]


def _bbh(task: Task, data: Path) -> list[dict[str, str]]:
    """The task's real questions, each once."""
    places = [data / "semgrad" / "bbh.jsonl.gz", data / "bbh.jsonl.gz", data]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        hint = "Name the folder of real data, or leave it out for generated questions."
        raise BadInput(f"{data} holds no bbh.jsonl.gz.", hint)
    found: dict[str, str] = {}
    for name, question, target in _rows(path, path.stat().st_mtime_ns):
        if name.startswith(task.bbh) and task.asks in question:
            found.setdefault(question, target)
    return [{"question": question, "target": target} for question, target in found.items()]


@lru_cache(maxsize=2)
def _rows(path: Path, _changed: int) -> tuple[tuple[str, str, str], ...]:
    """(task, question, target) of every line; many seeds read one file."""
    faults: list[str] = []
    rows = tuple((task, question, target) for _, _, (task, question, target) in rows_with(path, _COLUMNS, faults))
    if faults:
        raise BadInput(f"{path}: {faults[0]}.", f"Each line is a JSON object with {', '.join(_COLUMNS)}.")
    return rows


def _texts(kind: Kind) -> list[str]:
    return [step.text for step in library(kind)]
