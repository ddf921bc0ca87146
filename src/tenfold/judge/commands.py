"""The `tenfold judge` commands: parse, call, print."""

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Json, Out, emit, say, table
from tenfold.core.errors import BadInput, BudgetReached, CheckFailed

app = typer.Typer(
    no_args_is_help=True,
    help="Judge what an agent left behind, requirement by requirement, with evidence; no file of it is ever run.",
)

NOTICE = "The embedded engine decides by files and code alone. It is no language model, and says undecided where it can't."
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Workspaces = Annotated[list[Path], typer.Argument(metavar="WORKSPACE...", help="Folders, zip or tar archives.")]
Wanted = Annotated[Path, typer.Option("--requirements", "-r", help="DevAI JSON, YAML, a rubric tree, or text, one a line.")]
Task = Annotated[str | None, typer.Option(help="Of several tasks in the file; default: the one of the workspace's name.")]
Trajectory = Annotated[Path | None, typer.Option(help="What the agent did; for one workspace.")]
Engine = Annotated[str | None, typer.Option(help="embedded, hybrid, llm or llm-single; default: hybrid with a model.")]
Model = Annotated[str | None, typer.Option(help="Model string, e.g. openai:gpt-4o-mini or http://host:port/v1#MODEL.")]
Setting = Annotated[str, typer.Option(help="black: workspace alone; gray: with the trajectory; auto.")]
Plan = Annotated[str, typer.Option(help="efficient, comprehensive or planning: what the agent looks at.")]
Votes = Annotated[int, typer.Option(help="Of the model on each requirement; an odd number, so that there is no tie.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes of the embedded engine.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests to a model in flight at once.")]
BudgetText = Annotated[str | None, typer.Option("--budget", help="2usd, 100calls, 50000tokens, 10m; at its end: exit 3.")]
Folder = Annotated[
    Path | None, typer.Option(help="Keeps replies and spending: a stopped run goes on, nothing is paid twice.")
]
Cache = Annotated[Path | None, typer.Option(help="Folder of facts of known files; default: the user's.")]
Labels = Annotated[
    Path, typer.Argument(metavar="LABELS.csv", help="Columns task, requirement_id, criteria_as_judged, human.")
]
Reports = Annotated[Path | None, typer.Option(help="A report as JSON, or a folder of them.")]


