"""Arithmetic in brackets: `((1 + 2 * -3) - (4 * 5 + 6)) =`."""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import Context, Form, Value, number

__all__ = ["FORMS", "Brackets", "brackets", "evaluate"]

ORDERS = {
    "multiplying first": ("*", "+-"),
    "adding and subtracting first": ("+-", "*"),
    "left to right": ("+-*",),
    "right to left": ("+-*",),
}


class Brackets(NamedTuple):
    """Innermost brackets of a question: their tokens (integer, operator, integer, ...), and the operators between them."""

    bodies: tuple[tuple[int | str, ...], ...]
    operators: tuple[str, ...]


@lru_cache(maxsize=4096)
def brackets(text: str) -> Brackets | None:
    """The innermost brackets of a text; None if it has none that is a sum or product of integers."""
    found = [(match, _tokens(match[1])) for match in _BRACKET.finditer(text[:20_000])]
    found = [(match, tokens) for match, tokens in found if tokens]
    if not found:
        return None
    between = [text[a.end() : b.start()].strip(" ()") for (a, _), (b, _) in itertools.pairwise(found)]
    return Brackets(tuple(tokens for _, tokens in found), tuple(between))


def evaluate(tokens: Sequence[int | str], order: str) -> int:
    """The value of integer, operator, integer, ... in an order of `ORDERS`."""
    left = list(tokens)
    if order == "right to left":
        while len(left) > 1:
            left[-3:] = [_apply(left[-2], left[-3], left[-1])]
        return int(left[0])
    for operators in ORDERS[order]:
        done = left[:1]
        for operator, right in zip(left[1::2], left[2::2], strict=True):
            if str(operator) in operators:
                done[-1] = _apply(operator, done[-1], right)
            else:
                done += [operator, right]
        left = done
    return int(left[0])


def _leaf(bracket: str, order: str):
    place = int(bracket) - 1

    def run(context: Context) -> Value | None:
        found = brackets(context.text)
        return evaluate(found.bodies[place], order) if found and place < len(found.bodies) else None

    return run


def _combine():
    def run(context: Context, hints: tuple[str, ...]) -> Value | None:
        found = brackets(context.text)
        values = [number(hint) for hint in hints]
        if not found or len(found.operators) != len(hints) - 1 or None in values:
            return None
        if any(operator not in ("+", "-", "*") for operator in found.operators):
            return None
        tokens: list[int | str] = [values[0] or 0]
        for operator, value in zip(found.operators, values[1:], strict=True):
            tokens += [operator, value or 0]
        return evaluate(tokens, "multiplying first")

    return run


def _apply(operator: int | str, a: int | str, b: int | str) -> int:
    a, b = int(a), int(b)
    return a + b if operator == "+" else a - b if operator == "-" else a * b


def _tokens(body: str) -> tuple[int | str, ...] | None:
    """Integers and operators in turn, or None; at most 64 integers, so that products stay small."""
    if not _EXPRESSION.fullmatch(body):
        return None
    tokens: list[int | str] = []
    for integer, operator in _TERM.findall(body):
        tokens += [int(integer), operator] if operator else [int(integer)]
    return tuple(tokens) if 1 < len(tokens) < 128 else None


_BRACKET = re.compile(r"\(([^()]{1,1000})\)")
_EXPRESSION = re.compile(r"\s*-?\d{1,9}(?:\s*[-+*]\s*-?\d{1,9})*\s*")
_TERM = re.compile(r"(-?\d+)\s*([-+*])?")

FORMS = (
    Form(
        "Evaluate bracket {bracket}, {order}.",
        "leaf",
        "The value of the bracket with that number (innermost brackets of integers with +, - and *, counted from the "
        "left): multiplying before adding and subtracting; adding and subtracting before multiplying; or every operator "
        "in its place from the left, or from the right.",
        _leaf,
        {"bracket": ("1", "2"), "order": tuple(ORDERS)},
    ),
    Form(
        "Combine the hints with the operator between the brackets.",
        "combine",
        "Hint 1, hint 2, ... joined by the operators that stand between the question's brackets, multiplying first.",
        _combine,
    ),
)
