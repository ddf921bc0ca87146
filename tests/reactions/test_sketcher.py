"""What is drawn is read as it was meant, and what cannot be is said in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.molecules import canonical
from tenfold.reactions.sketcher import TEMPLATE, drawn_smiles, molfile, script

pytest.importorskip("rdkit", reason="extra reactions is not installed")

HEAD = "\n  tenfold\n\n"
# What the editor writes for a carbon with five single bonds: the atoms' lines are shorter than RDKit's own.
ATOM = "    0.0000    0.0000    0.0000 {:3} 0  0  0  0  0  0\n"


def block(atoms, bonds):
    lines = "".join(ATOM.format(atom) for atom in atoms) + "".join(f"{a:3}{b:3}{order:3}  0\n" for a, b, order in bonds)
    return f"{HEAD}{len(atoms):3}{len(bonds):3}  0  0  0  0  0  0  0  0999 V2000\n{lines}M  END\n"


@pytest.mark.parametrize(
    "smiles",
    ["CCO", "C[C@H](N)C(=O)O", "c1ccccc1", "C/C=C\\C", "[Na+].[OH-]", "C[N+](C)(C)C.[Br-]", "O=S(=O)(O)c1ccc2ccccc2c1"],
)
def test_molecules_come_back_from_the_editors_format_as_they_were(smiles):
    assert drawn_smiles(molfile(smiles)) == canonical(smiles)


def test_an_atom_with_too_many_bonds_is_named():
    with pytest.raises(BadInput, match="C, has 5 bonds, more than it can have"):
        drawn_smiles(block("CCCCCC", [(1, n, 1) for n in range(2, 7)]))


def test_an_empty_canvas_says_where_to_click():
    for nothing in ("", None, "  \n"):
        with pytest.raises(BadInput, match="Nothing is drawn yet"):
            drawn_smiles(nothing)


@given(st.text(max_size=200) | st.builds(block, st.lists(st.sampled_from(["C", "Xx", "*"])), st.lists(
    st.tuples(st.integers(-1, 99), st.integers(-1, 99), st.integers(-1, 9)))))  # fmt: skip
def test_a_strangers_drawing_is_a_molecule_or_a_sentence(text):
    try:
        found = drawn_smiles(text)
    except BadInput:
        return
    assert canonical(found) == found


def test_a_drawing_is_of_bounded_size():
    with pytest.raises(BadInput, match="too large"):
        drawn_smiles("C" * 200_000)


def test_the_editor_is_packaged_and_fits_its_template():
    assert "V2000" in script()
    # Gradio evaluates a template as a JavaScript template string: these would be code.
    assert "`" not in TEMPLATE
    assert "${" not in TEMPLATE
