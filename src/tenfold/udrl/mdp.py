"""A finite Markov decision process together with its commands: what the exact engine works on.

A command (h, g) asks to be in a state of goal g after exactly h steps (section 1.1 of the spec). The command-extended
process has states (s, h, g); `start` is the joint distribution over them, and its support decides what can be learned.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int

from tenfold.core.errors import BadInput
from tenfold.core.extras import require
from tenfold.core.files import read_npz, write_atomic

__all__ = ["MDP", "check_memory", "check_policy", "empty_start", "whole"]

# Sums of probabilities that come from files and tables may be off by this much.
SUM_TOLERANCE = 1e-9
# What is made may take this share of the memory that is free before.
MEMORY_SHARE = 0.75
# Goals are numbered below this where nothing else bounds them.
MAX_GOALS = 2**31


@dataclass(frozen=True, eq=False)
class MDP:
    """Environment and commands, float64, read-only.

    Attributes:
        kernel: kernel[s, a, s'], probability of s' after action a in s; rows sum to 1.
        goal_map: goal_map[s] in 0..G-1, the goal that state s fulfils.
        start: start[s, h-1, g], joint start distribution over state and command; sums to 1.
        labels: names of the states, or empty.
        layout: rows of a grid for drawing, '#' = wall, or empty; states are its free cells row by row.
    """

    kernel: Float[np.ndarray, "state action next"]
    goal_map: Int[np.ndarray, " state"]
    start: Float[np.ndarray, "state horizon goal"]
    labels: tuple[str, ...] = field(default=(), repr=False)
    layout: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_arrays(
        cls,
        kernel: Any,
        goal_map: Any,
        start: Any,
        *,
        horizon: int,
        labels: Sequence[str] = (),
        layout: Sequence[str] = (),
    ) -> "MDP":
        """Check and copy arrays.

        Args:
            kernel: kernel[s, a, s'], probabilities.
            goal_map: goal_map[s], integers in 0..G-1.
            start: start[s, h-1, g], sums to 1; its last axis gives the number of goals G.
            horizon: longest command N; `start` has N entries on its second axis.
            labels: names of the states.
            layout: grid rows for drawing.

        Raises:
            BadInput: a wrong shape, a negative or missing number, a sum that is not 1, a goal out of range.
        """
        kernel = _real(kernel, "kernel", 3)
        states, _, successors = kernel.shape
        if successors != states or states == 0 or kernel.shape[1] == 0:
            raise BadInput(f"kernel has shape {kernel.shape}; it must be (states, actions, states) and not empty.")
        _check_kernel(kernel)
        horizon = whole(horizon, 1, "horizon")
        start = _real(start, "start", 3)
        if start.shape[:2] != (states, horizon) or start.shape[2] == 0:
            raise BadInput(
                f"start has shape {start.shape}; it must be (states, horizon, goals) = ({states}, {horizon}, G).",
                "A command with h above the horizon has no place; raise the horizon.",
            )
        _check_distribution(start)
        goals = _goal_map(goal_map, states, start.shape[2])
        for array in (kernel, goals, start):
            array.flags.writeable = False
        return cls(kernel, goals, start, tuple(labels), tuple(layout))

    @classmethod
    def from_gymnasium(
        cls,
        environment: Any,
        *,
        horizon: int,
        goal_map: Any = None,
        start: Any = None,
        **options: Any,
    ) -> "MDP":
        """Take the transition table of a gymnasium environment (`env.unwrapped.P`).

        A state in which an episode has ended stays as it is: a command looks at the state after exactly h steps, and
        the tables of Taxi and CliffWalking would keep moving after the end.

        Args:
            environment: an id such as "FrozenLake-v1", or an environment object (which stays open).
            horizon: longest command N.
            goal_map: goal_map[s]; None = every state is its own goal.
            start: start[s, h-1, g]; None = the environment's initial states, h = N always, goals uniform.
            **options: passed to gymnasium.make, e.g. success_rate=0.9.

        Raises:
            BadInput: unknown id or option, no discrete spaces, no transition table.
            ExtraMissing: gymnasium is not installed.
        """
        env, close = _make(environment, options)
        try:
            kernel, initial, layout = _tables(env)
        finally:
            if close:
                env.close()
        states = len(kernel)
        goals = np.arange(states) if goal_map is None else np.asarray(goal_map)
        if start is None:
            count = int(_goal_map(goals, states, None).max()) + 1
            start = empty_start(states, horizon, count)
            start[:, -1, :] = initial[:, None] / count
        return cls.from_arrays(kernel, goals, start, horizon=horizon, layout=layout)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], limit: int = 4 << 30) -> "MDP":
        """Read an .npz file with the arrays kernel, goal_map, start and horizon.

        Args:
            path: the file.
            limit: bytes that it may unpack to.

        Raises:
            BadInput: not such a file, or its arrays do not make an MDP; the message names the file.
        """
        arrays = read_npz(path, ("kernel", "goal_map", "start", "horizon"), limit)
        horizon = arrays["horizon"]
        if horizon.size != 1 or not np.issubdtype(horizon.dtype, np.number):
            raise BadInput(f"{path}: horizon must be one whole number.")
        try:
            steps = whole(horizon.item(), 1, "horizon")
            return cls.from_arrays(arrays["kernel"], arrays["goal_map"], arrays["start"], horizon=steps)
        except BadInput as error:
            raise BadInput(f"{path}: {error.message}", error.hint) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the .npz file that `from_file` reads, atomically."""
        arrays = {"kernel": self.kernel, "goal_map": self.goal_map, "start": self.start, "horizon": self.horizon}
        write_atomic(path, lambda file: np.savez_compressed(file, **arrays))  # pyright: ignore[reportArgumentType]

    @property
    def states(self) -> int:
        """Number of states S."""
        return self.kernel.shape[0]

    @property
    def actions(self) -> int:
        """Number of actions A."""
        return self.kernel.shape[1]

    @property
    def goals(self) -> int:
        """Number of goals G."""
        return self.start.shape[2]

    @property
    def horizon(self) -> int:
        """Longest command N."""
        return self.start.shape[1]

    @cached_property
    def transitions(self) -> scipy.sparse.csr_array:
        """The kernel as a sparse matrix with a row for each (s, a) and a column for each s'."""
        return scipy.sparse.csr_array(self.kernel.reshape(self.states * self.actions, self.states))

    @cached_property
    def goal_indicator(self) -> Float[np.ndarray, "state goal"]:
        """1 where state s fulfils goal g, else 0: the values at h = 0."""
        return (self.goal_map[:, None] == np.arange(self.goals)).astype(np.float64)

    def digest(self) -> str:
        """SHA-256 of kernel, goal map and start: whether an environment is still the same."""
        found = hashlib.sha256()
        for array in (self.kernel, self.goal_map, self.start):
            found.update(repr(array.shape).encode())
            found.update(array.tobytes())
        return found.hexdigest()

    def uniform_policy(self) -> Float[np.ndarray, "state horizon goal action"]:
        """The policy that takes every action with equal probability."""
        return np.full((self.states, self.horizon, self.goals, self.actions), 1.0 / self.actions)


def whole(value: Any, least: int, name: str) -> int:
    """The value as an int.

    Raises:
        BadInput: it is no whole number, or below `least`.
    """
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        found = least - 1
    if isinstance(value, bool) or found != value or found < least:
        raise BadInput(f"{name} is {value}; it must be a whole number of at least {least}.")
    return found


def check_memory(needed: int, what: str, limit: int | None = None) -> None:
    """Refuse what cannot fit, before hours are spent on it.

    Args:
        needed: bytes.
        what: needs them.
        limit: bytes that it may take; None = three quarters of what is free.

    Raises:
        BadInput: more is needed than the limit.
    """
    if limit is None:
        import psutil

        limit = int(psutil.virtual_memory().available * MEMORY_SHARE)
    if needed > limit:
        raise BadInput(
            f"{what} needs about {needed:,} bytes; {limit:,} may be used.",
            "Take fewer updates, a shorter horizon, or fewer goals (goal_map= merges them).",
        )


def empty_start(states: int, horizon: Any, goals: int) -> np.ndarray:
    """Zeros start[s, h-1, g], to be filled.

    Raises:
        BadInput: the horizon is no whole number of at least 1, or the table cannot fit.
    """
    horizon = whole(horizon, 1, "horizon")
    # The table, the copy that an MDP keeps of it, and what checking that takes.
    check_memory(3 * 8 * states * horizon * goals, f"start for {states} states, {horizon} steps and {goals} goals")
    return np.zeros((states, horizon, goals))


def check_policy(mdp: MDP, policy: Any) -> Float[np.ndarray, "state horizon goal action"]:
    """A policy as float64, checked.

    Raises:
        BadInput: wrong shape, negative or missing entries, or rows that do not sum to 1.
    """
    policy = _real(policy, "policy", 4)
    shape = (mdp.states, mdp.horizon, mdp.goals, mdp.actions)
    if policy.shape != shape:
        raise BadInput(f"policy has shape {policy.shape}; it must be (states, horizon, goals, actions) = {shape}.")
    sums = policy.sum(axis=3)
    wrong = np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)
    if len(wrong):
        s, h, g = wrong[0]
        raise BadInput(f"policy[s={s},h={h + 1},g={g}] sums to {sums[s, h, g]:.6g}, not 1.")
    return policy


def _real(array: Any, name: str, axes: int) -> np.ndarray:
    try:
        given = np.asarray(array)
        if given.dtype.kind not in "biufO":  # numpy would take the real part of complex numbers, and count time in seconds
            raise TypeError(given.dtype)
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} is not an array of numbers.") from error
    if found.ndim != axes:
        raise BadInput(f"{name} has {found.ndim} axes; it must have {axes}.")
    bad = np.argwhere(~np.isfinite(found) | (found < 0))
    if len(bad):
        place = ",".join(str(i) for i in bad[0])
        raise BadInput(f"{name}[{place}] is {found[tuple(bad[0])]:g}; probabilities are finite and not negative.")
    return found


