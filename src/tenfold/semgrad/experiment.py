"""The headline experiment: does it pay to see the siblings? Claims semgrad-1 to semgrad-4.

All optimisation here is done by `engine:rules`, which is not a language model: it infers what can be inferred from the very
prompts that a model would get. So a difference between levels is a difference in what stands in the prompts (sections 6.1
to 6.5 of the spec). Where BIG-Bench Hard is at hand its real questions are used, else questions of our own generator.

The scales `gpu` and `paper` take the user's model from TENFOLD_MODEL (for single roles TENFOLD_MODEL_BACKWARD and
TENFOLD_MODEL_OPTIMISE), for instance `hf:/folder` or `openai:gpt-4o-mini`: three tasks of BIG-Bench Hard, or the paper's
own protocols. Replies are kept in the user's cache, so that none is paid twice.
"""

import os
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.experiment import SCALES, Claim, Decision, Experiment, Row, Task, bootstrap_interval
from tenfold.llm.engine import NOTICE

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tenfold.core.report import Table

__all__ = ["EXPERIMENT"]

ENGINE = "engine:rules, which is not a language model"
MODES = ("full", "self", "bare", "none", "random")
GAINS = ("full - bare", "full - self")
STARTS = {"leaf": "the leaves begin wrong", "all": "all instructions begin wrong"}
# How many seeds each scale has; and the evaluations of the training set: a start and twelve steps, or auto's limit.
# Seeds count from 1000: the engine was built while low ones were looked at.
SEEDS, FIRST = {"smoke": 2, "laptop": 40}, 1000
STEPS, AUTO = 13, 40
ACCURACY, SOLVED, SOLVED_FROM = "test accuracy", "share solved", 0.98
NUMERIC, CHAIN = "largest difference to torch.autograd", "share of chains with the same values at all levels"
EXACT = 1e-10
# Tasks whose answer depends on both leaves together; in the remaining one, counting, the leaves' effects add up.
COUPLED = ("arithmetic", "navigate", "tracking", "boolean")
GPU_TASKS, PAPER_SEEDS = ("multistep_arithmetic_two", "navigate", "object_counting"), 3
AUTO_TASKS = (("arithmetic", "all"), ("counting", "leaf"), ("navigate", "leaf"))
# LIAR's ladder on arithmetic: what is taken away from the whole method.
LADDER: dict[str, dict[str, Any]] = {
    "full": {},
    "no gradient": {"mode": "none"},
    "no neighbourhood": {"mode": "bare"},
    "no gate": {"gate": "none"},
    "only first": {"only": "first"},
    "only second": {"only": "second"},
    "only answer": {"only": "answer"},
}


def _data() -> Path | None:
    """The folder of BIG-Bench Hard, if it is here."""
    from tenfold.core import data

    try:
        return data.where("semgrad/bbh.jsonl.gz")[0].parent
    except DataMissing:
        return None


def _seed_rows(found: Sequence[Mapping[str, float]], condition: str) -> list[Row]:
    """Accuracy and paired differences, and how many seeds solved the task."""
    from tenfold.semgrad.compare import rows_of

    rows = rows_of(found, condition)
    for method in found[0]:
        share = bootstrap_interval([float(scores[method] > SOLVED_FROM) for scores in found])
        rows.append(
            Row(
                method=method, metric=SOLVED, value=share.mean, low=share.low, high=share.high, seeds=len(found),
                condition=condition,
            )
        )  # fmt: skip
    return rows


def _levels(task: str, start: str, errors: int, seeds: range, questions: str) -> list[Row]:
    """The levels of the neighbourhood and random search, with the paper's strict gate and full update."""
    from tenfold.semgrad.compare import Terms, one_seed

    terms = Terms(task, start, MODES, STEPS, _data() if questions == "real" else None, errors=errors)
    return _seed_rows([one_seed(terms, seed) for seed in seeds], _condition(task, start, questions, errors))


def _gates(task: str, start: str, errors: int, seeds: range, questions: str) -> list[Row]:
    """What gate and update do to the level full."""
    from tenfold.semgrad.compare import Terms, one_seed

    data = _data() if questions == "real" else None
    found: list[dict[str, float]] = [{} for _ in seeds]
    for name, gate, update in (
        ("ties, subset", "ties", "subset"),
        ("strict, full", "strict", "full"),
        ("no gate, full", "none", "full"),
    ):
        terms = Terms(task, start, ("full",), STEPS, data, errors=errors, gate=gate, update=update)
        for scores, seed in zip(found, seeds, strict=True):
            scores[name] = one_seed(terms, seed)["full"]
    return _seed_rows(found, f"gates: {_condition(task, start, questions, errors)}")


