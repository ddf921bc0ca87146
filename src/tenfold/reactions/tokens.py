"""SMILES as tokens: Schwaller's regular expression, strictly, and a vocabulary that drops nothing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenfold.core.errors import BadInput

__all__ = ["BOS", "EOS", "PAD", "UNKNOWN", "Vocabulary", "tokenize"]

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
_SPECIAL = ("<pad>", "<bos>", "<eos>", "?")
# A bracket atom, a two-letter element, an element or aromatic atom, a bond or mark, a ring closure. Schwaller et al. 2019.
_TOKEN = re.compile(r"\[[^\[\]]+\]|Br?|Cl?|[NOSPFIbcnosp().=#\-+\\/:~@?>*$]|%[0-9]{2}|[0-9]")


def tokenize(smiles: str) -> list[str]:
    """Split a SMILES, or a reaction SMILES, into tokens; joined they are the text again.

    Args:
        smiles: text without blanks.

    Raises:
        BadInput: a character belongs to no token; names it and its place.
    """
    tokens = _TOKEN.findall(smiles)
    if sum(map(len, tokens)) != len(smiles):
        raise _untokenizable(smiles)
    return tokens


@dataclass(frozen=True)
class Vocabulary:
    """Token number <-> token. 0 is padding, 1 the begin, 2 the end, 3 an unknown token; the rest by falling frequency.

    Attributes:
        tokens: all tokens, by number, the four special ones first.
    """

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, smiles: Iterable[str]) -> "Vocabulary":
        """The vocabulary of these texts: tokens by falling frequency, equal ones by the alphabet."""
        counts: Counter[str] = Counter()
        for text in smiles:
            counts.update(tokenize(text))
        counts.pop("?", None)
        return cls((*_SPECIAL, *sorted(counts, key=lambda token: (-counts[token], token))))

    def __post_init__(self) -> None:
        if self.tokens[:3] != _SPECIAL[:3] or len(set(self.tokens)) != len(self.tokens):
            raise BadInput("This is no vocabulary: it must begin with <pad>, <bos>, <eos>, and hold no token twice.")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Token -> its number."""
        return {token: number for number, token in enumerate(self.tokens)}

    def encode(self, smiles: str, *, keep_unknown: bool = False) -> list[int]:
        """The numbers of a SMILES' tokens, without begin and end.

        Args:
            smiles: text.
            keep_unknown: give `UNKNOWN` for a token that is not in the vocabulary, instead of an error.

        Raises:
            BadInput: the text cannot be tokenized, or has a token that is not in the vocabulary.
        """
        numbers = self.numbers
        tokens = tokenize(smiles)
        try:
            return [numbers[token] for token in tokens]
        except KeyError as error:
            if keep_unknown:
                return [numbers.get(token, UNKNOWN) for token in tokens]
            raise BadInput(f"Token {error.args[0]!r} is not in this model's vocabulary ({len(self)} tokens).") from None

    def decode(self, numbers: Sequence[int]) -> str:
        """The SMILES of token numbers: what stands between the begin, if any, and the first end."""
        parts = []
        for number in numbers:
            if number == EOS:
                break
            if number not in (PAD, BOS):
                parts.append(self.tokens[number])
        return "".join(parts)


def _untokenizable(smiles: str) -> BadInput:
    """Name the first character that no token takes."""
    place = 0
    while match := _TOKEN.match(smiles, place):
        place = match.end()
    return BadInput(
        f"Character {smiles[place]!r} at place {place + 1} of {smiles[:80]!r} is part of no SMILES token.",
        "Elements but B, C, N, O, P, S, F, Cl, Br and I need brackets, as in [Na+].",
    )
