"""The router: memory slots gather the drive and the parameters of their recurrence from the input rows by attention
(Nanbo et al. 2024, section 3; spec section 1.3, d to g).

"softmax": each slot shares out its attention over the rows. "inverted": the slots compete for each row, as in slot
attention. All that is linear around the attention is composed first: the query with the keys' map, the values' maps with the
output's. So a row costs one product with every slot's query and one with the composed values, and no copy of the memory.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Router", "RouterKind"]

RouterKind = Literal["softmax", "inverted"]
_EPS = 1e-5


class Router(nn.Module):
    """Input rows -> for each slot the drive u and `groups` parameters (dt, B and perhaps C)."""

    def __init__(self, slot_size: int, heads: int, groups: int, kind: RouterKind, *, slim: bool) -> None:
        """Set up.

        Args:
            slot_size: D.
            heads: H.
            groups: of parameters, G.
            kind: "softmax" or "inverted".
            slim: heads of size D / H in place of D.
        """
        super().__init__()
        self.heads, self.groups, self.kind = heads, groups, kind
        self.size = size = slot_size // heads if slim else slot_size
        self.norm_inputs, self.norm_slots = nn.LayerNorm(slot_size), nn.LayerNorm(slot_size)
        self.query, self.key, self.value = (nn.Linear(slot_size, heads * size, bias=False) for _ in range(3))
        self.norm_weight, self.norm_bias = (
            nn.Parameter(torch.ones(groups, slot_size)),
            nn.Parameter(torch.zeros(groups, slot_size)),
        )
        self.parameters_map = nn.Parameter(torch.empty(groups * heads, size, slot_size))
        self.out = nn.Parameter(torch.empty(1 + groups, slot_size, size, heads))
        bound_in, bound_out = 1 / math.sqrt(slot_size), 1 / math.sqrt(size * heads)
        nn.init.uniform_(self.parameters_map, -bound_in, bound_in)
        nn.init.uniform_(self.out, -bound_out, bound_out)

    def forward(
        self,
        projected: Float[Tensor, "batch time rows width"],
        memory: Float[Tensor, "#batch #time slots dim"],
        mask: Float[Tensor, "#batch #time #slots rows"] | None = None,
    ) -> Float[Tensor, "batch time slots groups dim"]:
        """Route.

        Args:
            projected: of each row the drive (D), then the parameters (G D).
            memory: what the queries come from.
            mask: added to the scores, -inf = not seen; a row that no slot sees does not count in any normalisation, and a
                slot that sees no row gets zeros.
        """
        batch, time, rows, _ = projected.shape
        slots, dim = memory.shape[2:]
        drive, parameters = projected[..., :dim], projected[..., dim:]
        inputs = self.norm_inputs(drive)
        weights = self._weights(inputs, memory, mask)
        values = torch.cat((self._drive_values(inputs), self._parameter_values(parameters, mask)), -2)
        gathered = weights.reshape(batch * time, rows * self.heads, slots).mT @ values.reshape(
            batch * time, rows * self.heads, (1 + self.groups) * dim
        )
        return gathered.view(batch, time, slots, 1 + self.groups, dim)

    def routing(
        self,
        projected: Float[Tensor, "batch time rows width"],
        memory: Float[Tensor, "#batch #time slots dim"],
        mask: Float[Tensor, "#batch #time #slots rows"] | None = None,
    ) -> Float[Tensor, "batch time heads slots rows"]:
        """Who feeds which slot: the weights of the rows; arguments as of `forward`."""
        weights = self._weights(self.norm_inputs(projected[..., : memory.shape[-1]]), memory, mask)
        return weights.permute(0, 1, 3, 4, 2)

    def _weights(self, inputs: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        """Attention as (batch, time, rows, heads, slots)."""
        batch, time, rows, dim = inputs.shape
        slots = memory.shape[2]
        query = self.query(self.norm_slots(memory)).unflatten(-1, (self.heads, self.size))
        key = self.key.weight.view(self.heads, self.size, dim) / math.sqrt(self.size)
        asked = torch.einsum("btkhi,hid->btdhk", query, key).flatten(-2)
        if asked.shape[:2] == (1, 1):
            scores = inputs @ asked[0, 0]
        elif asked.shape[1] == 1:
            scores = inputs.flatten(1, 2) @ asked[:, 0]
        else:
            scores = inputs @ asked
        scores = scores.view(batch, time, rows, self.heads, slots)
        added = None if mask is None else mask.mT.unsqueeze(-2)  # (batch, time or 1, rows, 1, slots or 1)
        if self.kind == "softmax":
            return _softmax(scores, added)
        weights = scores.softmax(-1) + _EPS
        if added is not None:
            weights = weights * added.exp()
        return weights / weights.sum(2, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)

    def _drive_values(self, inputs: Tensor) -> Tensor:
        """(batch, time, rows, heads, 1, dim)."""
        value = self.value.weight.view(self.heads, self.size, -1)
        composed = torch.einsum("hid,oih->dho", value, self.out[0])
        return (inputs @ composed.flatten(1)).unflatten(-1, (self.heads, 1, -1))

    def _parameter_values(self, parameters: Tensor, mask: Tensor | None) -> Tensor:
        """(batch, time, rows, heads, groups, dim).

        The published layout: chunks of channels are numbered by the group that they come from, then by head, and read by
        the head that they go to, then by group.
        """
        batch, time, rows, _ = parameters.shape
        groups, heads = self.groups, self.heads
        out = self.out[1:].permute(3, 0, 1, 2).flatten(0, 1)  # (heads x groups, dim, size)
        composed = torch.einsum("cid,coi->cdo", self.parameters_map, out).unflatten(0, (groups, heads))
        composed = composed.transpose(1, 2).flatten(2)  # (groups, dim, heads x dim)
        normal = _normal(parameters.unflatten(-1, (groups, -1)).permute(3, 0, 1, 2, 4).contiguous(), mask)
        bias = self.norm_bias.unsqueeze(1) @ composed
        values = torch.baddbmm(bias, normal.flatten(1, 3), self.norm_weight.unsqueeze(-1) * composed)
        values = values.view(groups, batch, time, rows, heads, -1).permute(1, 2, 3, 0, 4, 5)
        return values.reshape(batch, time, rows, heads, groups, -1)


def _softmax(scores: Tensor, added: Tensor | None) -> Tensor:
    """Over the rows; zeros where no row is seen."""
    if added is None:
        return scores.softmax(2)
    scores = scores + added
    unseen = (scores == -torch.inf).all(2, keepdim=True)
    return scores.masked_fill(unseen, 0).softmax(2).masked_fill(unseen, 0)


def _normal(parameters: Tensor, mask: Tensor | None) -> Tensor:
    """Each group of each step, (groups, batch, time, rows, dim), brought to mean 0 and variance 1 over rows and channels."""
    if mask is None:
        return F.layer_norm(parameters, parameters.shape[-2:], eps=_EPS)
    seen = (mask > -torch.inf).any(2)[..., None].to(parameters.dtype)  # (batch, time or 1, rows, 1)
    count = (seen.sum(2, keepdim=True) * parameters.shape[-1]).clamp_min(1)
    mean = (parameters * seen).sum((-2, -1), keepdim=True) / count
    centred = (parameters - mean) * seen
    variance = centred.square().sum((-2, -1), keepdim=True) / count
    return centred * (variance + _EPS).rsqrt()
