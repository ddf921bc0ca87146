"""The `tenfold facts` commands: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Device, Json, Seed, emit, say, table
from tenfold.core.errors import BadInput, CheckFailed

app = typer.Typer(
    no_args_is_help=True,
    help="FACTS: forecasts of many series with intervals, by a memory of slots that does not care about order.",
)

File = Annotated[str, typer.Argument(metavar="FILE", help="Table: .csv, .tsv, .txt (.gz), .parquet or .npz; wide or long.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Folder of a fitted model, or town: the shipped one.")]
Fill = Annotated[str, typer.Option(help="Missing values: refuse, forward, linear, or mask (hidden from the model).")]
Time = Annotated[str | None, typer.Option(help="Column of times; none: rows are steps. Default: found.")]
Columns = Annotated[str | None, typer.Option(help="Columns to take, commas between; default all.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to write, .html.")]


@app.command()
def fit(
    file: File,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the model; the same command goes on there.")],
    horizon: Annotated[int, typer.Option(help="Steps to forecast.")] = 96,
    look_back: Annotated[int, typer.Option(help="Steps that the model sees.")] = 96,
    minutes: Annotated[float | None, typer.Option(help="Time budget; default 2.5.")] = None,
    steps: Annotated[int, typer.Option(min=0, help="Of the optimiser at most; 0: the linear part alone, in seconds.")] = 600,
    validation: Annotated[str | None, typer.Option(help="Table that follows FILE; default: FILE's last fifth.")] = None,
    past_covariates: Annotated[str | None, typer.Option(help="Columns known so far that help, commas between.")] = None,
    future_covariates: Annotated[str | None, typer.Option(help="Columns known over the horizon too.")] = None,
    calendar: Annotated[bool, typer.Option("--calendar", help="Let the model see time of day, week and year.")] = False,
    quantile_heads: Annotated[
        bool, typer.Option("--quantiles", help="Learn quantiles; default: from misses alone.")
    ] = False,
    levels: Annotated[str, typer.Option(help="Of the intervals.")] = "0.8,0.95",
    slots: Annotated[int, typer.Option(help="Slots of the memory, K.")] = 8,
    slot_size: Annotated[int, typer.Option(help="Size of a slot, D.")] = 16,
    fill: Fill = "refuse",
    time: Time = None,
    columns: Columns = None,
    seed: Seed = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Learn to forecast the series of a table. Ctrl-C keeps the best so far."""
    from tenfold.facts.forecasting import Forecaster

    model = Forecaster(
        horizon, look_back, minutes, seed, steps=steps, past_covariates=_names(past_covariates),
        future_covariates=_names(future_covariates), calendar=calendar, fill=fill, levels=_levels(levels),
        quantile_heads=quantile_heads, slots=slots, slot_size=slot_size, device=device,
    )  # fmt: skip
    series = _read(file, fill, time, columns)
    judged = None if validation is None else _read(validation, fill, time, columns)
    _check_place(out)
    model.fit(series, judged, folder=out / "training", on_step=_tell)
    model.save(out)
    _say_notes(model.notes)
    went = model.training
    value = {
        "out": str(out), "series": list(model.roles.targets), "steps": went.steps, "seconds": went.seconds,
        "validation_mse": went.mse, "validation_mse_linear": went.linear_mse, "slots_share": went.gate,
        "stopped": went.stopped,
    }  # fmt: skip
    words = (
        f"{went.steps} steps in {went.seconds:.0f} s. Validation MSE {went.mse:.4f} (linear part {went.linear_mse:.4f}, "
        f"the slots add {went.gate:.0%} of what they learned). Written: {out}"
    )
    emit(value, as_json, words)


