"""A report as one HTML file: nothing is fetched, no script runs, light and dark, every fact with file and line."""

import html
import importlib.resources
import re
from collections.abc import Callable, Sequence

from tenfold.core.theme import FONT
from tenfold.judge.dag import dag_svg
from tenfold.judge.types import Evidence, Judgement, Report

__all__ = ["Quote", "to_html"]

# (file, line) -> [(line number, text), ...]: lines around it, or nothing.
Quote = Callable[[str, int], Sequence[tuple[int, str]]]
_QUOTES_LIMIT = 400
_FORBIDDEN = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]")


def to_html(report: Report, *, quote: Quote | None = None) -> str:
    """The report as a page.

    Args:
        report: what was judged.
        quote: source lines around a line of a file, e.g. from the opened workspace; without it no source is shown.
    """
    quotes = _Quotes(quote)
    parts = {
        "FONT": FONT,
        "TITLE": _text(f"{report.workspace}: {report.requirements.name}"),
        "LEAD": _lead(report),
        "DAG": dag_svg(report),
        "FLAGS": _flags(report),
        "BODY": "".join(_section(report, one, quotes) for one in report),
        "NOTES": "".join(f"<p>Note: {_text(note)}</p>" for note in report.notes),
    }
    page = (importlib.resources.files("tenfold.judge") / "report.html").read_text(encoding="utf-8")
    # In one pass: a criterion that spells a place-holder stays what it is.
    return re.sub(r"@([A-Z]+)@", lambda found: parts[found.group(1)], page)


class _Quotes:
    """Asks for source lines, at most so many times that the page stays small."""

    def __init__(self, quote: Quote | None) -> None:
        self._quote = quote
        self._left = _QUOTES_LIMIT

    def __call__(self, fact: Evidence) -> Sequence[tuple[int, str]]:
        if self._quote is None or not fact.file or fact.line <= 0 or self._left <= 0:
            return ()
        self._left -= 1
        return self._quote(fact.file, fact.line)


def _lead(report: Report) -> str:
    counts = {
        verdict: sum(one.verdict == verdict for one in report) for verdict in ("satisfied", "unsatisfied", "undecided")
    }
    pills = " ".join(f'<span class="pill {name}">{count} {name}</span>' for name, count in counts.items())
    shares = f"{report.met():.1%} met (I), {report.met(True):.1%} with prerequisites (D), reward {report.reward():.3f}"
    query = f"<details><summary>What was asked</summary><p>{_text(report.requirements.query)}</p></details>"
    settings = "; ".join(f"{name}: {value}" for name, value in report.settings.items())
    known = f"<p><small>{_text(settings)}</small></p>" if settings else ""
    return f"<p>{pills}</p><p>{shares}</p>{query if report.requirements.query else ''}{known}"


def _flags(report: Report) -> str:
    if not report.flags:
        return ""
    rows = "".join(
        f"<li><code>{_text(flag.get('file'))}:{_text(flag.get('line'))}</code> {_text(str(flag.get('text'))[:400])}</li>"
        for flag in report.flags
    )
    lead = "<h2>Text that addresses the judge</h2><p>It is quoted as data and is evidence of nothing.</p>"
    return f'<section class="warn">{lead}<ul>{rows}</ul></section>'


def _section(report: Report, one: Judgement, quotes: _Quotes) -> str:
    item = one.requirement
    needs = "".join(
        f' <a class="{report[needed].verdict}" href="#r-{_text(needed)}">{_text(needed)}</a>'
        for needed in item.prerequisites
    )
    facts = "".join(_fact(fact, quotes) for fact in one.evidence)
    percent = round(100 * one.confidence)
    bar = f'<span class="bar"><i class="{one.verdict}" style="width:{percent}%"></i></span>'
    about = " · ".join(part for part in (item.category, f"by {one.engine}", f"confidence {one.confidence:.2f}") if part)
    return (
        f'<section id="r-{_text(item.id)}"><h2><span class="pill {one.verdict}">{one.verdict}</span> '
        f"{_text(item.id)}</h2><p>{_with_code(item.criteria)}</p><p><small>{bar} {_text(about)}"
        f"{f'; builds on{needs}' if needs else ''}</small></p>"
        + (f'<ul class="facts">{facts}</ul>' if facts else "")
        + (f"<p><strong>To decide:</strong> {_text(one.missing)}</p>" if one.missing else "")
        + "</section>"
    )


def _fact(fact: Evidence, quotes: _Quotes) -> str:
    place = f"{fact.file}:{fact.line}" if fact.line else fact.file
    title = f' title="SHA-256 {_text(fact.sha256)}"' if fact.sha256 else ""
    where = f" <code{title}>{_text(place)}</code>" if place else ""
    lines = "".join(
        f'<span class="{"hit" if number == fact.line else ""}"><b>{number}</b>{_text(text[:300])}\n</span>'
        for number, text in quotes(fact)
    )
    source = f"<details><summary>source</summary><pre>{lines}</pre></details>" if lines else ""
    side = "for" if fact.supports else "against"
    return f'<li class="{side}"><b>{side}</b> {_text(fact.words)}{where}{source}</li>'


def _with_code(text: str) -> str:
    """Escaped text, with `spans` as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _text(text))


def _text(value: object) -> str:
    return html.escape(_FORBIDDEN.sub("�", str(value)))
