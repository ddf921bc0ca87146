"""One command with limits: its own process group and environment, no shell, no network unless asked, killed at the end.

| sandbox | keeps in | is used |
|---|---|---|
| bwrap | network, writes outside of the run's folder, processes | where bubblewrap works |
| unshare | network, processes | where user namespaces work; the root folder is the machine's |
| none | nothing but the limits | only where the network was asked for and neither works |
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tenfold.core.errors import BadInput

__all__ = ["Ended", "Limits", "choose", "execute"]

_GRACE, _LOOK = 2.0, 0.25
_MARK = "TENFOLD_RUN"
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Limits:
    """What a command may use.

    Attributes:
        seconds: wall time.
        memory: bytes of address space of each process, or None.
        file: bytes of the largest file that it may write.
    """

    seconds: float
    memory: int | None = 8_000_000_000
    file: int = 2_000_000_000


class Ended(NamedTuple):
    """How a command ended: exit code (negative = a signal's number), seconds of wall time, whether time was up."""

    exit_code: int
    seconds: float
    timed_out: bool


def choose(network: bool) -> str:
    """The strongest sandbox that works here: bwrap, unshare or none.

    Raises:
        BadInput: the network cannot be cut off here, and it was not asked for.
    """
    for name in ("bwrap", "unshare"):
        if _works(name):
            return name
    if network:
        return "none"
    hint = "Install bubblewrap, or allow the network with --network."
    raise BadInput("The network cannot be cut off here: neither bwrap nor unshare works.", hint)


def execute(
    command: Sequence[str],
    folder: Path,
    *,
    workspace: Path,
    limits: Limits,
    network: bool,
    environment: Mapping[str, str],
    sandbox: str,
    stop: threading.Event,
) -> Ended | None:
    """Run a command to its end or to its limit; then nothing of it runs any more.

    Args:
        command: program and arguments; no shell reads them.
        folder: of the run; stdout.log and stderr.log are written there, and it is all that bwrap lets the command write to.
        workspace: the command's working folder, inside of `folder`.
        limits: see `Limits`.
        network: whether the network stays on.
        environment: all variables that it gets.
        sandbox: as `choose` says.
        stop: ends the command early when it is set.

    Returns:
        How it ended, or None if it was stopped early.
    """
    token = uuid.uuid4().hex
    allowed = {"memory": limits.memory, "file": limits.file, "cpu": int(limits.seconds * (os.cpu_count() or 1)) + 1}
    launched = [sys.executable, "-I", str(_LAUNCH), json.dumps(allowed), *command]
    whole = [*_prefix(sandbox, network, folder), *launched]
    started = time.monotonic()
    with (folder / "stdout.log").open("wb") as out, (folder / "stderr.log").open("wb") as err:
        process = subprocess.Popen(
            whole,
            cwd=workspace,
            env={**environment, _MARK: token},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            is_over = _wait(process, started + limits.seconds, stop)
        finally:
            seconds = time.monotonic() - started
            _end(process, token)
    return None if stop.is_set() and not is_over else Ended(process.returncode, seconds, not is_over)


def _wait(process: "subprocess.Popen[bytes]", until: float, stop: threading.Event) -> bool:
    """Whether the process ended by itself, before the time was up and nobody stopped it."""
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, _LOOK))
            return True
    return False


def _prefix(sandbox: str, network: bool, folder: Path) -> list[str]:
    if sandbox == "bwrap":
        cut = [] if network else ["--unshare-net"]
        kept = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        mine = ["--bind", str(folder), str(folder)]
        return [
            "bwrap",
            "--die-with-parent",
            "--unshare-pid",
            *cut,
            *kept,
            *mine,
            "--chdir",
            str(folder / "workspace"),
            "--",
        ]
    if sandbox == "unshare":
        cut = [] if network else ["--net"]
        return ["unshare", "--user", "--map-root-user", *cut, "--pid", "--fork", "--kill-child", "--"]
    return []


@lru_cache(maxsize=2)
def _works(name: str) -> bool:
    if shutil.which(name) is None:
        return False
    prefix = _prefix(name, False, Path("/tmp"))
    if name == "bwrap":
        prefix = [*prefix[: prefix.index("--chdir")], "--"]
    try:
        return subprocess.run([*prefix, "true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _end(process: "subprocess.Popen[bytes]", token: str) -> None:
    """End the group, politely first, and then whatever left it: such processes still bear the run's mark."""
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(20):  # one that forks all the time is met again
        if not _kill_marked(token):
            return
        time.sleep(0.05)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill_marked(token: str) -> int:
    """Kill the processes whose environment holds the token."""
    import psutil  # pyright: ignore[reportMissingModuleSource]

    killed = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_MARK) == token:
                process.kill()
                killed += process.status() != psutil.STATUS_ZOMBIE
    return killed
