"""Drawings of molecules as SVG, and Plotly pictures of what speculation saves. They take plain values."""

import html
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenfold.core.errors import BadInput
from tenfold.core.theme import PALETTE, style_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["acceptance_figure", "calls_figure", "molecule_svg", "speed_figure", "top_k_figure"]

_PALE = 0.35  # of a colour behind atoms, which must stay readable


def molecule_svg(smiles: str, *, width: int = 220, height: int = 160, highlight: Sequence[Collection[int]] = ()) -> str:
    """A molecule's drawing as an `<svg>` element on white, with its SMILES as the accessible name.

    Args:
        smiles: one molecule or several, drawn as written.
        width: in pixels.
        height: in pixels.
        highlight: groups of atoms, by their order in the SMILES from 0. Group k has colour k of the palette, and the number
            k + 1 beside its first atom; an atom of several groups has the colour of the first.

    Raises:
        BadInput: RDKit cannot read it.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    mol = _read(smiles)
    groups: dict[int, int] = {}
    notes: dict[int, list[str]] = {}
    for number, atoms in enumerate(highlight):
        for atom in atoms:
            groups.setdefault(atom, number)
        if atoms:
            notes.setdefault(min(atoms), []).append(str(number + 1))
    for atom, numbers in notes.items():
        mol.GetAtomWithIdx(atom).SetProp("atomNote", ",".join(numbers))
    ends = {bond.GetIdx(): (groups.get(bond.GetBeginAtomIdx()), groups.get(bond.GetEndAtomIdx())) for bond in mol.GetBonds()}
    bonds = {bond: begin for bond, (begin, end) in ends.items() if begin is not None and begin == end}
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawer.drawOptions()
    options.fixedBondLength, options.padding, options.annotationFontScale = 26, 0.06, 0.6
    colours = {number: _pale(number) for number in {*groups.values()}}
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawer, mol, highlightAtoms=list(groups), highlightBonds=list(bonds),
        highlightAtomColors={atom: colours[number] for atom, number in groups.items()},
        highlightBondColors={bond: colours[number] for bond, number in bonds.items()},
    )  # fmt: skip
    drawer.FinishDrawing()
    drawing = drawer.GetDrawingText()
    name = html.escape(smiles, quote=True)
    return drawing[drawing.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{name}"', 1)


def calls_figure(rows: Sequence[tuple[int, int, float]]) -> "go.Figure":
    """Model calls per token against the length of the drafts, a line for each number of drafts.

    Args:
        rows: (draft length, draft count, calls per token).
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for count in sorted({count for _, count, _ in rows}):
        points = sorted((length, calls) for length, drafts, calls in rows if drafts == count)
        name = f"{count} draft{'s' if count > 1 else ''}"
        figure.add_scatter(x=_column(points, 0), y=_column(points, 1), name=name, mode="lines+markers")
    figure.update_yaxes(rangemode="tozero")
    return style_figure(figure, x="Draft length (tokens)", y="Model calls per token")


def speed_figure(rows: Sequence[tuple[str, int, float]]) -> "go.Figure":
    """Speed-up over plain cached decoding against batch size, a line for each decoder; 1 is dashed.

    Args:
        rows: (decoder, batch size, speed-up).
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for decoder in dict.fromkeys(name for name, _, _ in rows):
        points = sorted((batch, speed) for name, batch, speed in rows if name == decoder)
        figure.add_scatter(x=_column(points, 0), y=_column(points, 1), name=decoder, mode="lines+markers")
    batches = sorted({batch for _, batch, _ in rows})
    figure.update_xaxes(type="log", tickvals=batches, ticktext=[str(batch) for batch in batches])
    figure.update_yaxes(rangemode="tozero")
    figure.add_hline(y=1, line={"dash": "dash", "color": "#808080", "width": 1})
    return style_figure(figure, x="Queries at once", y="Times as fast as plain decoding")


def top_k_figure(rows: Sequence[tuple[str, int, float, float, float]]) -> "go.Figure":
    """Share of reactions whose answer is among the first k, a line with intervals for each model.

    Args:
        rows: (model, k, share, low, high), shares from 0 to 1.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for model in dict.fromkeys(row[0] for row in rows):
        points = sorted(row[1:] for row in rows if row[0] == model)
        above = [high - share for _, share, _, high in points]
        below = [share - low for _, share, low, _ in points]
        error = {"type": "data", "array": above, "arrayminus": below, "thickness": 1}
        figure.add_scatter(x=_column(points, 0), y=_column(points, 1), error_y=error, name=model, mode="lines+markers")
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    figure.update_xaxes(tickvals=sorted({row[1] for row in rows}))
    return style_figure(figure, x="k", y="Right answer among the first k")


def acceptance_figure(shares: Mapping[str, Sequence[float]]) -> "go.Figure":
    """How many reactions have which share of their tokens from accepted drafts.

    Args:
        shares: by decoder, of each reaction, from 0 to 1.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for decoder, values in shares.items():
        bins = {"start": 0, "end": 1.0001, "size": 0.05}
        figure.add_histogram(x=list(values), name=decoder, xbins=bins, histnorm="percent", opacity=0.75)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    return style_figure(figure, x="Tokens from accepted drafts", y="Reactions (%)")


def _read(smiles: str) -> Any:
    """A molecule whose atoms are those of the SMILES, in its order, explicit hydrogens included."""
    from rdkit import Chem, rdBase

    how = Chem.SmilesParserParams()
    how.removeHs = False
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, how)
    if mol is None or not mol.GetNumAtoms():
        raise BadInput(f"RDKit cannot draw {smiles[:80]!r}.")
    return mol


def _pale(number: int) -> tuple[float, float, float]:
    """A colour of the palette mixed with white, as fractions of red, green and blue."""
    colour = PALETTE[number % len(PALETTE)]
    red, green, blue = (1 - _PALE * (1 - int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return red, green, blue


def _column(rows: Sequence[Sequence[Any]], place: int) -> list[Any]:
    return [row[place] for row in rows]
