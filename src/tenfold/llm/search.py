"""Search in texts: by words (BM25), and by words and meanings together, as far as each can be trusted (Hybrid).

Equal weights fail. For a half-remembered line of dialogue, words find the place and an encoder trained on meanings does not;
fused rank by rank, the encoder's noise pushes the right place down. For a described scene it is the other way round. Which
of the two a query is can be read off the texts themselves, without knowing the answer: if one passage holds all the telling
words of the query, it is a quotation. So the words' weight is

    coverage = max over passages of (idf of the query's words that stand in the passage) / (idf of all the query's words)

and the meanings' weight is 1 - coverage. The rule has no constant to tune. `benchmarks/search.py` shows it on four kinds of
data.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import BadInput
from tenfold.llm.embeddings import Encoder, embed, encoder
from tenfold.llm.words import stems

__all__ = ["BM25", "Evidence", "Hit", "Hybrid", "passages"]

_END = re.compile(r"\n+|(?<=[.!?…])\s+")


class Hit(NamedTuple):
    """One found document: its number, counted from 0 in the order given, and its score."""

    document: int
    score: float


class BM25:
    """Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", equation 3.15).

    A query's score for document d is the sum over its words t of
    idf(t) tf (k1 + 1) / (tf + k1 (1 - b + b |d| / mean |d|)), with idf(t) = ln(1 + (N - df + 1/2) / (df + 1/2)).
    Words count without their English endings (`words.stem`). The weight of each (word, document) pair is computed once; a
    query then adds up short columns.
    """

    def __init__(self, texts: Sequence[str] = (), *, k1: float = 1.2, b: float = 0.75) -> None:
        """Index texts.

        Args:
            texts: the documents.
            k1: how slowly repeated words saturate, > 0.
            b: how much long documents are held back, in [0, 1].

        Raises:
            BadInput: k1 or b is out of range.
        """
        if not k1 > 0 or not 0 <= b <= 1:
            raise BadInput(f"BM25 needs k1 > 0 and 0 <= b <= 1, not k1 = {k1} and b = {b}.")
        self._k1, self._b = k1, b
        self._place: dict[str, int] = {}
        self._columns: list[NDArray[np.int32]] = []
        self._counts: list[NDArray[np.int32]] = []
        self._weights: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]] | None = None
        self.add(texts)

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, texts: Sequence[str]) -> None:
        """Index more texts; their numbers go on from the last one."""
        place = self._place
        for text in texts:
            counts = Counter(stems(text))
            self._columns.append(np.fromiter((place.setdefault(w, len(place)) for w in counts), np.int32, len(counts)))
            self._counts.append(np.fromiter(counts.values(), np.int32, len(counts)))
        self._weights = None

    def scores(self, query: str) -> NDArray[np.float32]:
        """The score of every document, float32 [n], >= 0; 0 where no word of the query stands."""
        starts, documents, weights = self._ready()
        found = np.zeros(len(self), np.float32)
        for word, times in Counter(stems(query)).items():
            column = self._place.get(word)
            if column is not None:
                one = slice(starts[column], starts[column + 1])
                found[documents[one]] += times * weights[one]
        return found

    def coverage(self, query: str) -> NDArray[np.float32]:
        """How much of the query stands in each document, float32 [n] in [0, 1]: the share of its words, weighted by idf."""
        starts, documents, _ = self._ready()
        found, total = np.zeros(len(self), np.float32), 0.0
        for word in set(stems(query)):
            column, weight = self._place.get(word), self._idf(word)
            total += weight
            if column is not None:
                found[documents[starts[column] : starts[column + 1]]] += weight
        return np.minimum(found / total, 1.0) if total else found

    def _idf(self, word: str) -> float:
        starts, _, _ = self._ready()
        column = self._place.get(word)
        df = 0 if column is None else int(starts[column + 1] - starts[column])
        return float(np.log1p((len(self) - df + 0.5) / (df + 0.5)))

    def top(self, query: str, k: int = 10) -> list[Hit]:
        """The k best documents that share a word with the query, best first, earlier ones first among equals."""
        return best(self.scores(query), k, above=0.0)

    def _ready(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        if self._weights is None:
            self._weights = self._weigh()
        return self._weights

    def _weigh(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        columns = np.concatenate([np.zeros(0, np.int32), *self._columns])
        tf = np.concatenate([np.zeros(0, np.int32), *self._counts]).astype(np.float64)
        sizes = [len(found) for found in self._counts]
        documents = np.repeat(np.arange(len(self), dtype=np.int32), sizes)
        lengths = np.bincount(documents, tf, minlength=len(self))
        df = np.bincount(columns, minlength=len(self._place))
        idf = np.log1p((len(self) - df + 0.5) / (df + 0.5))
        mean = max(float(lengths.mean()), 1e-12) if len(self) else 1.0
        held = self._k1 * (1 - self._b + self._b * lengths / mean)
        weights = idf[columns] * tf * (self._k1 + 1) / (tf + held[documents])
        order = np.argsort(columns, kind="stable")
        starts = np.concatenate([[0], np.cumsum(df)])
        return starts, documents[order], weights[order].astype(np.float32)


class Evidence(NamedTuple):
    """What speaks for each document.

    Attributes:
        words: by BM25, float64 [n], mean 0 and deviation 1 over the documents.
        meanings: by the encoder, the same.
        coverage: share of the query, by idf, that the best passage holds, in [0, 1]: the weight of `words`.
    """

    words: NDArray[np.float64]
    meanings: NDArray[np.float64]
    coverage: float

    @property
    def scores(self) -> NDArray[np.float64]:
        """Both, as far as each can be trusted."""
        return self.coverage * self.words + (1 - self.coverage) * self.meanings


class Hybrid:
    """Search by words and by meanings, weighted anew for each query (see the module's docstring).

    Documents are compared as wholes and by their best passage (a line or a sentence), with equal say: a clip is about
    something, and one line in it says something.
    """

    def __init__(
        self,
        texts: Sequence[str],
        model: str | Encoder = "auto",
        cache: str | os.PathLike[str] | None = None,
        *,
        split: Callable[[str], list[str]] | None = None,
        k1: float = 1.2,
        b: float = 0.75,
    ) -> None:
        """Index texts.

        Args:
            texts: n documents.
            model: encoder, as in `embed`; `hashed` takes its document frequencies from the documents' passages.
            cache: folder of known vectors, as in `embed`.
            split: document -> its passages; None = `passages`.
            k1: of BM25.
            b: of BM25.

        Raises:
            BadInput: there are no texts, or the model cannot be used.
            ExtraMissing: the model is not installed.
        """
        if not len(texts):
            raise BadInput("There is nothing to search in: no texts were given.")
        parts = [(split or passages)(text) or [text] for text in texts]
        flat = [part for one in parts for part in one]
        self._starts = np.cumsum([0, *(len(one) for one in parts[:-1])])
        self._whole, self._parts = BM25(texts, k1=k1, b=b), BM25(flat, k1=k1, b=b)
        self._encoder = model if isinstance(model, Encoder) else encoder(model, fit=flat)
        vectors = embed([*texts, *flat], self._encoder, cache)
        self._whole_vectors, self._part_vectors = vectors[: len(texts)], vectors[len(texts) :]

    def __len__(self) -> int:
        return len(self._whole)

    def evidence(self, query: str) -> Evidence:
        """What speaks for each document, and how far words are trusted."""
        vector = embed([query], self._encoder)[0]
        by_words = _both(self._whole.scores(query), self._best_part(self._parts.scores(query)))
        by_meanings = _both(self._whole_vectors @ vector, self._best_part(self._part_vectors @ vector))
        return Evidence(by_words, by_meanings, float(self._parts.coverage(query).max()))

    def scores(self, query: str) -> NDArray[np.float64]:
        """The score of every document, float64 [n]; only their order and differences mean something."""
        return self.evidence(query).scores

    def top(self, query: str, k: int = 10) -> list[Hit]:
        """The k best documents, best first, earlier ones first among equals."""
        return best(self.scores(query), k)

    def _best_part(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return np.maximum.reduceat(scores, self._starts)


def passages(text: str) -> list[str]:
    """The lines and sentences of a text; empty ones are left out."""
    return [part.strip() for part in _END.split(text) if part.strip()]


def _both(whole: NDArray[np.floating[Any]], part: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return _standard(_standard(whole) + _standard(part))


def _standard(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Mean 0 and deviation 1, so that different scores can be added; zeros if all are equal."""
    deviation = float(scores.std(dtype=np.float64))
    centred = scores.astype(np.float64) - scores.mean(dtype=np.float64)
    return centred / deviation if deviation > 1e-12 else np.zeros(len(scores))


def best(scores: NDArray[np.floating], k: int, above: float = -np.inf) -> list[Hit]:
    """The k largest of scores [n] that lie above a bound, largest first, earlier ones first among equals.

    Raises:
        BadInput: k is less than 1.
    """
    if k < 1:
        raise BadInput(f"k = {k}: at least one result must be asked for.")
    kept = np.flatnonzero(scores > above)
    if len(kept) > 4 * k:  # a partial sort first; ties with the last one stay in, so that their order is kept
        last = np.partition(scores[kept], -k)[-k]
        kept = kept[scores[kept] >= last]
    order = kept[np.argsort(-scores[kept], kind="stable")][:k]
    return [Hit(int(index), float(scores[index])) for index in order]
