"""The paper's environments (section 1.5 of the spec), the history transformation, and the discontinuity rays.

`noise` p in [0, 1]: the intended successor has probability 1 - p and the rest is spread evenly over the other successors.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tenfold.core.errors import BadInput
from tenfold.udrl.mdp import MDP, check_memory, empty_start, whole

__all__ = ["bandit", "bandit_matrix", "cycle", "grid", "history_mdp", "line", "ray", "tiny_grid"]

TINY_GRID = ("...", "..#", "...")
# Right, left, up, down, as steps in row and column.
MOVES = ((0, 1), (0, -1), (-1, 0), (1, 0))
# More history tuples than this are a mistake rather than a model.
MAX_TUPLES = 20_000


def bandit(noise: float = 0.0) -> MDP:
    """Two actions, two states, one step: start in state 0, goals uniform. Action 0 stays with probability 1 - noise."""
    return cycle(states=2, horizon=1, noise=noise, start_state=0)


def cycle(states: int = 3, horizon: int = 8, noise: float = 0.0, *, start_state: int | None = None) -> MDP:
    """A ring: action 0 stays with probability 1 - noise, else one step on; action 1 the reverse.

    Args:
        states: S >= 2.
        horizon: N >= 1.
        noise: p in [0, 1].
        start_state: None = start uniform over state and command; else in this state with h = N, goals uniform.
    """
    whole(states, 2, "states")
    stay, step = np.eye(states), np.roll(np.eye(states), 1, axis=1)
    p = _noise(noise)
    kernel = np.stack([(1 - p) * stay + p * step, p * stay + (1 - p) * step], axis=1)
    return _identity_goals(kernel, horizon, start_state)


def line(states: int = 4, horizon: int = 4, noise: float = 0.0, *, start_state: int | None = None) -> MDP:
    """A corridor with reflecting ends: action 0 goes left, action 1 right; noise takes the other direction.

    Args:
        states: S >= 2.
        horizon: N >= 1.
        noise: p in [0, 1].
        start_state: None = start uniform over state and command; else in this state with h = N, goals uniform.
    """
    whole(states, 2, "states")
    p = _noise(noise)
    here = np.arange(states)
    left, right = np.eye(states)[np.maximum(here - 1, 0)], np.eye(states)[np.minimum(here + 1, states - 1)]
    kernel = np.stack([(1 - p) * left + p * right, p * left + (1 - p) * right], axis=1)
    return _identity_goals(kernel, horizon, start_state)


def grid(rows: Sequence[str] = TINY_GRID, horizon: int = 4, noise: float = 0.0) -> MDP:
    """A grid world with actions right, left, up, down; a blocked move stays; every free cell is a goal.

    Args:
        rows: strings of equal length, '#' = wall, anything else free; states are the free cells row by row.
        horizon: N >= 1.
        noise: p in [0, 1], spread over the other distinct successors of the cell; none, if there is no other.

    Raises:
        BadInput: no free cell, or rows of different lengths.
    """
    cells = _cells(rows)
    kernel = _grid_kernel(cells, _noise(noise))
    start = empty_start(len(cells), horizon, len(cells))
    start[:] = 1 / start.size
    return MDP.from_arrays(
        kernel,
        np.arange(len(cells)),
        start,
        horizon=horizon,
        labels=[f"({row},{column})" for row, column in cells],
        layout=tuple(rows),
    )


def tiny_grid(kind: str = "all", noise: float = 0.0) -> MDP:
    """The paper's 3x3 grid with a wall in (1,2), N = 4.

    Args:
        kind: "all" (8 goals, uniform start), "det" (start (2,2), command: be in (0,2) after 4 steps, one optimal path) or
            "nondet" (the same from (2,0), several optimal paths). The last two have two goals: 1 = in (0,2), 0 = elsewhere.
        noise: p in [0, 1].
    """
    base = grid(TINY_GRID, horizon=4, noise=noise)
    if kind == "all":
        return base
    if kind not in ("det", "nondet"):
        raise BadInput(f"tiny grid {kind!r} is unknown.", "Use all, det or nondet.")
    cells = _cells(TINY_GRID)
    goal_map = np.array([int(cell == (0, 2)) for cell in cells])
    start = np.zeros((base.states, 4, 2))
    start[cells.index((2, 2) if kind == "det" else (2, 0)), 3, 1] = 1
    return MDP.from_arrays(base.kernel, goal_map, start, horizon=4, labels=base.labels, layout=base.layout)


def bandit_matrix(
    matrix: Float[np.ndarray, "action state"], goal_probabilities: Float[np.ndarray, " state"] | None = None
) -> MDP:
    """One step from state 0: action a leads to state s with probability matrix[a, s]; goals are states.

    Args:
        matrix: rows sum to 1.
        goal_probabilities: probability of each commanded goal; None = uniform.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2:
        raise BadInput(f"matrix has {matrix.ndim} axes; it must be (actions, states).")
    states = matrix.shape[1]
    start = np.zeros((states, 1, states))
    start[0, 0] = 1 / states if goal_probabilities is None else goal_probabilities
    kernel = np.broadcast_to(matrix, (states, *matrix.shape))
    return MDP.from_arrays(kernel, np.arange(states), start, horizon=1)


