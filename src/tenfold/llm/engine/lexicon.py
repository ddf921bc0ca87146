"""Rules on words: `For "tax", add 2.`"""

import re

from tenfold.llm.engine.forms import Context, Form, Value, number

__all__ = ["FORMS", "rule", "words"]


def words(text: str) -> list[str]:
    """The words of a text in lower case, each once, in their order; at most 400."""
    return list(dict.fromkeys(_WORD.findall(text[:20_000].lower())))[:400]


def rule(word: str, weight: int) -> tuple[str, ...]:
    """Slots of the sentence that adds a weight for a word."""
    return word, str(weight)


def _add(phrase: str, weight: str):
    pattern = re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)", re.IGNORECASE)
    plus = int(weight)

    def run(value: Value | None, context: Context) -> Value | None:
        so_far = 0 if value is None else number(str(value))
        return None if so_far is None else so_far + (plus if pattern.search(context.everything) else 0)

    return run


_WORD = re.compile(r"[a-z][a-z'-]{2,30}")

FORMS = (
    Form(
        'For "{phrase}", add {weight}.',
        "then",
        "Adds the weight to the number so far (0 at first) if the phrase stands in the context, whole words, in any case.",
        _add,
        open_slots={"phrase": (r'[^"\n]{1,60}', ("a word",)), "weight": (r"-?\d{1,9}", ("1",))},
        proposed=False,
    ),
)
