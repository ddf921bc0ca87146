"""The table of sentences, and how an instruction becomes a program. `docs/engine.md` is made from this table.

To add a sentence: write its function and a `Form` in the file of its family, and a test. Another package adds its own with
`tenfold.llm.engine.register` when it is imported; from then on it is another engine, and `identity()` there says so.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.llm.engine import arithmetic, boolean, combiners, counting, lexicon, numbers, route, skills, tracking
from tenfold.llm.engine.forms import Context, Form, Kind, Step, Value

__all__ = ["FAMILIES", "Program", "added", "forms", "library", "lookup", "neighbours", "program", "register"]

FAMILIES: dict[str, tuple[Form, ...]] = {
    "arithmetic": arithmetic.FORMS,
    "navigation": route.FORMS,
    "counting": counting.FORMS,
    "shuffled objects": tracking.FORMS,
    "boolean expressions": boolean.FORMS,
    "numbers": numbers.FORMS,
    "words": lexicon.FORMS,
    "hints": combiners.FORMS,
    "reading": skills.FORMS,
}
_ADDED: list[Form] = []


class Program(NamedTuple):
    """An instruction as the engine understands it.

    Attributes:
        steps: its sentences that the table has, in order.
        unknown: its other sentences.
        uses_hints: whether any step looks at hints.
    """

    steps: tuple[Step, ...]
    unknown: tuple[str, ...]
    uses_hints: bool

    @property
    def text(self) -> str:
        """The sentences that the table has, as it writes them."""
        return " ".join(step.text for step in self.steps)

    def run(self, context: Context, hints: tuple[str, ...]) -> Value | None:
        """The value that the steps make, one after the other; None if one of them has no meaning here."""
        value: Value | None = None
        for step in self.steps:
            value = step.apply(value, context, hints)
            if value is None:
                return None
        return value


def forms() -> list[Form]:
    """Every form of the table."""
    return [form for family in FAMILIES.values() for form in family] + _ADDED


def added() -> list[Form]:
    """Forms that other packages registered."""
    return list(_ADDED)


def register(form: Form) -> None:
    """Add a form to the table. Adding the same form again changes nothing.

    Raises:
        BadInput: another form has this pattern, or a slot of the pattern has no choices.
    """
    if form in _ADDED:
        return
    if any(form.pattern.lower() == other.pattern.lower() for other in forms()):
        raise BadInput(f"The engine already has a sentence {form.pattern!r}.")
    missing = [name for name in form.names if name not in form.slots and name not in form.open_slots]
    if missing or not form.pattern.endswith("."):
        raise BadInput(f"The sentence {form.pattern!r} must end in a full stop and have choices for: {missing}.")
    _ADDED.append(form)
    for cached in (_closed, _open, library, program, neighbours):
        cached.cache_clear()


def lookup(sentence: str) -> Step | None:
    """The step that a sentence stands for, in any case and spacing; None if the table does not have it."""
    text = _normal(sentence)
    found = _closed().get(text)
    if found or len(text) > 300:
        return found
    for pattern, form in _open():
        match = pattern.fullmatch(text)
        if match:
            return form.step(tuple(_as_written(form, name, match[name]) for name in form.names))
    return None


@lru_cache(maxsize=4)
def library(kind: Kind) -> tuple[Step, ...]:
    """Every sentence of a kind that the engine may propose, in the order of the table."""
    return tuple(step for form in forms() if form.kind == kind and form.proposed for step in form.steps())


@lru_cache(maxsize=1024)
def neighbours(step: Step) -> tuple[Step, ...]:
    """The sentences that differ from this one in one slot; integers of open slots by 1 or 2."""
    found = []
    for place, name in enumerate(step.form.names):
        old = step.slots[place]
        if name in step.form.slots:
            choices = step.form.slots[name]
        else:
            choices = tuple(str(int(old) + d) for d in (-2, -1, 1, 2)) if re.fullmatch(r"-?\d{1,8}", old) else ()
            choices = tuple(c for c in choices if re.fullmatch(step.form.open_slots[name][0], c))
        found += [step.form.step((*step.slots[:place], new, *step.slots[place + 1 :])) for new in choices if new != old]
    return tuple(found)


@lru_cache(maxsize=8192)
def program(instruction: str) -> Program:
    """An instruction's sentences as steps; at most 200 sentences are read."""
    steps, unknown = [], []
    for sentence in [part.strip() for part in _SENTENCE.findall(instruction[:20_000]) if part.strip(" \t\n.")][:200]:
        step = lookup(sentence)
        if step:
            steps.append(step)
        else:
            unknown.append(" ".join(sentence.split()))
    return Program(tuple(steps), tuple(unknown), any(step.form.kind == "combine" for step in steps))


@lru_cache(maxsize=1)
def _closed() -> dict[str, Step]:
    return {_normal(step.text): step for form in forms() if not form.open_slots for step in form.steps()}


@lru_cache(maxsize=1)
def _open() -> list[tuple[re.Pattern[str], Form]]:
    return [(_pattern(form), form) for form in forms() if form.open_slots]


def _pattern(form: Form) -> re.Pattern[str]:
    made = re.escape(_normal(form.pattern))
    for name in form.names:
        inner = form.open_slots[name][0] if name in form.open_slots else "|".join(map(re.escape, form.slots[name]))
        made = made.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{inner})")
    return re.compile(made, re.IGNORECASE)


def _as_written(form: Form, name: str, text: str) -> str:
    return next((choice for choice in form.slots.get(name, ()) if choice.lower() == text.lower()), text)


def _normal(sentence: str) -> str:
    return " ".join(sentence.split()).rstrip(".! ").lower()


# A sentence ends at a line break, or at a full stop before a space or the end; not inside quotation marks.
_SENTENCE = re.compile(r'(?:"[^"\n]*"|[^\n.!"]|[.!](?=\S)|")+')
