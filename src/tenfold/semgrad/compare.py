"""Ways of optimising, side by side: levels of the neighbourhood, random search, `auto`, and other packages.

All get the same questions, start, model and number of evaluations of the training set, seed by seed; what is measured is
the accuracy on held-out questions. Differences are paired: the same seeds stand on both sides.
"""

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Row, bootstrap_interval
from tenfold.core.parallel import parallel_map
from tenfold.semgrad.datasets import own_questions

__all__ = ["MODES", "Terms", "compare", "one_seed", "rows_of"]

MODES = ("full", "self", "bare", "none", "random", "auto")
START = "start"


class Terms(NamedTuple):
    """What all methods of a comparison share.

    Attributes:
        task: name of an offline task.
        start: "leaf" (the leaves begin with random applicable instructions) or "all" (the output node too).
        modes: of `MODES`.
        evaluations: of the training set, the start's among them.
        data: the task's questions as JSON lines or CSV, or a folder with bbh.jsonl.gz; None = generated questions.
        against: of `peers.PEERS`.
        model: model string, for all roles.
        errors: wrong answers a step.
        gate: of the modes full, self, bare and none.
        update: of the same modes.
    """

    task: str
    start: str = "leaf"
    modes: tuple[str, ...] = MODES
    evaluations: int = 13
    data: Path | None = None
    against: tuple[str, ...] = ()
    model: str = "engine:rules"
    errors: int = 2
    gate: str = "strict"
    update: str = "full"


def compare(
    task: str,
    start: str = "leaf",
    modes: Sequence[str] = MODES,
    seeds: int | Sequence[int] = 10,
    evaluations: int = 13,
    data: Path | None = None,
    against: Sequence[str] = (),
    *,
    workers: int | None = None,
    model: str = "engine:rules",
    errors: int = 2,
    gate: str = "strict",
    update: str = "full",
) -> list[Row]:
    """Compare ways of optimising on a task.

    Args:
        task: name of an offline task (see `tasks.TASKS`).
        start: "leaf" or "all": which nodes begin with random instructions.
        modes: of `MODES`.
        seeds: how many, or which; each has its own split, start and choices.
        evaluations: of the training set, for every mode; other packages get as many calls as mode full.
        data: the task's questions as JSON lines or CSV, or a folder with bbh.jsonl.gz; None = generated questions.
        against: other packages, of `peers.PEERS`; "none" is the start, which is always shown.
        workers: processes; None = one for each core.
        model: model string, for all roles.
        errors: wrong answers a step.
        gate: of the modes full, self, bare and none.
        update: of the same modes.

    Returns:
        Rows of test accuracy with 95 % bootstrap intervals over seeds: the start, each mode, each package, and
        differences to mode full, else to the first ("full - bare").

    Raises:
        BadInput: an argument is unknown, or there are too few questions.
        ExtraMissing: a package of `against` is not installed.
    """
    from tenfold.semgrad.peers import check_peers

    others = tuple(name for name in against if name != "none")
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    terms = Terms(task, start, tuple(modes), evaluations, data, others, model, errors, gate, update)
    _check(terms, numbers)
    check_peers(others)
    started = time.perf_counter()
    names = [f"seed {number}" for number in numbers]
    found = parallel_map(partial(one_seed, terms), numbers, workers=workers, names=names, title=f"Comparing on {task}")
    condition = f"{task}, {start} start"
    if others and model.startswith("engine:"):
        condition += "; the rules engine does not understand the prompts of other packages"
    return rows_of(found, condition, time.perf_counter() - started)


def one_seed(terms: Terms, seed: int) -> dict[str, float]:
    """Test accuracy of the start and of every method, on one seed's split and start; picklable work for a process."""
    from tenfold.semgrad import tasks
    from tenfold.semgrad.peers import run_peer
    from tenfold.semgrad.runners import PlannedRun
    from tenfold.semgrad.runtime import run

    task = tasks.TASKS[terms.task]
    train, test = _questions(terms, seed)
    graph = tasks.graph(task, tasks.start(task, terms.start, seed))

    def tested(made: Any) -> float:
        return run(made, test, terms.model, metric="exact").score

    scores = {START: tested(graph)}
    for mode in terms.modes:
        if mode == "random":
            scores[mode] = tested(_random_search(terms, graph, train, seed))
        else:
            scores[mode] = _optimised(terms, mode, graph, train, test, seed)
    settings = {"steps": terms.evaluations - 1, "errors": terms.errors, "neighbourhood": "full"}
    calls = sum(PlannedRun("", graph, train, (), settings).calls.values())
    for name in terms.against:
        found = run_peer(name, graph, train, terms.model, calls=calls, errors=terms.errors, seed=seed)
        scores[name] = tested(found.graph)
    return scores


