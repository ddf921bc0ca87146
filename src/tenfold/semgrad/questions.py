"""Our own questions of five families, made by rule: the tour, the tests and the laptop experiment need no data set.

The families are those of five tasks of BIG-Bench Hard; the wording is ours. Every target is right by construction or by
plain evaluation here, without the rules engine, so that the two check each other.
"""

import random
from collections.abc import Callable, Sequence
from string import ascii_uppercase

from tenfold.core.errors import BadInput

__all__ = ["FAMILIES", "generate"]

LIMIT = 10_000


def generate(family: str, count: int, seed: int = 0) -> list[dict[str, str]]:
    """Different questions of a family.

    Args:
        family: arithmetic, navigate, counting, tracking or boolean.
        count: how many, up to 10,000.
        seed: the same seed gives the same questions; a larger count only adds to them.

    Returns:
        Dictionaries with `question` and `target`.

    Raises:
        BadInput: unknown family, or too many questions.
    """
    if family not in FAMILIES:
        raise BadInput(f"There is no family of questions {family!r}.", f"There are: {', '.join(FAMILIES)}.")
    if not 0 <= count <= LIMIT:
        raise BadInput(f"{count} questions can't be made.", f"Ask for 0 to {LIMIT:,}.")
    rng = random.Random(f"{family} {seed}")
    found: dict[str, str] = {}
    while len(found) < count:  # every family has far more than the limit
        question, target = FAMILIES[family](rng)
        found.setdefault(question, target)
    return [{"question": question, "target": target} for question, target in found.items()]


def _arithmetic(rng: random.Random) -> tuple[str, str]:
    brackets = [" ".join(_sum_of_products(rng)) for _ in range(2)]
    operator = rng.choice("+-*")
    a, b = (_value(bracket.split()) for bracket in brackets)
    value = a + b if operator == "+" else a - b if operator == "-" else a * b
    return f"(({brackets[0]}) {operator} ({brackets[1]})) =", str(value)


def _sum_of_products(rng: random.Random) -> list[str]:
    words = [str(rng.randint(-9, 9))]
    for _ in range(3):
        words += [rng.choice("+-*"), str(rng.randint(-9, 9))]
    return words


def _value(words: Sequence[str]) -> int:
    """Sum of products: the terms are kept apart, so that a product only changes the last one."""
    terms = [int(words[0])]
    for operator, word in zip(words[1::2], words[2::2], strict=True):
        if operator == "*":
            terms[-1] *= int(word)
        else:
            terms.append(int(word) if operator == "+" else -int(word))
    return sum(terms)


def _navigate(rng: random.Random) -> tuple[str, str]:
    legs = [(rng.randrange(4), rng.randint(1, 10)) for _ in range(rng.randint(1, 4))]
    for axis in (0, 1):  # walk back along each axis
        left = sum(steps if side == axis else -steps for side, steps in legs if side % 2 == axis)
        if left:
            legs.append((axis + 2 if left > 0 else axis, abs(left)))
    rng.shuffle(legs)
    if rng.random() < 0.5:
        place = rng.randrange(len(legs))
        side, steps = legs[place]
        legs[place] = (side, rng.choice([other for other in range(1, 11) if other != steps]))
        if rng.random() < 0.5 and len(legs) > 2:
            legs.pop()
    if not legs:
        return _navigate(rng)
    returns = all(sum(s if side < 2 else -s for side, s in legs if side % 2 == axis) == 0 for axis in (0, 1))
    moves = _turning(rng, legs) if rng.random() < 0.5 else _facing(legs)
    question = f"Does this walk end where it began? {' '.join(moves)}\nOptions:\n- Yes\n- No"
    return question, "Yes" if returns else "No"


def _facing(legs: Sequence[tuple[int, int]]) -> list[str]:
    sides = ("forward", "right", "backward", "left")
    return ["Keep facing forward.", *(f"Walk {steps} {_plural('step', steps)} {sides[side]}." for side, steps in legs)]


def _turning(rng: random.Random, legs: Sequence[tuple[int, int]]) -> list[str]:
    """The legs, turned as a whole by a quarter or more, for a walker who faces where they walk."""
    moves, heading = [], rng.randrange(4)
    for side, steps in legs:
        turn = (side - heading) % 4
        if turn:
            moves.append(f"Turn {('', 'right', 'around', 'left')[turn]}.")
        heading = side
        moves.append(f"Walk {steps} {_plural('step', steps)}.")
    return moves


