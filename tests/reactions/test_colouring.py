"""The same span has the same colour and number in both texts, and its atoms are those of the drawing."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.reactions.colouring import marked, pieces, text_html
from tenfold.reactions.copying import Span, common_spans
from tenfold.reactions.tokens import tokenize

Chem = pytest.importorskip("rdkit.Chem", reason="extra reactions is not installed")

SMILES = [
    "CC(=O)Nc1ccc(O)cc1",
    "[H]OC.[Na+].[O-]C(=O)c1ccccc1Br",
    "C[C@H](N)C(=O)O.ClC(Cl)Cl",
    "C1%10CC1CC%10",
    "B(O)(O)c1cc[nH]c1",
]


def numbers(text):
    return re.findall(r'data-span="([0-9,]+)">([^<]*)</mark>', text)


def test_a_span_has_one_number_and_one_colour_in_query_and_answer():
    source, target = marked("CCO.CC(=O)Cl", "CCOC(C)=O", [Span(0, 0, 3), Span(5, 3, 2)])
    assert numbers(source.text) == [("1", "CCO"), ("2", "C(")]
    assert numbers(target.text) == [("1", "CCO"), ("2", "C(")]
    colours = re.findall("--span:(#[0-9A-F]+)", source.text)
    assert colours == re.findall("--span:(#[0-9A-F]+)", target.text)
    assert len(set(colours)) == 2
    assert [piece.smiles for piece in source.molecules] == ["CCO", "CC(=O)Cl"]
    assert source.molecules[0].groups == ((0, 1, 2), ())
    assert source.molecules[1].groups == ((), (1,))
    assert target.molecules[0].groups == ((0, 1, 2), (3,))


def test_a_place_that_was_copied_twice_carries_both_numbers():
    source, target = marked("CCN", "CCCC", [Span(0, 0, 2), Span(0, 2, 2)])
    assert numbers(source.text) == [("1,2", "CC")]
    assert numbers(target.text) == [("1", "CC"), ("2", "CC")]


def test_a_ring_under_a_longer_number_takes_more_characters_on_one_side():
    source, target = marked("C%10CC%10", "C1CC1", [Span(0, 0, 5)])
    assert numbers(source.text) == [("1", "C%10CC%10")]
    assert numbers(target.text) == [("1", "C1CC1")]


@given(st.text("<>&\"'CN(=)", max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_marking_changes_no_character_and_lets_no_markup_in(text, stretches):
    inside = [(min(a, b, len(text)), min(max(a, b), len(text))) for a, b in stretches]
    found = text_html(text, inside)
    assert html.unescape(re.sub(r"</?mark[^>]*>", "", found)) == text
    assert set(re.findall(r"<(/?\w+)", found)) <= {"mark", "/mark"}


@given(st.sampled_from(SMILES), st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_the_atoms_of_a_stretch_are_those_that_rdkit_numbers_so(smiles, ends):
    first, end = sorted(ends)
    tokens = tokenize(smiles)
    how = Chem.SmilesParserParams()
    how.removeHs = False
    found = []
    for piece in pieces(smiles, [(first, end)]):
        mol = Chem.MolFromSmiles(piece.smiles, how)
        found += [mol.GetAtomWithIdx(atom).GetSymbol() for atom in piece.groups[0]]
    wanted = [re.sub(r"[^A-Za-z]", "", token) for token in tokens[first:end] if re.match(r"[\[A-Za-z]", token)]
    assert [symbol.lower() for symbol in found] == [re.match(r"cl|br|na|[a-z]", one.lower())[0] for one in wanted]


def test_an_answer_that_cannot_be_read_is_text_without_drawings():
    _, target = marked("CCO", "CC(O", common_spans(tokenize("CCO"), tokenize("CC(O")))
    assert target.molecules == ()
    assert numbers(target.text) == [("1", "CC")]
