"""Environments: the paper's own, gymnasium's tables, files, histories; and what is wrong with bad ones, in a sentence."""

import numpy as np
import pytest

from tenfold import udrl
from tenfold.core.errors import BadInput, ExtraMissing
from tenfold.udrl import environments

GOLDEN = {
    "bandit": environments.bandit,
    "cycle_S3_N2": lambda noise: environments.cycle(3, 2, noise),
    "line_S4_N4": lambda noise: environments.line(4, 4, noise),
    "grid_tiny_det": lambda noise: environments.tiny_grid("det", noise),
}


@pytest.mark.data
@pytest.mark.parametrize("name", GOLDEN)
def test_the_papers_environments_are_those_of_the_reference(golden, name):
    files = sorted((golden / "udrl").glob(f"{name}_p*.npz"))
    assert files
    for file in files:
        d = np.load(file)
        mdp = GOLDEN[name](float(d["noise"]))
        assert np.abs(mdp.kernel - d["E"].transpose(2, 1, 0)).max() < 1e-15
        assert np.array_equal(mdp.goal_map, d["goal_projection"])
        assert np.abs(mdp.start - d["PC_init"]).max() < 1e-15


def test_a_line_of_two_states_still_sums_to_one():
    """The reference overwrites one target with the other there."""
    kernel = environments.line(2, 3, 0.3).kernel
    assert np.allclose(kernel.sum(axis=2), 1)
    assert kernel[0, 1, 1] == pytest.approx(0.7)


def test_a_closed_in_cell_is_deterministic():
    assert np.array_equal(environments.grid(["."], 1, 0.5).kernel, np.ones((1, 4, 1)))


@pytest.mark.parametrize(
    ("name", "states", "options"),
    [
        ("FrozenLake-v1", 16, {"success_rate": 0.5}),
        ("CliffWalking-v1", 48, {}),
        ("CliffWalking-v1", 48, {"is_slippery": True}),
        ("Taxi-v4", 500, {}),
    ],
)
def test_gymnasium_environments_come_with_their_ends_absorbing(name, states, options):
    mdp = udrl.MDP.from_gymnasium(name, horizon=2, **options)
    assert (mdp.states, mdp.goals) == (states, states)
    assert np.allclose(mdp.kernel.sum(axis=2), 1)
    assert mdp.start[:, 0].sum() == 0
    assert mdp.start.sum() == pytest.approx(1)
    absorbing = np.flatnonzero((np.einsum("sas->sa", mdp.kernel) == 1).all(axis=1))
    if name == "Taxi-v4":
        assert len(absorbing) >= 4
    if name == "CliffWalking-v1":
        assert 47 in absorbing


def test_an_environment_object_stays_open_and_its_goals_can_be_merged():
    import gymnasium

    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    goal_map = np.zeros(16, dtype=int)
    goal_map[15] = 1
    start = np.zeros((16, 6, 2))
    start[0, 5, 1] = 1
    mdp = udrl.MDP.from_gymnasium(env, horizon=6, goal_map=goal_map, start=start)
    assert udrl.iterate(mdp, 1).objective[1] == pytest.approx(1)
    env.reset()
    env.close()


def test_history_of_one_changes_nothing_and_of_three_knows_the_past():
    base = environments.tiny_grid("det", 0.1)
    one, three = udrl.history_mdp(base, length=1), udrl.history_mdp(base, length=3)
    assert one.states == base.states
    assert three.states == 93
    assert three.labels[0].startswith("- - ")
    for n in range(3):
        assert udrl.iterate(one, n).objective[n] == pytest.approx(udrl.iterate(base, n).objective[n], abs=1e-12)
    assert udrl.iterate(three, 0).optimum.objective == pytest.approx(udrl.iterate(base, 0).optimum.objective, abs=1e-12)
    with pytest.raises(BadInput, match="at least 1"):
        udrl.history_mdp(base, length=0)


def test_a_file_is_read_back_as_it_was_written(tmp_path):
    mdp = environments.cycle(3, 2, 0.1)
    mdp.save(tmp_path / "m.npz")
    again = udrl.MDP.from_file(tmp_path / "m.npz")
    assert np.array_equal(again.kernel, mdp.kernel)
    assert np.array_equal(again.start, mdp.start)
    assert again.horizon == 2


