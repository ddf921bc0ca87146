"""The telling words of a criterion, found again in the names of code.

A criterion that names no known method ("Notes can be deleted in `app.py`") is confirmed where live code bears its words: a
definition of such a name, and half of the words in all. It is denied only where the definition of that name is hollow.
"""

import re
from functools import lru_cache

from tenfold.judge.facts import Code, Definition
from tenfold.llm.words import stem

__all__ = ["bears_words", "hollow_inside", "hollow_of", "names_words", "telling_words"]

_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_WORDS = """
    the a an of in is are be been being can should must may with without by from to for on at as and or all
    any each every its it this that which where when into under over within using use used uses via
    implemented implement implementation defined define provided provide included include including written
    performed applied created generated saved stored found shown shows display displayed specified available
    able ability allow allows user users data set file files code function method methods class module script
    value values new also such like different like given following named name based has have there least one
    two three between through during before after main python javascript library detailed own
"""
_STOP = frozenset(map(stem, _WORDS.split()))


@lru_cache(maxsize=4096)
def telling_words(text: str) -> frozenset[str]:
    """The stems of a criterion's words, without paths and words that every criterion has."""
    plain = re.sub(r"`[^`]*[/.][^`]*`|\S+/\S*|\S+\.\w{1,5}\b(?=\W|$)", " ", text)
    found = {stem(part.lower()) for part in _PART.findall(plain) if len(part) > 2}
    return frozenset(found - _STOP)


def bears_words(code: Code, wanted: frozenset[str]) -> Definition | None:
    """The live definition that bears telling words best, if live code bears half of them in all."""
    best = _best(code, wanted)
    if best is None or best.stub or hollow_inside(code, best):
        return None
    names = [*code.names, *code.keys, *(one.name for one in code.definitions if not one.stub)]
    held = frozenset[str]().union(*map(parts_of, names))
    return best if 2 * len(held & wanted) >= len(wanted) else None


def names_words(code: Code, wanted: frozenset[str]) -> tuple[str, int] | None:
    """The first name, and its line, of live code whose names, keys and elements bear two thirds of at least two words."""
    found = {
        word: (name, line) for name, line in [*code.keys.items(), *code.names.items()] for word in parts_of(name) & wanted
    }
    return next(iter(found.values())) if len(found) >= 2 and 3 * len(found) >= 2 * len(wanted) else None


def hollow_of(code: Code, wanted: frozenset[str]) -> Definition | None:
    """The hollow definition that bears telling words, if no live one bears more of them."""
    best = _best(code, wanted)
    if best is None:
        return None
    return best if best.hollow else hollow_inside(code, best)


def hollow_inside(code: Code, outer: Definition) -> Definition | None:
    """A hollow method of a class, or function of a function."""
    inside = (one for one in code.definitions if one.hollow and outer.line <= one.line <= outer.end and one is not outer)
    return next((one for one in inside if one.kind != "class" and not one.name.startswith("__")), None)


def _best(code: Code, wanted: frozenset[str]) -> Definition | None:
    """The definition whose name says most of it: at least two of the words, or no other."""
    fitting = []
    for one in code.definitions:
        parts = parts_of(one.name)
        shared = len(parts & wanted)
        if shared >= 2 or (shared and parts <= wanted):
            fitting.append((shared, not one.stub, one))
    return max(fitting, key=lambda row: row[:2])[2] if fitting else None


@lru_cache(maxsize=100_000)
def parts_of(name: str) -> frozenset[str]:
    """The stems of an identifier's parts: "movingAverage" and "moving_average" have the same."""
    return frozenset(stem(part.lower()) for part in _PART.findall(name) if len(part) > 2)