def rows_of(found: Sequence[Mapping[str, float]], condition: str, seconds: float = 0.0) -> list[Row]:
    """Rows with intervals from scores by method, one mapping for each seed.

    Differences are paired by seed: of mode full (where it is missing, of the first method) to every other one.
    """
    methods = list(found[0])
    rows = [_row(method, [scores[method] for scores in found], condition, seconds) for method in methods]
    compared = [method for method in methods if method != START]
    base = "full" if "full" in methods else next(iter(compared), START)
    others = [method for method in (*compared, *methods) if method != base]
    for other in dict.fromkeys(others):  # the start last
        gains = [scores[base] - scores[other] for scores in found]
        rows.append(_row(f"{base} - {other}", gains, condition, seconds))
    return rows


def _check(terms: Terms, seeds: Sequence[int]) -> None:
    from tenfold.semgrad.tasks import STARTS, TASKS

    if terms.task not in TASKS:
        raise BadInput(f"There is no task {terms.task!r}.", f"There are: {', '.join(TASKS)}.")
    for value, known, what in [(terms.start, STARTS, "start"), *((mode, MODES, "mode") for mode in terms.modes)]:
        if value not in known:
            raise BadInput(f"The {what} {value!r} is unknown.", f"There are: {', '.join(known)}.")
    if not terms.modes or not seeds or terms.evaluations < 2:
        raise BadInput("A comparison needs a mode, a seed, and two evaluations: of the start and of one change.")
    _questions(terms, seeds[0])  # what is wrong with the file is said once, not by every process


def _questions(terms: Terms, seed: int) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
    from tenfold.semgrad import tasks

    if terms.data is not None and terms.data.suffix != ".gz" and not terms.data.is_dir():
        split = own_questions(terms.data, train=tasks.TRAIN, seed=seed)
        return split.train, split.test
    return tasks.load(tasks.TASKS[terms.task], terms.data, seed)


def _optimised(terms: Terms, mode: str, graph: Any, train: Any, test: Any, seed: int) -> float:
    from tenfold.semgrad.optimiser import optimise

    settings: dict[str, Any] = {"neighbourhood": mode, "update": terms.update, "gate": terms.gate}
    if mode == "auto":
        settings = {"neighbourhood": "full", "update": "auto", "gate": "ties"}
    result = optimise(
        graph, train, test, steps=terms.evaluations - 1, evaluations=terms.evaluations, errors=terms.errors,
        models={"forward": terms.model}, seed=seed, **settings,
    )  # fmt: skip
    assert result.test_score is not None  # there are test questions
    return result.test_score


def _random_search(terms: Terms, graph: Any, train: Any, seed: int) -> Any:
    """The best on the training set of as many draws as others get evaluations; the start is the first draw."""
    from tenfold.semgrad import tasks
    from tenfold.semgrad.runtime import run

    task = tasks.TASKS[terms.task]
    rng = random.Random(f"random search {seed}")
    best, best_score = graph, run(graph, train, terms.model, metric="exact").score
    for _ in range(terms.evaluations - 1):
        drawn = {name: rng.choice(task.leaf_choices) for name in task.right if name != graph.output.name}
        if terms.start == "all":
            drawn[graph.output.name] = rng.choice(task.combiner_choices)
        tried = graph.with_instructions(drawn)
        score = run(tried, train, terms.model, metric="exact").score
        if score > best_score:
            best, best_score = tried, score
    return best


def _row(method: str, values: Sequence[float], condition: str, seconds: float) -> Row:
    mean, low, high = bootstrap_interval(values)
    return Row(
        method=method, metric="test accuracy", value=mean, low=low, high=high, seeds=len(values), seconds=seconds,
        condition=condition,
    )  # fmt: skip
