"""The exact engine against brute force, golden numbers, closed forms and what must hold on any environment."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import udrl
from tenfold.core.errors import BadInput
from tenfold.udrl import environments
from tenfold.udrl.operator import SEGMENTS

CASES = settings(deadline=None, max_examples=40)
PATHS = ("sparse", "dense")


@st.composite
def problems(draw, largest=3, positive=True):
    """A random MDP with S, A, N, G <= largest, zeros in kernel and start, and a policy."""
    states, actions, horizon, goals = (draw(st.integers(1, largest)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def distribution(shape, axes):
        mass = rng.random(shape) * (rng.random(shape) > 0.4)
        mass += (mass.sum(axis=axes, keepdims=True) == 0) * 1.0
        return mass / mass.sum(axis=axes, keepdims=True)

    kernel = distribution((states, actions, states), 2)
    start = distribution((states, horizon, goals), (0, 1, 2))
    mdp = udrl.MDP.from_arrays(kernel, rng.integers(goals, size=states), start, horizon=horizon)
    policy = rng.random((states, horizon, goals, actions)) + 0.05
    if not positive:
        policy *= rng.random(policy.shape) > 0.3
        policy += (policy.sum(axis=3, keepdims=True) == 0) * 1.0
    return mdp, policy / policy.sum(axis=3, keepdims=True)


def trajectories(mdp, policy):
    """Every trajectory (states, actions, h0, g) of positive probability, with its probability."""
    for s, h, g in np.argwhere(mdp.start > 0):
        stack = [((int(s),), (), float(mdp.start[s, h, g]))]
        for left in range(h, -1, -1):
            stack = [
                ((*states, t), (*taken, a), mass * policy[states[-1], left, g, a] * mdp.kernel[states[-1], a, t])
                for states, taken, mass in stack
                for a in range(mdp.actions)
                for t in range(mdp.states)
                if policy[states[-1], left, g, a] * mdp.kernel[states[-1], a, t] > 0
            ]
        for states, taken, mass in stack:
            yield states, taken, int(h) + 1, int(g), mass


def by_enumeration(mdp, policy, segments):
    """The operator as it is defined: collect all segments of all trajectories, relabel, count first actions."""
    weights = np.zeros(policy.shape)
    for states, taken, h0, g, mass in trajectories(mdp, policy):
        for t, end in itertools.combinations(range(h0 + 1), 2):
            reached, length = mdp.goal_map[states[end]], end - t
            if segments != "all" and end != h0:
                continue
            if segments == "diagonal" and reached != g:
                continue
            weights[states[t], length - 1, reached, taken[t]] += mass
    total = weights.sum(axis=3, keepdims=True)
    uniform = np.full(policy.shape, 1 / mdp.actions)
    return np.divide(weights, total, out=uniform, where=total > 0), total[..., 0] > 0


@pytest.mark.parametrize("segments", SEGMENTS)
@CASES
@given(problem=problems(positive=False))
def test_the_operator_equals_the_enumeration_of_all_segments(segments, problem):
    mdp, policy = problem
    wanted, reached = by_enumeration(mdp, policy, segments)
    for path in PATHS:
        found, mask = udrl.apply_operator(mdp, policy, segments=segments, path=path)
        assert np.abs(found - wanted).max() <= 1e-12
        assert np.array_equal(mask, reached)


@pytest.mark.data
def test_golden_numbers_of_the_reference_code(golden):
    files = sorted((golden / "udrl").glob("*.npz"))
    assert files
    for file in files:
        d = np.load(file)
        start, epsilon = d["PC_init"], float(d["epsilon"])
        mdp = udrl.MDP.from_arrays(d["E"].transpose(2, 1, 0), d["goal_projection"], start, horizon=start.shape[1])
        first = d["pi0"].transpose(1, 2, 3, 0)
        updates = len(d["pi_n"])
        for path in PATHS:
            found = udrl.iterate(mdp, updates, first, epsilon, path=path)
            for k in range(updates):
                assert np.abs(found.policies[k + 1] - d["pi_n"][k].transpose(1, 2, 3, 0)).max() <= 1e-12
                assert np.abs(found.visitation[k] - d["rho_n"][k]).max() <= 1e-12
                assert abs(found.objective[k] - d["J_n"][k]) <= 1e-12
        last = udrl.values(mdp, found.policies[-1])
        assert np.abs(last.V - d["V_last"]).max() <= 1e-12
        assert np.abs(last.Q - d["Q_last"].transpose(1, 2, 3, 0)).max() <= 1e-12
        cross = udrl.cross_values(mdp, first)
        assert np.abs(cross - d["CQ0"].transpose(3, 4, 5, 0, 1, 2)).max() <= 1e-12


@CASES
@given(problem=problems(largest=4), segments=st.sampled_from(SEGMENTS), epsilon=st.sampled_from([0.0, 0.3]))
def test_what_holds_on_any_environment(problem, segments, epsilon):
    mdp, policy = problem
    found = udrl.iterate(mdp, 3, policy, epsilon, segments)
    assert len(found.policies) == len(found.objective) == len(found.visitation) == 4
    for k in range(4):
        assert np.abs(found.policies[k].sum(axis=3) - 1).max() < 1e-12
        assert abs(found.visitation[k].sum() - 1) < 1e-12
        assert found.objective[k] <= found.optimum.objective + 1e-12
    if epsilon:
        assert found.policies[-1].min() >= epsilon / mdp.actions - 1e-15
    assert np.allclose(found.policies[-1][~found.reached], 1 / mdp.actions)


@CASES
@given(problem=problems(largest=4))
def test_many_small_environments_at_once_give_the_same_numbers(problem):
    mdp, policy = problem
    batch = udrl.iterate_many([mdp, mdp], 3, [policy, mdp.uniform_policy()], 0.1)
    for result, start in zip(batch, (policy, None), strict=True):
        single = udrl.iterate(mdp, 3, start, 0.1, path="sparse")
        assert np.abs(result.policies[-1] - single.policies[-1]).max() < 1e-12
        assert np.abs(result.objective - single.objective).max() < 1e-12
        assert np.abs(result.visitation[-1] - single.visitation[-1]).max() < 1e-12
        assert np.array_equal(result.reached, single.reached)


@CASES
@given(problem=problems(largest=3))
def test_cross_values_are_distributions_over_goals_and_carry_the_values(problem):
    mdp, policy = problem
    cross = udrl.cross_values(mdp, policy)
    horizons = np.arange(mdp.horizon)
    follows = (horizons[:, None] >= horizons[None, :]).astype(float)
    assert np.abs(cross.sum(axis=5) - follows[None, :, None, None, :]).max() < 1e-12
    own = np.einsum("shgahg->shga", cross)
    assert np.abs(own - udrl.values(mdp, policy).Q).max() < 1e-12


@CASES
@given(problem=problems(largest=4), seed=st.integers(0, 1000))
def test_names_of_states_and_actions_do_not_matter(problem, seed):
    mdp, policy = problem
    rng = np.random.default_rng(seed)
    s, a = rng.permutation(mdp.states), rng.permutation(mdp.actions)
    renamed = udrl.MDP.from_arrays(mdp.kernel[s][:, a][:, :, s], mdp.goal_map[s], mdp.start[s], horizon=mdp.horizon)
    found, _ = udrl.apply_operator(renamed, policy[s][..., a])
    wanted, _ = udrl.apply_operator(mdp, policy)
    assert np.abs(found - wanted[s][..., a]).max() < 1e-12


@CASES
@given(problem=problems(largest=4), seed=st.integers(0, 1000))
def test_a_deterministic_kernel_is_solved_by_one_update(problem, seed):
    mdp, policy = problem
    rng = np.random.default_rng(seed)
    kernel = np.eye(mdp.states)[rng.integers(mdp.states, size=(mdp.states, mdp.actions))]
    sure = udrl.MDP.from_arrays(kernel, mdp.goal_map, mdp.start, horizon=mdp.horizon)
    found = udrl.iterate(sure, 1, policy)
    assert abs(found.objective[1] - found.optimum.objective) < 1e-9


@CASES
@given(problem=problems(largest=4))
def test_matched_segments_never_lower_the_objective(problem):
    mdp, policy = problem
    curve = udrl.iterate(mdp, 8, policy, segments="diagonal").objective
    assert np.all(np.diff(curve) >= -1e-12)


def test_merging_two_goals_adds_their_weights():
    base = environments.cycle(4, 3, 0.2)
    merged = udrl.MDP.from_arrays(base.kernel, [0, 1, 2, 2], base.start[:, :, :3] / base.start[:, :, :3].sum(), horizon=3)
    from tenfold.udrl.sparse import SparseOperator

    apart = udrl.MDP.from_arrays(base.kernel, [0, 1, 2, 3], np.pad(merged.start, [(0, 0), (0, 0), (0, 1)]), horizon=3)
    visits = udrl.visitation(merged, merged.uniform_policy())
    whole = SparseOperator(merged).weights(merged.uniform_policy(), visits)
    parts = SparseOperator(apart).weights(apart.uniform_policy(), np.pad(visits, [(0, 0), (0, 0), (0, 1)]))
    assert np.abs(whole[:, :, 2] - parts[:, :, 2] - parts[:, :, 3]).max() < 1e-15


def test_chunks_of_goals_and_both_kinds_of_steps_give_the_same_numbers(monkeypatch):
    from tenfold.udrl import dense, sparse

    mdp = environments.grid(["....", ".#..", "...."], horizon=5, noise=0.2)
    wanted, _ = udrl.apply_operator(mdp, mdp.uniform_policy())
    monkeypatch.setattr(sparse, "SLAB_BYTES", 4000)
    monkeypatch.setattr(dense, "SLAB_BYTES", {"cpu": 4000})
    for limit in (0, 1000):
        monkeypatch.setattr(sparse, "DENSE_STEP_STATES", limit)
        for path in PATHS:
            for segments in ("all", "trailing"):
                found, _ = udrl.apply_operator(mdp, mdp.uniform_policy(), path=path, segments=segments)
                if segments == "all":
                    assert np.abs(found - wanted).max() < 1e-13


def test_the_papers_discontinuities_along_rays():
    """Spec 1.5: exact re-runs of the reference's figures."""
    second = {d: udrl.iterate(environments.ray(1e-9, d), 2) for d in "AC"}
    assert second["A"].policies[2][0, 0, 1, 2] == pytest.approx(1 / 4, abs=1e-6)
    assert second["C"].policies[2][0, 0, 1, 2] == pytest.approx(2 / 3, abs=1e-6)
    assert udrl.iterate(environments.ray(0), 2).policies[2][0, 0, 1, 2] == pytest.approx(1 / 2)
    assert {round(r.objective[2], 6) for r in second.values()} == {round(2 / 3, 6)}
    boundary = {d: udrl.iterate(environments.ray(1e-9, d, "boundary"), 2) for d in "AC"}
    assert [boundary[d].policies[2][0, 0, 1, 2] for d in "AC"] == pytest.approx([2 / 5, 2 / 11], abs=1e-6)
    assert [boundary[d].objective[2] for d in "AC"] == pytest.approx([9 / 19, 6 / 13], abs=1e-6)
    assert udrl.iterate(environments.ray(0, kind="boundary"), 2).objective[2] == pytest.approx(7 / 16)


