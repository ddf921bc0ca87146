"""What counts as a word where texts are searched and compared."""

import re
from functools import lru_cache

__all__ = ["stem", "stems", "words"]

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in small letters: runs of letters and digits, with inner apostrophes."""
    return _WORD.findall(text.casefold().replace("’", "'"))


def stems(text: str) -> list[str]:
    """The words of a text without their English endings, so that "walks" meets "walking"."""
    return [stem(word) for word in words(text)]


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """A word without -'s, plural, -ing, -ed, -ly and a last e; words of other languages mostly stay as they are.

    Deliberately light: no word list, and no change of the root beyond a doubled consonant ("stopped") and y ("cities").
    """
    word = _singular(word.removesuffix("'s"))
    if len(word) > 5 and word.endswith("ing"):
        word = _undoubled(word[:-3])
    elif len(word) > 4 and word.endswith("ed"):
        word = _undoubled(word[:-2])
    if len(word) > 4:
        word = word.removesuffix("ly")
    if len(word) > 3:
        word = word.removesuffix("e")
    return f"{word[:-1]}i" if len(word) > 3 and word.endswith("y") else word


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2:] not in ("ss", "us", "is") else word


def _undoubled(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz" else word
