"""Values of a policy, the optimum, where a policy goes, and what it would be seen to reach (sections 1.1 to 1.3)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tenfold.udrl.mdp import MDP, check_policy

__all__ = ["Optimum", "Values", "cross_values", "optimum", "values", "visitation"]

# Actions whose values differ by less than this share of the best are equally good: rounding must not break ties.
TIE = 1e-12


class Values(NamedTuple):
    """Probability of fulfilling the command: V[s, h-1, g], and Q[s, h-1, g, a] when action a is taken first."""

    V: Float[np.ndarray, "state horizon goal"]
    Q: Float[np.ndarray, "state horizon goal action"]


class Optimum(NamedTuple):
    """The best that any policy can do.

    Attributes:
        objective: J*.
        values: V*[s, h-1, g].
        actions: actions[s, h-1, g, a], which actions are optimal; all of them where no action can fulfil the command.
    """

    objective: float
    values: Float[np.ndarray, "state horizon goal"]
    actions: Bool[np.ndarray, "state horizon goal action"]


def values(mdp: MDP, policy: Float[np.ndarray, "state horizon goal action"]) -> Values:
    """V and Q of a policy by one sweep over h = 1, ..., N.

    Q[s,h,g,a] = sum_s' E[s,a,s'] V[s',h-1,g] and V = sum_a pi Q, with V_0[s,g] = 1 where s fulfils g.

    Raises:
        BadInput: the policy has a wrong shape or its rows are no distributions.
    """
    policy = check_policy(mdp, policy)
    q = np.empty_like(policy)
    v = np.empty(policy.shape[:3])
    before = mdp.goal_indicator
    for h in range(mdp.horizon):
        q[:, h] = _push(mdp, before)
        v[:, h] = before = np.einsum("sga,sga->sg", policy[:, h], q[:, h])
    return Values(v, q)


def objective(mdp: MDP, v: Float[np.ndarray, "state horizon goal"]) -> float:
    """J = sum of start * V: the probability that the command is fulfilled."""
    return float(np.vdot(mdp.start, v))


def optimum(mdp: MDP) -> Optimum:
    """J*, V* and the optimal actions, ties by a relative tolerance of 1e-12."""
    v = np.empty((mdp.states, mdp.horizon, mdp.goals))
    actions = np.empty((*v.shape, mdp.actions), dtype=bool)
    before = mdp.goal_indicator
    for h in range(mdp.horizon):
        q = _push(mdp, before)
        v[:, h] = before = q.max(axis=2)
        actions[:, h] = q >= before[:, :, None] * (1 - TIE)
    return Optimum(objective(mdp, v), v, actions)


def visitation(mdp: MDP, policy: Float[np.ndarray, "state horizon goal action"]) -> Float[np.ndarray, "state horizon goal"]:
    """How often the command-extended states are visited: nu[s, h-1, g], sums to 1.

    One sweep down in h: Y[.,N,.] = mu[.,N,.], Y[s',h-1,g] = mu[s',h-1,g] + sum_{s,a} Y[s,h,g] pi[s,h,g,a] E[s,a,s'].

    Raises:
        BadInput: the policy has a wrong shape or its rows are no distributions.
    """
    return visit(mdp, check_policy(mdp, policy))


def visit(mdp: MDP, policy: np.ndarray) -> np.ndarray:
    """`visitation` of a policy that has been checked."""
    visits = mdp.start.copy()
    back = mdp.transitions.T.tocsr()
    for h in range(mdp.horizon - 1, 0, -1):
        flow = visits[:, h, :, None] * policy[:, h]
        visits[:, h - 1] += back @ flow.transpose(0, 2, 1).reshape(-1, mdp.goals)
    return visits / visits.sum()


def cross_values(
    mdp: MDP, policy: Float[np.ndarray, "state horizon goal action"]
) -> Float[np.ndarray, "state commanded_horizon commanded_goal action horizon goal"]:
    """C[s, h'-1, g', a, h-1, g]: probability of being seen in goal g after h steps when (h', g') is being followed.

    Action a is taken first. Entries with h' < h are 0: a command ends before. This array has S N^2 G^2 A entries and is
    for looking at; the operator never builds it.

    Raises:
        BadInput: the policy has a wrong shape or its rows are no distributions.
    """
    policy = check_policy(mdp, policy)
    states, horizon, goals, actions = policy.shape
    cross = np.zeros((states, horizon, goals, actions, horizon, goals))
    for offset in range(horizon):
        before = np.broadcast_to(mdp.goal_indicator[:, None, :], (states, goals, goals)).reshape(states, -1)
        for h in range(horizon - offset):
            q = (mdp.transitions @ before).reshape(states, actions, goals, goals).transpose(0, 2, 1, 3)
            cross[:, h + offset, :, :, h] = q
            before = np.einsum("sca,scag->scg", policy[:, h + offset], q).reshape(states, -1)
    return cross


def _push(mdp: MDP, before: np.ndarray) -> np.ndarray:
    """Expected value one step on, for every first action: [s, g] -> [s, g, a]."""
    return (mdp.transitions @ before).reshape(mdp.states, mdp.actions, -1).transpose(0, 2, 1)
