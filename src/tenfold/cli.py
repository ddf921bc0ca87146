"""The `tenfold` command: mounts each system's commands lazily and turns every error into at most two lines.

Exit codes: 0 done, 1 a check that the user asked for failed, 2 bad input, 3 a budget was reached (partial results are
kept), 130 stopped by Ctrl-C (the same command resumes), 70 a defect of ours.
"""

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tenfold import __version__, registry
from tenfold.core.console import Device, Json, Out, Seed, emit, say, table
from tenfold.core.errors import BadInput, CheckFailed, TenfoldError, too_large

__all__ = ["app", "main", "run"]

DEFECT, STOPPED = 70, 130


# Packages with commands that are no systems: name -> what they are for.
_SHARED = {"llm": "Language models that the systems use: what one can do, what a run has spent."}


class _LazyGroup(TyperGroup):
    """Lists shared packages and ready systems beside its own commands; imports theirs only when they are entered."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_SHARED, *(system.name for system in registry.ready())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        system = registry.SYSTEMS.get(cmd_name)
        summary = system.summary if system else _SHARED.get(cmd_name)
        if summary is None:
            return super().get_command(ctx, cmd_name)
        return TyperGroup(name=cmd_name, help=summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        system = registry.SYSTEMS.get(args[0])
        if system is None and args[0] not in _SHARED:
            return super().resolve_command(ctx, args)
        if system is not None and not system.is_ready:
            raise BadInput(f"{system.name} is planned and not in this version.", "`tenfold list` shows what is ready.")
        commands = importlib.import_module(f"{system.module if system else f'tenfold.{args[0]}'}.commands")
        commands.app.rich_markup_mode = None
        return args[0], typer.main.get_group(commands.app), args[1:]


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help costs 0.1 s of imports at every call
    help="Ten research systems as one tool. `tenfold list` shows them; `tenfold SYSTEM --help` tells what each can do.",
)
data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Data sets: what there is, where it lies, fetch it, verify it."
)
app.add_typer(data_app, name="data")

Systems = Annotated[list[str] | None, typer.Argument(metavar="[SYSTEM]...", help="Ready systems; all if none is named.")]


@app.command("list")
def list_systems(as_json: Json = False) -> None:
    """The ten systems, ready or planned, one line each."""
    rows = [
        {"system": s.name, "status": "ready" if s.is_ready else "planned", "summary": s.summary, "paper": s.paper}
        for s in registry.SYSTEMS.values()
    ]
    width = max(len(row["system"]) for row in rows)
    lines = (f"{row['system']:<{width}}  {row['status']:<7}  {row['summary']}" for row in rows)
    emit({"systems": rows}, as_json, "\n".join(lines))


@app.command()
def version(as_json: Json = False) -> None:
    """The version of tenfold."""
    emit({"version": __version__}, as_json, __version__)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What works on this machine, and what to install for the rest."""
    from tenfold.doctor import examine

    checks = examine()
    emit(
        {"checks": [check._asdict() for check in checks]},
        as_json,
        lambda: table(("", "what", "found", "to do"), [(c.state, c.what, c.found, c.advice) for c in checks]),
    )


@app.command()
def tour(systems: Systems = None, out: Out = None, seed: Seed = 0, as_json: Json = False) -> None:
    """Every ready system's real job on bundled input, in seconds, and one HTML report."""
    from tenfold.tour import tour as take

    result = take(_ready_names(systems), out or Path("tour"), seed=seed)
    failed = [stop for stop in result["stops"] if stop.get("error")]
    emit(result, as_json, lambda: _print_tour(result))
    if failed:
        raise CheckFailed(f"{len(failed)} of {len(result['stops'])} stops failed: {failed[0]['error']}")


@app.command()
def reproduce(
    systems: Systems = None,
    scale: Annotated[str, typer.Option(help="smoke, laptop, full-cpu, gpu or paper.")] = "laptop",
    out: Out = None,
    seed: Seed = 0,
    device: Device = "auto",
    engine: Annotated[str, typer.Option(help="local processes or ray.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    keep: Annotated[Path | None, typer.Option("--record", help="Folder to record this scale's rows in.")] = None,
    as_json: Json = False,
) -> None:
    """Run the headline experiments again, decide the papers' claims, write a report. The same command resumes."""
    from tenfold.core.console import torch_device
    from tenfold.reproduce import reproduce as again

    if engine not in ("local", "ray"):
        raise BadInput(f"--engine {engine} is unknown.", "Use local or ray.")
    result = again(
        _ready_names(systems),
        scale,
        out or Path("report"),
        seed=seed,
        device=torch_device(device),
        engine=engine,
        workers=workers,
        record_in=keep,
    )
    failed = [entry for entry in result["systems"] if entry.get("error")]
    emit(result, as_json, lambda: _print_reproduction(result))
    if failed:
        raise CheckFailed(f"{failed[0]['system']} failed: {failed[0]['error']}")


@app.command()
def claims(
    system: Annotated[str | None, typer.Argument(metavar="[SYSTEM]", help="One system; all if none is named.")] = None,
    rows: Annotated[Path, typer.Option(help="Folder of an earlier `tenfold reproduce`.")] = Path("report"),
    as_json: Json = False,
) -> None:
    """What each paper claims, the rule that decides it, and our computed verdict."""
    from tenfold.reproduce import claims_table

    if system is not None and system not in registry.SYSTEMS:
        raise _unknown(system)
    ledger = claims_table(system, rows_from=rows)
    columns = ("id", "verdict", "claim", "why")
    emit({"claims": ledger}, as_json, lambda: table(columns, [[entry.get(c, "") for c in columns] for entry in ledger]))


@app.command()
def studio(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option(help="Address to bind; anything but loopback needs --auth.")] = "127.0.0.1",
    auth: Annotated[Path | None, typer.Option(help="File of user:password lines, readable by you alone.")] = None,
) -> None:
    """The web pages of every ready system, on this machine."""
    from tenfold.core.extras import require

    require("gradio", "studio")
    importlib.import_module("tenfold.studio").serve(host=host, port=port, auth_file=auth)


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """Every data set that a ready system uses, its licence, and whether it is here."""
    from tenfold.core import data

    rows = data.overview()
    columns = ("name", "state", "licence", "source")
    emit({"data": rows}, as_json, lambda: table(columns, [[row[c] for c in columns] for row in rows]))


@data_app.command("where")
def data_where(
    name: Annotated[str | None, typer.Argument(help="A data set or a file of one, e.g. udrl/icu_sepsis.")] = None,
    as_json: Json = False,
) -> None:
    """The folders that are searched, or where a file lies."""
    from tenfold.core import data

    places = [str(place) for place in data.where(name)]
    emit({"where": places}, as_json, "\n".join(places))


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="A data set.")], as_json: Json = False) -> None:
    """Download a data set and check it."""
    from tenfold.core import data

    paths = [str(path) for path in data.fetch(name)]
    emit({"files": paths}, as_json, "\n".join(paths))


