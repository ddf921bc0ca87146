"""The headline experiments, run again, and the ledger of claims with our computed verdicts."""

import importlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenfold import registry
from tenfold.core.claims import LedgerEntry, ledger
from tenfold.core.console import say
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.experiment import SCALES, Experiment, Row, decide, read_rows, record, recorded_rows, run_experiment
from tenfold.core.report import Section, Table, rows_table, write_report

__all__ = ["claims_table", "reproduce"]

_VERDICTS = ("shown", "partly", "not shown", "not decidable here")


def reproduce(
    systems: Sequence[str],
    scale: str,
    out: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    engine: str = "local",
    workers: int | None = None,
    record_in: Path | None = None,
) -> dict[str, Any]:
    """Run experiments, decide their claims, write `out/index.html`. The same call on the same folder goes on.

    Args:
        systems: names of ready systems.
        scale: smoke, laptop, full-cpu, gpu or paper.
        out: folder of rows and report.
        seed: of the experiments.
        device: where tasks compute.
        engine: "local" processes or "ray".
        workers: processes; None = one per core.
        record_in: where to keep the rows as SYSTEM-SCALE.json, such as docs/results; None = nowhere.

    Returns:
        {"systems": [{"system", "claims": [{"id", "verdict", ...}], "verdict", "tables": [{"caption", "columns", "rows",
        "command"}], "rows"}], "report"}. A system that failed has "error", and the others go on.

    Raises:
        BadInput: an unknown scale, or one that none of the systems has.
    """
    if scale not in SCALES:
        raise BadInput(f"There is no scale {scale!r}.", f"There are: {', '.join(SCALES)}.")
    if systems and not any(scale in _experiment(name).scales for name in systems):
        has = "; ".join(f"{name} has {', '.join(_experiment(name).scales)}" for name in systems)
        raise BadInput(f"Scale {scale} cannot be run: {has}.")
    entries, sections, verdicts = [], [], []
    for name in systems:
        say(f"{name}, scale {scale} ...")
        experiment = _experiment(name)
        entry: dict[str, Any] = {"system": name}
        try:
            made = run_experiment(experiment, scale, out / name, seed=seed, device=device, engine=engine, workers=workers)
            if record_in is not None:
                record(made, record_in / f"{name}-{scale}.json")
        except TenfoldError as error:
            say(f"{name}: {error}")
            entry["error"] = str(error)
        rows = _rows(name, out)
        claims = decide(experiment, rows)
        verdicts += _table(name, claims)
        tables = experiment.tables(rows)
        entry |= {"claims": claims, "verdict": _summary(claims), "tables": [table.to_dict() for table in tables]}
        entries.append({**entry, "rows": [row.model_dump() for row in rows]})
        sections.append(_section(experiment, rows, tables, entry.get("error", "")))
    lead = (
        f"Scale {scale}, seed {seed}. Verdicts are computed by the rule beside them, from the largest scale that has rows, "
        "recorded ones among them; every number names its command."
    )
    report = write_report(out, "tenfold: the papers' experiments, run again", sections, lead=lead, ledger=verdicts)
    return {"systems": entries, "report": str(report)}


def claims_table(system: str | None = None, *, rows_from: Path | None = None) -> list[dict[str, Any]]:
    """The ledger with verdicts, from the rows of an earlier `reproduce` and from recorded ones.

    Args:
        system: only this one; None = all ten.
        rows_from: folder of an earlier `reproduce`; may be absent.

    Returns:
        Rows of id, system, claim, rule, scale, command, verdict, why, missing.
    """
    table: list[dict[str, Any]] = []
    for name, known in registry.SYSTEMS.items():
        if system not in (None, name):
            continue
        claims = decide(_experiment(name), _rows(name, rows_from)) if known.is_ready else []
        table += _table(name, claims)
    return table


def _experiment(name: str) -> Experiment:
    return importlib.import_module(f"{registry.SYSTEMS[name].module}.experiment").EXPERIMENT


def _rows(name: str, folder: Path | None) -> list[Row]:
    """Fresh rows first; a recorded row stands in only where no fresh one has the same name."""
    fresh = read_rows(folder / name) if folder is not None else []
    known = {(row.method, row.metric, row.condition, row.scale) for row in fresh}
    kept = [row for row in recorded_rows(name) if (row.method, row.metric, row.condition, row.scale) not in known]
    return fresh + kept


def _table(name: str, claims: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    decided = {claim["id"]: claim for claim in claims}
    rows = []
    for entry in ledger():
        if entry.system != name:
            continue
        planned = {"verdict": "not decidable here", "why": "", "missing": "The system is planned."}
        found = decided.get(entry.id, planned)
        rows.append({**_words(entry), **found, "missing": found["missing"] or entry.missing})
    return rows


def _words(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "system": entry.system,
        "claim": entry.words,
        "rule": entry.rule,
        "scale": entry.scale,
        "command": entry.command,
    }


def _summary(claims: Sequence[dict[str, Any]]) -> str:
    counts = Counter(claim["verdict"] for claim in claims)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict]) or "no claims"


def _section(experiment: Experiment, rows: Sequence[Row], found: Sequence[Table], error: str) -> Section:
    """The findings, then all rows by scale: folded if the findings say them in short."""
    tables = list(found)
    for scale in SCALES:
        of_scale = [row for row in rows if row.scale == scale]
        caption = f"Scale {scale}: all {len(of_scale)} rows" if found else f"Scale {scale}"
        tables += [rows_table(of_scale, caption, is_folded=bool(found))] if of_scale else []
    not_run = [scale for scale in experiment.scales if not any(row.scale == scale for row in rows)]
    notes = [f"Scale {scale}: not run. tenfold reproduce {experiment.system} --scale {scale}" for scale in not_run]
    if error:
        notes.insert(0, f"Failed: {error}")
    title = f"{experiment.system}: {experiment.title}"
    return Section(title, experiment.lead, tables, experiment.figures(rows) if rows else (), notes)