@app.command()
def forecast(
    model: Model,
    file: File,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Table to write, .csv; default: printed.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps, at most the trained ones.")] = None,
    future: Annotated[str | None, typer.Option(help="Table of the covariates known ahead.")] = None,
    any_columns: Annotated[bool, typer.Option("--any-columns", help="Series may be missing or new.")] = False,
    plot: Plot = None,
    time: Time = None,
    as_json: Json = False,
) -> None:
    """Forecast the steps behind a table, with intervals."""
    from tenfold.core.files import write_atomic

    loaded = _load(model)
    fill = loaded.settings.fill
    series = _read(file, fill, time, None)
    ahead = None if future is None else _read(future, fill, time, None)
    found = loaded.predict(series, horizon=horizon, future=ahead, any_columns=any_columns)
    if plot is not None:
        _draw_forecast(plot, loaded, series, found)
    if out is not None:
        write_atomic(out, found.to_csv(index=False).encode())
    clock = found.columns[0]
    rows = found.assign(**{clock: found[clock].astype(str)}).to_dict("records")
    words = (
        found.to_csv(index=False) if out is None else f"{len(found)} steps of {_count(loaded, found)} series. Written: {out}"
    )
    emit({"rows": rows, "out": None if out is None else str(out)}, as_json, words)


@app.command()
def evaluate(
    model: Model,
    file: File,
    context: Annotated[str | None, typer.Option(help="Table right before FILE, so that its first rows count.")] = None,
    time: Time = None,
    as_json: Json = False,
) -> None:
    """Forecast every window of a table and compare with what came; errors in units of the training data's spread."""
    loaded = _load(model)
    fill = loaded.settings.fill
    before = None if context is None else _read(context, fill, time, None)
    found = loaded.evaluate(_read(file, fill, time, None), context=before)
    covered = {f"{100 * level:g} %": f"{share:.1%}" for level, share in found.coverage.items()}
    rows = [
        ("mean squared error", f"{found.mse:.4f}"), ("mean absolute error", f"{found.mae:.4f}"),
        ("MSE of the linear part alone", f"{found.linear_mse:.4f}"),
        ("MSE of the last period again", f"{found.naive_mse:.4f}"),
        *((f"inside the {level} interval", share) for level, share in covered.items()), ("windows", found.windows),
    ]  # fmt: skip
    emit(vars(found), as_json, lambda: table(("of all windows", "value"), rows))


@app.command()
def compare(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Tables; ETTh1, weather ... in a name choose its parts.")
    ],
    folder: Annotated[Path, typer.Option("--out", "-o", help="Keeps what is done: the same command goes on.")],
    models: Annotated[str, typer.Option(help="Commas between; all: every one there is.")] = "facts,DLinear,seasonal naive",
    horizons: Annotated[str, typer.Option(help="Steps, commas between.")] = "96",
    look_back: Annotated[int, typer.Option(min=2, help="Steps that models see.")] = 96,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 3,
    minutes: Annotated[float, typer.Option(min=0.01, help="Of each training.")] = 1.0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """The benchmark's protocol on your files: every model in one harness, every test window, and who won."""
    from tenfold.facts.evaluation import MODELS, Budget, evaluate_trials, summarise, trials_of

    chosen = MODELS if models == "all" else _names(models)
    trials = trials_of(
        {_protocol(file): file for file in files}, models=chosen, horizons=_whole(horizons), seeds=range(seeds),
        look_back=look_back, budget=Budget(minutes), device=device,
    )  # fmt: skip
    rows = summarise(evaluate_trials(trials, folder))
    cells = [
        (
            one.data, one.horizon, one.model, f"{one.mse:.4f}", f"{one.low:.4f} to {one.high:.4f}", f"{one.mae:.4f}",
            one.seeds, "won" if one.won else "",
        )
        for one in rows
    ]  # fmt: skip
    heads = ("data", "horizon", "model", "MSE", "95 %", "MAE", "seeds", "")
    emit([one._asdict() for one in rows], as_json, lambda: table(heads, cells))


@app.command()
def inspect(model: Model, file: File, plot: Plot = None, time: Time = None, as_json: Json = False) -> None:
    """Who feeds which slot: the router's weights over the last window."""
    loaded = _load(model)
    shares = loaded.routing(_read(file, loaded.settings.fill, time, None))
    if plot is not None:
        from tenfold.facts.pictures import routing_figure

        _write(plot, "Who feeds which slot", [routing_figure(shares)])
    cells = [(slot, *(f"{share:.1%}" for share in row)) for slot, row in zip(shares.index, shares.to_numpy(), strict=True)]
    value = {"slots": list(shares.index), "rows": list(shares.columns), "shares": shares.to_numpy().tolist()}
    emit(value, as_json, lambda: table(("", *shares.columns), cells))


