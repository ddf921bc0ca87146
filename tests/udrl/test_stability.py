"""The report, the learner, and the commands of udrl."""

import json

import numpy as np
import pytest
import torch

from tenfold import cli, udrl
from tenfold.core.errors import BadInput
from tenfold.udrl import environments
from tenfold.udrl.learner import sample_episodes, sample_segments


def lake(rate):
    return udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10, success_rate=rate)


def test_the_report_says_safe_at_determinism_and_when_to_stop_off_it():
    sure, noisy = udrl.stability_report(lake(1.0)), udrl.stability_report(lake(0.9))
    assert sure.delta == 0
    assert sure.loss == pytest.approx(0, abs=1e-12)
    assert "reaches the optimum" in sure.advice[0]
    assert noisy.delta == pytest.approx(0.2)
    assert noisy.best_n == 2
    assert "Not safe" in noisy.advice[0]
    assert any("Stop after 2 updates" in line for line in noisy.advice)
    found = noisy.to_dict()
    assert {"delta", "objective", "best_n", "optimum", "loss", "advice"} <= set(found)
    assert json.loads(json.dumps(found))["loss"] == pytest.approx(0.29994, abs=1e-4)
    assert "Stop after 2 updates" in str(noisy)
    assert "<svg" in noisy.to_html()


def test_names_in_the_html_report_are_escaped():
    page = udrl.stability_report(environments.bandit(), 1, name="<script>alert(1)</script>").to_html()
    assert "<script>" not in page


def test_a_command_that_nobody_can_fulfil_is_said_to_be_so():
    kernel = np.eye(2)[[[0], [1]]]
    start = np.zeros((2, 1, 2))
    start[0, 0, 1] = 1
    report = udrl.stability_report(udrl.MDP.from_arrays(kernel, [0, 1], start, horizon=1))
    assert "No command can be fulfilled" in report.advice[0]
    assert report.loss == 0


def test_relabelled_segments_have_the_distribution_of_the_theory():
    """Counts of (state, length, goal, action) over many samples against the operator's weights."""
    mdp, generator = environments.tiny_grid("all", 0.2), np.random.default_rng(0)
    episodes = sample_episodes(mdp, mdp.uniform_policy(), 60_000, generator)
    found = sample_segments(mdp, episodes, 400_000, generator)
    counts = np.zeros((*mdp.start.shape, mdp.actions))
    np.add.at(counts, tuple(found.T), 1)
    wanted, reached = udrl.apply_operator(mdp, mdp.uniform_policy())
    total = counts.sum(axis=3)
    assert not (total[~reached] > 0).any()
    often = total > 2000
    assert often.sum() > 50
    error = np.abs(counts[often] / total[often][:, None] - wanted[often])
    assert (error / np.sqrt(0.25 / total[often])[:, None]).max() < 5


@pytest.mark.slow
def test_the_learner_comes_close_to_its_exact_limit():
    learned = udrl.learn(lake(0.6), updates=3, episodes=2000, seed=1)
    assert len(learned.policies) == len(learned.objective) == len(learned.limit) == 4
    assert learned.objective[0] == pytest.approx(learned.limit[0])
    assert abs(learned.objective[-1] - learned.limit[-1]) < 0.05
    again = udrl.learn(lake(0.6), updates=3, episodes=2000, seed=1)
    assert np.array_equal(learned.policies[-1], again.policies[-1])


def test_the_learner_refuses_what_it_cannot_do():
    for options in ({"learner": "transformer"}, {"updates": 0}, {"episodes": 0}):
        with pytest.raises(BadInput):
            udrl.learn(environments.bandit(), **options)


