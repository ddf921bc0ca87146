"""A graph of prompts and plain Python functions: any directed acyclic graph with one output (section 1.1 of the spec).

An input of a node is another node or a query variable; a name that is no node's is a query variable. Inputs may be named
before their node is made, so that files can list nodes in any order; `Graph.validate` finds cycles and loose ends.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.files import write_atomic, write_json
from tenfold.llm.types import whole

__all__ = ["LEVELS", "Graph", "Node", "Structure", "fill", "read_plain", "without_functions"]

LEVELS = ("full", "self", "bare", "none")
FILE_LIMIT = 16 << 20
_NAME = re.compile(r"[^\W\d][\w \-]{0,79}")
_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes:
        name: letters, digits, blanks, hyphens and underscores.
        instruction: what a model is told to do; of a function, what it does in words (empty = its docstring's first line).
        inputs: names of query variables and nodes, in the order in which their values are shown or passed.
        output: whether its value is the graph's answer.
        function: plain Python, function(*values) -> value, in place of a model.
        partials: for numeric gradients: partials(*values) -> one partial derivative for each input (a sequence, a mapping
            by input, or a number when there is one input); or a sequence of such functions, one for each input.
        parameters: more texts that can be optimised, by slot; their full name is NODE.SLOT.
        template: the whole prompt, with {instruction}, {slot} and {input} to be replaced; None = the standard prompt, in
            which the slots follow the instruction.
        output_format: sentence at the end of the standard prompt.
        trainable: whether its texts may be changed.
        neighbourhood: level of this node's backward call, whatever the graph's is: full, self, bare or none.
    """

    name: str
    instruction: str = ""
    inputs: tuple[str, ...] = ()
    output: bool = False
    function: Callable[..., Any] | None = None
    partials: Any = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None
    output_format: str = ""
    trainable: bool = True
    neighbourhood: str | None = None

    @property
    def texts(self) -> dict[str, str]:
        """Its text parameters by full name: NODE for the instruction, NODE.SLOT for the others."""
        if self.function is not None:
            return {}
        return {self.name: self.instruction, **{f"{self.name}.{slot}": text for slot, text in self.parameters.items()}}

    @property
    def task(self) -> str:
        """What it does, in words: instruction and slots; of a function without instruction, its docstring's first line."""
        if self.function is not None and not self.instruction:
            words = (getattr(self.function, "__doc__", None) or "").strip().splitlines()
            return words[0] if words else f"Compute {self.name}."
        return "\n".join([self.instruction, *self.parameters.values()])


class Structure(NamedTuple):
    """What follows from the edges; positions count the nodes in topological order.

    Attributes:
        order: names of the nodes, every node after its predecessors.
        position: name -> position.
        predecessors: positions of the nodes among a node's inputs, in the order of its inputs.
        successors: positions of the nodes that take a node's value, without repetition.
        queries: names of the query variables in the order of their first use.
    """

    order: tuple[str, ...]
    position: Mapping[str, int]
    predecessors: tuple[tuple[int, ...], ...]
    successors: tuple[tuple[int, ...], ...]
    queries: tuple[str, ...]


