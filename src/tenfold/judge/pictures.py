"""Plotly pictures of the judge: the requirements' DAG, agreement curves, shares of several judges. They take results."""

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from tenfold.core.theme import PALETTE, style_figure
from tenfold.judge.alignment import Agreement
from tenfold.judge.dag import depths, edges_to_draw
from tenfold.judge.types import Report, Verdict

__all__ = ["COLOURS", "coverage_figure", "curve_figure", "dag_figure", "ladder_figure", "shares_figure"]

COLOURS: Mapping[Verdict, str] = {"satisfied": PALETTE[2], "unsatisfied": PALETTE[1], "undecided": PALETTE[7]}
_SYMBOLS: Mapping[Verdict, str] = {"satisfied": "circle", "unsatisfied": "x", "undecided": "diamond-open"}


def dag_figure(report: Report, title: str = "") -> go.Figure:
    """The requirements and what they build on, left to right, with colour and mark by verdict."""
    places = _places(depths(report.requirements))
    figure = go.Figure()
    lines: list[list[float | None]] = [[], []]
    for one, other in edges_to_draw(report.requirements):
        for axis in (0, 1):
            lines[axis] += [places[one][axis], places[other][axis], None]
    grey = {"color": "rgba(128,128,128,.5)", "width": 1.5}
    figure.add_scatter(x=lines[0], y=lines[1], mode="lines", line=grey, hoverinfo="skip", showlegend=False)
    for verdict, colour in COLOURS.items():
        some = [one for one in report if one.verdict == verdict]
        figure.add_scatter(
            x=[places[one.requirement.id][0] for one in some],
            y=[places[one.requirement.id][1] for one in some],
            mode="markers+text",
            marker={"size": 20, "color": colour, "symbol": _SYMBOLS[verdict], "line": {"width": 2, "color": colour}},
            text=[html.escape(one.requirement.id) for one in some],
            textposition="top center",
            hovertext=[_hover(one.requirement.criteria, one.verdict, one.confidence) for one in some],
            hoverinfo="text",
            name=verdict,
        )
    rows = 1 + max((abs(y) for _, y in places.values()), default=0)
    style_figure(figure, title=title, height=int(180 + 55 * rows))
    deep = max((x for x, _ in places.values()), default=0.0)
    return figure.update_xaxes(visible=False, range=[-0.4, deep + 0.4]).update_yaxes(visible=False, range=[0.3 - rows, 0.8])


def curve_figure(found: Agreement) -> go.Figure:
    """Precision and recall of "satisfied" by the judge's probability."""
    points = sorted(found.curve, key=lambda point: (point.recall, -point.precision))
    figure = go.Figure()
    figure.add_scatter(x=[p.recall for p in points], y=[p.precision for p in points], mode="lines+markers", name="judge")
    share = found.human.met / found.total
    figure.add_scatter(x=[0, 1], y=[share, share], mode="lines", line={"dash": "dot"}, name="all called satisfied")
    style_figure(figure, title="Precision and recall of satisfied", x="recall", y="precision")
    return figure.update_yaxes(range=[0, 1.03]).update_xaxes(range=[0, 1.03])


def coverage_figure(found: Agreement) -> go.Figure:
    """How often verdicts agree with people among the most confident ones; the better floor as a line."""
    figure = go.Figure()
    figure.add_scatter(
        x=[one for one, _ in found.coverage], y=[one for _, one in found.coverage], mode="lines", name="judge"
    )
    floor = max(found.floor.constant_aligned, found.floor.text_aligned) / found.total
    figure.add_scatter(x=[0, 1], y=[floor, floor], mode="lines", line={"dash": "dot"}, name="better floor")
    style_figure(figure, title="Agreement among the most confident verdicts", x="share of requirements", y="agreement")
    return figure.update_yaxes(range=[0, 1.03]).update_xaxes(range=[0, 1.03])


def ladder_figure(curve: Sequence[float], title: str) -> go.Figure:
    """The mean reward by number of faults."""
    figure = go.Figure()
    figure.add_scatter(x=list(range(len(curve))), y=list(curve), mode="lines+markers", name="reward")
    style_figure(figure, title=title, x="faults put in", y="reward")
    return figure.update_yaxes(rangemode="tozero")


def shares_figure(shares: Mapping[str, Any], title: str, axis: str) -> go.Figure:
    """A bar for each judge; a value is a share, or (share, low, high)."""
    names = list(shares)[::-1]
    spans = {name: one if isinstance(one, tuple) else (one, one, one) for name, one in shares.items()}
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=[spans[name][0] for name in names],
        orientation="h",
        error_x={
            "type": "data",
            "array": [spans[name][2] - spans[name][0] for name in names],
            "arrayminus": [spans[name][0] - spans[name][1] for name in names],
            "thickness": 1,
        },
    )
    style_figure(figure, title=title, x=axis, height=140 + 32 * len(names))
    return figure.update_yaxes(automargin=True)


def _places(depth: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    rows: dict[int, int] = defaultdict(int)
    found = {}
    for one, column in sorted(depth.items(), key=lambda pair: pair[1]):
        found[one] = (float(column), -float(rows[column]))
        rows[column] += 1
    return found


def _hover(criteria: str, verdict: str, confidence: float) -> str:
    text = criteria if len(criteria) <= 120 else criteria[:119] + "…"
    return f"{html.escape(text)}<br>{verdict}, confidence {confidence:.2f}"
