"""Decoders side by side on held-out reactions, in one run, one thread, float32, with the same weights.

The paper's scheme keeps no key-value cache: every call decodes the whole prefix again, for every draft. Here it is our own
writing of it (`cache=False`), beside our cached decoding, our speculation, CTranslate2 and transformers (see
`reactions_peers.py`). Milliseconds of processor and of wall time a reaction, the fastest of the repeats; calls a reaction;
times faster than cached greedy, or than cached beam search; the share of answers that equal theirs.

What a reaction must cost at least, d wide, F inner, L decoder layers, V tokens: a call of the decoder reads
4 (L (6 d^2 + 2 d F) + d V) bytes of weights, and computes half as many FLOPs for each token that it verifies. For the small
preset (d = 192, F = 768, L = 3, V = 274) that is 6.4 MB, which the last level of the cache holds (0.25 ms at 25 GB/s), and
3.2 MFLOP a token (0.05 ms at 70 GFLOP/s); for the paper's shape (d = 256, F = 2048, L = 4) 23 MB and 12 MFLOP, about 1 ms
and 0.2 ms. So one verified token costs a fifth to a tenth of a call. A target of 41 tokens takes 42 calls without drafts and
6 to 8 with them. The encoder reads a query of 60 tokens once, 190 MFLOP or some 3 ms, as much as three calls: it bounds
what drafts can bring. What is measured above all that is the cost of launching some 100 small operators a call. At batch
size 32 the rows share weights and launches, and floating-point work counts.

A bar that the measured decoders allow to check is printed with its number. Times are of the processor.

    TENFOLD_DATA=... python benchmarks/reactions.py --model forward --json          # a few minutes
    TENFOLD_DATA=... python benchmarks/reactions.py --model retro --n 10 --rows 20
    TENFOLD_DATA=... python benchmarks/reactions.py --use                          # loading, one prediction, tokens, replay
    TENFOLD_DATA=... python benchmarks/reactions.py --model retro --n 10 --equality 500 --batch 1
"""

import argparse
import csv
import gzip
import json
import math
import os
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from reactions_bars import Bar, of_decoders, of_equality, of_use
from reactions_peers import Answers, CTranslate2, Transformers
from torch import nn

from tenfold import reactions
from tenfold.core.console import table
from tenfold.core.errors import BadInput
from tenfold.core.extras import is_installed
from tenfold.core.files import jsonable
from tenfold.core.progress import track
from tenfold.reactions.cached import CachedDecoder
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary
from tenfold.reactions.uncached import UncachedDecoder

LIMIT = 200
Decoder = Callable[[Sequence[Sequence[int]], int], tuple[Answers, float]]


class Timed(NamedTuple):
    """One decoder at one batch size: milliseconds and calls a reaction, and the share of answers equal to the baseline's."""

    decoder: str
    batch_size: int
    n: int
    processor: float
    wall: float
    calls: float
    ratio: float
    equal: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="forward", help="forward, retro, or a model's folder")
    parser.add_argument("--task", choices=("forward", "retro"), help="default: the model's name")
    parser.add_argument("--rows", type=int, default=64, help="held-out reactions")
    parser.add_argument("--batch", default="1,8,32", help="batch sizes")
    parser.add_argument("--n", type=int, default=1, help="answers: 1 is greedy, more are beams")
    parser.add_argument("--repeats", type=int, default=2, help="the fastest counts")
    parser.add_argument("--without", default="", help="decoders to leave out, by parts of their names, commas between")
    parser.add_argument("--use", action="store_true", help="instead: loading, one prediction, tokens, calls by replay")
    parser.add_argument("--equality", type=int, metavar="ROWS", help="instead: are all answers those of plain decoding?")
    parser.add_argument("--max-length", type=int, default=LIMIT, help="of the outputs that are compared")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model: Any = reactions.load(arguments.model, remember=0)
    task = arguments.task or model.task
    sizes = [int(size) for size in arguments.batch.split(",")]
    rows: list[Timed] = []
    if arguments.use:
        bars = of_use(model, arguments.model, task, held_out(task, 200, model.vocabulary))
    elif arguments.equality:
        texts = held_out(task, arguments.equality, model.vocabulary)
        bars = [of_equality(model, texts, arguments.n, arguments.max_length, size) for size in sizes]
    else:
        rows = decoders_side_by_side(model, task, sizes, arguments)
        bars = list(of_decoders(rows, task))
    if arguments.json:
        print(json.dumps(jsonable({"model": arguments.model, "rows": rows_of(rows), "bars": rows_of(bars)})))
    else:
        show(rows, bars)


def decoders_side_by_side(model: Any, task: str, sizes: Sequence[int], arguments: argparse.Namespace) -> list[Timed]:
    """Each decoder at each batch size."""
    queries = [model.vocabulary.encode(text) for text in held_out(task, arguments.rows, model.vocabulary)]
    left_out = [part for part in arguments.without.split(",") if part]
    with tempfile.TemporaryDirectory() as folder:
        decoders = dict(chosen(model, arguments.n, Path(folder), left_out))
        return [one for size in sizes for one in measure(decoders, queries, size, arguments.n, arguments.repeats)]


def rows_of(found: Sequence[Timed] | Sequence[Bar]) -> list[dict[str, Any]]:
    return [one._asdict() for one in found]


