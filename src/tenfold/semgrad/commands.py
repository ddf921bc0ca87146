"""The `tenfold semgrad` commands: parse, call, print."""

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Json, Out, emit, say, table
from tenfold.core.errors import BadInput, BudgetReached

app = typer.Typer(
    no_args_is_help=True,
    help="Optimise the instructions of a graph of language-model calls by feedback that is carried back through it.",
)

# The models of the paper's experiments.
FORWARD, BACKWARD = "openai:gpt-4o-mini-2024-07-18", "openai:gpt-4-turbo-2024-04-09"
# The demo's first seed: the rules engine was built while low ones were looked at.
FIRST = 1000
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML or JSON: graph, train, test, optimise's settings.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Cassette = Annotated[Path, typer.Option(help="File of recorded replies, .jsonl or .jsonl.gz.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**31 - 1, help="Default: CONFIG's, else 0.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, whatever it may cost.")]
AskAbove = Annotated[float, typer.Option(min=0, help="Ask if the forecast is above so many US dollars, or unknown.")]
Data = Annotated[Path | None, typer.Option(help="File or folder of questions; default: see each command.")]
Seeds = Annotated[int, typer.Option(min=1, max=10_000, help="Number of seeds.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")]
Tasks = Annotated[str | None, typer.Option(help="Tasks of bbh, rungs of liar, with commas; default: all.")]
ForwardModel = Annotated[str, typer.Option("--forward", help="A protocol's model for the nodes.")]
BackwardModel = Annotated[str, typer.Option("--backward", help="A protocol's model for advice and new instructions.")]
Protocol = Annotated[str, typer.Argument(metavar="bbh|gsm8k|liar", help="A protocol of the paper.")]


@app.command()
def run(
    config: Config, out: Out = None, seed: Seed = None, ask_above: AskAbove = 1.0, yes: Yes = False, as_json: Json = False
) -> None:
    """Optimise. The same command on the same --out goes on where it was stopped, and pays for nothing twice."""
    _optimise(config, out, seed, as_json, ask_above=None if yes else ask_above)


