"""Plotly pictures: forecasts with their intervals, who feeds which slot, errors over time, costs over sizes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tenfold.core.theme import PALETTE, style_figure

__all__ = ["curves_figure", "forecast_figure", "routing_figure", "slots_figure"]


def forecast_figure(
    past: pd.DataFrame,
    forecast: pd.DataFrame,
    name: str,
    *,
    naive: pd.Series | None = None,
    truth: pd.DataFrame | None = None,
) -> go.Figure:
    """A series' last steps, its forecast with intervals, and what the naive forecast says.

    Args:
        past: the table's last rows; the first column holds the times.
        forecast: as `Forecaster.predict` gives it.
        name: of the series.
        naive: the last day again, at the forecast's times.
        truth: what came, if it is known; the first column holds the times.
    """
    figure = go.Figure()
    clock, when = past.columns[0], forecast.columns[0]
    figure.add_scatter(x=past[clock], y=past[name], name="known", line={"color": PALETTE[6]})
    ends = [column.removeprefix(f"{name}-lo-") for column in forecast.columns if column.startswith(f"{name}-lo-")]
    for level in sorted(ends, key=float, reverse=True):
        high, low = forecast[f"{name}-hi-{level}"], forecast[f"{name}-lo-{level}"]
        figure.add_scatter(
            x=[*forecast[when], *forecast[when][::-1]], y=[*high, *low[::-1]], name=f"{level} %", fill="toself",
            fillcolor="rgba(0,114,178,.18)", line={"width": 0}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(x=forecast[when], y=forecast[name], name="forecast", line={"color": PALETTE[0], "width": 2.5})
    if naive is not None:
        figure.add_scatter(x=forecast[when], y=naive, name="last period again", line={"color": PALETTE[1], "dash": "dot"})
    if truth is not None:
        figure.add_scatter(x=truth[truth.columns[0]], y=truth[name], name="what came", line={"color": PALETTE[2]})
    return style_figure(figure, title=name, y=name)


def routing_figure(shares: pd.DataFrame) -> go.Figure:
    """Which rows feed which slot.

    Args:
        shares: one row a slot, one column an input row; each row adds up to 1.
    """
    figure = go.Figure(
        go.Heatmap(
            z=shares.to_numpy(), x=list(shares.columns), y=list(shares.index), zmin=0, colorscale="Blues",
            hovertemplate="%{y} takes %{z:.1%} from %{x}<extra></extra>", colorbar={"tickformat": ".0%"},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return style_figure(figure, title="Who feeds which slot", height=140 + 30 * len(shares))


def curves_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x: str, y: str, logarithmic: bool = True
) -> go.Figure:
    """Points (x, y) of each name, joined in the order of x, on logarithmic axes."""
    figure = go.Figure()
    for place, (name, points) in enumerate(curves.items()):
        found = np.array(sorted(points), dtype=float).reshape(-1, 2)
        figure.add_scatter(
            x=found[:, 0], y=found[:, 1], name=name, mode="lines+markers", line={"color": PALETTE[place % len(PALETTE)]}
        )
    if logarithmic:
        figure.update_xaxes(type="log").update_yaxes(type="log")
    return style_figure(figure, title=title, x=x, y=y)


def slots_figure(sizes: np.ndarray) -> go.Figure:
    """How much each slot says, frame by frame.

    Args:
        sizes: (frames, slots).
    """
    figure = go.Figure()
    for place, column in enumerate(sizes.T):
        figure.add_scatter(
            x=list(range(1, len(column) + 1)), y=column, name=f"slot {place + 1}", mode="lines",
            line={"color": PALETTE[place % len(PALETTE)]},
        )  # fmt: skip
    return style_figure(figure, title="Slots", x="frame", y="size of the output")
