import numpy as np
import pandas as pd
import pytest

from tenfold.core.errors import BadInput
from tenfold.facts.evaluation import MODELS, Budget, Result, Trial, evaluate_trial, evaluate_trials, summarise, trials_of
from tenfold.facts.synthetic import town_meters

SHORT = Budget(minutes=None, steps=4)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "town.csv"
    town_meters(400).to_csv(file, index=False)
    return file


@pytest.mark.parametrize("model", MODELS)
def test_every_model_forecasts_every_test_window(town, model):
    found = evaluate_trial(Trial(model, "town", str(town), 12, 0, 24, SHORT))
    assert found.windows == 80 - 12 + 1  # the last fifth of 400 rows
    assert np.isfinite([found.mse, found.mae]).all()
    assert (found.gate is None) == (not model.startswith("facts"))
    assert found.steps == (0 if model in ("facts linear part", "last value", "seasonal naive", "least squares") else 4)


def test_trials_are_all_combinations_and_seeds_only_where_they_matter(town):
    trials = trials_of({"town": town}, models=("facts", "last value"), horizons=(12, 24), seeds=(0, 1, 2))
    assert len(trials) == 2 * (3 + 1)
    assert len({trial.key for trial in trials}) == len(trials)
    with pytest.raises(BadInput, match="model 'ARIMA' is unknown"):
        trials_of({"town": town}, models=("ARIMA",))


def test_what_is_done_is_not_done_again_and_what_is_new_is_added(town, tmp_path):
    trials = trials_of({"town": town}, models=("last value", "DLinear"), horizons=(12,), look_back=24, budget=SHORT)
    first = evaluate_trials(trials, tmp_path)
    kept = (tmp_path / "results.jsonl").read_text()
    with open(tmp_path / "results.jsonl", "a") as file:
        file.write('{"key": "torn')  # killed while writing
    more = trials_of({"town": town}, models=("last value", "DLinear", "RLinear"), horizons=(12,), look_back=24, budget=SHORT)
    second = evaluate_trials(more, tmp_path)
    assert second[:2] == first
    assert (tmp_path / "results.jsonl").read_text().startswith(kept)
    assert [result.model for result in second] == ["last value", "DLinear", "RLinear"]


def test_the_summary_gives_means_intervals_and_who_won():
    def result(model, seed, mse):
        return Result(
            key=f"{model}{seed}", model=model, data="d", horizon=96, seed=seed, mse=mse, mae=mse, validation=None, steps=1,
            seconds=0.0, windows=9,
        )  # fmt: skip

    found = summarise([result("a", 0, 0.4), result("a", 1, 0.2), result("b", 0, 0.35)])
    assert [(row.model, row.won, row.seeds) for row in found] == [("a", True, 2), ("b", False, 1)]
    assert found[0].mse == pytest.approx(0.3)
    assert found[0].low <= 0.3 <= found[0].high
    assert found[1].low == found[1].high == 0.35


def test_a_benchmarks_file_that_is_cut_off_is_refused_and_a_flaw_in_its_clock_is_not(tmp_path):
    town_meters(400).to_csv(tmp_path / "ETTh1.csv", index=False)
    with pytest.raises(BadInput, match="ETTh1 has 14400 rows in the protocol, this file 400: it is cut off"):
        evaluate_trial(Trial("last value", "ETTh1", str(tmp_path / "ETTh1.csv"), 12, 0))
    flawed = town_meters(400)
    flawed.loc[7, "time"] = flawed.loc[6, "time"]
    flawed.to_csv(tmp_path / "weather.csv", index=False)
    found = evaluate_trial(Trial("facts", "weather", str(tmp_path / "weather.csv"), 12, 0, 24, SHORT))
    assert found.windows == 69
    pd.read_csv(tmp_path / "weather.csv").to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match="stands there twice"):
        evaluate_trial(Trial("facts", "mine", str(tmp_path / "mine.csv"), 12, 0, 24, SHORT))


@pytest.mark.data
def test_the_simple_baselines_reproduce_the_numbers_of_the_specification(data):
    """Spec section 6: last value 1.294, seasonal naive .512 / .433 on ETTh1, 96 -> 96."""
    file = str(data / "facts" / "ETTh1.csv.gz")
    last, naive = (evaluate_trial(Trial(name, "ETTh1", file, 96, 0)) for name in ("last value", "seasonal naive"))
    assert last.windows == naive.windows == 2785
    assert last.mse == pytest.approx(1.294, abs=1e-3)
    assert (naive.mse, naive.mae) == pytest.approx((0.512, 0.433), abs=1e-3)
