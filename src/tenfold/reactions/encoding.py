"""The encoder laid out for one query at a time: without padding there is nothing to mask, and no module to go through."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.reactions.linear import Linear, Norm
from tenfold.reactions.network import EncoderLayer, Transformer

__all__ = ["QueryEncoder"]


class QueryEncoder:
    """A network's encoder; the weights are copied: build it again after the network has changed."""

    @torch.inference_mode()
    def __init__(self, network: Transformer) -> None:
        self.config = network.config
        self.embedding = network.embedding.weight.detach()
        self.positions = network.positions.to(self.embedding.dtype)
        self.layers = [_Layer.of(layer) for layer in network.encoder if isinstance(layer, EncoderLayer)]
        self.final = Norm.of(network.encoder_norm)

    @torch.inference_mode()
    def __call__(self, source: Sequence[int]) -> Float[Tensor, "source d"]:
        """The memory of a query, begin and end included.

        Raises:
            BadInput: it has more tokens than the network has positions.
        """
        if len(source) > self.config.positions:
            raise BadInput(f"The query has {len(source)} tokens, the model's limit is {self.config.positions}.")
        ids = torch.tensor(source, device=self.embedding.device)
        x = torch.embedding(self.embedding, ids).add_(self.positions[: len(source)])
        step = _pre_norm if self.config.norm == "pre" else _post_norm
        for layer in self.layers:
            x = step(layer, x, self.config.heads)
        return self.final(x)


class _Layer(NamedTuple):
    projection: Linear
    output: Linear
    linear1: Linear
    linear2: Linear
    norm1: Norm
    norm2: Norm

    @classmethod
    def of(cls, layer: EncoderLayer) -> "_Layer":
        projection, output, linear1, linear2 = (
            Linear.of(part.weight, part.bias)
            for part in (layer.attention.projection, layer.attention.output, layer.linear1, layer.linear2)
        )
        return cls(projection, output, linear1, linear2, Norm.of(layer.norm1), Norm.of(layer.norm2))


def _pre_norm(layer: _Layer, x: Tensor, heads: int) -> Tensor:
    x = layer.output(_attend(layer.projection(layer.norm1(x)), heads)).add_(x)
    return layer.linear2(layer.linear1(layer.norm2(x)).relu_()).add_(x)


def _post_norm(layer: _Layer, x: Tensor, heads: int) -> Tensor:
    x = layer.norm1(layer.output(_attend(layer.projection(x), heads)).add_(x))
    return layer.norm2(layer.linear2(layer.linear1(x).relu_()).add_(x))


def _attend(projected: Float[Tensor, "source three_d"], heads: int) -> Float[Tensor, "source d"]:
    query, key, value = projected.view(1, len(projected), 3, heads, -1).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).flatten(1)
