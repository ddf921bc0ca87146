"""How good a model is on reactions with known answers: top-k, invalid answers, MaxFrag, round trip, calls, time.

Spec section 1.7. Both sides are compared in RDKit's canonical form. An invalid answer is never a hit, not even where the
target is invalid too (the published script counts that one, and the table's header); such a target is an error row,
counted apart.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.experiment import Interval, bootstrap_interval
from tenfold.core.progress import meter
from tenfold.core.runs import Run
from tenfold.reactions.equality import canonical_form, largest_molecule
from tenfold.reactions.tokens import tokenize

__all__ = [
    "TOP",
    "Answer",
    "Evaluation",
    "NBest",
    "Outcome",
    "RankShares",
    "RoundTrip",
    "Timing",
    "TopK",
    "evaluate",
    "round_trip",
    "score",
    "summarize",
    "time_batches",
]

TOP = (1, 3, 5, 10, 15, 20, 50)
_BATCHES_PER_SAVE = 8


class Answer(Protocol):
    """One candidate of a model: what `Prediction` has, and any other model's answers need."""

    @property
    def smiles(self) -> str: ...
    @property
    def log_probability(self) -> float: ...
    @property
    def calls(self) -> int: ...


class NBest(Protocol):
    """Anything that can be evaluated: candidates of each query, the best first."""

    def nbest(self, smiles: list[str], n: int, search: str, batch_size: int) -> Sequence[Sequence[Any]]: ...


@dataclass(frozen=True)
class Outcome:
    """What one reaction came to.

    Attributes:
        row: its number, from 1.
        rank: of the right answer, from 1; 0 if it is not among the candidates.
        fragment_rank: the same for the largest molecule alone (MaxFrag).
        kinds: one letter a candidate: v valid, d duplicate of a better one, i invalid, e empty.
        answers: the candidates' SMILES as the model wrote them.
        scores: their sums of log-probabilities.
        calls: of the decoder.
        accepted: share of the longest candidate's tokens, its end included, that needed no call of their own.
        seconds: of wall time; of a batch, the row's share.
        returned: one letter a candidate, 1 where the forward model makes the query of it; empty without a forward model.
        error: why the row could not be scored, or empty.
    """

    row: int
    rank: int = 0
    fragment_rank: int = 0
    kinds: str = ""
    answers: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    calls: int = 0
    accepted: float = 0.0
    seconds: float = 0.0
    returned: str = ""
    error: str = ""


class TopK(NamedTuple):
    """Share of reactions whose answer is among the first k; the same for the largest molecule alone."""

    k: int
    accuracy: Interval
    max_fragment: Interval


class RankShares(NamedTuple):
    """Of the candidates at this rank, the shares that are invalid, empty, or duplicates of better ones."""

    rank: int
    candidates: int
    invalid: float
    empty: float
    duplicate: float


@dataclass(frozen=True)
class Evaluation:
    """Means over the scored rows with 95 % bootstrap intervals.

    Attributes:
        rows: given.
        scored: of them; the others are in `errors`.
        errors: (row number, reason), at most the first hundred.
        failed: number of error rows.
        top: one for each k up to n.
        ranks: one for each rank up to n.
        calls: of the decoder, a reaction.
        acceptance: share of tokens that needed no call of their own.
        seconds: wall time of a reaction at the batch size asked for.
        round_trip: share of first answers from which the forward model makes the query; None without one.
        coverage: share of queries of which some candidate does so (Schwaller et al. 2020); None without one.
    """

    rows: int
    scored: int
    failed: int
    errors: tuple[tuple[int, str], ...]
    top: tuple[TopK, ...]
    ranks: tuple[RankShares, ...]
    calls: Interval
    acceptance: Interval
    seconds: Interval
    round_trip: Interval | None = None
    coverage: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        found = asdict(self)
        found["top"] = [{"k": k, "accuracy": a._asdict(), "max_fragment": f._asdict()} for k, a, f in self.top]
        found["ranks"] = [shares._asdict() for shares in self.ranks]
        for name in ("calls", "acceptance", "seconds", "round_trip", "coverage"):
            value = getattr(self, name)
            found[name] = None if value is None else value._asdict()
        return found

    def lines(self) -> list[str]:
        """The result in words: accuracies with their intervals, what is wrong with answers by rank, cost."""
        words = [f"{self.scored} of {self.rows} reactions scored"]
        words += [f"top-{k}: {_share(accuracy)}, MaxFrag {_share(fragment)}" for k, accuracy, fragment in self.top]
        shown = [one for one in self.ranks if one.rank in TOP and one.candidates]
        words += [
            f"rank {one.rank}: {one.invalid:.1%} invalid, {one.empty:.1%} empty, {one.duplicate:.1%} duplicates"
            for one in shown
        ]
        words.append(
            f"{self.calls.mean:.1f} calls a reaction, {self.acceptance.mean:.0%} of tokens accepted from drafts, "
            f"{self.seconds.mean * 1000:.1f} ms"
        )
        if self.round_trip is not None and self.coverage is not None:
            words.append(f"round trip: {_share(self.round_trip)} of first answers, {_share(self.coverage)} of queries")
        return words