THINGS = (
    "basket", "blanket", "bottle", "bowl", "brush", "bucket", "candle", "clock", "cup", "curtain", "desk", "fan",
    "fork", "hammer", "helmet", "jar", "kettle", "key", "ladder", "lantern", "mirror", "mug", "needle", "pan", "pen",
    "pillow", "plate", "pot", "radio", "rope", "ruler", "saw", "shovel", "spoon", "stool", "tent", "towel", "tray",
    "umbrella", "vase", "wallet",
)  # fmt: skip
WORDS = ("", "one", "two", "three", "four", "five")


def _counting(rng: random.Random) -> tuple[str, str]:
    things = rng.sample(THINGS, rng.randint(2, 12))
    counts = [rng.randint(2, 5) if rng.random() < 0.4 else 1 for _ in things]
    entries = [
        f"{WORDS[n]} {_plural(thing, n)}" if n > 1 else f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
        for thing, n in zip(things, counts, strict=True)
    ]
    return f"In the shed there are {_listed(entries)}. How many objects are there?", str(sum(counts))


PEOPLE = ("Ada", "Boris", "Carmen", "Dmitri", "Esther", "Felix", "Greta")
KINDS = {
    "scarf": ("scarves", "holds", ("red", "blue", "green", "white", "black", "yellow", "purple", "brown")),
    "key": ("keys", "holds", ("brass", "iron", "silver", "copper", "golden", "steel", "wooden", "plastic")),
    "seat": ("seats", "takes", ("front", "back", "window", "aisle", "corner", "middle", "folding", "upper")),
}


def _tracking(rng: random.Random) -> tuple[str, str]:
    people = PEOPLE[: rng.choice((3, 5, 7))]
    kind = rng.choice(sorted(KINDS))
    many, verb, colours = KINDS[kind]
    things = [f"{colour} {kind}" for colour in rng.sample(colours, len(people))]
    has = dict(zip(people, things, strict=True))
    start = _listed([f"{name} {verb} the {thing}" for name, thing in has.items()])
    swaps = []
    for number in range(len(people)):
        a, b = rng.sample(people, 2)
        has[a], has[b] = has[b], has[a]
        lead = "First" if number == 0 else "Last" if number == len(people) - 1 else "Next"
        swaps.append(f"{lead}, {a} and {b} exchange {many}.")
    asked = rng.choice(people)
    options = "\n".join(f"({letter}) {thing}" for letter, thing in zip(ascii_uppercase, things, strict=False))
    question = (
        f"{_listed(people)} meet, and at first each has something: {start}.\nThen they trade in pairs. "
        f"{' '.join(swaps)} In the end, {asked} has the\nOptions:\n{options}"
    )
    return question, f"({ascii_uppercase[things.index(has[asked])]})"


def _boolean(rng: random.Random) -> tuple[str, str]:
    """Two to four operands, each perhaps negated, one perhaps a bracket of two."""
    count = rng.randint(2, 4)
    bracket = rng.randrange(count) if rng.random() < 0.6 else -1
    texts, values, operators = [], [], [rng.choice(("and", "or")) for _ in range(count - 1)]
    for place in range(count):
        nots = rng.choice((0, 0, 1, 1, 2))
        if place == bracket:
            a, b, inner = rng.random() < 0.5, rng.random() < 0.5, rng.choice(("and", "or"))
            text, value = f"( {a} {inner} {b} )", (a and b) if inner == "and" else (a or b)
        else:
            value = rng.random() < 0.5
            text = str(value)
        texts.append("not " * nots + text)
        values.append(value ^ (nots % 2 == 1))
    groups = [values[0]]  # `and` binds before `or`
    for operator, value in zip(operators, values[1:], strict=True):
        if operator == "and":
            groups[-1] = groups[-1] and value
        else:
            groups.append(value)
    words = [word for pair in zip(texts, [*operators, ""], strict=True) for word in pair]
    return f"What is the value of: {' '.join(words).strip()}", str(any(groups))


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word}{'es' if word.endswith(('sh', 'ch', 's', 'x')) else 's'}"


def _listed(words: Sequence[str]) -> str:
    return ", and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])}, and {words[-1]}"


FAMILIES: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "arithmetic": _arithmetic,
    "navigate": _navigate,
    "counting": _counting,
    "tracking": _tracking,
    "boolean": _boolean,
}
