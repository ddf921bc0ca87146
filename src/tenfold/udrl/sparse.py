"""The eUDRL weights for kernels with few successors a state: the execution path for grids, lakes and taxis.

W[s,h,g,a] = sum over h' >= h and g' of nu[s,h',g'] pi[s,h',g',a] C[h,g | s,h',g',a] (section 1.3 of the spec). The array
C is never built. A slab holds T_h[l, c, s, g], the probability of being seen in goal g after h steps when the command of
level l (its h') and goal c (its g') is followed from s. One step is

    T_h[l, c] = M[l, c] T_{h-1}[l-1, c],      M[l, c][s, s'] = sum_a pi[s, l, c, a] E[s, a, s'],

so that actions are folded into the step before it is made (a noisy grid has 16 pairs of action and successor, but only 5
successors). The weights come from T_{h-1} by one matrix product per successor s', over its predecessors (s, a):

    R[s', (s,a), g] = sum over (l, c) of E[s,a,s'] nu[s,l,c] pi[s,l,c,a] T_{h-1}[l-1, c, s', g],

summed over s' afterwards. Commanded goals are taken in chunks, so that a slab stays in the cache's reach.
"""

from functools import cached_property

import numpy as np
import scipy.sparse

from tenfold.udrl.mdp import MDP

__all__ = ["SparseOperator"]

# Bytes of one slab. Larger ones fall out of the cache, smaller ones spend their time in calls.
SLAB_BYTES = 24 << 20
# Up to this many states a dense matrix product per command is faster than the sparse one.
DENSE_STEP_STATES = 96


