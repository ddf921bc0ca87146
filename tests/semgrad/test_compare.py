"""Comparisons: the same terms for all, intervals over seeds, paired differences, and what cannot be compared."""

import importlib.util
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput, ExtraMissing
from tenfold.semgrad import tasks
from tenfold.semgrad.compare import MODES, Terms, compare, one_seed, rows_of
from tests.semgrad.test_datasets import write_lines


def test_rows_hold_means_intervals_and_paired_differences():
    found = [{"start": 0.0, "full": 1.0, "bare": 0.5}, {"start": 0.2, "full": 0.8, "bare": 0.7}]
    rows = {row.method: row for row in rows_of(found, "a task")}
    assert list(rows) == ["start", "full", "bare", "full - bare", "full - start"]
    assert rows["full"].value == pytest.approx(0.9)
    assert rows["full - bare"].value == pytest.approx(0.3)
    assert (rows["full - bare"].low, rows["full - bare"].high) == (pytest.approx(0.1), pytest.approx(0.5))
    assert rows["full - bare"].value == pytest.approx(rows["full"].value - rows["bare"].value)
    assert all(row.low <= row.value <= row.high and row.seeds == 2 for row in rows.values())


def test_arithmetic_shows_that_the_siblings_pay():
    rows = {row.method: row for row in compare("arithmetic", modes=("full", "bare", "none"), seeds=4, workers=1)}
    assert rows["full"].value > rows["none"].value + 0.3
    assert rows["full"].value > rows["start"].value
    assert rows["full - none"].value == pytest.approx(rows["full"].value - rows["none"].value)


def test_a_comparison_is_the_same_in_one_process_and_in_two():
    settings = {"modes": ("full", "random"), "seeds": [3, 5], "evaluations": 3}
    one, two = (compare("navigate", "all", workers=workers, **settings) for workers in (1, 2))
    assert [(row.method, row.value, row.low) for row in one] == [(row.method, row.value, row.low) for row in two]


def test_every_mode_runs_and_none_evaluates_more_often_than_it_may(monkeypatch):
    from tenfold.semgrad import optimiser, runtime

    counts: dict[str, int] = {}
    real_optimise, real_run = optimiser.optimise, runtime.run

    def optimised(graph, train, test, **settings):
        made = real_optimise(graph, train, test, **settings)
        counts[f"{settings['update']} {settings['neighbourhood']}"] = made.evaluations
        return made

    def ran(graph, samples, *args, **settings):
        counts["random"] = counts.get("random", 0) + (len(samples) == 20)
        return real_run(graph, samples, *args, **settings)

    monkeypatch.setattr(optimiser, "optimise", optimised)
    monkeypatch.setattr(runtime, "run", ran)
    scores = one_seed(Terms("counting", "all", evaluations=4), 0)
    assert list(scores) == ["start", *MODES]
    assert counts["random"] == 4
    assert set(counts) == {"full full", "full self", "full bare", "full none", "auto full", "random"}
    assert all(count <= 4 for count in counts.values())


def test_the_users_questions_are_read_from_a_file(tmp_path):
    learn, test = tasks.load(tasks.TASKS["arithmetic"], None, 0)
    rows = [{"question": row["question"], "target": row["target"]} for row in [*learn, *test[:10]]]
    file = write_lines(tmp_path / "own.jsonl", rows)
    found = one_seed(Terms("arithmetic", modes=("full",), evaluations=2, data=file), 0)
    assert set(found) == {"start", "full"}
    with pytest.raises(BadInput, match="20 to learn from"):
        one_seed(Terms("arithmetic", data=write_lines(tmp_path / "few.jsonl", rows[:5])), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "chess"}, "no task 'chess'"),
        ({"task": "navigate", "start": "root"}, "start 'root' is unknown"),
        ({"task": "navigate", "modes": ["half"]}, "mode 'half' is unknown"),
        ({"task": "navigate", "modes": []}, "needs a mode"),
        ({"task": "navigate", "seeds": 0}, "needs a mode, a seed"),
        ({"task": "navigate", "evaluations": 1}, "two evaluations"),
        ({"task": "navigate", "against": ["opro"]}, "'opro' is unknown"),
        ({"task": "navigate", "data": Path("/nowhere.jsonl")}, r"^/nowhere\.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_runs(arguments, message):
    with pytest.raises(BadInput, match=message):
        compare(**arguments)


@pytest.mark.skipif(importlib.util.find_spec("textgrad") is not None, reason="textgrad is installed")
def test_a_package_that_is_missing_is_named_before_anything_runs():
    with pytest.raises(ExtraMissing, match=r"tenfold\[peers\]"):
        compare("navigate", against=["textgrad"])


@pytest.mark.skipif(importlib.util.find_spec("gepa") is None, reason="no gepa here")
def test_packages_stand_in_the_same_table():
    rows = {
        row.method: row
        for row in compare("navigate", modes=("full",), seeds=2, evaluations=2, against=("gepa", "none"), workers=1)
    }
    assert {"start", "full", "gepa", "full - gepa"} <= set(rows)


def test_differences_are_to_mode_full_wherever_it_stands_in_the_list():
    rows = rows_of([{"start": 0.1, "bare": 0.5, "full": 0.9}, {"start": 0.2, "bare": 0.6, "full": 1.0}], "here")
    assert [row.method for row in rows] == ["start", "bare", "full", "full - bare", "full - start"]
    assert next(row for row in rows if row.method == "full - bare").value == pytest.approx(0.4)
