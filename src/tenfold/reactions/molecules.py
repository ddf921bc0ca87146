"""What users type, as models read it: RDKit's canonical form without atom maps, and a sentence on what is wrong with it."""

import logging
import re
import threading
from functools import lru_cache
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.tokens import tokenize

__all__ = [
    "ATOM_MAP",
    "LONGEST",
    "Query",
    "ReactionText",
    "canonical",
    "check_tokens",
    "is_salt",
    "read_query",
    "split_reaction",
]

LONGEST = 20_000
"""Characters of a SMILES; RDKit's time rises faster than the length."""

ATOM_MAP = re.compile(r":[0-9]+\]")
"""The map number at the end of a bracket atom."""

_STABLE_WITHIN = 5
_UNCLOSED, _DUPLICATE = re.compile("unclosed ring"), re.compile(r"ring closure (\d+) duplicates bond")
_RING = re.compile(r"%\(\d+\)|%\d\d|\d")
_PLACE = re.compile(r"around position (\d+)")
_VALENCE = re.compile(r"Explicit valence for atom # (\d+) (\w+), (\d+), is greater than permitted")
_NOT_IN_RING = re.compile(r"non-ring atom (\d+) marked aromatic")
_LOGS = threading.Lock()
# Counter-ions, acids and solvents of crystallisation that medicines and building blocks come with.
_SALTS = (
    "[Li+] [Na+] [K+] [Cs+] [Ag+] [Mg+2] [Ca+2] [Zn+2] [Ba+2] [NH4+] [F-] [Cl-] [Br-] [I-] [OH-] Cl Br I O "
    "O=[N+]([O-])[O-] O=S(=O)([O-])[O-] O=S(=O)(O)O O=S(=O)([O-])O O=P(O)(O)O O=C([O-])[O-] O=C([O-])O "
    "[O-][Cl+3]([O-])([O-])[O-] F[B-](F)(F)F F[P-](F)(F)(F)(F)F O=C(O)C(F)(F)F O=C([O-])C(F)(F)F CC(=O)[O-] CS(=O)(=O)O "
    "CS(=O)(=O)[O-] O=C(O)C(=O)O O=C(O)C=CC(=O)O O=C(O)/C=C/C(=O)O O=C(O)/C=C\\C(=O)O"
)


class ReactionText(NamedTuple):
    """The sides of a reaction string, as they were written; each may be empty."""

    reactants: str
    reagents: str
    product: str


class Query(NamedTuple):
    """What a model is asked.

    Attributes:
        smiles: canonical molecules without atom maps, sorted, joined by dots.
        notes: what was changed or looks odd, one sentence each.
    """

    smiles: str
    notes: tuple[str, ...] = ()


def read_query(text: str, task: str, *, strip_salts: bool = False) -> Query:
    """The query in a user's text: a SMILES, or the side of a reaction that the task starts from.

    Args:
        text: SMILES, `A>>B` or `A>R>B`.
        task: "forward" reads the left side and the reagents; "retro" reads the product.
        strip_salts: leave counter-ions out; of a product, all but its largest molecule.

    Raises:
        BadInput: it is empty, is no molecule, holds dummy atoms, or nothing but salts.
    """
    text = text.strip()
    notes: list[str] = []
    if ">" in text and "->" not in text and "<-" not in text:
        text = _side(split_reaction(text), task, notes)
    if not text:
        raise BadInput("The line is empty.")
    if ATOM_MAP.search(text):
        notes.append("Atom maps were removed.")
    parts = canonical(text).split(".")
    if any("*" in part for part in parts):
        raise BadInput("A dummy atom (*) stands for no element; the models know none.", "Write the whole molecule.")
    if all(map(is_salt, parts)) and (len(parts) > 1 or "[" in parts[0]):
        raise BadInput(f"There is nothing but salts in {text[:80]!r}.", "Give the molecule that reacts too.")
    if strip_salts:
        parts = _stripped(parts, task, notes)
    if task == "retro" and len(parts) > 1:
        notes.append(
            f"The product has {len(parts)} molecules; the model was trained on one. --strip-salts keeps the largest."
        )
    if task == "forward" and len(parts) == 1:
        notes.append("This is one molecule; products are predicted from all reactants, joined by dots.")
    return Query(".".join(sorted(parts)), tuple(notes))


def split_reaction(text: str) -> ReactionText:
    """The sides of `A>>B` or `A>R>B`.

    Raises:
        BadInput: it has another number of `>`.
    """
    sides = text.split(">")
    if len(sides) != 3:
        raise BadInput(f"{text[:80]!r} is no reaction: it has {len(sides) - 1} of the sign '>'.", "Write A>>B or A>R>B.")
    return ReactionText(*(side.strip() for side in sides))


