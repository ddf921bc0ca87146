"""Prompts by their text alone: which of the three kinds a prompt is, and what stands in its sections.

A section begins with a line `# Name`; its values are indented by a tab, so that an empty line never stands inside one.
"""

from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import Context

__all__ = ["Example", "context", "examples", "feedback", "hints", "numbered_hints", "sections", "value"]


class Example(NamedTuple):
    """A case in a prompt that asks for a better instruction."""

    context: Context
    hints: tuple[str, ...]
    output: str
    feedback: tuple[str, ...]


def sections(prompt: str) -> dict[str, str]:
    """The sections of a prompt by name; of two with one name the last. "" holds the text outside."""
    found: dict[str, str] = {}
    for block in prompt.split("\n\n"):
        if block.startswith("# "):
            name, _, body = block[2:].partition("\n")
            found[name] = body
        else:
            found[""] = block
    return found


def value(body: str) -> str:
    """A value without its indentation."""
    return body.replace("\n\t", "\n").removeprefix("\t")


@lru_cache(maxsize=8192)
def context(body: str) -> Context:
    """The section Context: values under their titles."""
    named = tuple(_titled(body))
    question = next((text for name, text in named if name == "Question"), None)
    return Context(question if question is not None else "\n".join(text for _, text in named) or value(body), named)


def hints(body: str) -> tuple[str, ...]:
    """The values of the section Hints, in their order."""
    return tuple(value(part.partition(":\n")[2]) for part in f"\n{body}".split("\nHint")[1:]) if body else ()


def numbered_hints(body: str) -> dict[int, str]:
    """The values of the section Hints by number; a hint without a number is 0. At most 1,000."""
    found: dict[int, str] = {}
    for part in f"\n{body}".split("\nHint")[1:1001]:
        head, _, text = part.partition(":\n")
        digits = head.strip()
        found[int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 7 else 0] = value(text)
    return found


def feedback(body: str) -> tuple[str, ...]:
    """The numbered lines of the section Feedback; at most 100."""
    return tuple(line.strip() for line in body.splitlines() if line.strip())[:100]


@lru_cache(maxsize=1024)
def examples(prompt: str) -> tuple[Example, ...]:
    """The examples of a prompt that asks for a better instruction; at most 50."""
    bodies = [body for name, body in sections(prompt).items() if name.startswith("Example")]
    return tuple(_example(body) for body in bodies[:50])


def _example(body: str) -> Example:
    parts = dict(_titled(body))
    shown = sections(parts.get("Input", ""))
    return Example(
        context(shown.get("Context", "")),
        hints(shown.get("Hints", "")),
        parts.get("Output", ""),
        feedback(parts.get("Feedback", "")),
    )


def _titled(body: str) -> list[tuple[str, str]]:
    """Values below lines `Title:`."""
    found: list[tuple[str, list[str]]] = []
    for line in body.split("\n"):
        if line.startswith("\t"):
            if found:
                found[-1][1].append(line[1:])
        elif line.endswith(":"):
            found.append((line[:-1], []))
    return [(name, "\n".join(lines)) for name, lines in found]