def call(capsys, *words):
    code = cli.run(["udrl", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_report_prints_json_and_writes_html(capsys, tmp_path):
    code, out, err = call(
        capsys, "report", "FrozenLake-v1", "--success-rate", "0.9", "--out", str(tmp_path / "r.html"), "--json"
    )
    assert code == 0
    assert json.loads(out)["best_n"] == 2
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert "r.html" in err
    assert call(capsys, "report", "tiny-grid", "--noise", "0.2", "--max-loss", "0.01")[0] == 1


def test_iterate_takes_a_file_and_keeps_the_policies(capsys, tmp_path):
    environments.cycle(3, 2, 0.1).save(tmp_path / "m.npz")
    code, out, _ = call(
        capsys, "iterate", str(tmp_path / "m.npz"), "--updates", "4", "--out", str(tmp_path / "o.npz"), "--json"
    )
    assert code == 0
    assert len(json.loads(out)["objective"]) == 5
    kept = np.load(tmp_path / "o.npz")
    assert kept["policies"].shape == (5, 3, 2, 3, 2)
    assert kept["objective"].tolist() == json.loads(out)["objective"]


def test_training_resumes_after_its_budget_and_then_is_done(capsys, tmp_path):
    words = ["train", "gcsl", "bandit", "--steps", "650", "--episodes", "200", "--out", str(tmp_path / "r"), "--json"]
    code, out, err = call(capsys, *words, "--minutes", "0.002")
    assert code == 3
    first = json.loads(out)
    assert first["stopped"] == "budget"
    assert "goes on" in err
    code, out, _ = call(capsys, *words)
    assert code == 0
    done = json.loads(out)
    assert done["steps"] == 650
    assert len(done["objective"]) == len(done["exact"]) == 4
    assert (tmp_path / "r" / "checkpoint.safetensors").exists()
    whole = ["train", "gcsl", "bandit", "--steps", "650", "--episodes", "200", "--out", str(tmp_path / "w"), "--json"]
    assert json.loads(call(capsys, *whole)[1])["objective"] == done["objective"]
    assert json.loads(call(capsys, *words)[1]) == done
    assert call(capsys, *words, "--seed", "1")[0] == 2


def test_a_run_on_a_file_that_changed_is_not_resumed(capsys, tmp_path):
    path = tmp_path / "m.npz"
    words = ["train", "gcsl", str(path), "--steps", "1", "--episodes", "10", "--out", str(tmp_path / "r"), "--json"]
    environments.cycle(3, 2, 0.1).save(path)
    assert call(capsys, *words)[0] == 0
    environments.cycle(3, 2, 0.2).save(path)
    code, _, err = call(capsys, *words)
    assert code == 2
    assert "tables" in err


def test_a_report_that_cannot_be_written_is_still_printed(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, out, _ = call(capsys, "report", "bandit", "--out", str(tmp_path / "file" / "r.html"), "--json")
    assert code == 2
    assert json.loads(out)["best_n"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["report", "CartPole-v1"],
        ["report", "NoSuch-v1"],
        ["report", "missing.npz"],
        ["report", "bandit", "--success-rate", "0.5"],
        ["report", "FrozenLake-v1", "--noise", "0.5"],
        ["report", "FrozenLake-v1", "--set", "nonsense"],
        ["report", "FrozenLake-v1", "--epsilon", "1"],
        ["report", "FrozenLake-v1", "--segments", "none"],
        ["iterate", "missing.npz"],
        ["train", "gcsl", "bandit", "--steps", "0"],
        ["train", "gcsl", "bandit", "--device", "tpu", "--out", "x"],
    ],
)
def test_bad_input_is_a_sentence_and_exit_2(capsys, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert 1 <= len(err.splitlines()) <= 2, err
    assert "Traceback" not in err


@pytest.mark.gpu
def test_the_gpu_gives_the_same_numbers():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    mdp = environments.tiny_grid("all", 0.1)
    here, there = (udrl.iterate(mdp, 3, path="dense", device=device) for device in ("cpu", "cuda"))
    assert np.abs(here.policies[-1] - there.policies[-1]).max() < 1e-12


@pytest.mark.data
@pytest.mark.slow
def test_icu_sepsis_as_in_the_spec(data, monkeypatch):
    """Spec 6C: a real decision process. Not for medical conclusions."""
    from tenfold.udrl.experiment import _icu

    monkeypatch.setenv("TENFOLD_DATA", str(data))
    rows = {row.method: row.value for row in _icu(3)}
    assert rows["random"] == pytest.approx(0.6854, abs=1e-4)
    assert rows["eUDRL, 3 updates"] == pytest.approx(0.6880, abs=1e-4)
    assert rows["optimum"] == pytest.approx(0.7922, abs=1e-4)
    assert rows["matched segments (diagonal), 40 updates"] == pytest.approx(0.7304, abs=1e-4)