def canonical(smiles: str) -> str:
    """RDKit's canonical SMILES without atom maps; given a canonical one, the same again.

    Raises:
        BadInput: it is empty, too long, or no molecule; the message is RDKit's reason in a sentence.
    """
    if not smiles.strip():
        raise BadInput("The SMILES is empty.")
    if len(smiles) > LONGEST:
        raise BadInput(f"The SMILES has {len(smiles)} characters; at most {LONGEST} are read.")
    if len(smiles.split()) > 1:
        raise BadInput(f"There is a blank in {smiles[:80]!r}.", "A SMILES has none.")
    found = _stable(smiles)
    if not found:
        raise _reason(smiles)
    return found


def check_tokens(smiles: str, positions: int) -> None:
    """See that a query fits a model's positions, begin and end included.

    Raises:
        BadInput: it has more tokens; nothing is ever cut off.
    """
    count, limit = len(tokenize(smiles)), positions - 2
    if count > limit:
        raise BadInput(f"The molecules have {count} tokens, limit {limit}.", "Leave reagents out, or use a longer model.")


def is_salt(part: str) -> bool:
    """Whether a canonical molecule is a usual counter-ion, acid or water."""
    return part in _salts()


def _side(reaction: ReactionText, task: str, notes: list[str]) -> str:
    if task == "retro":
        if reaction.product:
            notes.append("This is a reaction; its product was used.")
            return reaction.product
        raise BadInput("The reaction has no product.", "Write A>>B with B, or the product alone.")
    left = ".".join(side for side in (reaction.reactants, reaction.reagents) if side)
    if not left:
        raise BadInput("The reaction has no left side.", "Write A>>B with A, or the reactants alone.")
    notes.append("This is a reaction; its left side was used.")
    return left


def _stripped(parts: list[str], task: str, notes: list[str]) -> list[str]:
    kept = [part for part in parts if not is_salt(part)] or parts
    if task == "retro":
        kept = [max(kept, key=lambda part: (len(tokenize(part)), part))]
    if len(kept) < len(parts):
        left_out = list(parts)
        for part in kept:
            left_out.remove(part)
        notes.append(f"Left out: {', '.join(left_out)}.")
    return kept


@lru_cache(maxsize=1 << 14)
def _stable(smiles: str) -> str:
    """RDKit's form may change when it is read again (stereo that depends on stereo): go on until it does not."""
    found = canonical_form(smiles)
    for _ in range(_STABLE_WITHIN):
        again = canonical_form(found) if found else ""
        if again == found:
            break
        found = again
    return found


@lru_cache(maxsize=1)
def _salts() -> frozenset[str]:
    return frozenset(map(canonical_form, _SALTS.split()))


def _reason(smiles: str) -> BadInput:
    """The sentence for a SMILES that RDKit does not read."""
    said = _rdkit_says(smiles)
    shown = repr(smiles if len(smiles) <= 80 else smiles[:77] + "...")
    if _UNCLOSED.search(said):
        return BadInput(f"Ring {_open_ring(smiles)} is opened but never closed in {shown}.")
    if match := _DUPLICATE.search(said):
        return BadInput(f"Ring {match[1]} closes on a bond that is there already in {shown}.")
    if "extra open parentheses" in said:
        return BadInput(f"A parenthesis is opened but never closed in {shown}.")
    if "extra close parentheses" in said:
        return BadInput(f"A parenthesis is closed but was never opened in {shown}.")
    if match := _VALENCE.search(said):
        return BadInput(f"Atom {int(match[1]) + 1}, {match[2]}, has {match[3]} bonds, more than it can have, in {shown}.")
    if match := _NOT_IN_RING.search(said):
        return BadInput(f"Atom {int(match[1]) + 1} is written aromatic but is in no ring in {shown}.")
    if "kekulize" in said.lower():
        return BadInput(
            f"No alternation of double bonds fits the aromatic ring in {shown}.", "A nitrogen may lack its [nH]."
        )
    tokenize(smiles)  # names a character that no SMILES has
    place = _PLACE.search(said)
    where = f" around place {place[1]}" if place else ""
    return BadInput(f"RDKit cannot read {shown}{where}.")


def _rdkit_says(smiles: str) -> str:
    """RDKit's own words; its log goes to Python's for the time being, so no word reaches the terminal."""
    from rdkit import Chem, rdBase

    words: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: words.append(record.getMessage())
    log = logging.getLogger("rdkit")
    with _LOGS:
        propagates, log.propagate = log.propagate, False
        before, log.handlers = log.handlers, [handler]  # RDKit's own writes to the terminal
        rdBase.LogToPythonLogger()
        try:
            Chem.MolFromSmiles(smiles)
        finally:
            rdBase.LogToCppStreams()
            log.handlers = before
            log.propagate = propagates
    return "\n".join(words)


def _open_ring(smiles: str) -> str:
    """The first ring number that occurs an odd number of times outside brackets."""
    open_rings: dict[str, None] = {}
    for ring in _RING.findall(re.sub(r"\[[^\]]*\]", "", smiles)):
        if ring in open_rings:
            del open_rings[ring]
        else:
            open_rings[ring] = None
    return next(iter(open_rings), "").strip("%()")