@app.command("check-invariance")
def check_invariance(
    model: Model = "town",
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Table; not needed for the shipped model.")] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Of the output's scale; a larger change exits with 1.")] = 1e-5,
    time: Time = None,
    as_json: Json = False,
) -> None:
    """Shuffle a model's input rows, once for all and anew in each frame, and measure what that changes."""
    from tenfold.facts.invariance import check_invariance as measured

    loaded = _load(model)
    windows = _windows(loaded, file, time)
    fixed, per_frame = measured(loaded, windows)
    streaming = loaded.streaming_gap(windows)
    value = {"fixed": fixed, "per_frame": per_frame, "streaming": streaming, "tolerance": tolerance}
    words = (
        f"Largest change, of the output's scale, over {len(windows)} windows\n  rows shuffled once: {fixed:.2g}\n"
        f"  rows shuffled in each frame: {per_frame:.2g}\n  frame by frame instead of at once: {streaming:.2g}"
    )
    emit(value, as_json, words)
    if max(fixed, per_frame, streaming) > tolerance:
        raise CheckFailed(f"The largest change is {max(fixed, per_frame, streaming):.2g}, above --tolerance {tolerance:g}.")


@app.command()
def discs(
    steps: Annotated[int, typer.Option(min=1, help="Of training FACTS; its rivals get four times as many.")] = 1500,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 1,
    sequences: Annotated[int, typer.Option(min=1, help="To learn from.")] = 8000,
    as_json: Json = False,
) -> None:
    """Discs that bounce, seen as rows in no order: where will they be? FACTS beside GRUs and constant velocity."""
    from statistics import fmean

    from tenfold.facts.disc_models import DISC_MODELS, foretell

    rows = []
    for name in DISC_MODELS:
        of = steps if name == "FACTS" else 4 * steps
        runs = [foretell(name, seed, steps=of, sequences=sequences) for seed in range(seeds)]
        error, seconds = (fmean(getattr(run, part) for run in runs) for part in ("error", "seconds"))
        rows.append({"model": name, "error": error, "seconds": seconds, "parameters": runs[0].parameters})
    cells = [(row["model"], f"{row['error']:.4f}", f"{row['seconds']:.0f}", row["parameters"]) for row in rows]
    emit(rows, as_json, lambda: table(("model", "error, sides of the square", "seconds", "weights"), cells))


@app.command()
def graph(
    file: Annotated[str, typer.Argument(metavar="GRAPH", help="JSON (.gz): edges, names, and series or --table.")],
    series: Annotated[str | None, typer.Option("--table", help="Table of the nodes' series.")] = None,
    horizon: Annotated[int, typer.Option(min=1, help="Steps to forecast.")] = 1,
    look_back: Annotated[int, typer.Option(min=1, help="Steps that models see.")] = 8,
    convention: Annotated[str, typer.Option(help="70/10/20, or published (train 20 %).")] = "70/10/20",
    steps: Annotated[int, typer.Option(min=1, help="Of each training.")] = 300,
    period: Annotated[int, typer.Option(min=1, help="Of the seasonal naive forecast, in steps.")] = 52,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 3,
    as_json: Json = False,
) -> None:
    """Forecast series on the nodes of a graph, its edges as the router's mask, beside simple ways and a graph network."""
    from statistics import fmean

    from tenfold.facts.graphs import METHODS, compare, read_graph

    how: Any = convention
    found = compare(
        read_graph(file, series),
        horizon=horizon,
        look_back=look_back,
        convention=how,
        seeds=range(seeds),
        steps=steps,
        period=period,
    )
    errors = {name: [one.mse for one in found if one.method == name] for name in METHODS}
    rows = [{"method": name, "mse": fmean(of), "seeds": len(of)} for name, of in errors.items()]
    cells = [(row["method"], f"{row['mse']:.4f}", f"{row['mse'] ** 0.5:.4f}", row["seeds"]) for row in rows]
    emit(rows, as_json, lambda: table(("method", "MSE", "its root", "seeds"), cells))


