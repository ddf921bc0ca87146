"""Semantic backpropagation: feedback on the answer is carried back along every edge (section 1.1 of the spec).

For an edge v -> w the part-gradient is g[w, v] = h(v; siblings of v, w, f_w, query; G[w]), and G[v] joins the parts of all
successors. In text, h is a model's call, whose view is the neighbourhood level, and G[v] lists what was received. In
numbers, h = G[w] * df_w/dv and the parts are summed: reverse-mode differentiation, by the same traversal.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.graph import LEVELS, Graph, Node
from tenfold.semgrad.prompts import backward_prompt, hints_schema, parse_hints, repaired
from tenfold.semgrad.runtime import GREEDY, Sampling, node_inputs

__all__ = ["Gradients", "Job", "backpropagate", "backward_calls", "backward_pass", "level_of", "receivers"]


@dataclass
class Gradients:
    """The semantic gradients of one sample.

    Attributes:
        nodes: what each node received, in the order of its successors; the output node has the loss's feedback.
        edges: (w, v) -> what the backward call at w says about its hint v.
        missing: edges (w, v) whose advice did not come, also after one repair.
        errors: of backward calls that failed, by node.
    """

    nodes: dict[str, list[str]] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    errors: dict[str, TenfoldError] = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[str]:
        return self.nodes.get(name, [])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; an edge is [w, v, text]."""
        return {
            "nodes": {name: list(texts) for name, texts in self.nodes.items()},
            "edges": [[w, v, text] for (w, v), text in self.edges.items()],
            "missing": [list(edge) for edge in self.missing],
            "errors": {name: error.message for name, error in self.errors.items()},
        }


class Job(NamedTuple):
    """One sample to backpropagate: its values, and the feedback on its answer."""

    values: Mapping[str, Any]
    feedback: str


def backpropagate(
    graph: Graph,
    values: Mapping[str, Any],
    *,
    mode: str = "text",
    feedback: str = "",
    models: Any = "engine:rules",
    neighbourhood: str = "full",
    sampling: Sampling = GREEDY,
) -> Any:
    """Gradients of the answer with respect to everything before it.

    Args:
        graph: its nodes are functions with `partials` in numeric mode, prompts or functions in text mode.
        values: numeric mode: numbers for the query variables (nodes' values are computed where they are not given);
            text mode: the texts of one sample of a trace, `trace.values[i]`.
        mode: "numeric" or "text".
        feedback: text mode: on the answer, e.g. `trace.feedback[i]`.
        models: text mode: model string, client, or either by role (`backward`).
        neighbourhood: text mode: full, self, bare or none; a node's own level goes first.
        sampling: text mode: how replies are drawn.

    Returns:
        numeric: {name: derivative of the answer} for every node and query variable; text: `Gradients`.

    Raises:
        BadInput: an unknown mode or level, a value or partial derivative that is missing, a function that fails.
    """
    if mode == "numeric":
        return _numeric(graph, values)
    if mode != "text":
        raise BadInput(f"The mode {mode!r} is unknown.", "Modes are: numeric, text.")
    check_level(neighbourhood)
    graph.validate()
    missing = [name for name in (*graph.queries, *graph.nodes) if name not in values]
    if missing:
        raise BadInput(f"values has no {missing[0]!r}.", "Give all values of one sample: trace.values[i].")
    if not feedback.strip():
        raise BadInput("There is no feedback to carry back.", "Give feedback=, e.g. 'The output should be 12.'")
    from tenfold.semgrad.roles import open_calls

    with open_calls(models) as calls:
        return backward_pass(graph, [Job(values, feedback)], calls, neighbourhood=neighbourhood, sampling=sampling)[0]


def backward_pass(
    graph: Graph, jobs: Sequence[Job], calls: Calls, *, neighbourhood: str = "full", sampling: Sampling = GREEDY
) -> list[Gradients]:
    """Text gradients of several samples at once; a node's call starts when all its successors have spoken."""
    plan = _plan(graph, neighbourhood)
    passes = [_Backward(graph, job, calls, plan, sampling) for job in jobs]
    waiting = iter(passes)

    def feed() -> bool:
        following = next(waiting, None)
        if following is not None:
            following.begin()
        return following is not None

    calls.run(feed)
    return [_in_order(made.gradients, graph) for made in passes]