def show(rows: Sequence[Timed], bars: Sequence[Bar]) -> None:
    if rows:
        columns = ("decoder", "batch", "n", "ms CPU", "ms wall", "calls", "times faster", "equal")
        table(columns, [(*row[:3], *(f"{value:.3g}" for value in row[3:])) for row in rows])
    table(("bar", "wanted", "measured", "met"), [(one.what, one.wanted, f"{one.measured:.4g}", one.is_met) for one in bars])


def held_out(task: str, count: int, vocabulary: Vocabulary) -> list[str]:
    """Queries of test rows, evenly spread over the file, that have no token which the model does not know."""
    name = {"forward": "uspto_mit_test38k.tsv.gz", "retro": "uspto_50k_test.tsv.gz"}[task]
    with gzip.open(Path(os.environ["TENFOLD_DATA"]) / "reactions" / name, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = []
    for row in rows[:: max(1, len(rows) // (2 * count))]:
        parts = f"{row['reactants']}.{row.get('reagents') or ''}".split(".")
        query = row["product"] if task == "retro" else ".".join(sorted(part for part in parts if part))
        try:
            vocabulary.encode(query)
        except BadInput:
            continue
        found.append(query)
    return found[:count]


def chosen(model: Any, n: int, folder: Path, left_out: Sequence[str]) -> Iterator[tuple[str, Decoder]]:
    """The decoders by name; the first one is the baseline of ratios and of equality."""
    for name, options in (GREEDY if n == 1 else NBEST).items():
        if not any(part in name for part in left_out):
            yield name, ours(model, n, **options)
    if is_installed("ctranslate2") and "ctranslate2" not in left_out:
        for compute in ("float32", "int8"):
            engine = CTranslate2(model.network, model.vocabulary, folder / "ctranslate2", compute=compute)
            yield f"CTranslate2, {compute}", peer(engine, n)
    if is_installed("transformers") and "transformers" not in left_out and model.network.config.norm == "pre":
        engine = Transformers(model.network)
        yield "transformers", peer(engine, n)
        if n == 1:
            yield "transformers, prompt lookup of 10", peer(engine, n, lookup=10)


GREEDY: dict[str, dict[str, Any]] = {
    "cached greedy": {"decoding": "greedy"},
    "speculative": {"decoding": "speculative"},
    "cached windows, 23 of 10": {"decoding": "speculative-windows", "draft_count": 23, "draft_length": 10},
    "no cache, greedy": {"decoding": "greedy", "cache": False},
    "no cache, windows, 23 of 10": {
        "decoding": "speculative-windows", "draft_count": 23, "draft_length": 10, "cache": False,
    },
}  # fmt: skip
NBEST: dict[str, dict[str, Any]] = {
    "cached beam": {"decoding": "beam"},
    "exact": {"decoding": "exact"},
    "sbs": {"decoding": "sbs"},
    "no cache, beam": {"decoding": "beam", "cache": False},
}


def ours(model: Any, n: int, **options: Any) -> Decoder:
    """One of our decoders; the lossless ones with the model's own drafts."""
    drafter = model.drafter if options["decoding"] in ("speculative", "exact") else None
    network = CachedDecoder(model.network) if options.pop("cache", True) else UncachedDecoder(model.network)

    def decode(queries: Sequence[Sequence[int]], batch_size: int) -> tuple[Answers, float]:
        found: Answers = []
        calls = 0.0
        for start in range(0, len(queries), batch_size):
            batch = [torch.tensor([BOS, *query, EOS]) for query in queries[start : start + batch_size]]
            ids = nn.utils.rnn.pad_sequence(batch, batch_first=True, padding_value=PAD)
            made = reactions.decode(network, ids, n=n, max_length=LIMIT, **options, drafter=drafter)
            found += [[_answer(one) for one in (row if n > 1 else [row])] for row in made.ids]
            calls += made.calls
        return found, calls / len(queries)

    return decode


def peer(engine: Any, n: int, **options: Any) -> Decoder:
    """Another engine; it does not tell its calls."""

    def decode(queries: Sequence[Sequence[int]], batch_size: int) -> tuple[Answers, float]:
        return engine(queries, n, batch_size, LIMIT, **options), math.nan

    return decode


def measure(
    decoders: dict[str, Decoder], queries: Sequence[Sequence[int]], batch_size: int, n: int, repeats: int
) -> Iterator[Timed]:
    """Time each decoder on the same queries; repeats go round all decoders, so that a busy moment hits none alone."""
    usable = {name: decode for name, decode in decoders.items() if batch_size == 1 or "lookup" not in name}
    best: dict[str, tuple[float, float]] = dict.fromkeys(usable, (math.inf, math.inf))
    answers: dict[str, tuple[Answers, float]] = {}
    for decode in usable.values():
        decode(queries[:1], 1)
    for name in track(list(usable) * repeats, f"Batches of {batch_size}"):
        wall, processor = time.perf_counter(), time.process_time()
        answers[name] = usable[name](queries, batch_size)
        spent = time.process_time() - processor, time.perf_counter() - wall
        best[name] = min(best[name], spent)
    baseline = next(iter(usable))
    for name, (processor, wall) in best.items():
        found, calls = answers[name]
        equal = sum(a == b for a, b in zip(found, answers[baseline][0], strict=True)) / len(queries)
        per_row = 1e3 / len(queries)
        ratio = best[baseline][0] / processor
        yield Timed(name, batch_size, n, processor * per_row, wall * per_row, calls, ratio, equal)


def _answer(ids: Any) -> list[int]:
    numbers = [int(number) for number in ids if int(number) not in (BOS, PAD)]
    return numbers[: numbers.index(EOS)] if EOS in numbers else numbers


if __name__ == "__main__":
    main()
