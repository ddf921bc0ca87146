"""Semantic backpropagation and semantic gradient descent on graphs of language-model calls.

Wang et al. 2024, "How to Correctly do Semantic Backpropagation on Language-based Agentic Systems", arXiv 2412.03624.
A graph's nodes are prompts (or plain Python functions); feedback on its answer is carried back to every node, where what
is shown beside a node's value (its neighbourhood) is a choice; instructions are rewritten and kept if they score.

| file | holds |
|---|---|
| `graph.py` | `Graph`, `Node`: any DAG, text parameters, checks, JSON and YAML |
| `prompts.py` | every word that a model reads, and the parsers of replies |
| `samples.py` | rows with targets, checked before anything is spent |
| `calls.py`, `roles.py` | requests without barriers; who answers in which role |
| `runtime.py`, `memo.py` | `run`: the graph on many samples at once; `Trace`; what is known already |
| `backward.py` | `backpropagate`: text (full, self, bare, none) and numeric (equals autograd) |
| `losses.py` | exact, numeric, regex, f1, judge, callable: output -> (score, feedback) |
| `policies.py` | which parameters move in a round: full, subset, one, bandit, auto; which errors are drawn |
| `proposals.py` | new texts from the optimiser's replies |
| `gates.py` | which candidates are kept: strict, ties, none, paired; racing |
| `optimiser.py` | `optimise`: semantic gradient descent |
| `history.py`, `result.py`, `store.py` | what a run did; `Result` and the run's folder; replies that were paid for |
| `costs.py` | `forecast`: calls, tokens and money before a run |
| `attribution.py` | `attribute`, `try_advice`: swap a hint for its target, run the successors again |
| `questions.py` | our generator of questions (arithmetic, navigation, counting, shuffled objects, boolean) |
| `tasks.py` | the five offline tasks: graph, right and random instructions, questions |
| `datasets.py` | BIG-Bench Hard, GSM8K, LIAR from the user's data folder; disjoint splits |
| `protocols.py`, `runners.py` | the paper's graphs and ablations; its experiments with their forecasts of calls |
| `compare.py` | modes or packages x seeds, with intervals |
| `liar_offline.py` | a negative result: LIAR with the rules engine |
| `peers/` | TextGrad, OptoPrime, COPRO, GEPA on the same model, split and budget |
| `config.py` | the file of `tenfold semgrad run` |
| `pictures.py`, `views.py` | pictures and prompt differences from plain values; what a run's history shows |
| `export.py` | a graph as JSON, YAML or a DSPy program |
| `guest.py`, `visit.py` | what a visitor of the page may use; a visit's run |
| `commands.py`, `page.py`, `example.py`, `experiment.py` | command line, web page, tour stop, headline experiment |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.llm.budget import Budget
    from tenfold.semgrad.attribution import Attribution, Tried, attribute, try_advice
    from tenfold.semgrad.backward import Gradients, backpropagate
    from tenfold.semgrad.config import Config, read_config
    from tenfold.semgrad.costs import ForecastRow, forecast
    from tenfold.semgrad.graph import Graph, Node
    from tenfold.semgrad.history import Round, Step
    from tenfold.semgrad.losses import Judge
    from tenfold.semgrad.memo import Memo
    from tenfold.semgrad.optimiser import optimise
    from tenfold.semgrad.result import Result
    from tenfold.semgrad.runners import Plan, PlannedRun, plan, run_plan
    from tenfold.semgrad.runtime import Sampling, Trace, run

# No file bears the name of a public function: an imported sub-module would take its place here.
_HOME = {
    "Attribution": "attribution",
    "Budget": "tenfold.llm.budget",
    "Config": "config",
    "ForecastRow": "costs",
    "Gradients": "backward",
    "Graph": "graph",
    "Judge": "losses",
    "Memo": "memo",
    "Node": "graph",
    "Plan": "runners",
    "PlannedRun": "runners",
    "Result": "result",
    "Round": "history",
    "Sampling": "runtime",
    "Step": "history",
    "Trace": "runtime",
    "Tried": "attribution",
    "attribute": "attribution",
    "try_advice": "attribution",
    "backpropagate": "backward",
    "forecast": "costs",
    "optimise": "optimiser",
    "plan": "runners",
    "read_config": "config",
    "run": "runtime",
    "run_plan": "runners",
}

__all__ = [
    "Attribution",
    "Budget",
    "Config",
    "ForecastRow",
    "Gradients",
    "Graph",
    "Judge",
    "Memo",
    "Node",
    "Plan",
    "PlannedRun",
    "Result",
    "Round",
    "Sampling",
    "Step",
    "Trace",
    "Tried",
    "attribute",
    "backpropagate",
    "forecast",
    "optimise",
    "plan",
    "read_config",
    "run",
    "run_plan",
    "try_advice",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    return getattr(import_module(home if "." in home else f"tenfold.semgrad.{home}"), name)


def __dir__() -> list[str]:
    return __all__
