"""A node's own job: the instruction's sentences, carried out on what the prompt shows."""

from functools import lru_cache

from tenfold.llm.engine import blocks
from tenfold.llm.engine.forms import Context
from tenfold.llm.engine.language import Program, program

__all__ = ["answer"]


def answer(task: str, context: str, hints: str) -> str:
    """The reply to a prompt of a node's own job.

    Args:
        task, context, hints: the bodies of the sections with these names; empty where there is none.
    """
    found = program(blocks.value(task))
    if not found.uses_hints:
        return _without_hints(found, context)
    return _reply(found, blocks.context(context), blocks.hints(hints))


@lru_cache(maxsize=1 << 14)
def _without_hints(found: Program, context: str) -> str:
    return _reply(found, blocks.context(context), ())


def _reply(found: Program, context: Context, hints: tuple[str, ...]) -> str:
    value = found.run(context, hints) if found.steps else None
    lines = []
    if found.unknown:
        lines.append(f"I could not follow: {' '.join(found.unknown)}")
    if found.steps and value is None:
        lines.append(f"It has no meaning here: {found.text}")
    if value is None:
        return "\n".join([*lines, "<output>unknown</output>"])
    return "\n".join([*lines, f"{found.text} That gives {value}.", f"<output>{value}</output>"])