def arrays():
    return {
        "kernel": np.full((2, 2, 2), 0.5),
        "goal_map": np.array([0, 1]),
        "start": np.full((2, 3, 2), 1 / 12),
        "horizon": 3,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a["kernel"].__setitem__((1, 0), [0.49, 0.49]), r"E\[s=1,a=0\] sums to 0.98"),
        (lambda a: a["kernel"].__setitem__((0, 1), [1.5, -0.5]), r"kernel\[0,1,1\] is -0.5"),
        (lambda a: a["kernel"].__setitem__((0, 1, 0), np.nan), "is nan"),
        (lambda a: a.update(kernel=np.ones((2, 2, 3))), "shape"),
        (lambda a: a.update(kernel=np.ones((2, 2))), "2 axes"),
        (lambda a: a.update(kernel=[["a"]]), "not an array of numbers"),
        (lambda a: a.update(start=a["start"] * 2), "start sums to 2"),
        (lambda a: a.update(horizon=2), "raise the horizon"),
        (lambda a: a.update(horizon=0), "at least 1"),
        (lambda a: a.update(kernel=a["kernel"] + 1j), "kernel is not an array of numbers"),
        (lambda a: a.update(start=a["start"].astype("M8[s]")), "start is not an array of numbers"),
        (lambda a: a.update(goal_map=[0, np.inf]), "whole numbers"),
        (lambda a: a.update(goal_map=np.array([0, 2**63 + 1], dtype=np.uint64)), "goal_map holds 9223372036854775809"),
        (lambda a: a.update(goal_map=[0, 2]), "goal_map holds 2"),
        (lambda a: a.update(goal_map=[0, -1]), "goal_map holds -1"),
        (lambda a: a.update(goal_map=[0, 0.5]), "whole numbers"),
        (lambda a: a.update(goal_map=[0]), "one goal for each"),
    ],
)
def test_bad_arrays_are_named(change, words, tmp_path):
    bad = arrays()
    change(bad)
    with pytest.raises(BadInput, match=words):
        udrl.MDP.from_arrays(**bad)
    if not isinstance(bad["kernel"], list):
        np.savez(tmp_path / "bad.npz", **bad)
        with pytest.raises(BadInput, match=r"bad\.npz: "):
            udrl.MDP.from_file(tmp_path / "bad.npz")


@pytest.mark.parametrize("horizon", [np.nan, np.inf, 3 + 1j, 2.5, -1, 10**12])
def test_a_file_whose_horizon_is_no_number_of_steps_is_refused(horizon, tmp_path):
    np.savez(tmp_path / "bad.npz", **{**arrays(), "horizon": horizon})
    with pytest.raises(BadInput, match=r"bad\.npz: (horizon is|start has shape)"):
        udrl.MDP.from_file(tmp_path / "bad.npz")


def test_environments_that_the_tabular_engine_cannot_take_are_refused(monkeypatch, recwarn):
    for name, options, words in (
        ("CartPole-v1", {}, "not Discrete"),
        ("Blackjack-v1", {}, "not Discrete"),
        ("NoSuch-v0", {}, "cannot make"),
        ("FrozenLake-v1", {"foo": 1}, "does not take the option foo"),
        ("FrozenLake-v1", {"map_name": "9x9"}, "does not know '9x9'"),
        ("Taxi-v3", {}, "deprecated"),
    ):
        with pytest.raises(BadInput, match=words):
            udrl.MDP.from_gymnasium(name, horizon=3, **options)
    assert list(recwarn) == []  # the sentence says it all
    with pytest.raises(BadInput, match="at least 1"):
        udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=0)
    import sys

    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ExtraMissing, match=r"tenfold\[udrl\]"):
        udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=3)


def test_bad_worlds_are_refused():
    for make in (
        lambda: environments.grid([]),
        lambda: environments.grid(["##"]),
        lambda: environments.grid(["..", "."]),
        lambda: environments.grid(noise=1.5),
        lambda: environments.cycle(states=1),
        lambda: environments.line(horizon=0),
        lambda: environments.tiny_grid("none"),
        lambda: environments.ray(0.1, "B"),
        lambda: environments.cycle(start_state=9),
    ):
        with pytest.raises(BadInput):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10**9),
        lambda: environments.grid(horizon=10**9),
        lambda: environments.cycle(horizon=10**12),
    ],
)
def test_what_cannot_fit_is_refused_with_the_bytes_that_it_needs(make):
    with pytest.raises(BadInput, match=r"needs about [\d,]+ bytes"):
        make()


def test_a_history_whose_kernel_cannot_fit_is_refused(monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1_000_000}))
    with pytest.raises(BadInput, match="The kernel of 124 history tuples needs about"):
        udrl.history_mdp(environments.tiny_grid("all", 0.1), length=3)
