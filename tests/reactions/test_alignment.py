import itertools

import numpy as np
import pytest
from rdkit import Chem

from tenfold.core.errors import BadInput
from tenfold.reactions.alignment import align_product, align_reactants, nearest_writing, parse_atom_map, reroot
from tenfold.reactions.corpus import Reaction, aligned_pairs, mixed, read_reactions

# Acetyl chloride and aniline give acetanilide; in its string the atoms are C C O N and the ring.
REACTANTS, PRODUCT, ATOMS = ["CC(=O)Cl", "Nc1ccccc1"], "CC(=O)Nc1ccccc1", [0, 1, 2, None, 3, 4, 5, 6, 7, 8, 9]


def canonical(smiles):
    return ".".join(sorted(Chem.CanonSmiles(part) for part in smiles.split(".")))


def test_an_atom_map_is_read_with_runs_single_atoms_and_leaving_ones():
    assert parse_atom_map("0-2,x,5,x2,9-8") == [0, 1, 2, None, 5, None, None]
    with pytest.raises(BadInput, match="no entry"):
        parse_atom_map("0-2,y")


def test_the_product_begins_where_the_reactant_with_most_of_its_atoms_begins():
    assert align_product(REACTANTS, PRODUCT, ATOMS) == "N(C(C)=O)c1ccccc1"


def test_each_reactant_begins_at_its_first_atom_of_the_product():
    assert align_reactants(REACTANTS, PRODUCT, ATOMS) == "CC(=O)Cl.Nc1ccccc1"
    assert align_reactants(REACTANTS[::-1], PRODUCT, ATOMS[4:] + ATOMS[:4]) == "CC(=O)Cl.Nc1ccccc1"


def test_without_a_map_the_writing_nearest_to_the_source_is_found_by_trying_all_roots():
    product = "COc1ccc(CC(=O)O)cc1"
    molecule = "CCOC(=O)Cc1ccc(OC)cc1"
    assert nearest_writing(molecule, product).startswith("COc1ccc(CC(=O)O")
    assert Chem.CanonSmiles(nearest_writing(molecule, product)) == Chem.CanonSmiles(molecule)


@pytest.mark.parametrize("atoms", [ATOMS[:-1], [*ATOMS[:-1], 30]])
def test_a_map_that_does_not_fit_is_refused_and_its_row_left_out(atoms):
    with pytest.raises(BadInput, match="atom"):
        align_product(REACTANTS, PRODUCT, atoms)
    text = ",".join("x" if atom is None else str(atom) for atom in atoms)
    assert aligned_pairs([Reaction(".".join(REACTANTS), PRODUCT, "", text)], "forward", workers=1) == []


def test_rewriting_from_random_atoms_keeps_the_molecules_and_what_maps_to_what():
    for seed in range(20):
        reactants, product, atoms = reroot(REACTANTS, PRODUCT, ATOMS, np.random.default_rng(seed))
        assert canonical(".".join(reactants)) == canonical(".".join(REACTANTS))
        assert canonical(product) == canonical(PRODUCT)
        symbols = [a.GetSymbol() for text in reactants for a in Chem.MolFromSmiles(text).GetAtoms()]
        made = [a.GetSymbol() for a in Chem.MolFromSmiles(product).GetAtoms()]
        assert all(made[atom] == symbol for symbol, atom in zip(symbols, atoms, strict=True) if atom is not None)
        assert sorted(atom for atom in atoms if atom is not None) == list(range(10))


def test_reagents_stand_among_the_reactants_in_the_order_of_the_alphabet():
    assert mixed(Reaction("CC(=O)Cl.Nc1ccccc1", "x", "C1CCOC1.[Na+]")) == "C1CCOC1.CC(=O)Cl.Nc1ccccc1.[Na+]"
    assert mixed(Reaction("CCO", "x")) == "CCO"


@pytest.mark.data
@pytest.mark.parametrize("task", ["forward", "retro"])
def test_aligned_targets_are_the_same_molecules_and_nearer_to_their_sources(data, task):
    from rapidfuzz.distance import Levenshtein

    rows = list(itertools.islice(read_reactions(data / "reactions" / "uspto_mit_valid30k.tsv.gz"), 300))
    pairs = aligned_pairs(rows, task, copies=2, workers=1)
    assert len(pairs) == 600
    before = after = 0
    for row, pair in zip(rows, pairs[::2], strict=True):
        wanted = row.product if task == "forward" else row.reactants
        assert canonical(pair.target) == canonical(wanted)
        before += Levenshtein.distance(pair.source, wanted)
        after += Levenshtein.distance(pair.source, pair.target)
    assert after < before
