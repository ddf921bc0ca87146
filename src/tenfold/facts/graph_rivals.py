"""What a forecast on a graph is compared with: each node's own linear forecast, and a recurrent network of graph
convolutions (after Seo et al. 2018), small."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.facts.windows import Windows

__all__ = ["GraphConvolutionGRU", "NodeRidge"]


class NodeRidge(nn.Module):
    """A linear map of its own past, and an intercept, for each node."""

    def __init__(self, nodes: int, look_back: int, horizon: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(nodes, horizon, look_back), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(nodes, horizon), requires_grad=False)

    def forward(self, x: Float[Tensor, "batch look_back nodes"]) -> Float[Tensor, "batch horizon nodes"]:
        return torch.einsum("bln,nhl->bhn", x, self.weight) + self.bias.T

    def solve(self, windows: Windows, ridge: float) -> None:
        """Fit to all windows; `ridge` is added to the squared sizes of centred inputs."""
        past, future = (part.double().permute(2, 0, 1) for part in windows[slice(0, len(windows))])
        mean, goal = past.mean(1, keepdim=True), future.mean(1, keepdim=True)
        centred = past - mean
        left = centred.mT @ centred + ridge * torch.eye(past.shape[-1], dtype=past.dtype)
        weight = torch.linalg.solve(left, centred.mT @ (future - goal)).mT
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_((goal - mean @ weight.mT).squeeze(1))


class GraphConvolutionGRU(nn.Module):
    """A gated recurrent unit whose maps see a node and the mean of the nodes that feed it."""

    def __init__(self, adjacency: np.ndarray, look_back: int, horizon: int, size: int = 32) -> None:
        """Set up.

        Args:
            adjacency: (N, N), true where the column's node feeds the row's.
            look_back: steps of a window.
            horizon: steps to forecast.
            size: of a node's state.
        """
        super().__init__()
        spread = torch.from_numpy(adjacency.astype(np.float32))
        self.spread: Tensor
        self.register_buffer("spread", spread / spread.sum(1, keepdim=True), persistent=False)
        self.size = size
        self.gates, self.candidate = nn.Linear(2 * (1 + size), 2 * size), nn.Linear(2 * (1 + size), size)
        self.head = nn.Linear(size, horizon)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.own = NodeRidge(len(adjacency), look_back, horizon)

    def forward(self, x: Float[Tensor, "batch look_back nodes"]) -> Float[Tensor, "batch horizon nodes"]:
        state = x.new_zeros(len(x), x.shape[2], self.size)
        for frame in x.unsqueeze(-1).unbind(1):
            reset, update = self.gates(self._around(frame, state)).sigmoid().chunk(2, -1)
            state = update * state + (1 - update) * self.candidate(self._around(frame, reset * state)).tanh()
        return self.own(x) + self.head(state).transpose(1, 2)

    def _around(self, frame: Tensor, state: Tensor) -> Tensor:
        both = torch.cat((frame, state), -1)
        return torch.cat((both, self.spread @ both), -1)