class SparseOperator:
    """The weights W of one environment, with everything prepared that does not depend on the policy."""

    def __init__(self, mdp: MDP) -> None:
        self._mdp = mdp
        self._dense_step = mdp.states <= DENSE_STEP_STATES

    @property
    def padding(self) -> float:
        """How much larger the padded predecessor lists are than the kernel: 1 = no waste."""
        return self._predecessors[0].size / max(1, self._mdp.transitions.nnz)

    def weights(self, policy: np.ndarray, visits: np.ndarray, trailing: bool = False) -> np.ndarray:
        """W[s, h-1, g, a] for segments of any place ("all"), or only for suffixes of episodes ("trailing").

        Args:
            policy: pi[s, h-1, g, a].
            visits: nu[s, h-1, g], any positive multiple of it.
            trailing: only h' = h.
        """
        mdp = self._mdp
        weights = np.zeros((mdp.horizon, mdp.states * mdp.actions, mdp.goals))
        commanded = np.flatnonzero(visits.any(axis=(0, 1)))
        size = self._chunk(trailing)
        for first in range(0, len(commanded), size):
            self._add_chunk(weights, policy, visits, commanded[first : first + size], trailing)
        return weights.reshape(mdp.horizon, mdp.states, mdp.actions, mdp.goals).transpose(1, 0, 3, 2)

    def _chunk(self, trailing: bool) -> int:
        mdp = self._mdp
        predecessors = self._predecessors[0].shape[1]
        levels = 1 if trailing else mdp.horizon
        step = mdp.states if self._dense_step else self._successors[0].shape[1]
        widest = max(levels * mdp.goals, mdp.horizon * max(predecessors, step))
        return max(1, SLAB_BYTES // (8 * mdp.states * widest))

    def _add_chunk(
        self, weights: np.ndarray, policy: np.ndarray, visits: np.ndarray, commands: np.ndarray, trailing: bool
    ) -> None:
        mdp = self._mdp
        chosen = policy[:, :, commands].transpose(1, 2, 0, 3)  # [level, command, state, action]
        masses = chosen * visits[:, :, commands].transpose(1, 2, 0)[..., None]
        steps = self._steps(chosen)
        loads = self._loads(masses)
        levels = 1 if trailing else mdp.horizon
        before = np.broadcast_to(mdp.goal_indicator, (levels, len(commands), mdp.states, mdp.goals))
        for h in range(mdp.horizon):
            used = slice(h, h + 1) if trailing else slice(h, None)
            weights[h] += self._gather(loads[:, :, used], before)
            if h + 1 < mdp.horizon:
                after = self._step(steps[used], before)
                before = after if trailing else after[:-1]

    def _steps(self, chosen: np.ndarray) -> np.ndarray:
        """M of every level and command: [level, command, state, successor], successors dense or as listed."""
        if self._dense_step:
            folded = np.matmul(chosen.transpose(2, 0, 1, 3)[..., None, :], self._mdp.kernel[:, None, None])
            return np.ascontiguousarray(folded[..., 0, :].transpose(1, 2, 0, 3))
        _, probabilities = self._successors
        return np.einsum("lcsa,ska->lcsk", chosen, probabilities, optimize=False)

    def _loads(self, masses: np.ndarray) -> np.ndarray:
        """E nu pi of every predecessor of every state: [state', predecessor, level, command]."""
        pairs, probabilities = self._predecessors
        levels, commands, states, actions = masses.shape
        by_pair = masses.transpose(2, 3, 0, 1).reshape(states * actions, levels, commands)
        return by_pair[pairs] * probabilities[:, :, None, None]

    def _gather(self, loads: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Sum over level, command and successor: [(state, action), goal]."""
        states, predecessors = loads.shape[:2]
        left = loads.reshape(states, predecessors, -1)
        right = before.reshape(-1, states, self._mdp.goals).transpose(1, 0, 2)
        return self._by_pair @ np.matmul(left, right).reshape(states * predecessors, -1)

    def _step(self, steps: np.ndarray, before: np.ndarray) -> np.ndarray:
        """T_h from T_{h-1}."""
        if self._dense_step:
            return np.matmul(steps, before)
        levels, commands, states, width = steps.shape
        rows = levels * commands * states
        successors, _ = self._successors
        offsets = np.arange(levels * commands, dtype=np.int32)[:, None, None] * states
        columns = (offsets + successors).ravel()
        pointers = np.arange(0, rows * width + 1, width, dtype=columns.dtype)
        matrix = scipy.sparse.csr_array((steps.ravel(), columns, pointers), shape=(rows, rows))
        return (matrix @ before.reshape(rows, -1)).reshape(before.shape)

    @cached_property
    def _successors(self) -> tuple[np.ndarray, np.ndarray]:
        """Successors of each state under any action, padded by state 0 with probability 0: [s, k] and [s, k, a]."""
        kernel = self._mdp.kernel
        reachable = kernel.max(axis=1) > 0
        lists = _padded(reachable)
        probabilities = np.take_along_axis(kernel, np.maximum(lists, 0)[:, None, :], axis=2).transpose(0, 2, 1)
        return np.maximum(lists, 0).astype(np.int32), probabilities * (lists >= 0)[..., None]

    @cached_property
    def _predecessors(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (s, a) that lead to each state, as s * A + a, padded with probability 0: [s', p] and [s', p]."""
        columns = self._mdp.kernel.reshape(-1, self._mdp.states).T
        lists = _padded(columns > 0)
        probabilities = np.take_along_axis(columns, np.maximum(lists, 0), axis=1)
        return np.maximum(lists, 0), probabilities * (lists >= 0)

    @cached_property
    def _by_pair(self) -> scipy.sparse.csr_array:
        """Adds what all successors report about a pair (s, a); the padding adds zeros to pair 0."""
        pairs, probabilities = self._predecessors
        columns = np.flatnonzero(probabilities.ravel() > 0)
        rows = pairs.ravel()[columns]
        shape = (self._mdp.states * self._mdp.actions, pairs.size)
        return scipy.sparse.csr_array((np.ones(len(columns)), (rows, columns)), shape=shape)


def _padded(mask: np.ndarray) -> np.ndarray:
    """Indices of the True entries of each row, padded by -1 to the longest row."""
    counts = mask.sum(axis=1)
    lists = np.full((len(mask), max(1, int(counts.max()))), -1)
    rows, columns = np.nonzero(mask)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    lists[rows, place] = columns
    return lists
