"""Colours and fonts of every picture and page. The palette is Okabe and Ito's, made for colour-blind readers too."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["FONT", "PALETTE", "matplotlib_style", "style_figure"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#B8A500")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def style_figure(figure: "go.Figure", *, title: str = "", x: str = "", y: str = "", height: int = 380) -> "go.Figure":
    """Give a Plotly figure the house style: transparent (readable on light and dark), palette, axis titles."""
    grey = "#808080"
    below = 60 if len(tuple(figure.data)) == 1 else 110  # one line has no legend to make room for
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        colorway=list(PALETTE),
        font={"family": FONT, "color": grey, "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 60, "r": 20, "t": 50 if title else 20, "b": below},
        height=height,
        legend={"orientation": "h", "yanchor": "top", "y": -0.22, "x": 0},
    )
    axis: dict[str, Any] = {
        "title": {"font": {"size": 13}},
        "gridcolor": "rgba(128,128,128,.25)",
        "zerolinecolor": "rgba(128,128,128,.4)",
    }
    if x:
        figure.update_xaxes(title=x)
    if y:
        figure.update_yaxes(title=y)
    return figure.update_xaxes(**axis).update_yaxes(**axis)


def matplotlib_style() -> dict[str, Any]:
    """rcParams for `matplotlib.rc_context`: the same palette for pictures in files."""
    from cycler import cycler

    return {
        "axes.prop_cycle": cycler(color=list(PALETTE)),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "figure.dpi": 120,
        "svg.fonttype": "none",
    }
