"""What a sentence of the instruction language is: a pattern with slots, and the function that it stands for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any, Literal, NamedTuple

__all__ = ["Context", "Form", "Kind", "Step", "Value", "number"]

Value = int | str
Kind = Literal["leaf", "combine", "then"]


class Context(NamedTuple):
    """What a prompt says of the case at hand.

    Attributes:
        text: the question, or all values joined by line breaks where none is called so.
        named: every value with its title, in the order of the prompt.
    """

    text: str
    named: tuple[tuple[str, str], ...] = ()

    @property
    def everything(self) -> str:
        """All values, one after the other."""
        return "\n".join(value for _, value in self.named) or self.text

    def value(self, title: str) -> str | None:
        """The value under a title, in any case."""
        return next((text for name, text in self.named if name.lower() == title.lower()), None)


class Step(NamedTuple):
    """A sentence with its slots filled. Equal if the same sentence.

    Attributes:
        text: the sentence as the table writes it.
        form: its form.
        slots: chosen text of each slot, in the order of the pattern.
        apply: (value so far or None, context, hints) -> new value; None where the sentence has no meaning here.
    """

    text: str
    form: "Form"
    slots: tuple[str, ...]
    apply: Callable[[Value | None, Context, tuple[str, ...]], Value | None]


@dataclass(frozen=True, eq=False)
class Form:
    """A row of the table of sentences.

    Attributes:
        pattern: the sentence with {slots}, ending in a full stop.
        kind: "leaf" makes a value from the context, "combine" from hints (and context), "then" from the value so far.
        meaning: exactly what it does, for the documentation.
        make: (text of each slot by name) -> function of (context), (context, hints) or (value, context), by `kind`; the
            function returns an integer or a text, and None where the sentence has no meaning.
        slots: choices of closed slots, by name.
        open_slots: regular expression and some examples of every other slot.
        proposed: whether the engine may put it forward by itself, in advice and in better instructions.
    """

    pattern: str
    kind: Kind
    meaning: str
    make: Callable[..., Callable[..., Value | None]]
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    open_slots: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    proposed: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Slots in the order of the pattern."""
        return tuple(re.findall(r"\{(\w+)\}", self.pattern))

    def choices(self, name: str) -> tuple[str, ...]:
        """The texts of a closed slot, or the examples of an open one."""
        return self.slots[name] if name in self.slots else self.open_slots[name][1]

    def step(self, slots: tuple[str, ...]) -> Step:
        """The sentence with these slots."""
        filled = dict(zip(self.names, slots, strict=True))
        made: Any = self.make(**filled)
        text = re.sub(r"\{(\w+)\}", lambda match: filled[match[1]], self.pattern)
        if self.kind == "leaf":
            return Step(text, self, slots, lambda _value, context, _hints: made(context))
        if self.kind == "combine":
            return Step(text, self, slots, lambda _value, context, hints: made(context, hints))
        return Step(text, self, slots, lambda value, context, _hints: made(value, context))

    def steps(self) -> list[Step]:
        """Every sentence of the form (of open slots: the examples)."""
        return [self.step(slots) for slots in product(*(self.choices(name) for name in self.names))]


@lru_cache(maxsize=1 << 14)
def number(text: str) -> int | None:
    """The integer that a value is ("-3", "1,200"; at most 15 digits), or None."""
    match = _NUMBER.fullmatch(text.strip()) if len(text) < 40 else None
    return int(match[0].replace(",", "")) if match else None


_NUMBER = re.compile(r"[+-]?(?:\d{1,15}|\d{1,3}(?:,\d{3}){1,4})")
