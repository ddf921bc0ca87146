"""What a visitor of the page may use: models that the server's owner allows, and small uploads read as a stranger's.

The owner names models in TENFOLD_STUDIO_MODELS ("name = model string; name = ...") and may set TENFOLD_STUDIO_CALLS, the
most calls of one visit's run. A visitor chooses by name and never gives an address or a path.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tenfold.core.errors import BadInput
from tenfold.llm import offered
from tenfold.semgrad.graph import Graph

__all__ = ["CALLS", "ENGINE", "MODELS", "call_limit", "model_named", "models", "uploaded_graph", "uploaded_questions"]

MODELS, CALLS = offered.MODELS, offered.CALLS
ENGINE = "rules engine (no language model)"
MAX_NODES, MAX_ROWS, MAX_BYTES, MAX_TEXT = 40, 1000, 4 << 20, 20_000
# The rules engine costs the server's processor alone; other models may cost their owner money.
ENGINE_CALLS, MODEL_CALLS = 200_000, 2_000

Read = TypeVar("Read")


def models(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Model strings by the names that visitors see; the rules engine is always the first.

    Raises:
        BadInput: the owner's list is not "name = model string; ...".
    """
    return {ENGINE: "engine:rules", **offered.offered(environment)}


def model_named(name: Any) -> str:
    """The model string of a name that a visitor chose.

    Raises:
        BadInput: the owner does not allow it.
    """
    return offered.model_named(name, models())


def call_limit(name: str, environment: Mapping[str, str] = os.environ) -> int:
    """The most calls of one run with that model.

    Raises:
        BadInput: the owner's limit is no number.
    """
    return offered.call_limit(ENGINE_CALLS if name == ENGINE else MODEL_CALLS, environment)


def uploaded_graph(file: str | None) -> Graph:
    """The graph in an uploaded JSON or YAML file; errors name it as its owner does.

    Raises:
        BadInput: there is none, it is too large for the page, or it holds no graph.
    """
    if not file:
        raise BadInput("Upload a graph.", "JSON or YAML: nodes: [{name, instruction, inputs, output}, ...].")
    _check_size(Path(file))
    graph = _named(file, lambda: Graph.load(file))
    if len(graph.nodes) > MAX_NODES:
        raise BadInput(f"The page takes graphs of at most {MAX_NODES} nodes; this one has {len(graph.nodes)}.")
    if max(len(text) for node in graph.nodes.values() for text in (node.instruction, node.template or "")) > MAX_TEXT:
        raise BadInput(f"The page takes texts of at most {MAX_TEXT:,} characters.")
    return graph


def uploaded_questions(file: str | None) -> list[dict[str, Any]]:
    """The rows of an uploaded JSON-lines or CSV file.

    Raises:
        BadInput: there is none, it is too large for the page, or it does not hold rows.
    """
    from tenfold.semgrad.config import read_rows

    if not file:
        raise BadInput("Upload questions.", 'JSON lines: {"question": "...", "target": "..."}')
    _check_size(Path(file))
    rows = _named(file, lambda: read_rows(Path(file)))
    if len(rows) > MAX_ROWS:
        raise BadInput(f"The page takes at most {MAX_ROWS:,} questions; this file has {len(rows):,}.")
    return rows


def _check_size(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path.name} has {path.stat().st_size / 1e6:.1f} MB; the page takes at most {MAX_BYTES >> 20} MB.")


def _named(file: str, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except BadInput as error:
        name = Path(file).name
        raise BadInput(error.message.replace(file, name), error.hint.replace(file, name)) from error
