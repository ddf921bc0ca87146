"""The `tenfold reactions` commands that read files and answer: parse, call, print."""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Device, Json, emit, say, table
from tenfold.core.errors import BadInput, CheckFailed
from tenfold.reactions import making
from tenfold.reactions.options import (
    Answers,
    Batch,
    Column,
    Drafts,
    Engine,
    Format,
    Input,
    Limit,
    Longest,
    Name,
    Output,
    Reactions,
    Salts,
    Search,
    Seconds,
    Unknown,
    Workers,
    answer_as,
    numbers,
    rows_of,
    texts_of,
    usable,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Products of reactants, and reactants of a product, by speculative decoding: the same strings, sooner.",
)


def _answering(task: str, answers: int, at_once: int) -> Callable[..., None]:
    """The command that answers files with a model of this task."""

    def command(
        source: Input,
        out: Output = None,
        model: Name = task,
        n: Answers = answers,
        search: Search = "exact",
        decoding: Annotated[str, typer.Option(help="With n = 1: speculative, greedy, speculative-windows.")] = "speculative",
        column: Column = None,
        form: Format = None,
        batch_size: Batch = at_once,
        max_length: Longest = 200,
        time_limit: Seconds = None,
        drafts: Drafts = None,
        unknown: Unknown = "refuse",
        strip_salts: Salts = False,
        workers: Workers = 1,
        engine: Engine = "local",
        device: Device = "cpu",
        as_json: Json = False,
    ) -> None:
        from tenfold.reactions.model import load
        from tenfold.reactions.streaming import stream

        if out is not None and os.path.exists(source) and out.exists() and os.path.samefile(source, out):
            raise BadInput(f"{out} is the input itself.", "Write to another file.")
        asked = answer_as(decoding if n == 1 else search, n, max_length, time_limit, unknown, strip_salts)
        loaded = load(model, device=device, drafts=drafts)
        if loaded.task != task:
            say(f"{model} is a model for the task {loaded.task!r}, not {task!r}: it reads and writes what that says.")
        rows = rows_of(source, column, form)
        if out is None:
            failed, count = _print(rows, loaded, asked, batch_size, as_json)
        else:
            done = stream(rows, out, loaded, asked, batch_size=batch_size, workers=workers, engine=engine)
            emit({**asdict(done), "out": str(out)}, as_json, f"{done.sentence()} Written: {out}")
            failed, count = done.failed, done.rows
        _end_with(failed, count)

    return command


app.command("predict", help="Products of reactants and reagents. A bad row is named and the others go on; then exit 2.")(
    _answering("forward", 1, 64)
)
app.command("retro", help="Reactants of a product, an n-best list. A bad row is named and the others go on; then exit 2.")(
    _answering("retro", 10, 1)
)


