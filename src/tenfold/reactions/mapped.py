"""Atom maps that stand in the SMILES of a reaction, as the data sets' column says them."""

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.reactions.equality import canonical_form

__all__ = ["MappedReaction", "read_maps", "write_atom_map"]


class MappedReaction(NamedTuple):
    """A reaction in canonical SMILES without atom maps, and where its atoms go.

    Attributes:
        reactants: molecules that give atoms to the product, sorted.
        product: molecule.
        bystanders: the other molecules of the left side.
        atoms: for each atom of the reactants, in the order of their strings, its place in the product, or None.
    """

    reactants: list[str]
    product: str
    bystanders: list[str]
    atoms: list[int | None]


class _Written(NamedTuple):
    """A canonical molecule, and the map number of each atom of its string; 0 is none."""

    smiles: str
    maps: list[int]


def read_maps(reactants: str, product: str) -> MappedReaction | None:
    """The maps of a reaction; None where they are of no use: no common number, or one that stands twice in the product.

    Args:
        reactants: the left side, mapped.
        product: one molecule, mapped.
    """
    right, left = _written(product), [_written(part) for part in reactants.split(".")]
    if right is None or "." in right.smiles:
        return None
    numbers = [number for number in right.maps if number]
    if len(set(numbers)) < len(numbers):
        return None
    place = {number: atom for atom, number in enumerate(right.maps) if number}
    known = [one for one in left if one is not None]
    if len(known) < len(left):
        return None
    giving = sorted(one for one in known if place.keys() & set(one.maps))
    if not giving:
        return None
    atoms = [place.get(number) for one in giving for number in one.maps]
    bystanders = [one.smiles for one in known if one not in giving]
    return MappedReaction([one.smiles for one in giving], right.smiles, bystanders, atoms)


def write_atom_map(atoms: Sequence[int | None]) -> str:
    """The column `atom_map` of the data sets; see `alignment.parse_atom_map`."""
    return ",".join("x" if atom is None else str(atom) for atom in atoms)


def _written(smiles: str) -> _Written | None:
    """None where RDKit reads no molecule, or would write it otherwise the next time: then the order of its atoms is lost."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    maps = [atom.GetAtomMapNum() for atom in molecule.GetAtoms()]
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    text = Chem.MolToSmiles(molecule)
    order = molecule.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]
    return _Written(text, [maps[atom] for atom in order]) if canonical_form(text) == text else None
