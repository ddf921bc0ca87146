"""LIAR with the rules engine: it runs on a file of the user's, with its baselines; that it fails is a result, not a test."""

import pytest

from tenfold.core.extras import is_installed
from tenfold.semgrad.liar_offline import liar_offline
from tests.semgrad.test_datasets import liar_row, write_lines


def test_a_word_that_gives_lies_away_is_found_where_there_is_one(tmp_path):
    rows = [liar_row(i, "false" if i % 2 else "true", f"Number {i} is {'aliens' if i % 2 else 'taxes'}") for i in range(160)]
    found = liar_offline(write_lines(tmp_path / "a.tsv", rows), seeds=1, steps=3, rungs=("full", "no gradient"), workers=1)
    named = {row.method: row.value for row in found}
    assert {"start", "full", "no gradient", "majority class", "full - majority class"} <= set(named)
    assert named["majority class"] == pytest.approx(0.5, abs=0.15)
    assert named["full"] >= named["start"]
    assert all("engine:rules" in row.condition for row in found)
    if is_installed("sklearn"):
        assert named["logistic regression"] > 0.9
