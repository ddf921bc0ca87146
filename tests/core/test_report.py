"""Rows, intervals and the report: honest about what is exact, recorded or not run; safe with hostile text."""

import numpy as np
import plotly.graph_objects as go
import pytest

from tenfold.core import experiment
from tenfold.core.errors import BadInput
from tenfold.core.experiment import Row, bootstrap_interval, record, recorded_rows
from tenfold.core.report import Section, Table, rows_table, write_report
from tenfold.core.theme import style_figure


def test_the_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        found = bootstrap_interval(list(rng.normal(1.0, 2.0, 30)), resamples=500, seed=trial)
        assert found.low <= found.mean <= found.high
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99
    assert bootstrap_interval([3.0]) == (3.0, 3.0, 3.0)
    with pytest.raises(BadInput):
        bootstrap_interval([])


def test_tables_say_exact_not_run_and_recorded():
    rows = [
        Row(method="a", metric="m", value=1.0, low=1.0, high=1.0),
        Row(method="b", metric="m", value=None),
        Row(
            method="c",
            metric="m",
            value=2.0,
            low=1.5,
            high=2.5,
            seeds=5,
            recorded=True,
            commit="abcdef0123",
            hardware="two cores",
        ),
    ]
    text = [" ".join(map(str, row)) for row in rows_table(rows).rows]
    assert "exact" in text[0]
    assert "not run" in text[1]
    assert "1.5 to 2.5" in text[2]
    assert "recorded, abcdef012, two cores" in text[2]


def test_recorded_rows_are_read_back_as_recorded(tmp_path, monkeypatch):
    package = tmp_path / "src" / "tenfold"
    (package / "core").mkdir(parents=True)
    monkeypatch.setattr(experiment, "__file__", str(package / "core" / "experiment.py"))
    record([Row(method="a", metric="m", value=1.0)], tmp_path / "docs" / "results" / "udrl-gpu.json")
    found = recorded_rows("udrl")
    assert [row.recorded for row in found] == [True]
    assert recorded_rows("facts") == []
    (tmp_path / "docs" / "results" / "udrl-bad.json").write_text('{"rows": [{"nonsense": 1}]}')
    with pytest.raises(BadInput, match="udrl-bad"):
        recorded_rows("udrl")


def test_a_verdict_says_why_and_what_is_missing_as_two_sentences(tmp_path):
    entry = {
        "id": "a-1",
        "verdict": "shown",
        "claim": "c",
        "rule": "r",
        "command": "x",
        "why": "not run",
        "missing": "A model.",
    }
    assert "not run. A model<br>" in write_report(tmp_path, "t", [], ledger=[entry]).read_text()


def test_a_report_holds_its_script_once_and_hostile_text_stays_text(tmp_path):
    evil = "<script>alert('x')</script>"
    figure = style_figure(go.Figure(go.Scatter(x=[1], y=[2], name=evil)), title="t")
    sections = [Section(evil, evil, [Table((evil,), [[evil]], evil, evil)], [figure, figure], [evil])] * 2
    page = write_report(tmp_path, evil, sections, ledger=[]).read_text()
    assert page.count("plotly.js v") == 1
    assert "<script>alert" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
