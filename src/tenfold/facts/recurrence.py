"""The recurrence of a selective state-space model: z_t = exp(l_t) z_{t-1} + b_t, element by element (Nanbo et al. 2024,
section 3; spec section 1.2).

The published code divides by exp(sum of later l) + eps instead, which wipes out what is older than some 16 steps and lets
late inputs change early outputs. Ours goes through time in place with a backward pass of its own: exact, causal, and faster
on a processor than any parallel form, for it touches each number once (4 streams forward, 5 backward). `method="reference"`
is the published formula, for parity with published numbers only.
"""

import logging
from functools import lru_cache
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from tenfold.core.errors import BadInput

__all__ = ["ScanMethod", "scan"]

ScanMethod = Literal["exact", "reference"]

# Numbers of a block of steps whose decays are computed together: few calls, and they stay in a core's cache.
_BLOCK = 1 << 17
_EPS = 1e-5  # of the published formula


def scan(
    log_decay: Float[Tensor, "batch time slots dim"],
    drive: Float[Tensor, "batch time slots dim"],
    initial: Float[Tensor, "batch slots dim"],
    method: ScanMethod = "exact",
) -> Float[Tensor, "batch time slots dim"]:
    """All states z_1 ... z_T.

    Args:
        log_decay: l_t, at most 0 for a memory that fades.
        drive: b_t.
        initial: z_0.
        method: "exact", or "reference": the published formula with its defect.

    Raises:
        BadInput: shapes or types do not fit together, or the method is unknown.
    """
    if method not in get_args(ScanMethod):
        raise BadInput(f"method {method!r} is unknown.", f"Use one of: {', '.join(get_args(ScanMethod))}.")
    if log_decay.dim() != 4 or drive.shape != log_decay.shape:
        raise BadInput(f"log_decay {_shape(log_decay)} and drive {_shape(drive)} must be (batch, time, slots, dim).")
    if initial.shape != log_decay[:, 0].shape:
        raise BadInput(f"initial {_shape(initial)} must be (batch, slots, dim) of log_decay {_shape(log_decay)}.")
    if not log_decay.dtype == drive.dtype == initial.dtype or not drive.dtype.is_floating_point:
        raise BadInput(f"Types {log_decay.dtype}, {drive.dtype}, {initial.dtype} must be one and the same floating type.")
    if method == "reference":
        return _reference(log_decay, drive, initial)
    is_learning = torch.is_grad_enabled() and (log_decay.requires_grad or drive.requires_grad or initial.requires_grad)
    kept = drive.dtype
    if kept in (torch.bfloat16, torch.float16):  # the state is float32: half precision forgets small drives
        log_decay, drive, initial = log_decay.float(), drive.float(), initial.float()
    return torch.ops.tenfold.facts_scan(log_decay, drive, initial, is_learning)[0].to(kept)


@lru_cache(maxsize=1)
def _kernels() -> Any:
    """The Triton kernels; None, which is said once, where there is no Triton: then the loop through time runs on the GPU."""
    try:
        from tenfold.facts import recurrence_gpu
    except ImportError:
        logging.getLogger(__name__).warning("Triton is not installed: scans on the GPU are the same, and slow.")
        return None
    return recurrence_gpu


def _forward(log_decay: Tensor, drive: Tensor, initial: Tensor, is_learning: bool) -> tuple[Tensor, Tensor]:
    """States, and the decays for the backward pass (nothing if not learning)."""
    if drive.is_cuda and (kernels := _kernels()) is not None:
        return kernels.forward(log_decay, drive, initial, is_learning)
    states = torch.empty_like(drive, memory_format=torch.contiguous_format)
    kept = torch.empty_like(states) if is_learning else states.new_empty(0)
    before = initial
    for steps in _blocks(drive):
        decays = torch.exp(log_decay[:, steps], out=kept[:, steps]) if is_learning else log_decay[:, steps].exp()
        each = zip(decays.unbind(1), drive[:, steps].unbind(1), states[:, steps].unbind(1), strict=True)
        for decay, push, state in each:
            torch.addcmul(push, decay, before, out=state)
            before = state
    return states, kept


