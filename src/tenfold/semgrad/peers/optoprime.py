"""OptoPrime of Trace: the whole computation of the shown samples, with feedback, in one call of the optimiser."""

import contextlib
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tenfold.core.extras import require
from tenfold.semgrad.peers.bench import Answer, Bench

__all__ = ["improve"]


def improve(bench: Bench) -> None:
    """Steps of OptoPrime: trace wrong answers, feed back on both at once, let it suggest new instructions."""
    trace, optimizers = require("opto.trace", "peers"), require("opto.optimizers", "peers")
    join = _joiner(trace)

    def propose(instructions: Mapping[str, str], shown: list[Answer]) -> dict[str, str]:
        trace.GRAPH.clear()
        parameters = {
            name: trace.node(text, name=f"instruction_{_word(name)}", trainable=True) for name, text in instructions.items()
        }
        outputs = [_traced(trace, bench, parameters, answer) for answer in shown]
        optimizer = optimizers.OptoPrime(list(parameters.values()), llm=_Model(bench), log=False)
        optimizer.zero_feedback()
        optimizer.backward(join(*outputs), "\n".join(f"ID {i}: {answer.feedback}" for i, answer in enumerate(shown)))
        with contextlib.suppress(Exception):  # a suggestion that it cannot read or format: the instructions stay
            optimizer.step()
        return {name: str(parameter.data) for name, parameter in parameters.items()}

    bench.climb(propose)


class _Model:
    """What OptoPrime calls: messages in, a reply in the shape of OpenAI's."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def __call__(self, messages: list[dict[str, str]], max_tokens: int = 4096, **_: Any) -> Any:
        system, user = (next((m["content"] for m in messages if m["role"] == role), "") for role in ("system", "user"))
        text = self._bench.ask(user, system=system, role="optimise", max_tokens=max_tokens)
        return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=text))])


def _operator(trace: Any, name: str, known: str) -> Any:
    """A node as an operator of Trace. The sample's calls were made and paid when it was found wrong: its value is known."""

    def ask_model(instruction: str, *inputs: str) -> str:
        return known

    ask_model.__qualname__ = _word(name)  # Trace shows it as the function's name
    return trace.bundle(description=f"[{_word(name)}] A language model follows the instruction on the inputs.")(ask_model)


def _joiner(trace: Any) -> Any:
    def outputs_by_id(*outputs: str) -> str:
        """The outputs of the samples, each under its ID."""
        return "\n".join(f"ID {number}: {output}" for number, output in enumerate(outputs))

    outputs_by_id.__qualname__ = "outputs_by_id"
    return trace.bundle(description="[outputs_by_id] The outputs of the samples, each under its ID.")(outputs_by_id)


def _traced(trace: Any, bench: Bench, parameters: Mapping[str, Any], answer: Answer) -> Any:
    values = {name: trace.node(str(answer.sample[name]), name=_word(name)) for name in bench.graph.queries}
    for name in bench.graph.structure.order:
        inputs = [values[item] for item in bench.graph.nodes[name].inputs]
        values[name] = _operator(trace, name, answer.values[name])(parameters[name], *inputs)
    return values[bench.graph.output.name]


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name)
