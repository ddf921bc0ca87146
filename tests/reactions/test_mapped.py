"""Atom maps in reaction SMILES: sides in canonical form, and the map that aligns them."""

import pytest

pytest.importorskip("rdkit", reason="extra reactions is not installed")

from tenfold.core.errors import BadInput
from tenfold.reactions.alignment import parse_atom_map
from tenfold.reactions.corpus import Pair, Reaction, aligned_pairs, reaction_of

MAPPED = "[CH3:1][C:2](=[O:3])[OH:4].[CH3:5][CH2:6][OH:7].[Na+].[OH-]>O>[CH3:1][C:2](=[O:3])[O:7][CH2:6][CH3:5]"


def test_molecules_that_give_no_atom_become_reagents_and_the_map_follows_the_canonical_atoms():
    found = reaction_of(MAPPED)
    assert found[:3] == ("CC(=O)O.CCO", "CCOC(C)=O", "O.[Na+].[OH-]")
    assert parse_atom_map(found.atom_map) == [4, 3, 5, None, 0, 1, 2]


def test_a_mapped_reaction_is_aligned_by_its_map():
    assert aligned_pairs([reaction_of(MAPPED)], "retro", workers=1) == [Pair("CCOC(C)=O", "CCO.C(C)(=O)O")]


@pytest.mark.parametrize(
    "text",
    [
        "CCO.CC(=O)Cl>>CCOC(C)=O",
        "[CH3:1]CO.CC(=O)Cl>>[CH3:2]COC(C)=O",
        "[CH3:1]CO.CC(=O)Cl>>[CH3:1]COC([CH3:1])=O",
        "[CH3:1]CO.CC(=O)Cl>>[CH3:1]COC(C)=O.Cl",
    ],
)
def test_without_a_map_of_use_all_of_the_left_side_are_reactants(text):
    assert reaction_of(text)[:1] + reaction_of(text)[2:] == ("CC(=O)Cl.CCO", "", "")


def test_reagents_between_the_arrows_are_kept():
    assert reaction_of("OCC>Cl.[Na+]>CCO") == Reaction("CCO", "CCO", "Cl.[Na+]", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [("CCO", "no reaction"), (">>CCO", "no reactants"), ("CCO>>", "no product"), ("C1CC>>C", "Ring 1 is opened")],
)
def test_what_is_no_reaction_is_refused_in_a_sentence(text, words):
    with pytest.raises(BadInput, match=words):
        reaction_of(text)
