"""Published questions as samples of a graph: BIG-Bench Hard, GSM8K, LIAR, and the user's own files.

A sample is a dictionary with `id`, `target` and the query variables of its graph. Splits are one shuffle, cut once, so
that training and test questions are disjoint by construction (two shuffles would overlap); copies of a question stay on
one side. Rows that cannot be used are named by row and column in `Split.skipped`; the others go on.

BIG-Bench Hard: Suzgun et al. 2022, arXiv 2210.09261 (MIT; its canary asks to keep it out of training corpora).
GSM8K: Cobbe et al. 2021, arXiv 2110.14168 (MIT). LIAR: Wang 2017, arXiv 1705.00648 (research use only, never bundled).
"""

import csv
import gzip
import io
import json
import math
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.data import locate
from tenfold.core.errors import BadInput

__all__ = ["BBH", "LIAR_FIELDS", "BbhTask", "Split", "bbh", "gsm8k", "liar", "own_questions", "rows_with", "split_once"]

Sample = dict[str, str]
LIMIT = 64 << 20


class BbhTask(NamedTuple):
    """A task of BIG-Bench Hard: its group in the paper (NLP or algorithmic), and the form of its answers in words."""

    group: str
    answers: str


class Split(NamedTuple):
    """Samples to learn from, samples to test on, and what was left out and why ("row 7, column label: ...")."""

    train: list[Sample]
    test: list[Sample]
    skipped: tuple[str, ...] = ()


_OPTION = "The result is the letter of the right option in parentheses, such as (A)."
_YES_NO = "The result is Yes or No."
_INTEGER = "The result is an integer in digits."
BBH: dict[str, BbhTask] = {
    "boolean_expressions": BbhTask("algorithmic", "The result is True or False."),
    "causal_judgement": BbhTask("NLP", _YES_NO),
    "date_understanding": BbhTask("NLP", _OPTION),
    "disambiguation_qa": BbhTask("NLP", _OPTION),
    "dyck_languages": BbhTask("algorithmic", "The result is the missing closing brackets in order, separated by spaces."),
    "formal_fallacies": BbhTask("NLP", "The result is valid or invalid."),
    "geometric_shapes": BbhTask("algorithmic", _OPTION),
    "hyperbaton": BbhTask("NLP", _OPTION),
    "logical_deduction_five_objects": BbhTask("algorithmic", _OPTION),
    "logical_deduction_seven_objects": BbhTask("algorithmic", _OPTION),
    "logical_deduction_three_objects": BbhTask("algorithmic", _OPTION),
    "movie_recommendation": BbhTask("NLP", _OPTION),
    "multistep_arithmetic_two": BbhTask("algorithmic", _INTEGER),
    "navigate": BbhTask("algorithmic", _YES_NO),
    "object_counting": BbhTask("algorithmic", _INTEGER),
    "penguins_in_a_table": BbhTask("NLP", _OPTION),
    "reasoning_about_colored_objects": BbhTask("NLP", _OPTION),
    "ruin_names": BbhTask("NLP", _OPTION),
    "salient_translation_error_detection": BbhTask("NLP", _OPTION),
    "snarks": BbhTask("NLP", _OPTION),
    "sports_understanding": BbhTask("NLP", "The result is yes or no."),
    "temporal_sequences": BbhTask("algorithmic", _OPTION),
    "tracking_shuffled_objects_five_objects": BbhTask("algorithmic", _OPTION),
    "tracking_shuffled_objects_seven_objects": BbhTask("algorithmic", _OPTION),
    "tracking_shuffled_objects_three_objects": BbhTask("algorithmic", _OPTION),
    "web_of_lies": BbhTask("algorithmic", _YES_NO),
    "word_sorting": BbhTask("algorithmic", "The result is the words in order, separated by spaces."),
}

# Query variable -> column of the published table; `source` is where the statement was made, as in earlier prompts on LIAR.
LIAR_FIELDS = {"statement": 2, "job_title": 5, "state": 6, "party": 7, "source": 13}
_LIAR_TARGETS = {"false": "Yes", "true": "No"}
_LIAR_LABELS = ("pants-fire", "false", "barely-true", "half-true", "mostly-true", "true")
_LIAR_COLUMNS = 14


