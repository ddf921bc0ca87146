"""The recursion pi_{n+1} = operator(pi_n), and its record."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tenfold.core.errors import BadInput
from tenfold.core.files import write_atomic
from tenfold.udrl.evaluation import Optimum, objective, optimum, values, visit
from tenfold.udrl.mdp import MDP, check_memory, check_policy, whole
from tenfold.udrl.operator import check_epsilon, check_segments, fit, weights_function

__all__ = ["Result", "iterate", "iterate_many"]


@dataclass(frozen=True, eq=False)
class Result:
    """The record of n updates; index k = 0 is the start, k the state after k updates.

    Attributes:
        policies: `policies[k][s, h-1, g, a]`.
        objective: objective[k], J in [0, 1].
        visitation: `visitation[k][s, h-1, g]` of policies[k], sums to 1.
        reached: reached[s, h-1, g], rows of the last policy that data determined; the others are uniform by convention.
        optimum: J*, V* and the optimal actions.
    """

    policies: list[Float[np.ndarray, "state horizon goal action"]]
    objective: Float[np.ndarray, " updates"]
    visitation: list[Float[np.ndarray, "state horizon goal"]]
    reached: Bool[np.ndarray, "state horizon goal"]
    optimum: Optimum

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write policies, objective, visitation, reached, optimum and its actions as an .npz file, atomically."""
        arrays = {
            "policies": np.stack(self.policies),
            "objective": self.objective,
            "visitation": np.stack(self.visitation),
            "reached": self.reached,
            "optimum": self.optimum.objective,
            "optimal_values": self.optimum.values,
            "optimal_actions": self.optimum.actions,
        }
        write_atomic(path, lambda file: np.savez_compressed(file, **arrays))  # pyright: ignore[reportArgumentType]


def iterate(
    mdp: MDP,
    updates: int = 15,
    policy: Float[np.ndarray, "state horizon goal action"] | None = None,
    epsilon: float = 0.0,
    segments: str = "all",
    *,
    device: str = "cpu",
    path: str | None = None,
    memory_limit: int | None = None,
    on_update: Callable[[int, float], None] | None = None,
) -> Result:
    """Run eUDRL exactly: infinite data, tabular fit, no sampling.

    Args:
        mdp: environment and commands.
        updates: n >= 0.
        policy: start policy pi[s, h-1, g, a]; None = uniform. The theory needs it positive everywhere.
        epsilon: regularisation in [0, 1): pi <- (1 - eps) pi + eps / A on reached rows.
        segments: "all", "trailing" (suffixes of episodes) or "diagonal" (segments that did what was commanded).
        device: "cpu" or a GPU ("cuda", "cuda:0").
        path: "sparse" or "dense"; None chooses.
        memory_limit: bytes that the record may take; None = three quarters of what is free.
        on_update: called with k and J after each update.

    Raises:
        BadInput: an argument out of range, a policy of the wrong shape, or a record larger than the memory.
    """
    _check(updates, epsilon, segments)
    _check_record(mdp, updates, 1, memory_limit)
    policies = [mdp.uniform_policy() if policy is None else _start_policy(mdp, policy)]
    weights = weights_function(mdp, path, device)
    visitation, curve = [visit(mdp, policies[0])], [objective(mdp, values(mdp, policies[0]).V)]
    reached = np.zeros(mdp.start.shape, dtype=bool)
    for k in range(1, updates + 1):
        following, reached = fit(weights(policies[-1], visitation[-1], segments), epsilon)
        policies.append(following)
        visitation.append(visit(mdp, following))
        curve.append(objective(mdp, values(mdp, following).V))
        if on_update is not None:
            on_update(k, curve[-1])
    return Result(policies, np.array(curve), visitation, reached, optimum(mdp))


def iterate_many(
    mdps: Sequence[MDP],
    updates: int = 15,
    policies: Sequence[Float[np.ndarray, "state horizon goal action"]] | None = None,
    epsilon: float = 0.0,
    segments: str = "all",
    *,
    device: str = "cpu",
    memory_limit: int | None = None,
) -> list[Result]:
    """`iterate` on many environments of one shape at once, batched: the same numbers, far fewer calls.

    Args:
        mdps: environments with equal numbers of states, actions, goals and steps; one may stand there repeatedly.
        updates: n >= 0.
        policies: a start policy for each; None = uniform.
        epsilon: in [0, 1).
        segments: "all", "trailing" or "diagonal".
        device: "cpu" or a GPU.
        memory_limit: bytes that the records may take together; None = three quarters of what is free.

    Raises:
        BadInput: shapes differ, or as in `iterate`.
    """
    _check(updates, epsilon, segments)
    if not mdps:
        return []
    shapes = {(mdp.kernel.shape, mdp.start.shape) for mdp in mdps}
    if len(shapes) > 1:
        raise BadInput("The environments of a batch must have the same states, actions, goals and horizon.")
    if policies is not None and len(policies) != len(mdps):
        raise BadInput(f"{len(policies)} start policies were given for {len(mdps)} environments.")
    _check_record(mdps[0], updates, len(mdps), memory_limit)
    starts = [mdp.uniform_policy() if policies is None else _start_policy(mdp, policies[i]) for i, mdp in enumerate(mdps)]
    return _run_batch(mdps, np.stack(starts), updates, epsilon, segments, device)


def _run_batch(
    mdps: Sequence[MDP], start: np.ndarray, updates: int, epsilon: float, segments: str, device: str
) -> list[Result]:
    from tenfold.udrl.dense import DenseOperator

    dense = DenseOperator(mdps, device)
    policy = dense.tensor(start)
    record: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    reached = np.zeros((len(mdps), *mdps[0].start.shape), dtype=bool)
    for k in range(updates + 1):
        visits = dense.visits(policy)
        v, q = dense.values(policy)
        record.append((policy.cpu().numpy(), visits.cpu().numpy(), dense.objective(v).cpu().numpy()))
        if k == updates:
            break
        diagonal = segments == "diagonal"
        weights = visits[..., None] * policy * q if diagonal else dense.weights(policy, visits, segments == "trailing")
        shape = (len(mdps) * mdps[0].states, *weights.shape[2:])
        following, mask = fit(weights.cpu().numpy().reshape(shape), epsilon)
        policy, reached = dense.tensor(following.reshape(start.shape)), mask.reshape(reached.shape)
    # One environment may stand there many times.
    optima = {key: optimum(mdp) for key, mdp in {id(mdp): mdp for mdp in mdps}.items()}
    return [
        Result(
            [row[0][i] for row in record],
            np.array([row[2][i] for row in record]),
            [row[1][i] for row in record],
            reached[i],
            optima[id(mdp)],
        )
        for i, mdp in enumerate(mdps)
    ]


def _check(updates: int, epsilon: float, segments: str) -> None:
    whole(updates, 0, "updates")
    check_epsilon(epsilon)
    check_segments(segments)


def _start_policy(mdp: MDP, policy: Any) -> np.ndarray:
    policy = check_policy(mdp, policy)
    zeros = int((policy == 0).sum())
    if zeros:
        warnings.warn(f"The theory needs a start policy > 0; {zeros} entries are 0.", stacklevel=3)
    return policy


def _check_record(mdp: MDP, updates: int, batch: int, limit: int | None) -> None:
    policy = 8 * mdp.states * mdp.horizon * mdp.goals * mdp.actions
    # The record; the weights, their sum and the next policy while an update runs; the optimum.
    needed = batch * (updates + 6) * (policy + policy // mdp.actions)
    check_memory(needed, f"The record of {updates} updates", limit)
