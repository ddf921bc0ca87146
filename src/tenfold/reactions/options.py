"""Options that several commands have, and what is made of them."""

import os
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.errors import BadInput

__all__ = [
    "Answers",
    "Batch",
    "Column",
    "Drafts",
    "Engine",
    "Format",
    "Input",
    "Limit",
    "Longest",
    "Name",
    "Output",
    "Reactions",
    "Salts",
    "Search",
    "Seconds",
    "Unknown",
    "Workers",
    "answer_as",
    "numbers",
    "rows_of",
    "texts_of",
    "usable",
]

Input = Annotated[str, typer.Argument(metavar="IN", help="File (.smi .rsmi .csv .tsv .jsonl .rxn, .gz), - or one SMILES.")]
Reactions = Annotated[
    str,
    typer.Argument(
        metavar="REACTIONS",
        help="Table with reactants, product (reagents); reaction SMILES: .rsmi .csv .jsonl .rxn; or uspto_50k_test ...",
    ),
]
Output = Annotated[Path | None, typer.Option("--out", "-o", help="Table .csv, .tsv or .jsonl (.gz); default: printed.")]
Name = Annotated[str, typer.Option("--model", help="forward, retro or a folder.")]
Drafts = Annotated[Path | None, typer.Option(help="Draft table of your own reactions (.npz), by `reactions drafts`.")]
Column = Annotated[str | None, typer.Option(help="Of a table, or key of JSON lines.")]
Format = Annotated[str | None, typer.Option("--format", help="smi, rsmi, csv, tsv, jsonl or rxn; default: by the name.")]
Answers = Annotated[int, typer.Option("--n", help="Answers to each query.")]
Search = Annotated[str, typer.Option(help="With n > 1: exact, beam or sbs.")]
Batch = Annotated[int, typer.Option("--batch-size", help="Queries at once.")]
Longest = Annotated[int, typer.Option("--max-length", help="Tokens of an answer.")]
Seconds = Annotated[float | None, typer.Option("--time-limit", help="Seconds for a query (a batch): the best until then.")]
Unknown = Annotated[str, typer.Option(help="A token that the model does not know: refuse, or keep with a note.")]
Salts = Annotated[bool, typer.Option("--strip-salts", help="Leave counter-ions out; of a product, all but the largest.")]
Workers = Annotated[int, typer.Option(help="Processes.")]
Engine = Annotated[str, typer.Option(help="local or ray.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many rows.")]


def answer_as(
    decoding: str, n: int, max_length: int, time_limit: float | None = None, unknown: str = "refuse", salts: bool = False
) -> Any:
    """The `Asked` of these options."""
    from tenfold.reactions.model import Asked

    if unknown not in ("refuse", "keep"):
        raise BadInput(f"--unknown {unknown!r} is unknown.", "Use refuse or keep.")
    keep = unknown == "keep"
    return Asked(decoding, n, max_length, strip_salts=salts, keep_unknown=keep, time_limit=time_limit)


def rows_of(source: str, column: str | None, form: str | None) -> Any:
    """Rows of a file, or the argument itself where it can be no file."""
    from tenfold.reactions.tables import READS, Row, read_rows

    name = source.lower().removesuffix(".gz")
    looks_like_file = (
        source == "-" or os.path.exists(source) or name.endswith(tuple(f".{one}" for one in (*READS, "txt", "json", "tab")))
    )
    if looks_like_file or form is not None:
        return read_rows(source, column, form)
    return iter([Row(1, source)])


def texts_of(source: str, column: str | None, form: str | None, limit: int | None) -> list[str]:
    """The texts of some rows; of one that has none, an empty one."""
    return [row.text for row in islice(rows_of(source, column, form), limit)]


def usable(source: str, column: str | None, form: str | None, limit: int | None) -> Any:
    """The reactions of a file, with the others named on the standard error; see `corpus.usable_reactions`."""
    from tenfold.core.console import say
    from tenfold.reactions.corpus import usable_reactions

    found = usable_reactions(source, column, form, limit)
    for number, reason in found.refused[:20]:
        say(f"row {number}: {reason}")
    if len(found.refused) > 20:
        say(f"... and {len(found.refused) - 20} more rows that are no reactions.")
    return found


def numbers(text: str, option: str) -> list[float]:
    """Numbers above 0, with commas between them."""
    try:
        found = [float(one) for one in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < one < float("inf") for one in found):
        raise BadInput(f"{option} {text!r} holds no numbers above 0.", "Write them with commas, as in 1,8,32.")
    return found
