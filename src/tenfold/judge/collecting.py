"""Run any agent over tasks, each in a folder and sandbox of its own, and keep what a judge needs.

A run's folder holds `workspace/` (what the agent made), `task.json` (what it was told), `trajectory.json` or `.jsonl` if it
left one, `stdout.log`, `stderr.log`, and `result.json`. The same call on the same folder goes on where it was stopped.
"""

import json
import os
import re
import shlex
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.files import make_folder, read_json, write_json
from tenfold.core.progress import meter
from tenfold.core.runs import Run
from tenfold.judge.sandbox import Ended, Limits, choose, execute
from tenfold.judge.trajectory import load
from tenfold.judge.types import Requirements

__all__ = ["Collected", "collect"]

_PLACEHOLDERS: tuple[str, ...] = ("{task}", "{query}", "{workspace}", "{trajectory}")
_TIME = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "CUDA_VISIBLE_DEVICES")
_NOTICE = (
    "Write, run and save source code in the current folder. There is a hard limit of {limit:g} minutes, running time "
    "included; what is in the folder then is judged. A GPU may not be there: keep training short."
)
_MOST_WATCHED = 20_000


@dataclass(frozen=True)
class Collected:
    """One run of an agent.

    Attributes:
        task: its name.
        workspace: folder of what it made.
        trajectory: file, or empty.
        exit_code: of the command; negative = a signal's number.
        seconds: wall time.
        timed_out: whether it was stopped at the limit.
        self_terminated: whether it ended the task by itself: as its trajectory says, or else with exit code 0 in time.
        cost: US dollars as its trajectory says, or None.
        sandbox: bwrap, unshare or none.
        network: whether it had one.
        outside: files near the run that changed while it ran, which it may have written; told, not prevented, except
            under bwrap.
        notes: sentences on what went wrong.
    """

    task: str
    workspace: str
    trajectory: str
    exit_code: int
    seconds: float
    timed_out: bool
    self_terminated: bool
    cost: float | None
    sandbox: str
    network: bool
    outside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def collect(
    agent: str | Sequence[str],
    tasks: str | os.PathLike[str] | Mapping[str, Requirements] | Iterable[Requirements],
    out: str | os.PathLike[str],
    limit: str | float = "30m",
    *,
    network: bool = False,
    memory: str | int | None = "8g",
    jobs: int = 1,
    pass_env: Sequence[str] = (),
) -> list[Collected]:
    """Run an agent over tasks.

    Args:
        agent: command, as one text (split as a shell would, but run without one) or as its parts. Whole arguments are
            replaced: {task} = file with the name and query of the task as JSON, {query} = the query itself, {workspace} =
            folder to work in (also the current one), {trajectory} = file to write the trajectory to. The requirements are
            not told.
        tasks: "devai", a file of tasks, or `Requirements`.
        out: folder; one run's folder each, by the task's name.
        limit: of one task: "30m", "90s", "1h", or seconds.
        network: whether the agent has one. Without it, its own loopback still works.
        memory: bytes of address space of each process ("8g"), or None.
        jobs: tasks at once.
        pass_env: variables of this process that the agent gets besides PATH and language, e.g. its key.

    Raises:
        BadInput: an option that cannot be used, a folder with something else in it, or no way to cut the network off.
    """
    command = _command(agent)
    limits = Limits(_amount(limit, _TIME, "limit"), None if memory is None else int(_amount(memory, _SIZE, "memory")))
    if jobs < 1:
        raise BadInput(f"jobs is {jobs}.", "It must be 1 or more.")
    wanted = _tasks(tasks)
    sandbox = choose(network)
    given = {name: os.environ[name] for name in (*_KEPT_VARIABLES, *pass_env) if name in os.environ}
    config = {"agent": command, "limit": limits.seconds, "memory": limits.memory, "network": network}
    with Run.open(out, system="judge-collect", config=config, free=()) as run:
        one = _One(command, Path(out).resolve(), limits, network, sandbox, given)
        found = _all(one, wanted, jobs)
        run.finish({"tasks": [asdict(item) for item in found]})
    return found


