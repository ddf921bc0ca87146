"""Routes: `Take 3 steps. Turn left. Take 2 steps backward.`"""

import re
from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import Context, Form, Value

__all__ = ["FORMS", "Move", "route"]

TURNS = {"left": 3, "right": 1, "around": 2}
SIDES = {"": 0, "forward": 0, "forwards": 0, "ahead": 0, "right": 1, "back": 2, "backward": 2, "backwards": 2, "left": 3}
STEP = ((0, 1), (1, 0), (0, -1), (-1, 0))  # (sideways, forward) of a step ahead, right, back, left


class Move(NamedTuple):
    """Quarter turns to the right, then steps towards a side of the walker (0 ahead, 1 right, 2 back, 3 left)."""

    turn: int
    steps: int
    side: int


@lru_cache(maxsize=4096)
def route(text: str) -> tuple[Move, ...] | None:
    """The moves in a text, in their order; None if it has none."""
    moves = []
    for match in _MOVE.finditer(text[:20_000]):
        turn, steps, side = match.groups()
        moves.append(Move(TURNS[turn.lower()], 0, 0) if turn else Move(0, int(steps), SIDES[(side or "").lower()]))
    return tuple(moves) or None


def _leaf(turns: str, measure: str):
    obey = turns == "obeying"

    def run(context: Context) -> Value | None:
        moves = route(context.text)
        if not moves:
            return None
        heading = sideways = forward = total = 0
        for move in moves:
            heading += move.turn if obey else 0
            x, y = STEP[(heading + move.side) % 4]
            sideways += x * move.steps
            forward += y * move.steps
            total += move.steps
        return {"forward": forward, "sideways": sideways, "total": total}[measure]

    return run


_MOVE = re.compile(
    r"\bturn\s+(left|right|around)\b|\b(?:take|walk|go|move)\s+(\d{1,9})\s+steps?\b(?:\s+(forwards?|backwards?|back|ahead|left|right)\b)?",
    re.IGNORECASE,
)

FORMS = (
    Form(
        "Walk the route {turns} the turns and report the {measure} distance.",
        "leaf",
        "Where the walker ends, from where they began and as they first faced: steps ahead (forward; back counts as "
        "negative), steps to the right (sideways; left counts as negative), or all steps taken (total). Ignoring the "
        "turns, steps are counted as if the walker had never turned.",
        _leaf,
        {"turns": ("obeying", "ignoring"), "measure": ("forward", "sideways", "total")},
    ),
)
