"""Shuffled objects: who has what after pairs of people swapped."""

import re
from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import Context, Form, Value

__all__ = ["FORMS", "Story", "story"]


class Story(NamedTuple):
    """People with what each has at the start, the swaps in their order, who is asked for, and the options by their text."""

    start: dict[str, str]
    swaps: tuple[tuple[str, str], ...]
    asked: str
    options: dict[str, str]


@lru_cache(maxsize=4096)
def story(text: str) -> Story | None:
    """The story in a text; None unless it has a start, swaps between its people, a question and options."""
    body, _, listed = text[:20_000].partition("Options:")
    options = {option.strip(): letter for letter, option in _OPTION.findall(listed)}
    swaps = tuple(_SWAP.findall(body))
    opening = _SWAP.split(body, maxsplit=1)[0].partition(":")[2]
    start = {name: _bare(thing) for name, thing in _HAS.findall(opening)}
    asked = next((word for word in reversed(re.findall(r"\w+", body)) if word in start), "")
    if not (start and swaps and options and asked) or any(name not in start for pair in swaps for name in pair):
        return None
    return Story(start, swaps, asked, options)


def _follow(part: str):
    def run(context: Context) -> Value | None:
        found = story(context.text)
        if not found:
            return None
        has = dict(found.start)
        for a, b in _part(found.swaps, part):
            has[a], has[b] = has[b], has[a]
        return ", ".join(f"{name}: {thing}" for name, thing in has.items())

    return run


def _trace(part: str):
    def run(context: Context) -> Value | None:
        found = story(context.text)
        if not found:
            return None
        name = found.asked
        for pair in reversed(_part(found.swaps, part)):
            if name in pair:
                name = pair[1] if name == pair[0] else pair[0]
        return name

    return run


def _look_up(who: str, where: str):
    place = int(where[-1]) - 1

    def run(context: Context, hints: tuple[str, ...]) -> Value | None:
        found = story(context.text)
        name = found.asked if found and who == "the asked person" else _hint(hints, who)
        arrangement = hints[place] if place < len(hints) else ""
        if not found or not name:
            return None
        start = f"{name}: "
        thing = next((part[len(start) :] for part in arrangement.split(", ") if part.startswith(start)), None)
        letter = found.options.get(thing) if thing else None
        return f"({letter})" if letter else None

    return run


def _hint(hints: tuple[str, ...], name: str) -> str:
    place = int(name[-1]) - 1 if name[-1].isdigit() else len(hints)
    return hints[place] if place < len(hints) else ""


def _part(swaps: tuple[tuple[str, str], ...], part: str) -> tuple[tuple[str, str], ...]:
    middle = len(swaps) // 2
    return {"the first half of the swaps": swaps[:middle], "the second half of the swaps": swaps[middle:]}.get(part, swaps)


def _bare(thing: str) -> str:
    return re.sub(r"^(?:a|an|the) ", "", thing.strip())


_OPTION = re.compile(r"\(([A-Z])\) ([^\n]{1,200})")
_SWAP = re.compile(r"\b(\w{1,40}) and (\w{1,40}) (?:swap|trade|switch|exchange)\b")
_HAS = re.compile(
    r"\b([A-Z]\w{0,40}) (?:has|gets|holds|takes|is dancing with|is playing|is at) ([^,.;]{1,200}?)(?=,|;|\.\s|$)"
)
_PARTS = ("the first half of the swaps", "the second half of the swaps", "all swaps")

FORMS = (
    Form(
        "Follow {part} and report who has what.",
        "leaf",
        "The start of the story with those swaps made in their order, as `NAME: THING, NAME: THING, ...` (of an odd number "
        "of swaps the middle one belongs to the second half).",
        _follow,
        {"part": _PARTS},
    ),
    Form(
        "Trace the asked person back through {part} and report the name.",
        "leaf",
        "Whose place before those swaps the person of the question has after them.",
        _trace,
        {"part": _PARTS},
    ),
    Form(
        "Report the option that {who} has in {where}.",
        "combine",
        "The letter, as `(A)`, of the option that the person named by the hint (or asked for) has in the other hint's list.",
        _look_up,
        {"who": ("hint 1", "hint 2", "the asked person"), "where": ("hint 1", "hint 2")},
    ),
)
