"""How a value should change, in words, and what such words say of a value.

    should be 4 (80 %) or stay 7 (20 %).      should stay 7.      should not be 7.

A share is how likely the value is wanted. A value that is no single word stands in quotation marks, as in JSON.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from tenfold.llm.engine.forms import number

__all__ = ["Wish", "both", "normal", "wish", "words"]

SHOWN = 6  # values in a line of advice
LEAST = 0.02  # share below which a value is not worth a word
REST = 0.1  # likelihood of a value that is not in the list, as a part of the share that the list leaves open


class Wish(NamedTuple):
    """How well a value agrees with advice, in [0, 1]: `weights` by value, `rest` for every other value."""

    weights: Mapping[str, float]
    rest: float

    def of(self, value: str) -> float:
        """Of a value in its normal form."""
        return self.weights.get(value, self.rest)

    @property
    def wanted(self) -> tuple[bool, frozenset[str]]:
        """The values with at least half of the best one's weight: (True, they), or (False, all others) if most are."""
        best = max([*self.weights.values(), self.rest])
        good = self.rest >= best / 2
        return not good, frozenset(value for value, weight in self.weights.items() if (weight >= best / 2) != good)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return not self.weights and self.rest == 1


NOTHING = Wish({}, 1.0)


def normal(value: object) -> str:
    """A value as values are compared: integers without commas and plus signs, other text without outer spaces."""
    text = str(value).strip()
    found = number(text)
    return text if found is None else str(found)


def words(shares: Mapping[str, float], now: str) -> str:
    """A line of advice.

    Args:
        shares: of each value; they may sum to less than 1.
        now: the value as it is.
    """
    best = sorted((-share, value) for value, share in shares.items() if share >= LEAST)[:SHOWN]
    if not best:
        return f"should not be {_quoted(now)}."
    if len(best) == 1 and best[0][0] <= -1 + LEAST:
        return f"should {'stay' if best[0][1] == normal(now) else 'be'} {_quoted(best[0][1])}."
    parts, verb = [], ""
    for share, value in best:
        needed = "stay" if value == normal(now) else "be"
        parts.append(f"{needed + ' ' if needed != verb else ''}{_quoted(value)} ({round(-100 * share)} %)")
        verb = needed
    return f"should {' or '.join(parts)}."


@lru_cache(maxsize=8192)
def wish(line: str) -> Wish:
    """What a line of feedback says of a value; nothing where it has no "should be", "should stay" or "should not be"."""
    match = _SHOULD.search(line[:5000])
    if not match:
        return NOTHING
    text = match[1].strip().removesuffix(".")
    terms = _terms(text)
    if terms is None:
        verb, _, value = text.partition("be ")
        return Wish({normal(value): 0.0}, 1.0) if verb.strip() == "not" else Wish({normal(value): 1.0}, 0.0)
    banned = [value for verb, value, _ in terms if verb == "not be"]
    wanted = {value: share for verb, value, share in terms if verb != "not be"}
    if not wanted:
        return Wish(dict.fromkeys(banned, 0.0), 1.0)
    return Wish({**wanted, **dict.fromkeys(banned, 0.0)}, max(0.0, 1 - sum(wanted.values())) * REST)


def both(lines: Iterable[str]) -> Wish:
    """What several lines say together: the product of what each says."""
    found = [one for one in map(wish, lines) if not one.is_empty]
    if len(found) < 2:
        return found[0] if found else NOTHING
    values = {value for one in found for value in one.weights}
    weights = dict.fromkeys(sorted(values), 1.0)
    rest = 1.0
    for one in found:
        weights = {value: weight * one.of(value) for value, weight in weights.items()}
        rest *= one.rest
    return Wish(weights, rest)


def _terms(text: str) -> list[tuple[str, str, float]] | None:
    """(verb, value, share) of each value in a line of our own form; None if it has another form."""
    if not _OURS.fullmatch(text):
        return None
    found, verb = [], ""
    for match in _TERM.finditer(text):
        verb = match["verb"] or verb
        value = _unquoted(match["value"])
        share = int(match["share"]) / 100 if match["share"] else 1.0
        found.append((verb.strip(), normal(value), min(share, 1.0)))
    if len(found) > 1 and not any(match["share"] for match in _TERM.finditer(text)):
        found = [(verb, value, share / len(found)) for verb, value, share in found]
    return found


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')


_PLAIN = re.compile(r"[-+\w()]+")
_SHOULD = re.compile(r"\bshould ((?:be|stay|not be) .*)", re.DOTALL)
_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s"]+'
_ONE = rf"(?:(?:be|stay|not be) )?(?:{_VALUE})(?: \(\d{{1,3}} %\))?"
_OURS = re.compile(rf"{_ONE}(?: or {_ONE}){{0,50}}")
_TERM = re.compile(rf"(?:^| or )(?P<verb>be |stay |not be )?(?P<value>{_VALUE})(?: \((?P<share>\d{{1,3}}) %\))?")