def _auto(task: str, start: str, seeds: range, questions: str) -> list[Row]:
    """Our policy beside random search with as many evaluations."""
    from tenfold.semgrad.compare import Terms, one_seed

    terms = Terms(task, start, ("auto", "random"), AUTO, _data() if questions == "real" else None)
    found = [one_seed(terms, seed) for seed in seeds]
    return _seed_rows(found, f"{AUTO} evaluations: {_condition(task, start, questions, 2)}")


def _ladder(seeds: range, questions: str) -> list[Row]:
    """The paper's ablations on arithmetic where all three instructions begin wrong."""
    from tenfold.semgrad import tasks
    from tenfold.semgrad.graph import Graph
    from tenfold.semgrad.optimiser import optimise

    task, found = tasks.TASKS["arithmetic"], []
    for seed in seeds:
        train, test = tasks.load(task, _data() if questions == "real" else None, seed)
        graph = tasks.graph(task, tasks.start(task, "all", seed))
        scores = {}
        for name, change in LADDER.items():
            plain = graph.to_dict()
            for node in plain["nodes"]:
                node["trainable"] = change.get("only") in (None, node["name"])
            result = optimise(
                Graph.from_dict(plain), train, test, steps=STEPS - 1, errors=4, update="full", seed=seed,
                neighbourhood=change.get("mode", "full"), gate=change.get("gate", "strict"),
            )  # fmt: skip
            scores[name] = result.test_score
        found.append(scores)
    return _seed_rows(found, f"ladder: {_condition('arithmetic', 'all', questions, 4)}")


def _noise(noise: float, seeds: range, questions: str) -> list[Row]:
    """Arithmetic with a share of the advice spoiled: a cheap stand-in for a weak model."""
    from tenfold.semgrad.compare import Terms, one_seed

    data = _data() if questions == "real" else None
    terms = Terms("arithmetic", "leaf", ("full", "bare"), STEPS, data, model=f"engine:rules?noise={noise:g}")
    rows = _seed_rows([one_seed(terms, seed) for seed in seeds], f"noise {noise:g}: arithmetic, leaf start, {questions}")
    return [row.model_copy(update={"x": noise}) for row in rows]


