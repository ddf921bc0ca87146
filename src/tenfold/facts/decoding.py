"""Slots -> variates: each slot says what each variate would be, and how much it has a say (spec section 1.4)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["FactorGraphDecoder"]


class FactorGraphDecoder(nn.Module):
    """A mixture over slots, the same in any order of theirs."""

    def __init__(
        self,
        slot_size: int,
        variates: int,
        outputs: int = 1,
        width: int | None = None,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        """Set up.

        Args:
            slot_size: D.
            variates: M.
            outputs: numbers for each variate, e.g. quantiles; all share the slots' say.
            width: of the hidden layer; default twice what it gives.
            activation: of the hidden layer; the published one can die where what it feeds begins at zero.
        """
        super().__init__()
        self.variates, self.outputs, self.activation = variates, outputs, activation
        gives = variates * (outputs + 1)
        width = width or 2 * gives
        self.inner, self.outer = nn.Linear(slot_size, width, bias=False), nn.Linear(width, gives)

    def forward(self, slots: Float[Tensor, "batch time slots dim"]) -> Float[Tensor, "batch time variates outputs"]:
        """Decode."""
        values, say = self.outer(self.activation(self.inner(slots))).split([self.variates * self.outputs, self.variates], -1)
        weights = say.softmax(2).unsqueeze(-1)
        return (values.unflatten(-1, (self.variates, self.outputs)) * weights).sum(2)
