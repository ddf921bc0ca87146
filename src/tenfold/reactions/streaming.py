"""Files of any length through a model: constant memory, rows in order, and after a kill the same command goes on.

Rows are answered in chunks. A chunk's text is appended to OUT.part, and when it is on the disk a line of OUT.journal says
so: how many rows, a digest of them, and how long OUT.part is now. A new start cuts OUT.part to the last such length and
skips the rows that stand there, so nothing is lost and nothing repeated. At the end OUT.part becomes OUT.
"""

import contextlib
import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tenfold.core.console import say
from tenfold.core.errors import BadInput
from tenfold.core.files import append_line, cannot_write, make_folder, read_lines
from tenfold.core.parallel import cluster, parallel_map
from tenfold.core.progress import meter
from tenfold.reactions.model import Asked, Model, Prediction, load
from tenfold.reactions.tables import Row, header, write_rows, writing_form
from tenfold.reactions.tokens import tokenize

__all__ = ["CHUNK", "Streamed", "answered", "records", "stream"]

CHUNK = 2000
_NAMED_ERRORS = 20


@dataclass(frozen=True)
class Streamed:
    """What became of a file.

    Attributes:
        rows: read.
        failed: of them.
        resumed: rows that an earlier, stopped command had done.
        seconds: of this command.
        calls: of the decoder, repeated rows counted once a chunk.
        acceptance: share of tokens that needed no call of their own.
    """

    rows: int
    failed: int
    resumed: int
    seconds: float
    calls: int
    acceptance: float

    def sentence(self) -> str:
        """The result in words."""
        fresh = self.rows - self.resumed
        before = f", {self.resumed} of them before" if self.resumed else ""
        return (
            f"{self.rows} rows{before}, {self.failed} failed, {fresh / max(self.seconds, 1e-9):,.0f} rows/s, "
            f"{self.acceptance:.0%} accepted."
        )


class _Chunk(NamedTuple):
    """A chunk's answers: the text that is written, and the numbers that are summed."""

    text: str
    rows: int
    failed: int
    calls: int
    tokens: int
    errors: list[str]


class _Place(NamedTuple):
    """Where a worker loads the model from, and onto which device."""

    source: str
    device: str
    drafts: str

    @classmethod
    def of(cls, model: Model) -> "_Place":
        return cls(model.source, model.device, model.drafts)


def stream(
    rows: Iterable[Row],
    out: str | os.PathLike[str],
    model: Model,
    asked: Asked,
    *,
    batch_size: int = 64,
    workers: int = 1,
    engine: str = "local",
    chunk: int = CHUNK,
) -> Streamed:
    """Answer all rows of a file into another.

    Args:
        rows: of `tables.read_rows`, which know how far the file is read, for the time left; or any.
        out: .csv, .tsv or .jsonl, perhaps with .gz; replaced when all is done.
        model: what answers. With several workers each loads it again from where it came.
        asked: how.
        batch_size: queries at once.
        workers: processes.
        engine: "local" or "ray".
        chunk: rows that are kept in memory, sorted by length, and saved together.

    Raises:
        BadInput: an option is out of range, or OUT.part is another job's.
        TenfoldError: the output cannot be written.
    """
    asked.check(len(model.vocabulary), model.network.config.positions)
    for name, value in (("batch_size", batch_size), ("workers", workers), ("chunk", chunk)):
        if value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
    is_spread = workers > 1 or engine != "local"
    if is_spread and not model.source:
        raise BadInput("A model that was made in memory answers in one process.", "Write it to a folder and load that.")
    job = {"model": _digest(json.dumps(dict(model.card), default=str, sort_keys=True)), "chunk": chunk, **asdict(asked)}
    with _Output(Path(out), job) as output:
        left = output.skip(_chunks(rows, chunk))
        if output.rows:
            say(f"Going on after row {output.rows}, which {output.part.name} holds.")
        pace = _Pace(rows, output)
        if is_spread:
            answer = partial(_answer_elsewhere, _Place.of(model), asked, batch_size)
            _spread(answer, left, output, pace, workers, engine)
        else:
            with meter("Rows", None) as live:
                live.update(output.rows)
                for part in left:
                    output.add(part, _answer(model, asked, batch_size, part, output.form))
                    live.update(output.rows, pace.note(), pace.total())
        output.finish()
    return output.summary(pace.resumed, pace.seconds())