@app.command()
def verify(
    source: Input,
    model: Name = "forward",
    n: Answers = 1,
    column: Column = None,
    form: Format = None,
    limit: Limit = 200,
    batch_size: Batch = 1,
    max_length: Longest = 200,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Is speculative decoding equal to plain decoding on your own file (n > 1: exact to beam)? Exit 1 if not."""
    from tenfold.reactions.model import load
    from tenfold.reactions.verifying import TIE
    from tenfold.reactions.verifying import verify as compare

    texts = texts_of(source, column, form, limit)
    found = compare(load(model, device=device, remember=0), texts, n=n, max_length=max_length, batch_size=batch_size)
    for words in found.errors:
        say(words)
    lines = [f"row {one.row}: {one.plain} | {one.fast} (gap {one.gap:.2g})" for one in found.differences]
    emit(found.to_dict(), as_json, "\n".join([found.sentence(), *lines]))
    if not found.is_equal:
        raise CheckFailed(f"{sum(one.gap >= TIE for one in found.differences)} answers differ by more than a tie.")
    _end_with(found.failed, len(texts))


@app.command()
def bench(
    source: Input,
    model: Name = "forward",
    n: Answers = 1,
    column: Column = None,
    form: Format = None,
    limit: Limit = 50,
    batches: Annotated[str, typer.Option("--batch-sizes", help="With commas.")] = "1,8,32",
    repeats: Annotated[int, typer.Option(min=1, help="Of each; the fastest counts.")] = 1,
    max_length: Longest = 200,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time plain and speculative decoding side by side on your own file."""
    from tenfold.reactions.model import load
    from tenfold.reactions.verifying import time_decodings

    sizes = list(map(int, numbers(batches, "--batch-sizes")))
    texts = texts_of(source, column, form, limit)
    rows = time_decodings(load(model, device=device, remember=0), texts, sizes, n=n, max_length=max_length, repeats=repeats)
    cells = [
        (one.decoding, one.batch_size, f"{one.milliseconds:.1f}", f"{one.calls:.1f}", f"{one.speed:.2f}x") for one in rows
    ]
    columns = ("decoding", "batch", "ms of processor", "calls", "speed")
    emit({"rows": [one._asdict() for one in rows]}, as_json, lambda: table(columns, cells))


@app.command()
def evaluate(
    source: Reactions,
    model: Name = "forward",
    n: Answers = 10,
    search: Search = "exact",
    column: Column = None,
    form: Format = None,
    limit: Limit = None,
    batch_size: Batch = 1,
    batches: Annotated[str | None, typer.Option("--batch-sizes", help="Time these too, e.g. 1,8,32.")] = None,
    reagents: Annotated[bool, typer.Option("--reagents/--no-reagents", help="In the input of a forward model.")] = True,
    forward: Annotated[str | None, typer.Option("--round-trip", help="Forward model that retraces answers.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Keeps what is done: the same command goes on.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Top-k, invalid, empty, duplicates, MaxFrag, calls, acceptance and time, on reactions with known answers."""
    from tenfold.reactions.corpus import known_pairs
    from tenfold.reactions.model import load
    from tenfold.reactions.scoring import evaluate as scored
    from tenfold.reactions.scoring import time_batches

    sizes = list(map(int, numbers(batches, "--batch-sizes"))) if batches else []
    loaded = load(model, device=device, remember=0 if sizes else 4096)
    given = usable(source, column, form, limit)
    pairs = known_pairs(given.reactions, loaded.task, reagents=reagents)
    way_back = None if forward is None else load(forward, device=device)
    found = scored(loaded, pairs, n, search=search, batch_size=batch_size, forward=way_back, folder=folder)
    for row, reason in found.errors:
        say(f"row {given.rows[row - 1]}: {reason}")
    bad = {row for row, _ in found.errors}
    queries = [query for row, (query, _) in enumerate(pairs, 1) if row not in bad]
    times = time_batches(loaded, queries, n=n, search=search, batch_sizes=sizes, repeats=1)
    value = {**found.to_dict(), "refused": given.refused, "times": [one._asdict() for one in times]}
    timed = [f"B = {one.batch_size}: {one.wall * 1000:.1f} ms a reaction, {one.calls:.1f} calls" for one in times]
    emit(value, as_json, "\n".join([*found.lines(), *timed]))
    _end_with(found.failed + len(given.refused), found.rows + len(given.refused))


@app.command("round-trip")
def round_trip(
    source: Input,
    model: Name = "retro",
    forward: Annotated[str, typer.Option(help="Model that makes products of the answers: forward or a folder.")] = "forward",
    n: Answers = 10,
    search: Search = "exact",
    column: Column = None,
    form: Format = None,
    limit: Limit = 200,
    batch_size: Batch = 1,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Reactants of your products, and whether the forward model makes the product of them again."""
    from tenfold.reactions.model import load
    from tenfold.reactions.scoring import round_trip as retraced

    texts = texts_of(source, column, form, limit)
    back, there = load(model, device=device), load(forward, device=device)
    found = retraced(back, there, texts, n, search=search, batch_size=batch_size)
    for one in found.outcomes:
        if one.error:
            say(f"row {one.row}: {one.error}")
    emit(found.to_dict(), as_json, lambda: _print_round_trip(found))
    _end_with(found.failed, len(texts))


@app.command()
def plan(
    source: Input,
    stock: Annotated[Path, typer.Option(help="Molecules that need not be made: one SMILES a line; .gz too.")],
    model: Name = "retro",
    n: Answers = 10,
    limits: Annotated[str, typer.Option("--seconds", help="Time limits of a target, with commas.")] = "5,15",
    searches: Annotated[str, typer.Option(help="Ways of decoding to compare: exact, beam, sbs.")] = "exact,beam",
    column: Column = None,
    form: Format = None,
    limit: Limit = None,
    folder: Annotated[Path | None, typer.Option(help="Keeps what is done: the same command goes on.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Routes to your targets from your stock: how many are solved in time, speculative against plain (needs syntheseus)."""
    from tenfold.reactions.model import load
    from tenfold.reactions.planning import plan as planned
    from tenfold.reactions.planning import read_stock

    targets, seconds, ways = texts_of(source, column, form, limit), numbers(limits, "--seconds"), searches.split(",")
    shelf = read_stock(stock)
    if shelf.skipped:
        say(f"{shelf.skipped} lines of {stock} hold no molecule.")
    # A model that remembered its answers would give the second way of decoding those of the first.
    found = planned(
        load(model, device=device, remember=0), targets, shelf, limits=seconds, searches=ways, n=n, folder=folder
    )  # fmt: skip
    bad = {one.target: one.error for one in found.planned if one.error}
    for target, reason in bad.items():
        say(f"{target[:80]}: {reason}")
    emit(found.to_dict(), as_json, lambda: _print_plans(found))
    _end_with(len(bad), len(targets))


def _print_round_trip(found: Any) -> None:
    rows = [(one.row, one.returned, one.answers[0]) for one in found.outcomes if one.answers]
    table(("row", "leads back, by rank", "first answer"), rows)
    sys.stdout.write(found.sentence() + "\n")


def _print_plans(found: Any) -> None:
    cells = [
        (row.search, f"{row.limit:g} s", row.solved, f"{row.share.mean:.0%} [{row.share.low:.0%}, {row.share.high:.0%}]")
        for row in found.table
    ]
    table(("decoding", "within", "solved", "share"), cells)
    for one in found.planned:
        state = "solved" if one.solved else "not solved"
        words = f"{one.target} ({one.search}): {state}, {one.seconds:.1f} s, {one.expansions} expansions, {one.calls} calls"
        sys.stdout.write("\n".join([words, *(f"    {step}" for step in one.route)]) + "\n")


@app.command()
def replay(
    source: Reactions,
    task: Annotated[str, typer.Option(help="forward or retro.")] = "forward",
    column: Column = None,
    form: Format = None,
    limit: Limit = 2000,
    drafts: Drafts = None,
    as_json: Json = False,
) -> None:
    """Calls that each way of drafting would need on your reactions if the model were always right; no network runs."""
    from tenfold.reactions.corpus import known_pairs
    from tenfold.reactions.oracle import compare_drafters

    given = usable(source, column, form, limit)
    rows = compare_drafters(known_pairs(given.reactions, task), task, drafts)
    cells = [(one.drafter, f"{one.calls:.2f}", f"{one.fewer:.2f}x", f"{one.tokens_per_call:.1f}") for one in rows]
    value = {"reactions": len(given.reactions), "rows": [one._asdict() for one in rows]}
    emit(value, as_json, lambda: table(("drafts", "calls a reaction", "fewer", "tokens a call"), cells))
    _end_with(len(given.refused), len(given.reactions) + len(given.refused))


def _print(rows: Any, model: Any, asked: Any, batch_size: int, as_json: bool) -> tuple[int, int]:
    """Rows as they come: JSON in one document, else a CSV table; reasons on the standard error."""
    from tenfold.reactions.streaming import answered
    from tenfold.reactions.tables import COLUMNS, header, write_rows

    kept: list[dict[str, Any]] = []
    failed = count = 0
    for lines, error in answered(rows, model, asked, batch_size):
        if not count and not as_json:
            sys.stdout.write(header("csv"))  # not before an option or the file was refused
        count += 1
        if error:
            failed += 1
            say(error)
        if as_json:
            kept += [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        else:
            sys.stdout.write(write_rows(lines, "csv"))
    if as_json:
        emit({"rows": kept, "failed": failed}, as_json, "")
    return failed, count


def _end_with(failed: int, count: int) -> None:
    """Exit code 2 if rows failed, though the others are done."""
    if failed:
        raise BadInput(f"{failed} of {count} {'rows' if count > 1 else 'row'} failed; they are named above.")


app.add_typer(making.app)
