"""The `tenfold llm` commands: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Json, emit, table
from tenfold.core.errors import BadInput, CheckFailed

app = typer.Typer(no_args_is_help=True, help="Language models that the systems use: what one can do, what a run has spent.")


@app.command()
def check(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="openai:NAME, http://host:port/v1#NAME, hf:/folder, ...")],
    needs: Annotated[
        str, typer.Option(help="Skills that it must have: schema, images, tools, streaming; commas between.")
    ] = "",
    key_file: Annotated[Path | None, typer.Option(help="File with the key, readable by you alone.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one call.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Does MODEL answer, how fast, and what can it do? Exit code 1 if it lacks one of --needs."""
    from tenfold.llm import background
    from tenfold.llm.check import check_model

    wanted = _skills(needs)
    report = background.run(check_model(model, key_file=key_file, timeout=timeout, tries=2))
    emit(report.to_dict(), as_json, lambda: _print_report(report))
    missing = report.missing(wanted)
    if missing:
        raise CheckFailed(f"{model} lacks {missing[0]}: {report.skills[missing[0]].why}.")


@app.command()
def ledger(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its ledger.sqlite.")], as_json: Json = False
) -> None:
    """What a run has spent, by role: calls, tokens, dollars."""
    from tenfold.llm.ledger import print_rows, summary

    rows = summary(run)
    emit({"ledger": rows}, as_json, lambda: print_rows(rows, str(run)))


def _skills(text: str) -> list[str]:
    from tenfold.llm.check import SKILLS

    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in SKILLS:
            raise BadInput(f"--needs {name} is no skill.", f"Skills are: {', '.join(SKILLS)}.")
    return wanted


def _print_report(report: Any) -> None:
    rate = "" if report.tokens_per_second is None else f", then {report.tokens_per_second:.0f} tokens/s"
    print(f"{report.model} answers: {' '.join(report.text.split())[:60]!r}")
    print(f"first token after {report.first_token:.2f} s{rate}; a call takes {report.latency:.2f} s (medians of three)")
    table(("skill", "", "why"), [(name, "yes" if found.works else "no", found.why) for name, found in report.skills.items()])
    if report.models:
        print(f"The server has: {', '.join(report.models[:20])}")
