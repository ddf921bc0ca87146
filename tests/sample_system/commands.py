from pathlib import Path
from typing import Annotated

import typer

from tenfold.core.console import Json, Seed, each, emit
from tenfold.core.errors import BadInput, BudgetReached, CheckFailed

app = typer.Typer(no_args_is_help=True, help="Doubles numbers.")


@app.command()
def double(values: Annotated[list[str], typer.Argument()], seed: Seed = 0, as_json: Json = False) -> None:
    """Double each value; a bad one is named, the others go on."""
    done: list[float] = []

    def one(text: str) -> None:
        try:
            done.append(2 * float(text))
        except ValueError as error:
            raise BadInput(f"{text!r} is not a number.") from error

    try:
        each(values, lambda text: f"value {text}", one)
    finally:
        emit({"doubled": done, "seed": seed}, as_json, " ".join(map(str, done)))


@app.command()
def fail(how: str) -> None:
    """End in a chosen way."""
    if how == "check":
        raise CheckFailed("The check failed.")
    if how == "budget":
        raise BudgetReached("The budget is used up.", "Raise it.")
    if how == "extra":
        from tenfold.core.extras import require

        require("a_package_that_nobody_has", "sample")
    if how == "interrupt":
        raise KeyboardInterrupt
    Path("/proc/1/no").read_text()
