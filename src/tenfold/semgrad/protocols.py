"""The graphs of the paper's experiments, with their start instructions in our words, and LIAR's ladder of ablations."""

from collections.abc import Mapping
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.semgrad.datasets import LIAR_FIELDS
from tenfold.semgrad.graph import Graph

__all__ = ["LADDER", "layered_graph", "liar_graph"]

HINT = "Work out an intermediate step that helps to answer the question."
ANSWER = "Solve the problem."
_LIE = "The result is Yes if the statement is a lie, No if it is true."


def layered_graph(layers: int = 2, width: int = 2, *, output_format: str = "") -> Graph:
    """Layers of `width` hint nodes and one answer node; a node sees the question and the whole layer before.

    Args:
        layers: with the answer's, at least 1.
        width: hint nodes in a layer.
        output_format: sentence about the form of the answer.
    """
    graph = Graph()
    before: list[str] = []
    for layer in range(1, layers):
        start = "hint" if layers == 2 else f"hint {layer}"
        names = [f"{start} {chr(96 + number)}" for number in range(1, width + 1)]
        for name in names:
            graph.node(name, HINT, inputs=["question", *before])
        before = names
    graph.node("answer", ANSWER, inputs=["question", *before], output=True, output_format=output_format)
    return graph.validate()


def liar_graph(trainable: str | None = None) -> Graph:
    """Five nodes that see one field of a statement each, and one that sees their hints alone.

    Args:
        trainable: the only node whose instruction may change; None = all.

    Raises:
        BadInput: no node has that name.
    """
    graph = Graph()
    for name in LIAR_FIELDS:
        words = name.replace("_", " ")
        instruction = f"Work out from the {words} a hint on whether the statement is a lie."
        graph.node(f"on {words}", instruction, inputs=[name], trainable=trainable in (None, f"on {words}"))
    graph.node(
        "final",
        "Decide from the hints whether the statement is a lie.",
        inputs=list(graph.nodes),
        output=True,
        output_format=_LIE,
        trainable=trainable in (None, "final"),
    )
    if trainable is not None and trainable not in graph.nodes:
        raise BadInput(f"The graph has no node {trainable!r}.", f"It has: {', '.join(graph.nodes)}.")
    return graph.validate()


# The rungs of LIAR's ladder: what they change in the settings, and the only instruction that they let change.
LADDER: Mapping[str, tuple[Mapping[str, Any], str | None]] = {
    "full": ({}, None),
    "no gradient": ({"neighbourhood": "none"}, None),
    "no neighbourhood": ({"neighbourhood": "bare"}, None),
    "no gate": ({"gate": "none"}, None),
    **{f"only {name}": ({}, name) for name in liar_graph().nodes},
}