class Graph:
    """A graph of nodes. Build it with `node`; `with_instructions` gives a changed copy.

    Attributes:
        nodes: by name, in the order in which they were made.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._structure: Structure | None = None

    def node(
        self,
        name: str,
        instruction: str | None = None,
        *,
        inputs: Iterable["str | Node"],
        output: bool = False,
        function: Callable[..., Any] | None = None,
        partials: Any = None,
        parameters: Mapping[str, str] | None = None,
        template: str | None = None,
        output_format: str = "",
        trainable: bool = True,
        neighbourhood: str | None = None,
    ) -> Node:
        """Add a node; see `Node` for the arguments.

        Raises:
            BadInput: the name is taken or no name, a text is missing, an input stands twice, a level is unknown.
        """
        if isinstance(inputs, (str, Node)):
            inputs = [inputs]
        names = tuple(item.name if isinstance(item, Node) else item for item in inputs)
        made = Node(
            name, instruction or "", names, output, function, partials, dict(parameters or {}), template,
            output_format, trainable and function is None, neighbourhood,
        )  # fmt: skip
        if isinstance(name, str) and name in self.nodes:
            raise BadInput(f"Two nodes are named {name!r}.", "Names tell nodes apart: give each its own.")
        _check_node(made)
        self.nodes[name] = made
        self._structure = None
        return made

    @property
    def structure(self) -> Structure:
        """Order and edges.

        Raises:
            BadInput: there is a cycle; its nodes are named in order.
        """
        if self._structure is None:
            self._structure = _structure(self.nodes)
        return self._structure

    @property
    def queries(self) -> tuple[str, ...]:
        """Names of the query variables."""
        return self.structure.queries

    @property
    def output(self) -> Node:
        """The node whose value is the answer.

        Raises:
            BadInput: no node, or more than one, is the output.
        """
        found = [node for node in self.nodes.values() if node.output]
        if len(found) == 1:
            return found[0]
        if not self.nodes:
            raise BadInput("The graph has no nodes.")
        names = ", ".join(node.name for node in found)
        message = f"The graph has {len(found)} outputs: {names}." if found else "No node of the graph is the output."
        raise BadInput(message, "Mark exactly one node with output = true.")

    @property
    def instructions(self) -> dict[str, str]:
        """Every text parameter by name: NODE for an instruction, NODE.SLOT for the others."""
        return {name: text for node in self.nodes.values() for name, text in node.texts.items()}

    @property
    def trainable(self) -> tuple[str, ...]:
        """Names of the text parameters that may be changed."""
        return tuple(name for node in self.nodes.values() if node.trainable for name in node.texts)

    def owner(self, parameter: str) -> Node:
        """The node that a text parameter belongs to."""
        return self.nodes[parameter.partition(".")[0]]

    def with_instructions(self, changes: Mapping[str, str]) -> "Graph":
        """A copy with some text parameters changed; edges, levels and everything else stay.

        Raises:
            BadInput: a name is no text parameter of this graph, or a text is empty.
        """
        made = Graph()
        made.nodes = dict(self.nodes)
        made._structure = self._structure
        for parameter, text in changes.items():
            name, _, slot = parameter.partition(".")
            node = made.nodes.get(name)
            if node is None or parameter not in node.texts:
                known = ", ".join(self.instructions) or "none"
                raise BadInput(f"The graph has no text parameter {parameter!r}.", f"It has: {known}.")
            if not isinstance(text, str) or not text.strip():
                raise BadInput(f"The text of {parameter!r} is empty.")
            changed = {"parameters": {**node.parameters, slot: text}} if slot else {"instruction": text}
            made.nodes[name] = replace(node, **changed)
        return made

    def validate(self) -> "Graph":
        """Check the whole graph; returns it.

        Raises:
            BadInput: a cycle, no or two outputs, nodes that do not lead to the output, a template that does not fit.
        """
        output = self.output.name
        shape = self.structure
        reached = {shape.position[output]}
        for place in range(len(shape.order) - 1, -1, -1):
            if place in reached:
                reached.update(shape.predecessors[place])
        loose = [name for place, name in enumerate(shape.order) if place not in reached]
        if loose:
            names = ", ".join(loose[:5]) + (f" and {len(loose) - 5} more" if len(loose) > 5 else "")
            raise BadInput(f"No path leads to the output {output!r} from: {names}.", "Connect them, or take them out.")
        if not shape.queries:
            raise BadInput("No node takes a query variable, so every question gets the same answer.")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, defaults left out; functions are named, `from_dict` wants them back."""
        return {"nodes": [_node_to_dict(node) for node in self.nodes.values()]}

    @classmethod
    def from_dict(cls, found: Any, functions: Mapping[str, Callable[..., Any]] | None = None) -> "Graph":
        """The inverse of `to_dict`, checked.

        Args:
            found: {"nodes": [{"name", "instruction", "inputs", "output", ...}, ...]}.
            functions: the functions of nodes that have one, by node.

        Raises:
            BadInput: it is no such value, or the graph does not hold; the message names the node.
        """
        nodes = found.get("nodes") if isinstance(found, Mapping) else None
        if not isinstance(nodes, Sequence) or isinstance(nodes, str) or not nodes:
            raise BadInput("A graph needs a list of nodes.", "Write nodes: [{name, instruction, inputs, output}, ...].")
        graph = cls()
        for number, entry in enumerate(nodes, start=1):
            graph.node(**_node_from_dict(entry, number, functions or {}))
        return graph.validate()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a .json or .yaml file, atomically."""
        path = Path(path)
        if path.suffix.lower() in (".yaml", ".yml"):
            import yaml

            return write_atomic(path, yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=120))
        return write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str], functions: Mapping[str, Callable[..., Any]] | None = None) -> "Graph":
        """Read a file that `save` wrote, or one written by hand.

        Raises:
            BadInput: the file cannot be read, or holds no graph.
        """
        try:
            return cls.from_dict(read_plain(path), functions)
        except BadInput as error:
            prefix = "" if str(path) in error.message else f"{path}: "
            raise BadInput(prefix + error.message, error.hint) from error


def without_functions(found: Any) -> Graph:
    """A graph from plain values, to look at: its Python functions are not needed; calling one raises `BadInput`."""
    nodes = found.get("nodes") if isinstance(found, Mapping) else None
    nodes = nodes if isinstance(nodes, list) else []
    names = [node["name"] for node in nodes if isinstance(node, Mapping) and "function" in node and "name" in node]
    return Graph.from_dict(found, dict.fromkeys(map(str, names), _absent))


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with each {name} that `values` knows replaced, in one pass: replaced text is not read again."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def read_plain(path: str | os.PathLike[str], limit: int = FILE_LIMIT) -> Any:
    """Plain values from a JSON or YAML file (safe loader, no aliases that unfold without end).

    Raises:
        BadInput: missing, too large, not UTF-8, or neither JSON nor YAML; the message names the line.
    """
    import yaml

    path = Path(path)
    try:
        if path.stat().st_size > limit:
            raise BadInput(f"{path} has {path.stat().st_size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB.")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise BadInput(f"{path} uses YAML aliases, which are not read here.", "Write the values out.")
        return yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not valid JSON at line {error.lineno}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BadInput(f"{path} is not valid YAML{f' at line {mark.line + 1}' if mark else ''}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON or YAML.") from error


def _absent(*values: Any) -> Any:
    raise BadInput("The Python functions of this graph were not read back.", "Give them to Graph.load.")


def _check_node(node: Node) -> None:
    if not isinstance(node.name, str) or not _NAME.fullmatch(node.name):
        raise BadInput(f"{node.name!r} is no name for a node.", "Use letters, digits, blanks, - and _; begin with a letter.")
    wrong = [item for item in node.inputs if not isinstance(item, str) or not _NAME.fullmatch(item)]
    if wrong:
        raise BadInput(f"Node {node.name!r} has the input {wrong[0]!r}, which is neither a node nor a name.")
    if node.neighbourhood is not None and node.neighbourhood not in LEVELS:
        message = f"Node {node.name!r} has the neighbourhood {node.neighbourhood!r}."
        raise BadInput(message, f"Levels are: {', '.join(LEVELS)}.")
    if node.function is not None:
        if not callable(node.function):
            raise BadInput(f"The function of node {node.name!r} cannot be called.")
        return
    if not isinstance(node.instruction, str) or not node.instruction.strip():
        raise BadInput(f"Node {node.name!r} has no instruction.", "Give it an instruction, or a function.")
    broken = [text for text in (*node.texts.values(), node.template, node.output_format) if str(text) != whole(str(text))]
    if broken:
        raise BadInput(f"A text of node {node.name!r} holds half a character (a lone surrogate).")
    if len(set(node.inputs)) < len(node.inputs):
        doubled = next(item for item in node.inputs if node.inputs.count(item) > 1)
        raise BadInput(f"Node {node.name!r} has the input {doubled!r} twice.")
    for slot, text in node.parameters.items():
        if not isinstance(slot, str) or not re.fullmatch(r"[^\W\d]\w*", slot) or slot == "instruction":
            raise BadInput(f"Node {node.name!r} has a parameter named {slot!r}.", "Use letters, digits and _.")
        if not isinstance(text, str) or not text.strip():
            raise BadInput(f"The text of {node.name}.{slot} is empty.")
        if slot in node.inputs:
            raise BadInput(f"Node {node.name!r} has an input and a parameter named {slot!r}.")
    if node.template is not None:
        _check_template(node)


def _check_template(node: Node) -> None:
    if not isinstance(node.template, str):
        raise BadInput(f"The template of node {node.name!r} is not text.")
    placed = set(_PLACEHOLDER.findall(node.template))
    edges = {item.replace(" ", "_").replace("-", "_"): item for item in node.inputs}
    for name in sorted(placed - {"instruction", *node.parameters, *edges}):
        message = (
            f"The template of node {node.name!r} has the placeholder {{{name}}}, but no input or parameter of that name."
        )
        raise BadInput(message, f"Add {name} to the node's inputs, or take the placeholder out.")
    for name in ["instruction", *node.parameters, *edges]:
        if name not in placed:
            message = f"The template of node {node.name!r} does not use {edges.get(name, name)!r}."
            raise BadInput(message, f"Put {{{name}}} into the template, or take the input or parameter out.")


def _structure(nodes: Mapping[str, Node]) -> Structure:
    waiting = dict.fromkeys(nodes, 0)
    followers: dict[str, list[str]] = {name: [] for name in nodes}
    queries: dict[str, None] = {}
    for name, node in nodes.items():
        for source in dict.fromkeys(node.inputs):
            if source in nodes:
                followers[source].append(name)
                waiting[name] += 1
            else:
                queries[source] = None
    order = [name for name, count in waiting.items() if not count]
    for name in order:  # grows while it is read: Kahn's algorithm
        for follower in followers[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    if len(order) < len(nodes):
        cycle = _cycle(nodes, {name for name, count in waiting.items() if count})
        raise BadInput(f"The graph has a cycle: {' -> '.join(cycle)}.", "Take one of these edges out.")
    position = {name: place for place, name in enumerate(order)}
    return Structure(
        tuple(order),
        position,
        tuple(tuple(position[source] for source in nodes[name].inputs if source in nodes) for name in order),
        tuple(tuple(position[follower] for follower in followers[name]) for name in order),
        tuple(queries),
    )


def _cycle(nodes: Mapping[str, Node], stuck: set[str]) -> list[str]:
    """A cycle among nodes that all have a predecessor in the set: walk back until a name comes again."""
    walked: dict[str, int] = {}
    name = next(name for name in nodes if name in stuck)
    while name not in walked:
        walked[name] = len(walked)
        name = next(source for source in nodes[name].inputs if source in stuck)
    found = [*list(walked)[walked[name] :], name]
    return found[::-1]


def _node_to_dict(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"name": node.name, "instruction": node.instruction, "inputs": list(node.inputs)}
    if node.function is not None:
        found["function"] = f"{node.function.__module__}:{getattr(node.function, '__qualname__', node.function)}"
    for name, default in (("output", False), ("template", None), ("output_format", ""), ("neighbourhood", None)):
        if getattr(node, name) != default:
            found[name] = getattr(node, name)
    if node.parameters:
        found["parameters"] = dict(node.parameters)
    if not node.trainable and node.function is None:
        found["trainable"] = False
    return found


_KEYS = {
    "name": str, "instruction": str, "inputs": list, "output": bool, "template": str, "output_format": str,
    "neighbourhood": str, "parameters": Mapping, "trainable": bool, "function": str,
}  # fmt: skip


def _node_from_dict(entry: Any, number: int, functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise BadInput(f"Node {number} of the graph has no name.", "Each node is {name, instruction, inputs, output}.")
    name = entry["name"]
    made = {key: value for key, value in entry.items() if value is not None}
    for key, value in made.items():
        if key not in _KEYS:
            raise BadInput(f"Node {name!r} has the unknown key {key!r}.", f"Keys are: {', '.join(_KEYS)}.")
        if not isinstance(value, _KEYS[key]):
            kind = {"list": "a list", "bool": "true or false", "str": "text"}.get(_KEYS[key].__name__, "a table")
            raise BadInput(f"Node {name!r}: {key} must be {kind}.")
    made.setdefault("inputs", [])
    if "function" in made:
        if name not in functions:
            message = f"Node {name!r} is the Python function {made['function']}, which a file cannot hold."
            raise BadInput(message, "Give it to from_dict or load as functions={name: function}.")
        made["function"] = functions[name]
    return made
