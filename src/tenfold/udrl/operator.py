"""One update of episodic upside-down RL: relabel what was seen, fit the first action (section 1.3 of the spec)."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tenfold.core.errors import BadInput
from tenfold.udrl.evaluation import values, visit
from tenfold.udrl.mdp import MDP, check_policy
from tenfold.udrl.sparse import SparseOperator

__all__ = ["SEGMENTS", "apply_operator", "check_epsilon", "check_segments", "fit", "weights_function"]

# Which segments of a trajectory are relabelled: all of them; suffixes of episodes (h' = h); those that did what was
# commanded (h' = h and g' = g).
SEGMENTS = ("all", "trailing", "diagonal")
# Predecessor lists are padded to the longest; where that multiplies the work by more than this, dense products win.
MAX_PADDING = 6.0


def apply_operator(
    mdp: MDP,
    policy: Float[np.ndarray, "state horizon goal action"],
    epsilon: float = 0.0,
    segments: str = "all",
    *,
    path: str | None = None,
    device: str = "cpu",
) -> tuple[Float[np.ndarray, "state horizon goal action"], Bool[np.ndarray, "state horizon goal"]]:
    """The next policy and which of its rows were determined by data.

    Rows that no segment reaches become uniform; reached ones are mixed with the uniform policy by epsilon.

    Args:
        mdp: environment and commands.
        policy: pi[s, h-1, g, a].
        epsilon: in [0, 1).
        segments: "all", "trailing" or "diagonal".
        path: "sparse" or "dense"; None = the faster one for this kernel.
        device: "cpu", or a GPU for the dense path.

    Raises:
        BadInput: an argument out of range, or a policy of the wrong shape.
    """
    policy = check_policy(mdp, policy)
    check_epsilon(epsilon)
    check_segments(segments)
    return fit(weights_function(mdp, path, device)(policy, visit(mdp, policy), segments), epsilon)


def weights_function(mdp: MDP, path: str | None = None, device: str = "cpu") -> Any:
    """A function (policy, visits, segments) -> W[s, h-1, g, a] on the chosen execution path, its tables prepared."""
    if path not in (None, "sparse", "dense"):
        raise BadInput(f"path {path!r} is unknown.", "Use sparse or dense.")
    if path is None:
        path = "dense" if device != "cpu" or SparseOperator(mdp).padding > MAX_PADDING else "sparse"
    spread = SparseOperator(mdp).weights if path == "sparse" else _dense_weights(mdp, device)

    def weights(policy: np.ndarray, visits: np.ndarray, segments: str) -> np.ndarray:
        if segments == "diagonal":
            return visits[..., None] * policy * values(mdp, policy).Q
        return spread(policy, visits, segments == "trailing")

    return weights


def fit(
    weights: np.ndarray, epsilon: float
) -> tuple[Float[np.ndarray, "state horizon goal action"], Bool[np.ndarray, "state horizon goal"]]:
    """The policy in proportion to the weights, uniform where there are none, and where there are some."""
    total = weights.sum(axis=3, keepdims=True)
    reached = total > 0
    uniform = 1.0 / weights.shape[3]
    policy = np.full(weights.shape, uniform)
    np.divide(weights, total, out=policy, where=reached)
    if epsilon:
        policy = np.where(reached, (1 - epsilon) * policy + epsilon * uniform, policy)
    return policy, reached[..., 0]


def check_epsilon(epsilon: float) -> None:
    """Raises BadInput unless 0 <= epsilon < 1."""
    if not 0 <= epsilon < 1:
        raise BadInput(f"epsilon is {epsilon}; it must be in [0, 1).")


def check_segments(segments: str) -> None:
    """Raises BadInput for an unknown segment space."""
    if segments not in SEGMENTS:
        raise BadInput(f"segments {segments!r} is unknown.", f"Use one of: {', '.join(SEGMENTS)}.")


def _dense_weights(mdp: MDP, device: str) -> Any:
    from tenfold.udrl.dense import DenseOperator

    dense = DenseOperator([mdp], device)

    def weights(policy: np.ndarray, visits: np.ndarray, trailing: bool) -> np.ndarray:
        found = dense.weights(dense.tensor(policy[None]), dense.tensor(visits[None]), trailing)
        return found[0].cpu().numpy()

    return weights
