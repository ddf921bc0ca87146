"""Progress with rate and time left, on stderr only, and silent where nobody watches."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

__all__ = ["Meter", "meter", "stderr_console", "track"]


def stderr_console() -> Console:
    """A console on the current stderr."""
    return Console(stderr=True, file=sys.stderr)


class Meter:
    """One live line: title, bar, count, time left, and a short note such as "loss 0.31, 812 steps/s"."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        """Set how much is done, in the unit of `total`, and how much there is where that has become known."""
        self._progress.update(self._task, completed=done, note=note, total=total)


@contextmanager
def meter(title: str, total: float | None) -> Iterator[Meter]:
    """Show a `Meter` while the block runs; where stderr is no terminal, nothing is drawn."""
    console = stderr_console()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Meter(progress, progress.add_task(title, total=total, note=""))


def track(items: Iterable[T], title: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, showing how many are done and how long the rest will take."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with meter(title, total) as live:
        for done, item in enumerate(items, start=1):
            yield item
            live.update(done)
