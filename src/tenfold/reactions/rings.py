"""SMILES tokens with each ring digit replaced by what it does, so that a copied ring matches whatever its number is."""

from collections.abc import Iterable, Sequence

from tenfold.reactions.tokens import Vocabulary

__all__ = ["RingSymbols"]


class RingSymbols:
    """Token ids <-> symbols: a digit that opens a ring is one symbol, one that closes the k-th youngest open ring another.

    `c1ccccc1` and `c3ccccc3` are the same symbols. Read back, a ring takes the lowest number that is free, as RDKit does.

    Attributes:
        opening: the symbol of every opened ring; `opening + k` closes the k-th youngest open one, from 1. Below: token ids.
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """Set up.

        Args:
            vocabulary: tells which ids are ring digits; none: symbols are the ids.
        """
        tokens = vocabulary.tokens if vocabulary else ()
        numbers = {int(token.lstrip("%")): id_ for id_, token in enumerate(tokens) if token.lstrip("%").isdigit()}
        self.opening = len(tokens) if vocabulary else 1 << 30
        self._by_number = [numbers[number] for number in sorted(numbers) if number > 0]
        self._digits = frozenset(numbers.values())

    def read(self, ids: Iterable[int], open_rings: list[int]) -> list[int]:
        """Symbols of token ids.

        Args:
            ids: tokens.
            open_rings: digits' ids of the rings that are open before, the oldest first; becomes those open after.
        """
        symbols = []
        for id_ in ids:
            if id_ not in self._digits:
                symbols.append(id_)
            elif id_ in open_rings:
                symbols.append(self.opening + len(open_rings) - open_rings.index(id_))
                open_rings.remove(id_)
            else:
                symbols.append(self.opening)
                open_rings.append(id_)
        return symbols

    def write(self, symbols: Sequence[int], open_rings: Sequence[int]) -> list[int]:
        """Token ids of symbols, up to one that cannot be written: a ring that is not open, or all numbers taken.

        Args:
            symbols: what to write.
            open_rings: digits' ids of the rings that are open before.
        """
        opening = self.opening
        if not symbols or max(symbols) < opening:
            return list(symbols)
        ids, now_open = [], list(open_rings)
        for symbol in symbols:
            if symbol < opening:
                ids.append(symbol)
            elif symbol == opening:
                free = next((digit for digit in self._by_number if digit not in now_open), None)
                if free is None:
                    break
                now_open.append(free)
                ids.append(free)
            elif symbol - opening <= len(now_open):
                ids.append(now_open.pop(opening - symbol))
            else:
                break
        return ids
