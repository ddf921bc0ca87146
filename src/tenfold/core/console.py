"""What every command shares: the options that mean the same everywhere, JSON on stdout, words on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from tenfold.core.errors import BadInput, TenfoldError

__all__ = ["Device", "Json", "Out", "Seed", "each", "emit", "say", "table", "torch_device"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of every random number.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Out = Annotated[Path | None, typer.Option("--out", help="File or folder to write to.", show_default=False)]

Item = TypeVar("Item")
Made = TypeVar("Made")


def emit(value: Any, as_json: bool, text: str | Callable[[], None]) -> None:
    """Print a result once: the JSON document, or the text (a string, or a function that prints).

    In a distributed run only the first process prints.
    """
    if int(os.environ.get("LOCAL_RANK", "0")) or int(os.environ.get("NODE_RANK", "0")):
        return
    if as_json:
        from tenfold.core.files import jsonable

        sys.stdout.write(json.dumps(jsonable(value), allow_nan=False) + "\n")
    elif callable(text):
        text()
    else:
        sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """A line for the person who watches, on stderr."""
    sys.stderr.write(message.rstrip("\n") + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table on stdout, as wide as the terminal allows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, title=title or None, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for row in rows:
        drawn.add_row(*(Text(str(cell)) for cell in row))
    # Into a pipe or a file a line must stay a line.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 240).print(drawn)


def each(items: Iterable[Item], name: Callable[[Item], str], function: Callable[[Item], Made]) -> list[Made]:
    """Apply a function to many rows or files: a bad one is named on stderr and the others go on.

    Raises:
        BadInput: at the end, with the count, if any failed. What was made stays with the caller only if it was written
            by `function`; use this where each item's result is written as it is made.
    """
    made: list[Made] = []
    failed = 0
    for item in items:
        try:
            made.append(function(item))
        except TenfoldError as error:
            failed += 1
            say(f"{name(item)}: {error}")
    if failed:
        raise BadInput(f"{failed} of {failed + len(made)} failed; they are named above, the others are done.")
    return made


def torch_device(name: str) -> str:
    """Resolve "auto" to "cuda" or "cpu", and check that a named device is there.

    Raises:
        BadInput: not a device, or a CUDA device that this machine lacks.
    """
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind != "cuda" or (index and not index.isdigit()):
        raise BadInput(f"--device {name} is not a device.", "Use auto, cpu, cuda or cuda:N.")
    if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
        raise BadInput(f"--device {name}: this machine has no such CUDA device.", "Use --device cpu or auto.")
    return name
