"""Counting a list: `I have a lamp, two chairs, and a fridge. How many objects do I have?`"""

import re
from functools import lru_cache

from tenfold.llm.engine.forms import Context, Form, Value

__all__ = ["FORMS", "items"]

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
QUANTITIES = {word: value for value, word in enumerate(WORDS)} | {"a": 1, "an": 1, "the": 1}


@lru_cache(maxsize=4096)
def items(text: str) -> tuple[int, ...] | None:
    """The quantities of the things listed before "How many", in their order; None if there is no such list."""
    match = _LIST.search(text[:20_000])
    if not match:
        return None
    found = [part.split(None, 1) for part in _COMMA.split(match[1]) if part.strip()]
    return tuple(_quantity(words[0]) for words in found) or None


def _quantity(word: str) -> int:
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else QUANTITIES.get(word.lower(), 1)


def _leaf(part: str, quantities: str):
    def run(context: Context) -> Value | None:
        found = items(context.text)
        if not found:
            return None
        middle = (len(found) + 1) // 2
        chosen = {"first half": found[:middle], "second half": found[middle:], "whole": found}[part]
        return sum(chosen) if quantities == "with their quantities" else len(chosen)

    return run


_LIST = re.compile(r"\b(?:have|has|are|is|holds|see)\s+([^.?!:]{1,5000})\.\s+How many\b", re.IGNORECASE)
_COMMA = re.compile(r",\s*and\s+|,\s*|\s+and\s+", re.IGNORECASE)

FORMS = (
    Form(
        "Count the things in the {part} of the list, {quantities}.",
        "leaf",
        'The list before "How many", cut at commas and "and" (the middle one of an odd number belongs to the first half): '
        "the sum of its quantities (two chairs are 2, a lamp is 1), or 1 for each entry.",
        _leaf,
        {"part": ("first half", "second half", "whole"), "quantities": ("with their quantities", "one for each entry")},
    ),
)