@app.command()
def run(
    workspaces: Workspaces,
    requirements: Wanted,
    task: Task = None,
    trajectory: Trajectory = None,
    engine: Engine = None,
    model: Model = None,
    setting: Setting = "auto",
    plan: Plan = "efficient",
    votes: Votes = 1,
    jobs: Jobs = 1,
    concurrency: Concurrency = 32,
    budget: BudgetText = None,
    folder: Folder = None,
    record: Annotated[Path | None, typer.Option(help="Keep every reply in this cassette (.jsonl or .jsonl.gz).")] = None,
    replay: Annotated[Path | None, typer.Option(help="Answer from this cassette alone; nothing is sent.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="A file of `judge calibrate`.")] = None,
    cache: Cache = None,
    out: Annotated[
        Path | None, typer.Option(help="File .json, .md, .html, .xml (JUnit) or .sarif; of several: folder.")
    ] = None,
    fail_under: Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 1 if a smaller share is met.")] = None,
    as_json: Json = False,
) -> None:
    """Judge workspaces; a bad one is named, the others go on. Exit 1 below --fail-under, 2 bad input, 3 budget reached."""
    from tenfold.core.parallel import Failure
    from tenfold.judge.runner import run_many
    from tenfold.judge.types import Report

    _check_places(workspaces, out, trajectory)
    known = None if calibration is None else _calibration(calibration)
    cases, failed = _cases(workspaces, requirements, task, trajectory)
    if folder is not None and (record or replay) is not None:
        raise BadInput("--folder and a cassette were both given.", "Each keeps the replies; choose one.")
    client = _client(model, budget, record, replay, concurrency)
    asked: dict[str, Any] = {"setting": setting, "engine": engine, "votes": votes, "plan": plan}
    asked |= {"client": client} if client else {"model": model, "budget": budget}
    with closing(client) if client else nullcontext():
        made = run_many(
            [case for _, case in cases],
            **asked, folder=folder, cache=cache, concurrency=concurrency, jobs=jobs, on_error="collect",
        )  # fmt: skip
    failed += [(name, one.error) for (name, _), one in zip(cases, made, strict=True) if isinstance(one, Failure)]
    failed = [(name, words.removeprefix("BadInput: ")) for name, words in failed]
    reports = [(name, one) for (name, _), one in zip(cases, made, strict=True) if isinstance(one, Report)]
    if known is not None:
        reports = [(name, known.report(one)) for name, one in reports]
    _write(reports, dict(cases), out, single=len(workspaces) == 1)
    _emit_reports([one for _, one in reports], failed, as_json, single=len(workspaces) == 1)
    _end(reports, failed, len(workspaces), fail_under)


@app.command()
def agree(
    labels: Labels,
    reports: Reports = None,
    flags: Annotated[Path | None, typer.Option(help="CSV of how runs ended: task, executed_successfully.")] = None,
    column: Annotated[str, typer.Option(help="Of a recorded judge, where no reports are given.")] = "aaaj_gray_box",
    as_json: Json = False,
) -> None:
    """A judge beside people: alignment, kappa, (I) and (D), with both floors and 95 % intervals over tasks."""
    from tenfold.judge.alignment import agreement

    found = agreement(None if reports is None else reports, labels, column=column, flags=flags)
    emit(found.to_dict(), as_json, lambda: _print(found.to_markdown()))


@app.command()
def bench(
    what: Annotated[str, typer.Argument(metavar="faults|rewards|traps|devai", help="Which benchmark.")],
    workspaces: Annotated[Path | None, typer.Option(help="devai: a folder with one workspace for each task.")] = None,
    systems: Annotated[str | None, typer.Option(help="devai: agents with labels, with commas: names or files.")] = None,
    labels: Annotated[str | None, typer.Option(help="devai: people's verdicts on the workspaces: file or name.")] = None,
    flags: Annotated[str | None, typer.Option(help="devai: how the runs ended: file or name.")] = None,
    trajectories: Annotated[Path | None, typer.Option(help="devai: a folder with TASK.json for each task.")] = None,
    data: Annotated[Path | None, typer.Option(help="devai: the tasks; traps: their folder; default: the data sets.")] = None,
    split: Annotated[str, typer.Option(help="faults, rewards: held-out, tune or both.")] = "held-out",
    limit: Annotated[int | None, typer.Option(min=1, help="faults: at most so many workspaces.")] = None,
    engine: Engine = None,
    model: Model = None,
    setting: Setting = "auto",
    plan: Plan = "efficient",
    votes: Votes = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    concurrency: Concurrency = 32,
    budget: BudgetText = None,
    folder: Folder = None,
    ablation: Annotated[bool, typer.Option("--ladder", help="devai: the agent with one module more each time.")] = False,
    out: Annotated[Path | None, typer.Option(help="devai: folder for one report of each workspace.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a judge: seeded faults, what its reward is worth, traps; or DevAI from labels or workspaces."""
    if what == "devai" and systems is not None and workspaces is None:
        _bench_systems(systems, as_json)
    elif what == "devai":
        options = {
            "setting": setting, "model": model, "budget": budget, "engine": engine, "votes": votes, "plan": plan,
            "jobs": jobs or 1, "concurrency": concurrency, "folder": folder,
        }  # fmt: skip
        places = {"labels": labels, "trajectories": trajectories, "data": data}
        if ablation:
            _bench_ladder(workspaces, places, {**options, "engine": "llm"}, as_json)
        else:
            _bench_devai(workspaces, {**places, "flags": flags}, options, out, as_json)
    else:
        kept = None if folder is None else str(folder)
        options = {"votes": votes, "plan": plan, "budget": budget, "folder": kept}
        _bench_made_up(what, split, limit, data, jobs, as_json, (engine, model, options))


@app.command()
def ask(
    workspace: Annotated[Path, typer.Argument(help="Folder or archive.")],
    question: Annotated[str, typer.Argument(help="In words.")],
    model: Model = None,
    budget: BudgetText = None,
    as_json: Json = False,
) -> None:
    """Ask anything about a workspace; without a model: where in its code the words of the question stand."""
    from tenfold.judge.questions import ask_anything, passages
    from tenfold.judge.workspace import Workspace

    opened = Workspace.open(workspace)
    client = _client(model, budget, None, None, 32, always=True)
    if client is None:
        notice, found = "No model is set: this is a search of the code, not an answer.", passages(opened, question)
        rows = [{"file": file, "line": line, "text": text} for file, line, text in found]
        said = "\n\n".join(f"{file}:{line}\n{text}" for file, line, text in found) or "No file has a word of it."
        emit({"notice": notice, "passages": rows}, as_json, lambda: _print(f"{notice}\n\n{said}"))
    else:
        with closing(client):
            answer = ask_anything(opened, question, client)
        emit({"answer": answer}, as_json, lambda: _print(answer))


@app.command()
def lint(
    requirements: Annotated[Path, typer.Argument(metavar="FILE", help="Requirements in any form.")],
    workspace: Annotated[Path | None, typer.Option(help="A folder: paths that are not in it are named too.")] = None,
    as_json: Json = False,
) -> None:
    """What is wrong, vague or contradictory in requirements; exit 2 if they can't be judged so."""
    from tenfold.judge.linting import lint as findings

    found = findings(requirements, workspace)
    rows = [(task, *one) for task, listed in found.items() for one in listed]
    plain = {task: [one._asdict() for one in listed] for task, listed in found.items()}
    lines = [f"{task}: {level}: {words} {hint}".rstrip() for task, level, _, _, words, hint in rows]
    emit({"tasks": plain}, as_json, lambda: _print("\n".join(lines) or f"Nothing to find in {len(found)} tasks."))
    errors = sum(row[1] == "error" for row in rows)
    if errors:
        raise BadInput(f"{requirements} cannot be judged by: {errors} {'errors' if errors > 1 else 'error'} above.")


@app.command()
def draft(
    task: Annotated[str, typer.Argument(help="The text that the agent is given, or a file that holds it.")],
    name: Annotated[str, typer.Option(help="Of the task.")] = "task",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """A skeleton of requirements, made by rule from the sentences of a task: for a person to correct."""
    from tenfold.core.files import write_atomic
    from tenfold.judge.drafting import draft as drafted
    from tenfold.judge.drafting import draft_yaml
    from tenfold.judge.forms import read_text

    is_file = len(task) < 1000 and "\n" not in task and "\0" not in task and Path(task).is_file()
    found = drafted(read_text(Path(task)) if is_file else task, name)
    if out is not None:
        write_atomic(out, draft_yaml(found))
        say(f"Written: {out}")
    emit(found, as_json, lambda: _print("" if out is not None else draft_yaml(found)))


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A report as JSON, or a folder of them.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The same of the other.")],
    as_json: Json = False,
) -> None:
    """Two reports side by side: two agents, two judges, or two runs of one agent."""
    from tenfold.judge.comparison import compare

    found = compare(_side(first), _side(second), names=(str(first), str(second)))
    emit(found.to_dict(), as_json, lambda: _print(found.to_markdown()))


@app.command()
def collect(
    agent: Annotated[str, typer.Option(help="Its command: 'CMD {task} {workspace}'; run without a shell.")],
    tasks: Annotated[str, typer.Option(help="devai, or a file of tasks.")] = "devai",
    limit: Annotated[str, typer.Option(help="Of one task: 30m, 90s, 1h.")] = "30m",
    out: Annotated[Path, typer.Option(help="One folder for each task.")] = Path("collected"),
    network: Annotated[bool, typer.Option("--network", help="Let the agent use the network.")] = False,
    memory: Annotated[str, typer.Option(help="Address space of each process; none = no limit.")] = "8g",
    jobs: Jobs = 1,
    pass_env: Annotated[str, typer.Option(help="Variables that the agent gets, with commas, e.g. its key.")] = "",
    as_json: Json = False,
) -> None:
    """Run any agent over tasks in a sandbox, and keep workspace, trajectory, cost, time; the same command goes on."""
    from dataclasses import asdict

    from tenfold.judge.collecting import collect as collected

    given = [name.strip() for name in pass_env.split(",") if name.strip()]
    room = None if memory == "none" else memory
    found = collected(agent, tasks, out, limit, network=network, memory=room, jobs=jobs, pass_env=given)
    columns = ("task", "ended by itself", "seconds", "cost", "sandbox", "notes")
    rows = [
        (
            one.task,
            "yes" if one.self_terminated else "no",
            f"{one.seconds:.1f}",
            _usd(one.cost),
            one.sandbox,
            " ".join(one.notes),
        )
        for one in found
    ]
    emit(
        {"tasks": [asdict(one) for one in found]}, as_json, lambda: table(columns, [list(map(_clean, row)) for row in rows])
    )


@app.command()
def calibrate(
    labels: Labels,
    reports: Annotated[Path, typer.Option(help="The reports that the labels are about: JSON, or a folder of them.")],
    out: Annotated[Path, typer.Option(help="File for `judge run --calibration`.")] = Path("calibration.json"),
    error: Annotated[float, typer.Option(help="Wanted share of wrong verdicts.")] = 0.1,
    as_json: Json = False,
) -> None:
    """Fit confidence to your own labels, and when to say undecided."""
    from tenfold.judge.calibration import calibrate as fitted
    from tenfold.judge.verdicts import read_reports

    found = fitted(read_reports(reports), labels, error=error)
    found.save(out)
    numbers = ("threshold", "error", "labels", "tasks", "error_before", "error_after", "coverage", "accuracy")
    plain = {"file": str(out), **{name: getattr(found, name) for name in numbers}}
    emit(plain, as_json, f"{found.words()}\nWritten: {out}")


@app.command()
def override(
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report of `judge run --out`.")],
    verdicts: Annotated[list[str], typer.Argument(metavar="ID=VERDICT...", help="Such as 3=satisfied 5=unsatisfied.")],
    out: Annotated[Path, typer.Option(help="Labels; those that stand there already are kept.")] = Path("labels.csv"),
    agent: Annotated[str, typer.Option(help="Whose workspace it is.")] = "",
    changed: Annotated[Path | None, typer.Option(help="Write the report with these verdicts too.")] = None,
    as_json: Json = False,
) -> None:
    """Put your verdicts in place of the judge's, and save them as labels."""
    from tenfold.judge.labels import add_labels, report_labels
    from tenfold.judge.labels import override as overridden
    from tenfold.judge.writers import read_report, report_path, write_report

    judged, said = read_report(report), dict(_pair(text) for text in verdicts)
    if changed is not None:
        report_path(changed)
    labels = add_labels(out, report_labels(judged, said, agent=agent))
    if changed is not None:
        write_report(overridden(judged, said), changed)
    emit({"file": str(out), "labels": len(labels)}, as_json, f"Written: {out} ({len(labels)} labels)")


def _check_places(workspaces: Sequence[Path], out: Path | None, trajectory: Path | None) -> None:
    from tenfold.judge.writers import report_path

    if len(workspaces) > 1 and trajectory is not None:
        raise BadInput("One trajectory was given for several workspaces.", "Judge that workspace alone.")
    if out is not None and len(workspaces) == 1:
        report_path(out)
    if out is not None and len(workspaces) > 1 and (out.suffix or out.is_file()):
        raise BadInput(f"{out} is one file, and there are {len(workspaces)} workspaces.", "Name a folder with --out.")


def _cases(
    workspaces: Sequence[Path], requirements: Path, task: str | None, trajectory: Path | None
) -> tuple[list[tuple[str, Any]], list[tuple[str, str]]]:
    """Cases by name of the workspace; and those whose task is not in the file."""
    from tenfold.judge.requirements import load_requirements, load_tasks, task_of
    from tenfold.judge.runner import Case

    tasks = load_tasks(requirements) if task is None else {task: load_requirements(requirements, task=task)}
    cases, failed = [], []
    for path in workspaces:
        name = path.resolve().name
        try:
            wanted = task_of(tasks, name.split(".")[0] if path.is_file() else name)
        except BadInput as error:
            failed.append((str(path), f"{error.message} Name one with --task. {error.hint}"))
        else:
            cases.append((str(path), Case(path, wanted, trajectory)))
    return cases, failed


def _client(
    model: str | None, budget: str | None, record: Path | None, replay: Path | None, concurrency: int, always: bool = False
) -> Any:
    """A client of its own where a cassette is used (or one is always wanted); None = the runner makes it."""
    if record is not None and replay is not None:
        raise BadInput("--record and --replay were both given.", "Choose one.")
    if model is None:
        if record is not None or replay is not None:
            raise BadInput("A cassette holds replies of a model, and no model is set.", "Name it with --model.")
        return None
    if record is None and replay is None and not always:
        return None
    if replay is not None and not replay.is_file():
        raise BadInput(f"The cassette {replay} does not exist.", "Record one with --record FILE.")
    from tenfold.judge.money import budget_of
    from tenfold.llm.client import Client

    return Client(
        model,
        budget=budget_of(budget),
        cassette=record or replay,
        mode="replay" if record is None else "record",
        concurrency=concurrency,
        timeout=120.0,
    )


def _calibration(path: Path) -> Any:
    from tenfold.judge.calibration import read_calibration

    return read_calibration(path)


def _write(reports: Sequence[tuple[str, Any]], cases: Mapping[str, Any], out: Path | None, *, single: bool) -> None:
    from tenfold.judge.quotes import quoter
    from tenfold.judge.workspace import Workspace
    from tenfold.judge.writers import write_report

    if out is None:
        return
    used: dict[str, int] = {}
    for name, report in reports:
        if single:
            places = [out]
        else:
            number = used[report.workspace] = used.get(report.workspace, 0) + 1
            stem = report.workspace if number == 1 else f"{report.workspace}-{number}"
            places = [out / f"{stem}.json", out / f"{stem}.html"]
        for place in places:
            quote = quoter(Workspace.open(cases[name].workspace)) if place.suffix.lower() == ".html" else None
            write_report(report, place, quote=quote)
            say(f"Written: {place}")


def _emit_reports(reports: Sequence[Any], failed: Sequence[tuple[str, str]], as_json: bool, *, single: bool) -> None:
    from tenfold.judge.writers import to_dict

    def told() -> None:
        for one in reports:
            _print_report(one)

    if single and reports:
        emit(to_dict(reports[0]), as_json, told)
    elif not single:
        failures = [{"workspace": name, "error": words} for name, words in failed]
        emit({"reports": [to_dict(one) for one in reports], "failed": failures}, as_json, told)


def _end(
    reports: Sequence[tuple[str, Any]], failed: Sequence[tuple[str, str]], total: int, fail_under: float | None
) -> None:
    """The exit code: bad input before a reached budget before a share that is too small."""
    if failed and total == 1:
        raise BadInput(_clean(failed[0][1]))
    for name, words in failed:
        say(_clean(f"{name}: {words}"))
    if failed:
        raise BadInput(f"{len(failed)} of {total} workspaces failed; they are named above, the others are done.")
    stopped = next((one.settings["stopped"] for _, one in reports if one.settings.get("stopped")), "")
    if stopped:
        raise BudgetReached(_clean(stopped), "What was judged is kept; the rest is undecided.")
    low = [(name, one.met()) for name, one in reports if fail_under is not None and one.met() < fail_under]
    if low:
        raise CheckFailed(
            f"{low[0][0]}: {low[0][1]:.1%} of the requirements are met; --fail-under asks for {fail_under:.1%}."
        )


def _print_report(report: Any) -> None:
    from tenfold.judge.writers import place_of

    if report.settings.get("engine") == "embedded":
        _print(NOTICE)
    _print(f"{report.workspace}: {report.requirements.name}\n{report.table()}")
    for one in report:
        against = [fact for fact in one.evidence if not fact.supports]
        if one.verdict == "unsatisfied" and against:
            _print(f"  {one.requirement.id}: {against[0].words}{place_of(against[0])}")
        elif one.verdict == "undecided" and one.missing:
            _print(f"  {one.requirement.id}, to decide: {one.missing}")
    for flag in report.flags:
        _print(f"  addresses the judge, without effect: {flag['file']}:{flag['line']}: {str(flag['text'])[:120]!r}")
    for note in report.notes:
        _print(f"  {note}")


def _bench_made_up(
    what: str, split: str, limit: int | None, data: Path | None, jobs: int | None, as_json: bool, asked: tuple[Any, ...]
) -> None:
    from tenfold.judge import bench as benches
    from tenfold.judge.bench_engines import judge_of

    if what not in ("faults", "rewards", "traps"):
        raise BadInput(f"There is no benchmark {what!r}.", "There are: faults, rewards, traps, devai.")
    parts: dict[str, Any] = {"held-out": "held-out", "tune": "tune", "both": None}
    if split not in parts:
        raise BadInput(f"There is no split {split!r}.", f"There are: {', '.join(parts)}.")
    engine, model, options = asked
    judge = judge_of(engine, model, **options)
    if what == "faults":
        found = benches.faults(judge, parts[split], limit=limit, workers=jobs)
    elif what == "rewards":
        found = benches.rewards(judge, parts[split], workers=jobs)
    else:
        found = benches.traps(judge, data, workers=jobs)
    emit(found.to_json(), as_json, lambda: _print(found.table()))


def _bench_systems(systems: str, as_json: bool) -> None:
    from tenfold.judge.bench_devai import system_agreements, systems_markdown

    names = [name.strip() for name in systems.split(",") if name.strip()]
    if not names:
        raise BadInput("No agent is named.", "Write --systems MetaGPT,OpenHands, or paths of labels files.")
    found = system_agreements(names)
    plain = {name: one.to_dict() for name, one in found.items()}
    emit({"systems": plain}, as_json, lambda: _print(systems_markdown(found)))


def _bench_ladder(workspaces: Path | None, places: dict[str, Any], options: dict[str, Any], as_json: bool) -> None:
    from tenfold.judge.bench_devai import ladder_agreements, systems_markdown

    if workspaces is None or places["labels"] is None:
        raise BadInput("--ladder compares with people, and lacks workspaces or labels.", "Give --workspaces and --labels.")
    del options["plan"]
    found = ladder_agreements(workspaces, **places, **options)
    plain = {name: one.to_dict() for name, one in found.items()}
    emit({"rungs": plain}, as_json, lambda: _print(systems_markdown(found)))


def _bench_devai(
    workspaces: Path | None, places: Mapping[str, Any], options: Mapping[str, Any], out: Path | None, as_json: bool
) -> None:
    from tenfold.judge.bench_devai import judge_devai
    from tenfold.judge.writers import write_report

    if workspaces is None:
        hint = "Give --workspaces DIR, or --systems MetaGPT,OpenHands for the table from the labels."
        raise BadInput("bench devai was given no workspaces.", hint)
    found = judge_devai(workspaces, **places, **options)
    for task, report in found.reports.items() if out is not None else ():
        write_report(report, Path(out or "") / f"{task}.json")
    emit(found.to_json(), as_json, lambda: _print_devai(found))
    for one in found.failed:
        say(_clean(f"{one.name}: {one.error}"))
    if found.failed:
        raise BadInput(f"{len(found.failed)} of {len(found.found.cases)} workspaces failed; they are named above.")
    stopped = next((one.settings["stopped"] for one in found.reports.values() if one.settings.get("stopped")), "")
    if stopped:
        raise BudgetReached(_clean(stopped), "What was judged is kept; the rest is undecided.")


def _print_devai(found: Any) -> None:
    totals = found.totals()
    _print(
        ", ".join(f"{name.replace('_', ' ')} {_usd(value) if name == 'usd' else value}" for name, value in totals.items())
    )
    _print(found.found.sentence())
    if found.agreement is not None:
        _print(found.agreement.to_markdown())


def _side(path: Path) -> Any:
    from tenfold.judge.verdicts import read_reports

    found = read_reports(path)
    return found[0] if len(found) == 1 else {one.requirements.name: one for one in found}


def _pair(text: str) -> tuple[str, str]:
    identity, equals, verdict = text.rpartition("=")
    if not equals or not identity:
        raise BadInput(f"{text!r:.80} is no verdict.", "Write ID=satisfied or ID=unsatisfied.")
    return identity, verdict


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"${value:.2f}"


def _clean(text: object) -> str:
    """Text of a judged file for a terminal: nothing in it moves the cursor, colours or turns the line."""
    return _CONTROL.sub("�", str(text))


def _print(text: str) -> None:
    if text:
        form = sys.stdout.encoding or "utf-8"
        sys.stdout.write(_clean(text.rstrip("\n")).encode(form, "replace").decode(form) + "\n")