def answered(
    rows: Iterable[Row], model: Model, asked: Asked, batch_size: int = 64
) -> Iterator[tuple[list[tuple[Any, ...]], str]]:
    """The lines of each row, in order, and the reason why it failed or an empty text; a batch is held at a time.

    Raises:
        BadInput: an option is out of range.
    """
    if batch_size < 1:
        raise BadInput(f"batch_size is {batch_size}; it must be at least 1.")
    for part in _chunks(rows, batch_size):
        texts = [row.text for row in part if not row.error]
        found: Any = iter(model.answers(texts, asked, batch_size))
        for row in part:
            answers = BadInput(row.error) if row.error else next(found)
            yield records(row.text, answers), f"row {row.number}: {answers}" if isinstance(answers, BadInput) else ""


def records(text: str, answers: Sequence[Prediction] | BadInput) -> list[tuple[Any, ...]]:
    """A row's lines in the output, in the order of `tables.COLUMNS`; of a row that failed one line with the reason."""
    if isinstance(answers, BadInput):
        return [(text, None, "", None, None, False, None, None, str(answers))]
    lines = []
    for rank, one in enumerate(answers, 1):
        notes = [*one.notes, "truncated"] if one.truncated else one.notes
        numbers = (round(one.log_probability, 6), round(one.probability, 6))
        lines.append((text, rank, one.smiles, *numbers, one.valid, one.calls, round(one.milliseconds, 3), " ".join(notes)))
    return lines


def _answer(model: Model, asked: Asked, batch_size: int, rows: Sequence[Row], form: str) -> _Chunk:
    """Answer a chunk: each distinct text once."""
    texts = list(dict.fromkeys(row.text for row in rows if not row.error))
    found: dict[str, Any] = dict(zip(texts, model.answers(texts, asked, batch_size), strict=True))
    written = {text: write_rows(records(text, answers), form) for text, answers in found.items()}
    parts, errors = [], []
    for row in rows:
        bad = BadInput(row.error) if row.error else found[row.text]
        if isinstance(bad, BadInput):
            errors.append(f"row {row.number}: {bad}")
        parts.append(write_rows(records(row.text, bad), form) if row.error else written[row.text])
    good = [answers for answers in found.values() if answers and not isinstance(answers, BadInput)]
    tokens = sum(max(_tokens(one.smiles) for one in answers) for answers in good)
    calls = sum(answers[0].calls for answers in good)
    return _Chunk("".join(parts), len(rows), len(errors), calls, tokens, errors[:_NAMED_ERRORS])


def _answer_elsewhere(place: _Place, asked: Asked, batch_size: int, work: tuple[list[Row], str]) -> _Chunk:
    rows, form = work
    return _answer(_loaded(place), asked, batch_size, rows, form)


@lru_cache(maxsize=1)
def _loaded(place: _Place) -> Model:
    import torch

    torch.set_num_threads(1)
    return load(place.source, device=place.device, drafts=place.drafts or None)


def _spread(
    answer: Any, left: Iterator[list[Row]], output: "_Output", pace: "_Pace", workers: int, engine: str
) -> None:  # fmt: skip
    """Some chunks for each process at a time, so that no more are held than are being answered."""
    with cluster(engine):
        while wave := list(islice(left, 4 * workers)):
            title = f"Rows from {wave[0][0].number} ({pace.left()}, {pace.note()}), chunks"
            work = [(part, output.form) for part in wave]
            made = parallel_map(answer, work, engine=engine, workers=workers, title=title)
            for part, one in zip(wave, made, strict=True):
                output.add(part, one)


class _Pace:
    """How fast it goes, and how much is left by the share of the input that has been read."""

    def __init__(self, rows: Iterable[Row], output: "_Output") -> None:
        self.resumed = output.rows
        self._output, self._begun = output, time.monotonic()
        self._share: Any = getattr(rows, "share_read", lambda: None)

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def total(self) -> float | None:
        """How many rows the file probably has."""
        share = self._share()
        return None if not share else max(self._output.rows, round(self._output.rows / share))

    def rate(self) -> float:
        """Rows a second."""
        return (self._output.rows - self.resumed) / max(self.seconds(), 1e-9)

    def left(self) -> str:
        total, rate = self.total(), self.rate()
        if total is None or rate == 0:
            return "time left unknown"
        return f"{timedelta(seconds=round((total - self._output.rows) / rate))} left"

    def note(self) -> str:
        return f"{self.rate():,.0f} rows/s, {self._output.acceptance():.0%} accepted, {self._output.failed} failed"


