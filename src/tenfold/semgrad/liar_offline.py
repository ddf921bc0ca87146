"""A negative result: LIAR's ladder with the rules engine (section 6.5 of the spec). It fails, and says so.

The engine cannot reason on politics: its leaves can only add weights for words, its output node compares the sum with a
threshold. On 50 training statements this learns little that holds for others, at any level of the neighbourhood; the true
signal in the words is small too, as logistic regression shows. LIAR is for real models: see `runners`.
"""

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tenfold.core.experiment import Row
from tenfold.core.extras import is_installed
from tenfold.core.parallel import parallel_map
from tenfold.semgrad.compare import rows_of
from tenfold.semgrad.datasets import LIAR_FIELDS, liar
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.protocols import LADDER, liar_graph

__all__ = ["liar_offline", "start"]

RUNGS = ("full", "no neighbourhood", "no gradient")
TESTED = 500


def liar_offline(
    data: Path, *, seeds: int = 4, train: int = 50, steps: int = 8, rungs: Sequence[str] = RUNGS, workers: int | None = None
) -> list[Row]:
    """Rows of test accuracy on LIAR with `engine:rules`, beside the majority class and logistic regression.

    Logistic regression (words of all fields, tf-idf) is fitted to the same statements, and to 2,000; it is left out
    where scikit-learn is missing. The test is 500 held-out statements.

    Args:
        data: the published train.tsv (.gz or not). Research use only.
        seeds: splits and starts.
        train: statements to learn from.
        steps: of optimisation.
        rungs: of `LADDER`.
        workers: processes.

    Raises:
        BadInput: the file cannot be used.
    """
    started = time.perf_counter()
    liar(data, train=train)  # a file that cannot be used is said once, not by every process
    job = partial(_one_seed, data, train, steps, tuple(rungs))
    found = parallel_map(job, range(seeds), workers=workers, names=[f"seed {n}" for n in range(seeds)], title="LIAR offline")
    return rows_of(found, f"LIAR with engine:rules, {train} training statements", time.perf_counter() - started)


def start(graph: Graph, samples: Sequence[Mapping[str, str]], seed: int) -> Graph:
    """The graph with leaves that add 1 for a random word of their field, and a threshold as its output node."""
    rng = random.Random(seed)
    made = {"final": "Answer Yes if the hints sum to more than 0, else No."}
    for name in LIAR_FIELDS:
        words = sorted({word.strip('.,;:"()').lower() for sample in samples for word in sample[name].split()} - {""})
        made[f"on {name.replace('_', ' ')}"] = f'For "{rng.choice([w for w in words if w.isalpha()] or words)}", add 1.'
    return graph.with_instructions(made)


def _one_seed(data: Path, train: int, steps: int, rungs: Sequence[str], seed: int) -> dict[str, float]:
    from tenfold.semgrad.optimiser import optimise
    from tenfold.semgrad.runtime import run

    split = liar(data, train=train, seed=seed)
    test = split.test[:TESTED]
    graph = start(liar_graph(), split.train, seed)
    scores = {"start": run(graph, test, metric="exact").score}
    for rung in rungs:
        changes, _ = LADDER[rung]
        settings = {"neighbourhood": "full", "gate": "strict", **changes}
        result = optimise(graph, split.train, test, steps=steps, errors=2, update="full", seed=seed, **settings)
        assert result.test_score is not None  # there are test statements
        scores[rung] = result.test_score
    return {**scores, **_baselines(split.train, split.test)}


def _baselines(train: Sequence[Mapping[str, str]], test: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """The majority class, and logistic regression from the same statements and from 2,000 others, on the same test."""
    tested, more = test[:TESTED], test[TESTED : TESTED + 2000]
    answers = [sample["target"] for sample in train]
    majority = max(sorted(set(answers)), key=answers.count)
    scores = {"majority class": sum(sample["target"] == majority for sample in tested) / len(tested)}
    if is_installed("sklearn"):
        for name, known in (("logistic regression", train), (f"logistic regression, {len(more)} statements", more)):
            if len({sample["target"] for sample in known}) == 2:
                scores[name] = _regression(known, tested)
    return scores


def _regression(train: Sequence[Mapping[str, str]], test: Sequence[Mapping[str, str]]) -> float:
    from tenfold.core.extras import require

    pipeline = require("sklearn.pipeline", "encoder")
    text = require("sklearn.feature_extraction.text", "encoder")
    linear = require("sklearn.linear_model", "encoder")
    model: Any = pipeline.make_pipeline(text.TfidfVectorizer(), linear.LogisticRegression(C=10, max_iter=300))
    model.fit([_words(sample) for sample in train], [sample["target"] for sample in train])
    return float(model.score([_words(sample) for sample in test], [sample["target"] for sample in test]))


def _words(sample: Mapping[str, str]) -> str:
    return " ".join(f"{sample[name]} {name}_{sample[name].replace(' ', '_')}" for name in LIAR_FIELDS)
