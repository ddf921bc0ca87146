"""Root-aligned pairs: both sides of a reaction written from the same atom, so that the answer is mostly a copy.

Zhong et al. 2022 (R-SMILES). The source stays as it is given, canonical; the target is written anew along it. The molecule
that shares most atoms decides where a forward target begins; a retro target's molecules each begin at the atom that comes
first in the product. Without atom maps the writing that is nearest to the source by edit distance is taken.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein
from rdkit import Chem

from tenfold.core.errors import BadInput
from tenfold.reactions.tokens import tokenize

__all__ = ["AtomMap", "Mapped", "align_product", "align_reactants", "nearest_writing", "parse_atom_map", "reroot"]

# For each atom of the reactants, in the order of their string: the atom of the product that it becomes, or None.
AtomMap = Sequence[int | None]


class Mapped(NamedTuple):
    """Reactants, product, and the atom map between these very texts."""

    reactants: list[str]
    product: str
    atoms: AtomMap


_ENTRY = re.compile(r"(?:x(\d*)|(\d+)(?:-(\d+))?)\Z")


def parse_atom_map(text: str) -> list[int | None]:
    """Read the column `atom_map` of the data sets: runs "a-b", single numbers, "xN" for N atoms that leave.

    Raises:
        BadInput: the text is not of that form.
    """
    found: list[int | None] = []
    for entry in text.split(","):
        match = _ENTRY.match(entry)
        if match is None:
            raise BadInput(f"{entry[:20]!r} is no entry of an atom map.")
        leaving, first, last = match.groups()
        if first is None:
            found += [None] * int(leaving or 1)
        else:
            found += range(int(first), int(last or first) + 1)
    return found


def align_product(reactants: Sequence[str], product: str, atoms: AtomMap, source: Sequence[str] = ()) -> str:
    """The product, begun at the first atom of the reactant that gives most atoms.

    Args:
        reactants: molecules, in the order that `atoms` counts through.
        product: molecule.
        atoms: atom map.
        source: molecules as the model reads them; among equal givers the one that it reads first counts.

    Raises:
        BadInput: the map does not fit the molecules.
    """
    given = _shares(reactants, product, atoms)
    order = {smiles: place for place, smiles in reversed(list(enumerate(source)))}
    best = max(range(len(reactants)), key=lambda i: (_mapped(given[i]), -order.get(reactants[i], i)))
    root = next((atom for atom in given[best] if atom is not None), None)
    return _written(product, root)


def align_reactants(reactants: Sequence[str], product: str, atoms: AtomMap) -> str:
    """The reactants, each begun at its atom that comes first in the product, in the order of these atoms.

    Raises:
        BadInput: the map does not fit the molecules.
    """
    written = []
    for smiles, share in zip(reactants, _shares(reactants, product, atoms), strict=True):
        kept = [(target, place) for place, target in enumerate(share) if target is not None]
        first, root = min(kept, default=(len(product), None))
        written.append((first, _written(smiles, root)))
    return ".".join(smiles for _, smiles in sorted(written, key=lambda pair: pair[0]))


def reroot(reactants: Sequence[str], product: str, atoms: AtomMap, draw: np.random.Generator) -> Mapped:
    """The same reaction with each molecule begun at a random atom, for augmentation.

    Raises:
        BadInput: the map does not fit the molecules.
    """
    shares = _shares(reactants, product, atoms)
    product, order = _begun_anywhere(product, draw)
    place = {atom: position for position, atom in enumerate(order)}
    written, mapped = [], []
    for smiles, share in zip(reactants, shares, strict=True):
        text, own = _begun_anywhere(smiles, draw)
        written.append(text)
        mapped += [None if (atom := share[i]) is None else place.get(atom) for i in own]
    return Mapped(written, product, mapped)


def nearest_writing(smiles: str, source: str) -> str:
    """A molecule written from the root that makes it most like the source, by edit distance of tokens; needs no atom map."""
    molecule, wanted = _molecule(smiles), tokenize(source)
    writings = {Chem.MolToSmiles(molecule, rootedAtAtom=atom) for atom in range(molecule.GetNumAtoms())} | {smiles}
    return min(writings, key=lambda text: (_misfit(tokenize(text), wanted), text))


def _begun_anywhere(smiles: str, draw: np.random.Generator) -> tuple[str, list[int]]:
    """A writing from a random root, and which atom of the old text stands at each place of the new one."""
    molecule = _molecule(smiles)
    text = Chem.MolToSmiles(molecule, rootedAtAtom=int(draw.integers(molecule.GetNumAtoms())))
    return text, [*molecule.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]]


def _misfit(tokens: list[str], source: list[str]) -> int:
    """Edits that turn the tokens into a piece of the source: insertions at either end of the piece cost nothing."""
    return Levenshtein.distance(tokens, source, weights=(0, 1, 1))


def _shares(reactants: Sequence[str], product: str, atoms: AtomMap) -> list[AtomMap]:
    """The map, cut into one piece for each reactant."""
    last, size = max((atom for atom in atoms if atom is not None), default=-1), _molecule(product).GetNumAtoms()
    if last >= size:
        raise BadInput(f"The atom map names atom {last} of the product, which has {size} atoms.")
    counts = [_molecule(smiles).GetNumAtoms() for smiles in reactants]
    if sum(counts) != len(atoms):
        raise BadInput(f"The atom map has {len(atoms)} entries, the reactants have {sum(counts)} atoms.")
    ends = [sum(counts[: i + 1]) for i in range(len(counts))]
    return [atoms[end - count : end] for end, count in zip(ends, counts, strict=True)]


def _mapped(share: AtomMap) -> int:
    return sum(atom is not None for atom in share)


def _written(smiles: str, root: int | None) -> str:
    if root is None:
        return smiles
    return Chem.MolToSmiles(_molecule(smiles), rootedAtAtom=root)


def _molecule(smiles: str) -> Chem.Mol:
    found = Chem.MolFromSmiles(smiles)
    if found is None:
        raise BadInput(f"{smiles[:80]!r} is no valid SMILES.")
    return found
