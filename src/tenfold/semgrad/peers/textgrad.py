"""TextGrad: every instruction and every value is a variable; feedback goes back function by function."""

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from tenfold.core.extras import require
from tenfold.semgrad.peers.bench import Answer, Bench

__all__ = ["improve"]


def improve(bench: Bench) -> None:
    """Steps of textual gradient descent: backward on wrong answers, then its optimiser on each instruction."""
    tg = require("textgrad", "peers")
    logger = logging.getLogger("textgrad")
    logger.handlers.clear()  # it would write every prompt to a file
    logger.setLevel(logging.CRITICAL)
    engine = _engine(tg, bench)

    def propose(instructions: Mapping[str, str], shown: list[Answer]) -> dict[str, str]:
        variables = {
            name: tg.Variable(text, role_description=f"the instruction of the part {name!r} of a system")
            for name, text in instructions.items()
        }
        tg.sum([_loss(tg, bench, variables, answer) for answer in shown]).backward(engine)
        for variable in variables.values():
            with contextlib.suppress(IndexError):  # a reply without its tags: the instruction stays
                tg.TGD(parameters=[variable], engine=engine).step()
        return {name: variable.value for name, variable in variables.items()}

    bench.climb(propose)


def _engine(tg: Any, bench: Bench) -> Any:
    class Engine(tg.EngineLM):
        model_string = "tenfold"

        def generate(self, prompt: Any, system_prompt: str | None = None, **_: Any) -> str:
            role = "optimise" if "<IMPROVED_VARIABLE>" in (system_prompt or "") else "backward"
            return bench.ask(str(prompt), system=system_prompt or "", role=role)

        __call__ = generate

    return Engine()


def _loss(tg: Any, bench: Bench, variables: Mapping[str, Any], answer: Answer) -> Any:
    """The graph on one sample in TextGrad's own variables, and the score of its answer as the loss."""
    string_function = require("textgrad.autograd.string_based_ops", "peers").StringBasedFunction
    values = {
        name: tg.Variable(str(answer.sample[name]), requires_grad=False, role_description=f"the {name} to the system")
        for name in bench.graph.queries
    }
    for name in bench.graph.structure.order:
        node = bench.graph.nodes[name]

        # this sample's forward calls were made and paid when it was found wrong: its values are the same
        known = answer.values[name]
        purpose = f"a language model that follows the instruction of {name!r} on its inputs"
        function = string_function(lambda _known=known, **_: _known, function_purpose=purpose)
        inputs = {"instruction": variables[name], **{_argument(item): values[item] for item in node.inputs}}
        values[name] = function(inputs=inputs, response_role_description=f"the output of the part {name!r}")
    target = tg.Variable(answer.feedback, requires_grad=False, role_description="what the output should be")
    judge = string_function(
        lambda output, wanted: str(bench.score(answer.sample, output.value)[0]),
        function_purpose="the score of the output: 1 if it is right, 0 if not",
    )
    return judge(inputs={"output": values[bench.graph.output.name], "wanted": target})


def _argument(name: str) -> str:
    return "input_" + "".join(letter if letter.isalnum() else "_" for letter in name)
