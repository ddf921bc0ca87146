"""What a layer costs as sequences get longer and rows more: time, bytes kept for the backward pass, and the streaming state.

Beside it stands causal attention over all tokens (rows x frames) of the same width, which mixes the same things.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.facts.layer import FACTS

__all__ = ["METHODS", "Cost", "cost"]

METHODS = ("FACTS, all frames at once", "FACTS, step by step", "attention over all tokens")
_SLOTS, _DIM = 4, 16


class Cost(NamedTuple):
    """What a method takes for one sequence.

    Attributes:
        seconds: forward and backward; step by step: forward alone, of all frames.
        bytes: kept for the backward pass; step by step: of the state.
        error: largest difference from all frames at once, relative to the largest output; NaN for attention.
    """

    seconds: float
    bytes: int
    error: float


class _Attention(nn.Module):
    """Causal attention over the tokens of all frames; a token sees its own frame and those before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch time rows dim"]) -> Tensor:
        batch, frames, rows, width = x.shape
        query, key, value = self.project(x.flatten(1, 2)).view(batch, frames * rows, 3, 1, width).permute(2, 0, 3, 1, 4)
        if rows == 1:
            found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            frame = torch.arange(frames).repeat_interleave(rows)
            found = F.scaled_dot_product_attention(query, key, value, attn_mask=frame[:, None] >= frame)
        return self.out(found[:, 0]).view(batch, frames, rows, width)


def cost(method: str, frames: int, rows: int, seed: int = 0, *, repeats: int = 3) -> Cost:
    """Measure one method at one size, on one processor core as torch is set.

    Args:
        method: one of `METHODS`.
        frames: T.
        rows: M.
        seed: of weights and input.
        repeats: the fastest counts; step by step goes through the sequence once.

    Raises:
        BadInput: the method is unknown.
    """
    if method not in METHODS:
        raise BadInput(f"method {method!r} is unknown.", f"Use one of: {', '.join(METHODS)}.")
    torch.manual_seed(seed)
    x = torch.randn(1, frames, rows, _DIM)
    if method == METHODS[2]:
        model = _Attention(_DIM)
        return Cost(_fastest(lambda: model(x).square().mean().backward(), repeats), _kept(model, x), float("nan"))
    layer = FACTS(_DIM, None, _SLOTS, _DIM, invariant=True, dt_bias=-3.0)
    if method == METHODS[0]:
        return Cost(_fastest(lambda: layer(x).y.square().mean().backward(), repeats), _kept(layer, x), 0.0)
    with torch.inference_mode():
        whole = layer.eval()(x).y
        state, found = layer.initial_state(1), torch.empty_like(whole)
        started = time.perf_counter()
        for place in range(frames):
            found[:, place], state = layer.step(x[:, place], state)
        seconds = time.perf_counter() - started
    assert state.memory is not None
    return Cost(seconds, state.memory.nbytes, float((found - whole).abs().max() / whole.abs().max()))


def _fastest(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def _kept(model: nn.Module, x: Tensor) -> int:
    """Bytes of the distinct tensors that a forward pass keeps, weights and input left out."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()} | {x.untyped_storage().data_ptr()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(x)
    del output
    return sum(kept.values())