def _load(model: str) -> Any:
    from tenfold.facts.forecasting import Forecaster

    return Forecaster.shipped() if model == "town" and not Path(model).exists() else Forecaster.load(model)


def _read(file: str, fill: str, time: str | None, columns: str | None) -> Any:
    """A table; what is odd about it goes to the standard error."""
    from tenfold.facts.series import read_series

    how: Any = fill
    found = read_series(file, fill=how, time=time, columns=_names(columns) or None)
    _say_notes(found.notes)
    return found


def _windows(model: Any, file: str | None, time: str | None) -> Any:
    """Up to 64 windows of the series that a model forecasts, evenly spread over a table."""
    import numpy as np

    from tenfold.facts.series import series_of
    from tenfold.facts.synthetic import town_meters

    settings, targets = model.settings, model.roles.targets
    series = series_of(town_meters(960, seed=1)) if file is None else _read(file, settings.fill, time, None)
    values = series.chosen(targets).values
    if len(values) < settings.look_back:
        raise BadInput(f"The table has {len(values)} rows; the model looks back {settings.look_back}.")
    starts = np.unique(np.linspace(0, len(values) - settings.look_back, 64).astype(int))
    return np.stack([values[start : start + settings.look_back] for start in starts])


def _check_place(out: Path) -> None:
    """Refuse a folder that holds something else than a model, before time is spent."""
    if out.is_file():
        raise BadInput(f"{out} is a file; a model needs a folder.", "Choose another place with --out.")
    ours = {"forecaster.json", "weights.safetensors", "training"}
    foreign = sorted(one.name for one in out.iterdir() if one.name not in ours) if out.is_dir() else []
    if foreign:
        raise BadInput(f"{out} holds {foreign[0]}, which is no part of a model.", "Choose another place with --out.")


def _tell(step: Any) -> None:
    """A line at each validation for whoever reads a log."""
    left = f", {step.seconds_left:.0f} s left" if step.seconds_left == step.seconds_left else ""
    loss = f"loss {step.loss:.4f}, " if step.loss == step.loss else ""
    say(f"step {step.step} of {step.steps}: {loss}validation MSE {step.validation:.4f}{left}")


def _say_notes(notes: Any) -> None:
    for note in notes:
        say(f"Note: {note}")


def _draw_forecast(plot: Path, model: Any, series: Any, found: Any) -> None:
    from tenfold.facts.pictures import forecast_figure
    from tenfold.facts.views import known_rows, naive_forecast

    past = known_rows(series, model.settings.look_back)
    again: Any = naive_forecast(series, model.settings.look_back, len(found))
    names = [name for name in series.names if name in found.columns][:20]
    figures = [forecast_figure(past, found, name, naive=again[name]) for name in names]
    _write(plot, f"Forecast of {len(names)} series", figures)


def _write(plot: Path, title: str, figures: Any) -> None:
    from tenfold.core.report import Section, write_report

    if plot.suffix.lower() != ".html":
        raise BadInput(f"--plot {plot} must end in .html.")
    write_report(plot.parent, title, [Section(title, figures=figures)], name=plot.name)


def _count(model: Any, found: Any) -> int:
    return sum("-lo-" not in name and "-hi-" not in name for name in found.columns[1:])


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(level) for level in text.split(","))
    except ValueError:
        raise BadInput(f"--levels {text!r} holds no numbers.", "Write them with commas, as in 0.8,0.95.") from None


def _whole(text: str) -> tuple[int, ...]:
    found = tuple(int(one) if one.strip().isdigit() else 0 for one in text.split(","))
    if 0 in found:
        raise BadInput(f"--horizons {text!r} holds no whole numbers above 0.", "Write them with commas, as in 96,192.")
    return found


def _protocol(file: str) -> str:
    """The name of a file of the protocol, else its own."""
    from tenfold.facts.windows import PROTOCOLS

    stem = Path(file).name.split(".")[0]
    return next((name for name in PROTOCOLS if name.lower() == stem.lower()), stem)
