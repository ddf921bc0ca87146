"""The experiment's rules on rows that were made up for them, and one run at the smallest scale."""

import pytest

pytest.importorskip("pandas", reason="the extra facts is not installed")
from tenfold.core.experiment import Row, decide, run_experiment
from tenfold.facts import example, experiment
from tenfold.facts.experiment import EXPERIMENT


def verdicts(rows):
    return {one["id"]: one["verdict"] for one in decide(EXPERIMENT, rows)}


def forecasts(ours, rival, scale="full-cpu"):
    for file in experiment.FILES:
        for horizon in experiment.HORIZONS:
            for method, value in (("facts", ours), ("DLinear", rival)):
                yield Row(
                    method=method, metric=experiment.MSE, value=value, condition=f"{file}, {horizon} steps", scale=scale
                )


def test_without_rows_nothing_is_decided():
    assert set(verdicts([]).values()) == {"not decidable here"}


@pytest.mark.parametrize(("ours", "verdict"), [(0.4, "shown"), (0.403, "shown"), (0.42, "not shown")])
def test_a_forecast_is_level_within_one_per_cent_of_the_best_specialised_model(ours, verdict):
    assert verdicts(list(forecasts(ours, 0.4)))["facts-3"] == verdict


def test_one_file_decides_nothing():
    rows = [row for row in forecasts(0.3, 0.4) if row.condition == "ETTh1, 96 steps"]
    assert verdicts(rows)["facts-3"] == "not decidable here"


@pytest.mark.parametrize(("per_frame", "verdict"), [(1e-6, "shown"), (1e-2, "partly")])
def test_invariance_is_shown_by_all_three_changes(per_frame, verdict):
    values = {experiment.CHANGE_FIXED: 1e-7, experiment.CHANGE_FRAMES: per_frame, experiment.CHANGE_SLOTS: 0.0}
    rows = [Row(method=experiment.OURS, metric=metric, value=value, scale="laptop") for metric, value in values.items()]
    assert verdicts(rows)["facts-1"] == verdict


def test_the_smallest_scale_runs_goes_on_and_draws(tmp_path, monkeypatch):
    monkeypatch.delenv("TENFOLD_DATA", raising=False)
    rows = run_experiment(EXPERIMENT, "smoke", tmp_path, workers=1)
    assert verdicts(rows)["facts-1"] == "shown"
    assert run_experiment(EXPERIMENT, "smoke", tmp_path, workers=1) == rows
    assert len(EXPERIMENT.figures(rows)) == 3
    assert any("won" in row for row in EXPERIMENT.tables(rows)[0].rows)


def test_the_tour_forecasts_and_finds_that_order_and_streaming_change_nothing(tmp_path):
    stop = example.run(tmp_path, seed=0)
    numbers = stop.numbers
    assert numbers["mean squared error over all windows, scaled"] < numbers["of yesterday again"]
    for name in ("rows are shuffled once", "rows are shuffled in each frame", "frames come one by one"):
        assert float(numbers[f"largest change if {name}"]) <= 1e-5
    assert (tmp_path / "forecast.csv").is_file()
