"""Objects in films without labels: patches -> slots that compete for them -> each slot paints its picture and its mask.

After SAVi (Kipf et al. 2022) and SlotFormer (Wu et al. 2023), whose parts these are: a patch encoder, slots, a decoder that
paints each slot everywhere and mixes by a softmax of masks (spec section 1.5). What gathers the slots differs: a FACTS layer
whose inverted router lets slots compete for patches and whose recurrence carries them, or slot attention. Both also learn
how slots go on without frames, by the loss on the pictures that they would paint.
"""

from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.facts.layer import FACTS
from tenfold.facts.slot_attention import SlotAttention, SlotTransformer

__all__ = ["Binder", "Painted", "SlotFilms"]

Binder = Literal["facts", "slot attention", "pooled GRU"]
_STRIDE = 4


class Painted(NamedTuple):
    """Pictures and who painted them.

    Attributes:
        frames: RGB.
        masks: share of each slot in each pixel; over the slots they add up to 1.
    """

    frames: Float[Tensor, "clips time 3 height width"]
    masks: Float[Tensor, "clips time slots height width"]


class SlotFilms(nn.Module):
    """Slots of films, what they paint, and how they go on."""

    place: Tensor

    def __init__(self, binder: Binder, size: int = 32, slots: int = 5, dim: int = 32) -> None:
        """Set up.

        Args:
            binder: what gathers the slots.
            size: of the square pictures, in pixels; a multiple of 4.
            slots: K.
            dim: D.

        Raises:
            BadInput: an argument is out of its range.
        """
        super().__init__()
        if binder not in get_args(Binder):
            raise BadInput(f"binder {binder!r} is unknown.", f"Use one of: {', '.join(get_args(Binder))}.")
        if binder == "pooled GRU":  # all in one vector, of about as many weights
            slots, dim = 1, 2 * dim
        if size % _STRIDE or size < 2 * _STRIDE:
            raise BadInput(f"size is {size}; it must be a multiple of {_STRIDE}, at least {2 * _STRIDE}.")
        side = size // _STRIDE
        self.side, self.dim = side, dim
        self.encode = nn.Sequential(nn.Conv2d(3, dim, 5, 2, 2), nn.GELU(), nn.Conv2d(dim, dim, 5, 2, 2), nn.GELU())
        self.register_buffer("place", _grid(side))
        self.where = nn.Linear(4, dim)
        self.norm = nn.LayerNorm(dim)
        self.patch = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        if binder == "facts":
            self.gather: nn.Module = _FactsBinder(slots, dim)
            self.go_on: nn.Module = _FactsDynamics(slots, dim)
        elif binder == "slot attention":
            self.gather, self.go_on = SlotAttention(slots, dim), SlotTransformer(dim)
        else:
            self.gather, self.go_on = _Pooled(dim), _PooledDynamics(dim)
        self.paint = nn.Sequential(
            nn.Linear(dim + 4, 2 * dim), nn.GELU(), nn.Linear(2 * dim, 2 * dim), nn.GELU(),
            nn.Linear(2 * dim, 4 * _STRIDE * _STRIDE),
        )  # fmt: skip

    def slots(self, frames: Float[Tensor, "clips time 3 height width"]) -> Float[Tensor, "clips time slots dim"]:
        """Gather the patches of each frame."""
        clips, time = frames.shape[:2]
        tokens = self.encode(frames.flatten(0, 1)).flatten(2).transpose(1, 2)
        tokens = self.patch(self.norm(tokens + self.where(self.place)))
        return self.gather(tokens.unflatten(0, (clips, time)))

    def painted(self, slots: Float[Tensor, "clips time slots dim"]) -> Painted:
        """Each slot paints everywhere, masks choose."""
        clips, time, count, _ = slots.shape
        cells = len(self.place)
        wide = torch.cat(
            (slots[..., None, :].expand(-1, -1, -1, cells, -1), self.place.expand(clips, time, count, -1, -1)), -1
        )
        drawn = self.paint(wide).unflatten(3, (self.side, self.side)).unflatten(5, (4, _STRIDE, _STRIDE))
        # (clips, time, slots, y, x, channel, within y, within x) -> pixels
        drawn = drawn.permute(0, 1, 2, 5, 3, 6, 4, 7).flatten(6, 7).flatten(4, 5)
        masks = drawn[:, :, :, 3].softmax(2)
        return Painted((masks[:, :, :, None] * drawn[:, :, :, :3]).sum(2), masks)

    def rolled_out(self, slots: Float[Tensor, "clips time slots dim"], steps: int) -> Float[Tensor, "clips steps slots dim"]:
        """How the slots go on without frames."""
        return self.go_on(slots, steps)


class _FactsBinder(nn.Module):
    def __init__(self, slots: int, dim: int) -> None:
        super().__init__()
        self.facts = FACTS(
            dim, None, slots, dim, router="inverted", invariant=True, output_parameters=True, dt_bias=1.0, init="learnable"
        )
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, patches: Tensor) -> Tensor:
        slots = self.facts(patches).y
        return slots + self.mlp(self.norm(slots))


class _FactsDynamics(nn.Module):
    """A FACTS layer over the slots as rows, step by step; it says how each slot changes."""

    def __init__(self, slots: int, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.facts = FACTS(dim, slots, slots, dim, init="self", d_conv=2, output_parameters=True)
        self.change = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, slots: Tensor, steps: int) -> Tensor:
        y, _, state = self.facts.run(self.norm(slots))
        now, read, found = slots[:, -1], y[:, -1], []
        for _ in range(steps):
            now = now + self.change(torch.cat((self.norm(now), read), -1))
            found.append(now)
            read, state = self.facts.step(self.norm(now), state)
        return torch.stack(found, 1)


class _Pooled(nn.Module):
    """The mean of the patches through a GRU: one vector for the whole frame."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True)

    def forward(self, patches: Tensor) -> Tensor:
        return self.gru(patches.mean(2))[0].unsqueeze(2)


class _PooledDynamics(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.change = nn.Linear(dim, dim)

    def forward(self, slots: Tensor, steps: int) -> Tensor:
        read, memory = self.gru(slots.flatten(2))
        now, read, found = slots[:, -1], read[:, -1], []
        for _ in range(steps):
            now = now + self.change(read)[:, None]
            found.append(now)
            last, memory = self.gru(now, memory)
            read = last[:, -1]
        return torch.stack(found, 1)


def _grid(side: int) -> Float[Tensor, "cells 4"]:
    """Of each cell: how far it is from the four sides."""
    line = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack((x, y, 1 - x, 1 - y), -1).flatten(0, 1)
