"""A dozen textbook reactions, written by us: with reagents, as a chemist would note them down."""

from typing import NamedTuple

from tenfold.reactions.corpus import Reaction

__all__ = ["TEXTBOOK", "Named", "textbook"]


class Named(NamedTuple):
    """A reaction with its name.

    Attributes:
        name: what chemists call it.
        reactants: molecules that give atoms to the product.
        reagents: the others of the left side; may be empty.
        product: what textbooks say is made.
    """

    name: str
    reactants: str
    reagents: str
    product: str


TEXTBOOK = (
    Named("Fischer esterification", "CO.O=C(O)c1ccccc1", "O=S(=O)(O)O", "COC(=O)c1ccccc1"),
    Named(
        "amide coupling", "NCc1ccccc1.O=C(O)c1ccncc1", "CCN=C=NCCCN(C)C.CCN(C(C)C)C(C)C.On1nnc2ccccc21",
        "O=C(NCc1ccccc1)c1ccncc1",
    ),
    Named(
        "Suzuki coupling", "COc1ccc(Br)cc1.OB(O)c1ccccc1", "O=C([O-])[O-].[K+].[K+].[Pd]", "COc1ccc(-c2ccccc2)cc1",
    ),
    Named(
        "reductive amination", "C1COCCN1.O=Cc1ccccc1", "CC(=O)O[BH-](OC(C)=O)OC(C)=O.[Na+]", "c1ccc(CN2CCOCC2)cc1",
    ),
    Named("nucleophilic substitution (SN2)", "CCCCCCBr.[C-]#N.[Na+]", "CS(C)=O", "CCCCCCC#N"),
    Named(
        "Williamson ether synthesis", "BrCc1ccccc1.O=Cc1ccc(O)cc1", "CN(C)C=O.O=C([O-])[O-].[K+].[K+]",
        "O=Cc1ccc(OCc2ccccc2)cc1",
    ),
    Named("Grignard addition", "C[Mg]Br.O=C(c1ccccc1)c1ccccc1", "C1CCOC1", "CC(O)(c1ccccc1)c1ccccc1"),
    Named("nitration", "COC(=O)c1ccccc1.O=[N+]([O-])O", "O=S(=O)(O)O", "COC(=O)c1cccc([N+](=O)[O-])c1"),
    Named(
        "Boc removal", "CC(C)(C)OC(=O)N1CCN(c2ccccc2)CC1", "ClCCl.O=C(O)C(F)(F)F", "c1ccc(N2CCNCC2)cc1",
    ),
    Named("ketone reduction", "CC(=O)c1ccc(Cl)cc1", "CO.[BH4-].[Na+]", "CC(O)c1ccc(Cl)cc1"),
    Named("saponification", "CCOC(=O)c1ccc(F)cc1", "C1CCOC1.O.[Li+].[OH-]", "O=C(O)c1ccc(F)cc1"),
    Named("sulfonamide formation", "Cc1ccc(S(=O)(=O)Cl)cc1.NC1CCCCC1", "ClCCl.c1ccncc1", "Cc1ccc(S(=O)(=O)NC2CCCCC2)cc1"),
)  # fmt: skip


def textbook() -> list[Reaction]:
    """The dozen in canonical SMILES, as a data set has them."""
    from tenfold.reactions.molecules import canonical

    return [Reaction(canonical(one.reactants), canonical(one.product), canonical(one.reagents)) for one in TEXTBOOK]