class _Output:
    """OUT.part and OUT.journal, until they become OUT."""

    def __init__(self, out: Path, job: dict[str, Any]) -> None:
        self.out, self.form, self.job = out, writing_form(out), job
        self.part, self.journal = out.with_name(out.name + ".part"), out.with_name(out.name + ".journal")
        self.rows = self.failed = self.calls = self.tokens = self.named = 0
        self.bytes = 0

    def __enter__(self) -> "_Output":
        make_folder(self.out.absolute().parent)
        lines = list(read_lines(self.journal))
        if lines and lines[0].get("job") != self.job:
            hint = f"Repeat that command, or delete {self.part.name} and {self.journal.name}."
            raise BadInput(f"{self.part} was left by a command with another model or other options.", hint)
        self.done = [line for line in lines[1:] if {"rows", "digest", "bytes"} <= line.keys()]
        try:
            self.file: BinaryIO = self.part.open("r+b" if self.done and self.part.exists() else "wb")
            size = self.part.stat().st_size
            if self.done and size < self.done[-1]["bytes"]:
                raise BadInput(
                    f"{self.part} is shorter than its journal says.", f"Delete both to begin again: {self.journal}."
                )
            if not self.done:
                self.journal.unlink(missing_ok=True)
                append_line(self.journal, {"job": self.job})
                self.write(header(self.form))
        except OSError as error:
            raise cannot_write(self.part, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.file.close()
        if kind is not None and not self.done and not self.rows:  # nothing to go on from
            self.part.unlink(missing_ok=True)
            self.journal.unlink(missing_ok=True)

    def skip(self, chunks: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """Pass over the chunks that are done, after a look whether they are still the same."""
        for line in self.done:
            part = next(chunks, [])
            if _digest(part) != line["digest"]:
                hint = f"Delete {self.part.name} and {self.journal.name} to begin again."
                raise BadInput(f"The input is not the one that {self.part} was begun with (row {self.rows + 1}).", hint)
            self.count(line)
        if self.done:
            self.bytes = self.done[-1]["bytes"]
            self.file.truncate(self.bytes)
            self.file.seek(self.bytes)
        return chunks

    def add(self, rows: Sequence[Row], made: _Chunk) -> None:
        """Append a chunk, and note it when it is on the disk."""
        self.write(made.text)
        line = {**made._asdict(), "digest": _digest(rows), "bytes": self.bytes}
        del line["text"], line["errors"]
        append_line(self.journal, line)
        self.count(line)
        for words in made.errors[: _NAMED_ERRORS - self.named]:
            say(words)
            self.named += 1

    def write(self, text: str) -> None:
        content = text.encode()
        if self.out.name.lower().endswith(".gz") and content:
            content = gzip.compress(content, mtime=0)
        try:
            self.file.write(content)
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise cannot_write(self.part, error) from error
        self.bytes += len(content)

    def count(self, line: dict[str, Any]) -> None:
        for name in ("rows", "failed", "calls", "tokens"):
            setattr(self, name, getattr(self, name) + int(line.get(name, 0)))

    def finish(self) -> None:
        self.file.close()
        try:
            os.replace(self.part, self.out)
        except OSError as error:
            raise cannot_write(self.out, error) from error
        with contextlib.suppress(OSError):
            self.journal.unlink()

    def acceptance(self) -> float:
        return max(0.0, 1 - self.calls / self.tokens) if self.tokens else 0.0

    def summary(self, resumed: int, seconds: float) -> Streamed:
        return Streamed(self.rows, self.failed, resumed, seconds, self.calls, self.acceptance())


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while part := list(islice(rows, size)):
        yield part


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _tokens(smiles: str) -> int:
    try:
        return len(tokenize(smiles)) + 1
    except BadInput:
        return len(smiles) + 1
