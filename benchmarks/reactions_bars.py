"""What the decoders of `reactions.py` must reach, beside what was measured."""

import gzip
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tenfold import reactions
from tenfold.reactions.corpus import mixed, read_reactions

__all__ = ["Bar", "of_decoders", "of_equality", "of_use"]


class Bar(NamedTuple):
    """A number that was measured, what was wanted of it, and whether it is so."""

    what: str
    wanted: str
    measured: float
    is_met: bool


class Timed(Protocol):
    """See `reactions.Timed`."""

    @property
    def decoder(self) -> str: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def processor(self) -> float: ...
    @property
    def calls(self) -> float: ...
    @property
    def equal(self) -> float: ...


# Task, batch size, faster decoder, slower decoder, how many times faster.
_SPEED = (
    ("forward", 1, "speculative", "cached greedy", 2.3),
    ("forward", 1, "speculative", "no cache, greedy", 6.0),
    ("forward", 1, "speculative", "no cache, windows, 23 of 10", 15.0),
    ("forward", 1, "speculative", "CTranslate2, float32", 1.0),
    ("forward", 32, "speculative", "cached greedy", 1.5),
    ("retro", 1, "speculative", "no cache, greedy", 3.0),
    ("retro", 1, "exact", "no cache, beam", 3.0),
    ("retro", 1, "exact", "cached beam", 1.0),
)


def of_decoders(rows: Sequence[Timed], task: str) -> Iterator[Bar]:
    """Bars on speed, calls and equality, as far as the decoders that they name were timed."""
    known = {(row.batch_size, row.decoder): row for row in rows}
    for of, size, fast, slow, least in _SPEED:
        if of == task and (size, fast) in known and (size, slow) in known:
            ratio = known[size, slow].processor / known[size, fast].processor
            yield Bar(f"B={size} n={known[size, fast].n}: {fast} / {slow}, speed", f">= {least:g}", ratio, ratio >= least)
    for (size, name), row in known.items():
        if name in ("speculative", "exact"):
            yield Bar(f"B={size} n={row.n}: {name} equal to plain", "1", row.equal, row.equal == 1)
        if name in ("exact", "sbs") and size == 1 and (1, "cached beam") in known and task == "retro" and row.n == 10:
            least, fewer = {"exact": 1.5, "sbs": 2.2}[name], known[1, "cached beam"].calls / row.calls
            yield Bar(f"B=1 n=10: {name}, times fewer calls than beam", f">= {least:g}", fewer, fewer >= least)


def of_equality(model: Any, texts: Sequence[str], n: int, max_length: int, batch_size: int) -> Bar:
    """How many answers are those of plain decoding; ties in float32 count as equal (see `reactions.verify`)."""
    found = reactions.verify(model, texts, n=n, max_length=max_length, batch_size=batch_size)
    for one in found.differences:
        print(f"row {one.row}, rank {one.rank}: {one.plain} and {one.fast}, gap {one.gap:.2g}", file=sys.stderr)
    limited = f", at most {max_length} tokens"
    what = f"B={batch_size} n={n}: {found.fast} equal to {found.plain}{limited}, {len(found.differences)} differ, of rows"
    return Bar(what, str(found.rows), found.rows - sum(one.gap >= 1e-5 for one in found.differences), found.is_equal)


def of_use(model: Any, name: str, task: str, texts: Sequence[str]) -> list[Bar]:
    """Loading, one prediction, tokens a second, and calls of the drafts alone (`reactions.replay`)."""
    milliseconds = _prediction(model, texts)
    seconds = _loading(name)
    rate = _tokens_per_second()
    bars = [
        Bar("one prediction, ms, median of 200 (first 5 left out)", "<= 60", milliseconds, milliseconds <= 60),
        Bar("import and load, s beyond `import torch`", "<= 1.5", seconds, seconds <= 1.5),
        Bar("tokens a second", ">= 1e6", rate, rate >= 1e6),
    ]
    return [*bars, *_replayed()] if task == "forward" else bars


def _prediction(model: Any, texts: Sequence[str]) -> float:
    times = []
    for text in [*texts[:5], *texts]:
        begun = time.perf_counter()
        model.predict(text)
        times.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(times[5:])


def _loading(name: str) -> float:
    """Processor time of a fresh Python, the best of three."""
    code = (
        "import time, sys, torch; begun = time.process_time(); from tenfold import reactions; "
        "reactions.load(sys.argv[1]); print(time.process_time() - begun)"
    )
    runs = [subprocess.run([sys.executable, "-c", code, name], capture_output=True, check=True) for _ in range(3)]
    return min(float(run.stdout) for run in runs)


def _tokens_per_second() -> float:
    with gzip.open(_test_rows(), "rt", encoding="utf-8") as file:
        texts = [line.split("\t")[0] for line in file][1:20_001]
    begun = time.process_time()
    count = sum(len(reactions.tokenize(text)) for text in texts)
    return count / (time.process_time() - begun)


def _replayed() -> Iterator[Bar]:
    rows = list(read_reactions(_test_rows()))
    rows = rows[:: len(rows) // 2000][:2000]
    sources, targets = [mixed(row) for row in rows], [row.product for row in rows]
    found = reactions.replay(sources, targets, drafts=4)
    yield Bar("replay, 3 copies and 1 of n-grams: calls", "<= 7.3", found.calls, found.calls <= 7.3)
    yield Bar("replay, tokens a call", "<= 65", found.tokens_per_call, found.tokens_per_call <= 65)
    for length, known in ((10, 10.5), (17, 9.4)):
        calls = reactions.replay(sources, targets, "speculative-windows", draft_count=23, draft_length=length).calls
        yield Bar(f"replay, windows, 23 of {length}: calls", f"{known} +- 3 %", calls, abs(calls / known - 1) <= 0.03)


def _test_rows() -> Path:
    return Path(os.environ["TENFOLD_DATA"]) / "reactions" / "uspto_mit_test38k.tsv.gz"
