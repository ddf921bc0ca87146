"""A visit to the page: what was asked, what has been made so far, and how it looks; the page itself only lays it out.

A visitor's run is bounded by `guest`: models by name, small uploads, the owner's limit of calls.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.core.keeping import Keeper
from tenfold.llm.budget import Account, Budget
from tenfold.semgrad import guest
from tenfold.semgrad.attribution import Attribution
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.history import Step
from tenfold.semgrad.views import Seen, kept_changes, samples_seen

__all__ = ["OWN", "Ask", "Made", "again", "asked", "keep", "kept", "onward", "optimise", "tried"]

# The choice of a task that stands for one's own files.
OWN = "own"
METRICS = ("exact", "numeric", "f1")
MAX_STEPS, MAX_SEEDS, MAX_TEST = 40, 5, 200
# Of uploaded questions, half are learnt from, but no more than this; the others are held out.
MAX_TRAIN = 40
# So many finished runs are remembered; the one that was not looked at for longest goes first.
_runs: "Keeper[Made]" = Keeper(64)


@dataclass(frozen=True)
class Ask:
    """One run that a visitor asks for, checked.

    Attributes:
        graph: to begin with.
        train: rows to learn from.
        test: held-out rows.
        model: the name that the visitor chose.
        settings: of `optimise`.
        seeds: one run for each.
    """

    graph: Graph
    train: Sequence[Mapping[str, Any]]
    test: Sequence[Mapping[str, Any]]
    model: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]


@dataclass
class Made:
    """What has been made so far. The first seed's run is the one that is looked at closely.

    Attributes:
        ask: what was asked.
        notice: that an engine is not a language model; empty for others.
        account: what was spent, by all seeds.
        best: the best graph of the first seed.
        runs: training scores by seed: the start's (None until the run is over), then after each step.
        tests: held-out scores of the same graphs; only with the rules engine, since they would cost money elsewhere.
        history: steps of the first seed.
        finals: held-out scores of the best, by seed.
    """

    ask: Ask
    notice: str
    account: Account
    best: Graph
    runs: list[list[float | None]] = field(default_factory=list)
    tests: list[list[float]] = field(default_factory=list)
    history: list[Step] = field(default_factory=list)
    finals: list[float] = field(default_factory=list)

    @property
    def start(self) -> Graph:
        """The graph that the run began with."""
        return self.ask.graph

    def snapshot(self) -> "Made":
        """A copy that does not change while the run goes on in its thread."""
        runs, tests = [list(run) for run in self.runs], [list(run) for run in self.tests]
        return replace(self, runs=runs, tests=tests, history=list(self.history), finals=list(self.finals))

    def curves(self) -> dict[str, Sequence[Sequence[float | None]]]:
        """Scores over steps by name, one list for each seed."""
        return {"training questions": self.runs, **({"held-out questions": self.tests} if self.tests else {})}

    def seen(self, step: int) -> list[Seen]:
        """Samples of the first seed's run that a step looked at."""
        return [seen for item in self.history if item.step == step for seen in samples_seen(self._before(step), item)]

    def status(self) -> str:
        """Where the run stands, in Markdown; the engine's notice is its first line."""
        lines = [f"**{self.notice}**"] if self.notice else []
        many = len(self.ask.seeds) > 1
        seed = f"Seed {len(self.runs)} of {len(self.ask.seeds)}, " if many else ""
        scores = self.runs[-1]
        start = "" if scores[0] is None else f"{scores[0]:.3f} at the start, "
        lines.append(f"{seed}step {len(scores) - 1}: training score {start}{scores[-1]:.3f} now")
        if self.finals:
            span = f" ({min(self.finals):.3f} to {max(self.finals):.3f} over seeds)" if many else ""
            lines.append(f"Held-out score of the best: {sum(self.finals) / len(self.finals):.3f}{span}")
        usd = self.account.usd
        lines.append(f"{self.account.calls:,} calls, {'unknown cost' if usd is None else f'${usd:.4f}'}")
        return "  \n".join(lines)

    def report(self, folder: Path) -> Path:
        """Write `report.html` into a folder."""
        from tenfold.core.report import Section, Table, write_report
        from tenfold.semgrad.views import run_figures

        final = self.finals[0] if self.finals else None
        first, last = self.runs[0][0] or 0.0, self.runs[0][-1]
        scores = [
            ("training score at the start", first),
            ("training score at the end", last),
            ("held-out score of the best", "no held-out questions" if final is None else final),
            ("calls of all seeds", self.account.calls),
        ]
        texts = [(c.step, c.parameter, c.before, c.after) for c in kept_changes(self.start, self.history)]
        figures = run_figures(self.start, first, self.history, final)
        sections = [
            Section("Scores", self.notice, [Table(("", ""), scores)], figures),
            Section("Instructions", "", [Table(("step", "instruction of", "before", "after"), texts)]),
        ]
        return write_report(folder, "Semantic gradient descent", sections, lead=self.notice, name="report.html")

    def _before(self, step: int) -> Graph:
        return self.start if step <= 1 else self.start.with_instructions(self.history[step - 2].instructions)


