"""Expressions of True, False, and, or, not and brackets."""

import re
from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import Context, Form, Value

__all__ = ["FORMS", "Expression", "expression"]

ORDERS = {
    "and before or": ({"and"}, {"or"}),
    "or before and": ({"or"}, {"and"}),
    "left to right": ({"and", "or"},),
    "right to left": ({"and", "or"},),
    "ignoring every not": ({"and"}, {"or"}),
}


class Expression(NamedTuple):
    """The words of an expression, and those before and after its main operator (both the whole where there is none).

    The main operator is the last `or` outside all brackets, else the last `and` outside all brackets; "" if neither.
    """

    whole: tuple[str, ...]
    before: tuple[str, ...]
    operator: str
    after: tuple[str, ...]


@lru_cache(maxsize=4096)
def expression(text: str) -> Expression | None:
    """The longest well-formed expression that stands in a text; None if there is none."""
    runs = sorted((match[0] for match in _RUN.finditer(text[:20_000])), key=len, reverse=True)
    for run in runs[:20]:
        words = tuple(_WORD.findall(run))
        if len(words) <= 400 and _well_formed(words):
            return _split(words)
    return None


def _split(words: tuple[str, ...]) -> Expression:
    depth, places = 0, {"or": -1, "and": -1}
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in places:
            places[word] = place
    main = places["or"] if places["or"] >= 0 else places["and"]
    if main < 0:
        return Expression(words, words, "", words)
    return Expression(words, words[:main], words[main], words[main + 1 :])


def _well_formed(words: tuple[str, ...]) -> bool:
    depth, operand = 0, True  # operand: the next word must begin one
    for word in words:
        if operand:
            if word in ("True", "False"):
                operand = False
            elif word == "(":
                depth += 1
            elif word != "not":
                return False
        elif word == ")":
            depth -= 1
            if depth < 0:
                return False
        elif word in ("and", "or"):
            operand = True
        else:
            return False
    return not operand and depth == 0


def _evaluate(words: tuple[str, ...], order: str) -> bool:
    """Brackets from the inside out; then the order's operators. `not` belongs to the operand that follows it."""
    levels: list[list[bool | str]] = [[]]
    for word in words:
        if word == "(":
            levels.append([])
        elif word == ")":
            levels[-2].append(_flat(levels.pop(), order))
        else:
            levels[-1].append({"True": True, "False": False}.get(word, word))
    return _flat(levels[0], order)


def _flat(words: list[bool | str], order: str) -> bool:
    terms: list[bool | str] = []
    negate = False
    for word in words:
        if word == "not":
            negate ^= order != "ignoring every not"
        elif isinstance(word, bool):
            terms.append(word ^ negate)
            negate = False
        else:
            terms.append(word)
    if order == "right to left":
        while len(terms) > 1:
            terms[-3:] = [_join(terms[-2], terms[-3], terms[-1])]
    for operators in ORDERS[order]:
        done = terms[:1]
        for operator, right in zip(terms[1::2], terms[2::2], strict=True):
            if operator in operators:
                done[-1] = _join(operator, done[-1], right)
            else:
                done += [operator, right]
        terms = done
    return bool(terms[0])


def _join(operator: bool | str, a: bool | str, b: bool | str) -> bool:
    return bool(a and b) if operator == "and" else bool(a or b)


def _leaf(part: str, order: str):
    def run(context: Context) -> Value | None:
        found = expression(context.text)
        if not found:
            return None
        words = found.before if "before" in part else found.after if "after" in part else found.whole
        return str(_evaluate(words, order))

    return run


def _combine():
    def run(context: Context, hints: tuple[str, ...]) -> Value | None:
        found = expression(context.text)
        if not found or len(hints) != 2 or any(hint not in ("True", "False") for hint in hints):
            return None
        return str(_join(found.operator, hints[0] == "True", hints[1] == "True")) if found.operator else hints[0]

    return run


_RUN = re.compile(r"(?:\b(?:True|False|and|or|not)\b|[()])(?:\s*(?:\b(?:True|False|and|or|not)\b|[()]))*")
_WORD = re.compile(r"\w+|[()]")
_PARTS = ("the part before the main operator", "the part after the main operator", "the whole expression")

FORMS = (
    Form(
        "Evaluate {part}, {order}.",
        "leaf",
        "True or False: brackets first, `not` on the operand that follows it (or left out), then the operators in that "
        "order. The main operator is the last `or` outside brackets, else the last `and` outside brackets; where there is "
        "none, both parts are the whole.",
        _leaf,
        {"part": _PARTS, "order": tuple(ORDERS)},
    ),
    Form(
        "Combine the hints with the main operator.",
        "combine",
        "Hint 1 and hint 2 (True or False) joined by the expression's main operator; hint 1 where there is none.",
        _combine,
    ),
)
