"""Counting tokens without a tokenizer: an estimate for reports, and a bound for budgets."""

from collections.abc import Iterable
from typing import Any

from tenfold.llm.types import Request, Usage

__all__ = ["estimate", "estimated_usage", "most_prompt_tokens"]

# A byte-level tokenizer never makes more tokens than bytes; a chat template adds a few tokens to each message.
_OVERHEAD = 16
# What common vendors count at most for a picture of usual size; none says it in bytes.
_IMAGE = 2000


def estimate(text: str) -> int:
    """Tokens of a text, about: one for four bytes, rounded up."""
    length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return (length + 3) >> 2


def estimated_usage(request: Request, texts: Iterable[str]) -> Usage:
    """The usage of a request where nothing counted it, marked as estimated."""
    prompt = sum(estimate(message.text) for message in request.messages)
    return Usage(prompt, sum(estimate(text) for text in texts), 0, True)


def most_prompt_tokens(request: Request) -> int:
    """A number of prompt tokens that the request does not pass: its bytes, and some for each message and image."""
    total = _OVERHEAD
    for message in request.messages:
        total += _OVERHEAD + _bytes(message.text)
        if not isinstance(message.content, str):
            total += sum(_IMAGE for part in message.content if part["type"] == "image")
        total += sum(_OVERHEAD + _bytes(call.name + call.arguments) for call in message.tool_calls)
    for tool in request.tools:
        total += _OVERHEAD + _bytes(tool.name + tool.description) + _json_bytes(tool.parameters)
    return total + (_json_bytes(request.json_schema) if request.json_schema else 0)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _json_bytes(value: Any) -> int:
    import json

    return _bytes(json.dumps(value))
