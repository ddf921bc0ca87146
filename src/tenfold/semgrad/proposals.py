"""New texts for parameters, asked of the model of the role `optimise`; what cannot be used is dropped with its reason."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tenfold.core.errors import TenfoldError
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.backward import Gradients
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.prompts import Example, input_blocks, optimise_prompt, parse_instruction
from tenfold.semgrad.runtime import GREEDY, Sampling, node_inputs

__all__ = ["Proposals", "propose"]


class Proposals(NamedTuple):
    """New texts by parameter, and why others were dropped."""

    texts: dict[str, str]
    dropped: dict[str, str]


def propose(
    graph: Graph,
    parameters: Sequence[str],
    values: Sequence[Mapping[str, Any]],
    gradients: Sequence[Gradients | None],
    calls: Calls,
    *,
    sampling: Sampling = GREEDY,
    longest: int = 4000,
) -> Proposals:
    """Ask for a new text for each parameter, all at once.

    Args:
        graph: whose parameters they are.
        parameters: to be changed.
        values: of the drawn samples.
        gradients: of the same samples; None = no feedback may be shown (the level none).
        calls: to the model.
        sampling: how replies are drawn.
        longest: characters of a text; longer ones are dropped.
    """
    found = Proposals({}, {})
    for parameter in parameters:
        node = graph.owner(parameter)
        examples = []
        for sample, gradient in zip(values, gradients, strict=True):
            queries, hints = node_inputs(node, sample, graph.nodes)
            received = () if gradient is None else tuple(gradient[node.name])
            examples.append(Example(input_blocks(queries, hints), str(sample[node.name]), received))
        shown = [example for example in examples if example.feedback]
        if not shown and any(gradient is not None for gradient in gradients):
            found.dropped[parameter] = "no feedback"
            continue
        prompt = optimise_prompt(graph.instructions[parameter], shown or examples)
        request = Request.of(prompt, tag=f"optimise:{parameter}", **sampling.settings())
        calls.ask("optimise", request, partial(_answered, found, parameter, graph.instructions[parameter], longest))
    calls.run()
    order = list(parameters)
    return Proposals(
        {name: found.texts[name] for name in order if name in found.texts},
        {name: found.dropped[name] for name in order if name in found.dropped},
    )


def _answered(
    found: Proposals, parameter: str, current: str, longest: int, reply: Reply | None, error: TenfoldError | None
) -> None:
    text = None if reply is None else parse_instruction(reply.text)
    if error is not None:
        found.dropped[parameter] = "failed"
    elif text is None:
        found.dropped[parameter] = "no tags"
    elif " ".join(text.split()) == " ".join(current.split()):
        found.dropped[parameter] = "identical"
    elif len(text) > longest:
        found.dropped[parameter] = "too long"
    else:
        found.texts[parameter] = text