@data_app.command("verify")
def data_verify(
    name: Annotated[str | None, typer.Argument(help="A data set; all if none is named.")] = None, as_json: Json = False
) -> None:
    """Compare the SHA-256 of every file that is here; exit code 1 if one differs or a named set is missing."""
    from tenfold.core import data

    rows = data.verify(name)
    bad = [row for row in rows if row["state"] == "differs" or (name and row["state"] == "missing")]
    columns = ("file", "state", "path")
    emit({"files": rows}, as_json, lambda: table(columns, [[row[c] for c in columns] for row in rows]))
    if bad:
        raise CheckFailed(f"{len(bad)} of {len(rows)} files are not as published: {bad[0]['file']} {bad[0]['state']}.")


def _ready_names(names: list[str] | None) -> list[str]:
    ready = [system.name for system in registry.ready()]
    for name in names or []:
        if name not in registry.SYSTEMS:
            raise _unknown(name)
        if name not in ready:
            raise BadInput(f"{name} is planned and not in this version.", f"Ready: {', '.join(ready)}.")
    return list(dict.fromkeys(names or ready))


def _unknown(name: str) -> BadInput:
    return BadInput(f"There is no system {name!r}.", f"The ten are: {', '.join(registry.SYSTEMS)}.")


def _print_tour(result: dict[str, Any]) -> None:
    for stop in result["stops"]:
        print(f"{stop['system']}: {stop['title']} ({stop['seconds']:.1f} s)")
        for name, value in stop["numbers"].items():
            print(f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}")
    print(f"Report: {result['report']}")


def _print_reproduction(result: dict[str, Any]) -> None:
    for entry in result["systems"]:
        print(f"{entry['system']}: {entry['verdict']}")
        for claim in entry["claims"]:
            print(f"  {claim['id']:<14} {claim['verdict']:<20} {claim.get('why', '')}")
        for found in entry["tables"]:
            print()
            table(found["columns"], found["rows"], title=found["caption"])
    print(f"Report: {result['report']}")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; nothing but a result goes to stdout.

    Args:
        arguments: the words after `tenfold`; None takes them from the shell.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if words in (["list"], ["list", "--json"]):  # Typer would load pydantic to read the option: 0.2 s for a list
            list_systems(as_json=len(words) == 2)
            return 0
        code = typer.main.get_command(app).main(args=words, prog_name="tenfold", standalone_mode=False)
        if code == STOPPED:  # Typer has caught a Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except TenfoldError as error:
        say(f"Error: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at exit
        return 0
    except (KeyboardInterrupt, typer.Abort):
        say("Stopped. What was done is kept; the same command goes on from there.")
        return STOPPED
    except Exception as error:
        if _is_usage_error(error):
            return _say_usage_error(error)
        if isinstance(error, MemoryError):
            say(f"Error: {too_large(error)}")
            return too_large(error).exit_code
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            say("Error: There is no space left to write the output.")
            return TenfoldError.exit_code
        if os.environ.get("TENFOLD_DEBUG"):
            raise
        say(f"Error: a defect in tenfold ({type(error).__name__}: {' '.join(str(error).split())[:200]}).")
        say("Please report it with the command; TENFOLD_DEBUG=1 shows where it happened.")
        return DEFECT


def _is_usage_error(error: Exception) -> bool:
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _say_usage_error(error: Any) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tenfold"
    if type(error).__name__ == "NoArgsIsHelpError":  # the help text is its message
        say(error.format_message())
        return int(error.exit_code)
    say(f"Error: {' '.join(error.format_message().split())}\nHelp: {command} --help")
    return int(error.exit_code)


def main() -> None:
    """The console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal's encoding lacks is no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run())


if __name__ == "__main__":
    main()
