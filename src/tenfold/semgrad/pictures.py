"""Plotly pictures of graphs, curves and decisions, and prompt differences as HTML. They take plain values, not runs."""

import difflib
import html
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from tenfold.core.experiment import bootstrap_interval
from tenfold.core.theme import PALETTE, style_figure

__all__ = [
    "Place",
    "calls_figure",
    "changes_figure",
    "decisions_figure",
    "diff_html",
    "diff_words",
    "graph_figure",
    "layout",
    "score_figure",
]

GREY = "#808080"


class Place(NamedTuple):
    """Where a node stands: x in [-0.5, 0.5], layer 0, 1, ... counted from the queries."""

    x: float
    layer: int


def layout(inputs: Mapping[str, Sequence[str]]) -> dict[str, Place]:
    """Layers of a DAG: a node stands one layer below its deepest input; order within a layer by neighbours' mean place.

    Args:
        inputs: names of the inputs of every node; names that are no key (queries) have none.
    """
    depth: dict[str, int] = {}
    for name in _in_order(inputs):
        depth[name] = 1 + max((depth[source] for source in inputs.get(name, ())), default=-1)
    layers: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name, layer in depth.items():
        layers[layer].append(name)
    places: dict[str, Place] = {}
    for number, layer in enumerate(layers):
        _spread(layer, number, places)
    outputs: dict[str, list[str]] = {name: [] for name in depth}
    for name, sources in inputs.items():
        for source in sources:
            outputs[source].append(name)
    down = list(enumerate(layers))
    for _ in range(2):  # down by inputs, up by outputs, twice: enough for graphs that people draw
        for near, order in ((inputs, down), (outputs, down[::-1])):
            for number, layer in order:
                layer.sort(key=lambda name: _mean([places[other].x for other in near.get(name, ())], places[name].x))
                _spread(layer, number, places)
    return places


def graph_figure(
    inputs: Mapping[str, Sequence[str]],
    *,
    values: Mapping[str, str] | None = None,
    instructions: Mapping[str, str] | None = None,
    advice: Mapping[tuple[str, str], str] | None = None,
    output: str = "",
    title: str = "",
) -> go.Figure:
    """A graph from its queries (top) to its output (bottom): values under the names, advice on the edges.

    Args:
        inputs: names of the inputs of every node.
        values: of nodes and queries, for one sample.
        instructions: of nodes; shown when pointed at.
        advice: what flows back over the edge (node, its successor); edges with some are coloured and marked.
        output: name of the output node.
        title: of the picture.
    """
    values, instructions, advice = values or {}, instructions or {}, advice or {}
    places = layout(inputs)
    figure = go.Figure()
    edges = [(source, name) for name, sources in inputs.items() for source in sources]
    for source, name in edges:
        _draw_arrow(figure, places[source], places[name], PALETTE[1] if (source, name) in advice else GREY)
    marked = [edge for edge in edges if edge in advice]
    if marked:
        _draw_advice(figure, places, {edge: advice[edge] for edge in marked})
    for kind, colour, symbol, names in (
        ("query", GREY, "square", [name for name in places if name not in inputs]),
        ("node", PALETTE[0], "circle", [name for name in inputs if name != output]),
        ("output", PALETTE[2], "circle", [name for name in inputs if name == output]),
    ):
        if names:
            _draw_nodes(figure, places, names, (kind, colour, symbol), values, instructions)
    figure.update_xaxes(range=[-0.62, 0.62], visible=False, fixedrange=True)
    deepest = max((place.layer for place in places.values()), default=0)
    figure.update_yaxes(range=[-deepest - 0.25, 0.4], visible=False, fixedrange=True)
    style_figure(figure, title=title, height=130 + 120 * (deepest + 1))
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 50 if title else 10, "b": 40}, legend={"y": -0.02})