class _One:
    """Runs the agent on one task."""

    def __init__(
        self, command: list[str], out: Path, limits: Limits, network: bool, sandbox: str, environment: Mapping[str, str]
    ) -> None:
        self.command, self.out, self.limits = command, out, limits
        self.network, self.sandbox, self.environment = network, sandbox, environment
        self.stop = threading.Event()

    def __call__(self, task: Requirements) -> Collected:
        folder = self.out / _folder_name(task.name)
        done = folder / "result.json"
        if done.exists():
            return _read(done)
        if folder.exists():  # it was stopped half-way: what it left is not what a whole run leaves
            shutil.rmtree(folder)
        for name in ("workspace", "home", "tmp"):
            make_folder(folder / name)
        notice = _NOTICE.format(limit=self.limits.seconds / 60)
        write_json(folder / "task.json", {"name": task.name, "query": task.query, "constraints": notice})
        watch = _Watch(self.out)
        ended = self._execute(folder, f"{task.query}\n\n{notice}")
        if ended is None:
            raise TenfoldError(f"{task.name} was stopped half-way.", "Repeat the call to run it again.")
        made = self._collected(task.name, folder, ended, watch.changed() if self.sandbox != "bwrap" else ())
        for name in ("home", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
        write_json(done, asdict(made))
        return made

    def _execute(self, folder: Path, query: str) -> Ended | None:
        places = (folder / "task.json", query, folder / "workspace", folder / "trajectory.json")
        filled = dict(zip(_PLACEHOLDERS, map(str, places), strict=True))
        home = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "TRAJECTORY": filled["{trajectory}"]}
        return execute(
            [filled.get(part, part) for part in self.command],
            folder,
            workspace=folder / "workspace",
            limits=self.limits,
            network=self.network,
            environment={**self.environment, **home},
            sandbox=self.sandbox,
            stop=self.stop,
        )

    def _collected(self, name: str, folder: Path, ended: Ended, outside: tuple[str, ...]) -> Collected:
        path, notes = _trajectory(folder)
        cost, says_ended = None, None
        if path is not None:
            try:
                found = load(path)
                cost, says_ended = found.cost, found.self_terminated
            except BadInput as error:
                notes.append(f"Its trajectory cannot be used: {error.message}")
        if ended.timed_out:
            notes.append(f"It was stopped after {self.limits.seconds:g} s.")
        elif ended.exit_code:
            notes.append(f"It ended with exit code {ended.exit_code}.")
        by_itself = not ended.timed_out and (ended.exit_code == 0 if says_ended is None else says_ended)
        return Collected(
            name, str(folder / "workspace"), str(path or ""), ended.exit_code, round(ended.seconds, 3), ended.timed_out,
            by_itself, cost, self.sandbox, self.network, outside, tuple(notes),
        )  # fmt: skip


