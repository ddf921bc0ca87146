"""Experiments: rows with intervals, made once and kept, and claims decided from them by rule."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from tenfold.core.errors import BadInput
from tenfold.core.files import append_line, make_folder, read_json, read_lines, write_json
from tenfold.core.parallel import parallel_map
from tenfold.core.runs import hardware, lock_folder, manifest

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tenfold.core.report import Table

__all__ = [
    "SCALES",
    "Claim",
    "Decision",
    "Experiment",
    "Row",
    "Task",
    "bootstrap_interval",
    "decide",
    "read_rows",
    "record",
    "recorded_rows",
    "run_experiment",
]

Verdict = Literal["shown", "partly", "not shown", "not decidable here"]
# smoke: tests, seconds; laptop: two cores, minutes; full-cpu: two cores, hours; gpu: one GPU; paper: the paper's own size.
SCALES = ("smoke", "laptop", "full-cpu", "gpu", "paper")


class Row(BaseModel):
    """One result: a method, what was measured, over which seeds, how long it took, where.

    Attributes:
        method: e.g. "eUDRL".
        metric: e.g. "J/J*".
        value: mean over seeds.
        low: lower end of the 95 % interval; equals `value` where the result is exact.
        high: its upper end.
        seeds: number of seeds; 0 = computed without random numbers.
        seconds: wall time.
        condition: the setting, e.g. "success rate 0.9".
        x: the setting as a number, for curves.
        hardware: where it ran.
        scale: of the experiment.
        command: that makes it again.
        recorded: it was made earlier, elsewhere, and kept.
        commit: of the code that made a recorded row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    seconds: float = 0.0
    condition: str = ""
    x: float | None = None
    hardware: str = ""
    scale: str = ""
    command: str = ""
    recorded: bool = False
    commit: str = ""


class Interval(NamedTuple):
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


class Decision(NamedTuple):
    """A verdict and the numbers behind it, in one sentence."""

    verdict: Verdict
    why: str


class Task(NamedTuple):
    """A part of an experiment that is kept once it is done. `key` names it; `run` must be picklable and returns rows."""

    key: str
    run: Callable[[], list[Row]]


@dataclass(frozen=True)
class Claim:
    """One id of the ledger: the rule that decides it from the rows, and what we lack where it cannot be decided."""

    id: str
    decide: Callable[[Sequence[Row]], Decision]
    missing: str = ""


def _no_tables(rows: Sequence[Row]) -> "list[Table]":
    return []


@dataclass(frozen=True)
class Experiment:
    """The headline experiment of a system.

    Attributes:
        system: its name.
        title: of its section in the report.
        lead: one paragraph: what is compared, on what.
        tasks: (scale, seed, device) -> the tasks of that scale.
        claims: one for each id of the system in the ledger.
        figures: rows -> Plotly pictures.
        scales: the scales that it has.
        tables: rows -> tables of its findings; where there are any, a report folds the rows themselves.
    """

    system: str
    title: str
    lead: str
    tasks: Callable[[str, int, str], Iterable[Task]]
    claims: tuple[Claim, ...]
    figures: Callable[[Sequence[Row]], "list[go.Figure]"]
    scales: tuple[str, ...] = ("smoke", "laptop")
    tables: Callable[[Sequence[Row]], "list[Table]"] = _no_tables


