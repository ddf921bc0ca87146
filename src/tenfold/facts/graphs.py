"""Forecasts of series on the nodes of a graph: a slot for each node, and the edges as the router's mask (spec section 1.6).

The paper names the task and publishes neither protocol nor code. Here each node's slot may attend to the node itself and to
those that feed it, nothing else. What slots add is added to each node's own linear forecast, for the rivals too.
"""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.facts.graph_rivals import GraphConvolutionGRU, NodeRidge
from tenfold.facts.harness import fit_windows, score
from tenfold.facts.layer import FACTS
from tenfold.facts.rivals import LastValue, SeasonalNaive
from tenfold.facts.series import read_series
from tenfold.facts.windows import Scaler, Windows, borders_of

__all__ = ["METHODS", "Convention", "Graph", "GraphForecaster", "GraphScore", "compare", "read_graph"]

Convention = Literal["70/10/20", "published"]
METHODS = ("last value", "seasonal naive", "ridge of each node", "graph-convolution GRU", "FACTS", "FACTS without the mask")
_LIMIT = 256 << 20
_RIDGES = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Graph:
    """Series on nodes.

    Attributes:
        values: (T, N), finite.
        names: of the nodes.
        edges: (from, to): `from` feeds `to`.
        notes: what a user should know.
    """

    values: np.ndarray
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    notes: tuple[str, ...] = ()

    def adjacency(self) -> np.ndarray:
        """(N, N), true where the column's node feeds the row's; each node feeds itself."""
        found = np.eye(len(self.names), dtype=bool)
        for source, target in self.edges:
            found[target, source] = True
        return found


class GraphForecaster(nn.Module):
    """Windows of all nodes -> their next steps: each node's linear forecast, and what its slot gathered around it."""

    def __init__(self, adjacency: np.ndarray, look_back: int, horizon: int, size: int = 16) -> None:
        """Set up.

        Args:
            adjacency: (N, N), true where the column's node may feed the row's.
            look_back: steps of a window.
            horizon: steps to forecast.
            size: of a slot.
        """
        super().__init__()
        nodes = len(adjacency)
        mask = torch.zeros(1, nodes, nodes).masked_fill(~torch.from_numpy(adjacency), -torch.inf)
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)
        self.embed, self.node = nn.Linear(1, size), nn.Parameter(0.1 * torch.randn(nodes, size))
        self.facts = FACTS(size, nodes, nodes, size, output_parameters=True)
        self.norm, self.look = nn.LayerNorm(size), nn.Linear(look_back, size)
        self.mix, self.head = nn.Sequential(nn.Linear(2 * size, size), nn.GELU()), nn.Linear(size, horizon)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.own = NodeRidge(nodes, look_back, horizon)

    def forward(self, x: Float[Tensor, "batch look_back nodes"]) -> Float[Tensor, "batch horizon nodes"]:
        rows = self.embed(x.unsqueeze(-1)) + self.node
        slots = self.norm(self.facts(rows, self.mask.expand(len(x), -1, -1)).y[:, -1])
        return self.own(x) + self.head(self.mix(torch.cat((slots, self.look(x.mT)), -1))).transpose(1, 2)


class GraphScore(NamedTuple):
    """A method's error on the test part, of one seed."""

    method: str
    seed: int
    mse: float
    rmse: float
    validation: float


def compare(
    graph: Graph,
    *,
    horizon: int = 1,
    look_back: int = 8,
    convention: Convention = "70/10/20",
    methods: Sequence[str] = METHODS,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 300,
    period: int = 52,
) -> list[GraphScore]:
    """Train on the early part, choose weights by validation, score the late part once.

    Args:
        graph: nodes, edges, series.
        horizon: steps to forecast.
        look_back: steps of a window.
        convention: "70/10/20" of the rows, errors in units of each node's spread in training; or "published", that of
            PyTorch Geometric Temporal: 20 % train (the last fifth of it validates), 80 % test, errors in the data's units.
        methods: names in `METHODS`.
        seeds: of weights and batches; methods without weights to draw are run once.
        steps: of the optimiser.
        period: of the seasonal naive forecast, which sees as much of the past as it needs.

    Raises:
        BadInput: a method or the convention is unknown, or there are too few rows.
    """
    for name in methods:
        if name not in METHODS:
            raise BadInput(f"method {name!r} is unknown.", f"Use one of: {', '.join(METHODS)}.")
    if convention not in get_args(Convention):
        raise BadInput(f"convention {convention!r} is unknown.", f"Use one of: {', '.join(get_args(Convention))}.")
    parts = _parts(graph.values, look_back, horizon, convention)
    found = []
    for name in methods:
        if name == "seasonal naive":
            parts_seen = _parts(graph.values, period, horizon, convention)
            found.append(_scored(name, 0, SeasonalNaive(period, horizon, period), parts_seen))
        elif name == "last value":
            found.append(_scored(name, 0, LastValue(look_back, horizon), parts))
        elif name == "ridge of each node":
            found.append(_scored(name, 0, _ridge(len(graph.names), parts), parts))
        else:
            found += [_learned(name, graph, parts, seed, steps) for seed in seeds]
    return found


class _Parts(NamedTuple):
    train: Windows
    validation: Windows
    test: Windows


def _parts(values: np.ndarray, look_back: int, horizon: int, convention: str) -> _Parts:
    rows = len(values)
    if convention == "published":
        test = int(0.2 * rows)
        train = int(0.8 * test)
    else:
        borders = borders_of(rows)
        train, test = borders.train, borders.validation
        values = Scaler.of(values[:train]).scaled(values)
    return _Parts(
        Windows(values, look_back, horizon, 0, train),
        Windows(values, look_back, horizon, train, test),
        Windows(values, look_back, horizon, test, rows),
    )