class _Watch:
    """Files near the runs: below the current folder and the one that holds `out`, two folders deep, without `out` itself."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._roots = dict.fromkeys((out.parent, Path.cwd().resolve()))
        self._before = dict(self._look())

    def changed(self) -> tuple[str, ...]:
        """Files that are new or were written since this was made."""
        return tuple(sorted(path for path, state in self._look() if self._before.get(path) != state))

    def _look(self) -> Iterator[tuple[str, tuple[int, int]]]:
        seen = 0
        for root in self._roots:
            for folder, folders, files in os.walk(root):
                here = Path(folder)
                deep = len(here.relative_to(root).parts) >= 2
                folders[:] = [] if deep else [name for name in folders if here / name != self._out and name != ".git"]
                for name in files:
                    seen += 1
                    if seen > _MOST_WATCHED:
                        return
                    try:
                        state = (here / name).lstat()
                    except OSError:
                        continue
                    yield str(here / name), (state.st_mtime_ns, state.st_size)


def _all(one: _One, tasks: Sequence[Requirements], jobs: int) -> list[Collected]:
    with meter("Collecting", len(tasks)) as live, ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, task) for task in tasks]
        try:
            found = []
            for done, future in enumerate(futures, start=1):
                found.append(future.result())
                live.update(done, found[-1].task[:30])
            return found
        except BaseException:
            one.stop.set()  # agents that run are ended, not waited for
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _trajectory(folder: Path) -> tuple[Path | None, list[str]]:
    """What the agent left: the named file, one in its workspace (moved out: it is no part of the work), or its output."""
    named = folder / "trajectory.json"
    if named.is_file() and not named.is_symlink():
        return named, []
    for name in ("trajectory.json", "trajectory.jsonl"):
        left = folder / "workspace" / name
        if left.is_file() and not left.is_symlink():
            os.replace(left, folder / name)
            return folder / name, []
    rows = [line for line in _lines(folder / "stdout.log") if _is_row(line)]
    if not rows:
        return None, ["It left no trajectory."]
    made = folder / "trajectory.jsonl"
    made.write_text("".join(line if line.endswith("\n") else line + "\n" for line in rows), encoding="utf-8")
    return made, []


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _is_row(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _command(agent: str | Sequence[str]) -> list[str]:
    try:
        parts = shlex.split(agent) if isinstance(agent, str) else [str(part) for part in agent]
    except ValueError as error:
        raise BadInput(f"The agent's command cannot be split: {error}.", "Close its quotes.") from error
    if not parts:
        raise BadInput("The agent's command is empty.", "Write e.g. 'my-agent {task} {workspace}'.")
    inside = [part for part in parts if part not in _PLACEHOLDERS and any(name in part for name in _PLACEHOLDERS)]
    if inside:
        raise BadInput(f"The placeholder in {inside[0]!r} is not an argument of its own.", "Put spaces around it.")
    if shutil.which(parts[0]) is None:
        raise BadInput(f"The agent's command {parts[0]!r} is not to be found.", "Write its whole path.")
    # The agent runs in its workspace: what is named relative to here must still be found there.
    return [
        shutil.which(parts[0]) or parts[0],
        *(str(Path(part).resolve()) if _is_file(part) else part for part in parts[1:]),
    ]


def _is_file(part: str) -> bool:
    return len(part) < 1000 and not part.startswith("-") and "\0" not in part and Path(part).is_file()


def _tasks(tasks: Any) -> list[Requirements]:
    if isinstance(tasks, str) and tasks == "devai":
        from tenfold.judge.devai import tasks as devai_tasks

        tasks = devai_tasks()
    elif isinstance(tasks, (str, os.PathLike)):
        from tenfold.judge.requirements import load_tasks

        tasks = load_tasks(tasks)
    elif isinstance(tasks, Requirements):
        tasks = [tasks]
    found = list(tasks.values() if isinstance(tasks, Mapping) else tasks)
    if not found:
        raise BadInput("There are no tasks to run the agent on.")
    names = [_folder_name(task.name) for task in found]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise BadInput(f"Two tasks have the folder {double}.", "Give each task its own name.")
    silent = [task.name for task in found if not task.query.strip()]
    if silent:
        raise BadInput(f"The task {silent[0]!r} has no query.", "An agent must be told what to do.")
    return found


def _folder_name(name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:120]
    if not plain:
        raise BadInput(f"The task's name {name!r} makes no folder's name.", "Use letters or digits.")
    return plain


def _amount(text: str | float, units: Mapping[str, float], name: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)b?", str(text).strip().lower())
    if match is None or match.group(2) not in units or float(match.group(1)) <= 0:
        known = ", ".join(f"1{unit}" for unit in units if unit)
        raise BadInput(f"{name} is {text!r}.", f"Write a number above 0, with a unit such as {known}.")
    return float(match.group(1)) * units[match.group(2)]


def _read(path: Path) -> Collected:
    found = read_json(path)
    try:
        return Collected(**{**found, "outside": tuple(found["outside"]), "notes": tuple(found["notes"])})
    except (TypeError, KeyError) as error:
        raise TenfoldError(f"{path} is not the result of a run.", "Move the folder away to run it again.") from error
