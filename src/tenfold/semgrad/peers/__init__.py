"""Other optimisers of prompts, as published, on the same graph, model, questions, budget and seed as ours.

| name | package | its method |
|---|---|---|
| textgrad | textgrad | TextGrad, Yuksekgonul et al. 2024, arXiv 2406.07496: textual gradients, variable by variable |
| optoprime | trace-opt | Trace and OptoPrime, Cheng et al. 2024, arXiv 2406.16218: the whole trace in one call |
| copro | dspy | COPRO of DSPy, Khattab et al. 2023, arXiv 2310.03714: candidates for each instruction, by score |
| gepa | gepa | GEPA, Agrawal et al. 2025, arXiv 2507.19457: reflective mutation, Pareto pool |

The packages run their own code and their own prompts for gradients, reflection and proposals. A node's own call is the
prompt of `prompts.forward_prompt` for all of them. Every call goes through one `llm.Client`, which counts it and stops
at the budget; nothing is cached, nothing else is sent. TextGrad and OptoPrime bring a step but no loop: theirs is ours,
two wrong answers a step, kept if the training score is not lower. The rules engine does not understand the packages'
prompts, so that a comparison on `engine:rules` says nothing about language models.

| file | holds |
|---|---|
| `bench.py` | `Bench`: the terms of a comparison; counts, scores, keeps the best |
| `textgrad.py`, `optoprime.py`, `copro.py`, `gepa.py` | an adapter each: `improve(bench)` |
"""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.peers.bench import Bench

__all__ = ["PEERS", "PeerResult", "check_peers", "run_peer"]

PEERS = ("textgrad", "optoprime", "copro", "gepa")
_MODULES = {"textgrad": "textgrad", "optoprime": "opto", "copro": "dspy", "gepa": "gepa"}


class PeerResult(NamedTuple):
    """What an optimiser found.

    Attributes:
        name: of the optimiser.
        graph: with the best instructions on the training questions.
        score: of these, training questions, in [0, 1].
        calls: model calls spent, by role.
        ended: "budget", "finished", or why it could not go on, in words.
    """

    name: str
    graph: Graph
    score: float
    calls: Mapping[str, int]
    ended: str


def check_peers(names: Sequence[str]) -> None:
    """Make sure that the named optimisers are known and their packages installed, before anything is spent.

    Raises:
        BadInput: a name is unknown.
        ExtraMissing: a package is not installed; the hint names the extra `peers`.
    """
    for name in names:
        if name not in PEERS:
            raise BadInput(f"The optimiser {name!r} is unknown.", f"There are: {', '.join(PEERS)}.")
        _quiet()
        with contextlib.redirect_stdout(sys.stderr):
            require(_MODULES[name], "peers")


def run_peer(
    name: str,
    graph: Graph,
    train: Sequence[Mapping[str, Any]],
    model: str,
    *,
    calls: int,
    metric: Any = "exact",
    errors: int = 2,
    seed: int = 0,
    concurrency: int = 32,
) -> PeerResult:
    """Optimise a graph's instructions with another package.

    Args:
        name: one of `PEERS`.
        graph: the start; nodes that call a model and have no template.
        train: samples with `target` and the graph's query variables.
        model: model string, for all roles.
        calls: budget; not one call more is made.
        metric: name of a loss, or a scorer.
        errors: wrong answers shown in a step, where the package leaves that to its user.
        seed: of every choice that the package lets us seed.
        concurrency: calls at once, where the package sends several.

    Raises:
        BadInput: unknown name, or a graph that the packages cannot take.
        ExtraMissing: the package is not installed.
    """
    check_peers([name])
    with Bench(graph, train, model, calls=calls, metric=metric, errors=errors, seed=seed, concurrency=concurrency) as bench:
        ended = "finished"
        try:
            bench.evaluate(graph.instructions)
            with contextlib.redirect_stdout(sys.stderr):  # packages print; standard output is the command's
                importlib.import_module(f"tenfold.semgrad.peers.{name}").improve(bench)
        except Exception as error:  # a package may fail in any way, also because it swallowed the end of the budget
            if isinstance(error, TenfoldError) and not bench.is_spent:
                raise
            ended = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        found = graph.with_instructions(bench.best)
        return PeerResult(name, found, bench.best_score, bench.calls, "budget" if bench.is_spent else ended)


def _quiet() -> None:
    """Keep the packages from fetching tables, writing log folders and caches, and from asking for updates."""
    folder = os.path.join(tempfile.gettempdir(), f"tenfold-peers-{os.getuid() if hasattr(os, 'getuid') else 0}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.environ.setdefault("TEXTGRAD_LOG_DIR", folder)
    os.environ.setdefault("DSPY_CACHEDIR", folder)
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_TELEMETRY", "False")
