"""COPRO of DSPy: several candidates for each instruction, each tried on all training samples, the best kept."""

import logging
from collections.abc import Mapping
from typing import Any

from tenfold.core.extras import require
from tenfold.semgrad.graph import Node
from tenfold.semgrad.peers.bench import Bench
from tenfold.semgrad.prompts import forward_prompt, parse_output

__all__ = ["improve"]

DEPTH = 3


def improve(bench: Bench) -> None:
    """COPRO's own loop: as many candidates a round as the budget's first round allows, at most its default of 10."""
    dspy = require("dspy", "peers")
    logging.getLogger("dspy").setLevel(logging.CRITICAL)
    nodes = len(bench.graph.nodes)
    breadth = min(10, max(2, bench.calls_left // (len(bench.train) * nodes * nodes)))
    examples = [
        dspy.Example(number=number, **_arguments(bench, sample)).with_inputs("number", *_arguments(bench, sample))
        for number, sample in enumerate(bench.train)
    ]
    settings = {"num_threads": bench.concurrency, "display_progress": False, "display_table": 0}
    optimizer = dspy.COPRO(metric=_Metric(bench), breadth=breadth, depth=DEPTH)
    lm = dspy.LM("tenfold/model", engine=_engine(bench), cache=False, num_retries=0, temperature=0.0)
    with dspy.context(lm=lm, adapter=_adapter(dspy, bench), disable_history=True, max_errors=1):
        optimizer.compile(_program(dspy, bench), trainset=examples, eval_kwargs=settings)


def _arguments(bench: Bench, sample: Mapping[str, Any]) -> dict[str, str]:
    return {f"value_{place}": str(sample[name]) for place, name in enumerate(bench.graph.queries)}


class _Metric:
    """Scores an answer, and notes instructions once all training samples have been scored with them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._scores: dict[tuple[str, ...], dict[int, float]] = {}

    def __call__(self, example: Any, prediction: Any, trace: Any = None) -> float:
        bench = self._bench
        score, _ = bench.score(bench.train[example.number], prediction.output)
        scores = self._scores.setdefault(prediction.instructions, {})
        scores[example.number] = score
        if len(scores) == len(bench.train):
            named = dict(zip(bench.graph.instructions, prediction.instructions, strict=True))
            bench.note(named, sum(scores.values()) / len(scores))
        return score


def _program(dspy: Any, bench: Bench) -> Any:
    """The graph as a DSPy module: a predictor for each node."""
    graph = bench.graph
    queries = {name: f"value_{place}" for place, name in enumerate(graph.queries)}

    class Program(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [dspy.Predict(_signature(dspy, node)) for node in graph.nodes.values()]

        def forward(self, number: int, **found: str) -> Any:
            values = {name: found[argument] for name, argument in queries.items()}
            parts = dict(zip(graph.nodes, self.parts, strict=True))
            for name in graph.structure.order:
                inputs = {f"input_{i}": values[item] for i, item in enumerate(graph.nodes[name].inputs)}
                values[name] = getattr(parts[name](**inputs), _field(name))
            instructions = tuple(part.signature.instructions for part in self.parts)
            return dspy.Prediction(output=values[graph.output.name], instructions=instructions)

    return Program()


def _signature(dspy: Any, node: Node) -> Any:
    fields: dict[str, Any] = {f"input_{i}": (str, dspy.InputField()) for i in range(len(node.inputs))}
    fields[_field(node.name)] = (str, dspy.OutputField())
    return dspy.Signature(fields, node.instruction)


def _field(name: str) -> str:
    return "output_of_" + "".join(letter if letter.isalnum() else "_" for letter in name)


def _adapter(dspy: Any, bench: Bench) -> Any:
    """Our prompt for the graph's nodes, DSPy's own for everything that COPRO asks."""
    nodes = {_field(node.name): node for node in bench.graph.nodes.values()}

    class Adapter(dspy.ChatAdapter):
        def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> list[dict[str, Any]]:
            node = nodes.get(next(iter(signature.output_fields)))
            if node is None:
                return super().format(signature, demos, inputs)
            values = {item: str(inputs[f"input_{i}"]) for i, item in enumerate(node.inputs)}
            queries = {name: text for name, text in values.items() if name not in bench.graph.nodes}
            hints = [text for name, text in values.items() if name in bench.graph.nodes]
            return [{"role": "user", "content": forward_prompt(signature.instructions, queries, hints, node.output_format)}]

        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            field = next(iter(signature.output_fields))
            return {field: parse_output(completion)} if field in nodes else super().parse(signature, completion)

    return Adapter()


def _engine(bench: Bench) -> Any:
    """DSPy's execution backend: one request in, one reply out."""
    wire = require("dspy.lm15", "peers")

    class Engine:
        def complete(self, request: Any) -> Any:
            system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system or ())
            prompt = "\n\n".join(message.text or "" for message in request.messages)
            config = request.config
            role = "optimise" if system else "forward"  # our forward prompts have no system message
            text = bench.ask(prompt, system=system, role=role, temperature=getattr(config, "temperature", None) or 0.0)
            usage = wire.Usage(input_tokens=0, output_tokens=0, total_tokens=0)
            message = wire.Message.assistant([wire.TextPart(text)])
            return wire.Response(id=None, model="tenfold", message=message, finish_reason="stop", usage=usage)

        def stream(self, request: Any) -> Any:
            return wire.response_to_events(self.complete(request))

        def close(self) -> None:
            pass

    return Engine()
