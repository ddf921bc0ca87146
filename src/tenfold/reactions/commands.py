"""The `tenfold reactions` commands: parse, call, print."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Device, Json, emit, say, table
from tenfold.core.errors import BadInput, CheckFailed

app = typer.Typer(
    no_args_is_help=True,
    help="Products of reactants, and reactants of a product, by speculative decoding: the same strings, sooner.",
)

Input = Annotated[str, typer.Argument(metavar="IN", help="File (.smi .rsmi .csv .tsv .jsonl .rxn, .gz), - or one SMILES.")]
Output = Annotated[Path | None, typer.Option("--out", "-o", help="Table .csv, .tsv or .jsonl (.gz); default: printed.")]
Name = Annotated[str, typer.Option("--model", help="forward, retro or a folder.")]
Column = Annotated[str | None, typer.Option(help="Of a table, or key of JSON lines.")]
Format = Annotated[str | None, typer.Option("--format", help="smi, rsmi, csv, tsv, jsonl or rxn; default: by the name.")]
Answers = Annotated[int, typer.Option("--n", help="Answers to each query.")]
Search = Annotated[str, typer.Option(help="With n > 1: exact, beam or sbs.")]
Batch = Annotated[int, typer.Option("--batch-size", help="Queries at once.")]
Longest = Annotated[int, typer.Option("--max-length", help="Tokens of an answer.")]
Unknown = Annotated[str, typer.Option(help="A token that the model does not know: refuse, or keep with a note.")]
Salts = Annotated[bool, typer.Option("--strip-salts", help="Leave counter-ions out; of a product, all but the largest.")]
Workers = Annotated[int, typer.Option(help="Processes.")]
Engine = Annotated[str, typer.Option(help="local or ray.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many rows.")]


@app.command()
def predict(
    source: Input,
    out: Output = None,
    model: Name = "forward",
    n: Answers = 1,
    search: Search = "exact",
    decoding: Annotated[str, typer.Option(help="With n = 1: speculative, greedy or speculative-windows.")] = "speculative",
    column: Column = None,
    form: Format = None,
    batch_size: Batch = 64,
    max_length: Longest = 200,
    unknown: Unknown = "refuse",
    strip_salts: Salts = False,
    workers: Workers = 1,
    engine: Engine = "local",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Products of reactants and reagents. A bad row is named and the others go on; then exit 2. A stopped file goes on."""
    asked = _asked(decoding if n == 1 else search, n, max_length, unknown, strip_salts)
    _answer(source, out, model, "forward", asked, (column, form, batch_size, workers, engine, device), as_json)


