"""Semantic gradient descent (section 1.1 of the spec): run, score, draw errors, backpropagate, propose, evaluate, keep."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Account
from tenfold.semgrad.backward import Gradients, Job, backward_pass, check_level
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.costs import forecast_calls
from tenfold.semgrad.gates import GATES, Race, passes, race_order
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.history import Round, Step
from tenfold.semgrad.losses import Judge, Loss, check_targets, feedback_of, loss_named
from tenfold.semgrad.memo import Memo
from tenfold.semgrad.policies import POLICIES, Errors, Move, Record, choose
from tenfold.semgrad.proposals import propose
from tenfold.semgrad.result import FILES, Result
from tenfold.semgrad.roles import engine_notice, open_calls, unfollowable
from tenfold.semgrad.runtime import GREEDY, Sampling, Trace, evaluate
from tenfold.semgrad.samples import Sample, check_disjoint, digest, prepare

__all__ = ["Settings", "optimise"]

# Rounds of one step with the policy auto, and its training-set evaluations when no limit is given.
AUTO_ROUNDS, AUTO_EVALUATIONS = 3, 40
# A round whose candidate is known already costs no evaluation: auto makes up to this many for each that it may evaluate.
TRIES = 4
# Mean scores that differ by less are equal.
EQUAL = 1e-12


@dataclass(frozen=True)
class Settings:
    """How a run goes on; see `optimise`."""

    steps: int = 12
    errors: int = 2
    pick: str = "errors"
    neighbourhood: str = "full"
    update: str = "auto"
    gate: str = "ties"
    evaluations: int | None = None
    racing: bool = False
    alpha: float = 0.05
    seed: int = 0
    memo: bool = True
    longest: int = 4000
    sampling: Sampling = GREEDY

    def checked(self) -> "Settings":
        """The same, with defaults that depend on others filled in.

        Raises:
            BadInput: a value that cannot be used.
        """
        for name, least in (("steps", 0), ("errors", 1), ("longest", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BadInput(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        if self.evaluations is not None and (not isinstance(self.evaluations, int) or self.evaluations < 1):
            raise BadInput(f"evaluations is {self.evaluations!r}; it must be at least 1: the start is one.")
        if self.update not in POLICIES:
            raise BadInput(f"The update policy {self.update!r} is unknown.", f"Policies are: {', '.join(POLICIES)}.")
        if self.gate not in GATES:
            raise BadInput(f"The gate {self.gate!r} is unknown.", f"Gates are: {', '.join(GATES)}.")
        if not isinstance(self.alpha, (int, float)) or not 0 < self.alpha < 1:
            raise BadInput(f"alpha is {self.alpha!r}; it lies between 0 and 1.")
        self.sampling.checked()
        check_level(self.neighbourhood)
        Errors(self.pick, self.errors)
        racing = self.gate == "racing" or (self.racing and self.gate in ("strict", "ties"))
        limit = self.evaluations
        if limit is None:
            limit = min(AUTO_EVALUATIONS, AUTO_ROUNDS * self.steps + 1) if self.update == "auto" else self.steps + 1
        return replace(self, racing=racing, evaluations=limit)

    @property
    def rounds(self) -> int:
        """Rounds of one step: one, but with auto as many as use up the evaluations."""
        if self.update != "auto" or not self.steps:
            return 1
        return max(1, math.ceil(((self.evaluations or AUTO_EVALUATIONS) - 1) / self.steps))


def optimise(
    graph: Graph,
    train: Any,
    test: Any = None,
    metric: Any = "exact",
    steps: int = 12,
    errors: int = 2,
    pick: str = "errors",
    neighbourhood: str = "full",
    update: str = "auto",
    gate: str = "ties",
    evaluations: int | None = None,
    models: Any = "engine:rules",
    budget: Any = None,
    run_dir: str | Path | None = None,
    seed: int = 0,
    memo: bool = True,
    cache: Any = None,
    cassette: Any = None,
    concurrency: int = 32,
    on_step: Callable[[Step], None] | None = None,
    *,
    racing: bool | None = None,
    alpha: float = 0.05,
    longest: int = 4000,
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_tokens: int = 1024,
    **client: Any,
) -> Result:
    """Improve the texts of a graph on questions with targets.

    Args:
        graph: what to improve; it is not changed.
        train: rows with `target` and the graph's query variables (`input` is an alias of `question`), optional `id`.
        test: rows of the same form, none of them in train; the best graph is run on them once, at the end.
        metric: exact, numeric, regex, f1, judge, or a function (task, output) -> (score, feedback).
        steps: at most; the run ends before when all answers are right.
        errors: samples drawn in a round.
        pick: errors, mixed or hard (see `policies`).
        neighbourhood: full, self, bare or none: what backward calls see (see `prompts`); a node's own level goes first.
        update: full, subset, one, bandit or auto: which parameters move (see `policies`).
        gate: strict, ties, none, paired or racing: which candidates are kept (see `gates`).
        evaluations: hard limit on runs of the training set, the start's included; None = steps + 1, with auto at most 40.
        models: a model string, a client, or either by role: forward, backward, optimise, judge.
        budget: `llm.Budget` (or `Account`) that all roles share.
        run_dir: folder of the run; the same call on the same folder resumes it, and pays for no reply twice.
        seed: of all random choices.
        memo: use values of equal prompts again; False = ask again every time, and do not join equal requests in flight.
        cache: SQLite file of replies, see `llm.Client`.
        cassette: file of recorded replies, see `llm.Client` (`mode`: record, replay, replay-then-live).
        concurrency: most requests in flight.
        on_step: called after each step.
        racing: stop evaluating a candidate that cannot pass any more (strict and ties; same decisions); None = with auto.
        alpha: level of the paired gate.
        longest: characters of a new text; longer ones are dropped.
        temperature: of all roles.
        top_p: of all roles.
        max_tokens: of a reply, of all roles.
        **client: further settings of `llm.Client`, e.g. timeout, rpm, mode, prices.

    Returns:
        The best graph, its scores, and everything that happened.

    Raises:
        BadInput: what can be known before the first call is wrong; nothing was spent.
        BudgetReached: a budget ran out; `error.result` holds what was reached, and the run folder too.
    """
    fast = update == "auto" if racing is None else racing
    settings = Settings(
        steps, errors, pick, neighbourhood, update, gate, evaluations, fast, alpha, seed, memo, longest,
        Sampling(temperature, top_p, max_tokens),
    ).checked()  # fmt: skip
    graph.validate()
    if not graph.trainable:
        raise BadInput("No text of the graph may be changed.", "Set trainable = true for at least one node.")
    loss = loss_named(metric)
    rows = prepare(graph, train, "train")
    others = [] if test is None else prepare(graph, test, "test")
    check_disjoint(rows, others)
    check_targets(metric, (sample.task for sample in (*rows, *others)))
    if cache is None and cassette is None:  # what they hold costs nothing
        _check_budget(graph, rows, settings, loss, budget)
    notice = engine_notice(models)
    run = _open_run(run_dir, graph, rows, others, metric, models, settings)
    try:
        finished = None if run is None else Result.of_run(run, graph, settings.steps, settings.evaluations)
        if finished is not None:
            return finished
        clients = {"cache": cache, "cassette": cassette, "coalesce": memo, **client}
        folder = None if run is None else run.folder
        with open_calls(models, concurrency=concurrency, budget=budget, folder=folder, **clients) as calls:
            result = _Search(graph, rows, others, loss, calls, settings, run, notice, on_step).run()
        result.again = partial(_gradients_again, graph, rows, loss, settings, models, result.account, client)
        return result
    finally:
        if run is not None:
            run.close()


class _Search:
    """The state of one run."""

    def __init__(
        self,
        graph: Graph,
        train: Sequence[Sample],
        test: Sequence[Sample],
        loss: Loss,
        calls: Calls,
        settings: Settings,
        run: Any,
        notice: str,
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self.graph, self.train, self.test, self.loss = graph, train, test, loss
        self.calls, self.settings, self.folder, self.on_step = calls, settings, run, on_step
        self.memo: Memo[str] | None = Memo() if settings.memo else None
        calls.memo = Memo(limit=10_000) if settings.memo else None
        self.errors, self.record = Errors(settings.pick, settings.errors), Record()
        self.output = tuple(name for name in graph.trainable if graph.owner(name).output)
        self.seen: set[tuple[str, ...]] = set()
        self.round = 0
        account = getattr(calls.client("forward"), "account", None)
        self.result = Result(graph, graph, notice=notice, account=account, settings=settings, samples=list(train))

    def run(self) -> Result:
        """All steps, then the test."""
        if self.folder is not None:
            self.result.start_saving(self.folder)
        try:
            self.kept = self.at = self.evaluate(self.graph)
            self.note_start()
            for number in range(1, self.settings.steps + 1):
                if self.is_over():
                    break
                self.step(number)
            self.finish()
        except BudgetReached as error:
            self.result.stopped = "budget"
            error.result = self.result  # pyright: ignore[reportAttributeAccessIssue]
            raise
        finally:
            if self.folder is not None:
                self.result.save(self.folder)
        return self.result

    def evaluate(self, graph: Graph, race: Race | None = None) -> Trace:
        """One evaluation of the training set."""
        self.result.evaluations += 1
        self.seen.add(tuple(graph.instructions.values()))
        trace = evaluate(
            graph,
            self.train,
            self.calls,
            loss=self.loss,
            sampling=self.settings.sampling,
            memo=self.memo,
            order=None if race is None else race_order(self.scores(self.at)),
            lost=None if race is None else race.lost,
        )
        self.result.tally.failed += trace.failed if race is None else 0
        return trace

    def note_start(self) -> None:
        self.result.start_score = self.result.score = self.result.kept_score = self.kept.score
        right = sum(score == 1 for score in self.kept.scores)
        self.result.tally.notes += [] if not self.result.notice else unfollowable(self.graph)
        if self.kept.score == 0:
            outputs = "; ".join(repr(str(answer)[:60]) for answer in self.kept.answers[:3])
            self.result.tally.notes.append(f"No answer is right at the start. The first outputs are: {outputs}.")
        if right == len(self.train):
            self.result.tally.notes.append(f"Nothing to learn: all {right} answers are right at the start.")

    def is_over(self) -> bool:
        """Whether another step could bring nothing, or may not be made."""
        if not self.wrong(self.at):
            self.result.stopped = "all right"
        elif self.result.evaluations >= (self.settings.evaluations or math.inf):
            self.result.stopped = "evaluations"
        return bool(self.result.stopped)

    def wrong(self, trace: Trace) -> list[int]:
        """Numbers of samples that can teach something: answered, and not fully right."""
        rows = zip(trace.scores, trace.errors, strict=True)
        return [number for number, (score, error) in enumerate(rows) if error is None and (score or 0.0) < 1]

    def step(self, number: int) -> None:
        rounds: list[Round] = []
        before, tries = self.result.evaluations, 1 if self.settings.update != "auto" else TRIES * self.settings.rounds
        while len(rounds) < tries and self.result.evaluations < before + self.settings.rounds:
            if rounds and self.is_over():
                break
            rounds.append(self.one_round())
        made = Step(
            step=number,
            rounds=rounds,
            score=self.kept.score,
            best=self.result.score,
            accepted=any(item.accepted for item in rounds),
            instructions=self.kept.graph.instructions,
            evaluations=self.result.evaluations,
        )
        self.result.add(made, self.folder)
        if self.on_step is not None:
            self.on_step(made)

    def one_round(self) -> Round:
        """Draw, backpropagate, propose, evaluate, decide."""
        rng = Random(f"{self.settings.seed}/{self.round}")
        names = self.graph.trainable
        move = choose(self.settings.update, names, self.output, self.round, self.record, rng)
        if move.back and self.at is not self.kept:
            self.go_to(self.kept)
        at = self.at
        right = [i for i, (s, e) in enumerate(zip(at.scores, at.errors, strict=True)) if e is None and s == 1]
        drawn = self.errors.draw(self.wrong(at), right, rng, move.more)
        values = [at.values[number] for number in drawn]
        gradients = self.gradients(drawn, at)
        settings = {"sampling": self.settings.sampling, "longest": self.settings.longest}
        proposals = propose(at.graph, move.parameters, values, gradients, self.calls, **settings)
        self.result.tally.drop(proposals.dropped)
        self.round += 1
        score, accepted, reason = self.decide(proposals.texts, move)
        shown = (*self.graph.queries, *self.graph.structure.order)  # values come in any order
        return Round(
            samples=list(drawn),
            values=[{name: str(sample[name]) for name in shown} for sample in values],
            gradients=[{} if gradient is None else gradient.to_dict() for gradient in gradients],
            chosen=list(move.parameters),
            proposals=proposals.texts,
            dropped=proposals.dropped,
            score=score,
            accepted=accepted,
            reason=reason,
        )

    def go_to(self, trace: Trace) -> None:
        """Go on from another graph: every draw of errors is new there."""
        self.at = trace
        self.errors.moved()

    def gradients(self, drawn: Sequence[int], trace: Trace) -> list[Gradients | None]:
        """Text gradients of drawn samples; at the level none there are none, and no feedback is shown to anyone."""
        if self.settings.neighbourhood == "none":
            return [None] * len(drawn)
        jobs = []
        for number in drawn:
            output = str(trace.values[number][trace.graph.output.name])
            feedback = feedback_of(self.train[number].task, output, trace.feedback[number])
            jobs.append(Job(trace.values[number], feedback))
        found = backward_pass(
            trace.graph, jobs, self.calls, neighbourhood=self.settings.neighbourhood, sampling=self.settings.sampling
        )
        self.result.tally.missing += sum(len(gradient.missing) for gradient in found)
        self.result.tally.backward_failed += sum(len(gradient.errors) for gradient in found)
        return list(found)

    def decide(self, texts: dict[str, str], move: Move) -> tuple[float | None, bool, str]:
        """Evaluate a candidate and keep it, or not: (score, accepted, reason)."""
        if not texts:
            self.stall()
            return None, False, "no proposal"
        candidate = self.at.graph.with_instructions(texts)
        if self.settings.memo and tuple(candidate.instructions.values()) in self.seen:
            self.stall()
            return None, False, "evaluated before"
        is_raced = self.settings.racing and not move.jump
        is_away = self.at is not self.kept
        # Away on a jump, a candidate need not beat the kept graph to be gone on from, only the one that it came from.
        race = Race("ties" if is_away else self.settings.gate, self.scores(self.at)) if is_raced else None
        trace = self.evaluate(candidate, race)
        before, after = self.scores(self.kept), self.scores(trace)
        gate = {"alpha": self.settings.alpha, "seed": self.settings.seed}
        accepted = not trace.stopped and passes(self.settings.gate, before, after, **gate)
        follows = move.jump or (is_away and not trace.stopped and passes("ties", self.scores(self.at), after))
        if race is not None and not accepted and not follows:
            self.record.book(tuple(texts), 0.0, False)
            return None, False, "lost the race"
        gain, is_better = trace.score - self.kept.score, trace.score > self.result.score + EQUAL
        if is_better:
            self.result.improve(candidate, trace.score, self.folder)
        self.record.book(tuple(texts), max(0.0, gain), is_better)
        if accepted:
            self.kept = trace
            self.result.kept_score = trace.score
        if accepted or follows:
            self.go_to(trace)
        return trace.score, accepted, _verdict(gain, accepted, follows)

    def stall(self) -> None:
        self.result.tally.stalled += 1
        self.record.stalled += 1

    def finish(self) -> None:
        if self.test:
            trace = evaluate(
                self.result.best, self.test, self.calls, loss=self.loss, sampling=self.settings.sampling, memo=self.memo
            )
            self.result.test_score = trace.score
            self.result.test_scores = self.scores(trace)
        self.result.stopped = self.result.stopped or "steps"
        self.result.is_finished = True

    @staticmethod
    def scores(trace: Trace) -> list[float]:
        """Scores with 0 for failed samples."""
        return [score or 0.0 for score in trace.scores]


def _verdict(gain: float, accepted: bool, follows: bool) -> str:
    compared = "higher" if gain > EQUAL else "tie" if gain > -EQUAL else "lower"
    return f"{compared}, gone on from" if follows and not accepted else compared


def _gradients_again(
    graph: Graph, rows: Sequence[Sample], loss: Loss, settings: Settings, models: Any, account: Any, client: dict[str, Any],
    instructions: Mapping[str, str], number: int,
) -> dict[str, Any]:  # fmt: skip
    """The gradients of a sample that was not drawn: run it with the texts of that time, and backpropagate."""
    then, sample = graph.with_instructions(instructions), rows[number]
    with open_calls(models, budget=account, **client) as calls:
        trace = evaluate(then, [sample], calls, loss=loss, sampling=settings.sampling)
        feedback = feedback_of(sample.task, str(trace.answers[0]), trace.feedback[0])
        level, job = settings.neighbourhood, Job(trace.values[0], feedback)
        found = backward_pass(then, [job], calls, neighbourhood=level, sampling=settings.sampling)[0]
    return {**found.to_dict(), "values": dict(trace.values[0])}


def _check_budget(graph: Graph, rows: Sequence[Sample], settings: Settings, loss: Loss, budget: Any) -> None:
    """Refuse a budget of calls that does not last for one step."""
    limits = budget.budget if isinstance(budget, Account) else Account(budget).budget
    if limits.calls is None or not settings.steps:
        return
    calls = forecast_calls(
        graph, len(rows), steps=1, errors=min(settings.errors, len(rows)), neighbourhood=settings.neighbourhood,
        update="one" if settings.update in ("subset", "auto") else settings.update, is_judged=isinstance(loss, Judge),
    )  # fmt: skip
    needed = sum(calls.values())
    if limits.calls < needed:
        parts = ", ".join(f"{count} {role}" for role, count in calls.items())
        message = f"The budget of {limits.calls} calls does not last for one step, which takes up to {needed} ({parts})."
        raise BadInput(message, "Raise it, or give fewer training questions.")


def _open_run(
    run_dir: Any,
    graph: Graph,
    rows: Sequence[Sample],
    others: Sequence[Sample],
    metric: Any,
    models: Any,
    settings: Settings,
) -> Any:
    if run_dir is None:
        return None
    from tenfold.core.runs import Run
    from tenfold.semgrad.roles import roles

    for path in (Path(run_dir) / name for name in FILES):
        if path.is_dir():
            hint = "Move it away, or choose another place for the run."
            raise BadInput(f"{path} is a folder, where the run keeps a file.", hint)
    config = {
        "graph": graph.to_dict(),
        "train": digest(rows),
        "test": digest(others),
        "metric": metric if isinstance(metric, str) else getattr(metric, "__qualname__", type(metric).__name__),
        "models": {role: model if isinstance(model, str) else model.identity for role, model in roles(models).items()},
        **{name: getattr(settings, name) for name in settings.__dataclass_fields__ if name != "sampling"},
        "sampling": settings.sampling._asdict(),
    }
    return Run.open(run_dir, system="semgrad", config=config, free=("steps", "evaluations"))
