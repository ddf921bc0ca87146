"""Runs a graph on many samples at once: a node of a sample starts when its inputs are there, whatever the others do.

A memo holds values by everything that a node's prompt is made of: a node whose texts and inputs did not change is not
asked again. A sample that fails is recorded with its error; the others go on.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.errors import ContextOverflow
from tenfold.llm.types import Message, Reply, Request
from tenfold.semgrad.calls import Calls, is_fatal
from tenfold.semgrad.graph import Graph, Node, fill
from tenfold.semgrad.losses import Judge, Loss, score_of
from tenfold.semgrad.memo import Memo
from tenfold.semgrad.prompts import forward_prompt, hints_block, parse_output, task_block
from tenfold.semgrad.samples import Sample, prepare

__all__ = ["GREEDY", "Sampling", "Trace", "evaluate", "node_inputs", "node_prompt", "run"]


class Sampling(NamedTuple):
    """How replies are drawn."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None

    def checked(self) -> "Sampling":
        """The same.

        Raises:
            BadInput: a value that no model takes.
        """
        for name, words, fits in (
            ("temperature", "0 or more", lambda x: 0 <= x < math.inf),
            ("top_p", "above 0, at most 1", lambda x: 0 < x <= 1),
            ("max_tokens", "a whole number above 0", lambda x: isinstance(x, int) and x > 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not fits(value):
                raise BadInput(f"{name} is {value!r}; it must be {words}.")
        return self

    def settings(self) -> dict[str, Any]:
        """Fields of a request that differ from its defaults."""
        return {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}


GREEDY = Sampling()


@dataclass
class Trace:
    """What came of a graph on samples; lists have one entry for each sample.

    Attributes:
        graph: that ran.
        samples: that it ran on.
        values: of query variables and nodes, by name; a failed sample holds what it got to.
        scores: in [0, 1]; None where there is no loss, or the pass was stopped before.
        feedback: of the loss; empty where nothing should change.
        errors: of failed samples, else None.
        stopped: whether the pass was stopped before its end (a race that was lost).
    """

    graph: Graph
    samples: Sequence[Sample]
    values: list[dict[str, Any]]
    scores: list[float | None]
    feedback: list[str]
    errors: list[TenfoldError | None]
    stopped: bool = field(default=False)

    @property
    def answers(self) -> list[str | None]:
        """The output node's value for each sample; None where it failed."""
        name = self.graph.output.name
        return [values.get(name) for values in self.values]

    @property
    def score(self) -> float:
        """Mean score in [0, 1]; failed samples count 0."""
        return sum(score or 0.0 for score in self.scores) / len(self.scores)

    @property
    def failed(self) -> int:
        """Number of failed samples."""
        return sum(error is not None for error in self.errors)


def run(
    graph: Graph,
    samples: Any,
    models: Any = "engine:rules",
    *,
    metric: Any = None,
    sampling: Sampling = GREEDY,
    memo: Memo[str] | None = None,
    concurrency: int = 32,
    targets: bool | None = None,
) -> Trace:
    """Run a graph on samples.

    Args:
        graph: checked first.
        samples: rows with the query variables, and `target` where a metric needs it.
        models: a model string, a client, or either by role (forward, judge); or open `Calls`.
        metric: name or callable, see `losses`; None = no scores.
        sampling: how replies are drawn.
        memo: values to use again and to keep; None = a fresh one.
        concurrency: most requests in flight.
        targets: whether the rows must have targets; None = if there is a metric.

    Returns:
        The values of every node for every sample.

    Raises:
        BadInput: the graph or the rows do not hold, or every sample failed.
        TenfoldError: a budget, a key, an endpoint that does not recover.
    """
    from tenfold.semgrad.losses import loss_named
    from tenfold.semgrad.roles import open_calls

    graph.validate()
    needed = metric is not None if targets is None else targets
    rows = prepare(graph, samples, "samples", targets=needed)
    loss = None if metric is None else loss_named(metric)
    with open_calls(models, concurrency=concurrency) as calls:
        return evaluate(graph, rows, calls, loss=loss, sampling=sampling, memo=Memo() if memo is None else memo)


def evaluate(
    graph: Graph,
    samples: Sequence[Sample],
    calls: Calls,
    *,
    loss: Loss | None = None,
    sampling: Sampling = GREEDY,
    memo: Memo[str] | None = None,
    order: Sequence[int] | None = None,
    lost: Callable[[int, float], bool] | None = None,
    preset: Mapping[str, Any] | None = None,
) -> Trace:
    """Run a checked graph on checked samples with open calls.

    Args:
        graph: what to run.
        samples: what to run it on.
        calls: to models.
        loss: scores each answer as it comes.
        sampling: how replies are drawn.
        memo: None = every node is asked for every sample.
        order: in which samples begin; None = as given.
        lost: called with (sample, score) as scores come; True = stop, the rest is not needed.
        preset: values of nodes that are set, not asked (for interventions).
    """
    passing = _Pass(graph, samples, calls, loss, sampling, memo, lost, preset or {})
    waiting = iter(range(len(samples)) if order is None else order)

    def feed() -> bool:
        number = next(waiting, None)
        if number is None or passing.trace.stopped:
            return False
        passing.begin(number)
        return True

    calls.run(feed)
    if memo is not None:
        memo.turn()
    trace = passing.trace
    if not trace.stopped and trace.failed == len(samples):
        error = next(error for error in trace.errors if error is not None)
        raise BadInput(f"Every sample failed. The first: {error.message}", error.hint)
    return trace


def node_inputs(node: Node, values: Mapping[str, Any], nodes: Mapping[str, Node]) -> tuple[dict[str, str], list[str]]:
    """The query variables by name, and the hints in order, that a node receives."""
    queries = {name: values[name] for name in node.inputs if name not in nodes}
    return queries, [values[name] for name in node.inputs if name in nodes]


def node_prompt(node: Node, values: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    """The prompt of a node's own job."""
    if node.template is None:
        queries, hints = node_inputs(node, values, nodes)
        return forward_prompt(node.task, queries, hints, node.output_format)
    found = {name.replace(" ", "_").replace("-", "_"): str(values[name]) for name in node.inputs}
    return fill(node.template, {**found, **node.parameters, "instruction": node.instruction})


class _Step(NamedTuple):
    """What a pass needs of a node, worked out once."""

    node: Node
    name: str
    inputs: tuple[str, ...]
    tag: str
    key: tuple[Any, ...]
    queries: tuple[str, ...]
    hints: tuple[str, ...]
    task: str


class _Pass:
    """One run of a graph over samples."""

    def __init__(
        self,
        graph: Graph,
        samples: Sequence[Sample],
        calls: Calls,
        loss: Loss | None,
        sampling: Sampling,
        memo: Memo[str] | None,
        lost: Callable[[int, float], bool] | None,
        preset: Mapping[str, Any],
    ) -> None:
        shape = graph.structure
        self.nodes, self.calls, self.loss, self.memo, self.lost = graph.nodes, calls, loss, memo, lost
        self.preset, self.settings = preset, sampling.settings()
        self.steps = [_step(graph.nodes[name], graph.nodes, sampling) for name in shape.order]
        self.successors, self.output = shape.successors, shape.position[graph.output.name]
        # What is far from the answer goes first, so that none waits for it at the end; in a race, what is near decides it.
        distance = _distances(graph)
        self.ranks = distance if lost is not None else [-steps for steps in distance]
        self.counts = [len(set(sources)) for sources in shape.predecessors]
        self.sources = [place for place, count in enumerate(self.counts) if not count]
        count = len(samples)
        self.trace = Trace(graph, samples, [{}] * count, [None] * count, [""] * count, [None] * count)
        self.missing: dict[int, list[int]] = {}
        self.ready: deque[tuple[int, int]] = deque()
        self.asked: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
        self.busy = False

    def begin(self, number: int) -> None:
        """Start a sample: all its nodes without predecessors are ready."""
        self.trace.values[number] = dict(self.trace.samples[number].queries)
        self.missing[number] = self.counts.copy()
        self.ready.extend((number, place) for place in self.sources)
        self.work()

    def work(self) -> None:
        """Visit what is ready, until nothing is."""
        if self.busy:  # a reply that came at once, inside a visit: the loop below will see to it
            return
        self.busy = True
        try:
            while self.ready and not self.trace.stopped:
                number, place = self.ready.popleft()
                if self.trace.errors[number] is None:
                    self.visit(number, place)
        finally:
            self.busy = False

    def visit(self, number: int, place: int) -> None:
        step = self.steps[place]
        values = self.trace.values[number]
        if step.name in self.preset:
            self.settle(number, place, self.preset[step.name])
        elif step.node.function is not None:
            self.compute(number, place)
        elif self.memo is None:
            self.ask(number, place, None)
        else:
            key = (*step.key, *[values[name] for name in step.inputs])
            known = self.memo.get(key)
            if known is not None:
                self.settle(number, place, known)
            elif key in self.asked:
                self.asked[key].append((number, place))
            else:
                self.ask(number, place, key)

    def compute(self, number: int, place: int) -> None:
        step = self.steps[place]
        values = self.trace.values[number]
        try:
            value = step.node.function(*[values[name] for name in step.inputs])  # pyright: ignore[reportOptionalCall]
        except Exception as error:  # the user's function may fail in any way
            where = f"node {step.name!r} failed on sample {self.trace.samples[number].id}"
            self.fail(number, BadInput(f"The function of {where}: {type(error).__name__}: {error}"))
            return
        self.settle(number, place, str(value))

    def ask(self, number: int, place: int, key: tuple[Any, ...] | None) -> None:
        step = self.steps[place]
        request = Request((Message("user", self.prompt(number, step)),), tag=step.tag, **self.settings)
        try:
            reply = self.calls.now("forward", request)
        except TenfoldError as error:
            if is_fatal(error):
                raise
            self.fail(number, self.explained(number, place, error))
            return
        if reply is None:
            if key is not None:
                self.asked[key] = [(number, place)]
            self.calls.later("forward", request, partial(self.answered, number, place, key), self.ranks[place])
            return
        value = parse_output(reply.text)
        if key is not None and self.memo is not None:
            self.memo.put(key, value)
        self.settle(number, place, value)

    def prompt(self, number: int, step: _Step) -> str:
        """`node_prompt`, from parts that are made once."""
        values = self.trace.values[number]
        if step.node.template is not None:
            return node_prompt(step.node, values, self.nodes)
        parts = []
        if step.queries:
            parts.append(self.trace.samples[number].context(step.queries))
        if step.hints:
            parts.append(hints_block([values[name] for name in step.hints]))
        parts.append(step.task)
        return "\n\n".join(parts)

    def answered(
        self, number: int, place: int, key: tuple[Any, ...] | None, reply: Reply | None, error: TenfoldError | None
    ) -> None:
        """A model's reply, or an error, for one node of one sample, and for all that wait for the same prompt."""
        waiting = self.asked.pop(key) if key is not None else [(number, place)]
        if reply is None:
            for sample, node in waiting:
                self.fail(sample, self.explained(sample, node, error))
        else:
            value = parse_output(reply.text)
            if key is not None and self.memo is not None:
                self.memo.put(key, value)
            for sample, node in waiting:
                self.settle(sample, node, value)
        self.work()

    def settle(self, number: int, place: int, value: Any) -> None:
        self.trace.values[number][self.steps[place].name] = value
        missing = self.missing[number]
        for successor in self.successors[place]:
            missing[successor] -= 1
            if not missing[successor]:
                self.ready.append((number, successor))
        if place == self.output:
            self.missing.pop(number)
            self.judge(number, value)

    def judge(self, number: int, output: str) -> None:
        sample = self.trace.samples[number]
        if self.loss is None:
            return
        if isinstance(self.loss, Judge):
            request = self.loss.request(sample.task, output)
            self.calls.ask("judge", request, partial(self.judged, number, self.loss))
            return
        self.scored(number, *score_of(self.loss, sample.task, output))

    def judged(self, number: int, loss: Judge, reply: Reply | None, error: TenfoldError | None) -> None:
        if reply is None:
            self.fail(number, error or BadInput("The judge gave no reply."))
        else:
            self.scored(number, *loss.read(reply.text))

    def scored(self, number: int, score: float, feedback: str) -> None:
        self.trace.scores[number], self.trace.feedback[number] = score, feedback
        if self.lost is not None and self.lost(number, score):
            self.trace.stopped = True
            self.ready.clear()
            self.calls.stop()

    def fail(self, number: int, error: TenfoldError) -> None:
        if self.trace.errors[number] is None:
            self.trace.errors[number] = error
            self.missing.pop(number, None)
            if self.loss is not None:
                self.scored(number, 0.0, "")

    def explained(self, number: int, place: int, error: TenfoldError | None) -> TenfoldError:
        """The error with node and sample, and for a prompt that is too long with its largest block."""
        step = self.steps[place]
        error = error or BadInput("The model gave no reply.")
        message = f"Node {step.name!r}, sample {self.trace.samples[number].id}: {error.message}"
        if isinstance(error, ContextOverflow):
            message += (
                f" The largest block of the prompt is {largest_block(step.node, self.trace.values[number], self.nodes)}."
            )
        made = BadInput(message, error.hint)
        made.__cause__ = error
        return made


def largest_block(node: Node, values: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    """Name and length of the longest part of a node's prompt, e.g. "question (81,200 characters)"."""
    sizes = {name: len(str(values.get(name, ""))) for name in node.inputs}
    sizes["instruction"] = len(node.task)
    name = max(sizes, key=lambda item: sizes[item])
    return f"{name} ({sizes[name]:,} characters)"


def _distances(graph: Graph) -> list[int]:
    """Edges on the longest way from each node to the end, by position."""
    found = [0] * len(graph.nodes)
    for place in range(len(found) - 1, -1, -1):
        found[place] = max((found[successor] + 1 for successor in graph.structure.successors[place]), default=0)
    return found


def _step(node: Node, nodes: Mapping[str, Node], sampling: Sampling) -> _Step:
    """Two nodes with equal keys and equal input values have equal prompts."""
    kinds = tuple(None if name in nodes else name for name in node.inputs)
    names = node.inputs if node.template is not None else kinds
    key = (node.template, node.output_format, sampling, names, *node.texts.values())
    queries = tuple(name for name in node.inputs if name not in nodes)
    hints = tuple(name for name in node.inputs if name in nodes)
    task = task_block(node.task, node.output_format)
    return _Step(node, node.name, node.inputs, f"forward:{node.name}", key, queries, hints, task)
