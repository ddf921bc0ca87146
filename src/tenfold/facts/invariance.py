"""How much a model's output depends on the order of its input rows."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core.errors import BadInput

__all__ = ["Invariance", "OverRows", "check_invariance"]


class Invariance(NamedTuple):
    """Largest change of an output, relative to the largest output.

    Attributes:
        fixed: under an order that stays the same for all frames.
        per_frame: under an order that changes from frame to frame.
    """

    fixed: float
    per_frame: float


@runtime_checkable
class OverRows(Protocol):
    """A model that makes rows of its input before it mixes them, as `Forecaster` does."""

    def over_rows(self, x: Any, /) -> tuple[Callable[[Tensor], Any], Tensor]:
        """The rest of the model as a function of rows (batch, time, rows, features), and those of x."""
        ...


def check_invariance(
    model: nn.Module | Callable[[Tensor], Any] | OverRows,
    x: Float[Tensor | np.ndarray, "batch time rows *features"],
    *,
    orders: int = 3,
    seed: int = 0,
) -> Invariance:
    """Shuffle the rows and look at what changes.

    Args:
        model: takes x; gives a tensor, or several of which the first counts. Its outputs must not be rows themselves.
            A module is measured in evaluation mode. Of a `Forecaster` the rows that its router reads are shuffled, each with
            its name's key: series at a frame come in any order, and forecasts go by name.
        x: input with time on axis 1 and rows on axis 2.
        orders: random orders of each kind; the largest change counts.
        seed: of the orders.

    Raises:
        BadInput: x has no such axes, or but one row.
    """
    if isinstance(model, OverRows):
        model, x = model.over_rows(x)
    x = torch.as_tensor(x)
    if x.dim() < 3 or x.shape[2] < 2:
        raise BadInput(f"x has shape {tuple(x.shape)}; it must be (batch, time, rows, ...) with at least 2 rows.")
    draw = torch.Generator().manual_seed(seed)
    batch, time, rows = x.shape[:3]
    was_training = isinstance(model, nn.Module) and model.training
    if isinstance(model, nn.Module):
        model.eval()
    try:
        with torch.no_grad():
            plain = _first(model(x))
            scale = plain.abs().max().clamp_min(torch.finfo(plain.dtype).tiny)
            found = []
            for frames in (1, time):
                changes = []
                for _ in range(orders):
                    order = torch.rand(1, frames, rows, generator=draw).argsort(-1).to(x.device)
                    changed = _first(model(_shuffled(x, order.expand(batch, time, rows))))
                    changes.append(float((changed - plain).abs().max() / scale))
                found.append(max(changes))
    finally:
        if was_training and isinstance(model, nn.Module):
            model.train()
    return Invariance(*found)


def _shuffled(x: Tensor, order: Tensor) -> Tensor:
    index = order.reshape(*order.shape, *[1] * (x.dim() - 3)).expand_as(x)
    return x.gather(2, index)


def _first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]