@pytest.mark.parametrize(
    ("rate", "ratio", "best", "fifth"),
    [(1.0, 1.0, 1.0, 1.0), (0.9, 0.700, 0.8663, 0.6336), (0.6, 0.342, 0.4520, 0.1665), (1 / 3, 0.490, 0.2201, 0.1018)],
)
def test_frozen_lake_as_in_the_spec(rate, ratio, best, fifth):
    """Spec 6B, measured with the prototype."""
    found = udrl.iterate(udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10, success_rate=rate), 15)
    assert found.objective[15] / found.optimum.objective == pytest.approx(ratio, abs=1e-3)
    assert found.optimum.objective == pytest.approx(best, abs=1e-4)
    assert found.objective[5] == pytest.approx(fifth, abs=1e-4)


def test_bad_arguments_get_a_sentence():
    mdp = environments.bandit()
    good = mdp.uniform_policy()
    wrong = [
        lambda: udrl.iterate(mdp, epsilon=1.0),
        lambda: udrl.iterate(mdp, epsilon=-0.1),
        lambda: udrl.iterate(mdp, segments="some"),
        lambda: udrl.iterate(mdp, updates=-1),
        lambda: udrl.iterate(mdp, policy=good[:1]),
        lambda: udrl.iterate(mdp, policy=good * 0.9),
        lambda: udrl.iterate(mdp, path="fast"),
        lambda: udrl.iterate_many([mdp, environments.cycle()]),
        lambda: udrl.iterate_many([mdp], policies=[good, good]),
    ]
    for call in wrong:
        with pytest.raises(BadInput):
            call()
    with pytest.raises(BadInput, match=r"[\d,]+ bytes; 1,000 may be used"):
        udrl.iterate(mdp, memory_limit=1000)
    with pytest.warns(UserWarning, match="4 entries are 0"):
        udrl.iterate(mdp, 1, np.eye(2)[None, None].repeat(2, 0) * 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert udrl.iterate(mdp, 0).reached.sum() == 0
