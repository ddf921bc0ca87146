"""The eUDRL recursion on batches of dense kernels, as tensors on CPU or GPU, float64.

The execution path for many small environments of one shape at once, and for one with many successors a state. Axes:
batch of environments, state, level l (the commanded h'), command c (the commanded g'), goal g (observed), action.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tenfold.udrl.mdp import MDP

__all__ = ["DenseOperator"]

# Bytes of the largest intermediate, Q[batch, state, action, level, command, goal] of one chunk of commanded goals.
SLAB_BYTES = {"cpu": 32 << 20, "cuda": 2 << 30}


class DenseOperator:
    """Visits, values and weights of a batch of environments with the same numbers of states, actions, goals and steps."""

    def __init__(self, mdps: Sequence[MDP], device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.kernel = self.tensor(np.stack([mdp.kernel for mdp in mdps]))
        self.start = self.tensor(np.stack([mdp.start for mdp in mdps]))
        self.indicator = self.tensor(np.stack([mdp.goal_indicator for mdp in mdps]))
        self.batch, self.states, self.actions, _ = self.kernel.shape
        self.horizon, self.goals = self.start.shape[2:]
        self._forward = self.kernel.reshape(self.batch, self.states * self.actions, self.states)
        self._backward = self._forward.transpose(1, 2).contiguous()

    def tensor(self, array: np.ndarray) -> Tensor:
        """A float64 tensor on the device."""
        return torch.as_tensor(np.array(array, dtype=np.float64), device=self.device)

    def visits(self, policy: Tensor) -> Tensor:
        """nu[b, s, h-1, g] of pi[b, s, h-1, g, a]: see `evaluation.visitation`."""
        visits = self.start.clone()
        for h in range(self.horizon - 1, 0, -1):
            flow = visits[:, :, h, :, None] * policy[:, :, h]
            flow = flow.transpose(2, 3).reshape(self.batch, -1, self.goals)
            visits[:, :, h - 1] += self._backward @ flow
        return visits / visits.sum(dim=(1, 2, 3), keepdim=True)

    def values(self, policy: Tensor) -> tuple[Tensor, Tensor]:
        """V[b, s, h-1, g] and Q[b, s, h-1, g, a]: see `evaluation.values`."""
        q = torch.empty_like(policy)
        v = torch.empty(policy.shape[:4], dtype=policy.dtype, device=policy.device)
        before = self.indicator
        for h in range(self.horizon):
            q[:, :, h] = (self._forward @ before).view(self.batch, self.states, self.actions, -1).transpose(2, 3)
            before = (policy[:, :, h] * q[:, :, h]).sum(dim=3)
            v[:, :, h] = before
        return v, q

    def objective(self, v: Tensor) -> Tensor:
        """J[b] of V[b, s, h-1, g]."""
        return (self.start * v).sum(dim=(1, 2, 3))

    def weights(self, policy: Tensor, visits: Tensor, trailing: bool = False) -> Tensor:
        """W[b, s, h-1, g, a], for segments of any place or only for suffixes of episodes: see `sparse`."""
        found = torch.zeros_like(policy)
        commanded = torch.nonzero(visits.sum(dim=(0, 1, 2)) > 0)[:, 0]
        levels = 1 if trailing else self.horizon
        one = 8 * self.batch * self.states * self.actions * levels * self.goals
        size = max(1, SLAB_BYTES[self.device.type] // one)
        for commands in commanded.split(size):
            self._add_chunk(found, policy[:, :, :, commands], visits[:, :, :, commands], trailing)
        return found

    def _add_chunk(self, found: Tensor, policy: Tensor, visits: Tensor, trailing: bool) -> None:
        batch, states, levels, commands, actions = policy.shape
        by_action = policy.permute(0, 1, 4, 2, 3)  # [b, s, a, l, c]
        masses = by_action * visits[:, :, None]
        count = 1 if trailing else levels
        before = self.indicator[:, :, None, None, :].expand(batch, states, count, commands, self.goals)
        for h in range(self.horizon):
            used = slice(h, h + 1) if trailing else slice(h, None)
            flat = before.reshape(batch, states, -1)
            q = (self._forward @ flat).view(batch, states, actions, -1, self.goals)
            load = masses[:, :, :, used].reshape(batch, states, actions, 1, -1)
            found[:, :, h] += (load @ q)[..., 0, :].transpose(2, 3)
            if h + 1 < self.horizon:
                share = by_action[:, :, :, used].reshape(batch, states, actions, -1, 1)
                after = (share * q).sum(dim=2).view(batch, states, -1, commands, self.goals)
                before = after if trailing else after[:, :, :-1]
