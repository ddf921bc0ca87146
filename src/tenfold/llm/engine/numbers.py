"""Numbers that stand in the question, and what can be done to a number."""

import re
from functools import lru_cache

from tenfold.llm.engine.forms import Context, Form, Value, number

__all__ = ["FORMS", "numbers"]


@lru_cache(maxsize=4096)
def numbers(text: str) -> tuple[int, ...] | None:
    """The integers written with digits in a text, in their order; None if there is none."""
    return tuple(int(found) for found in _INTEGER.findall(text[:20_000])[:1000]) or None


def _report(which: str):
    choose = {"first": lambda v: v[0], "last": lambda v: v[-1], "largest": max, "smallest": min}[which]

    def run(context: Context) -> Value | None:
        found = numbers(context.text)
        return choose(found) if found else None

    return run


def _change(change: str):
    def run(value: Value | None, _context: Context) -> Value | None:
        found = number(str(value))
        if found is None:
            return None
        return {"Negate": -found, "Double": 2 * found, "Halve": found // 2}[change]

    return run


def _more(limit: str):
    def run(value: Value | None, _context: Context) -> Value | None:
        found = number(str(value))
        return None if found is None else "Yes" if found > int(limit) else "No"

    return run


_INTEGER = re.compile(r"(?<![\w.])-?\d{1,15}(?![\w.]*\w)")

FORMS = (
    Form(
        "Report the {which} number.",
        "leaf",
        "That one of the integers in digits that stand in the question.",
        _report,
        {"which": ("first", "last", "largest", "smallest")},
    ),
    Form(
        "{change} the result.",
        "then",
        "Changes the number that the sentences before it made (half of an odd number is rounded down).",
        _change,
        {"change": ("Negate", "Double", "Halve")},
        proposed=False,
    ),
    Form(
        "Answer Yes if the result is more than {limit}, else No.",
        "then",
        "Compares the number that the sentences before it made.",
        _more,
        open_slots={"limit": (r"-?\d{1,9}", ("0",))},
        proposed=False,
    ),
)