def receivers(graph: Graph) -> frozenset[str]:
    """Nodes that can use a gradient: they, or nodes before them, have a text that may be changed."""
    found = set()
    for name in graph.structure.order:
        node = graph.nodes[name]
        if (node.trainable and node.function is None) or any(source in found for source in node.inputs):
            found.add(name)
    return frozenset(found)


def backward_calls(graph: Graph, neighbourhood: str = "full") -> int:
    """How many backward calls one sample costs, without repairs."""
    return sum(1 if item.level == "full" else len(item.sources) for item in _plan(graph, neighbourhood).values())


def level_of(node: Node, neighbourhood: str) -> str:
    """The level of a node's backward call: its own, else the graph's."""
    return node.neighbourhood or neighbourhood


def check_level(neighbourhood: str) -> None:
    """Refuse an unknown level.

    Raises:
        BadInput: it is unknown.
    """
    if neighbourhood not in LEVELS:
        raise BadInput(f"The neighbourhood {neighbourhood!r} is unknown.", f"Levels are: {', '.join(LEVELS)}.")


class _Item(NamedTuple):
    """A node with a backward call: its level, all its hints by number, and those that can use a gradient."""

    node: Node
    level: str
    hints: dict[int, str]
    sources: dict[int, str]


def _plan(graph: Graph, neighbourhood: str) -> dict[str, _Item]:
    wanting = receivers(graph)
    plan = {}
    for name in reversed(graph.structure.order):
        node = graph.nodes[name]
        hints = dict(enumerate((source for source in node.inputs if source in graph.nodes), start=1))
        sources = {number: source for number, source in hints.items() if source in wanting}
        level = level_of(node, neighbourhood)
        if sources and level != "none":
            plan[name] = _Item(node, level, hints, sources)
    return plan


class _Backward:
    """The traversal of one sample."""

    def __init__(self, graph: Graph, job: Job, calls: Calls, plan: Mapping[str, _Item], sampling: Sampling) -> None:
        shape = graph.structure
        self.graph, self.job, self.calls, self.plan, self.settings = graph, job, calls, plan, sampling.settings()
        self.order = shape.position
        self.outstanding = [len(successors) for successors in shape.successors]
        self.calls_left: dict[str, int] = {}
        self.gradients = Gradients({graph.output.name: [job.feedback]})
        self.ready: deque[str] = deque()
        self.busy = False

    def begin(self) -> None:
        self.ready.append(self.graph.output.name)
        self.work()

    def work(self) -> None:
        if self.busy:
            return
        self.busy = True
        try:
            while self.ready:
                self.visit(self.ready.popleft())
        finally:
            self.busy = False

    def visit(self, name: str) -> None:
        """All successors have spoken: join what they said, and ask about this node's own hints."""
        if name != self.graph.output.name:
            successors = self.graph.structure.successors[self.order[name]]
            names = [self.graph.structure.order[place] for place in successors]
            received = [self.gradients.edges[w, name] for w in names if (w, name) in self.gradients.edges]
            if received:
                self.gradients.nodes[name] = received
        item = self.plan.get(name)
        if item is None or name not in self.gradients.nodes:
            self.finish(name)
            return
        groups = [item.hints] if item.level == "full" else [{number: source} for number, source in item.sources.items()]
        self.calls_left[name] = len(groups)
        for hints in groups:
            self.ask(item, hints, ())

    def ask(self, item: _Item, hints: Mapping[int, str], lacking: tuple[int, ...]) -> None:
        prompt = self.prompt(item, hints)
        request = Request.of(
            repaired(prompt, lacking) if lacking else prompt, tag=f"backward:{item.node.name}", **self.settings
        )
        if self.calls.takes_schema("backward"):
            request = request.with_(json_schema=hints_schema(list(hints)))
        self.calls.ask("backward", request, partial(self.answered, item, hints, lacking))

    def prompt(self, item: _Item, hints: Mapping[int, str]) -> str:
        queries, _ = node_inputs(item.node, self.job.values, self.graph.nodes)
        shown = {number: str(self.job.values[source]) for number, source in hints.items()}
        received = self.gradients.nodes[item.node.name]
        output = str(self.job.values[item.node.name])
        return backward_prompt(item.level, item.node.task, queries, shown, output, received)

    def answered(
        self,
        item: _Item,
        hints: Mapping[int, str],
        lacking: tuple[int, ...],
        reply: Reply | None,
        error: TenfoldError | None,
    ) -> None:
        """Take the advice; if a wanted hint has none, ask once more, then record it as missing."""
        name = item.node.name
        wanted = [number for number in hints if number in item.sources]
        found = {} if reply is None else parse_hints(reply.text, list(hints))
        if error is not None:
            self.gradients.errors[name] = error
        for number in wanted:
            if number in found:
                self.gradients.edges.setdefault((name, item.sources[number]), found[number])
        without = tuple(n for n in wanted if (name, item.sources[n]) not in self.gradients.edges)
        if without and not lacking and error is None:
            self.ask(item, hints, without)
            return
        self.gradients.missing.extend((name, item.sources[number]) for number in without)
        self.calls_left[name] -= 1
        if not self.calls_left[name]:
            self.finish(name)
        self.work()

    def finish(self, name: str) -> None:
        for place in dict.fromkeys(self.graph.structure.predecessors[self.order[name]]):
            self.outstanding[place] -= 1
            if not self.outstanding[place]:
                self.ready.append(self.graph.structure.order[place])


