"""When two answers are the same molecules: RDKit's canonical form, without atom maps."""

from functools import lru_cache

__all__ = ["canonical_form", "largest_molecule"]


@lru_cache(maxsize=1 << 16)
def canonical_form(smiles: str) -> str:
    """The canonical SMILES of molecules, atom maps left out; empty where RDKit reads no molecule."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None:
            return ""
        if ":" in smiles:  # aromatic bonds too may be written so; they have no maps to lose
            for atom in molecule.GetAtoms():
                atom.SetAtomMapNum(0)
        return Chem.MolToSmiles(molecule)


def largest_molecule(canonical: str) -> str:
    """The molecule with the longest SMILES among those of a canonical form; of equally long ones the last by the alphabet.

    MaxFrag of Tetko et al. 2020 compares these: reagents that are written or left out at will do not count.
    """
    return max(canonical.split("."), key=lambda part: (len(part), part))
