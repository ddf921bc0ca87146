"""Slot attention, the rival: slots that correct themselves by each frame's patches, and a transformer that predicts them.

Locatello et al. 2020 for a frame; SAVi (Kipf et al. 2022) for films: what the predictor makes of a frame's slots is where
the next frame's correction begins.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["SlotAttention", "SlotTransformer"]

_EPS = 1e-8


class SlotAttention(nn.Module):
    """Patches of films -> slots; two iterations a frame."""

    def __init__(self, slots: int, dim: int, iterations: int = 2) -> None:
        super().__init__()
        self.iterations = iterations
        self.start = nn.Parameter(torch.randn(1, slots, dim))
        self.norm_patches, self.norm_slots, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.gru = nn.GRUCell(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 8 * dim), nn.GELU(), nn.Linear(8 * dim, dim))
        self.predict = nn.TransformerEncoderLayer(dim, 4, 16 * dim, 0.0, batch_first=True, norm_first=True)

    def forward(self, patches: Float[Tensor, "clips time patches dim"]) -> Float[Tensor, "clips time slots dim"]:
        patches = self.norm_patches(patches)
        keys, values = self.key(patches), self.value(patches)
        slots, found = self.start.expand(len(patches), -1, -1), []
        for frame in range(patches.shape[1]):
            for _ in range(self.iterations):
                slots = self._corrected(slots, keys[:, frame], values[:, frame])
            found.append(slots)
            slots = self.predict(slots)
        return torch.stack(found, 1)

    def _corrected(self, slots: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        scores = self.query(self.norm_slots(slots)) @ keys.mT * slots.shape[-1] ** -0.5
        shares = scores.softmax(1) + _EPS
        gathered = (shares / shares.sum(-1, keepdim=True)) @ values
        slots = self.gru(gathered.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
        return slots + self.mlp(self.norm_mlp(slots))


class SlotTransformer(nn.Module):
    """How slots go on: a transformer layer over the slots of the last two frames, after SlotFormer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.age = nn.Parameter(0.1 * torch.randn(2, 1, dim))
        self.layer = nn.TransformerEncoderLayer(dim, 4, 40 * dim, 0.0, batch_first=True, norm_first=True)
        self.change = nn.Linear(dim, dim)

    def forward(self, slots: Float[Tensor, "clips time slots dim"], steps: int) -> Float[Tensor, "clips steps slots dim"]:
        before, now, found = slots[:, -2], slots[:, -1], []
        count = now.shape[1]
        for _ in range(steps):
            seen = torch.stack((before, now), 1) + self.age
            before, now = now, now + self.change(self.layer(seen.flatten(1, 2))[:, count:])
            found.append(now)
        return torch.stack(found, 1)