@app.command()
def retro(
    source: Input,
    out: Output = None,
    model: Name = "retro",
    n: Answers = 10,
    search: Search = "exact",
    column: Column = None,
    form: Format = None,
    batch_size: Batch = 1,
    max_length: Longest = 200,
    unknown: Unknown = "refuse",
    strip_salts: Salts = False,
    workers: Workers = 1,
    engine: Engine = "local",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Reactants of a product, an n-best list. A bad row is named and the others go on; then exit 2."""
    asked = _asked("speculative" if n == 1 else search, n, max_length, unknown, strip_salts)
    _answer(source, out, model, "retro", asked, (column, form, batch_size, workers, engine, device), as_json)


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

    texts = _texts(source, column, form, limit)
    found = compare(load(model, device=device, remember=0), texts, n=n, max_length=max_length, batch_size=batch_size)
    lines = [f"row {one.row}: {one.plain} | {one.fast} (gap {one.gap:.2g})" for one in found.differences]
    emit(found.to_dict(), as_json, "\n".join([found.sentence(), *lines]))
    if not found.is_equal:
        raise CheckFailed(f"{sum(one.gap >= TIE for one in found.differences)} answers differ by more than a tie.")


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

    sizes = [int(one) for one in batches.split(",") if one.strip().isdigit()]
    if not sizes or min(sizes) < 1:
        raise BadInput(f"--batch-sizes {batches!r} holds no sizes.", "Write 1,8,32.")
    texts = _texts(source, column, form, limit)
    rows = time_decodings(load(model, device=device, remember=0), texts, sizes, n=n, max_length=max_length, repeats=repeats)
    cells = [
        (one.decoding, one.batch_size, f"{one.milliseconds:.1f}", f"{one.calls:.1f}", f"{one.speed:.2f}x") for one in rows
    ]
    columns = ("decoding", "batch", "ms of processor", "calls", "speed")
    emit({"rows": [one._asdict() for one in rows]}, as_json, lambda: table(columns, cells))


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(metavar="REACTIONS", help="Tab-separated: reactants, product, reagents.")],
    model: Name = "forward",
    n: Answers = 10,
    search: Search = "exact",
    limit: Limit = None,
    batch_size: Batch = 1,
    reagents: Annotated[bool, typer.Option("--reagents/--no-reagents", help="In the input of a forward model.")] = True,
    forward: Annotated[str | None, typer.Option("--round-trip", help="Forward model that retraces answers.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Keeps what is done: the same command goes on.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Top-k, invalid, empty, duplicates, MaxFrag, calls and time, on reactions with known answers."""
    from itertools import islice

    from tenfold.reactions.corpus import plain_pair, read_reactions
    from tenfold.reactions.model import load
    from tenfold.reactions.scoring import evaluate as scored

    loaded = load(model, device=device)
    known = islice(read_reactions(source), limit)
    task: Any = loaded.task
    pairs = [plain_pair(one if reagents else one._replace(reagents=""), task) for one in known]
    way_back = None if forward is None else load(forward, device=device)
    found = scored(loaded, pairs, n, search=search, batch_size=batch_size, forward=way_back, folder=folder)
    lines = [f"top-{k}: {a.mean:.1%} [{a.low:.1%}, {a.high:.1%}], MaxFrag {f.mean:.1%}" for k, a, f in found.top]
    lines.append(f"invalid at rank 1: {found.ranks[0].invalid:.1%}; {found.calls.mean:.1f} calls a reaction")
    lines += [f"row {row}: {reason}" for row, reason in found.errors]
    emit(found.to_dict(), as_json, "\n".join([f"{found.scored} of {found.rows} reactions scored", *lines]))


@app.command()
def train(
    source: Annotated[Path, typer.Argument(metavar="REACTIONS", help="Tab-separated, with reactants and product.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run and the model; the same command goes on.")],
    task: Annotated[str, typer.Option(help="forward or retro.")] = "forward",
    minutes: Annotated[float | None, typer.Option(min=0, help="Time budget; default 10.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, in place of minutes.")] = None,
    preset: Annotated[str, typer.Option(help="Shape: tiny, small, medium, product or retro (the paper's two).")] = "small",
    start: Annotated[str | None, typer.Option(help="Model to go on from: forward, retro or a folder.")] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Write targets along their sources.")] = True,
    augment: Annotated[int, typer.Option(help="Pairs for each reaction that has an atom map.")] = 1,
    held_out: Annotated[Path | None, typer.Option(help="Reactions to validate on.")] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="Its peak.")] = 1e-3,
    tokens: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 4000,
    precision: Annotated[str, typer.Option(help="32-true or bf16-mixed.")] = "32-true",
    devices: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a model on your own reactions, from the start or from a model that is there."""
    from tenfold.reactions.corpus import read_reactions
    from tenfold.reactions.training import train as trained

    aim: Any = task
    model = trained(
        source, aim, minutes=minutes, steps=steps, preset=preset, start=start, align=align, augment=augment, out=out,
        held_out=[] if held_out is None else list(read_reactions(held_out)), learning_rate=learning_rate, tokens=tokens,
        precision=precision, devices=devices, seed=seed, device=device,
    )  # fmt: skip
    words = f"{model.card['steps']} steps in {model.card['minutes']} minutes on {model.card['rows']} pairs. Written: {out}"
    emit({**model.card, "out": str(out)}, as_json, words)


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Weights of the published code (.pt, .ckpt).")],
    vocabulary: Annotated[Path, typer.Argument(help="Its vocabulary (.json).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    task: Annotated[str, typer.Option(help="forward or retro.")] = "forward",
    heads: Annotated[int, typer.Option(min=1, help="Of attention.")] = 8,
    precision: Annotated[str, typer.Option(help="float32, float16 or int8.")] = "float32",
    as_json: Json = False,
) -> None:
    """Make a model of the published code's checkpoint."""
    from tenfold.reactions import weights
    from tenfold.reactions.conversion import convert as converted
    from tenfold.reactions.corpus import TASKS

    if task not in TASKS or precision not in ("float32", "float16", "int8"):
        raise BadInput(f"--task {task} or --precision {precision} is unknown.", "See tenfold reactions convert --help.")
    aim: Any = task
    kept: Any = precision
    stored = converted(checkpoint, vocabulary, aim, heads=heads)
    weights.write(out, stored, precision=kept)
    emit({"out": str(out), "config": stored.network.config.model_dump()}, as_json, f"Written: {out}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="To write; empty or not there.")],
    model: Name = "forward",
    form: Annotated[str, typer.Option("--format", help="ctranslate2.")] = "ctranslate2",
    quantization: Annotated[str, typer.Option(help="float32, int8, int16, float16 or bfloat16.")] = "float32",
    as_json: Json = False,
) -> None:
    """Write a model for another engine."""
    from tenfold.reactions.model import load

    written = load(model).export(folder, form, quantization=quantization)
    emit({"folder": str(written), "format": form}, as_json, f"Written: {written}")


