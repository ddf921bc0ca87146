"""The rules engine: it follows instructions in a small language of plain English sentences. It is not a language model.

    from tenfold.llm import engine
    engine.reply(prompt)

Honesty: `reply` is a pure function of the prompt's text. It is not told the graph, the labels, the task or which experiment
is on; it gets the very prompts that a model would get, and infers what follows from what stands in them. So where two ways
of prompting differ in its hands, they differ by the information in the prompts. It shows nothing about language models, and
whatever reports its results says so first.

| file | holds |
|---|---|
| `forms.py` | what a sentence is: pattern, slots, function, exact meaning |
| `language.py` | the table of all sentences, instruction -> program, and how to add a sentence |
| `arithmetic.py`, `route.py`, `counting.py`, `tracking.py`, `boolean.py` | families of questions: reading and sentences |
| `numbers.py`, `lexicon.py`, `combiners.py`, `skills.py` | sentences on numbers, words, hints, texts and files |
| `blocks.py` | what stands in a prompt |
| `advice.py` | "should be 4 (80 %) or stay 7 (20 %)": written and read |
| `belief.py` | the one probabilistic model of what hints have to be |
| `forward.py`, `backward.py`, `optimise.py` | the three jobs: carry out, advise (abduction), improve (induction) |
| `noise.py` | mistakes on purpose |

The prompts are those of the wording in `tenfold.semgrad.prompts`; they are read by their text alone.
"""

import hashlib

from tenfold.llm.engine import backward, belief, blocks, forward, noise, optimise
from tenfold.llm.engine import language as _language
from tenfold.llm.engine.forms import Context, Form

__all__ = ["NOTICE", "VERSION", "Context", "Form", "identity", "register", "reply"]

VERSION = "1"
NOTICE = "Made with engine:rules, a rules engine: it is not a language model, and these numbers say nothing about one."


def reply(prompt: str, *, noise: float = 0.0) -> str:
    """The engine's reply to a prompt; any text gives a reply.

    Args:
        prompt: the text.
        noise: probability, in [0, 1], that a line of advice is spoiled (by the hash of the prompt).
    """
    shown = blocks.sections(prompt)
    if "Feedback" in shown and "Hints" in shown:
        return _advise(shown, prompt, noise)
    if "Instruction" in shown:
        instruction = blocks.value(shown["Instruction"])
        return f"This agrees best with what is shown.\n<prompt>{optimise.better(instruction, prompt)}</prompt>"
    if "Task" in shown:
        return forward.answer(shown["Task"], shown.get("Context", ""), shown.get("Hints", ""))
    return (
        "I am a rules engine, not a language model: I can't answer this. "
        "I follow sentences of the engine's instruction language in a section '# Task'."
    )


def register(form: Form) -> None:
    """Add a sentence to the table; from then on `identity` differs. Adding the same form again changes nothing.

    Raises:
        BadInput: another form has this pattern, or a slot of the pattern has no choices.
    """
    _language.register(form)
    belief.forget()


def identity() -> str:
    """The version, and a digest of the sentences that other packages have added: what a reply depends on but the prompt."""
    added = "\n".join(sorted(form.pattern for form in _language.added()))
    return VERSION if not added else f"{VERSION}+{hashlib.sha256(added.encode()).hexdigest()[:8]}"


def _advise(shown: dict[str, str], prompt: str, share: float) -> str:
    lines = backward.advice(shown, asks_all="For each hint" in shown.get("", ""))
    return "\n".join(noise.spoiled(lines, prompt, share) if share > 0 else lines) or "There is no hint."
