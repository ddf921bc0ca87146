"""Hashed tf-idf: vectors of texts from nothing but numpy and scipy, for machines without an encoder.

A text's features are its words without their endings and, within each word, its character n-grams (so that "colour" meets
"discoloured"). A feature's
column and sign come from CRC-32, the same on every machine and in every process: no vocabulary has to be kept, and with
signs the collisions cancel in expectation (Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
"""

import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tenfold.llm.words import stems

__all__ = ["Hashed"]

_SHARE = 0.5  # squared length of a word's n-grams together, where the word itself has 1
_SIZES = (3, 4, 5)
_LONGEST = 40  # letters of a word that are cut into n-grams: a page of base64 is no word
_BLOCK = 4096  # texts at a time: the dense block stays below 16 MB


class Hashed:
    """Hashed tf-idf with the document frequencies of given texts.

    Attributes:
        dimension: columns d.
        identity: names the method, its settings and the frequencies; equal identities give equal vectors.
    """

    def __init__(self, fit: Sequence[str] = (), dimension: int = 1024) -> None:
        """Learn the idf ln((1 + n) / (1 + df)) + 1 of each word.

        Args:
            fit: the n texts in which a word's document frequency df is counted; none = all words weigh the same.
            dimension: columns d; more columns, fewer collisions.
        """
        self.dimension = dimension
        seen = Counter(word for text in fit for word in set(stems(text)))
        self._idf = {word: math.log((1 + len(fit)) / (1 + df)) + 1 for word, df in seen.items()}
        self._unseen = math.log(1 + len(fit)) + 1
        state = json.dumps([len(fit), sorted(seen.items())], ensure_ascii=False)
        self.identity = f"hashed-1:{dimension}:{hashlib.sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1, float32 [n, d]; a text without words gets zeros."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _BLOCK):
            vectors[start : start + _BLOCK] = self._block(texts[start : start + _BLOCK])
        return vectors

    def _block(self, texts: Sequence[str]) -> NDArray[np.float32]:
        place: dict[str, int] = {}
        weights, columns, ends = [], [], [0]
        for text in texts:
            for word, count in Counter(stems(text)).items():
                columns.append(place.setdefault(word, len(place)))
                weights.append((1 + math.log(count)) * self._idf.get(word, self._unseen))
            ends.append(len(columns))
        by_word = csr_array((np.array(weights), np.array(columns, np.int64), ends), shape=(len(texts), len(place)))
        dense = csr_array(by_word @ _features(tuple(place), self.dimension)).toarray()
        return (dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _features(vocabulary: tuple[str, ...], dimension: int) -> csr_array:
    """[word, column] signed features of each word."""
    found = [_word_features(word) for word in vocabulary]
    ends = np.cumsum([0, *(len(hashes) for hashes, _ in found)])
    hashes = np.concatenate([hashes for hashes, _ in found]) if found else np.zeros(0, np.int64)
    values = np.concatenate([values for _, values in found]) if found else np.zeros(0)
    made = csr_array((values, hashes % dimension, ends), shape=(len(vocabulary), dimension))
    made.sum_duplicates()
    return made


@lru_cache(maxsize=200_000)
def _word_features(word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    edged = f"<{word[:_LONGEST]}>"
    grams = {edged[i : i + size] for size in _SIZES for i in range(len(edged) - size + 1)} - {edged}
    named = [f"w{word}", *(f"g{gram}" for gram in sorted(grams))]
    hashes = np.array([zlib.crc32(name.encode("utf-8", "surrogatepass")) for name in named], np.int64)
    values = np.where(hashes >> 31, -1.0, 1.0)  # the sign's bit is not among those that choose the column
    values[1:] *= math.sqrt(_SHARE / max(1, len(grams)))
    return hashes & 0x7FFFFFFF, values
