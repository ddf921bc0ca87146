"""What a run's history shows: scores, decisions, changes, and the texts step by step; for terminal, page and report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.files import read_json, read_lines, read_object
from tenfold.semgrad.graph import Graph, without_functions
from tenfold.semgrad.history import Step

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "Change",
    "RunView",
    "Seen",
    "changes",
    "curve",
    "decisions",
    "kept_changes",
    "run_figures",
    "sample_figure",
    "samples_seen",
    "view_run",
]

KEPT, REJECTED, NOTHING = "kept", "rejected", "no proposal"


class Change(NamedTuple):
    """A text that a step changed for good."""

    step: int
    parameter: str
    before: str
    after: str


class Seen(NamedTuple):
    """A sample that was looked at in a step: its values, and the advice on the edges.

    Attributes:
        step: from 1.
        sample: number of the training sample.
        values: of query variables and nodes.
        feedback: of the loss on the answer; empty at the level none.
        advice: what flows back over the edge (node, its successor).
        graph: with the texts that the sample was run with.
    """

    step: int
    sample: int
    values: Mapping[str, str]
    feedback: str
    advice: Mapping[tuple[str, str], str]
    graph: Graph


class RunView(NamedTuple):
    """A run's folder, finished or not.

    Attributes:
        start: the graph that was given.
        best: the best so far.
        history: the steps.
        result: `Result.to_dict`, or empty while the run is not finished.
        config: what was asked.
    """

    start: Graph
    best: Graph
    history: list[Step]
    result: Mapping[str, Any]
    config: Mapping[str, Any]


def view_run(folder: Path) -> RunView:
    """Read a run's folder to look at it; nothing is changed or locked.

    Raises:
        BadInput: it is no folder of such a run.
    """
    if not (folder / "config.json").is_file():
        raise BadInput(f"{folder} holds no run of semgrad.", "Give the folder of a `tenfold semgrad run`.")
    config = read_json(folder / "config.json")
    if not isinstance(config, Mapping) or config.get("system") != "semgrad" or not isinstance(config.get("graph"), Mapping):
        raise BadInput(f"{folder} holds no run of semgrad.", "Give the folder of a `tenfold semgrad run`.")
    start = without_functions(config["graph"])
    best = folder / "best.json"
    result = read_object(folder / "result.json") if (folder / "result.json").is_file() else {}
    history = [Step.from_dict(row) for row in read_lines(folder / "history.jsonl")]
    return RunView(start, without_functions(read_json(best)) if best.is_file() else start, history, result, config)


def curve(start_score: float, history: Sequence[Step]) -> list[float]:
    """Training score of the kept graph at the start and after each step."""
    return [start_score, *(step.score for step in history)]


def decisions(history: Sequence[Step]) -> list[tuple[str, str]]:
    """(kept | rejected | no proposal, words) for each round."""
    found = []
    for step in history:
        for item in step.rounds:
            kind = KEPT if item.accepted else REJECTED if item.proposals else NOTHING
            moved = ", ".join(item.proposals) or ", ".join(f"{name} {why}" for name, why in item.dropped.items())
            score = "" if item.score is None else f", score {item.score:.3f}"
            found.append((kind, f"in step {step.step}: {moved}; {item.reason}{score}"))
    return found


def kept_changes(start: Graph, history: Sequence[Step]) -> list[Change]:
    """Every text that differs after a step from what it was before, in order."""
    before: Mapping[str, str] = start.instructions
    found = []
    for step in history:
        found += [
            Change(step.step, name, before[name], text)
            for name, text in step.instructions.items()
            if name in before and text != before[name]
        ]
        before = step.instructions
    return found


def changes(start: Graph, history: Sequence[Step]) -> dict[str, int]:
    """How many steps changed each parameter for good."""
    found = dict.fromkeys(start.instructions, 0)
    for change in kept_changes(start, history):
        found[change.parameter] += 1
    return found


def samples_seen(before: Graph, step: Step) -> list[Seen]:
    """The samples that a step drew, each once, with their values and the advice on every edge.

    Args:
        before: the graph as the step began.
        step: of the same run.
    """
    found: dict[int, Seen] = {}
    graph = before
    for item in step.rounds:
        for number, values, gradients in zip(item.samples, item.values, item.gradients, strict=True):
            feedback = gradients.get("nodes", {}).get(graph.output.name, [])
            advice = {(source, node): text for node, source, text in gradients.get("edges", [])}
            found.setdefault(number, Seen(step.step, number, values, " ".join(feedback), advice, graph))
        graph = graph.with_instructions(item.proposals) if item.accepted else graph
    return list(found.values())


def sample_figure(seen: Seen, title: str = "") -> "go.Figure":
    """The graph with a sample's values and the advice on its edges."""
    from tenfold.semgrad.pictures import graph_figure

    graph = seen.graph
    return graph_figure(
        {name: node.inputs for name, node in graph.nodes.items()},
        values=seen.values,
        instructions={name: node.task for name, node in graph.nodes.items()},
        advice=seen.advice,
        output=graph.output.name,
        title=title,
    )


def run_figures(
    start: Graph, start_score: float, history: Sequence[Step], test_score: float | None = None
) -> "list[go.Figure]":
    """Pictures of one run for its report: curve, decisions, changes, and the first sample with its advice."""
    from tenfold.semgrad.pictures import changes_figure, decisions_figure, score_figure

    figure = score_figure({"training questions": [curve(start_score, history)]}, title="Score over steps")
    if test_score is not None:
        figure.add_scatter(
            x=[len(history)], y=[test_score], mode="markers", marker={"symbol": "star", "size": 13}, name="held-out, best"
        )
    found = [
        figure,
        decisions_figure(decisions(history), title="What the gate decided, round by round"),
        changes_figure(changes(start, history), title="Kept changes of each instruction"),
    ]
    seen = samples_seen(start, history[0]) if history else []
    return [*found, sample_figure(seen[0], f"Sample {seen[0].sample} in step 1")] if seen else found
