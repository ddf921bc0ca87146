"""Every ready system's example in turn, and one report with pictures."""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenfold import registry
from tenfold.core.console import say
from tenfold.core.errors import TenfoldError
from tenfold.core.report import Section, Stop, Table, write_report

__all__ = ["tour"]


def tour(systems: Sequence[str], out: Path, *, seed: int = 0) -> dict[str, Any]:
    """Run the examples and write `out/index.html`.

    Args:
        systems: names of ready systems.
        out: folder of the report; made if absent.
        seed: of every random number.

    Returns:
        {"stops": [{"system", "title", "seconds", "numbers"}], "report"}; a stop that failed has "error", the others go on.
    """
    stops, sections = [], []
    for name in systems:
        say(f"{name} ...")
        started = time.perf_counter()
        entry: dict[str, Any] = {"system": name, "title": registry.SYSTEMS[name].title, "numbers": {}}
        try:
            stop: Stop = importlib.import_module(f"{registry.SYSTEMS[name].module}.example").run(out / name, seed)
        except TenfoldError as error:
            say(f"{name}: {error}")
            stops.append({**entry, "seconds": time.perf_counter() - started, "error": str(error)})
            sections.append(Section(f"{name}: failed", str(error)))
            continue
        seconds = time.perf_counter() - started
        stops.append({**entry, "title": stop.title, "seconds": seconds, "numbers": dict(stop.numbers)})
        sections.append(_section(name, stop, seconds))
    lead = "The real job of every ready system, done on bundled input without network or key."
    report = write_report(out, "tenfold: the tour", sections, lead=lead)
    return {"stops": stops, "report": str(report)}


def _section(name: str, stop: Stop, seconds: float) -> Section:
    command = f"tenfold tour {name}"
    numbers = Table(("", ""), [(key, value) for key, value in stop.numbers.items()], "", command)
    tables = [Table(t.columns, t.rows, t.caption, t.command or command) for t in stop.tables]
    lead = f"{stop.lead} It took {seconds:.1f} s."
    return Section(f"{name}: {stop.title}", lead, [numbers, *tables], stop.figures, stop.notes)