def ray(alpha: float, direction: str = "A", kind: str = "det") -> MDP:
    """A bandit on one of the paper's rays of kernels that meet at alpha = 0.

    Along "det" rays the limit kernel is deterministic: policies jump, J does not. Along "boundary" rays it is not
    deterministic, and J jumps too.

    Args:
        alpha: distance along the ray, in [0, 1].
        direction: "A" or "C", the two rays.
        kind: "det" or "boundary".
    """
    a = _noise(alpha)
    rays = {
        ("det", "A"): [[1 - a, a, 0], [0, 1 - a, a], [a, 1 - a, 0]],
        ("det", "C"): [[1 - a, 0, a], [a, 1 - a, 0], [0, 1 - a, a]],
        ("boundary", "A"): [[1 - a, a / 4, 3 * a / 4], [3 * a / 4, 1 - a, a / 4], [0.5, 0.5, 0]],
        ("boundary", "C"): [[1 - a, 3 * a / 4, a / 4], [a / 4, 1 - a, 3 * a / 4], [0.5, 0.5, 0]],
    }
    if (kind, direction) not in rays:
        raise BadInput(f"There is no ray {kind!r}, {direction!r}.", "Use kind det or boundary, direction A or C.")
    goals = np.array([0.5, 0, 0.5]) if kind == "boundary" else None
    return bandit_matrix(np.array(rays[kind, direction]), goals)


def history_mdp(mdp: MDP, length: int = 3) -> MDP:
    """The environment seen through the last `length` states, as an Online Decision Transformer sees it.

    States are tuples (s_{t-K+1}, ..., s_t), -1 where the episode had not begun; kernel and goal map act on the last
    entry; episodes start in (-1, ..., -1, s). Only tuples that can be reached from the start's support are kept.

    Args:
        mdp: environment.
        length: K >= 1; 1 gives the states themselves, restricted to the reachable ones.

    Raises:
        BadInput: length below 1, or more tuples than fit.
    """
    whole(length, 1, "length")
    successors = [np.flatnonzero(mdp.kernel[s].any(axis=0)) for s in range(mdp.states)]
    beginnings = np.flatnonzero(mdp.start.any(axis=(1, 2)))
    tuples = {(-1,) * (length - 1) + (int(s),): index for index, s in enumerate(beginnings)}
    queue = list(tuples)
    for history in queue:  # grows while it is read
        for s in successors[history[-1]]:
            following = (*history[1:], int(s))
            if following not in tuples:
                tuples[following] = len(tuples)
                queue.append(following)
        if len(tuples) > MAX_TUPLES:
            raise BadInput(f"History of length {length} has more than {MAX_TUPLES} tuples.", "Use a shorter length.")
    # The kernel, the copy that an MDP keeps of it, and what checking that takes.
    check_memory(3 * 8 * len(queue) ** 2 * mdp.actions, f"The kernel of {len(queue)} history tuples")
    last = np.array([history[-1] for history in queue])
    kernel = np.zeros((len(queue), mdp.actions, len(queue)))
    for index, history in enumerate(queue):
        for s in successors[history[-1]]:
            kernel[index, :, tuples[*history[1:], int(s)]] = mdp.kernel[history[-1], :, s]
    start = np.zeros((len(queue), mdp.horizon, mdp.goals))
    start[: len(beginnings)] = mdp.start[beginnings]
    names = mdp.labels or tuple(str(s) for s in range(mdp.states))
    labels = [" ".join("-" if s < 0 else names[s] for s in history) for history in queue]
    return MDP.from_arrays(kernel, mdp.goal_map[last], start, horizon=mdp.horizon, labels=labels)


def _identity_goals(kernel: np.ndarray, horizon: int, start_state: int | None) -> MDP:
    states = len(kernel)
    start = empty_start(states, horizon, states)
    if start_state is None:
        start[:] = 1 / start.size
    elif 0 <= start_state < states:
        start[start_state, -1] = 1 / states
    else:
        raise BadInput(f"start_state is {start_state}; states run from 0 to {states - 1}.")
    return MDP.from_arrays(kernel, np.arange(states), start, horizon=horizon)


def _cells(rows: Sequence[str]) -> list[tuple[int, int]]:
    if any(len(row) != len(rows[0]) for row in rows):
        raise BadInput("The rows of a grid must all have the same length.")
    cells = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell != "#"]
    if not cells:
        raise BadInput("The grid has no free cell; '#' is a wall, anything else is free.")
    return cells


def _grid_kernel(cells: list[tuple[int, int]], noise: float) -> np.ndarray:
    index = {cell: state for state, cell in enumerate(cells)}
    kernel = np.zeros((len(cells), len(MOVES), len(cells)))
    for (row, column), state in index.items():
        targets = [index.get((row + down, column + right), state) for down, right in MOVES]
        for action, intended in enumerate(targets):
            others = sorted(set(targets) - {intended})
            kernel[state, action, intended] = 1 - noise if others else 1
            for other in others:
                kernel[state, action, other] = noise / len(others)
    return kernel


def _noise(noise: float) -> float:
    if not 0 <= noise <= 1:
        raise BadInput(f"noise is {noise}; it is a probability between 0 and 1.")
    return float(noise)
