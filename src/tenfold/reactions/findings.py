"""What the experiment found, as tables and pictures of its rows."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tenfold.core.experiment import SCALES, Row
from tenfold.core.report import Table

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["figures", "tables"]

_TIMES = "times faster than "
_TASKS = ("forward", "retro")


def tables(rows: Sequence[Row]) -> list[Table]:
    """Drafters, decoders side by side, top-k with and without speculation, and the attacks; of the largest scale each."""
    replay, attacks = _largest(rows, "replay, "), _largest(rows, "attacks: ")
    sides = _largest(rows, *(f"{task}, n = " for task in _TASKS))
    found = [
        _drafters(replay),
        _decoders(sides, "Decoders side by side, the same queries and weights, float32, one thread"),
        _accuracy(sides),
        _decoders(attacks, "Attacks on the cached side: our drafts, more of them (first number) or longer (second)"),
    ]
    return [table for table in found if table.rows]


def figures(rows: Sequence[Row]) -> "list[go.Figure]":
    """Calls by drafter, speed by batch size, top-k with and without speculation."""
    from tenfold.reactions.pictures import speed_figure, top_k_figure

    sides = _largest(rows, *(f"{task}, n = " for task in _TASKS))
    speeds = [
        (f"{_task(row)}, over {re.sub(r' [0-9]+x[0-9]+$', '', row.metric.removeprefix(_TIMES))}", round(row.x), row.value)
        for row in sides
        if row.metric.startswith(_TIMES) and row.method == "speculative" and row.x is not None and row.value is not None
    ]
    tops = [
        (f"{_task(row)}, {row.method}", int(row.metric[4:]), row.value, row.low or 0.0, row.high or 0.0)
        for row in sides
        if re.fullmatch(r"top-\d+", row.metric) and ", n = 1," not in row.condition and row.value is not None
        and not row.method.startswith("no-cache") and f"n = {_most_answers(sides, _task(row))}, B = 1," in row.condition
    ]  # fmt: skip
    drawn = [_calls_figure(_largest(rows, "replay, "))]
    if speeds:
        drawn.append(
            _titled(speed_figure(speeds), "Speculative over other greedy decoding").update_yaxes(title="times faster")
        )
    if tops:
        drawn.append(_titled(top_k_figure(tops), "Top-k with and without drafts"))
    return [figure for figure in drawn if figure.data]


def _titled(figure: "go.Figure", title: str) -> "go.Figure":
    return figure.update_layout(title={"text": title, "font": {"size": 15}}, margin={"t": 50})


def _largest(rows: Sequence[Row], *begins: str) -> list[Row]:
    """Rows whose condition begins so, of the largest scale that has any."""
    found = [row for row in rows if row.condition.startswith(begins)]
    top = max((SCALES.index(row.scale) for row in found if row.scale in SCALES), default=-1)
    return [row for row in found if row.scale not in SCALES or SCALES.index(row.scale) == top]


def _task(row: Row) -> str:
    return next(task for task in _TASKS if task in row.condition)


def _most_answers(rows: Sequence[Row], task: str) -> int:
    found = (re.search(r"n = (\d+)", row.condition) for row in rows if _task(row) == task)
    return max((int(one[1]) for one in found if one), default=1)


def _drafters(rows: Sequence[Row]) -> Table:
    metrics = ("calls a reaction", "times fewer calls", "token positions a call")
    tasks = [task for task in _TASKS if any(_task(row) == task for row in rows)]
    columns = ("drafts", *(f"{task}: {metric}" for task in tasks for metric in metrics))
    known = {(row.method, _task(row), row.metric): row for row in rows}
    lines = [
        (name, *(_spread(known.get((name, task, metric))) for task in tasks for metric in metrics))
        for name in dict.fromkeys(row.method for row in rows)
    ]
    where = "; ".join(dict.fromkeys(row.condition.removeprefix("replay, ") for row in rows))
    return Table(columns, lines, f"Replay: the true answer in place of a model's, no network ({where})", _commands(rows))


def _decoders(rows: Sequence[Row], caption: str) -> Table:
    """A line for each decoder at each task, number of answers and batch size; ratios with their intervals."""
    columns = (
        "task", "decoder", "reactions", "ms", "calls", "times fewer calls", "x cached plain", "x no-cache plain",
        "x no-cache windows", "equal to plain", "list found",
    )  # fmt: skip
    lines = []
    for cell in dict.fromkeys(_cell(row) for row in rows):
        some = [row for row in rows if _cell(row) == cell]
        for method in dict.fromkeys(row.method for row in some):
            by_metric = {_kind(row): row for row in some if row.method == method}
            time, wanted = by_metric.get("ms"), ("calls", "fewer", "cached", "no-cache", "windows", "equal", "found")
            if time is not None:
                count = time.condition.rpartition(": ")[2].split()[0]
                lines.append((cell, method, count, _spread(time), *(_spread(by_metric.get(name)) for name in wanted)))
    return Table(columns, lines, caption, _commands(rows))


_KINDS = {
    r"ms .*": "ms", r"calls a reaction": "calls", r"times fewer calls": "fewer", rf"{_TIMES}cached .*": "cached",
    rf"{_TIMES}no-cache (greedy|beam)": "no-cache", rf"{_TIMES}no-cache windows.*": "windows",
    r"answers equal to .*": "equal", r"share of beam search's .*": "found",
}  # fmt: skip


def _kind(row: Row) -> str:
    return next((kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, row.metric)), row.metric)


def _cell(row: Row) -> str:
    """Task, answers and batch size of a condition."""
    return ", ".join(row.condition.removeprefix("attacks: ").split(", ")[:3])


def _accuracy(rows: Sequence[Row]) -> Table:
    metrics = ("top-1", "top-3", "top-5", "top-10", "invalid first answers")
    cached = [row for row in rows if row.metric in metrics and not row.method.startswith("no-cache")]
    known = {(_cell(row), row.method, row.metric): row for row in cached}
    lines = []
    for cell, method in dict.fromkeys((cell, method) for cell, method, _ in known):
        found = [known.get((cell, method, metric)) for metric in metrics]
        lines.append((cell, method, found[0].condition.rpartition(": ")[2] if found[0] else "", *map(_percent, found)))
    return Table(("task", "decoder", "rows", *metrics), lines, "With and without speculation: top-k", _commands(cached))


def _spread(row: Row | None) -> str:
    if row is None or row.value is None:
        return ""
    interval = "" if row.low is None or row.low == row.high else f" ({row.low:.3g} to {row.high:.3g})"
    return f"{row.value:.3g}{interval}"


def _percent(row: Row | None) -> str:
    if row is None or row.value is None:
        return ""
    return f"{row.value:.1%}" + ("" if row.low is None else f" ({row.low:.1%} to {row.high:.1%})")


def _commands(rows: Iterable[Row]) -> str:
    return "; ".join(dict.fromkeys(row.command for row in rows if row.command))


def _calls_figure(rows: Sequence[Row]) -> "go.Figure":
    """Calls by drafter, a bar for each task."""
    import plotly.graph_objects as go

    from tenfold.core.theme import style_figure

    figure = go.Figure()
    for task in _TASKS:
        bars = [row for row in rows if _task(row) == task and row.metric == "calls a reaction"]
        if bars:
            figure.add_bar(name=task, x=[row.method for row in bars], y=[row.value for row in bars])
    style_figure(figure, title="Replay: calls a reaction by drafts", y="calls", height=460)
    return figure.update_layout(legend={"y": 1, "yanchor": "bottom"}, margin={"b": 140, "t": 70})
