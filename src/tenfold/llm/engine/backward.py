"""How hints should change so that the output follows the feedback: abduction over what stands in the prompt."""

from collections.abc import Mapping, Sequence

from tenfold.llm.engine import blocks
from tenfold.llm.engine.advice import Wish, both, normal, words
from tenfold.llm.engine.belief import RIGHT, alternatives, leaf_values, posterior
from tenfold.llm.engine.forms import Context, number
from tenfold.llm.engine.language import Program, program

__all__ = ["advice"]


def advice(shown: Mapping[str, str], asks_all: bool) -> list[str]:
    """Lines of advice, one for each hint in the prompt.

    Args:
        shown: the sections of the prompt.
        asks_all: whether the prompt asks for every hint of the node (then no sibling is hidden).
    """
    hints = blocks.numbered_hints(shown.get("Hints", ""))
    output = blocks.value(shown.get("Output", ""))
    wish = both(blocks.feedback(shown["Feedback"]))
    if wish.is_empty:
        return [f"{_name(number)}: the feedback does not say." for number in hints]
    if "Task" not in shown:
        return [f"{_name(number)}: {words(_blind(hint, output, wish), hint)}" for number, hint in hints.items()]
    found, context = program(blocks.value(shown["Task"])), blocks.context(shown.get("Context", ""))
    count = max([*hints, 0 if asks_all else 2])
    if count > 50 or 0 in hints:
        return [f"{_name(number)}: {words({}, hint)}" for number, hint in hints.items()]
    keep = [{normal(hints[place]): 1.0} if place in hints else {} for place in range(1, count + 1)]
    if not asks_all:
        keep = _with_inferred(found, context, keep, output)
    shares = _shares(found, context, keep, wish)
    return [f"{_name(number)}: {words(shares[number - 1], hint)}" for number, hint in hints.items()]


def _name(number: int) -> str:
    return f"Hint {number}" if number else "Hint"


def _shares(found: Program, context: Context, keep: Sequence[Mapping[str, float]], wish: Wish) -> list[dict[str, float]]:
    """For each hint, how likely each value is wanted; by inversion where the table says nothing on the question."""
    if not leaf_values(context):
        inverted = _inverted(found, context, keep, wish)
        if any(inverted):
            return inverted
    total: list[dict[str, float]] = [{} for _ in keep]
    others = alternatives()
    for instruction, share in [(found, RIGHT), *((other, (1 - RIGHT) / len(others)) for other in others)]:
        for shares, more in zip(total, posterior(instruction, context, keep, wish), strict=True):
            for value, weight in more.items():
                shares[value] = shares.get(value, 0.0) + share * weight
    if not any(total):
        return _inverted(found, context, keep, wish)
    return [{value: weight / (sum(shares.values()) or 1.0) for value, weight in shares.items()} for shares in total]


def _with_inferred(
    found: Program, context: Context, keep: Sequence[dict[str, float]], output: str
) -> list[dict[str, float]]:
    """The hints with what a hidden one must be, if it alone is hidden, for the shown output to have come out."""
    hidden = [place for place, shares in enumerate(keep) if not shares]
    made = list(keep)
    if len(hidden) != 1:
        return made
    place = hidden[0]
    exact = _solve(found, context, [next(iter(shares), "0") for shares in keep], place, normal(output))
    if exact is not None:
        made[place] = {exact: 1.0}
        return made
    weights = {}
    for value, share in leaf_values(context).items():
        hints = tuple(value if i == place else next(iter(shares)) for i, shares in enumerate(keep))
        came = found.run(context, hints)
        if came is not None and normal(came) == normal(output):
            weights[value] = share
    made[place] = {value: weight / sum(weights.values()) for value, weight in weights.items()}
    return made


def _inverted(found: Program, context: Context, keep: Sequence[Mapping[str, float]], wish: Wish) -> list[dict[str, float]]:
    """One hint changed to a value that no sentence gives, each hint alike."""
    if not all(keep):
        return [{} for _ in keep]
    now = [max(shares, key=lambda value: shares[value]) for shares in keep]
    target = max(wish.weights, key=lambda value: wish.weights[value], default="")
    if wish.of(target) <= 0:
        return [{} for _ in keep]
    solved = [
        _solve(found, context, now, place, target) or _nearest(found, context, now, place, target)
        for place in range(len(now))
    ]
    ways = sum(value is not None for value in solved)
    return [{} if value is None else {value: 1 / ways, now[i]: 1 - 1 / ways} for i, value in enumerate(solved)]


def _solve(found: Program, context: Context, now: Sequence[str], place: int, target: str) -> str | None:
    """The integer at which the output, if it is a straight line in this hint, is the target."""

    def at(x: int) -> int | None:
        value = found.run(context, tuple(str(x) if i == place else hint for i, hint in enumerate(now)))
        return number(str(value)) if value is not None else None

    wanted, zero, one, seven = number(target), at(0), at(1), at(7)
    if wanted is None or zero is None or one is None or seven is None:
        return None
    slope = one - zero
    if not slope or seven != zero + 7 * slope or (wanted - zero) % slope:
        return None
    return str((wanted - zero) // slope)


def _nearest(found: Program, context: Context, now: Sequence[str], place: int, target: str) -> str | None:
    """The nearest integer within 20 that gives the target."""
    middle = number(now[place])
    if middle is None:
        return None
    for distance in range(1, 21):
        for x in (middle + distance, middle - distance):
            value = found.run(context, tuple(str(x) if i == place else hint for i, hint in enumerate(now)))
            if value is not None and normal(value) == target:
                return str(x)
    return None


def _blind(hint: str, output: str, wish: Wish) -> dict[str, float]:
    """Seen only a hint, the output and the wish: of numbers, the hint plus what the output lacks; else no value is known.

    This is right where the output moves with the hint, as in a sum.
    """
    target = max(wish.weights, key=lambda value: wish.weights[value], default="")
    now, came, wanted = number(hint), number(output), number(target)
    if wish.of(target) <= 0 or now is None or came is None or wanted is None:
        return {}
    return {str(now + wanted - came): 1.0}
