"""What a visitor sees, as HTML: the count of calls, answers with drawings, where they were copied from, the route."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenfold.reactions.colouring import Marked, Piece, marked
from tenfold.reactions.tables import COLUMNS

if TYPE_CHECKING:
    from tenfold.reactions.model import Prediction
    from tenfold.reactions.verifying import Verified
    from tenfold.reactions.visit import Answered, Call, FileDone, FileStep, Visit

__all__ = ["STYLE", "answers_html", "calling_html", "check_html", "counted_html", "file_html", "filing", "route_html"]

STYLE = """<style>
.rx { overflow-wrap: anywhere } .rx p { margin: .25rem 0 }
.rx .calls { font-size: 1.05rem } .rx .calls b { font-size: 1.7rem; font-variant-numeric: tabular-nums }
.rx code, .rx .smiles { font-family: ui-monospace, monospace; font-size: .92rem; line-height: 1.9 }
.rx article { border: 1px solid var(--border-color-primary); border-radius: .6rem; padding: .6rem .8rem; margin: .6rem 0 }
.rx article h3 { margin: 0 0 .3rem; font-size: 1rem }
.rx .flag { border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .55rem; font-size: .8rem; font-weight: 400;
 margin-left: .4rem } .rx .good { color: #00845a } .rx .bad { color: #c24e00 } .dark .rx .good { color: #3fcf9f }
.dark .rx .bad { color: #ff9a5c }
.rx mark { color: inherit; background: color-mix(in srgb, var(--span) 22%, transparent);
 border-bottom: 2.5px solid var(--span); padding-bottom: 1px }
.rx mark::after { content: attr(data-span); font-size: .62rem; vertical-align: super; margin: 0 1px; color: var(--span);
 font-weight: 700 } .dark .rx mark::after { color: inherit }
.rx .molecules { display: flex; flex-wrap: wrap; gap: .5rem; align-items: stretch }
.rx figure { margin: 0; background: #fff; border: 1px solid var(--border-color-primary); border-radius: .5rem;
 max-width: 100%; display: flex; flex-direction: column }
.rx figure svg { max-width: 100%; height: auto; border-radius: .5rem } .rx .plus { align-self: center; font-size: 1.3rem }
.rx figure button, .rx .route button { margin: auto .4rem .4rem; padding: .2rem .6rem; border: 1px solid #0072B2;
 border-radius: .4rem; color: #0072B2; background: #fff; font-size: .82rem; cursor: pointer }
.rx button:focus-visible { outline: 3px solid #E69F00; outline-offset: 1px }
.rx summary { cursor: pointer; margin-top: .5rem } .rx .scroll { overflow-x: auto }
.rx table { border-collapse: collapse; font-size: .88rem } .rx td, .rx th { text-align: left; padding: .25rem .7rem .25rem 0;
 border-bottom: 1px solid var(--border-color-primary); vertical-align: top; min-width: 4rem }
.rx th { overflow-wrap: normal }
.rx .route ul { list-style: none; margin: 0 0 0 .6rem; padding-left: .9rem; border-left: 2px solid #0072B2 }
.rx .route > ul { margin-left: 0; padding-left: 0; border: 0 } .rx .route li { margin: .35rem 0 }
.rx .route .here { font-weight: 700 }
</style>"""

_SHOWN = ("input", "rank", "smiles", "probability", "note")
_WAYS = {
    "speculative": "speculative decoding, the same answer as plain decoding",
    "exact": "exact speculative beam search, the same list as plain beam search",
    "greedy": "plain decoding, a call for each token",
    "beam": "plain beam search, a call for each token",
    "speculative-windows": "the paper's drafts, the same answer as plain decoding",
    "sbs": "the paper's speculative beam search, whose list may differ from plain beam search",
}


def calling_html(call: "Call") -> str:
    """The count while the decoder is at work."""
    return _div(
        f'<p class="calls"><b>{call.number}</b> model calls for <b>{call.tokens}</b> tokens so far</p>'
        f'<p class="smiles">{html.escape(call.text)}</p>'
    )


def counted_html(answered: "Answered") -> str:
    """The count at the end."""
    plain = "" if answered.plain_calls is None else f" instead of <b>{answered.plain_calls}</b>"
    way = html.escape(_WAYS[answered.asked.decoding])
    notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in answered.notes)
    many = "" if answered.calls == 1 else "s"
    return _div(
        f'<p class="calls"><b>{answered.calls}</b> model call{many}{plain}</p>'
        f"<p>{answered.milliseconds:,.0f} ms; {way}.</p>{notes}"
    )


def answers_html(answered: "Answered") -> str:
    """All answers, the best first, each with its drawings and the spans that were copied."""
    calibrated, bare = "how likely the answer is right", "the model's probability of this string, not calibrated"
    meaning = calibrated if answered.is_calibrated else bare
    cards = (_card(rank, one, answered.query) for rank, one in enumerate(answered.predictions))
    return _div(f"<p><small>Percentages: {meaning}.</small></p>{''.join(cards)}")


def check_html(found: "Verified") -> str:
    """Plain and speculative decoding of the same question side by side."""
    rows = [
        (found.plain, f"{found.plain_calls:.0f}", f"{found.plain_seconds * 1000:.1f}"),
        (found.fast, f"{found.fast_calls:.0f}", f"{found.fast_seconds * 1000:.1f}"),
    ]
    if not found.differences:
        verdict = '<p class="good"><b>Equal.</b> Both give the same answers in the same order.</p>'
    else:
        one = found.differences[0]
        kind = "a tie of float32" if found.is_equal else "no tie: please report it"
        verdict = (
            f'<p class="bad"><b>They differ</b> at answer {one.rank}, by a gap of {one.gap:.2g} ({kind}): '
            f"<code>{html.escape(one.plain)}</code> and <code>{html.escape(one.fast)}</code>.</p>"
        )
    return _div(verdict + _table(("decoding", "model calls", "processor time (ms)"), rows))


def route_html(visit: "Visit") -> str:
    """The molecules broken down so far, as a tree; every one of them can be asked for."""
    if not visit.route:
        return ""
    return _div(f'<h3>Route so far</h3><div class="route"><ul>{_branch(visit, visit.root, ())}</ul></div>')


def filing(step: "FileStep") -> str:
    """How far a file is, in words."""
    left = step.seconds * (step.rows / max(step.done, 1) - 1)
    rate = step.done / max(step.seconds, 1e-9)
    end = f"; about {left:,.0f} s left" if step.done < step.rows else f" in {step.seconds:,.1f} s"
    return f"{step.done:,} of {step.rows:,} rows, {step.failed:,} failed, {rate:,.1f} rows/s{end}."


def file_html(done: "FileDone") -> str:
    """The rows that failed, and the first lines of the table."""
    errors = "".join(f"<li>{html.escape(words)}</li>" for words in done.errors)
    failed = f'<p class="bad"><b>Rows that failed</b></p><ul>{errors}</ul>' if errors else ""
    places = [COLUMNS.index(name) for name in _SHOWN]
    lines = [["" if line[place] is None else line[place] for place in places] for line in done.lines]
    return _div(f"{failed}<p><b>The first lines</b></p>{_table(_SHOWN, lines)}")


def _card(rank: int, one: "Prediction", query: str) -> str:
    source, target = marked(query, one.smiles, one.copied)
    flags = _flag("valid", "good") if one.valid else _flag("invalid: RDKit cannot read it", "bad")
    flags += _flag("truncated: no end before the length limit", "bad") if one.truncated else ""
    share = sum(span.length for span in one.copied)
    where = "".join(_figure(piece, "") for piece in source.molecules)
    opened = " open" if rank == 0 else ""
    copied = (
        f"<details{opened}><summary>Copied from the query: {share} tokens in {len(one.copied)} spans</summary>"
        f'<p class="smiles">{source.text}</p><div class="molecules">{where}</div></details>'
        if one.copied
        else "<p><small>Nothing of the query was copied.</small></p>"
    )
    return (
        f"<article><h3>{rank + 1}. {_percent(one.probability)}{flags}</h3>{_answer(rank, target)}"
        f'<p class="smiles">{target.text or "(empty)"}</p>{copied}</article>'
    )


def _answer(rank: int, target: Marked) -> str:
    figures = [_figure(piece, _button(piece.smiles, str(rank))) for piece in target.molecules]
    return f'<div class="molecules">{"<span class=plus>+</span>".join(figures)}</div>'


def _figure(piece: Piece, below: str) -> str:
    return f"<figure>{piece.svg()}{below}</figure>"


def _branch(visit: "Visit", molecule: str, above: tuple[str, ...]) -> str:
    """A molecule and what it is made of; one that is above itself is not opened again."""
    name = html.escape(molecule, quote=True)
    here = ' class="here"' if molecule == visit.answered.query else ""
    parts = () if molecule in above else visit.route.get(molecule, ())
    below = "".join(_branch(visit, part, (*above, molecule)) for part in parts)
    button = _button(molecule, rank="")
    return f"<li><code{here}>{name}</code> {button}{f'<ul>{below}</ul>' if below else ''}</li>"


def _button(molecule: str, rank: str) -> str:
    """Asks what a molecule is made of; the rank is that of the answer it belongs to."""
    name, words = html.escape(molecule, quote=True), "Break this one down"
    return f'<button type="button" data-molecule="{name}" data-rank="{rank}" aria-label="{words}: {name}">{words}</button>'


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else f"{share:.1g}"


def _flag(words: str, kind: str) -> str:
    return f'<span class="flag {kind}">{html.escape(words)}</span>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _div(body: str) -> str:
    return f'<div class="rx">{body}</div>'
