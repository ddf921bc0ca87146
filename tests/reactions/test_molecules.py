"""What users type, read or refused with a reason."""

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.molecules import LONGEST, canonical, check_tokens, read_query, split_reaction

pytest.importorskip("rdkit", reason="extra reactions is not installed")

PIECES = ["C", "N", "O", "c1ccccc1", "C(=O)O", "[nH]1cccc1", "/C=C/", "[C@H](N)C", "Cl", "S(=O)(=O)"]


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "Ring 1 is opened but never closed"),
        ("C%12CC", "Ring 12 is opened but never closed"),
        ("C1C1", "Ring 1 closes on a bond that is there already"),
        ("C(C", "A parenthesis is opened but never closed"),
        ("CC)", "A parenthesis is closed but was never opened"),
        ("C(C)(C)(C)(C)C", "Atom 1, C, has 5 bonds"),
        ("c1ccc1c", "Atom 5 is written aromatic but is in no ring"),
        ("c1cccn1", "No alternation of double bonds fits"),
        ("se", "Character 'e' at place 2"),
        ("C==C", "around place 3"),
        ("", "empty"),
        ("C C", "blank"),
    ],
)
def test_what_is_no_molecule_is_refused_with_the_reason(smiles, reason, capfd):
    with pytest.raises(BadInput, match=reason):
        canonical(smiles)
    assert capfd.readouterr() == ("", "")


def test_a_text_of_a_megabyte_is_refused_before_it_is_parsed():
    with pytest.raises(BadInput, match=f"at most {LONGEST}"):
        canonical("C" * 1_000_000)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_the_canonical_form_of_a_canonical_form_is_itself(smiles):
    try:
        found = canonical(smiles)
    except BadInput:
        return
    assert canonical(found) == found


def test_however_a_molecule_is_written_the_query_is_the_same():
    assert read_query("OCC.CC(Cl)=O", "forward") == read_query("CC(=O)Cl.CCO", "forward")


def test_atom_maps_are_removed_and_it_is_said_once():
    found = read_query("[CH3:1][CH2:2][OH:3].[CH3:4][C:5](=[O:6])[Cl:7]", "forward")
    assert found.smiles == "CC(=O)Cl.CCO"
    assert [note for note in found.notes if "maps" in note] == ["Atom maps were removed."]


def test_a_reaction_gives_the_side_that_the_task_starts_from_and_says_so():
    forward = read_query("CCO>[Na+].[OH-]>CC=O", "forward")
    assert (forward.smiles, forward.notes[0]) == ("CCO.[Na+].[OH-]", "This is a reaction; its left side was used.")
    retro = read_query("CCO>>CC=O", "retro")
    assert (retro.smiles, retro.notes) == ("CC=O", ("This is a reaction; its product was used.",))


@pytest.mark.parametrize(("text", "task"), [(">>C", "forward"), ("C>>", "retro"), ("C>C", "forward"), ("C>>C>>C", "retro")])
def test_a_reaction_without_the_needed_side_is_refused(text, task):
    with pytest.raises(BadInput, match="reaction"):
        read_query(text, task)


def test_a_reaction_has_two_signs():
    assert split_reaction("A>R>B") == ("A", "R", "B")
    with pytest.raises(BadInput, match="it has 1 of the sign"):
        split_reaction("A>B")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("  ", "The line is empty"), ("[Na+].[Cl-]", "nothing but salts"), ("*CC", "dummy atom"), ("[*:1]CC", "dummy atom")],
)
def test_what_holds_nothing_to_predict_from_is_refused_by_name(text, reason):
    with pytest.raises(BadInput, match=reason):
        read_query(text, "forward")


def test_several_products_and_single_reactants_are_pointed_out():
    assert "2 molecules" in read_query("CCO.CN", "retro").notes[0]
    assert "one molecule" in read_query("CCO", "forward").notes[0]
    assert read_query("CCO", "retro").notes == ()


def test_salts_are_stripped_on_request_only():
    assert read_query("C[NH2+]C.[Cl-]", "retro").smiles == "C[NH2+]C.[Cl-]"
    found = read_query("C[NH2+]C.[Cl-]", "retro", strip_salts=True)
    assert (found.smiles, found.notes) == ("C[NH2+]C", ("Left out: [Cl-].",))
    assert read_query("CCO.CN.[Na+].[Cl-]", "forward", strip_salts=True).smiles == "CCO.CN"


def test_too_many_tokens_are_refused_with_both_numbers_and_nothing_is_cut():
    check_tokens("C" * 500, 502)
    with pytest.raises(BadInput, match="612 tokens, limit 500"):
        check_tokens("C" * 612, 502)


def test_rdkits_own_words_reach_no_terminal(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(logging.getLogger("rdkit"), "handlers", [logging.StreamHandler(written)])
    with pytest.raises(BadInput, match="never closed"):
        canonical("C1CCCCCCN")
    assert written.getvalue() == ""