def asked(
    task: str,
    start: str,
    graph_file: str | None,
    question_file: str | None,
    metric: str,
    level: str,
    policy: str,
    gate: str,
    steps: float,
    seeds: float,
    seed: float | None,
    model: str,
) -> Ask:
    """What the page's fields ask for.

    Raises:
        BadInput: a field, an upload or the model cannot be used; nothing was spent.
    """
    guest.model_named(model)
    try:
        first, count, most = int(seed or 0), int(seeds or 0), int(steps or 0)
    except (TypeError, ValueError, OverflowError):  # a field that was emptied, or filled by a program
        first = count = most = -1
    if not (1 <= count <= MAX_SEEDS and 1 <= most <= MAX_STEPS and 0 <= first < 2**31):
        raise BadInput(f"The page takes 1 to {MAX_STEPS} steps and 1 to {MAX_SEEDS} seeds, from 0 on.")
    settings = {"neighbourhood": level, "update": policy, "gate": gate, "steps": most, "metric": "exact"}
    numbers = tuple(range(first, first + count))
    if task == OWN:
        return _own(graph_file, question_file, metric, model, settings, numbers)
    from tenfold.semgrad import tasks

    if task not in tasks.TASKS:
        raise BadInput(f"There is no task {task!r}.", f"There are: {', '.join(tasks.TASKS)}.")
    found = tasks.TASKS[task]
    train, test = tasks.load(found, None, first)
    return Ask(tasks.graph(found, tasks.start(found, start, first)), train, test[:MAX_TEST], model, settings, numbers)


def keep(made: Made) -> str:
    """Remember a run for its visitor alone; returns the word that finds it again, which nobody can guess."""
    return _runs.keep(made)


def kept(word: str | None) -> Made | None:
    """The run that a word finds; None without a word.

    Raises:
        BadInput: it was forgotten.
    """
    if not word:
        return None
    made = _runs.find(word)
    if made is None:
        raise BadInput("This run is no longer kept.", "Press Optimise to make it again.")
    return made


def onward(ask: Ask, made: Made | None, edits: Mapping[str, str], pinned: Sequence[str]) -> Ask:
    """The same questions from the best texts so far, with edits; pinned nodes keep their texts.

    Raises:
        BadInput: nothing was made yet, or everything is pinned.
    """
    if made is None:
        raise BadInput("There is no run to go on from.", "Press Optimise first.")
    graph = made.best.with_instructions(edits)
    owners = {graph.owner(name).name for name in pinned if name in graph.instructions}
    nodes = [{**node, "trainable": False} if node["name"] in owners else node for node in graph.to_dict()["nodes"]]
    fixed = Graph.from_dict({"nodes": nodes})
    if not fixed.trainable:
        raise BadInput("Every instruction is pinned.", "Leave one free to be optimised.")
    return replace(ask, graph=fixed, train=made.ask.train, test=made.ask.test)


