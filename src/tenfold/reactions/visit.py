"""A visit to the page: what was asked and answered, call by call, the route so far, and files of a bounded length."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.files import write_atomic
from tenfold.core.keeping import Keeper
from tenfold.reactions.model import Asked, Model, Prediction, load
from tenfold.reactions.molecules import canonical
from tenfold.reactions.streaming import answered as answered_rows
from tenfold.reactions.tables import Row, header, read_rows, write_rows
from tenfold.reactions.verifying import Verified, verify

__all__ = ["DECODERS", "MAX_ROWS", "Answered", "Call", "FileDone", "FileStep", "Visit", "answer", "answer_file", "checked",
           "keep", "kept", "onward", "start"]  # fmt: skip

DECODERS = {
    "ours": ("speculative", "exact"),
    "plain": ("greedy", "beam"),
    "paper": ("speculative-windows", "sbs"),
}
"""Decodings by what the page calls them: for one answer, and for several."""

MAX_ANSWERS, MAX_ROWS, MAX_CHARACTERS = 20, 5000, 4 << 20
_NAMED_ERRORS, _BATCH = 20, 16

_visits: "Keeper[Visit]" = Keeper(200)
# One decoding at a time: visitors share the processor, and a file lets others in between its batches.
_decoding = threading.Lock()


class Call(NamedTuple):
    """What is known after a call of the decoder.

    Attributes:
        number: calls so far.
        tokens: of the best output so far.
        text: that output.
    """

    number: int
    tokens: int
    text: str


@dataclass(frozen=True)
class Answered:
    """A question and its answers.

    Attributes:
        query: canonical SMILES, as the model was given it.
        task: "forward" or "retro".
        asked: how.
        predictions: the best first.
        plain_calls: what plain decoding needs for the same answers: one call a token of the longest. None if it would give
            others.
        milliseconds: of wall time.
        is_calibrated: whether a probability says how likely the answer is right.
    """

    query: str
    task: str
    asked: Asked
    predictions: tuple[Prediction, ...]
    plain_calls: int | None
    milliseconds: float
    is_calibrated: bool

    @property
    def calls(self) -> int:
        """Of the decoder."""
        return self.predictions[0].calls

    @property
    def notes(self) -> tuple[str, ...]:
        """On the query."""
        return self.predictions[0].notes


@dataclass(frozen=True)
class Visit:
    """The newest answer and the way to it.

    Attributes:
        answered: the newest.
        root: the molecule that the route makes; empty after a prediction of products.
        route: the reactants that were chosen for a molecule.
    """

    answered: Answered
    root: str = ""
    route: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class FileStep(NamedTuple):
    """How far a file is: rows done, of how many, how many failed, and seconds."""

    done: int
    rows: int
    failed: int
    seconds: float


class FileDone(NamedTuple):
    """A file's answers.

    Attributes:
        path: of the table.
        step: the last one.
        errors: of the first rows that failed.
        lines: the first lines of the table, in the order of `tables.COLUMNS`.
    """

    path: Path
    step: FileStep
    errors: list[str]
    lines: list[tuple[Any, ...]]


def start(text: str, task: str, n: int, decoder: str, tell: Callable[[Call], None], *, strip_salts: bool = False) -> Visit:
    """Answer a new question.

    Raises:
        BadInput: see `answer`.
    """
    found = answer(text, task, _asked(n, decoder, strip_salts), tell)
    return Visit(found, found.query if task == "retro" else "")


def onward(visit: Visit, molecule: str, rank: int | None, n: int, decoder: str, tell: Callable[[Call], None]) -> Visit:
    """Break a molecule down, one of an answer's or of the route.

    Args:
        visit: the way so far.
        molecule: SMILES.
        rank: of the answer it was chosen from, from 0, which becomes part of the route; None: the route stays.
        n: answers wanted.
        decoder: one of `DECODERS`.
        tell: hears of each call.

    Raises:
        BadInput: there is no such answer, or see `answer`.
    """
    before, root, route = visit.answered, visit.root, dict(visit.route)
    if rank is not None and before.task == "retro":
        if not 0 <= rank < len(before.predictions):
            raise BadInput(f"There is no answer {rank + 1}.")
        chosen = before.predictions[rank].smiles.split(".")
        route[before.query] = tuple(map(canonical, chosen))
    found = answer(molecule, "retro", _asked(n, decoder, before.asked.strip_salts), tell)
    return Visit(found, root or found.query, route)


def answer(text: str, task: str, asked: Asked, tell: Callable[[Call], None] = lambda call: None) -> Answered:
    """Ask the model that ships for the task; `tell` hears of each of its calls as it is made.

    Raises:
        BadInput: the query cannot be used, an option is out of range, or no model ships.
    """
    model = _model(task)
    last: list[Any] = []

    def heard(query: str, so_far: Any) -> None:
        last[:] = [query, so_far]
        best = so_far.hypotheses[0].ids
        tell(Call(so_far.calls, len(best) - 1, model.vocabulary.decode(best)))

    with _decoding:
        begun = time.perf_counter()
        found = model.answers([text], asked, 1, heard)[0]
        milliseconds = (time.perf_counter() - begun) * 1000
    if isinstance(found, BadInput):
        raise found
    query, final = last
    tokens = max(len(one.ids) - 1 for one in final.hypotheses)
    plain_calls = None if asked.decoding == "sbs" else tokens
    return Answered(query, task, asked, tuple(found), plain_calls, milliseconds, model.calibration is not None)


def checked(answered: Answered) -> Verified:
    """The same question once more, both ways, one after the other."""
    with _decoding:
        return verify(_model(answered.task), [answered.query], n=answered.asked.n, max_length=answered.asked.max_length)


def answer_file(
    file: str | None, column: str, task: str, n: int, decoder: str, out: Path, tell: Callable[[FileStep], None]
) -> FileDone:
    """Answer every row of an uploaded file into a CSV table; a bad row is named in it and the others go on.

    Raises:
        BadInput: there is no file, it is too long for the page, it cannot be read, or an option is out of range.
    """
    rows, model, asked = _few_rows(file, column.strip() or None), _model(task), _asked(n, decoder, False)
    begun, failed = time.monotonic(), 0
    text, errors, first = [header("csv")], [], []
    found = answered_rows(rows, model, asked, _BATCH)
    step = FileStep(0, len(rows), 0, 0.0)
    for done, (lines, error) in enumerate(_taking_turns(found), 1):
        text.append(write_rows(lines, "csv"))
        if error:
            failed += 1
            errors.append(error)
        if len(first) < _NAMED_ERRORS:
            first += lines
        step = FileStep(done, len(rows), failed, time.monotonic() - begun)
        tell(step)
    return FileDone(write_atomic(out, "".join(text)), step, errors[:_NAMED_ERRORS], first[:_NAMED_ERRORS])


def keep(visit: Visit) -> str:
    """Remember a visit for a while; returns an unguessable word for it."""
    return _visits.keep(visit)


def kept(word: str | None) -> Visit:
    """The visit of a word.

    Raises:
        BadInput: nothing was asked, or it was forgotten.
    """
    found = _visits.find(word)
    if found is None:
        raise BadInput("Nothing is predicted yet, or it was too long ago.", "Press Predict.")
    return found


def _asked(n: float, decoder: str, strip_salts: bool) -> Asked:
    if decoder not in DECODERS:
        raise BadInput(f"decoder {decoder!r} is unknown.", f"Use one of {', '.join(DECODERS)}.")
    if not 1 <= n <= MAX_ANSWERS:
        raise BadInput(f"n is {n}; it must be from 1 to {MAX_ANSWERS}.")
    one, several = DECODERS[decoder]
    return Asked(one if n == 1 else several, int(n), strip_salts=strip_salts)


@lru_cache(maxsize=2)
def _model(task: str) -> Model:
    """A shipped model, warm. It remembers no answer, so that every call that is shown was made."""
    if task not in ("forward", "retro"):
        raise BadInput(f"The task {task!r} is unknown.", "Use forward or retro.")
    model = load(task, remember=0)
    model.predict("CCO", max_length=4)
    return model


def _few_rows(file: str | None, column: str | None) -> list[Row]:
    """The rows of a file that is short enough, named in errors as its owner named it."""
    if not file:
        raise BadInput("Upload a file.", "One SMILES a line (.smi), or a table (.csv, .tsv, .jsonl), or .rxn; also .gz.")
    rows: list[Row] = []
    characters = 0
    try:
        for row in islice(read_rows(file, column), MAX_ROWS + 1):
            rows.append(row)
            characters += len(row.text)
            if len(rows) > MAX_ROWS or characters > MAX_CHARACTERS:
                words = f"The page takes files of at most {MAX_ROWS:,} rows and {MAX_CHARACTERS >> 20} million characters."
                raise BadInput(words, "Use the command: tenfold reactions predict FILE -o OUT.csv")
    except BadInput as error:
        raise BadInput(error.message.replace(file, Path(file).name), error.hint) from error
    if not rows:
        raise BadInput(f"{Path(file).name} has no rows.")
    return rows


def _taking_turns(found: Iterator[Any]) -> Iterator[Any]:
    while True:
        with _decoding:
            item = next(found, None)
        if item is None:
            return
        yield item
