"""Episodic upside-down RL, goal-conditioned supervised learning and Online Decision Transformers, exactly.

Strupl et al. 2025, "On the Convergence and Stability of Upside-Down Reinforcement Learning, Goal-Conditioned Supervised
Learning, and Online Decision Transformers", arXiv 2502.05672. For a finite environment the methods are a recursion on
policy tables ("relabel, then fit"); this package runs that recursion in float64, without sampling, and says how far it
ends from the optimum. A command (h, g) means: be in a state of goal g after exactly h steps.

| file | holds |
|---|---|
| `mdp.py` | `MDP`: kernel, goal map, start over state and command, their checks, and where they come from |
| `environments.py` | the paper's environments, the history transformation, the discontinuity rays |
| `evaluation.py` | values, optimum with tolerance, visitation, cross values |
| `operator.py` | one eUDRL update (weights W, new policy, reached mask); chooses an execution path |
| `sparse.py` | execution path for large kernels: slabs of commanded goals, CSR pushes, one matrix product per state |
| `dense.py` | execution path for batches of small kernels, on CPU or GPU tensors |
| `recursion.py` | `iterate`, `iterate_many`: the recursion and its record |
| `stability.py` | `stability_report`: is this method safe on this environment? |
| `learner.py` | `learn`: neural GCSL trained by `core.train`, its exact J beside |
| `pictures.py` | Plotly pictures of objectives, policies and reports |
| `commands.py`, `page.py`, `example.py`, `experiment.py` | command line, web page, tour stop, headline experiment |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.udrl import environments
    from tenfold.udrl.environments import history_mdp
    from tenfold.udrl.evaluation import Optimum, cross_values, optimum, values, visitation
    from tenfold.udrl.learner import Learned, learn
    from tenfold.udrl.mdp import MDP
    from tenfold.udrl.operator import apply_operator
    from tenfold.udrl.recursion import Result, iterate, iterate_many
    from tenfold.udrl.stability import StabilityReport, stability_report

__all__ = [
    "MDP",
    "Learned",
    "Optimum",
    "Result",
    "StabilityReport",
    "apply_operator",
    "cross_values",
    "environments",
    "history_mdp",
    "iterate",
    "iterate_many",
    "learn",
    "optimum",
    "stability_report",
    "values",
    "visitation",
]

# No file bears the name of a public function: an imported sub-module would take its place here.
_HOME = {
    "MDP": "mdp",
    "Learned": "learner",
    "Optimum": "evaluation",
    "Result": "recursion",
    "StabilityReport": "stability",
    "apply_operator": "operator",
    "cross_values": "evaluation",
    "history_mdp": "environments",
    "iterate": "recursion",
    "iterate_many": "recursion",
    "learn": "learner",
    "optimum": "evaluation",
    "stability_report": "stability",
    "values": "evaluation",
    "visitation": "evaluation",
}


def __getattr__(name: str) -> Any:
    if name == "environments":
        return import_module("tenfold.udrl.environments")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tenfold.udrl.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
