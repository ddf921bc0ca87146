"""A better instruction: the sentence that agrees best with the feedback on the shown examples."""

import hashlib
from collections.abc import Sequence
from math import log

from tenfold.llm.engine import blocks
from tenfold.llm.engine.advice import Wish, both, normal
from tenfold.llm.engine.belief import evidence
from tenfold.llm.engine.forms import Context
from tenfold.llm.engine.language import Program, library, neighbours, program
from tenfold.llm.engine.lexicon import FORMS as LEXICON
from tenfold.llm.engine.lexicon import rule, words

__all__ = ["better"]

FLOOR = 0.01  # likelihood of feedback that is simply wrong
WORDS = 60  # words of the shown inputs for which a rule is tried


def better(instruction: str, prompt: str) -> str:
    """The instruction that meets most of the shown feedback, best first by: agreement, being the current one, fewest words,
    a hash of the prompt. Without any feedback there is no direction: a sentence that applies, chosen by the hash."""
    now = program(instruction)
    shown = blocks.examples(prompt)
    wishes = [both(example.feedback) for example in shown]
    usable = [candidate for candidate in _candidates(now, shown) if _applies(candidate, shown)]
    if not any(not wish.is_empty for wish in wishes):
        others = [candidate for candidate in usable if candidate.text != now.text]
        return min(others, key=lambda found: _hash(prompt, found.text)).text if others else instruction
    ranked = [(-_agreement(now, shown, wishes), False, 0, "", instruction)] if now.steps and _applies(now, shown) else []
    for candidate in usable:
        text = candidate.text
        ranked.append((-_agreement(candidate, shown, wishes), True, len(text.split()), _hash(prompt, text), text))
    return min(ranked)[-1] if ranked else instruction


def _agreement(found: Program, shown: Sequence[blocks.Example], wishes: Sequence[Wish]) -> float:
    """Log-likelihood of the feedback under an instruction, rounded so that equal ones tie."""
    total = 0.0
    for example, wish in zip(shown, wishes, strict=True):
        if not wish.is_empty:
            total += log(FLOOR + _likelihood(found, example.context, example.hints, wish))
    return round(total, 9)


def _likelihood(found: Program, context: Context, hints: tuple[str, ...], wish: Wish) -> float:
    if hints and found.uses_hints:
        return evidence(found, context, [{normal(hint): 1.0} for hint in hints], wish)
    value = found.run(context, hints)
    return 0.0 if value is None else wish.of(normal(value))


def _candidates(now: Program, shown: Sequence[blocks.Example]) -> list[Program]:
    """Instructions one edit away from the current one, and single sentences of the table: each once, the current one too."""
    has_hints = any(example.hints for example in shown)
    made: list[tuple] = [(step,) for step in library("combine" if has_hints else "leaf")]
    for place, step in enumerate(now.steps[:20]):
        made += [(*now.steps[:place], other, *now.steps[place + 1 :]) for other in neighbours(step)]
        if len(now.steps) > 1:
            made.append((*now.steps[:place], *now.steps[place + 1 :]))
    if all(step.form is LEXICON[0] for step in now.steps) and now.steps:
        made += [(*now.steps, step) for step in _new_rules(now, shown)]
    found = {tuple(step.text for step in steps): steps for steps in made}
    return [Program(steps, (), any(step.form.kind == "combine" for step in steps)) for steps in found.values()]


def _new_rules(now: Program, shown: Sequence[blocks.Example]):
    known = {step.slots[0].lower() for step in now.steps}
    new = list(dict.fromkeys(word for example in shown for word in words(example.context.everything) if word not in known))
    return [LEXICON[0].step(rule(word, weight)) for word in new[:WORDS] for weight in (1, -1)] if len(now.steps) < 50 else []


def _applies(found: Program, shown: Sequence[blocks.Example]) -> bool:
    return all(found.run(example.context, tuple(map(normal, example.hints))) is not None for example in shown)


def _hash(prompt: str, text: str) -> str:
    return hashlib.blake2b(f"{prompt}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
