"""The stub server of the tests in a process of its own, so that its processor time is not that of the client."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def served(latency: float = 0.0, answer: str | None = None) -> Iterator[str]:
    """Address of a server on this machine, for as long as the context lasts.

    Args:
        latency: seconds until it answers.
        answer: what it says to everything; None = its own default.
    """
    said = [] if answer is None else ["--answer", answer]
    command = [sys.executable, "-m", "tests.llm.stub_server", "--latency", str(latency), *said]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
