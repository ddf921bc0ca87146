"""Which parameters move in a round, and which errors they are moved by.

| policy | moves |
|---|---|
| full | all parameters at once (the paper's) |
| subset | a random half of them, never none |
| one | one, in turn |
| bandit | the one that has earned most for its tries, with a bonus for what was tried little |
| auto | a random subset; after three rounds without gain a cycle begins: the output's parameters alone, then all at once
without a gate (a jump), then subsets from there; a jump that does not reach the kept score in time is given up |
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tenfold.core.errors import BadInput

__all__ = ["PICKS", "POLICIES", "Errors", "Move", "Record", "choose"]

POLICIES = ("full", "subset", "one", "bandit", "auto")
PICKS = ("errors", "mixed", "hard")
# Auto: rounds without gain before a cycle begins, and rounds of a cycle; its first is the output's, its second the jump.
PATIENCE, CYCLE = 3, 9


class Move(NamedTuple):
    """What a round does: which parameters move, how many errors it draws, and from where.

    Attributes:
        parameters: that move.
        jump: whether the candidate is gone on from whatever its score is; the kept graph stays what it is.
        back: whether an earlier jump is given up before.
        more: right answers that are shown beside the errors.
    """

    parameters: tuple[str, ...]
    jump: bool = False
    back: bool = False
    more: int = 0


@dataclass
class Record:
    """What rounds have brought so far.

    Attributes:
        tries: evaluated candidates, by parameter that moved.
        earned: gain of score, by parameter, shared among those that moved.
        stalled: rounds since the best score last rose.
    """

    tries: Counter[str] = field(default_factory=Counter)
    earned: dict[str, float] = field(default_factory=dict)
    stalled: int = 0

    def book(self, moved: Sequence[str], gain: float, is_better: bool) -> None:
        """Note a candidate: which parameters moved, what the score gained, whether the best rose."""
        for name in moved:
            self.tries[name] += 1
            self.earned[name] = self.earned.get(name, 0.0) + gain / len(moved)
        self.stalled = 0 if is_better else self.stalled + 1


def choose(policy: str, names: Sequence[str], output: Sequence[str], number: int, record: Record, rng: Random) -> Move:
    """What the next round does.

    Args:
        policy: one of `POLICIES`.
        names: all parameters that may be changed.
        output: those of the output node among them.
        number: of the round, from 0.
        record: of earlier rounds.
        rng: for random choices.

    Raises:
        BadInput: the policy is unknown.
    """
    if policy == "full":
        return Move(tuple(names))
    if policy == "subset":
        return Move(_subset(names, rng))
    if policy == "one":
        return Move((names[number % len(names)],))
    if policy == "bandit":
        return Move((_earner(names, record, rng),))
    if policy == "auto":
        return _auto(names, output, record.stalled, rng)
    raise BadInput(f"The update policy {policy!r} is unknown.", f"Policies are: {', '.join(POLICIES)}.")


class Errors:
    """Draws the samples of a round. The same graph is not shown the same draw twice while there is another.

    Args:
        pick: errors (wrong ones), mixed (half of them right), hard (those that were wrong most often).
        count: how many.
    """

    def __init__(self, pick: str, count: int) -> None:
        if pick not in PICKS:
            raise BadInput(f"pick is {pick!r}.", f"It is one of: {', '.join(PICKS)}.")
        self.pick, self.count = pick, count
        self._wrong: Counter[int] = Counter()
        self._drawn: set[tuple[int, ...]] = set()

    def moved(self) -> None:
        """Another graph was kept: every draw is new again."""
        self._drawn.clear()

    def draw(self, wrong: Sequence[int], right: Sequence[int], rng: Random, more: int = 0) -> tuple[int, ...]:
        """Numbers of samples; when every draw of wrong ones was shown, right ones join, then the order changes."""
        self._wrong.update(wrong)
        found = self._once(wrong, right, more, rng)
        for extra in range(30):
            if found not in self._drawn:
                break
            found = self._once(wrong, right, more + extra // 10, rng)
        self._drawn.add(found)
        return found

    def _once(self, wrong: Sequence[int], right: Sequence[int], extra: int, rng: Random) -> tuple[int, ...]:
        joined = min(len(right), extra + (self.count // 2 if self.pick == "mixed" else 0))
        size = min(len(wrong), max(1, self.count - joined) if self.pick == "mixed" else self.count)
        if self.pick == "hard":
            ordered = sorted(rng.sample(list(wrong), len(wrong)), key=lambda number: -self._wrong[number])
            chosen = rng.sample(ordered[: 2 * size], size)
        else:
            chosen = rng.sample(list(wrong), size)
        return tuple(chosen + rng.sample(list(right), joined))


def _subset(names: Sequence[str], rng: Random) -> tuple[str, ...]:
    found = tuple(name for name in names if rng.random() < 0.5)
    return found or (rng.choice(list(names)),)


def _earner(names: Sequence[str], record: Record, rng: Random) -> str:
    tried = sum(record.tries[name] for name in names)

    def worth(name: str) -> float:
        tries = record.tries[name]
        if not tries:
            return math.inf
        return record.earned.get(name, 0.0) / tries + 0.1 * math.sqrt(math.log(tried + 1) / tries)

    shuffled = rng.sample(list(names), len(names))
    return max(shuffled, key=worth)


def _auto(names: Sequence[str], output: Sequence[str], stalled: int, rng: Random) -> Move:
    place = (stalled - PATIENCE) % CYCLE if stalled >= PATIENCE else None
    # What errors alone did not teach, right answers beside them may: a text that mends the ones must not break the others.
    more = 0 if place is None else rng.randrange(4)
    if place == 0:
        return Move(tuple(output) or _subset(names, rng), back=True, more=more)
    if place == 1:
        return Move(tuple(names), jump=True, more=more)
    return Move(_subset(names, rng), more=more)
