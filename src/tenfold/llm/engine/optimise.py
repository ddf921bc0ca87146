"""A better instruction: the sentence that agrees best with the feedback on the shown examples."""

import hashlib
from collections.abc import Sequence
from math import log

from tenfold.llm.engine import blocks
from tenfold.llm.engine.advice import Wish, both, normal
from tenfold.llm.engine.belief import KEEP, evidence, leaf_values, prior
from tenfold.llm.engine.language import Program, library, neighbours, program
from tenfold.llm.engine.lexicon import FORMS as LEXICON
from tenfold.llm.engine.lexicon import rule, words

__all__ = ["better"]

FLOOR = 0.01  # likelihood of advice that is simply wrong
LEAST = 1e-300  # many hints or examples would come to 0
WORDS = 60  # words of the shown inputs for which a rule is tried


def better(instruction: str, prompt: str) -> str:
    """The instruction that meets most of the shown feedback, best first by: agreement, being the current one, fewest
    sentences, a hash of the prompt. Without any feedback there is no direction: a sentence that applies, by the hash."""
    now = program(instruction)
    shown = blocks.examples(prompt)
    wishes = [both(example.feedback) for example in shown]
    directed = [(example, wish) for example, wish in zip(shown, wishes, strict=True) if not wish.is_empty]
    usable = [candidate for candidate in _candidates(now, shown) if _applies(candidate, shown)]
    if not directed:
        others = [candidate for candidate in usable if candidate.text != now.text]
        return min(others, key=lambda found: _hash(prompt, found.text)).text if others else instruction
    ranked = [(-_agreement(now, directed, True), 0, 0, "", instruction)] if now.steps else []
    for found in usable:
        if found.text != now.text:
            place = (1, len(found.steps), _hash(prompt, found.text), found.text)
            ranked.append((-_agreement(found, directed, False), *place))
    return min(ranked)[-1] if ranked else instruction


def _agreement(found: Program, shown: Sequence[tuple[blocks.Example, Wish]], is_current: bool) -> float:
    """How well an instruction agrees with the wishes, as a log-likelihood; rounded, so that equal ones tie."""
    if shown[0][0].hints and found.uses_hints:
        cases = [(example.context, tuple(map(normal, example.hints)), wish) for example, wish in shown]
        return round(prior(is_current) + log(max(evidence(found, cases), LEAST)), 9)
    return round(sum(log(FLOOR + _likelihood(found, example, wish)) for example, wish in shown), 9)


def _likelihood(found: Program, example: blocks.Example, wish: Wish) -> float:
    """How much likelier the value was made by the advice than it was before, in [0, 1]: what the advice adds.

    Advice gives a value's share, all told; a value that many sentences give is likely from the start. Without this ratio
    that would count again for every example. Of values that it does not name, advice tells nothing apart.
    """
    value = found.run(example.context, example.hints)
    if value is None:
        return 0.0
    usual, now = leaf_values(example.context), normal(example.output)
    least = min(usual.values(), default=1.0)

    def ratio(value: str) -> float:
        if value not in wish.weights:
            return wish.rest
        return wish.weights[value] / (KEEP * (value == now) + (1 - KEEP) * usual.get(value, least))

    best = max(map(ratio, {*usual, *wish.weights, normal(value)}))
    return ratio(normal(value)) / best if best else 0.0


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
