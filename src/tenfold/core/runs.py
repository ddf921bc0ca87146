"""A run is a folder: what was asked, where it ran, what was measured, and the state to go on from.

| file | holds |
|---|---|
| `config.json` | the system and its settings; the same command on the same folder resumes, another one is refused |
| `manifest.json` | versions, seed, git state, hardware, command, time |
| `metrics.jsonl` | one JSON row a line |
| `checkpoint.safetensors` | the state (see `checkpoint`, `train`) |
| `result.json` | the result, once finished |
"""

import contextlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tenfold import __version__
from tenfold.core.errors import BadInput
from tenfold.core.files import (
    append_line,
    cannot_write,
    jsonable,
    make_folder,
    read_json,
    read_lines,
    read_object,
    write_atomic,
    write_json,
)

__all__ = ["Run", "hardware", "is_first_process", "lock_folder", "manifest"]

_PACKAGES = ("torch", "lightning", "numpy", "scipy", "safetensors", "gymnasium")


class Run:
    """One run's folder, locked for this process while it is open. Use as a context manager.

    In a distributed job only the first process writes; in the others every writing method does nothing.
    """

    def __init__(self, folder: Path, config: dict[str, Any], lock: IO[str] | None) -> None:
        self.folder, self.config, self._lock = folder, config, lock

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        system: str,
        config: Mapping[str, Any],
        free: tuple[str, ...] = ("device",),
    ) -> "Run":
        """Create the folder, or resume what is in it.

        Args:
            folder: where; made if absent.
            system: which system's run it is.
            config: the settings, JSON values; they decide whether this is the same run.
            free: settings that may change between a start and its resumption.

        Raises:
            BadInput: the folder holds another run or other files, or another process is using it.
        """
        folder = Path(folder)
        wanted = {"system": system, **jsonable(dict(config))}
        if not is_first_process():
            return cls(folder, wanted, None)
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder} is a file; a run needs a folder.", "Choose another place with --out.")
        known = folder / "config.json"
        ours = {".lock", "config.json", "manifest.json", "metrics.jsonl"}
        if not known.exists() and folder.exists():
            foreign = sorted(p.name for p in folder.iterdir() if p.name not in ours and not p.name.endswith(".part"))
            if foreign:
                hint = "Choose another place with --out."
                raise BadInput(f"{folder} is not the folder of a run: it holds {foreign[0]} and no config.json.", hint)
        lock = lock_folder(make_folder(folder))
        try:
            if known.exists():
                _compare(folder, read_json(known), wanted, free)
            else:
                write_json(known, wanted)
                write_json(folder / "manifest.json", manifest(seed=wanted.get("seed")))
        except BaseException:
            lock.close()
            raise
        return cls(folder, wanted, lock)

    @property
    def checkpoint_path(self) -> Path:
        """Where the state is kept."""
        return self.folder / "checkpoint.safetensors"

    @property
    def metrics_path(self) -> Path:
        """Where the measured rows are kept."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> dict[str, Any] | None:
        """The result of a finished run, else None."""
        path = self.folder / "result.json"
        return read_object(path) if path.exists() else None

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to `metrics.jsonl`."""
        if self._lock is not None:
            append_line(self.metrics_path, row)

    def metrics(self) -> list[dict[str, Any]]:
        """The rows so far."""
        return list(read_lines(self.metrics_path))

    def rewind(self, step: int) -> None:
        """Drop rows of steps after `step`: they were measured after the checkpoint that a resumed run starts from."""
        if self._lock is None or not self.metrics_path.exists():
            return
        import json

        kept = [row for row in self.metrics() if row.get("step", 0) <= step]
        write_atomic(self.metrics_path, "".join(json.dumps(row) + "\n" for row in kept))

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; from now on the run is finished."""
        if self._lock is not None:
            write_json(self.folder / "result.json", dict(result))

    def close(self) -> None:
        """Let other processes have the folder."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_first_process() -> bool:
    """Whether this is the process of a (possibly distributed) job that writes and prints."""
    return all(os.environ.get(name, "0") in ("", "0") for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def manifest(seed: int | None = None) -> dict[str, Any]:
    """What someone needs to know to make a number again: versions, seed, git state, hardware, command, time."""
    return {
        "tenfold": __version__,
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "seed": seed,
        "git": _git(),
        "hardware": hardware(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def hardware() -> str:
    """One line: processor, cores, memory, and the GPU if torch is loaded and has one."""
    import psutil

    parts = [_processor(), f"{os.cpu_count()} cores", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name(0))
    return ", ".join(parts)


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git() -> dict[str, Any] | None:
    """Commit and whether files differ from it, of the checkout that this package runs from."""
    here = Path(__file__).resolve().parent

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def lock_folder(folder: Path) -> IO[str]:
    """Keep other processes out of a folder until the returned file is closed or this process ends.

    Raises:
        BadInput: another process has it.
        TenfoldError: the folder cannot be written.
    """
    try:
        file = open(folder / ".lock", "a+", encoding="utf-8")  # noqa: SIM115 - held until close()
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system: two runs in one folder are the user's care
        return file
    except OSError as error:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        raise BadInput(f"{folder} is in use by process {holder or '?'}.", "Wait for it, or choose another --out.") from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def _compare(folder: Path, found: Any, wanted: dict[str, Any], free: tuple[str, ...]) -> None:
    if not isinstance(found, dict):
        raise BadInput(f"{folder}/config.json is not the configuration of a run.", "Choose another place with --out.")
    if found.get("system") != wanted["system"]:
        message = f"{folder} holds a run of {found.get('system')}, not of {wanted['system']}."
        raise BadInput(message, "Choose another place with --out.")
    for key in sorted({*found, *wanted} - set(free)):
        if found.get(key) != wanted.get(key):
            message = f"{folder} holds a run with {key} = {found.get(key)}; asked is {key} = {wanted.get(key)}."
            raise BadInput(message, "Repeat its settings to resume it, or choose another --out.")
