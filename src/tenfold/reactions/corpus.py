"""Reactions, and the pairs of texts that a model learns from or is scored on.

A forward model reads all molecules of the left side, sorted, joined by dots ("mixed": nothing says which is a reagent) and
writes the product; a retro model reads the product and writes the reactants.
"""

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tenfold.core.data import locate
from tenfold.core.errors import BadInput
from tenfold.core.parallel import parallel_map
from tenfold.reactions.alignment import (
    Mapped,
    align_product,
    align_reactants,
    nearest_writing,
    parse_atom_map,
    reroot,
)  # fmt: skip

__all__ = ["TASKS", "Pair", "Reaction", "Task", "aligned_pairs", "mixed", "plain_pair", "read_reactions", "with_reagents"]

Task = Literal["forward", "retro"]
TASKS: tuple[Task, ...] = ("forward", "retro")
_CHUNK = 2000


class Reaction(NamedTuple):
    """One reaction, in canonical SMILES.

    Attributes:
        reactants: molecules that give atoms to the product, joined by dots.
        product: molecule.
        reagents: the other molecules of the left side, joined by dots; may be empty.
        atom_map: the data sets' column of that name; empty where there is none.
    """

    reactants: str
    product: str
    reagents: str = ""
    atom_map: str = ""


# Reactions, task, copies, and the seed of the copies.
_Work = tuple[Sequence[Reaction], Task, int, tuple[int, int]]


class Pair(NamedTuple):
    """What a model reads and what it is to write."""

    source: str
    target: str


def read_reactions(path: str | os.PathLike[str]) -> Iterator[Reaction]:
    """The rows of a tab-separated file with a header (reactants, product, perhaps reagents, atom_map, class), also .gz.

    Args:
        path: of a file, or the name of one of a data set, e.g. "reactions/uspto_50k_test.tsv.gz".

    Raises:
        BadInput: a column is missing, or a row has not as many fields as the header.
        DataMissing: the data set is not here.
    """
    file = Path(path) if Path(path).is_file() else locate(str(path))
    opens = gzip.open if file.suffix == ".gz" else open
    with opens(file, "rt", encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = {"reactants", "product"} - set(table.fieldnames or ())
        if missing:
            raise BadInput(f"{file.name} has no column {min(missing)!r}.", "Needed: reactants and product, tab-separated.")
        for number, row in enumerate(table, 1):
            if None in row or None in row.values():
                raise BadInput(f"{file.name}, row {number}: not as many fields as the header has.")
            yield Reaction(row["reactants"], row["product"], row.get("reagents", ""), row.get("atom_map", ""))


def mixed(reaction: Reaction) -> str:
    """The left side as a forward model reads it: all molecules, sorted."""
    sides = [side for side in (reaction.reactants, reaction.reagents) if side]
    return ".".join(sorted(".".join(sides).split(".")))


def plain_pair(reaction: Reaction, task: Task) -> Pair:
    """Source and target as they stand, canonical, for scoring."""
    return Pair(mixed(reaction), reaction.product) if task == "forward" else Pair(reaction.product, reaction.reactants)


def with_reagents(reactions: Sequence[Reaction], donors: Sequence[Reaction], seed: int) -> list[Reaction]:
    """Reactions without reagents get those of a random donor, so that a model learns to look past them."""
    given = [donor.reagents for donor in donors]
    if not given:
        return list(reactions)
    drawn = np.random.default_rng(seed).integers(len(given), size=len(reactions))
    return [row if row.reagents else row._replace(reagents=given[i]) for row, i in zip(reactions, drawn, strict=True)]


def aligned_pairs(
    reactions: Sequence[Reaction], task: Task, *, copies: int = 1, seed: int = 0, workers: int | None = None
) -> list[Pair]:
    """Source as the model reads it, target root-aligned to it: by the atom map, or by edit distance where there is none.

    Args:
        reactions: a reaction whose map does not fit its molecules is left out.
        task: what is read and what is written.
        copies: pairs for each reaction with a map: the first canonical, the others with molecules begun at random atoms.
        seed: of these atoms.
        workers: processes; None = one per core.
    """
    chunks: list[_Work] = [(reactions[i : i + _CHUNK], task, copies, (seed, i)) for i in range(0, len(reactions), _CHUNK)]
    made = parallel_map(_aligned_chunk, chunks, workers=workers, title="Aligning reactions")
    return [pair for part in made for pair in part]


def _aligned_chunk(work: _Work) -> list[Pair]:
    reactions, task, copies, seed = work
    draw = np.random.default_rng(seed)
    return [pair for reaction in reactions for pair in _aligned(reaction, task, copies, draw)]


def _aligned(reaction: Reaction, task: Task, copies: int, draw: np.random.Generator) -> Iterator[Pair]:
    try:
        if not reaction.atom_map:
            source = plain_pair(reaction, task).source
            yield Pair(source, _nearest(reaction, task, source))
            return
        first = Mapped(reaction.reactants.split("."), reaction.product, parse_atom_map(reaction.atom_map))
        for copy in range(copies):
            yield _pair(reroot(*first, draw) if copy else first, reaction.reagents, task)
    except BadInput:
        return


def _pair(mapped: Mapped, reagents: str, task: Task) -> Pair:
    if task == "retro":
        return Pair(mapped.product, align_reactants(*mapped))
    source = mixed(Reaction(".".join(mapped.reactants), mapped.product, reagents))
    return Pair(source, align_product(*mapped, source.split(".")))


def _nearest(reaction: Reaction, task: Task, source: str) -> str:
    if task == "forward":
        return nearest_writing(reaction.product, max(reaction.reactants.split("."), key=len))
    return ".".join(nearest_writing(molecule, source) for molecule in reaction.reactants.split("."))
