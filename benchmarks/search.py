"""Does weighing words and meanings by the query beat weighing them equally? And how fast is BM25?

Recall at 1, 5 and 10 on four kinds of real texts (see `retrieval_data.py`), with the packaged MiniLM encoder and with hashed
tf-idf. The textbook: BM25 of whole documents, vectors of whole documents, and both fused rank by rank with equal weights
(reciprocal rank fusion, k = 60). Ours: words and meanings of documents and their best passages, the same fusion of them,
and `Hybrid`. The same settings everywhere. The speed of BM25 is beside a plain Python loop over the documents that computes
the same formula from ready-made counts; floor: reading the query words' postings once.

    TENFOLD_DATA=... python benchmarks/search.py --json             # about four minutes on one core, most of it MiniLM
    TENFOLD_DATA=... python benchmarks/search.py --models hashed    # half a minute
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from retrieval_data import Corpus, captions, half_lines, last_sentences, solutions

from tenfold.core.console import table
from tenfold.core.progress import track
from tenfold.llm.search import BM25, Hybrid
from tenfold.llm.words import stems

Scores = NDArray[np.floating]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--models", default="hashed,minilm", help="encoders, commas between")
    parser.add_argument("--seasons", type=int, default=10, help="television seasons of 44")
    parser.add_argument("--cache", type=Path, help="folder of known vectors")
    arguments = parser.parse_args()
    data = Path(os.environ["TENFOLD_DATA"])
    kinds = {
        "captions": captions(data, arguments.seasons),
        "half lines": [half_lines(data)],
        "last sentences": [last_sentences(data)],
        "solutions": [solutions(data)],
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models.split(","):
            for kind, corpora in kinds.items():
                rows += recalls(f"{kind}, {model}", corpora, model, arguments.cache or Path(folder))
    rows += speed(half_lines(data, films=10**6, asked=5))
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value"), [(row["name"], f"{row['value']:.3f}") for row in rows])


def recalls(name: str, corpora: list[Corpus], model: str, cache: Path) -> list[dict[str, object]]:
    ranks: dict[str, list[float]] = {}
    for corpus in track(corpora, name):
        whole, ours = (Hybrid(corpus.documents, model, cache, split=split) for split in (lambda text: [text], None))
        for question, gold in corpus.questions:
            textbook, found = whole.evidence(question), ours.evidence(question)
            methods = {
                "BM25, whole": textbook.words,
                "vectors, whole": textbook.meanings,
                "equal, whole": by_rank(textbook.words) + by_rank(textbook.meanings),
                "words": found.words,
                "meanings": found.meanings,
                "equal": by_rank(found.words) + by_rank(found.meanings),
                "hybrid": found.scores,
            }
            for method, scores in methods.items():
                ranks.setdefault(method, []).append(rank(scores, gold))
    rows: list[dict[str, object]] = []
    for method, values in ranks.items():
        for k in (1, 5, 10):
            share = float(np.mean(np.array(values) < k))
            error = math.sqrt(share * (1 - share) / len(values))
            rows.append({"name": f"{name}: {method}, R@{k}", "value": share, "error": error, "questions": len(values)})
    return rows


def by_rank(scores: Scores) -> Scores:
    order = np.empty(len(scores))
    order[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return 1 / (61 + order)


def rank(scores: Scores, gold: int) -> float:
    """Documents above the right one; those level with it count half."""
    return float((scores > scores[gold]).sum() + ((scores == scores[gold]).sum() - 1) / 2)


def speed(corpus: Corpus) -> list[dict[str, object]]:
    questions = [question for question, _ in corpus.questions]
    started = time.process_time()
    found = BM25(corpus.documents)
    found.scores("warm")
    built = time.process_time() - started
    loop = plain_loop(corpus.documents)
    ours = timed(lambda: [found.scores(question) for question in questions]) / len(questions)
    plain = timed(lambda: [loop(question) for question in questions[:20]]) / 20
    np.testing.assert_allclose(found.scores(questions[0]), loop(questions[0]), rtol=1e-4, atol=1e-5)
    size = f"{len(corpus.documents)} clips"
    return [
        {"name": f"BM25 build, {size}, s CPU", "value": built},
        {"name": f"BM25 query, {size}, ms CPU", "value": ours * 1e3},
        {"name": f"BM25 query: plain loop / ours, {size}", "value": plain / ours},
    ]


def plain_loop(documents: list[str], k1: float = 1.2, b: float = 0.75) -> Callable[[str], list[float]]:
    counts = [Counter(stems(text)) for text in documents]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(lengths)
    frequency = Counter(word for count in counts for word in count)

    def scores(query: str) -> list[float]:
        found = [0.0] * len(counts)
        for word in stems(query):
            idf = math.log(1 + (len(counts) - frequency[word] + 0.5) / (frequency[word] + 0.5))
            for number, count in enumerate(counts):
                times = count[word]
                if times:
                    held = k1 * (1 - b + b * lengths[number] / mean)
                    found[number] += idf * times * (k1 + 1) / (times + held)
        return found

    return scores


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
