"""LIAR with the rules engine: it runs on a file of the user's, with its baselines; that it fails is a result, not a test."""

import pytest

from tenfold.core.extras import is_installed
from tenfold.semgrad.datasets import liar
from tenfold.semgrad.liar_offline import liar_offline, start
from tenfold.semgrad.protocols import liar_graph
from tenfold.semgrad.runtime import run
from tests.semgrad.test_datasets import liar_row, write_lines


def test_the_ladder_stands_beside_the_majority_class_and_logistic_regression(tmp_path):
    rows = [liar_row(i, "false" if i % 2 else "true", f"Number {i} is {'aliens' if i % 2 else 'taxes'}") for i in range(160)]
    found = liar_offline(write_lines(tmp_path / "a.tsv", rows), seeds=2, steps=1, rungs=("full", "no gradient"), workers=1)
    named = {row.method: row.value for row in found}
    assert {"start", "full", "no gradient", "majority class", "full - majority class"} <= set(named)
    assert named["majority class"] == pytest.approx(0.5, abs=0.15)
    assert named["full - no gradient"] == pytest.approx(named["full"] - named["no gradient"])
    assert all("engine:rules" in row.condition and row.seeds == 2 for row in found)
    if is_installed("sklearn"):
        assert named["logistic regression"] > 0.9


def test_every_leaf_starts_with_a_rule_that_the_engine_follows(tmp_path):
    split = liar(write_lines(tmp_path / "a.tsv", [liar_row(i) for i in range(30)]), train=10)
    graph = start(liar_graph(), split.train, 0)
    trace = run(graph, split.test)
    assert all(values[name].lstrip("-").isdigit() for values in trace.values for name in graph.nodes if name != "final")
    assert set(trace.answers) <= {"Yes", "No"}
