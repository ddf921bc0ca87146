"""Models that the owner of a server offers to its visitors, by name: they never give an address or a path.

The owner names them in TENFOLD_STUDIO_MODELS ("name = model string; name = ...") and may set TENFOLD_STUDIO_CALLS, the most
calls of one visit's run.
"""

import os
from collections.abc import Mapping
from typing import Any

from tenfold.core.errors import BadInput

__all__ = ["CALLS", "MODELS", "call_limit", "model_named", "offered"]

MODELS, CALLS = "TENFOLD_STUDIO_MODELS", "TENFOLD_STUDIO_CALLS"


def offered(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Model strings by the names that visitors see.

    Raises:
        BadInput: the owner's list is not "name = model string; ...".
    """
    found = {}
    for entry in environment.get(MODELS, "").split(";"):
        name, equals, model = (part.strip() for part in entry.partition("="))
        if not entry.strip():
            continue
        if not (name and equals and model):
            raise BadInput(f"{MODELS} holds {entry.strip()!r}.", "Write: name = model string; name = model string")
        found[name] = model
    return found


def model_named(name: Any, allowed: Mapping[str, Any]) -> Any:
    """What a visitor chose by name.

    Raises:
        BadInput: the owner does not allow it.
    """
    if not isinstance(name, str) or name not in allowed:
        raise BadInput("This server does not offer that model.", f"It offers: {', '.join(allowed)}.")
    return allowed[name]


def call_limit(default: int, environment: Mapping[str, str] = os.environ) -> int:
    """The most calls of one run.

    Raises:
        BadInput: the owner's limit is no number.
    """
    text = environment.get(CALLS, "").strip()
    if not text:
        return default
    if not text.isdecimal():
        raise BadInput(f"{CALLS} is {text!r}.", "Write a whole number.")
    return int(text)
