"""Skills of reading, for systems that judge and answer from texts."""

import re

from tenfold.llm.engine.forms import Context, Form, Value

__all__ = ["FORMS"]


def _find(title: str):
    """The sentence with most words of the question, rare words counting for more; the first one of equals."""

    def run(context: Context) -> Value | None:
        text, question = context.value(title), context.value("question")
        if not text or not question:
            return None
        sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text[:100_000]) if part.strip()][:2000]
        bags = [set(_words(sentence)) for sentence in sentences]
        wanted = set(_words(question))
        rarity = {word: 1 / count for word in wanted if (count := sum(word in bag for bag in bags))}
        scores = [sum(rarity.get(word, 0.0) for word in sorted(bag & wanted)) for bag in bags]
        best = max(scores, default=0.0)
        return sentences[scores.index(best)] if best > 0 else None

    return run


def _span(kind: str):
    """The first number, or the first name that does not begin the sentence."""
    pattern = re.compile({"number": r"-?\d[\d,.]*\d|\d", "name": r"(?<=\s)[A-Z]\w+(?: [A-Z]\w+)*"}[kind])

    def run(value: Value | None, _context: Context) -> Value | None:
        match = pattern.search(str(value)) if value is not None else None
        return match[0] if match else None

    return run


def _files():
    """Every path-like word of the requirement stands, as the end of a path, in the list of files."""

    def run(context: Context) -> Value | None:
        files, requirement = context.value("files"), context.value("requirement")
        if files is None or requirement is None:
            return None
        listed = {word for word in re.split(r"[\s,;]+", files[:100_000]) if word}
        named = re.findall(r"[\w./-]{0,200}\w\.\w{1,8}\b", requirement[:10_000])
        if not named:
            return None
        there = all(any(f"/{path}".endswith(f"/{name.lstrip('./')}") for path in listed) for name in named[:100])
        return "Yes" if there else "No"

    return run


def _words(text: str) -> list[str]:
    return re.findall(r"\w{2,}", text.lower())


FORMS = (
    Form(
        "Find the sentence of the {title} that answers the question.",
        "leaf",
        "The sentence under that title which shares most words with the question; words of few sentences count more.",
        _find,
        open_slots={"title": (r"[A-Za-z][\w ]{0,40}", ("text", "document"))},
    ),
    Form(
        "Answer with the first {kind} in it.",
        "then",
        "The first number, or the first capitalised name after the sentence's first word, in what was found.",
        _span,
        {"kind": ("number", "name")},
        proposed=False,
    ),
    Form(
        "Answer Yes if every file that the requirement names is in the files, else No.",
        "leaf",
        "Looks up each file name in the requirement in the list under Files (a path that ends in it counts).",
        _files,
    ),
)