def _check_kernel(kernel: np.ndarray) -> None:
    sums = kernel.sum(axis=2)
    wrong = np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)
    if len(wrong):
        s, a = wrong[0]
        raise BadInput(f"E[s={s},a={a}] sums to {sums[s, a]:.6g}, not 1.", f"{len(wrong)} rows of the kernel are off.")


def _check_distribution(start: np.ndarray) -> None:
    total = start.sum()
    if abs(total - 1) > SUM_TOLERANCE:
        raise BadInput(f"start sums to {total:.6g}, not 1.", "It is one joint distribution over state, h and goal.")


def _goal_map(goal_map: Any, states: int, goals: int | None) -> np.ndarray:
    found = np.asarray(goal_map)
    if found.shape != (states,):
        raise BadInput(f"goal_map has shape {found.shape}; it must give one goal for each of the {states} states.")
    if found.dtype.kind not in "iuf" or not np.all(np.isfinite(found)) or np.any(found != np.round(found)):
        raise BadInput("goal_map must hold whole numbers, the goal that each state fulfils.")
    count = MAX_GOALS if goals is None else goals
    outside = found[(found < 0) | (found >= count)]
    if outside.size:
        raise BadInput(f"goal_map holds {int(outside[0])}; goals run from 0 to {count - 1}.")
    return found.astype(np.int64)