def _in_order(found: Gradients, graph: Graph) -> Gradients:
    """The same, in the graph's order: replies come in any."""
    place = graph.structure.position
    edges = sorted(found.edges, key=lambda edge: (-place[edge[0]], place[edge[1]]))
    nodes = sorted(found.nodes, key=lambda name: -place[name])
    missing = sorted(found.missing, key=lambda edge: (-place[edge[0]], place[edge[1]]))
    errors = {name: found.errors[name] for name in sorted(found.errors)}
    return Gradients({n: found.nodes[n] for n in nodes}, {e: found.edges[e] for e in edges}, missing, errors)


def _numeric(graph: Graph, values: Mapping[str, Any]) -> dict[str, float]:
    output = _last(graph)
    known = _numbers(graph, values)
    gradients = dict.fromkeys([*graph.queries, *graph.nodes], 0.0)
    gradients[output] = 1.0
    for name in reversed(graph.structure.order):
        if gradients[name] == 0.0:
            continue
        node = graph.nodes[name]
        for source, slope in zip(node.inputs, _partials(node, [known[source] for source in node.inputs]), strict=True):
            gradients[source] += gradients[name] * slope
    return gradients


def _last(graph: Graph) -> str:
    """The output; in a graph of functions alone it need not be marked where only one node has no successor."""
    ends = [name for name, after in zip(graph.structure.order, graph.structure.successors, strict=True) if not after]
    is_marked = any(node.output for node in graph.nodes.values())
    return graph.output.name if is_marked or len(ends) != 1 else ends[0]


def _numbers(graph: Graph, values: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(values)
    for name in graph.queries:
        if name not in known:
            raise BadInput(f"values has no {name!r}, which the graph takes.")
    for name in graph.structure.order:
        if name in known:
            continue
        node = graph.nodes[name]
        if node.function is None:
            raise BadInput(f"Node {name!r} is a prompt; numeric gradients need functions.", "Give function= and partials=.")
        known[name] = _called(node.function, name, [known[source] for source in node.inputs])
    return known


def _partials(node: Node, inputs: Sequence[Any]) -> list[Any]:
    if node.partials is None:
        raise BadInput(f"Node {node.name!r} has no partials.", "Give partials=: one derivative for each input.")
    found = _called(node.partials, node.name, inputs) if callable(node.partials) else node.partials
    if isinstance(found, Mapping):
        found = [found.get(name) for name in node.inputs]
    if not isinstance(found, (Sequence, tuple)):
        found = list(found) if getattr(found, "ndim", 0) else [found]
    slopes = [_called(slope, node.name, inputs) if callable(slope) else slope for slope in found]
    if len(slopes) != len(node.inputs) or any(slope is None for slope in slopes):
        message = f"Node {node.name!r} has {len(node.inputs)} inputs, and its partials are {str(found)[:60]}."
        raise BadInput(message, "Give one derivative for each input.")
    return slopes


def _called(function: Callable[..., Any], name: str, inputs: Sequence[Any]) -> Any:
    try:
        return function(*inputs)
    except Exception as error:  # the user's function may fail in any way
        raise BadInput(f"A function of node {name!r} failed: {type(error).__name__}: {error}") from error