def optimise(ask: Ask, tell: Callable[[Made], None]) -> Made:
    """Do what was asked, within the owner's limit of calls; `tell` is called after each step.

    Raises:
        BadInput: what can be known before the first call is wrong.
        BudgetReached: the owner's limit of calls is reached.
    """
    from tenfold.semgrad.optimiser import optimise as descend
    from tenfold.semgrad.roles import engine_notice

    model = guest.model_named(ask.model)
    account = Account(Budget(calls=guest.call_limit(ask.model)))
    made = Made(ask, engine_notice(model), account, ask.graph)
    for number, seed in enumerate(ask.seeds):
        made.runs.append([None])
        if ask.model == guest.ENGINE and ask.test:
            made.tests.append([_score(ask, ask.graph, account)])

        def follow(step: Step, is_first: bool = number == 0) -> None:
            made.runs[-1].append(step.score)
            if is_first:
                made.history.append(step)
            if made.tests:
                made.tests[-1].append(_score(ask, ask.graph.with_instructions(step.instructions), account))
            tell(made.snapshot())

        result = descend(
            ask.graph, ask.train, ask.test or None, models=model, budget=account, seed=seed, on_step=follow, **ask.settings
        )
        made.runs[-1][0] = result.start_score
        if result.test_score is not None:
            made.finals.append(result.test_score)
        if number == 0:
            made.best = result.best
    return made


def again(made: Made, sample: int, edits: Mapping[str, str]) -> Seen:
    """Run one training sample now with the best texts and some edits, and backpropagate if its answer is wrong.

    Raises:
        BadInput: there is no such sample, or an edit is empty.
        BudgetReached: the owner's limit of calls is reached.
    """
    from tenfold.semgrad.backward import Job, backward_pass
    from tenfold.semgrad.losses import loss_named
    from tenfold.semgrad.roles import open_calls
    from tenfold.semgrad.runtime import evaluate
    from tenfold.semgrad.samples import prepare

    graph, rows = made.best.with_instructions(edits), prepare(made.best, made.ask.train)
    if not 0 <= sample < len(rows):
        raise BadInput(f"There is no question {sample}.")
    with open_calls(guest.model_named(made.ask.model), budget=made.account) as calls:
        trace = evaluate(graph, [rows[sample]], calls, loss=loss_named(made.ask.settings["metric"]))
        level, feedback = made.ask.settings["neighbourhood"], trace.feedback[0]
        advice: dict[tuple[str, str], str] = {}
        if feedback and level != "none":
            found = backward_pass(graph, [Job(trace.values[0], feedback)], calls, neighbourhood=level)[0]
            advice = {(source, node): text for (node, source), text in found.edges.items()}
    return Seen(0, sample, {name: str(value) for name, value in trace.values[0].items()}, feedback, advice, graph)


def tried(made: Made, sample: int, edits: Mapping[str, str]) -> list[Attribution]:
    """Follow each piece of advice on one training sample by itself; empty where its answer is right.

    Raises:
        BadInput: there is no such sample, an edit is empty, or the run's level gives no advice.
        BudgetReached: the owner's limit of calls is reached.
    """
    from tenfold.semgrad.attribution import try_advice

    if not 0 <= sample < len(made.ask.train):
        raise BadInput(f"There is no question {sample}.")
    settings = {name: made.ask.settings[name] for name in ("metric", "neighbourhood")}
    graph, model = made.best.with_instructions(edits), guest.model_named(made.ask.model)
    found = try_advice(graph, [made.ask.train[sample]], model, budget=made.account, **settings)
    return found[0].swaps if found else []


def _own(
    graph_file: str | None,
    question_file: str | None,
    metric: str,
    model: str,
    settings: dict[str, Any],
    seeds: tuple[int, ...],
) -> Ask:
    if metric not in METRICS:
        raise BadInput(f"The page has no score {metric!r}.", f"It has: {', '.join(METRICS)}.")
    graph, rows = guest.uploaded_graph(graph_file), guest.uploaded_questions(question_file)
    shuffled = random.Random(f"split/{seeds[0]}").sample(rows, len(rows))
    cut = max(1, min(MAX_TRAIN, len(rows) // 2))
    return Ask(graph, shuffled[:cut], shuffled[cut:][:MAX_TEST], model, {**settings, "metric": metric}, seeds)


def _score(ask: Ask, graph: Graph, account: Account) -> float:
    from tenfold.semgrad.roles import open_calls
    from tenfold.semgrad.runtime import run

    with open_calls(guest.model_named(ask.model), budget=account) as calls:
        return run(graph, ask.test, calls, metric=ask.settings["metric"]).score