def bbh(task: str, data: Path | None = None, *, train: int = 20, seed: int = 0) -> Split:
    """A task of BIG-Bench Hard: `train` questions to learn from, all others to test on (20 and 230 in the paper).

    Args:
        task: one of `BBH`.
        data: JSON lines {task, index, input, target} (.gz or not), or the published folder of TASK.json files; None =
            the data set `semgrad/bbh`.
        train: training questions.
        seed: of the shuffle.

    Raises:
        BadInput: unknown task, unreadable file, too few questions.
        DataMissing: `data` is None and the data set is not here.
    """
    if task not in BBH:
        raise BadInput(f"BIG-Bench Hard has no task {task!r}.", f"It has: {', '.join(BBH)}.")
    path = data or locate("semgrad/bbh.jsonl.gz")
    skipped: list[str] = []
    if path.is_dir():
        rows = _published_bbh(path / f"{task}.json")
    else:
        rows = ((n, row) for n, row in _json_rows(path, skipped) if row.get("task") == task)
    samples = []
    for number, row, (question, target) in _usable(rows, ("input", "target"), skipped):
        samples.append({"id": f"{task}/{row.get('index', number - 1)}", "question": question, "target": target})
    return _checked(split_once(samples, train, seed), path, skipped, train)


def gsm8k(data: Path | None = None, *, train: int = 128, seed: int = 0) -> Split:
    """GSM8K: `train` shuffled questions of its training file, all questions of its test file (128 and 1,319 in the paper).

    The target is the number after "####", without thousands separators.

    Args:
        data: a folder with train.jsonl and test.jsonl (or .jsonl.gz), or one file that is split; None = the data set
            `semgrad/gsm8k`.
        train: training questions.
        seed: of the shuffle.

    Raises:
        BadInput: unreadable file, too few questions.
        DataMissing: `data` is None and the data set is not here.
    """
    skipped: list[str] = []
    if data is not None and not data.is_dir():
        return _checked(split_once(_gsm8k_rows(data, skipped), train, seed), data, skipped, train)
    folder = data or locate("semgrad/gsm8k_train.jsonl.gz").parent
    if data is None:
        locate("semgrad/gsm8k_test.jsonl.gz")
    learn, test = (_gsm8k_rows(_one_of(folder, part), skipped) for part in ("train", "test"))
    kept = split_once(learn, train, seed).train
    known = {_content(sample) for sample in kept}
    return _checked(Split(kept, [row for row in test if _content(row) not in known]), folder, skipped, train)


