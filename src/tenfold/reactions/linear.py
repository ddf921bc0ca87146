"""Linear layers and normalisation laid out for the few rows of a decoder's call.

With one to some twenty rows a general matrix product is far from a processor's speed. torch has a product of half-precision
weights with float32 rows, summed in float32 (FBGEMM), which reads half the bytes and takes about half the time there. It is
used where half precision holds the weights exactly, as it does those of shipped models: the same numbers, but for the order
of sums. Elsewhere, and where torch has no such product, it is a plain one.
"""

import warnings
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Linear", "Norm"]

# From so many rows on the plain product is as fast.
_FEW = 48


class Linear(NamedTuple):
    """A linear layer; its weight as `addmm` takes it, and packed in half precision if that loses nothing."""

    weight: Float[Tensor, "into out"]
    bias: Float[Tensor, " out"]
    packed: Any

    @classmethod
    def of(cls, weight: Float[Tensor, "out into"], bias: Float[Tensor, " out"]) -> "Linear":
        """A copy of a layer's parameters, laid out."""
        weight, bias = weight.detach(), bias.detach().clone()
        return cls(weight.t().contiguous(), bias, _packed(weight, bias))

    def __call__(self, x: Float[Tensor, "row into"]) -> Float[Tensor, "row out"]:
        if self.packed is not None and x.shape[0] <= _FEW:
            return torch.fbgemm_linear_fp16_weight_fp32_activation(x, self.packed, self.bias)
        return torch.addmm(self.bias, x, self.weight)


class Norm(NamedTuple):
    """A layer normalisation."""

    weight: Float[Tensor, " d"]
    bias: Float[Tensor, " d"]
    epsilon: float

    @classmethod
    def of(cls, norm: nn.LayerNorm) -> "Norm":
        """A copy of a layer's parameters."""
        return cls(norm.weight.detach().clone(), norm.bias.detach().clone(), norm.eps)

    def __call__(self, x: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
        return torch.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


def _packed(weight: Tensor, bias: Tensor) -> Any:
    """Weights for the product in half precision; None where they would change, or where there is no such product."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not torch.equal(weight.half().float(), weight):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a later torch may drop it: then there will be none
            packed = torch.fbgemm_pack_gemm_matrix_fp16(weight.contiguous())
            torch.fbgemm_linear_fp16_weight_fp32_activation(weight.new_zeros(1, weight.shape[1]), packed, bias)
    except (AttributeError, RuntimeError):  # another torch; a processor without the instructions
        return None
    return packed
