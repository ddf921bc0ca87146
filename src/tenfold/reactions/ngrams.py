"""What usually follows the last few tokens: a table of n-grams of known outputs, small enough to ship."""

import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tenfold.core.errors import BadInput
from tenfold.core.files import read_npz, write_atomic
from tenfold.reactions.rings import RingSymbols
from tenfold.reactions.tokens import BOS, EOS, Vocabulary

__all__ = ["ORDERS", "Continuations", "NgramTable"]

ORDERS = (2, 3, 4, 5, 6, 7, 9, 12, 16)
_LEAST = 0.3  # probability below which a draft ends; spec section 6 (a)
_FACTOR, _MASK = 0x9E3779B1, 0xFFFFFFFF
_SIZE_LIMIT = 64 << 20


class _Counted(NamedTuple):
    """Contexts: their keys; the commonest symbol after each, its share, how often; one place where each ends."""

    keys: np.ndarray
    following: np.ndarray
    share: np.ndarray
    seen: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class NgramTable:
    """Contexts of 2 to 16 symbols and the token that follows, where at least 30 % of the training targets go on so.

    A context that says what a shorter one says is left out. Two contexts with the same 32-bit key share an entry: the
    drafts get worse by that, the results do not.

    Attributes:
        tokens: names of the symbols: tokens, and what ring digits do (see `RingSymbols`).
        keys: uint32, rising.
        following: uint16, number in `tokens` of what follows each key.
        share: uint8, 255 times the share of the targets that go on so.
    """

    tokens: tuple[str, ...]
    keys: np.ndarray
    following: np.ndarray
    share: np.ndarray

    @classmethod
    def build(cls, targets: Iterable[Sequence[int]], vocabulary: Vocabulary, *, entries: int = 480_000) -> "NgramTable":
        """Count the targets of the training set, or of a file of known reactions.

        Args:
            targets: token ids, with or without begin and end.
            vocabulary: of the ids.
            entries: how many contexts are kept at most, the most frequent first; 480,000 take about 2 MB.

        Raises:
            BadInput: there is no target.
        """
        rings = RingSymbols(vocabulary)
        rows = [[BOS, *rings.read((id_ for id_ in row if id_ > EOS), []), EOS] for row in targets]
        if not rows:
            raise BadInput("There is no target to count n-grams of.")
        names = _names(vocabulary, rings, max(map(max, rows)))
        codes = np.array([_code(name) for name in names], np.uint64)
        symbols = np.concatenate([np.asarray(row, np.int64) for row in rows])
        depth = np.concatenate([np.arange(1, len(row) + 1) for row in rows])
        kept = _unlike_shorter(symbols, depth, codes)
        order = np.argsort(-kept.seen, kind="stable")[:entries]
        order = order[np.argsort(kept.keys[order], kind="stable")]
        keys, first = np.unique(kept.keys[order].astype(np.uint32), return_index=True)
        order = order[first]
        share = np.floor(kept.share[order] * 255).astype(np.uint8)
        return cls(tuple(names), keys, kept.following[order].astype(np.uint16), share)

    @classmethod
    def shipped(cls, task: str) -> "NgramTable":
        """The table that is part of this package, of the outputs of a task: "forward" or "retro".

        Raises:
            BadInput: there is none.
        """
        return cls.load(Path(__file__).parent / "drafts" / f"{task}.npz")

    def over(self, other: "NgramTable") -> "NgramTable":
        """Both tables in one; where they differ, this one holds. For a user's own reactions above the shipped table."""
        tokens = list(dict.fromkeys((*self.tokens, *other.tokens)))
        number = {token: place for place, token in enumerate(tokens)}
        moved = [np.array([number[token] for token in table.tokens], np.uint16)[table.following] for table in (self, other)]
        keys, first = np.unique(np.concatenate([self.keys, other.keys]), return_index=True)
        share = np.concatenate([self.share, other.share])
        return NgramTable(tuple(tokens), keys, np.concatenate(moved)[first], share[first])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an .npz file."""
        names = np.frombuffer(json.dumps(self.tokens).encode(), np.uint8)
        steps = np.diff(self.keys, prepend=np.uint32(0))  # small numbers, which compress
        columns = {f"step{byte}": (steps >> (8 * byte)).astype(np.uint8) for byte in range(4)}
        arrays = {"tokens": names, "following": self.following, "share": self.share, **columns}
        return write_atomic(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "NgramTable":
        """Read what `save` wrote.

        Raises:
            BadInput: the file is missing, damaged, or no such table.
        """
        columns = tuple(f"step{byte}" for byte in range(4))
        found = read_npz(path, ("tokens", "following", "share", *columns), limit=_SIZE_LIMIT)
        types = {"tokens": np.uint8, "following": np.uint16, "share": np.uint8, **dict.fromkeys(columns, np.uint8)}
        if any(found[name].ndim != 1 or found[name].dtype != type_ for name, type_ in types.items()):
            raise BadInput(f"{path} is no table of n-grams: its arrays have other types or shapes.")
        if len({len(found[name]) for name in ("following", "share", *columns)}) != 1:
            raise BadInput(f"{path} is no table of n-grams: its columns differ in length.")
        try:
            tokens = json.loads(found["tokens"].tobytes())
        except (ValueError, RecursionError):
            tokens = None
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise BadInput(f"{path} is no table of n-grams: its tokens are not a list of texts.")
        if found["following"].max(initial=0) >= max(1, len(tokens)):
            raise BadInput(f"{path} is no table of n-grams: it names a token that it does not list.")
        steps = sum(found[name].astype(np.uint64) << np.uint64(8 * byte) for byte, name in enumerate(columns))
        keys = np.cumsum(steps, dtype=np.uint64).astype(np.uint32)
        return cls(tuple(tokens), keys, found["following"], found["share"])


class Continuations:
    """A table bound to a vocabulary, for fast look-up."""

    def __init__(self, table: NgramTable, vocabulary: Vocabulary) -> None:
        rings = RingSymbols(vocabulary)
        count = 64
        names = _names(vocabulary, rings, rings.opening + count)
        number = {name: symbol for symbol, name in enumerate(names)}
        self._codes = [_code(name) for name in names]
        symbols = np.array([number.get(token, -1) for token in table.tokens] or [-1], np.int64)[table.following]
        known = symbols >= 0
        packed = (symbols << 8) | table.share
        self._packed: Mapping[int, int] = dict(zip(table.keys[known].tolist(), packed[known].tolist(), strict=True))

    def after(self, symbols: Sequence[int], length: int) -> tuple[list[int], float]:
        """Go on greedily while the next token is likely.

        Args:
            symbols: of the output so far, from `BOS`.
            length: most symbols to give.

        Returns:
            The symbols that follow, and how many of them are expected to be right.
        """
        codes, packed = self._codes, self._packed
        # Hashes of all beginnings: two of them give the key of what is between.
        hashes = [0]
        for symbol in symbols[-ORDERS[-1] :]:
            hashes.append((hashes[-1] * _FACTOR + (codes[symbol] if symbol < len(codes) else 0)) & _MASK)
        draft: list[int] = []
        likelihood, expected = 1.0, 0.0
        while len(draft) < length:
            last, known, found = hashes[-1], len(hashes), None
            for order, power in _LONGEST_FIRST:
                if order < known:
                    found = packed.get((last - hashes[-1 - order] * power) & _MASK)
                    if found is not None:
                        break
            if found is None:
                break
            symbol = found >> 8
            likelihood *= (found & 255) / 255
            expected += likelihood
            draft.append(symbol)
            if symbol == EOS:
                break
            hashes.append((last * _FACTOR + codes[symbol]) & _MASK)
        return draft, expected


_LONGEST_FIRST = tuple((order, pow(_FACTOR, order, _MASK + 1)) for order in reversed(ORDERS))


def _names(vocabulary: Vocabulary, rings: RingSymbols, last: int) -> list[str]:
    """Names of all symbols up to `last`, the same in every vocabulary."""
    return [*vocabulary.tokens, *(f"<ring {k}>" for k in range(last - rings.opening + 1))]


def _code(name: str) -> int:
    return zlib.crc32(name.encode()) | 1


def _unlike_shorter(symbols: np.ndarray, depth: np.ndarray, codes: np.ndarray) -> _Counted:
    """The contexts that say something else than the next shorter one that says anything."""
    kept: list[_Counted] = []
    for order in ORDERS:
        counted = _count(symbols, depth, codes, order)
        likely = (counted.share >= _LEAST) & (counted.seen >= 2)
        counted = _Counted(*(column[likely] for column in counted))
        said = np.full(len(counted.keys), -1)
        for shorter, table in zip(ORDERS, kept, strict=False):  # the longest of the shorter ones speaks last
            place, found = _find(table.keys, _keys(symbols, counted.place, codes, shorter))
            said[found] = table.following[place[found]]
        kept.append(_Counted(*(column[said != counted.following] for column in counted)))
    return _Counted(*(np.concatenate(columns) for columns in zip(*kept, strict=True)))


def _count(symbols: np.ndarray, depth: np.ndarray, codes: np.ndarray, order: int) -> _Counted:
    """Count what follows each context of `order` symbols."""
    places = np.flatnonzero((depth >= order) & (symbols != EOS))
    keys, following = _keys(symbols, places, codes, order), symbols[places + 1]
    sort = np.argsort(keys << np.uint64(16) | following.astype(np.uint64), kind="stable")
    keys, following, places = keys[sort], following[sort], places[sort]
    new_key = np.r_[True, keys[1:] != keys[:-1]] if len(keys) else np.zeros(0, bool)
    start = np.flatnonzero(new_key | np.r_[True, following[1:] != following[:-1]] if len(keys) else new_key)
    count = np.diff(np.r_[start, len(keys)])
    context = np.cumsum(new_key[start]) - 1
    total = np.bincount(context, weights=count)
    best = np.lexsort((-count, context))[np.flatnonzero(new_key[start])]
    chosen = start[best]
    return _Counted(keys[chosen], following[chosen], count[best] / total, count[best], places[chosen])


def _keys(symbols: np.ndarray, places: np.ndarray, codes: np.ndarray, order: int) -> np.ndarray:
    """Keys of the `order` symbols that end at each place."""
    keys = np.zeros(len(places), np.uint64)
    for back in reversed(range(order)):
        keys = (keys * np.uint64(_FACTOR) + codes[symbols[places - back]]) & np.uint64(_MASK)
    return keys


def _find(sorted_keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted key is, and whether it is there."""
    place = np.searchsorted(sorted_keys, wanted)
    found = place < len(sorted_keys)
    found[found] = sorted_keys[place[found]] == wanted[found]
    return place, found
