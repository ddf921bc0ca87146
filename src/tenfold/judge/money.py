"""Budgets as people write them."""

import re

from tenfold.core.errors import BadInput
from tenfold.llm.budget import Account, Budget

__all__ = ["budget_of"]

_TEXT = re.compile(r"(\$?)\s*(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def budget_of(budget: Budget | Account | str | float | None) -> Budget | Account | None:
    """A budget from what a user writes: "2usd", "$2", "100calls", "50000tokens", "90s", "10m", "1h", or dollars as a number.

    Raises:
        BadInput: it is none of these, or not above 0.
    """
    if budget is None or isinstance(budget, Account):
        return budget
    made = budget if isinstance(budget, Budget) else _parsed(str(budget).strip())
    if any(value is not None and value <= 0 for value in vars(made).values()):
        raise BadInput(f"The budget {budget} is not above 0.", "Leave it out to set no limit.")
    return made


def _parsed(text: str) -> Budget:
    match = _TEXT.fullmatch(text.removeprefix("-"))
    sign = -1 if text.startswith("-") else 1
    unit = match.group(3).lower() if match else ""
    if match is None or (match.group(1) and unit):
        raise _no_budget(text)
    amount = sign * float(match.group(2))
    if unit in ("", "usd"):
        return Budget(usd=max(0.0, amount))
    if unit == "calls":
        return Budget(calls=max(0, int(amount)))
    if unit == "tokens":
        return Budget(tokens=max(0, int(amount)))
    if unit in _SECONDS:
        return Budget(seconds=max(0.0, amount * _SECONDS[unit]))
    raise _no_budget(text)


def _no_budget(text: str) -> BadInput:
    return BadInput(f"{text!r} is no budget.", "Write 2usd, 100calls, 50000tokens, 90s, 10m or 1h.")
