"""Plotly pictures: objectives over updates, losses over noise, and policies as arrows on a grid."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from tenfold.core.theme import PALETTE, style_figure
from tenfold.udrl.evaluation import Optimum
from tenfold.udrl.mdp import MDP

__all__ = ["curve_figure", "objective_figure", "policy_figure"]

# The steps of the actions as drawn (right, down): ours first, then FrozenLake's order left, down, right, up.
_OURS = ((1, 0), (-1, 0), (0, -1), (0, 1))
_GYMNASIUM = ((-1, 0), (0, 1), (1, 0), (0, -1))


def objective_figure(curves: Mapping[str, Sequence[float]], optimum: float | None = None, title: str = "") -> go.Figure:
    """J over the number of updates n, one line for each name, the optimum dashed.

    Args:
        curves: J_0, J_1, ... by name.
        optimum: J*; None = not drawn.
        title: of the picture.
    """
    figure = go.Figure()
    for index, (name, curve) in enumerate(curves.items()):
        figure.add_scatter(
            x=list(range(len(curve))),
            y=[float(value) for value in curve],
            name=name,
            mode="lines+markers",
            line={"color": PALETTE[index % len(PALETTE)]},
            marker={"size": 5},
        )
    if optimum is not None:
        figure.add_hline(y=optimum, line={"dash": "dash", "color": PALETTE[2]}, annotation_text="optimum J*")
    figure.update_yaxes(rangemode="tozero")
    return style_figure(figure, title=title, x="updates n", y="J, chance of fulfilment")


def curve_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x: str, y: str, logarithmic: bool = False
) -> go.Figure:
    """Points (x, y) for each name, joined in the order of x."""
    figure = go.Figure()
    for index, (name, points) in enumerate(curves.items()):
        ordered = sorted(points)
        figure.add_scatter(
            x=[point[0] for point in ordered],
            y=[point[1] for point in ordered],
            name=name,
            mode="lines+markers",
            line={"color": PALETTE[index % len(PALETTE)]},
        )
    if logarithmic:
        figure.update_xaxes(type="log")
    return style_figure(figure, title=title, x=x, y=y)


def policy_figure(mdp: MDP, policy: np.ndarray, optimum: Optimum, h: int, goal: int) -> go.Figure | None:
    """A policy under one command as arrows on the grid, as long as the action is likely; optimal ones are coloured.

    Args:
        mdp: with a `layout`; without one, or with other than four actions, there is no picture (None).
        policy: pi[s, h-1, g, a].
        optimum: of the same environment.
        h: steps left, 1..N.
        goal: 0..G-1.
    """
    if not mdp.layout or mdp.actions != 4:
        return None
    walls = any("#" in row for row in mdp.layout)
    cells = [(i, j) for i, row in enumerate(mdp.layout) for j, cell in enumerate(row) if cell != "#"]
    letters = set("".join(mdp.layout))
    moves = _GYMNASIUM if not walls and letters <= set("SFHG") else _OURS
    figure = go.Figure()
    for kind, colour, name in ((True, PALETTE[2], "optimal action"), (False, PALETTE[1], "other action")):
        xs, ys = _arrows(cells, policy[:, h - 1, goal], optimum.actions[:, h - 1, goal] == kind, moves)
        figure.add_scatter(x=xs, y=ys, mode="lines", line={"color": colour, "width": 3}, name=name, hoverinfo="skip")
    value = optimum.values[:, h - 1, goal]
    fulfils = mdp.goal_map == goal
    figure.add_scatter(
        x=[j for _, j in cells],
        y=[i for i, _ in cells],
        mode="markers+text",
        text=["★" if here else mdp.layout[i][j].strip(".SF") for here, (i, j) in zip(fulfils, cells, strict=True)],
        textposition="bottom right",
        marker={"size": 7, "color": "#808080"},
        hovertext=[f"state {s}: best chance {v:.3f}" for s, v in enumerate(value)],
        hoverinfo="text",
        showlegend=False,
    )
    _draw_grid(figure, mdp.layout)
    return style_figure(figure, title=f"Policy with {h} steps left to goal {goal} (★)", height=420)


def _arrows(
    cells: list[tuple[int, int]], policy: np.ndarray, chosen: np.ndarray, moves: Sequence[tuple[int, int]]
) -> tuple[list[float | None], list[float | None]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for state, (i, j) in enumerate(cells):
        for action, (right, down) in enumerate(moves):
            share = float(policy[state, action])
            if chosen[state, action] and share > 0.02:
                xs += [j, j + 0.45 * share * right, None]
                ys += [i, i + 0.45 * share * down, None]
    return xs, ys


def _draw_grid(figure: go.Figure, layout: Sequence[str]) -> None:
    rows, columns = len(layout), len(layout[0])
    for i, row in enumerate(layout):
        for j, cell in enumerate(row):
            fill = "rgba(128,128,128,.6)" if cell == "#" else "rgba(0,114,178,.2)" if cell == "H" else "rgba(0,0,0,0)"
            line = {"color": "rgba(128,128,128,.4)", "width": 1}
            figure.add_shape(type="rect", x0=j - 0.5, x1=j + 0.5, y0=i - 0.5, y1=i + 0.5, fillcolor=fill, line=line)
    figure.update_xaxes(range=[-0.6, columns - 0.4], visible=False, constrain="domain")
    figure.update_yaxes(range=[rows - 0.4, -0.6], visible=False, scaleanchor="x")
