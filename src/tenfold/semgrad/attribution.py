"""Attribution by intervention: set a node's value to what it should have been, run what depends on it again, and see.

Feedback says how a hint should change; this checks whether that change would have helped. Only successors are asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.semgrad.backward import Gradients, Job, backward_pass, check_level
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.losses import loss_named
from tenfold.semgrad.memo import Memo
from tenfold.semgrad.runtime import GREEDY, Sampling, Trace, evaluate, run

__all__ = ["Attribution", "Tried", "advised", "attribute", "try_advice"]


class Attribution(NamedTuple):
    """What one swapped value did.

    Attributes:
        node: whose value was swapped.
        value: what it was.
        candidate: what it was set to.
        answer: the graph's answer then.
        before: score in [0, 1] without the swap.
        after: score with it.
    """

    node: str
    value: str
    candidate: str
    answer: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """What the swap adds to the score, in [-1, 1]."""
        return self.after - self.before

    @property
    def improves(self) -> bool:
        """Whether the advice holds: the score rises when it is followed."""
        return self.after > self.before


class Tried(NamedTuple):
    """A sample that was answered wrongly, and what each piece of advice on it would have done.

    Attributes:
        sample: its id.
        answer: the graph's.
        target: the right one.
        swaps: one for each value that the advice names.
    """

    sample: str
    answer: str
    target: str
    swaps: list[Attribution]


def try_advice(
    graph: Graph,
    samples: Any,
    models: Any = "engine:rules",
    *,
    metric: Any = "exact",
    neighbourhood: str = "full",
    count: int = 2,
    sampling: Sampling = GREEDY,
    **client: Any,
) -> list[Tried]:
    """Run a graph, ask for advice on its first wrong answers, and follow each piece of advice by itself.

    Args:
        graph: to be looked at; it is not changed.
        samples: rows with `target` and the query variables.
        models: a model string, a client, or either by role; or open `Calls`.
        metric: of the score.
        neighbourhood: full, self or bare.
        count: wrong answers to look at.
        sampling: how replies are drawn.
        **client: settings of `llm.Client`, e.g. budget, for models that are strings.

    Raises:
        BadInput: the level none, which gives no advice; or the graph or the rows do not hold.
    """
    from tenfold.semgrad.roles import open_calls

    check_level(neighbourhood)
    if neighbourhood == "none":
        raise BadInput("At the level none there is no advice to be tried.", "Use full, self or bare.")
    with open_calls(models, **client) as calls:
        trace = run(graph, samples, calls, metric=metric, sampling=sampling)
        answered = [place for place, error in enumerate(trace.errors) if error is None]
        wrong = [place for place in answered if (trace.scores[place] or 0.0) < 1][:count]
        jobs = [Job(trace.values[place], trace.feedback[place]) for place in wrong]
        advice = backward_pass(graph, jobs, calls, neighbourhood=neighbourhood, sampling=sampling)
        found = []
        for place, gradients in zip(wrong, advice, strict=True):
            swaps = attribute(graph, trace, place, gradients, calls, metric=metric, sampling=sampling)
            sample = trace.samples[place]
            found.append(Tried(sample.id, str(trace.answers[place]), str(sample.task["target"]), swaps))
        return found


def attribute(
    graph: Graph,
    trace: Trace,
    sample: int | str,
    targets: Mapping[str, Any] | Gradients,
    models: Any = "engine:rules",
    *,
    metric: Any = "exact",
    sampling: Sampling = GREEDY,
) -> list[Attribution]:
    """Swap hints of one sample and measure what the answer gains.

    Args:
        graph: that made the trace.
        trace: of `run` or an evaluation.
        sample: number in the trace, or id.
        targets: {node: value, or values to be tried one by one}; or gradients, whose advice "should be a or b" is tried.
        models: a model string, a client, or either by role.
        metric: of the score.
        sampling: how replies are drawn.

    Returns:
        One row for each node and candidate; rows that do not `improves` flag advice that would not have helped.

    Raises:
        BadInput: no such sample or node, or the sample failed.
    """
    from tenfold.semgrad.roles import open_calls

    number = _number(trace, sample)
    values = trace.values[number]
    if trace.errors[number] is not None:
        raise BadInput(f"Sample {sample} failed, so that nothing can be swapped in it: {trace.errors[number]}")
    loss = loss_named(metric)
    rows = []
    memo: Memo[str] = Memo()
    with open_calls(models) as calls:

        def rerun(preset: Mapping[str, Any]) -> Trace:
            one = [trace.samples[number]]
            return evaluate(graph, one, calls, loss=loss, sampling=sampling, memo=memo, preset=preset)

        before = rerun({name: values[name] for name in graph.nodes}).score
        for name, candidate in _candidates(graph, targets):
            again = _descendants(graph, name)
            preset = {node: values[node] for node in graph.nodes if node not in again} | {name: candidate}
            made = rerun(preset)
            rows.append(Attribution(name, str(values[name]), candidate, str(made.answers[0]), before, made.score))
    return rows


def advised(text: str) -> tuple[str, ...]:
    """The values in advice such as "should be a or b", likeliest first as they stand; not those that "should stay"."""
    found = re.search(r"\bshould (?:probably |rather |either )?((?:be|stay) .+)", text, re.DOTALL)
    if not found or found[1].startswith("be not "):
        return ()
    words = re.split(r"\.(?:\s|$)|;|, (?:not|because|since|so)\b| instead\b", found[1], maxsplit=1)[0]
    values, verb = [], ""
    for part in re.split(r"\s+or\s+" + _OUTSIDE_QUOTES, words):
        begun = re.match(r"(be|stay)\s+", part)
        verb = begun[1] if begun else verb
        value = re.sub(r"\s*\(\d+ ?%\)$", "", part[begun.end() if begun else 0 :].strip()).strip().strip("\"'`")
        if verb == "be" and value:
            values.append(value)
    return tuple(dict.fromkeys(values))


# What follows holds an even number of quotation marks.
_OUTSIDE_QUOTES = r"(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"


def _candidates(graph: Graph, targets: Mapping[str, Any] | Gradients) -> Iterator[tuple[str, str]]:
    if isinstance(targets, Gradients):
        targets = {name: [v for text in texts for v in advised(text)] for name, texts in targets.nodes.items()}
        targets.pop(graph.output.name, None)
    for name, wanted in targets.items():
        if name not in graph.nodes:
            raise BadInput(f"The graph has no node {name!r}.", f"It has: {', '.join(graph.nodes)}.")
        several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
        for candidate in dict.fromkeys(str(item) for item in (wanted if several else [wanted])):
            yield name, candidate


def _descendants(graph: Graph, name: str) -> set[str]:
    """Nodes whose value may change with the node's."""
    shape = graph.structure
    found: set[int] = set()
    waiting = [shape.position[name]]
    while waiting:
        for successor in shape.successors[waiting.pop()]:
            if successor not in found:
                found.add(successor)
                waiting.append(successor)
    return {shape.order[place] for place in found}


def _number(trace: Trace, sample: int | str) -> int:
    if isinstance(sample, int) and 0 <= sample < len(trace.samples):
        return sample
    ids = [item.id for item in trace.samples]
    if str(sample) not in ids:
        raise BadInput(f"The trace has no sample {sample!r}.", f"It has {len(ids)}, numbered from 0.")
    return ids.index(str(sample))