@app.command()
def record(
    config: Config,
    cassette: Cassette,
    out: Out = None,
    seed: Seed = None,
    ask_above: AskAbove = 1.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run, and keep every reply in a cassette that anyone can replay without network or key."""
    _optimise(config, out, seed, as_json, ask_above=None if yes else ask_above, cassette=cassette, mode="record")


@app.command()
def replay(config: Config, cassette: Cassette, out: Out = None, seed: Seed = None, as_json: Json = False) -> None:
    """Run from a cassette alone: nothing is sent; a request that is not in it is an error with the nearest one."""
    if not cassette.is_file():
        hint = "Record one: tenfold semgrad record CONFIG --cassette FILE"
        raise BadInput(f"The cassette {cassette} does not exist.", hint)
    _optimise(config, out, seed, as_json, cassette=cassette, mode="replay")


@app.command()
def forecast(
    what: Annotated[str, typer.Argument(metavar="CONFIG|bbh|gsm8k|liar", help="A file of `run`, or a paper's protocol.")],
    data: Data = None,
    tasks: Tasks = None,
    forward: ForwardModel = FORWARD,
    backward: BackwardModel = BACKWARD,
    as_json: Json = False,
) -> None:
    """Calls, tokens and dollars by role, before anything is spent; nothing is sent."""
    from tenfold.semgrad.runners import PROTOCOLS, plan

    if what in PROTOCOLS:
        rows = _plan_forecast(plan(what, data=data, tasks=_names(tasks)), _paper_models(forward, backward))
    else:
        rows = _config_forecast(_read(Path(what)))
    found = {"of": what, "rows": [row._asdict() for row in rows]}
    emit(found, as_json, lambda: _print_forecast(rows, f"Forecast of {what}"))


@app.command()
def paper(
    protocol: Protocol,
    data: Data = None,
    tasks: Tasks = None,
    forward: ForwardModel = FORWARD,
    backward: BackwardModel = BACKWARD,
    cassette: Annotated[Path | None, typer.Option(help="Record every reply here.")] = None,
    usd: Annotated[float | None, typer.Option(min=0, help="Budget in US dollars; at its end the run stops with 3.")] = None,
    out: Out = None,
    ask_above: AskAbove = 1.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """The paper's experiment with models of yours; forecast first, one folder for each run, resumable."""
    from tenfold.llm.budget import Budget
    from tenfold.semgrad.roles import engine_notice
    from tenfold.semgrad.runners import plan, run_plan

    planned = plan(protocol, data=data, tasks=_names(tasks))
    models = _paper_models(forward, backward)
    _ask(_plan_forecast(planned, models), None if yes else ask_above)
    say(planned.notice)
    for reason in planned.skipped[:5]:
        say(f"left out: {reason}")
    folder = out or Path("runs") / protocol
    rows = run_plan(planned, models, budget=Budget(usd=usd), run_dir=folder, cassette=cassette)
    notice = engine_notice(models)
    found = {"notice": notice, "rows": [row.model_dump(include=_ROW) for row in rows]}
    emit(found, as_json, lambda: _print_rows(rows, notice))


@app.command()
def compare(
    task: Annotated[str, typer.Option(help="arithmetic, navigate, counting, tracking or boolean.")] = "arithmetic",
    start: Annotated[str, typer.Option(help="leaf or all: which instructions begin at random.")] = "leaf",
    modes: Annotated[str, typer.Option(help="Of full,self,bare,none,random,auto.")] = "full,self,bare,none,random,auto",
    seeds: Seeds = 10,
    evaluations: Annotated[int, typer.Option(min=2, help="Of the training set, for every mode.")] = 13,
    data: Data = None,
    against: Annotated[str | None, typer.Option(help="Of textgrad,optoprime,copro,gepa,none.")] = None,
    model: Annotated[str, typer.Option(help="Model string, for all roles.")] = "engine:rules",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Held-out scores of several ways of optimising, with 95 % intervals over seeds and paired differences."""
    from tenfold.semgrad.compare import compare as side_by_side
    from tenfold.semgrad.roles import engine_notice

    chosen, others = _names(modes) or [], _names(against) or []
    rows = side_by_side(task, start, chosen, seeds, evaluations, data, others, workers=workers, model=model)
    notice = engine_notice(model)
    found = {"notice": notice, "rows": [row.model_dump(include=_ROW) for row in rows]}
    emit(found, as_json, lambda: _print_rows(rows, notice))


@app.command()
def demo(
    seeds: Seeds = 6,
    tasks: Annotated[str, typer.Option(help="With commas.")] = "arithmetic,navigate,counting",
    as_json: Json = False,
) -> None:
    """Does seeing the siblings pay? The levels side by side on generated questions; no network, no key."""
    from tenfold.semgrad.compare import Terms, one_seed, rows_of
    from tenfold.semgrad.roles import engine_notice

    notice, rows, names = engine_notice("engine:rules"), [], _known_tasks(tasks)
    tell = (lambda line: None) if as_json else functools.partial(print, flush=True)
    tell(notice)
    for task in names:
        scores = []
        for seed in range(FIRST, FIRST + seeds):
            scores.append(one_seed(Terms(task, modes=("full", "self", "bare", "none")), seed))
            tell(f"{task}, seed {seed}: " + ", ".join(f"{name} {score:.2f}" for name, score in scores[-1].items()))
        made = rows_of(scores, f"{task}, leaf start")
        rows += made
        if not as_json:
            _print_rows(made, "")
    emit({"notice": notice, "rows": [row.model_dump(include=_ROW) for row in rows]}, as_json, lambda: None)


@app.command()
def attribute(
    config: Config,
    of_run: Annotated[Path | None, typer.Option("--run", help="Use the best instructions of this run.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Wrong answers to look at.")] = 2,
    ask_above: AskAbove = 1.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Does the advice hold? Follow each piece of it by itself on wrong answers, and see what the answer becomes."""
    from tenfold.semgrad.attribution import try_advice
    from tenfold.semgrad.views import view_run

    read = _read(config)
    graph = read.graph if of_run is None else read.graph.with_instructions(view_run(of_run).best.instructions)
    one_step = replace(read, graph=graph, settings={**read.settings, "steps": 1, "evaluations": 2, "errors": samples})
    _ask(_config_forecast(one_step), None if yes else ask_above)
    tried = try_advice(graph, read.train, count=samples, **_advice_settings(read.settings))
    notice = _notice({"models": "engine:rules", **read.settings})
    found = {"notice": notice, "tried": [{**item._asdict(), "swaps": [s._asdict() for s in item.swaps]} for item in tried]}
    emit(found, as_json, lambda: _print_tried(tried, notice))


@app.command()
def show(folder: RunFolder, as_json: Json = False) -> None:
    """A run: its scores step by step, what was kept and rejected, and every instruction word by word."""
    from tenfold.semgrad.views import changes, curve, decisions, kept_changes, view_run

    view = view_run(folder)
    start_score = view.result.get("start_score")
    found = {
        "notice": _notice(view.config),
        "is_finished": bool(view.result),
        "result": dict(view.result),
        "curve": curve(start_score, view.history) if start_score is not None else [s.score for s in view.history],
        "decisions": [{"decision": kind, "words": words} for kind, words in decisions(view.history)],
        "changes": [change._asdict() for change in kept_changes(view.start, view.history)],
        "change_counts": changes(view.start, view.history),
        "best": view.best.instructions,
    }
    emit(found, as_json, lambda: _print_run(found))


@app.command()
def export(
    folder: RunFolder,
    to: Annotated[str, typer.Option(help="json, yaml or dspy (a Python file).")] = "json",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """The best graph of a run for other programs, on stdout or into --out."""
    from tenfold.core.files import write_atomic
    from tenfold.semgrad.export import export as text_of
    from tenfold.semgrad.views import view_run

    text = text_of(view_run(folder).best, to)
    if out is not None:
        write_atomic(out, text)
        say(f"Written: {out}")
    written = None if out is None else str(out)
    emit({"format": to, "text": text, "file": written}, as_json, (lambda: None) if out is not None else text)


_ROW = {"method", "metric", "value", "low", "high", "seeds", "seconds", "condition"}


def _optimise(
    config: Path, out: Path | None, seed: int | None, as_json: bool, *, ask_above: float | None = None, **client: Any
) -> None:
    from tenfold.core.progress import meter
    from tenfold.semgrad.optimiser import optimise

    read = _read(config)
    settings = {**read.settings, **{name: str(value) for name, value in client.items()}}
    if seed is not None:
        settings["seed"] = seed
    folder = _folder(config, out, settings.pop("run_dir", None), client)
    if ask_above is not None:
        _ask(_config_forecast(read), ask_above)
    with meter(config.name, settings.get("steps", 12)) as live:
        settings["on_step"] = lambda step: live.update(step.step, f"score {step.score:.3f}, best {step.best:.3f}")
        try:
            result = optimise(read.graph, read.train, read.test, run_dir=folder, **settings)
        except BudgetReached as error:
            partial = getattr(error, "result", None)
            if partial is not None:
                _emit_result(partial, folder, as_json)
            raise
    _emit_result(result, folder, as_json)


def _folder(config: Path, out: Path | None, named: str | None, client: Mapping[str, Any]) -> Path | None:
    """The run's folder. A replay has none unless it is named: read back from a folder it would show nothing."""
    mode = client.get("mode")
    if mode == "replay":
        return out
    folder = Path(out or named or Path("runs") / (config.stem + ("-recorded" if mode else "")))
    if mode and (folder / "result.json").exists() and not Path(client["cassette"]).exists():
        message = f"{folder} holds a finished run, of which nothing would be recorded in {client['cassette']}."
        raise BadInput(message, "Choose another place with --out.")
    return folder


def _emit_result(result: Any, folder: Path | None, as_json: bool) -> None:
    from tenfold.core.files import read_object, write_json
    from tenfold.semgrad.views import run_figures

    spent = _spent(result.account)
    if folder is not None and result.account is not None:
        write_json(folder / "spent.json", spent)
        if result.is_finished:
            figures = run_figures(result.start, result.start_score, result.history, result.test_score)
            result.report(folder, figures=figures)
    elif folder is not None and (folder / "spent.json").exists():  # the run was finished before, and read back
        spent = read_object(folder / "spent.json")
    found = {**result.to_dict(), "run": None if folder is None else str(folder), **spent}
    emit(found, as_json, lambda: _print_result(found))


def _spent(account: Any) -> dict[str, Any]:
    if account is None:
        return {"calls": 0, "tokens": 0, "usd": None, "by_role": {}}
    total = account.total
    roles = {role or "other": spent._asdict() for role, spent in account.by_role.items()}
    return {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "by_role": roles}


def _read(path: Path) -> Any:
    from tenfold.semgrad.config import read_config

    if not path.is_file():
        raise BadInput(f"{path} does not exist.", "Give a YAML or JSON file with graph, train and optimise's settings.")
    return read_config(path)


def _config_forecast(read: Any) -> list[Any]:
    from tenfold.semgrad.costs import forecast as expected
    from tenfold.semgrad.optimiser import Settings

    named = {name: value for name, value in read.settings.items() if name in _FORECAST}
    settings = Settings(**{name: value for name, value in named.items() if name in Settings.__dataclass_fields__}).checked()
    asked = {name: getattr(settings, name) for name in ("steps", "errors", "neighbourhood", "update", "evaluations")}
    others = {name: named[name] for name in ("metric", "models", "prices") if name in named}
    return expected(read.graph, read.train, test=read.test, **asked, **others)


_FORECAST = ("steps", "errors", "neighbourhood", "update", "evaluations", "metric", "models", "prices")


def _advice_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `try_advice` takes of a configuration: all but what steers a search."""
    from tenfold.semgrad.optimiser import Settings
    from tenfold.semgrad.runtime import Sampling

    drawn = {name: settings[name] for name in ("temperature", "top_p", "max_tokens") if name in settings}
    others = {*Settings.__dataclass_fields__, "run_dir", *drawn} - {"neighbourhood"}
    kept = {name: value for name, value in settings.items() if name not in others}
    return {**kept, "sampling": Sampling(**drawn).checked()}


def _plan_forecast(planned: Any, models: Mapping[str, str]) -> list[Any]:
    from tenfold.semgrad.costs import ForecastRow
    from tenfold.semgrad.costs import forecast as expected

    sums: dict[str, ForecastRow] = {}
    for item in planned.runs:
        settings = {name: item.settings[name] for name in ("steps", "errors", "neighbourhood")}
        rows = expected(item.graph, item.train, test=item.test or None, update="full", models=models, **settings)
        for row in rows:
            old = sums.get(row.role, ForecastRow(row.role, 0, 0, 0.0))
            usd = None if old.usd is None or row.usd is None else old.usd + row.usd
            sums[row.role] = ForecastRow(row.role, old.calls + row.calls, old.tokens + row.tokens, usd)
    return list(sums.values())


def _paper_models(forward: str, backward: str) -> dict[str, str]:
    return {"forward": forward, "backward": backward, "optimise": backward}


def _ask(rows: Sequence[Any], ask_above: float | None) -> None:
    """Let the user decide where a run may cost more than a limit, or nobody knows what."""
    if ask_above is None:
        return
    usd = rows[-1].usd
    if usd is not None and usd <= ask_above:
        return
    words = "an unknown amount: no price is known for a model" if usd is None else f"${usd:.2f}"
    if not sys.stdin.isatty():
        raise BadInput(
            f"This run makes up to {rows[-1].calls:,} calls and may cost {words}.", "Give --yes, or a higher --ask-above."
        )
    for line in _forecast_lines(rows):
        say(line)
    if not typer.confirm(f"This run may cost {words}. Go on?", err=True):
        raise BadInput("Nothing was sent.")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _known_tasks(text: str) -> list[str]:
    from tenfold.semgrad.tasks import TASKS

    found = _names(text) or []
    unknown = [name for name in found if name not in TASKS]
    if unknown or not found:
        raise BadInput(f"There is no task {(unknown or [text])[0]!r}.", f"There are: {', '.join(TASKS)}.")
    return found


def _notice(config: Mapping[str, Any]) -> str:
    from tenfold.semgrad.roles import engine_notice

    return engine_notice(config.get("models", {"forward": ""}))


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.4f}"


def _forecast_lines(rows: Iterable[Any]) -> list[str]:
    return [f"  {row.role:<9} {row.calls:>9,} calls {row.tokens:>13,} tokens  {_money(row.usd)}" for row in rows]


def _print_forecast(rows: Sequence[Any], title: str) -> None:
    print(f"{title}: at most, if nothing stops early and no reply is repeated; tokens are estimates")
    print("\n".join(_forecast_lines(rows)))


def _print_rows(rows: Sequence[Any], notice: str) -> None:
    if notice:
        print(notice)
    cells = [
        (
            row.method,
            row.condition,
            f"{row.value:.3f}",
            "" if row.low is None else f"{row.low:.3f} to {row.high:.3f}",
            row.seeds,
        )
        for row in rows
    ]
    table(("method", "setting", rows[0].metric if rows else "", "95 % interval", "seeds"), cells)


def _print_result(found: Mapping[str, Any]) -> None:
    if found["notice"]:
        print(found["notice"])
    test = "" if found["test_score"] is None else f", held-out {found['test_score']:.3f}"
    ended = f"{found['evaluations']} evaluations ({found['stopped']})"
    print(f"Score {found['start_score']:.3f} -> {found['score']:.3f}{test}; {ended}")
    print(f"{found['calls']:,} calls, {found['tokens']:,} tokens, {_money(found['usd'])}")
    for name, text in found["best"].items():
        print(f"  {name}: {text}")
    for note in found["tally"]["notes"]:
        print(note)
    if found["run"]:
        print(f"Run: {found['run']} (tenfold semgrad show {found['run']})")


def _print_tried(tried: Sequence[Any], notice: str) -> None:
    if notice:
        print(notice)
    if not tried:
        print("Nothing to try: every answer is right.")
        return
    rows = []
    for item in tried:
        rows += [
            (item.sample, s.node, s.value, s.candidate, item.answer, s.answer, item.target, _HELPS[s.improves])
            for s in item.swaps
        ] or [(item.sample, "", "", "the advice names no value", item.answer, "", item.target, "")]
    table(("sample", "node", "value", "advised", "answer", "answer then", "right", "helps"), rows)


_HELPS = {True: "yes", False: "no"}


def _print_run(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    from tenfold.semgrad.pictures import diff_words

    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 240)
    if found["notice"]:
        console.print(Text(found["notice"]))
    console.print(Text("score  " + " ".join(f"{score:.2f}" for score in found["curve"])))
    marks = {"kept": "+", "rejected": "x", "no proposal": "."}
    strip = "".join(marks[item["decision"]] for item in found["decisions"])
    console.print(Text(f"gate   {strip}   (+ kept, x rejected, . no proposal)"))
    for item in found["changes"]:
        line = Text(f"step {item['step']:>2} {item['parameter']}: ", style="bold")
        for kind, words in diff_words(item["before"], item["after"]):
            shown = {"same": words, "del": f"[-{words}-]", "ins": f"{{+{words}+}}"}[kind]
            line.append(shown, style={"same": "none", "del": "red strike", "ins": "green"}[kind])
        console.print(line)
    if not found["is_finished"]:
        console.print(Text("The run is not finished: the same command goes on with it."))
