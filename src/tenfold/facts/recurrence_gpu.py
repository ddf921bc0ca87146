"""The recurrence as Triton kernels: a program goes through time for a block of channels of one sequence, its state in
registers and in float32 (float64 for float64), so that each number is read and written once and nothing is transposed."""

from typing import Any

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor

__all__ = ["backward", "forward"]

_CHANNELS = 128


def forward(log_decay: Tensor, drive: Tensor, initial: Tensor, is_learning: bool) -> tuple[Tensor, Tensor]:
    """States, and the decays for the backward pass (nothing if not learning)."""
    log_decay, drive, initial = (tensor.contiguous() for tensor in (log_decay, drive, initial))
    states = torch.empty_like(drive)
    decays = torch.empty_like(drive) if is_learning else drive.new_empty(0)
    launch: Any = _forward[_grid(drive)]  # pyright: ignore[reportIndexIssue]
    launch(log_decay, drive, initial, states, decays, *_sizes(drive), is_learning, _CHANNELS)
    return states, decays


def backward(gradient: Tensor, decays: Tensor, states: Tensor, initial: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of log_decay, drive and initial."""
    gradient, initial = gradient.contiguous(), initial.contiguous()
    of_decay, of_drive, of_initial = torch.empty_like(states), torch.empty_like(states), torch.empty_like(initial)
    launch: Any = _backward[_grid(states)]  # pyright: ignore[reportIndexIssue]
    launch(gradient, decays, states, initial, of_decay, of_drive, of_initial, *_sizes(states), _CHANNELS)
    return of_decay, of_drive, of_initial


def _sizes(of: Tensor) -> tuple[int, int]:
    return of.shape[1], of[0, 0].numel()


def _grid(of: Tensor) -> tuple[int, int]:
    """Blocks of channels on the first axis, which alone has room for more than 65,535."""
    return triton.cdiv(of[0, 0].numel(), _CHANNELS), len(of)


@triton.jit
def _forward(log_decay, drive, initial, states, decays, steps, width, is_learning: tl.constexpr, channels: tl.constexpr):
    channel = tl.program_id(0) * channels + tl.arange(0, channels)
    batch = tl.program_id(1).to(tl.int64)
    inside = channel < width
    state = tl.load(initial + batch * width + channel, mask=inside, other=0.0)
    place = batch * steps * width + channel
    for _ in range(steps):
        decay = tl.exp(tl.load(log_decay + place, mask=inside, other=0.0))
        state = decay * state + tl.load(drive + place, mask=inside, other=0.0)
        tl.store(states + place, state, mask=inside)
        if is_learning:
            tl.store(decays + place, decay, mask=inside)
        place += width


@triton.jit
def _backward(
    gradient, decays, states, initial, of_decay, of_drive, of_initial, steps, width, channels: tl.constexpr
):  # fmt: skip
    channel = tl.program_id(0) * channels + tl.arange(0, channels)
    batch = tl.program_id(1).to(tl.int64)
    inside = channel < width
    start = batch * width + channel
    first = tl.load(initial + start, mask=inside, other=0.0)
    place = (batch * steps + steps - 1) * width + channel
    carried = first * 0.0
    for _ in range(steps - 1):
        before = tl.load(states + place - width, mask=inside, other=0.0)
        carried = _back(gradient, decays, of_decay, of_drive, place, inside, carried, before)
        place -= width
    carried = _back(gradient, decays, of_decay, of_drive, place, inside, carried, first)
    tl.store(of_initial + start, carried, mask=inside)


@triton.jit
def _back(gradient, decays, of_decay, of_drive, place, inside, carried, before):
    """The gradients of one step; returns what it passes on to the step before."""
    own = tl.load(gradient + place, mask=inside, other=0.0) + carried
    passed = tl.load(decays + place, mask=inside, other=0.0) * own
    tl.store(of_drive + place, own, mask=inside)
    tl.store(of_decay + place, passed * before, mask=inside)
    return passed