@dataclass(frozen=True)
class RoundTrip:
    """Answers that a forward model turns into their query again.

    Attributes:
        outcomes: one a query; `returned` and `answers` say which.
        failed: queries that could not be used.
        first: share of first answers from which the forward model makes the query.
        coverage: share of queries of which some answer does so (Schwaller et al. 2020).
    """

    outcomes: tuple[Outcome, ...]
    failed: int
    first: Interval
    coverage: Interval

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        rows = [
            {
                "row": one.row,
                "answers": one.answers,
                "returned": [letter == "1" for letter in one.returned],
                "error": one.error,
            }
            for one in self.outcomes
        ]
        return {"first": self.first._asdict(), "coverage": self.coverage._asdict(), "failed": self.failed, "rows": rows}

    def sentence(self) -> str:
        """The result in words."""
        first, some = _share(self.first), _share(self.coverage)
        return f"The first answer leads back to the product for {first} of the products, some answer for {some}."


class Timing(NamedTuple):
    """Seconds and calls of one batch size, per reaction, the best of the repeats."""

    batch_size: int
    wall: float
    processor: float
    calls: float


def evaluate(
    model: NBest,
    rows: Sequence[tuple[str, str]],
    n: int = 10,
    *,
    search: str = "exact",
    batch_size: int = 1,
    forward: NBest | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Score a model on reactions with known answers.

    Args:
        model: anything with `nbest`.
        rows: (query, right answer), as SMILES.
        n: candidates for each query.
        search: "exact", "beam" or "sbs", handed on to the model.
        batch_size: queries at once, handed on to the model.
        forward: a model of products, for the round trip of a retrosynthesis model.
        folder: of the run: outcomes are kept there, and the same call goes on where it stopped.

    Raises:
        BadInput: n or batch_size below 1, no rows, none that can be scored, or the folder is another run's.
    """
    return summarize(score(model, rows, n, search=search, batch_size=batch_size, forward=forward, folder=folder), n)


def round_trip(
    model: NBest, forward: NBest, products: Sequence[str], n: int = 10, *, search: str = "exact", batch_size: int = 1
) -> RoundTrip:
    """Reactants of products, and whether a forward model makes the products of them again; no right answers are needed.

    Args:
        model: of retrosynthesis; anything with `nbest`, as is the other.
        forward: of products.
        products: SMILES.
        n: candidates for each product.
        search: "exact", "beam" or "sbs", handed on to the model.
        batch_size: queries at once, handed on to the model.

    Raises:
        BadInput: n or batch_size below 1, or none of the products can be used.
    """
    # A product stands in for the right answer that is not known: rank and hits mean nothing, what returns does.
    rows = [(product, product) for product in products]
    outcomes = score(model, rows, n, search=search, batch_size=batch_size, forward=forward)
    found = summarize(outcomes, n)
    nothing = _mean([False])
    return RoundTrip(tuple(outcomes), found.failed, found.round_trip or nothing, found.coverage or nothing)


def score(
    model: NBest,
    rows: Sequence[tuple[str, str]],
    n: int = 10,
    *,
    search: str = "exact",
    batch_size: int = 1,
    forward: NBest | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> list[Outcome]:
    """The outcome of each row; arguments and errors as of `evaluate`."""
    for name, value in (("n", n), ("batch_size", batch_size)):
        if value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
    job = _Job(model, rows, n, search, batch_size, forward)
    if folder is None:
        return sorted(job.outcomes(set()), key=lambda one: one.row)
    with closing(Run.open(folder, system="reactions", config=job.config())) as run:
        known = [_read(line) for line in run.metrics()]
        for outcome in job.outcomes({one.row for one in known}):
            run.log(asdict(outcome))
            known.append(outcome)
        known.sort(key=lambda one: one.row)
        run.finish(summarize(known, n).to_dict())
    return known


def summarize(outcomes: Sequence[Outcome], n: int) -> Evaluation:
    """Means and intervals of outcomes.

    Raises:
        BadInput: none of them could be scored.
    """
    scored = [one for one in outcomes if not one.error]
    failed = [(one.row, one.error) for one in outcomes if one.error]
    if not scored:
        first = f" Row {failed[0][0]}: {failed[0][1]}" if failed else ""
        raise BadInput(f"None of the {len(outcomes)} rows can be scored.{first}")
    top = tuple(
        TopK(k, _mean([0 < one.rank <= k for one in scored]), _mean([0 < one.fragment_rank <= k for one in scored]))
        for k in TOP
        if k <= n
    )
    with_way_back = [one for one in scored if one.returned or not one.answers] if any(o.returned for o in scored) else []
    return Evaluation(
        rows=len(outcomes),
        scored=len(scored),
        failed=len(failed),
        errors=tuple(failed[:100]),
        top=top,
        ranks=tuple(_shares(scored, rank) for rank in range(1, n + 1)),
        calls=_mean([one.calls for one in scored]),
        acceptance=_mean([one.accepted for one in scored]),
        seconds=_mean([one.seconds for one in scored]),
        round_trip=_mean([one.returned[:1] == "1" for one in with_way_back]) if with_way_back else None,
        coverage=_mean(["1" in one.returned for one in with_way_back]) if with_way_back else None,
    )


def time_batches(
    model: NBest,
    queries: Sequence[str],
    *,
    n: int = 1,
    search: str = "exact",
    batch_sizes: Sequence[int] = (1, 8, 32),
    repeats: int = 3,
) -> list[Timing]:
    """Time a model at several batch sizes, on the same queries; the fastest of the repeats counts.

    Args:
        model: anything with `nbest`; it must not remember its answers.
        queries: SMILES.
        n: candidates.
        search: handed on to the model.
        batch_sizes: to time.
        repeats: of each.
    """
    found = []
    for size in batch_sizes:
        best = (math.inf, math.inf, 0.0)
        for _ in range(repeats):
            wall, processor = time.perf_counter(), time.process_time()
            answers = model.nbest(list(queries), n, search, size)
            spent = (time.perf_counter() - wall, time.process_time() - processor)
            best = min(best, (*spent, float(sum(one[0].calls for one in answers if one))))
        found.append(Timing(size, *(value / len(queries) for value in best)))
    return found


class _Job:
    """The rows that are still to do, batch by batch."""

    def __init__(
        self, model: NBest, rows: Sequence[tuple[str, str]], n: int, search: str, batch_size: int, forward: NBest | None
    ) -> None:
        self.model, self.rows, self.n, self.search, self.batch_size, self.forward = (
            model,
            rows,
            n,
            search,
            batch_size,
            forward,
        )

    def config(self) -> dict[str, Any]:
        """What makes two evaluations the same: the models by their cards, the rows by their text."""
        digest = hashlib.sha256(json.dumps([list(row) for row in self.rows]).encode()).hexdigest()
        names = {"model": _name(self.model), "forward": self.forward and _name(self.forward)}
        return {
            "job": "evaluate",
            **names,
            "rows": digest,
            "n": self.n,
            "search": self.search,
            "batch_size": self.batch_size,
        }

    def outcomes(self, done: set[int]) -> Iterator[Outcome]:
        """Outcomes of the rows that are not done, each once."""
        left = [(number, *row) for number, row in enumerate(self.rows, start=1) if number not in done]
        step = self.batch_size * _BATCHES_PER_SAVE
        with meter("Evaluating", len(self.rows)) as live:
            for start in range(0, len(left), step):
                yield from self._chunk(left[start : start + step])
                live.update(len(self.rows) - max(0, len(left) - start - step))

    def _chunk(self, rows: Sequence[tuple[int, str, str]]) -> Iterator[Outcome]:
        targets = {number: canonical_form(target) for number, _, target in rows}
        good = [row for row in rows if targets[row[0]]]
        for number, _, target in rows:
            if not targets[number]:
                yield Outcome(number, error=f"the target {target[:80]!r} is not a molecule that RDKit reads")
        for (number, query, target), answers, seconds, error in self._ask(good):
            yield Outcome(number, error=error) if error else self._outcome(number, query, target, answers, seconds)

    def _ask(
        self, rows: Sequence[tuple[int, str, str]]
    ) -> Iterator[tuple[tuple[int, str, str], Sequence[Answer], float, str]]:
        """Answers and seconds of each row; if the model refuses them together, one by one."""
        started = time.perf_counter()
        try:
            found = self.model.nbest([query for _, query, _ in rows], self.n, self.search, self.batch_size) if rows else []
        except TenfoldError as error:
            if len(rows) == 1:
                yield rows[0], (), 0.0, str(error)
            else:
                for row in rows:
                    yield from self._ask([row])
            return
        seconds = (time.perf_counter() - started) / max(1, len(rows))
        for row, answers in zip(rows, found, strict=True):
            yield row, answers, seconds, ""

    def _outcome(self, number: int, query: str, target: str, answers: Sequence[Answer], seconds: float) -> Outcome:
        kept = list(answers)[: self.n]
        forms = [canonical_form(one.smiles) for one in kept]
        longest = max((_tokens(one.smiles) for one in kept), default=1)
        calls = kept[0].calls if kept else 0
        return Outcome(
            row=number,
            rank=_rank(canonical_form(target), forms),
            fragment_rank=_rank(largest_molecule(canonical_form(target)), [largest_molecule(form) for form in forms]),
            kinds=_kinds([one.smiles for one in kept], forms),
            answers=tuple(one.smiles for one in kept),
            scores=tuple(float(one.log_probability) for one in kept),
            calls=calls,
            accepted=max(0.0, 1 - calls / longest),
            seconds=seconds,
            returned=self._returned(canonical_form(query), forms),
        )

    def _returned(self, query: str, forms: Sequence[str]) -> str:
        """Which candidates the forward model turns into the query again; one that holds the query itself makes nothing."""
        if self.forward is None:
            return ""
        whole = set(query.split("."))
        wanted = [form for form in dict.fromkeys(forms) if form and not whole <= set(form.split("."))]
        made = {form for form, product in zip(wanted, _products(self.forward, wanted), strict=True) if product == query}
        return "".join("1" if form in made else "0" for form in forms)


def _products(forward: NBest, reactants: list[str]) -> list[str]:
    """The canonical first product of each; empty where the forward model refuses, or writes no molecule."""
    try:
        found = forward.nbest(reactants, 1, "exact", len(reactants)) if reactants else []
    except TenfoldError:
        return [""] if len(reactants) == 1 else [product for one in reactants for product in _products(forward, [one])]
    return [canonical_form(answers[0].smiles) if answers else "" for answers in found]


def _share(value: Interval) -> str:
    return f"{value.mean:.1%} [{value.low:.1%}, {value.high:.1%}]"


def _rank(wanted: str, found: Sequence[str]) -> int:
    return found.index(wanted) + 1 if wanted in found else 0


def _kinds(written: Sequence[str], forms: Sequence[str]) -> str:
    letters = []
    for place, (smiles, form) in enumerate(zip(written, forms, strict=True)):
        letters.append("e" if not smiles else "i" if not form else "d" if form in forms[:place] else "v")
    return "".join(letters)


def _shares(outcomes: Sequence[Outcome], rank: int) -> RankShares:
    letters = [one.kinds[rank - 1] for one in outcomes if len(one.kinds) >= rank]
    shares = (letters.count(letter) / max(1, len(letters)) for letter in "ied")
    return RankShares(rank, len(letters), *shares)


def _tokens(smiles: str) -> int:
    """Tokens of an answer with its end; of what no SMILES token takes, characters."""
    try:
        return len(tokenize(smiles)) + 1
    except BadInput:
        return len(smiles) + 1


def _mean(values: Sequence[float]) -> Interval:
    """With fewer resamples of many rows: their picks together fill 160 MB, not gigabytes."""
    return bootstrap_interval(values, resamples=max(200, min(10_000, 20_000_000 // len(values))))


def _name(model: object) -> str:
    card = getattr(model, "card", None)
    return hashlib.sha256(str(card).encode()).hexdigest() if card else type(model).__name__


def _read(line: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome(**{**line, "answers": tuple(line["answers"]), "scores": tuple(line["scores"])})
    except (KeyError, TypeError) as error:
        raise BadInput("The folder holds outcomes that this version cannot read.", "Choose another --out.") from error
