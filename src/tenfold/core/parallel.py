"""One map over processes here or Ray tasks on a cluster: results in order, failures named, a killed worker forgiven."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeVar

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.core.progress import meter

__all__ = ["Failure", "cluster", "parallel_map"]

Item = TypeVar("Item")


class Failure(NamedTuple):
    """Stands in the place of a result that could not be made."""

    name: str
    error: str


def parallel_map(
    function: Callable[[Item], Any],
    items: Sequence[Item],
    *,
    engine: str = "local",
    workers: int | None = None,
    names: Sequence[str] | None = None,
    retries: int = 2,
    on_error: Literal["raise", "collect"] = "raise",
    title: str = "Working",
    on_result: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """Apply a function to every item, in parallel.

    Args:
        function: must be picklable for processes; runs with one item.
        items: the work.
        engine: "local" (joblib's processes; one worker runs here, in this process) or "ray" (extra `cluster`).
        workers: processes; None = one per core. On Ray the cluster decides.
        names: what to call the items in errors; None = their numbers.
        retries: how often work is given out again after its worker died (not after an exception: that would repeat).
        on_error: "raise" at the end, naming what failed, or "collect" a `Failure` in its place.
        title: for the live line.
        on_result: called here with (index, result) as each is finished, in any order.

    Returns:
        Results in the order of the items.

    Raises:
        TenfoldError: items failed, or workers died more often than `retries`.
        BadInput: unknown engine.
    """
    if engine not in ("local", "ray"):
        raise BadInput(f"engine {engine!r} is unknown.", "Use local or ray.")
    labels = [str(name) for name in names] if names is not None else [str(index) for index in range(len(items))]
    count = min(workers or os.cpu_count() or 1, max(1, len(items)))
    job = _Guarded(function)
    if engine == "ray":
        stream = _ray(job, items, retries)
    elif count == 1:
        stream = ((index, job(item)) for index, item in enumerate(items))
    else:
        stream = _processes(job, items, count, retries)
    results: list[Any] = [None] * len(items)
    with meter(title, len(items)) as live:
        for done, (index, result) in enumerate(stream, start=1):
            results[index] = Failure(labels[index], result.error) if isinstance(result, _Raised) else result
            if on_result is not None and not isinstance(result, _Raised):
                on_result(index, result)
            live.update(done)
    failures = [result for result in results if isinstance(result, Failure)]
    if failures and on_error == "raise":
        named = ", ".join(failure.name for failure in failures[:5]) + (", ..." if len(failures) > 5 else "")
        raise TenfoldError(f"{len(failures)} of {len(items)} failed: {named}.", f"The first said: {failures[0].error}")
    return results


class _Raised(NamedTuple):
    error: str


class _Guarded:
    """The function with its exceptions caught: one bad item must not end the map."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, item: Any) -> Any:
        try:
            return self.function(item)
        except Exception as error:
            return _Raised(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _numbered(job: _Guarded, index: int, item: Any) -> tuple[int, Any]:
    return index, job(item)


def _processes(job: _Guarded, items: Sequence[Any], workers: int, retries: int) -> Iterator[tuple[int, Any]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    left = dict(enumerate(items))
    for attempt in range(retries + 1):
        try:
            pool: Any = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1)  # pyright: ignore[reportArgumentType]
            for index, result in pool(delayed(_numbered)(job, index, item) for index, item in list(left.items())):
                del left[index]
                yield index, result
            return
        except BrokenProcessPool as error:
            if attempt == retries:
                first = next(iter(left))
                raise TenfoldError(
                    f"A worker process died {retries + 1} times; {len(left)} items are unfinished, the first is {first}.",
                    "Out of memory? Use fewer --workers.",
                ) from error


@contextmanager
def cluster(engine: str) -> Iterator[None]:
    """Keep Ray running while the block does, so that several maps in it start it once; without Ray nothing happens.

    Raises:
        ExtraMissing: Ray is asked for and not installed.
    """
    if engine != "ray":
        yield
        return
    ray = require("ray", "cluster")
    ours = not ray.is_initialized()
    if ours and os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    elif ours:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, _node_ip_address="127.0.0.1")
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


def _ray(job: _Guarded, items: Sequence[Any], retries: int) -> Iterator[tuple[int, Any]]:
    ray = require("ray", "cluster")
    with cluster("ray"):
        task = ray.remote(max_retries=retries)(_numbered)
        shared = ray.put(job)
        waiting = {task.remote(shared, index, item): index for index, item in enumerate(items)}
        while waiting:
            finished, _ = ray.wait(list(waiting), num_returns=1)
            index = waiting.pop(finished[0])
            try:
                yield ray.get(finished[0])
            except ray.exceptions.RayError as error:
                yield index, _Raised(f"{type(error).__name__}: the worker died {retries + 1} times")