def bootstrap_interval(values: Sequence[float], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Interval:
    """Mean and percentile bootstrap interval over seeds; one value is its own interval.

    Args:
        values: one for each seed.
        level: coverage, in (0, 1).
        resamples: number of resamples.
        seed: of the resampling.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.size == 0:
        raise BadInput("An interval needs at least one value.")
    picks = np.random.default_rng(seed).integers(0, found.size, (resamples, found.size))
    low, high = np.quantile(found[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(found.mean()), float(low), float(high))


def run_experiment(
    experiment: Experiment,
    scale: str,
    folder: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    engine: str = "local",
    workers: int | None = None,
) -> list[Row]:
    """Make the rows that are not there yet, keep each as it is finished, and return all of this scale and seed.

    Args:
        experiment: what to run.
        scale: one of the experiment's scales.
        folder: where `rows.jsonl` is kept; the same call on the same folder goes on.
        seed: of the experiment.
        device: where tasks compute.
        engine: "local" or "ray".
        workers: processes.

    Raises:
        BadInput: the experiment has no such scale, or another process is using the folder.
        TenfoldError: tasks failed; the rows of the others are kept.
    """
    if scale not in experiment.scales:
        raise BadInput(f"{experiment.system} has no scale {scale!r}.", f"It has: {', '.join(experiment.scales)}.")
    path = make_folder(folder) / "rows.jsonl"
    with contextlib.closing(lock_folder(folder)):
        return _complete(experiment, scale, path, seed, device, engine, workers)


def _complete(
    experiment: Experiment, scale: str, path: Path, seed: int, device: str, engine: str, workers: int | None
) -> list[Row]:
    """Make what is missing in the file, and return what belongs to this scale and seed, in the order of the tasks."""
    stamp = {"scale": scale, "seed": seed}
    done = {entry["key"] for entry in _entries(path) if _matches(entry, stamp)}
    tasks = list(experiment.tasks(scale, seed, device))
    left = [task for task in tasks if task.key not in done]
    command = f"tenfold reproduce {experiment.system} --scale {scale} --seed {seed}"

    def keep(index: int, rows: list[Row]) -> None:
        full = [row.model_copy(update={"scale": scale, "command": command, "hardware": hardware()}) for row in rows]
        append_line(path, {"key": left[index].key, **stamp, "rows": [row.model_dump() for row in full]})

    names = [task.key for task in left]
    parallel_map(
        _run_task, left, engine=engine, workers=workers, names=names, title=f"{experiment.system} {scale}", on_result=keep
    )
    order = {task.key: place for place, task in enumerate(tasks)}
    entries = [e for e in _entries(path) if _matches(e, stamp) and e["key"] in order]
    entries.sort(key=lambda entry: order[entry["key"]])
    return [row for entry in entries for row in entry["rows"]]


def read_rows(folder: Path) -> list[Row]:
    """All rows that an earlier `run_experiment` kept in a folder, of any scale and seed."""
    return [row for entry in _entries(folder / "rows.jsonl") for row in entry["rows"]]


def record(rows: Sequence[Row], path: Path) -> None:
    """Keep rows as a file of `docs/results/`: with command, commit and hardware; reports will mark them as recorded."""
    stamp = manifest()
    commit = (stamp["git"] or {}).get("commit", "")
    kept = [row.model_copy(update={"commit": commit}).model_dump() for row in rows]
    write_json(path, {"made": stamp["started"], "commit": commit, "hardware": stamp["hardware"], "rows": kept})


def recorded_rows(system: str) -> list[Row]:
    """The recorded rows of a system: `docs/results/SYSTEM-*.json` in a checkout, `tenfold/results` in an installation."""
    package = Path(__file__).resolve().parents[1]
    rows: list[Row] = []
    for folder in (package / "results", package.parents[1] / "docs" / "results"):
        for path in sorted(folder.glob(f"{system}-*.json")):
            try:
                rows += [Row(**{**row, "recorded": True}) for row in read_json(path)["rows"]]
            except (KeyError, TypeError, ValidationError) as error:
                raise BadInput(f"{path} does not hold recorded rows.") from error
    return rows


def decide(experiment: Experiment, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The verdict on every claim of an experiment, by its rule."""
    found = []
    for claim in experiment.claims:
        decision = claim.decide(rows)
        found.append({"id": claim.id, "verdict": decision.verdict, "why": decision.why, "missing": claim.missing})
    return found


def _run_task(task: Task) -> list[Row]:
    started = time.perf_counter()
    rows = task.run()
    seconds = time.perf_counter() - started
    return [row if row.seconds else row.model_copy(update={"seconds": seconds}) for row in rows]


def _entries(path: Path) -> list[dict[str, Any]]:
    """The finished tasks that a file keeps, their rows read."""
    found = [e for e in read_lines(path) if isinstance(e.get("key"), str) and isinstance(e.get("rows"), list)]
    try:
        return [{**entry, "rows": [Row(**row) for row in entry["rows"]]} for entry in found]
    except (TypeError, ValidationError) as error:
        raise BadInput(
            f"{path} holds rows that this version cannot read.", "Move it away, or choose another --out."
        ) from error


def _matches(entry: Mapping[str, Any], stamp: Mapping[str, Any]) -> bool:
    return all(entry.get(name) == value for name, value in stamp.items())
