"""FACTS: a world model whose memory is a set of slots, for inputs that are sets of rows: variates, nodes, patches.

Nanbo et al. 2024, "FACTS: A Factored State-Space Framework For World Modelling", arXiv 2410.20922. At each step a router
gathers from the rows, by attention, what drives each slot; a selective recurrence carries the slots through time. The
published scan forgets what is older than some 16 steps and sees the future; ours is exact, causal, and the same at once, in
chunks and frame by frame. `invariant=True` makes the invariance to the order of the rows a contract.

| file | holds |
|---|---|
| `recurrence.py` | `scan`: the exact recurrence with its own backward pass, and the published formula |
| `recurrence_gpu.py` | the same as Triton kernels |
| `projection.py` | what the layer reads of its input: linear map and causal convolution as one map |
| `router.py` | slots gather drive and parameters from the rows: softmax and inverted attention, masks |
| `layer.py` | `FACTS`: the layer; streaming by `step`, chunked conditioning, the published weights |
| `embedding.py` | each variate at each time as features of its own recent past |
| `decoding.py` | slots -> variates, a mixture over slots |
| `network.py` | the paper's forecaster, and its published weights |
| `series.py` | users' tables as series of one clock, and what is wrong with them |
| `windows.py` | windows of series, scaling, and where the benchmark's parts lie |
| `covariates.py` | rows beside the series: covariates, marks of the calendar |
| `residual.py` | what a forecaster computes: a linear forecast, and what slots add to it |
| `intervals.py` | conformal intervals, and how often they hold |
| `synthetic.py` | `town_meters`: a made-up town, for the tour and the shipped model |
| `settings.py` | how a forecaster is built and trained |
| `fitting.py` | a table -> a trained forecaster |
| `trained.py` | a trained forecaster as one value, and on disk |
| `forecasting.py` | `Forecaster`: fit, predict, evaluate, save and load |
| `evaluation.py` | the benchmark as a table: models, files, horizons, seeds |
| `harness.py` | one way to train and score every forecaster |
| `rivals.py` | the models that a forecast is compared with |
| `graphs.py`, `graph_rivals.py` | series on the nodes of a graph, edges as the router's mask; the models beside it |
| `discs.py`, `sprites.py` | discs that bounce, and films of such shapes with masks |
| `disc_models.py` | where the discs will be, from unordered rows |
| `slots.py`, `slot_attention.py` | objects in films without labels: by FACTS, and by the rival |
| `videos.py` | users' films as clips: CLEVRER, OBJ3D |
| `rollout.py` | models of films trained, rolled out, scored |
| `object_scores.py` | FG-ARI, FG-mIoU, PSNR, SSIM |
| `recall.py` | a test of memory, and the models that take it |
| `costs.py` | what a layer costs at any length and number of rows, beside attention |
| `visit.py` | a visit to the page |
| `views.py` | what is shown of a table beside a forecast |
| `pictures.py` | Plotly pictures |
| `invariance.py` | `check_invariance`: how much the order of the rows changes, in numbers |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.facts.forecasting import Evaluation, Forecaster
    from tenfold.facts.invariance import check_invariance
    from tenfold.facts.layer import FACTS, LayerState, Output
    from tenfold.facts.network import load_reference_forecaster
    from tenfold.facts.recurrence import scan
    from tenfold.facts.synthetic import town_meters

__all__ = [
    "FACTS", "Evaluation", "Forecaster", "LayerState", "Output", "check_invariance", "load_reference_forecaster", "scan",
    "town_meters",
]  # fmt: skip

# No file bears the name of a public function: an imported sub-module would take its place here.
_HOME = {
    "FACTS": "layer",
    "Evaluation": "forecasting",
    "Forecaster": "forecasting",
    "LayerState": "layer",
    "Output": "layer",
    "check_invariance": "invariance",
    "load_reference_forecaster": "network",
    "scan": "recurrence",
    "town_meters": "synthetic",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tenfold.facts.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
