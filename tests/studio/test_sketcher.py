"""The drawing editor alone in a browser, mounted as Gradio mounts it: what is drawn is the molecule that was meant."""

import pytest

pytest.importorskip("rdkit", reason="extra reactions is not installed")

from tenfold.reactions.molecules import canonical
from tenfold.reactions.sketcher import STYLE, TEMPLATE, drawn_smiles, molfile, script

pytestmark = pytest.mark.browser
MOUNT = """code => {
  window.props = { value: "" };
  window.watchers = [];
  const mount = Function("element", "trigger", "props", "server", "upload", "watch", code);
  mount(document.getElementById("editor"), () => {}, props, null, null, (_, call) => watchers.push(call));
}"""
CENTRES = """() => [...document.querySelectorAll("circle.disc, circle.corner")].map((circle) => {
  const box = circle.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})"""


class Editor:
    def __init__(self, page):
        self.page = page
        page.set_viewport_size({"width": 600, "height": 600})
        page.set_content(f'<style>{STYLE}</style><div id="editor">{TEMPLATE}</div>')
        page.evaluate(MOUNT, script())

    def tool(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        return self

    def click(self, *atoms):
        """Click an atom, the middle of two, or without any the middle of the canvas."""
        self.page.mouse.click(*self.place(*atoms))
        return self

    def drag(self, atom, x, y):
        begin = self.place(atom)
        self.page.mouse.move(*begin)
        self.page.mouse.down()
        self.page.mouse.move(begin[0] + x / 2, begin[1] + y / 2)
        self.page.mouse.move(begin[0] + x, begin[1] + y)
        self.page.mouse.up()
        return self

    def place(self, *atoms):
        if not atoms:
            box = self.page.locator("svg").bounding_box()
            return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        centres = self.page.evaluate(CENTRES)
        return [sum(centres[atom][axis] for atom in atoms) / len(atoms) for axis in (0, 1)]

    def show(self, smiles):
        self.page.evaluate("text => { props.value = text; watchers.forEach((call) => call()); }", molfile(smiles))
        return self

    @property
    def smiles(self):
        return drawn_smiles(self.page.evaluate("props.value"))


@pytest.fixture
def editor(page):
    return Editor(page)


def test_a_benzene_ring_on_any_side_of_another_makes_naphthalene(editor):
    for side in range(6):
        editor.tool("Clear").tool("Benzene ring").click().click(side, (side + 1) % 6)
        assert editor.smiles == "c1ccc2ccccc2c1"


def test_a_ring_becomes_part_of_a_chains_end_and_is_bonded_to_a_crowded_atom(editor):
    editor.tool("Draw N").click().tool("Benzene ring").click(0)
    assert editor.smiles == "c1ccncc1"
    editor.tool("Ring of five").click(2)
    assert editor.smiles == "c1cncc(C2CCCC2)c1"


def test_orders_charges_and_erasing(editor):
    editor.tool("Draw C").click().drag(0, 40, -20).click(0, 1).click(0, 1)
    assert editor.smiles == "C#C"
    editor.tool("Draw N").click(1).tool("Charge: one more").click(1)
    assert editor.smiles == "C#[NH+]"
    editor.tool("Charge: one less").click(1).tool("Erase an atom or a bond").click(0, 1)
    assert editor.smiles == "C.N"
    editor.click(0)
    assert editor.smiles == "N"
    editor.tool("Undo").tool("Undo")
    assert editor.smiles == "C#N"


def test_a_wedge_is_one_hand_dashes_the_other_and_plain_is_neither(editor):
    editor.tool("Draw C").click().drag(0, 40, -20).tool("Draw N").drag(0, -40, -20).tool("Draw O").drag(0, 0, 40)
    assert editor.smiles == "CC(N)O"
    editor.tool("Stereo bond: wedge, then dashes")
    hands = [editor.click(0, 2).smiles for _ in range(3)]
    assert sorted(hands) == ["CC(N)O", "C[C@@H](N)O", "C[C@H](N)O"]
    assert hands[2] == "CC(N)O"


@pytest.mark.parametrize(
    "smiles",
    [
        "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)[O-].[Na+]",
        "C/C=C\\C.c1cc[nH]c1",
        "[2H]C([2H])([2H])O.[13CH4]",
        "C[Mg]Br.[BH4-].[Pd]",
        "CC=[N+]=[N-].[C-]#[O+].C[CH2]",
        "C[S@](=O)CC",
    ],
)
def test_what_is_shown_is_what_is_read_back(editor, smiles):
    assert editor.show(smiles).smiles == canonical(smiles)
