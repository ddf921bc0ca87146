"""The drawing editor of the page: its markup, and what was drawn as SMILES. `sketcher.js` is the editor itself."""

import importlib.resources

from tenfold.core.errors import BadInput
from tenfold.core.theme import PALETTE
from tenfold.reactions.molecules import canonical

__all__ = ["STYLE", "TEMPLATE", "drawn_smiles", "molfile", "script"]

_LARGEST = 100_000  # characters of a Molfile; the editor draws at most 200 atoms
_ELEMENTS = ("C", "N", "O", "S", "F", "Cl", "Br", "I", "P", "B")
_OTHERS = {
    "plus": ("+", "Charge: one more"),
    "minus": ("−", "Charge: one less"),
    "ring5": ("⬠", "Ring of five"),
    "ring6": ("⬡", "Ring of six"),
    "benzene": ("⌬", "Benzene ring"),
    "wedge": ("◢", "Stereo bond: wedge, then dashes"),
    "erase": ("✕", "Erase an atom or a bond"),
}
_ACTIONS = {"undo": "Undo", "clear": "Clear", "use": "Put it into the box"}


def _button(kind: str, value: str, sign: str, name: str) -> str:
    return f'<button type="button" data-{kind}="{value}" title="{name}" aria-label="{name}">{sign}</button>'


TEMPLATE = (
    '<div class="bar" role="toolbar" aria-label="Tools">'
    + "".join(_button("tool", one, one, f"Draw {one}") for one in _ELEMENTS)
    + "".join(_button("tool", one, sign, name) for one, (sign, name) in _OTHERS.items())
    + '</div><div class="paper">'
    + '<svg tabindex="0" role="application" aria-label="Drawing of molecules. Arrow keys choose an atom, A adds one '
    + 'behind it, a letter sets its element, 1 2 3 the bond, + and - the charge, Enter the tool, Delete removes."></svg>'
    + '<p class="hint">Click to place an atom, drag to make a bond, click a bond to make it double or triple. '
    + "Several molecules may be drawn.</p></div>"
    + '<p class="spoken" aria-live="polite"></p><div class="bar">'
    + "".join(_button("act", act, name, name) for act, name in _ACTIONS.items())
    + "</div>"
)

STYLE = f"""
.bar {{ display: flex; flex-wrap: wrap; gap: 4px; margin: 4px 0 }}
button {{ min-width: 34px; height: 34px; padding: 0 8px; border: 1px solid #9a9a9a; border-radius: 6px; background: #fff;
  color: #1d1d1f; font: inherit; font-size: 14px; cursor: pointer }}
button[aria-pressed="true"] {{ background: {PALETTE[0]}; border-color: {PALETTE[0]}; color: #fff }}
button[data-act="use"] {{ border-color: {PALETTE[0]}; color: {PALETTE[0]}; font-weight: 600 }}
button:focus-visible, svg:focus-visible {{ outline: 3px solid {PALETTE[4]}; outline-offset: 1px }}
.paper {{ position: relative }}
.hint {{ position: absolute; inset: auto 12px 12px; margin: 0; color: #555; font-size: 13px; pointer-events: none }}
.hint[hidden] {{ display: none }}
.spoken {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }}
svg {{ display: block; width: 100%; height: auto; aspect-ratio: 520 / 300; background: #fff; border: 1px solid #9a9a9a;
  border-radius: 8px; touch-action: none; cursor: crosshair; user-select: none }}
svg line {{ stroke: #1d1d1f; stroke-width: 1.6; stroke-linecap: round }}
svg line.dashes {{ stroke-width: 8; stroke-dasharray: 1.6 3; stroke-linecap: butt }}
svg line.drag {{ stroke: {PALETTE[0]}; stroke-dasharray: 4 3 }}
svg .wedge {{ fill: #1d1d1f }} svg .disc {{ fill: #fff }} svg .corner {{ fill: #1d1d1f }}
svg .selected {{ fill: none; stroke: {PALETTE[4]}; stroke-width: 3 }}
svg text {{ font: 600 14px sans-serif; fill: #1d1d1f; pointer-events: none }} svg .up, svg .down {{ font-size: 10px }}
"""


def script() -> str:
    """The editor's code, for `js_on_load`."""
    return (importlib.resources.files("tenfold.reactions") / "sketcher.js").read_text("utf-8")


def drawn_smiles(text: str | None) -> str:
    """What was drawn, as canonical SMILES, several molecules joined by dots.

    Args:
        text: a Molfile (V2000).

    Raises:
        BadInput: nothing was drawn, or it is no possible molecule; says which atom has too many bonds.
    """
    from rdkit import Chem, rdBase

    if not text or not text.strip():
        raise BadInput("Nothing is drawn yet.", "Click into the canvas to place an atom.")
    if len(text) > _LARGEST:
        raise BadInput(f"The drawing is too large: {len(text)} characters, at most {_LARGEST}.")
    try:
        with rdBase.BlockLogs():
            mol = Chem.MolFromMolBlock(text)
            loose = mol or Chem.MolFromMolBlock(text, sanitize=False)
            smiles = Chem.MolToSmiles(loose) if loose is not None else ""
    except (RuntimeError, ValueError):
        smiles = ""
    if not smiles:
        raise BadInput("The drawing cannot be read.", "Clear it and draw again.")
    return canonical(smiles)


def molfile(smiles: str) -> str:
    """Molecules laid out for the editor.

    Raises:
        BadInput: it is no SMILES.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDepictor

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(canonical(smiles))
        rdDepictor.Compute2DCoords(mol)
        Chem.WedgeMolBonds(mol, mol.GetConformer())
        return Chem.MolToMolBlock(mol)
