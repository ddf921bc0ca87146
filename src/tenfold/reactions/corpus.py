"""Reactions, and the pairs of texts that a model learns from or is scored on.

A forward model reads all molecules of the left side, sorted, joined by dots ("mixed": nothing says which is a reagent) and
writes the product; a retro model reads the product and writes the reactants.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tenfold.core.data import catalogue, locate
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
from tenfold.reactions.mapped import read_maps, write_atom_map
from tenfold.reactions.molecules import ATOM_MAP, ReactionText, canonical, split_reaction
from tenfold.reactions.tables import read_rows
from tenfold.reactions.tokens import UNKNOWN, Vocabulary

__all__ = [
    "TASKS",
    "Pair",
    "Reaction",
    "Task",
    "Usable",
    "aligned_pairs",
    "data_file",
    "known_pairs",
    "mixed",
    "plain_pair",
    "reaction_of",
    "read_reactions",
    "target_tokens",
    "usable_reactions",
    "with_reagents",
]

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


class Usable(NamedTuple):
    """A file's reactions, and why the other rows are none: (row number from 1, reason)."""

    reactions: list[Reaction]
    rows: list[int]
    refused: list[tuple[int, str]]


def read_reactions(path: str | os.PathLike[str], column: str | None = None, form: str | None = None) -> Iterator[Reaction]:
    """The reactions of a file.

    A table with the columns reactants and product, perhaps reagents and atom_map, is taken as it stands: canonical SMILES.
    In every other form that `tables.read_rows` reads, a row is a reaction SMILES (A>>B, A>R>B), and is made canonical; if
    it has atom maps, a molecule that gives no atom to the product becomes a reagent.

    Args:
        path: of a file, or the name of one of a data set: "uspto_50k_test" or "reactions/uspto_50k_test.tsv.gz".
        column: of a table, or key of JSON lines, that holds reaction SMILES.
        form: one of `tables.READS`; default: by the file's name.

    Raises:
        BadInput: the file cannot be read, or a row is no reaction; names the row.
        DataMissing: the data set is not here.
    """
    for number, one in enumerate(_reactions(path, column, form), 1):
        if isinstance(one, BadInput):
            raise BadInput(f"{Path(path).name}, row {number}: {one.message}", one.hint)
        yield one


def usable_reactions(
    path: str | os.PathLike[str], column: str | None = None, form: str | None = None, limit: int | None = None
) -> Usable:
    """The reactions of a user's file in which some rows may be bad; arguments as of `read_reactions`.

    Args:
        limit: rows that are read at most; None: all.

    Raises:
        BadInput: the file cannot be read, or none of its rows is a reaction.
    """
    found = Usable([], [], [])
    for number, one in enumerate(islice(_reactions(path, column, form), limit), 1):
        if isinstance(one, BadInput):
            found.refused.append((number, str(one)))
        else:
            found.reactions.append(one)
            found.rows.append(number)
    if not found.reactions:
        first = " Row {}: {}".format(*found.refused[0]) if found.refused else ""
        raise BadInput(f"{path} holds no reaction.{first}", "" if found.refused else "Is it empty?")
    return found


def data_file(name: str | os.PathLike[str]) -> Path:
    """A user's file, or that of a data set by its whole name or by what stands between the folder and the ending.

    Raises:
        BadInput: there is neither.
        DataMissing: the data set is not here.
    """
    if Path(name).exists():
        return Path(name)
    known = {file.path: Path(file.path).name for one in catalogue().values() for file in one.files}
    whole = next((path for path, short in known.items() if str(name) in (path, short, short.partition(".")[0])), None)
    if whole is None:
        raise BadInput(f"{name} does not exist, and no data set has that name.", "See: tenfold data list.")
    return locate(whole)


def _reactions(path: str | os.PathLike[str], column: str | None, form: str | None) -> Iterator[Reaction | BadInput]:
    for row in read_rows("-" if str(path) == "-" else data_file(path), column, form):
        if row.error:
            yield BadInput(row.error)
            continue
        try:
            if row.atom_map is None:
                yield reaction_of(row.text)
            else:
                sides = split_reaction(row.text)
                yield Reaction(*_both(sides), sides.reagents, row.atom_map)
        except BadInput as error:
            yield error


def reaction_of(text: str) -> Reaction:
    """A reaction SMILES in canonical form.

    Raises:
        BadInput: it is no reaction, or a side of it is empty or no molecule.
    """
    sides = split_reaction(text)
    reactants, product = _both(sides)
    reagents = canonical(sides.reagents).split(".") if sides.reagents else []
    mapped = read_maps(reactants, product) if ATOM_MAP.search(product) else None
    if mapped is None:
        return Reaction(_sorted(canonical(reactants).split(".")), canonical(product), _sorted(reagents))
    return Reaction(
        ".".join(mapped.reactants), mapped.product, _sorted([*reagents, *mapped.bystanders]), write_atom_map(mapped.atoms)
    )


def _both(sides: ReactionText) -> tuple[str, str]:
    for side, name in ((sides.reactants, "reactants"), (sides.product, "product")):
        if not side:
            raise BadInput(f"The reaction has no {name}.", "Write A>>B or A>R>B.")
    return sides.reactants, sides.product


def _sorted(molecules: Iterable[str]) -> str:
    return ".".join(sorted(molecules))


def mixed(reaction: Reaction) -> str:
    """The left side as a forward model reads it: all molecules, sorted."""
    sides = [side for side in (reaction.reactants, reaction.reagents) if side]
    return ".".join(sorted(".".join(sides).split(".")))


def plain_pair(reaction: Reaction, task: Task) -> Pair:
    """Source and target as they stand, canonical, for scoring."""
    return Pair(mixed(reaction), reaction.product) if task == "forward" else Pair(reaction.product, reaction.reactants)


def known_pairs(reactions: Sequence[Reaction], task: str, *, reagents: bool = True) -> list[Pair]:
    """Queries and right answers to score a model on.

    Args:
        reactions: with known sides.
        task: "forward" or "retro".
        reagents: whether a forward model is given them.

    Raises:
        BadInput: the task is unknown.
    """
    if task not in TASKS:
        raise BadInput(f"task {task!r} is unknown.", f"Use {' or '.join(TASKS)}.")
    aim: Task = "forward" if task == "forward" else "retro"
    return [plain_pair(one if reagents else one._replace(reagents=""), aim) for one in reactions]


def target_tokens(reactions: Sequence[Reaction], task: Task, vocabulary: Vocabulary) -> list[list[int]]:
    """What a model of this task would write for known reactions: each target as it stands, and along its source.

    Args:
        reactions: whose tokens the vocabulary need not all have; a target with another token is left out.
        task: what is written.
        vocabulary: of the ids.
    """
    texts = [pair.target for one in reactions for pair in (plain_pair(one, task), *aligned_pairs([one], task, workers=1))]
    return [ids for text in texts if UNKNOWN not in (ids := vocabulary.encode(text, keep_unknown=True))]


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
