"""The `tenfold facts` commands: what they write, what they refuse, and that they go on."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

pytest.importorskip("pandas", reason="the extra facts is not installed")
from tenfold.core.errors import TenfoldError
from tenfold.facts import Forecaster, commands, town_meters


def call(*arguments):
    """Standard output, and what the command refused; `tenfold.cli` prints such an error and exits with its code."""
    result = CliRunner().invoke(commands.app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, (TenfoldError, SystemExit)):
        raise result.exception
    return result.stdout, result.exception if isinstance(result.exception, TenfoldError) else None


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table, the rows that follow it, and a model of its linear part."""
    folder = tmp_path_factory.mktemp("facts")
    town = town_meters(500, seed=2)[["time", "power", "sun", "river"]]
    town[:400].to_csv(folder / "town.csv", index=False)
    town[400:].to_csv(folder / "later.csv", index=False)
    out, error = call("fit", folder / "town.csv", "-o", folder / "model", "--horizon", 12, "--look-back", 24, "--steps", 3)
    assert error is None
    assert out.startswith("3 steps in ")
    return folder


def test_a_forecast_has_times_series_and_ends_of_intervals(made):
    out, error = call("forecast", made / "model", made / "town.csv", "-o", made / "f.csv", "--plot", made / "f.html")
    assert error is None
    assert out == f"12 steps of 3 series. Written: {made / 'f.csv'}\n"
    found = pd.read_csv(made / "f.csv")
    assert found["time"][0] == str(pd.read_csv(made / "later.csv")["time"][0])
    assert (found["power-lo-95"] <= found["power-lo-80"]).all()
    assert (found["power-hi-80"] >= found["power"]).all()
    assert "last period again" in (made / "f.html").read_text()
    rows = json.loads(call("forecast", made / "model", made / "town.csv", "--horizon", 2, "--json")[0])["rows"]
    assert [row["time"] for row in rows] == list(found["time"][:2])


def test_a_model_is_evaluated_inspected_and_checked(made):
    found = json.loads(call("evaluate", made / "model", made / "later.csv", "--context", made / "town.csv", "--json")[0])
    assert found["windows"] == 100 - 12 + 1
    assert found["mse"] < found["naive_mse"]
    shares = json.loads(call("inspect", made / "model", made / "town.csv", "--json")[0])
    assert np.allclose(np.sum(shares["shares"], 1), 1)
    assert shares["rows"] == ["power", "sun", "river"]
    changes = json.loads(call("check-invariance", made / "model", made / "town.csv", "--json")[0])
    assert max(changes["fixed"], changes["per_frame"], changes["streaming"]) <= 1e-5
    _, error = call("check-invariance", "town", "--tolerance", 0)
    assert error is not None
    assert error.exit_code == 1


def test_the_benchmark_is_a_table_that_goes_on_where_it_stopped(made):
    options = ("-o", made / "table", "--horizons", 12, "--look-back", 24, "--seeds", 1)
    first = json.loads(call("compare", made / "town.csv", *options, "--models", "last value", "--json")[0])
    both = json.loads(call("compare", made / "town.csv", *options, "--models", "last value,least squares", "--json")[0])
    assert both[0]["mse"] == first[0]["mse"]
    assert [row["model"] for row in both] == ["last value", "least squares"]
    assert [row["won"] for row in both].count(True) == 1
    assert len((made / "table" / "results.jsonl").read_text().splitlines()) == 2


def test_a_graph_is_a_table_of_methods_and_discs_are_one_of_models(tmp_path):
    draw = np.random.default_rng(0).normal(size=(80, 3)).cumsum(0)
    content = {"edges": [["a", "b"], ["b", "c"]], "node_ids": {"a": 0, "b": 1, "c": 2}, "FX": draw.tolist()}
    (tmp_path / "g.json").write_text(json.dumps(content))
    options = ("--seeds", 1, "--look-back", 4, "--period", 6, "--steps", 3, "--json")
    rows = json.loads(call("graph", tmp_path / "g.json", *options)[0])
    assert rows[0]["method"] == "last value"
    assert all(row["mse"] > 0 for row in rows)
    found = json.loads(call("discs", "--steps", 2, "--sequences", 100, "--json")[0])
    assert {row["model"] for row in found} >= {"FACTS", "pooled GRU", "constant velocity"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "none.csv", "-o", "m"), "none.csv is not there."),
        (("fit", "{folder}/town.csv", "-o", "{folder}/town.csv"), "is a file; a model needs a folder."),
        (("fit", "{folder}/town.csv", "-o", "{folder}"), "which is no part of a model."),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--horizon", 0), "horizon is wrong"),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--horizon", 300), "400 rows are too few"),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--columns", "power,moon"), "no column 'moon'"),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--fill", "zero"), "fill"),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--levels", "much"), "holds no numbers"),
        (("fit", "{folder}/town.csv", "-o", "{folder}/n", "--device", "cuda:7"), "no such CUDA device"),
        (("forecast", "{folder}", "{folder}/town.csv"), "holds no forecaster"),
        (("forecast", "{folder}/model", "{folder}/town.csv", "--horizon", 13), "the model forecasts 1 to 12 steps"),
        (("forecast", "{folder}/model", "{folder}/town.csv", "--plot", "f.bmp"), "must end in .html"),
        (("compare", "{folder}/town.csv", "-o", "{folder}/t", "--horizons", "much"), "holds no whole numbers"),
        (("compare", "{folder}/town.csv", "-o", "{folder}/t", "--models", "magic"), "model 'magic' is unknown"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_leaves_nothing(made, arguments, words):
    before = sorted(made.iterdir())
    _, error = call(*(str(one).format(folder=made) for one in arguments))
    assert error is not None
    assert words in error.message
    assert error.exit_code == 2
    assert sorted(made.iterdir()) == before


def test_another_set_of_columns_is_named_at_forecast_time(made, tmp_path):
    pd.read_csv(made / "town.csv").drop(columns="sun").assign(moon=1.0).to_csv(tmp_path / "other.csv", index=False)
    _, error = call("forecast", made / "model", tmp_path / "other.csv")
    assert error is not None
    assert "'sun'" in error.message
    assert "'moon'" in error.message
    out, error = call("forecast", made / "model", tmp_path / "other.csv", "--any-columns", "--json")
    assert error is None
    assert "moon" in json.loads(out)["rows"][0]


def test_a_killed_fit_goes_on_and_gives_the_same_model(made, tmp_path):
    options = [str(made / "town.csv"), "--horizon", "12", "--look-back", "24", "--steps", "60", "--minutes", "5", "-o"]
    _, error = call("fit", *options, tmp_path / "whole")
    assert error is None
    command = [sys.executable, "-m", "tenfold", "facts", "fit", *options, str(tmp_path / "cut")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    checkpoint = tmp_path / "cut" / "training" / "checkpoint.safetensors"
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "forecaster.json").exists()
    _, error = call("fit", *options, tmp_path / "cut")
    assert error is None
    whole, cut = (Forecaster.load(tmp_path / name).predict(made / "town.csv") for name in ("whole", "cut"))
    pd.testing.assert_frame_equal(whole, cut, rtol=1e-6)