def _numeric(graphs: int, seed: int) -> list[Row]:
    """Numeric mode against torch.autograd on random graphs, and what stands in the prompts on chains."""
    from tenfold import semgrad

    rng = random.Random(seed)
    worst = 0.0
    for _ in range(graphs):
        graph, values, wanted = _random_graph(rng)
        found = semgrad.backpropagate(graph, values, mode="numeric")
        worst = max(worst, *(abs(found[name] - value) for name, value in wanted.items()))
    same = sum(_levels_agree_on_a_chain(rng.randint(2, 6), number) for number in range(graphs // 10)) / (graphs // 10)
    condition = f"{graphs} random graphs of +, *, sin"
    return [
        Row(method="numeric mode", metric=NUMERIC, value=worst, condition=condition),
        Row(method="full, self, bare", metric=CHAIN, value=same, condition=f"{graphs // 10} chains"),
    ]


def _random_graph(rng: random.Random) -> tuple[Any, dict[str, float], dict[str, float]]:
    """A graph of + * sin, values of its query variables, and torch's derivatives of its answer by them."""
    import math

    import torch

    from tenfold import semgrad

    kinds: dict[str, tuple[Any, Any, Any]] = {
        "add": (lambda a, b: a + b, lambda a, b: (1.0, 1.0), torch.add),
        "multiply": (lambda a, b: a * b, lambda a, b: (b, a), torch.mul),
        "sin": (lambda a: math.sin(a), lambda a: (math.cos(a),), torch.sin),
    }
    graph = semgrad.Graph()
    values = {f"x{i}": rng.uniform(-1.5, 1.5) for i in range(rng.randint(1, 3))}
    tensors = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    made: dict[str, Any] = dict(tensors)
    loose: list[str] = []
    for number in range(rng.randint(2, 12)):
        kind = rng.choice(list(kinds))
        inputs = [rng.choice(list(made)) for _ in range(1 if kind == "sin" else 2)]
        function, partials, same = kinds[kind]
        graph.node(f"n{number}", function=function, partials=partials, inputs=inputs)
        made[f"n{number}"] = same(*(made[name] for name in inputs))
        loose = [name for name in loose if name not in inputs] + [f"n{number}"]
    count = len(loose)
    graph.node(
        "answer", function=lambda *a: sum(a), partials=lambda *a: (1.0,) * count, inputs=loose, output=True
    )  # every loose end leads to the answer
    torch.stack([made[name] for name in loose]).sum().backward()
    used = {name: tensors[name] for name in graph.queries}
    wanted = {name: 0.0 if tensor.grad is None else tensor.grad.item() for name, tensor in used.items()}
    return graph, {name: values[name] for name in graph.queries}, wanted


def _levels_agree_on_a_chain(length: int, number: int) -> bool:
    """Whether a chain's backward prompts carry the same values at every level (nobody has siblings: TextGrad's case)."""
    from tenfold import llm, semgrad
    from tenfold.core.files import read_lines

    graph = semgrad.Graph()
    names = [f"n{i}" for i in range(length)]
    for name, before in zip(names, ["question", *names], strict=False):
        graph.node(name, "Report the last number.", inputs=[before], output=name == names[-1])
    values = {name: f"VALUE-{number}-{name}-END" for name in ("question", *names)}
    carried = {}
    for level in ("full", "self", "bare"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "calls.jsonl"
            client = llm.Client("engine:rules", cassette=path, mode="record")
            semgrad.backpropagate(graph, values, feedback="The output should be 7.", models=client, neighbourhood=level)
            client.close()
            prompts = {call["request"]["tag"]: call["request"]["messages"][-1]["content"] for call in read_lines(path)}
        carried[level] = {tag: {name for name in names if values[name] in prompt} for tag, prompt in prompts.items()}
    wanted = {f"backward:{after}": {before, after} for before, after in pairwise(names)}
    return all(found == wanted for found in carried.values())


def _liar(seeds: int) -> list[Row]:
    """LIAR with the rules engine: a negative result (section 6.5 of the spec)."""
    from tenfold.core import data
    from tenfold.semgrad.liar_offline import liar_offline

    return liar_offline(data.where("semgrad/liar_train.tsv.gz")[0], seeds=seeds, workers=1)


def _models() -> dict[str, str]:
    """The user's model by role.

    Raises:
        BadInput: none is named.
    """
    forward = os.environ.get("TENFOLD_MODEL", "")
    if not forward:
        raise BadInput("This scale needs a model, and TENFOLD_MODEL names none.", "Set it, e.g. TENFOLD_MODEL=hf:/folder.")
    others = {role: os.environ.get(f"TENFOLD_MODEL_{role.upper()}", "") for role in ("backward", "optimise")}
    return {"forward": forward, **{role: model for role, model in others.items() if model}}


def _protocol(name: str, part: str, test: int | None, seed: int) -> list[Row]:
    """One run of a paper's protocol with the user's model."""
    import platformdirs

    from tenfold.core import data
    from tenfold.semgrad.runners import plan, run_plan

    folder = Path(platformdirs.user_cache_dir("tenfold")) / "replies"
    path = data.where("semgrad/liar_train.tsv.gz")[0] if name == "liar" else None
    planned = plan(name, data=path, tasks=[part] if part else None, test=test, seed=seed)
    rows = run_plan(planned, _models(), cache=folder / f"semgrad-{seed}.sqlite")
    kept = [row for row in rows if not row.condition.startswith("BBH")]
    return [row.model_copy(update={"condition": f"{row.condition}, seed {seed}"}) for row in kept]


def _protocols(scale: str, seed: int) -> Iterable[Task]:
    """The tasks of the scales that need a model."""
    from tenfold.semgrad.datasets import BBH
    from tenfold.semgrad.protocols import LADDER as LIAR

    _models()  # said before anything is run
    if scale == "gpu":
        for part in GPU_TASKS:
            yield Task(f"bbh {part}", partial(_protocol, "bbh", part, 40, seed))
        return
    for number in range(seed, seed + PAPER_SEEDS):
        for part in BBH:
            yield Task(f"bbh {part} {number}", partial(_protocol, "bbh", part, None, number))
        yield Task(f"gsm8k {number}", partial(_protocol, "gsm8k", "", None, number))
        for rung in LIAR:
            yield Task(f"liar {rung} {number}", partial(_protocol, "liar", rung, None, number))


def _condition(task: str, start: str, questions: str, errors: int) -> str:
    return f"{task}, {start} start, {errors} errors a step, {questions} questions"


def _tasks(scale: str, seed: int, device: str) -> Iterable[Task]:
    from tenfold.semgrad.tasks import TASKS

    if scale in ("gpu", "paper"):
        yield from _protocols(scale, seed)
        return
    smoke = scale == "smoke"
    questions = "generated" if smoke or _data() is None else "real"
    seeds = range(FIRST + seed, FIRST + seed + SEEDS[scale])
    names = ("arithmetic",) if smoke else tuple(TASKS)
    yield Task("numeric", partial(_numeric, 20 if smoke else 500, seed))
    for name in names:
        yield Task(f"leaf {name} {questions}", partial(_levels, name, "leaf", 2, seeds, questions))
    for name in names if not smoke else ():
        yield Task(f"all {name} {questions}", partial(_levels, name, "all", 4, seeds, questions))
    for name, start in () if smoke else AUTO_TASKS:
        yield Task(f"auto {name} {start} {questions}", partial(_auto, name, start, seeds, questions))
    yield Task(f"ladder {questions}", partial(_ladder, seeds, questions))
    if smoke:
        return
    for name, start in (("counting", "leaf"), ("arithmetic", "all")):
        yield Task(f"gates {name} {questions}", partial(_gates, name, start, 4, seeds, questions))
    for noise in (0.1, 0.3):
        yield Task(f"noise {noise:g} {questions}", partial(_noise, noise, seeds, questions))
    if questions == "real":
        yield Task("liar", partial(_liar, 4))


def _find(rows: Sequence[Row], method: str, metric: str = ACCURACY, **where: str) -> Row | None:
    """The first row of a method whose condition begins as wanted, of the largest scale that has any."""
    begins = where.get("begins", "")
    found = [r for r in rows if r.method == method and r.metric == metric and r.condition.startswith(begins)]
    return max(found, key=lambda row: SCALES.index(row.scale) if row.scale in SCALES else -1, default=None)


def _decide_1(rows: Sequence[Row]) -> Decision:
    numeric, chain = _find(rows, "numeric mode", NUMERIC), _find(rows, "full, self, bare", CHAIN)
    if numeric is None or chain is None or numeric.value is None or chain.value is None:
        return Decision("not decidable here", "not run")
    good = (numeric.value <= EXACT) + (chain.value == 1)
    why = f"largest difference to autograd {numeric.value:.1e}; levels agree on {chain.value:.0%} of chains"
    return Decision(("not shown", "partly", "shown")[good], why)


def _decide_2(rows: Sequence[Row]) -> Decision:
    found = {}
    for task in COUPLED:
        for other in ("bare", "self"):
            row = _find(rows, f"full - {other}", begins=f"{task}, leaf start")
            if row is not None and row.low is not None:
                found[task, other] = row.low > 0
    if not found:
        return Decision("not decidable here", "not run")
    above = {other: [task for task in COUPLED if found.get((task, other))] for other in ("bare", "self")}
    tested = sorted({task for task, _ in found})
    verdict = "shown" if all(found.values()) else "partly" if above["bare"] else "not shown"
    parts = [f"full above {other} in {', '.join(names) or 'none'}" for other, names in above.items()]
    return Decision(verdict, f"{'; '.join(parts)} (of {', '.join(tested)}; leaf start; {ENGINE})")


def _decide_3(rows: Sequence[Row]) -> Decision:
    return Decision("not decidable here", "the engine does not understand the other packages' prompts; it takes a model")


def _decide_4(rows: Sequence[Row]) -> Decision:
    """LIAR's ladder with a model, where it was run; else its offline analogue, which decides nothing."""
    liar = _liar_gains(rows)
    if liar:
        above = [name for name, low in liar.items() if low > 0]
        verdict = "shown" if len(above) == len(liar) else "partly" if above else "not shown"
        return Decision(verdict, f"on LIAR full is above {', '.join(above) or 'none'} (of {', '.join(liar)})")
    found = {name: _find(rows, f"full - {name}", begins="ladder") for name in list(LADDER)[1:]}
    lows = {name: row.low for name, row in found.items() if row is not None and row.low is not None}
    if not lows:
        return Decision("not decidable here", "not run")
    needed, rest = [name for name, low in lows.items() if low > 0], [name for name, low in lows.items() if low <= 0]
    why = f"offline analogue on arithmetic with {ENGINE}: full is above {', '.join(needed) or 'nothing'}"
    why += f"; not above {', '.join(rest)}" if rest else ""
    return Decision("not decidable here", f"{why}. LIAR itself takes a model")


def _liar_gains(rows: Sequence[Row]) -> dict[str, float]:
    """Lower ends of the intervals of full minus each rung of LIAR's ladder, over the seeds that both were run on."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.condition.startswith("LIAR, ") and row.metric == "training accuracy" and row.value is not None:
            found.setdefault(row.method, {})[row.condition] = row.value
    full = found.pop("full", {})
    gains = {name: [full[key] - value for key, value in values.items() if key in full] for name, values in found.items()}
    return {name: bootstrap_interval(values).low for name, values in gains.items() if len(values) >= PAPER_SEEDS}


def _tables(rows: Sequence[Row]) -> "list[Table]":
    """By coupling class, for each start: what the levels reach, and what seeing the siblings adds (section 6.2)."""
    from tenfold.core.report import Table
    from tenfold.semgrad.tasks import TASKS

    tables = []
    for start, words in STARTS.items():
        lines, commands = [], []
        for task in TASKS.values():
            found = [_find(rows, method, begins=f"{task.name}, {start} start") for method in ("start", *MODES, *GAINS)]
            if all(row is None for row in found):
                continue
            lines.append((task.name, task.coupling, *map(_spread, found)))
            commands += [row.command for row in found if row is not None and row.command]
        if lines:
            caption = f"By coupling class, {words}: held-out accuracy with 95 % intervals ({ENGINE})"
            columns = ("task", "how the leaves work together", "start", *MODES, *GAINS)
            tables.append(Table(columns, lines, caption, "; ".join(dict.fromkeys(commands))))
    return tables


def _spread(row: Row | None) -> str:
    """Mean and interval; a difference carries its sign."""
    if row is None or row.value is None:
        return ""
    sign = "+" if row.method in GAINS else ""
    interval = "" if row.low is None or row.high is None else f" ({row.low:{sign}z.2f} to {row.high:{sign}z.2f})"
    return f"{row.value:{sign}z.2f}{interval}"


def _figures(rows: Sequence[Row]) -> "list[go.Figure]":
    import plotly.graph_objects as go

    from tenfold.core.theme import style_figure

    figures = []
    for start, words in STARTS.items():
        figure = go.Figure()
        for method in ("start", *MODES):
            bars = [
                row
                for row in rows
                if row.metric == ACCURACY and row.method == method and f", {start} start" in row.condition
            ]
            bars = [row for row in bars if ":" not in row.condition and row.value is not None]
            if bars:
                above = [(row.high or 0.0) - (row.value or 0.0) for row in bars]
                below = [(row.value or 0.0) - (row.low or 0.0) for row in bars]
                errors = {"type": "data", "array": above, "arrayminus": below, "thickness": 1}
                names = [row.condition.partition(",")[0] for row in bars]
                figure.add_bar(name=method, x=names, y=[row.value for row in bars], error_y=errors)
        if figure.data:
            title = f"Held-out accuracy where {words} (engine:rules, not a language model)"
            figures.append(style_figure(figure, title=title, y="accuracy, 95 % interval"))
    return figures


EXPERIMENT = Experiment(
    system="semgrad",
    title="Does it pay to see the siblings?",
    lead=f"{NOTICE} Two leaves read a question, a third node combines their hints; leaf instructions begin wrong and are "
    "improved by feedback. Levels differ only in what stands in the backward prompt: all hints (full), one hint with the "
    "question (self), one hint alone (bare), no feedback (none). Couplings: counting is a sum, navigate needs both values "
    "to be 0, arithmetic and boolean name their operator in each question, tracking looks one hint up in the other.",
    tasks=_tasks,
    claims=(
        Claim("semgrad-1", _decide_1),
        Claim("semgrad-2", _decide_2),
        Claim("semgrad-3", _decide_3, "A model: `tenfold semgrad compare --against textgrad,optoprime,copro,gepa`."),
        Claim("semgrad-4", _decide_4, "A model: TENFOLD_MODEL=... tenfold reproduce semgrad --scale paper."),
    ),
    figures=_figures,
    scales=("smoke", "laptop", "gpu", "paper"),
    tables=_tables,
)