def _make(environment: Any, options: dict[str, Any]) -> tuple[Any, bool]:
    gymnasium = require("gymnasium", "udrl")
    if not isinstance(environment, str):
        return environment, False
    try:
        with warnings.catch_warnings():  # what matters of them is in the error
            warnings.simplefilter("ignore")
            return gymnasium.make(environment, **options), True
    except TypeError as error:
        option = re.search(r"keyword argument '(\w+)'", str(error))
        raise BadInput(f"{environment} does not take the option {option[1] if option else '?'}.") from error
    except (gymnasium.error.Error, ModuleNotFoundError, ImportError, ValueError, KeyError, AssertionError) as error:
        reason = f"it does not know {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise BadInput(f"gymnasium cannot make {environment!r}: {reason[:160]}") from error


def _tables(env: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    bare = env.unwrapped
    for space in ("observation_space", "action_space"):
        if not hasattr(getattr(bare, space, None), "n"):
            raise BadInput(
                f"{type(bare).__name__}: {space} is not Discrete, and the tabular engine needs that.",
                "Use a learner, or a wrapper that makes it discrete.",
            )
    table = getattr(bare, "P", None)
    if table is None:
        raise BadInput(f"{type(bare).__name__} has no transition table P.", "Give its arrays to MDP.from_arrays.")
    states, actions = int(bare.observation_space.n), int(bare.action_space.n)
    kernel = np.zeros((states, actions, states))
    ended = np.zeros(states, dtype=bool)
    for s in range(states):
        for a in range(actions):
            for probability, successor, _, done in table[s][a]:
                kernel[s, a, successor] += probability
                ended[successor] |= bool(done)
    kernel[ended] = 0
    kernel[ended, :, ended] = 1
    initial = getattr(bare, "initial_state_distrib", None)
    if initial is None:
        raise BadInput(f"{type(bare).__name__} does not tell its initial states.", "Give start=, shape (states, N, goals).")
    layout = getattr(bare, "desc", None)
    rows = () if layout is None or np.size(layout) != states else tuple(b"".join(row).decode() for row in layout)
    initial = np.asarray(initial, dtype=np.float64)
    return kernel, initial / initial.sum(), rows
