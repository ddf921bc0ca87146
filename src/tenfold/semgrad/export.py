"""A graph for other programs: JSON, YAML, or a DSPy program. None of them needs tenfold, and writing none needs DSPy."""

import json
import keyword
import re
from collections.abc import Mapping
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.semgrad.graph import Graph

__all__ = ["FORMATS", "dspy_program", "export"]

FORMATS = ("json", "yaml", "dspy")
# Names that DSPy's signatures, modules and chains of thought use themselves.
_TAKEN = {
    "reasoning",
    "instructions",
    "fields",
    "signature",
    "forward",
    "self",
    "dspy",
    "demos",
    "lm",
    "callbacks",
    "history",
}


def export(graph: Graph, form: str) -> str:
    """The graph as text.

    Args:
        graph: usually the best one of a run.
        form: "json" and "yaml" (as `Graph.load` reads them), or "dspy" (a Python file).

    Raises:
        BadInput: there is no such form, or the graph holds what it cannot express.
    """
    if form == "json":
        return json.dumps(graph.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if form == "yaml":
        import yaml

        return yaml.safe_dump(graph.to_dict(), sort_keys=False, allow_unicode=True, width=120)
    if form == "dspy":
        return dspy_program(graph)
    raise BadInput(f"There is no format {form!r}.", f"Formats are: {', '.join(FORMATS)}.")


def dspy_program(graph: Graph) -> str:
    """A Python file with one `dspy.ChainOfThought` for each node, called in the order of the edges.

    Every text of the graph stands in it as a string literal, so that no text can become code.

    Raises:
        BadInput: a node is a Python function, which cannot be written down.
    """
    for node in graph.nodes.values():
        if node.function is not None:
            raise BadInput(
                f"Node {node.name!r} is a Python function, which the DSPy program cannot hold.", "Export as json."
            )
    shape = graph.structure
    fields = _identifiers([*shape.queries, *shape.order])
    steps, calls = [], []
    for name in shape.order:
        node = graph.nodes[name]
        wanted = ", ".join(fields[source] for source in node.inputs)
        words = " ".join([node.task, node.output_format]).strip()
        signature = f'dspy.Signature("{wanted} -> {fields[name]}", {words!r})'
        steps.append(f"        self.{fields[name]}_node = dspy.ChainOfThought({signature})")
        given = ", ".join(f"{fields[source]}={fields[source]}" for source in node.inputs)
        calls.append(f"        {fields[name]} = self.{fields[name]}_node({given}).{fields[name]}")
    answer = fields[graph.output.name]
    return "\n".join(
        [
            '"""Instructions optimised by `tenfold semgrad run`, as a DSPy program."""',
            "",
            "import dspy",
            "",
            "",
            "class Program(dspy.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *steps,
            "",
            f"    def forward(self, {', '.join(fields[name] for name in shape.queries)}):",
            *calls,
            f"        return dspy.Prediction({answer}={answer})",
            "",
        ]
    )


def _identifiers(names: list[str]) -> Mapping[str, Any]:
    """A Python name for each, all different."""
    found: dict[str, str] = {}
    for name in names:
        made = re.sub(r"\W", "_", name).lower()
        while keyword.iskeyword(made) or made in _TAKEN or made in found.values():
            made += "_"
        found[name] = made
    return found