def score_figure(curves: Mapping[str, Sequence[Sequence[float | None]]], *, title: str = "", x: str = "step") -> go.Figure:
    """Scores over steps, one line for each name; over several seeds the mean with its 95 % bootstrap band.

    Args:
        curves: for each name one list of scores for each seed; a run that stopped earlier keeps its last score, and a
            score that is not known (None) is left out.
        title: of the picture.
        x: what is counted.
    """
    figure = go.Figure()
    for index, (name, runs) in enumerate(curves.items()):
        runs = [run for run in runs if len(run)]
        if not runs:
            continue
        length = max(len(run) for run in runs)
        columns = [[run[min(step, len(run) - 1)] for run in runs] for step in range(length)]
        known = {step: [score for score in column if score is not None] for step, column in enumerate(columns)}
        steps = [step for step, column in known.items() if column]
        found = [bootstrap_interval(known[step], resamples=1000) for step in steps]
        colour = PALETTE[index % len(PALETTE)]
        if len(runs) > 1:
            figure.add_scatter(
                x=steps + steps[::-1],
                y=[item.high for item in found] + [item.low for item in reversed(found)],
                fill="toself",
                fillcolor=_faint(colour),
                mode="lines",
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        label = f"{name} ({len(runs)} seeds)" if len(runs) > 1 else name
        figure.add_scatter(
            x=steps,
            y=[item.mean for item in found],
            name=label,
            mode="lines+markers",
            line={"color": colour},
            legendgroup=name,
        )
    figure.update_yaxes(range=[-0.02, 1.04])
    figure.update_xaxes(tick0=0, dtick=_tick(max((len(run) for runs in curves.values() for run in runs), default=1)))
    return style_figure(figure, title=title, x=x, y="score")


def decisions_figure(decisions: Sequence[tuple[str, str]], *, title: str = "") -> go.Figure:
    """A strip with one mark for each round: kept, rejected, or no proposal; what moved is said when pointed at.

    Args:
        decisions: (decision, words) for each round; decision is "kept", "rejected" or "no proposal".
        title: of the picture.
    """
    figure = go.Figure()
    kinds = (("kept", PALETTE[2], "square"), ("rejected", PALETTE[1], "x"), ("no proposal", GREY, "line-ew-open"))
    for kind, colour, symbol in kinds:
        rounds = [number for number, (found, _) in enumerate(decisions, start=1) if found == kind]
        if rounds:
            figure.add_scatter(
                x=rounds,
                y=[0] * len(rounds),
                mode="markers",
                name=kind,
                marker={"symbol": symbol, "size": 12, "color": colour, "line": {"width": 2, "color": colour}},
                hovertext=[f"{kind} {_wrapped(decisions[number - 1][1])}" for number in rounds],
                hoverinfo="text",
            )
    count = max(len(decisions), 1)
    style_figure(figure, title=title, height=200)
    figure.update_yaxes(visible=False, range=[-1, 1], fixedrange=True)
    figure.update_xaxes(range=[0.4, count + 0.6], fixedrange=True, tick0=1, dtick=_tick(count), zeroline=False)
    margin = {"l": 20, "r": 20, "t": 50 if title else 30, "b": 80}
    return figure.update_layout(margin=margin, showlegend=True, legend={"y": -0.5})


def changes_figure(changes: Mapping[str, int], *, title: str = "") -> go.Figure:
    """How often each parameter's text was changed for good."""
    names = list(changes)
    figure = go.Figure(go.Bar(x=[changes[name] for name in names], y=names, orientation="h", marker={"color": PALETTE[0]}))
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(rangemode="tozero", tick0=0, dtick=_tick(max(changes.values(), default=1)))
    return style_figure(figure, title=title, x="kept changes", height=140 + 34 * max(1, len(names)))


def calls_figure(
    calls: Mapping[str, Sequence[int | None]], *, goal: float = 0.95, budget: int | None = None, title: str = ""
) -> go.Figure:
    """Calls until a score was reached: one point for each seed; seeds that did not get there stand at the right edge.

    Args:
        calls: for each method one number for each seed; None = the score was not reached.
        goal: the score.
        budget: where the runs ended; drawn as a dashed line.
        title: of the picture.
    """
    reached = [count for counts in calls.values() for count in counts if count is not None]
    edge = budget or max(reached, default=1) * 1.1
    figure = go.Figure()
    for index, (name, counts) in enumerate(calls.items()):
        colour, there = PALETTE[index % len(PALETTE)], sum(count is not None for count in counts)
        figure.add_scatter(
            x=[edge if count is None else count for count in counts],
            y=[f"{name} ({there} of {len(counts)})"] * len(counts),
            mode="markers",
            name=name,
            showlegend=False,
            marker={
                "color": colour,
                "size": 10,
                "opacity": 0.7,
                "symbol": ["x-thin-open" if count is None else "circle" for count in counts],
            },
            hovertext=["not reached" if count is None else f"{count} calls" for count in counts],
            hoverinfo="text",
        )
    if budget is not None:
        figure.add_vline(x=budget, line={"dash": "dash", "color": GREY})
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(rangemode="tozero")
    style_figure(figure, title=title, x=f"calls until the score was {goal:g}", height=130 + 36 * max(1, len(calls)))
    return figure.update_layout(margin={"b": 60})


def diff_words(before: str, after: str) -> list[tuple[str, str]]:
    """What changed between two texts, word by word: ("same" | "del" | "ins", text), in reading order."""
    old, new = _words(before), _words(after)
    found: list[tuple[str, str]] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(("same", "".join(old[i1:i2])))
            continue
        if i2 > i1:
            found.append(("del", "".join(old[i1:i2])))
        if j2 > j1:
            found.append(("ins", "".join(new[j1:j2])))
    return found


def diff_html(before: str, after: str) -> str:
    """The same as HTML: removed words in `del`, added words in `ins`; all text is escaped."""
    marked = []
    for kind, text in diff_words(before, after):
        safe = html.escape(text).replace("\n", "<br>")
        marked.append(safe if kind == "same" else f"<{kind}>{safe}</{kind}>")
    return "".join(marked)


def _in_order(inputs: Mapping[str, Sequence[str]]) -> list[str]:
    """Every name after its inputs, without recursion: chains may be long."""
    order: dict[str, None] = {}
    for start in inputs:
        stack = [start]
        while stack:
            name = stack[-1]
            left = [source for source in inputs.get(name, ()) if source not in order]
            if left:
                stack.extend(reversed(left))
                continue
            order[stack.pop()] = None
    return list(order)


def _spread(names: Sequence[str], layer: int, places: dict[str, Place]) -> None:
    """Places for one layer's names, evenly from left to right."""
    places.update((name, Place((index + 0.5) / len(names) - 0.5, layer)) for index, name in enumerate(names))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _draw_arrow(figure: go.Figure, start: Place, end: Place, colour: str) -> None:
    # It begins below one node's mark and ends above the other's two lines of text.
    span = end.layer - start.layer
    (ax, ay), (x, y) = (
        (start.x + (end.x - start.x) * share, -(start.layer + span * share)) for share in (0.1 / span, 1 - 0.4 / span)
    )
    figure.add_annotation(
        x=x,
        y=y,
        ax=ax,
        ay=ay,
        xref="x",
        yref="y",
        axref="x",
        ayref="y",
        showarrow=True,
        arrowhead=2,
        arrowwidth=1.4,
        arrowcolor=colour,
        text="",
    )


def _draw_advice(figure: go.Figure, places: Mapping[str, Place], advice: Mapping[tuple[str, str], str]) -> None:
    middles = [((places[a].x + places[b].x) / 2, -(places[a].layer + places[b].layer) / 2) for a, b in advice]
    figure.add_scatter(
        x=[x for x, _ in middles],
        y=[y for _, y in middles],
        mode="markers+text",
        # Beside more than three edges words would cover each other.
        text=[_short(text, 18) if len(advice) <= 3 else "" for text in advice.values()],
        textposition=["middle left" if x < 0 else "middle right" for x, _ in middles],
        textfont={"color": PALETTE[1], "size": 11},
        marker={"symbol": "diamond", "size": 9, "color": PALETTE[1]},
        hovertext=[f"<b>{_safe(b)} to {_safe(a)}</b><br>{_wrapped(text)}" for (a, b), text in advice.items()],
        hoverinfo="text",
        name="advice that flows back",
        cliponaxis=False,
    )


def _draw_nodes(
    figure: go.Figure,
    places: Mapping[str, Place],
    names: Sequence[str],
    style: tuple[str, str, str],
    values: Mapping[str, str],
    instructions: Mapping[str, str],
) -> None:
    kind, colour, symbol = style
    crowd = max(sum(place.layer == places[name].layer for place in places.values()) for name in names)
    room = max(7, 40 // crowd)
    figure.add_scatter(
        x=[places[name].x for name in names],
        y=[-places[name].layer for name in names],
        mode="markers+text",
        name=kind,
        text=[_label(name, values.get(name), room) for name in names],
        textposition="top center",
        marker={"symbol": symbol, "size": 16, "color": colour},
        hovertext=[_described(name, values.get(name), instructions.get(name)) for name in names],
        hoverinfo="text",
        cliponaxis=False,
    )


def _label(name: str, value: str | None, room: int) -> str:
    return f"<b>{_short(name, room)}</b>" + (f"<br>{_short(value, room)}" if value is not None else "")


def _described(name: str, value: str | None, instruction: str | None) -> str:
    lines = [f"<b>{_safe(name)}</b>"]
    if instruction:
        lines.append(f"<i>{_wrapped(instruction)}</i>")
    if value is not None:
        lines.append(f"= {_wrapped(value)}")
    return "<br>".join(lines)


def _short(text: str, room: int) -> str:
    line = " ".join(text.split())
    return _safe(line if len(line) <= room else line[: room - 1] + "…")


def _wrapped(text: str, width: int = 60, lines: int = 12) -> str:
    found = textwrap.wrap(" ".join(text.split()), width) or [""]
    return "<br>".join(_safe(line) for line in [*found[:lines], *(["…"] if len(found) > lines else [])])


def _safe(text: str) -> str:
    """Plotly reads a little HTML in labels; a value's own marks must stay text."""
    return html.escape(text, quote=False)


def _tick(count: int) -> int:
    """Distance of ticks that are whole numbers, at most about ten of them."""
    return max(1, -(-count // 10))


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},.18)"


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)