def _ridge(nodes: int, parts: _Parts) -> NodeRidge:
    """The ridge regression of each node, as strong as validation wants it."""
    model = NodeRidge(nodes, parts.train.look_back, parts.train.horizon)
    tried = []
    for strength in _RIDGES:
        model.solve(parts.train, strength)
        tried.append((score(model, parts.validation).mse, strength))
    model.solve(parts.train, min(tried)[1])
    return model


def _learned(name: str, graph: Graph, parts: _Parts, seed: int, steps: int) -> GraphScore:
    torch.manual_seed(seed)
    adjacency = graph.adjacency()
    make: dict[str, Callable[..., Any]] = {
        "graph-convolution GRU": lambda *sizes: GraphConvolutionGRU(adjacency, *sizes),
        "FACTS": lambda *sizes: GraphForecaster(adjacency, *sizes),
        "FACTS without the mask": lambda *sizes: GraphForecaster(np.ones_like(adjacency), *sizes),
    }
    model = make[name](parts.train.look_back, parts.train.horizon)
    model.own.load_state_dict(_ridge(len(graph.names), parts).state_dict())
    fit_windows(model, parts.train, parts.validation, steps=steps, batch_size=16, seed=seed, title=name)
    return _scored(name, seed, model, parts)


def _scored(name: str, seed: int, model: nn.Module, parts: _Parts) -> GraphScore:
    mse = score(model, parts.test).mse
    return GraphScore(name, seed, mse, mse**0.5, score(model, parts.validation).mse)


def read_graph(path: str | os.PathLike[str], table: str | os.PathLike[str] | None = None) -> Graph:
    """Read a graph: JSON, also gzipped, with `edges`, names and perhaps the series.

    Args:
        path: of an object with "edges": pairs of node names or numbers; "nodes": names, or "node_ids": {name: number};
            "FX": rows of one value for each node, unless there is a table. Names may be left out with a table.
        table: of series, one column a node (see `read_series`).

    Raises:
        BadInput: the file cannot be read, an edge names a node that is not there, or shapes do not fit.
    """
    path = Path(path)
    content = _content(path)
    if table is not None:
        series = read_series(table)
        names, values = series.names, series.values
        unknown = set(_names(content, list(names), path)) ^ set(names)
        if unknown:
            raise BadInput(f"Nodes of {path.name} and columns of the table differ: {', '.join(sorted(unknown)[:5])}.")
    else:
        values = _values(content, path)
        names = tuple(_names(content, [str(place) for place in range(values.shape[1])], path))
    if len(names) != values.shape[1]:
        raise BadInput(f"{path.name} names {len(names)} nodes; its rows have {values.shape[1]} values.")
    edges = _edges(content, names, path)
    linked = {node for source, target in edges if source != target for node in (source, target)}
    alone = [name for place, name in enumerate(names) if place not in linked]
    notes = (f"Without an edge, forecast from their own past alone: {', '.join(alone[:5])}.",) if alone else ()
    return Graph(values, tuple(names), edges, notes)


def _content(path: Path) -> dict[str, Any]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise BadInput(f"{path.name} is larger than {_LIMIT >> 20} MB.")
        content = json.loads(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{path.name} is no JSON.", 'Give {"nodes": [...], "edges": [[a, b], ...], "FX": [[...], ...]}.'
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("edges"), list):
        raise BadInput(f'{path.name} has no list "edges".', "An edge is a pair of names or numbers of nodes.")
    return content


def _values(content: dict[str, Any], path: Path) -> np.ndarray:
    try:
        values = np.array(content["FX"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f'{path.name} has no "FX" with rows of one number for each node.', "Or give a table.") from error
    if values.ndim != 2 or not values.size:
        raise BadInput(f'"FX" of {path.name} has shape {values.shape}; it must be (times, nodes).')
    if not np.isfinite(values).all():
        row, node = np.argwhere(~np.isfinite(values))[0]
        raise BadInput(f'"FX" of {path.name} holds no number in row {row}, node {node}.', "Fill what is missing.")
    return values


def _names(content: dict[str, Any], default: list[str], path: Path) -> list[str]:
    nodes, numbers = content.get("nodes"), content.get("node_ids")
    if isinstance(numbers, dict):
        if sorted(numbers.values(), key=str) != sorted(range(len(numbers)), key=str):
            raise BadInput(f'"node_ids" of {path.name} must number the nodes 0, 1, ...')
        return sorted(numbers, key=numbers.__getitem__)
    if nodes is None:
        return default
    if not isinstance(nodes, list) or len({str(node) for node in nodes}) != len(nodes):
        raise BadInput(f'"nodes" of {path.name} must be a list of different names.')
    return [str(node) for node in nodes]


def _edges(content: dict[str, Any], names: Sequence[str], path: Path) -> tuple[tuple[int, int], ...]:
    places = {name: place for place, name in enumerate(names)}
    found = []
    for number, edge in enumerate(content["edges"]):
        if not isinstance(edge, list) or len(edge) != 2:
            raise BadInput(f"Edge {number} of {path.name} is no pair: {str(edge)[:40]}.")
        ends = []
        for end in edge:
            is_number = isinstance(end, int) and not isinstance(end, bool)
            place = end if is_number and 0 <= end < len(names) else places.get(str(end))
            if place is None:
                raise BadInput(f"Edge {number} of {path.name} leads to node {str(end)[:40]!r}, which is not there.")
            ends.append(place)
        found.append((ends[0], ends[1]))
    return tuple(found)