def liar(data: Path, *, train: int = 50, seed: int = 0) -> Split:
    """LIAR as the paper uses it: statements labelled false (target "Yes", a lie) or true (target "No").

    Rows of the four other labels are not part of the task; rows with an empty or "none" field are dropped, without
    being named. Quotes are text (csv.QUOTE_NONE): with quoting 29 of the 10,269 training rows would vanish in others.

    Args:
        data: the published train.tsv or valid.tsv (.gz or not): 14 tab-separated columns, no header. Research use only.
        train: training samples; all others are the test.
        seed: of the shuffle.

    Raises:
        BadInput: unreadable file, too few statements.
    """
    skipped: list[str] = []
    samples = []
    reader = csv.reader(io.StringIO(_read(data), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(reader, start=1):
        if len(row) != _LIAR_COLUMNS:
            skipped.append(f"row {number}: {len(row)} columns, not {_LIAR_COLUMNS}")
        elif row[1] not in _LIAR_LABELS:
            skipped.append(f"row {number}, column 2 (label): {row[1][:40]!r} is no label")
        elif row[1] in _LIAR_TARGETS:
            fields = {name: row[column].strip() for name, column in LIAR_FIELDS.items()}
            if not any(text.lower() in ("", "none") for text in fields.values()):
                samples.append({"id": row[0], **fields, "target": _LIAR_TARGETS[row[1]]})
    return _checked(split_once(samples, train, seed), data, skipped, train)


def own_questions(data: Path, *, train: int = 20, seed: int = 0) -> Split:
    """The user's own questions: rows with `question` (or `input`) and `target`, optionally `id`, in JSON lines or CSV.

    Here no row is left out: one that cannot be used is a mistake.

    Raises:
        BadInput: unreadable file, a row that cannot be used (row and column are named), too few questions.
    """
    from tenfold.semgrad.config import read_rows

    faults: list[str] = []
    samples = []
    for number, row in enumerate(read_rows(data), start=1):
        name = "input" if "question" not in row and "input" in row else "question"
        texts = _texts(row, (name, "target"), number, faults)
        if texts:
            samples.append({"id": str(row.get("id", f"row {number}")), "question": texts[0], "target": texts[1]})
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise BadInput(f"{data}: {'; '.join(faults[:3])}{more}.", "Each row is a question with its target.")
    return _checked(split_once(samples, train, seed), data, [], train)


def rows_with(path: Path, names: Sequence[str], skipped: list[str]) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
    """(number, row, texts) of JSON lines (.gz or not) with a text in each named column; why others lack it in `skipped`.

    Raises:
        BadInput: the file cannot be read.
    """
    return _usable(_json_rows(path, skipped), names, skipped)


def split_once(samples: Sequence[Sample], train: int, seed: int) -> Split:
    """One shuffle, cut once: the first `train` different samples, and all others that are no copy of one of these."""
    order = list(samples)
    random.Random(seed).shuffle(order)
    learn: list[Sample] = []
    known: set[tuple[str, ...]] = set()
    for sample in order:
        if len(learn) < train and _content(sample) not in known:
            learn.append(sample)
            known.add(_content(sample))
    test = [sample for sample in order if _content(sample) not in known]
    assert not {_content(sample) for sample in test} & known
    return Split(learn, test)


def _content(sample: Sample) -> tuple[str, ...]:
    return tuple(" ".join(text.split()) for name, text in sorted(sample.items()) if name not in ("id", "target"))


def _gsm8k_rows(path: Path, skipped: list[str]) -> list[Sample]:
    samples = []
    for number, _, (question, answer) in rows_with(path, ("question", "answer"), skipped):
        found = re.search(r"####\s*(-?[\d,]*\.?\d+)\s*$", answer)
        if found:
            samples.append({"id": f"{path.name}/{number}", "question": question, "target": found[1].replace(",", "")})
        else:
            skipped.append(f'row {number}, column answer: no number after "####" at its end')
    return samples


def _published_bbh(path: Path) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        rows = json.loads(_read(path))["examples"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not a published task file.", "It must be JSON with a list `examples`.") from error
    return [(number, row if isinstance(row, Mapping) else {}) for number, row in enumerate(rows, start=1)]


def _one_of(folder: Path, part: str) -> Path:
    names = [f"{start}{part}.jsonl{end}" for start in ("", "gsm8k_") for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{folder} has no {names[0]}.", f"It must hold one of: {', '.join(names)}.")


def _json_rows(path: Path, skipped: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield number, row
        else:
            skipped.append(f"row {number}: not a JSON object")


def _usable(
    rows: Iterable[tuple[int, Mapping[str, Any]]], names: Sequence[str], skipped: list[str]
) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
    for number, row in rows:
        texts = _texts(row, names, number, skipped)
        if texts:
            yield number, row, texts


def _texts(row: Mapping[str, Any], names: Iterable[str], number: int, skipped: list[str]) -> list[str]:
    """The texts in the named columns; empty, with the reason in `skipped`, if one cannot be used."""
    found = []
    for name in names:
        value = row.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            reason = "missing" if value is None else f"{str(value)[:40]!r} is no text"
            skipped.append(f"row {number}, column {name}: {reason}")
            return []
        found.append(value.strip())
    return found


def _read(path: Path) -> str:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            found = file.read(LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if len(found) > LIMIT:
        raise BadInput(f"{path} holds more than {LIMIT >> 20} MiB.", "Give a part of it.")
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = found[: error.start].count(b"\n") + 1
        raise BadInput(f"{path} is not UTF-8 text: row {row} is not.", "Save it as UTF-8.") from error


def _checked(split: Split, path: Path, skipped: list[str], train: int) -> Split:
    if len(split.train) < train or not split.test:
        found = len(split.train) + len(split.test)
        reason = f" Left out: {'; '.join(skipped[:3])}{', ...' if len(skipped) > 3 else ''}." if skipped else ""
        message = f"{path} holds {found} usable questions; {train} to learn from and one to test on are needed.{reason}"
        raise BadInput(message)
    return split._replace(skipped=tuple(skipped))