def _forward_shapes(log_decay: Tensor, drive: Tensor, initial: Tensor, is_learning: bool) -> tuple[Tensor, Tensor]:
    states = torch.empty_like(drive, memory_format=torch.contiguous_format)
    return states, torch.empty_like(states) if is_learning else states.new_empty(0)


def _backward(gradient: Tensor, decays: Tensor, states: Tensor, initial: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of log_decay, drive and initial: g_t = dL/dz_t + a_{t+1} g_{t+1}; db_t = g_t; dl_t = a_t z_{t-1} g_t."""
    if gradient.is_cuda and (kernels := _kernels()) is not None:
        return kernels.backward(gradient, decays, states, initial)
    of_drive, of_decay = torch.empty_like(states), torch.empty_like(states)
    later_decay, later = torch.zeros_like(initial), torch.zeros_like(initial)
    for steps in reversed(_blocks(states)):
        own, decay, out = (tensor[:, steps].unbind(1) for tensor in (gradient, decays, of_drive))
        for step in reversed(range(len(out))):
            torch.addcmul(own[step], later_decay, later, out=out[step])
            later_decay, later = decay[step], out[step]
        block = of_decay[:, steps]
        torch.mul(decays[:, steps], of_drive[:, steps], out=block)
        block[:, 0].mul_(states[:, steps.start - 1] if steps.start else initial)
        block[:, 1:].mul_(states[:, steps.start : steps.stop - 1])
    return of_decay, of_drive, later_decay * later


def _backward_shapes(gradient: Tensor, decays: Tensor, states: Tensor, initial: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(states), torch.empty_like(states), torch.empty_like(initial)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, bool], output: tuple[Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], output[0], inputs[2])


def _gradients(ctx: Any, gradient: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    if gradient is None:
        return None, None, None, None
    return *torch.ops.tenfold.facts_scan_backward(gradient, *ctx.saved_tensors), None


# Operators of their own, so that torch.compile calls them as they are and does not unroll their loops. The short way to
# register them, torch.library.custom_op, would load the compiler, two seconds, at the first call.
_LIBRARY = torch.library.Library("tenfold", "FRAGMENT")
for _name, _run, _shapes, _schema in (
    ("facts_scan", _forward, _forward_shapes, "(Tensor l, Tensor b, Tensor z, bool learning) -> (Tensor, Tensor)"),
    (
        "facts_scan_backward",
        _backward,
        _backward_shapes,
        "(Tensor g, Tensor a, Tensor s, Tensor z) -> (Tensor, Tensor, Tensor)",
    ),
):
    _LIBRARY.define(_name + _schema)
    _LIBRARY.impl(_name, _run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tenfold::{_name}", _shapes, lib=_LIBRARY)
torch.library.register_autograd("tenfold::facts_scan", _gradients, setup_context=_remember, lib=_LIBRARY)


def _blocks(of: Tensor) -> list[slice]:
    """Consecutive steps of about `_BLOCK` numbers."""
    steps = of.shape[1]
    size = max(1, _BLOCK * steps // max(1, of.numel()))
    return [slice(start, min(steps, start + size)) for start in range(0, steps, size)]


def _reference(log_decay: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """z_t = sum_{i<=t} b_i P_i / (P_t + eps), P_i = exp(sum of l_j over j > i), b_0 = z_0 (spec section 1.3)."""
    later = log_decay.flip(1).cumsum(1).flip(1)
    weights = torch.cat((later, torch.zeros_like(later[:, :1])), 1).exp()  # P_0 ... P_T
    pushed = torch.cat((initial.unsqueeze(1), drive), 1) * weights
    return (pushed.cumsum(1) / (weights + _EPS))[:, 1:]


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
