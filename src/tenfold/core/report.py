"""One self-contained HTML file: no network, light and dark, readable on a telephone and on paper."""

import html
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.core.files import write_atomic
from tenfold.core.theme import FONT

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Section", "Stop", "Table", "rows_table", "write_report"]


@dataclass(frozen=True)
class Table:
    """A table with the command that made its numbers; a folded one shows its caption until it is opened."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    command: str = ""
    is_folded: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: caption, columns, rows, command."""
        rows = [list(row) for row in self.rows]
        return {"caption": self.caption, "columns": list(self.columns), "rows": rows, "command": self.command}


@dataclass(frozen=True)
class Section:
    """A part of a report: a heading, a paragraph, tables and Plotly pictures. All text is escaped."""

    title: str
    lead: str = ""
    tables: Sequence[Table] = ()
    figures: "Sequence[go.Figure]" = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Stop:
    """A stop of the tour: what a system's example did.

    Attributes:
        title: of the stop.
        lead: what was done, on what.
        numbers: headline numbers by name.
        tables: of results.
        figures: Plotly pictures.
        notes: plain sentences.
    """

    title: str
    lead: str
    numbers: Mapping[str, Any]
    tables: Sequence[Table] = ()
    figures: "Sequence[go.Figure]" = ()
    notes: Sequence[str] = field(default=())


def write_report(
    folder: Path,
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    ledger: Sequence[Mapping[str, Any]] = (),
    name: str = "index.html",
) -> Path:
    """Write a report into a folder, atomically.

    Args:
        folder: made if absent.
        title: of the page.
        sections: in order.
        lead: a paragraph under the title.
        ledger: the claims with their verdicts (id, verdict, claim, why, rule, scale, command), shown on top.
        name: of the file.

    Returns:
        The path of the file.
    """
    blocks = [_ledger(ledger)] if ledger else []
    with_script = True
    for section in sections:
        block, with_script = _section(section, with_script)
        blocks.append(block)
    names = [section.title for section in sections]
    links = "".join(f'<a href="#{_anchor(name)}">{_text(name)}</a>' for name in names) if len(names) > 1 else ""
    nav = f"<nav>{links}</nav>" if links else ""
    page = (importlib.resources.files("tenfold.core") / "report.html").read_text(encoding="utf-8")
    page = page.replace("@FONT@", FONT).replace("@TITLE@", _text(title)).replace("@NAV@", nav)
    page = page.replace("@LEAD@", f"<p>{_text(lead)}</p>" if lead else "").replace("@BODY@", "\n".join(blocks))
    return write_atomic(folder / name, page)


def rows_table(rows: Sequence[Any], caption: str = "", is_folded: bool = False) -> Table:
    """Rows of an experiment as a table: value with interval, seeds, seconds, and where recorded rows come from."""
    columns = ("method", "condition", "metric", "value", "95 % interval", "seeds", "seconds", "made")
    cells = []
    for row in rows:
        value = "not run" if row.value is None else f"{row.value:.4g}"
        exact = row.low is None or (row.low == row.value == row.high)
        interval = ("exact" if row.value is not None else "") if exact else f"{row.low:.4g} to {row.high:.4g}"
        made = f"recorded, {row.commit[:9]}, {row.hardware}" if row.recorded else "here"
        cells.append((row.method, row.condition, row.metric, value, interval, row.seeds or "", f"{row.seconds:.2f}", made))
    commands = list(dict.fromkeys(row.command for row in rows if row.command))
    return Table(columns, cells, caption, "; ".join(commands), is_folded)


def _section(section: Section, with_script: bool) -> tuple[str, bool]:
    parts = [f'<section id="{_anchor(section.title)}"><h2>{_text(section.title)}</h2>']
    if section.lead:
        parts.append(f"<p>{_text(section.lead)}</p>")
    parts += [_table(table) for table in section.tables if table.columns == ("", "")]
    for figure in section.figures:
        parts.append('<figure class="plot">')
        options = {"displaylogo": False, "responsive": True, "displayModeBar": False}
        parts.append(figure.to_html(full_html=False, include_plotlyjs=with_script, config=options) + "</figure>")
        with_script = False
    parts += [_table(table) for table in section.tables if table.columns != ("", "")]
    if section.notes:
        parts.append("<ul>" + "".join(f"<li>{_text(note)}</li>" for note in section.notes) + "</ul>")
    return "".join(parts) + "</section>", with_script


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption and not table.is_folded else ""
    head = "".join(f"<th>{_text(column)}</th>" for column in table.columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in table.rows)
    command = f'<p class="command">Made by <code>{_text(table.command)}</code></p>' if table.command else ""
    drawn = f'<div class="scroll"><table>{caption}{head}<tbody>{body}</tbody></table></div>{command}'
    return f"<details><summary>{_text(table.caption)}</summary>{drawn}</details>" if table.is_folded else drawn


def _cell(cell: object) -> str:
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return f'<td class="number">{_text(text)}</td>' if _is_number(text) else f"<td>{_text(text)}</td>"


def _is_number(text: str) -> bool:
    return bool(text) and text[0] in "-0123456789" and text.replace(" to ", "").strip("0123456789.-+e%") == ""


def _ledger(entries: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for entry in entries:
        kind = str(entry["verdict"]).replace(" ", "-")
        why = ". ".join(str(entry[name]).rstrip(".") for name in ("why", "missing") if entry.get(name))
        rows.append(
            f'<tr><td class="id">{_text(entry["id"])}</td>'
            f'<td><span class="verdict {kind}">{_text(entry["verdict"])}</span></td>'
            f"<td>{_text(entry['claim'])}<br><small>Rule: {_text(entry['rule'])}</small></td>"
            f"<td>{_text(why)}<br><small><code>{_text(entry['command'])}</code></small></td></tr>"
        )
    head = "<tr><th>id</th><th>verdict</th><th>claim</th><th>why, and the command that decides it</th></tr>"
    return (
        '<section id="claims"><h2>What the papers claim, and what we found</h2><div class="scroll"><table class="ledger">'
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower())


def _text(value: object) -> str:
    return html.escape(str(value))