def _asked(decoding: str, n: int, max_length: int, unknown: str, strip_salts: bool) -> Any:
    from tenfold.reactions.model import Asked

    if unknown not in ("refuse", "keep"):
        raise BadInput(f"--unknown {unknown!r} is unknown.", "Use refuse or keep.")
    return Asked(decoding, n, max_length, strip_salts=strip_salts, keep_unknown=unknown == "keep")


def _answer(source: str, out: Path | None, name: str, task: str, asked: Any, how: tuple[Any, ...], as_json: bool) -> None:
    """Answer a file into a table, or one SMILES or a file onto the terminal."""
    from tenfold.reactions.model import load
    from tenfold.reactions.streaming import answered, stream

    column, form, batch_size, workers, engine, device = how
    model = load(name, device=device)
    if model.task != task:
        say(f"{name} is a model for the task {model.task!r}, not {task!r}: it reads and writes what that says.")
    rows = _rows(source, column, form)
    if out is not None:
        done = stream(rows, out, model, asked, batch_size=batch_size, workers=workers, engine=engine)
        rate = (done.rows - done.resumed) / max(done.seconds, 1e-9)
        words = f"{done.rows} rows, {done.failed} failed, {rate:,.0f} rows/s, {done.acceptance:.0%} accepted. Written: {out}"
        emit({**asdict(done), "out": str(out)}, as_json, words)
        failed, count = done.failed, done.rows
    else:
        failed, count = _print(answered(rows, model, asked, batch_size), as_json)
    if failed:
        raise BadInput(f"{failed} of {count} {'rows' if count > 1 else 'row'} failed; they are named above.")


def _print(found: Any, as_json: bool) -> tuple[int, int]:
    """Rows as they come: JSON in one document, else a CSV table; reasons on the standard error."""
    from tenfold.reactions.tables import COLUMNS, header, write_rows

    kept: list[dict[str, Any]] = []
    failed = count = 0
    if not as_json:
        sys.stdout.write(header("csv"))
    for lines, error in found:
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


def _rows(source: str, column: str | None, form: str | None) -> Any:
    """Rows of a file, or the argument itself where it can be no file."""
    from tenfold.reactions.tables import READS, Row, read_rows

    name = source.lower().removesuffix(".gz")
    looks_like_file = (
        source == "-" or os.path.exists(source) or name.endswith(tuple(f".{one}" for one in (*READS, "txt", "json", "tab")))
    )
    if looks_like_file or form is not None:
        return read_rows(source, column, form)
    return iter([Row(1, source)])


def _texts(source: str, column: str | None, form: str | None, limit: int | None) -> list[str]:
    from itertools import islice

    return [row.text for row in islice(_rows(source, column, form), limit)]
