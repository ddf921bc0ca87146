from functools import partial
from pathlib import Path

from tenfold.core.experiment import Claim, Decision, Experiment, Row, Task
from tenfold.core.report import Table


def _measure(name: str) -> list[Row]:
    marker = Path(f"{name}.made")
    marker.write_text(marker.read_text() + "x" if marker.exists() else "x")
    if name == "fragile" and not Path("mended").exists():
        raise ValueError("fragile broke")
    return [Row(method=name, metric="double of 2", value=4.0, low=4.0, high=4.0, seeds=1)]


def _decide(rows):
    good = [row for row in rows if row.value == 4]
    return Decision("shown" if good else "not decidable here", f"{len(good)} rows")


EXPERIMENT = Experiment(
    "sample",
    "doubling",
    "Two is doubled.",
    lambda scale, seed, device: [
        Task(n, partial(_measure, n)) for n in (["steady"] if scale == "smoke" else ["steady", "fragile"])
    ],
    (Claim("sample-1", _decide),),
    lambda rows: [],
    tables=lambda rows: [Table(("method", "double"), [(row.method, f"{row.value:g}") for row in rows], "Doubles")],
)
