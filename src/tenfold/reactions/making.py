"""The `tenfold reactions` commands that make models or add to them: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Device, Json, emit, say
from tenfold.core.errors import BadInput
from tenfold.reactions.options import Answers, Batch, Column, Format, Limit, Name, Reactions, Search, usable

app = typer.Typer()

NewFolder = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of a copy of the model; default: the model's.")]


@app.command()
def train(
    source: Reactions,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run and the model; the same command goes on.")],
    task: Annotated[str, typer.Option(help="forward or retro.")] = "forward",
    minutes: Annotated[float | None, typer.Option(min=0, help="Time budget; default 10.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, in place of minutes.")] = None,
    preset: Annotated[str, typer.Option(help="Shape: tiny, small, medium, product or retro (the paper's two).")] = "small",
    start: Annotated[str | None, typer.Option(help="Model to go on from: forward, retro or a folder.")] = None,
    also: Annotated[list[str] | None, typer.Option(help="A further file of reactions; may be given again.")] = None,
    reagents_from: Annotated[str | None, typer.Option(help="Reactions whose reagents rows that name none get.")] = None,
    schedule: Annotated[str, typer.Option(help="Of the rate: noam, constant, or cosine to 0 at --steps.")] = "noam",
    align: Annotated[bool, typer.Option("--align/--no-align", help="Write targets along their sources.")] = True,
    augment: Annotated[int, typer.Option(help="Pairs for each reaction that has an atom map.")] = 1,
    held_out: Annotated[str | None, typer.Option(help="Reactions to validate on.")] = None,
    column: Column = None,
    form: Format = None,
    limit: Limit = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="Its peak.")] = 1e-3,
    tokens: Annotated[int, typer.Option(min=1, help="Of a batch.")] = 4000,
    precision: Annotated[str, typer.Option(help="32-true or bf16-mixed.")] = "32-true",
    devices: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a model on your own reactions, from the start or from a model that is there."""
    from tenfold.reactions.corpus import with_reagents
    from tenfold.reactions.training import train as trained

    given = [usable(name, column, form, limit) for name in (source, *(also or ()))]
    judged = [] if held_out is None else usable(held_out, column, form, None).reactions
    reactions = [reaction for some in given for reaction in some.reactions]
    if reagents_from is not None:
        reactions = with_reagents(reactions, usable(reagents_from, column, form, None).reactions, seed)
    aim: Any = task
    how: Any = schedule
    model = trained(
        reactions, aim, minutes=minutes, steps=steps, preset=preset, start=start, align=align, augment=augment, out=out,
        held_out=judged, learning_rate=learning_rate, tokens=tokens, schedule=how, precision=precision, devices=devices,
        seed=seed, device=device,
    )  # fmt: skip
    refused = sum(len(some.refused) for some in given)
    words = f"{model.card['steps']} steps in {model.card['minutes']} minutes on {model.card['rows']} pairs. Written: {out}"
    emit({**model.card, "out": str(out), "refused": refused}, as_json, words)
    if refused:
        raise BadInput(f"{refused} rows are no reactions and were left out; they are named above.")


@app.command()
def calibrate(
    source: Reactions,
    model: Name = "retro",
    out: NewFolder = None,
    n: Answers = 10,
    search: Search = "exact",
    column: Column = None,
    form: Format = None,
    limit: Limit = 1000,
    batch_size: Batch = 1,
    folder: Annotated[Path | None, typer.Option(help="Keeps what is done: the same command goes on.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Make a model's probabilities mean how likely an answer is right, by reactions that it was not trained on."""
    from tenfold.reactions import weights
    from tenfold.reactions.confidence import calibrate as fitted
    from tenfold.reactions.corpus import known_pairs
    from tenfold.reactions.model import load
    from tenfold.reactions.scoring import score

    place = _addition(model, out)
    given = usable(source, column, form, limit)
    loaded = load(model, device=device)
    pairs = known_pairs(given.reactions, loaded.task)
    found = fitted(pairs, score(loaded, pairs, n, search=search, batch_size=batch_size, folder=folder))
    weights.copy(model, place)
    found.calibration.write(place)
    words = (
        f"Fitted on {found.calibration.cases} candidates of {len(pairs)} reactions. Expected calibration error "
        f"{found.before.error:.3f} before, {found.after.error:.3f} after (on the half that was not fitted). In: {place}"
    )
    emit({**found.to_dict(), "folder": str(place)}, as_json, words)


@app.command()
def drafts(
    source: Reactions,
    out: Annotated[Path, typer.Option("--out", "-o", help="File .npz, or folder: a copy of the model with the table.")],
    model: Name = "forward",
    column: Column = None,
    form: Format = None,
    limit: Limit = None,
    entries: Annotated[int, typer.Option(min=1, help="Contexts that are kept, the most frequent first.")] = 480_000,
    as_json: Json = False,
) -> None:
    """Learn drafts from your own known reactions: answers that are like them come sooner, and stay the same."""
    from tenfold.reactions import weights
    from tenfold.reactions.corpus import target_tokens
    from tenfold.reactions.ngrams import NgramTable

    is_file = out.suffix == ".npz"
    stored = weights.read(model)
    task: Any = stored.card.get("task", "forward")
    given = usable(source, column, form, limit)
    table = NgramTable.build(target_tokens(given.reactions, task, stored.vocabulary), stored.vocabulary, entries=entries)
    if not is_file:
        weights.copy(model, _addition(model, out))
    written = table.save(out if is_file else out / weights.DRAFTS)
    size = written.stat().st_size
    words = f"{len(table.keys)} contexts of {len(given.reactions)} reactions, {size / 1e6:.2f} MB. Written: {written}"
    emit(
        {"contexts": len(table.keys), "reactions": len(given.reactions), "bytes": size, "out": str(written)}, as_json, words
    )


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


def _addition(model: str, out: Path | None) -> Path:
    """The folder that gets what is added to a model: another one, or the model's own where it is the user's."""
    from tenfold.reactions import weights

    if out is not None:
        return out
    if not Path(model).is_dir():
        raise BadInput(f"{model} is part of tenfold and stays as it is.", "Give --out FOLDER for a copy, and use that.")
    say(f"Adding to the model's own folder, {model}.")
    return weights.find(model)
