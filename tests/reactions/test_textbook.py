"""The dozen textbook reactions are chemistry: molecules that RDKit reads, whose atoms the reactants have."""

from collections import Counter

import pytest
from rdkit import Chem

from tenfold.reactions.textbook import TEXTBOOK, textbook


def heavy_atoms(smiles: str) -> Counter[str]:
    return Counter(atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms())


@pytest.mark.parametrize("one", TEXTBOOK, ids=lambda one: one.name)
def test_every_atom_of_the_product_comes_from_the_reactants_and_something_happened(one):
    # Nitric acid, hydroxide and cyanide are among the reactants; saponification takes its oxygen from water.
    given = heavy_atoms(one.reactants) + heavy_atoms(one.reagents)
    assert heavy_atoms(one.product) <= given
    assert Chem.CanonSmiles(one.product) not in map(Chem.CanonSmiles, one.reactants.split("."))


def test_there_are_a_dozen_different_ones_in_canonical_form():
    found = textbook()
    assert len({one.name for one in TEXTBOOK}) == len(found) == 12
    assert all(one.product == Chem.CanonSmiles(one.product) for one in found)
