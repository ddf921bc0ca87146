"""Decoders side by side on the same queries: their answers, their calls of the network, their time.

Each batch is asked on its own and timed on its own, so that any two decoders can be compared batch by batch: the interval of
a ratio comes from the batches (with one query at a time, the queries) that both of them did.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Interval
from tenfold.core.runs import Run
from tenfold.reactions.model import Asked, Model
from tenfold.reactions.tokens import tokenize

__all__ = ["Batch", "Made", "Trial", "ratio", "saved_share", "share", "trial"]

_RESAMPLES = 2000


class Made(NamedTuple):
    """One answer of a decoder; fields as of `Prediction`."""

    smiles: str
    log_probability: float
    calls: int
    truncated: bool


class Batch(NamedTuple):
    """Queries that were decoded together.

    Attributes:
        answers: to each query, the best first.
        seconds: of the processor, for all of them.
        wall: seconds of wall time.
    """

    answers: list[list[Made]]
    seconds: float
    wall: float


class Trial(NamedTuple):
    """What one decoder did."""

    batches: list[Batch]

    @property
    def answers(self) -> list[list[Made]]:
        """To each query, in order."""
        return [answers for batch in self.batches for answers in batch.answers]

    def seconds(self, *, wall: bool = False) -> list[float]:
        """Of each batch, a query: of the processor, or of wall time."""
        return [(batch.wall if wall else batch.seconds) / len(batch.answers) for batch in self.batches]


def trial(
    model: Model,
    texts: Sequence[str],
    asked: Asked,
    batch_size: int = 1,
    *,
    folder: str | os.PathLike[str] | None = None,
) -> Trial:
    """Decode queries and keep what it took. One query is decoded before, which is not counted.

    Args:
        model: must not remember answers (`load(..., remember=0)`).
        texts: queries.
        asked: how.
        batch_size: queries at once.
        folder: keeps each batch as soon as it is done; the same call goes on behind the last one.

    Raises:
        BadInput: a query cannot be used, or the folder is another run's.
    """
    parts = [list(texts[start : start + batch_size]) for start in range(0, len(texts), batch_size)]
    if folder is None:
        return Trial(list(_batches(model, parts, asked)))
    config = {"job": "trial", "asked": repr(asked), "texts": list(texts), "batch_size": batch_size}
    with closing(Run.open(folder, system="reactions", config=config)) as run:
        known = [_read(line) for line in run.metrics()]
        for batch in _batches(model, parts[len(known) :], asked):
            run.log(batch._asdict())
            known.append(batch)
    return Trial(known)


def ratio(above: Sequence[float], below: Sequence[float], *, seed: int = 0) -> Interval:
    """Sum over sum, with a 95 % bootstrap interval over the pairs; of lists of two lengths the common beginning counts.

    Args:
        above: one value a batch.
        below: of the same batches, positive.
        seed: of the resampling.

    Raises:
        BadInput: there is no pair.
    """
    count = min(len(above), len(below))
    if not count:
        raise BadInput("A ratio needs at least one pair.")
    first, second = np.asarray(above[:count], np.float64), np.asarray(below[:count], np.float64)
    picks = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))
    low, high = np.quantile(first[picks].sum(1) / second[picks].sum(1), [0.025, 0.975])
    return Interval(float(first.sum() / second.sum()), float(low), float(high))


def share(hits: Sequence[bool]) -> Interval:
    """Share of hits with its exact (Clopper-Pearson) 95 % interval, which is honest where all or none are hits.

    Raises:
        BadInput: there are none to count.
    """
    from scipy.stats import binomtest

    if not hits:
        raise BadInput("A share needs at least one case.")
    found = binomtest(sum(hits), len(hits)).proportion_ci()
    return Interval(sum(hits) / len(hits), float(found.low), float(found.high))


def saved_share(answers: Sequence[Made]) -> float:
    """Of the longest answer's tokens, its end included, the share that needed no call of their own."""
    longest = max(len(tokenize(one.smiles)) + (not one.truncated) for one in answers)
    return max(0.0, 1 - answers[0].calls / max(1, longest))


def _batches(model: Model, parts: Sequence[list[str]], asked: Asked) -> Iterator[Batch]:
    for text in parts[0][:1] if parts else ():
        model.answers([text], asked, 1)
    for part in parts:
        wall, processor = time.perf_counter(), time.process_time()
        found = model.answers(part, asked, len(part))
        seconds, waited = time.process_time() - processor, time.perf_counter() - wall
        yield Batch([_made(answers) for answers in found], seconds, waited)


def _made(answers: object) -> list[Made]:
    if isinstance(answers, BadInput):
        raise answers
    assert isinstance(answers, list)
    return [Made(one.smiles, one.log_probability, one.calls, one.truncated) for one in answers]


def _read(line: dict) -> Batch:
    try:
        answers = [[Made(*one) for one in answers] for answers in line["answers"]]
        return Batch(answers, float(line["seconds"]), float(line["wall"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("The folder holds batches that this version cannot read.", "Choose another --out.") from error
