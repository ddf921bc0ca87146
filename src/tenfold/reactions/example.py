"""The tour's stop: a dozen textbook reactions predicted by the shipped model, and one product taken apart again."""

import base64
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tenfold.core.files import make_folder, write_atomic
from tenfold.core.report import Stop, Table
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.model import Model, Prediction, load
from tenfold.reactions.pictures import molecule_svg
from tenfold.reactions.textbook import TEXTBOOK, Named
from tenfold.reactions.verifying import verify

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["NOTICE", "run"]

NOTICE = (
    "The shipped models are small and were trained for a short time on a processor: they make mistakes that a chemist sees "
    "at once. What is shown to hold is that speculation changes no answer and saves calls."
)
TAKEN_APART = "sulfonamide formation"
ANSWERS, COLUMNS = 5, 3


class Predicted(NamedTuple):
    """A textbook reaction, what the model answered, and whether that is the textbook's product."""

    reaction: Named
    answer: Prediction
    tokens: int
    is_right: bool


def run(folder: Path, seed: int) -> Stop:
    """Predict the dozen, check that plain decoding says the same, and take one product apart; drawings are left in `folder`.

    Args:
        folder: for the products as SVG files.
        seed: not used: decoding draws no random numbers.

    Raises:
        BadInput: no model is part of this installation.
    """
    del seed
    forward, retro = (load(name, remember=0) for name in ("forward", "retro"))
    queries = [".".join(part for part in (one.reactants, one.reagents) if part) for one in TEXTBOOK]
    started = time.perf_counter()
    answers = forward.predict(queries, batch_size=1)
    seconds = time.perf_counter() - started
    found = [_predicted(forward, *pair) for pair in zip(TEXTBOOK, answers, strict=True)]
    _draw(found, folder)
    checked = verify(forward, queries)
    product = next(one.product for one in TEXTBOOK if one.name == TAKEN_APART)
    parts = retro.nbest(product, ANSWERS, search="exact")
    listed = verify(retro, [product], n=ANSWERS)
    calls, tokens = sum(one.answer.calls for one in found), sum(one.tokens for one in found)
    return Stop(
        "what do these reactants give?",
        f"{NOTICE} A dozen textbook reactions that we wrote, reagents and all; the product of one is taken apart again.",
        {
            "products as in the textbook": f"{sum(one.is_right for one in found)} of {len(found)}",
            "products that are molecules": f"{sum(one.answer.valid for one in found)} of {len(found)}",
            "model calls": f"{calls} instead of {tokens}, one for each token",
            "answers equal to plain decoding's": f"{checked.rows - len(checked.differences)} of {checked.rows}",
            "time for the dozen, one after the other": f"{1000 * seconds:,.0f} ms",
            f"calls for {ANSWERS} ways to make one product": f"{listed.fast_calls:.0f} instead of {listed.plain_calls:.0f}",
            "that list equals beam search's": "yes" if listed.is_equal else "no",
        },
        [_products(found), _parts(product, parts)],
        [
            _gallery([f"{one.reaction.name}: {_verdict(one)}" for one in found], [one.answer for one in found]),
            _gallery(
                [f"{rank}. {one.probability:.1%}" for rank, one in enumerate(parts, 1)], parts, f"Ways to make {product}",
            ),
        ],
        (
            "Copied is the share of the answer that was drafted and accepted; the rest took a call for each token.",
            "Some of these reactions are so common that patents hold them too: this is no test of the model.",
        ),
    )  # fmt: skip


def _predicted(model: Model, reaction: Named, answer: Prediction) -> Predicted:
    tokens = len(model.numbers(answer.smiles)) - 1  # the begin takes no call
    is_right = answer.valid and canonical_form(answer.smiles) == canonical_form(reaction.product)
    return Predicted(reaction, answer, tokens, is_right)


def _draw(found: Sequence[Predicted], folder: Path) -> None:
    make_folder(folder)
    for number, one in enumerate(found, 1):
        smiles = one.answer.smiles if one.answer.valid else one.reaction.product
        kind = "predicted" if one.answer.valid else "expected"
        write_atomic(folder / f"{number:02d}-{one.reaction.name.split()[0].lower()}-{kind}.svg", molecule_svg(smiles))


def _verdict(one: Predicted) -> str:
    return "right" if one.is_right else "wrong" if one.answer.valid else "no molecule"


def _products(found: Sequence[Predicted]) -> Table:
    columns = ("reaction", "verdict", "predicted", "expected", "calls", "tokens", "copied", "reactants")
    rows = [
        (
            one.reaction.name, _verdict(one), _short(one.answer.smiles), one.reaction.product, one.answer.calls, one.tokens,
            f"{sum(span.length for span in one.answer.copied) / max(1, one.tokens):.0%}", one.reaction.reactants,
        )
        for one in found
    ]  # fmt: skip
    return Table(columns, rows, "Products, by the shipped model forward")


def _parts(product: str, parts: Sequence[Prediction]) -> Table:
    wanted = canonical_form(next(one.reactants for one in TEXTBOOK if one.name == TAKEN_APART))
    rows = [
        (
            rank, f"{one.probability:.1%}", "yes" if canonical_form(one.smiles) == wanted else "no",
            "yes" if one.valid else "no", _short(one.smiles),
        )
        for rank, one in enumerate(parts, 1)
    ]  # fmt: skip
    return Table(("rank", "probability", "the textbook's", "molecules", "reactants"), rows, f"Ways to make {product}")


def _short(smiles: str) -> str:
    """What fits into a table of an answer that found no end."""
    return smiles if len(smiles) <= 80 else f"{smiles[:60]}... ({len(smiles)} characters)"


def _gallery(captions: Sequence[str], answers: Sequence[Prediction], title: str = "Predicted products") -> "go.Figure":
    """Drawings in a grid; of what is no molecule there is but the caption."""
    import plotly.graph_objects as go

    from tenfold.core.theme import style_figure

    figure = go.Figure()
    lines = -(-len(captions) // COLUMNS)
    for number, (caption, one) in enumerate(zip(captions, answers, strict=True)):
        left, top = (number % COLUMNS) / COLUMNS, 1 - (number // COLUMNS) / lines
        place = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top", "x": left}
        if one.valid:
            source = "data:image/svg+xml;base64," + base64.b64encode(molecule_svg(one.smiles).encode()).decode()
            figure.add_layout_image(source=source, y=top, sizex=0.98 / COLUMNS, sizey=0.75 / lines, **place)
        words = "<br>".join(textwrap.wrap(caption, 20))
        figure.add_annotation(text=words, align="left", y=top - 0.76 / lines, showarrow=False, font={"size": 11}, **place)
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    style_figure(figure, title=title, height=60 + 200 * lines)
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 50, "b": 10})
