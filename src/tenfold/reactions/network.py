"""The Molecular Transformer: an encoder-decoder over SMILES tokens (Schwaller et al. 2019; spec section 1.3).

Embeddings of source and target are one table, not scaled; positions are fixed sinusoids; padding is never attended to.
This file is the network as it is trained, over whole sequences; `cached.py` runs its decoder token by token.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.reactions.tokens import PAD

__all__ = ["PRESETS", "Attention", "DecoderLayer", "EncoderLayer", "Transformer", "TransformerConfig", "sinusoids"]


class TransformerConfig(BaseModel):
    """Shape of a network.

    Attributes:
        vocabulary_size: tokens, the special ones included.
        d_model: width; a multiple of `heads`, even.
        heads: of attention.
        encoder_layers: number.
        decoder_layers: number.
        feedforward: width of the inner layer.
        norm: "post" normalises after each residual sum, as the paper does; "pre" before each block, easier to train.
        dropout: share of activations left out in training, in [0, 1).
        positions: longest sequence, begin and end included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary_size: int = Field(ge=4)
    d_model: int = Field(default=256, ge=2)
    heads: int = Field(default=8, ge=1)
    encoder_layers: int = Field(default=4, ge=1)
    decoder_layers: int = Field(default=4, ge=1)
    feedforward: int = Field(default=2048, ge=1)
    norm: Literal["post", "pre"] = "post"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    positions: int = Field(default=512, ge=2)

    def __init__(self, *shape: Any, **named: Any) -> None:
        """Take the attributes in their order, or by name.

        Raises:
            BadInput: one is unknown, missing, given twice or out of range.
        """
        given = dict(zip(type(self).model_fields, shape, strict=False))
        if len(given) < len(shape) or given.keys() & named.keys():
            raise BadInput("TransformerConfig got an argument too many, or one twice.")
        try:
            super().__init__(**given, **named)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "The shape"
            raise BadInput(f"{name} is wrong: {first['msg']}.") from error

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "TransformerConfig":
        if self.d_model % self.heads or self.d_model % 2:
            raise ValueError(f"d_model {self.d_model} must be even and a multiple of heads {self.heads}")
        return self


# "product" and "retro" are the paper's shapes; "small" and "tiny" learn something on a processor.
PRESETS: dict[str, dict[str, int | float | str]] = {
    "product": {},
    "retro": {"encoder_layers": 6, "decoder_layers": 6, "dropout": 0.3},
    "medium": {"feedforward": 1024, "norm": "pre"},
    "small": {
        "d_model": 192, "heads": 6, "encoder_layers": 3, "decoder_layers": 3, "feedforward": 768, "norm": "pre",
        "dropout": 0.0,
    },
    "tiny": {
        "d_model": 64, "heads": 4, "encoder_layers": 2, "decoder_layers": 2, "feedforward": 256, "norm": "pre",
        "dropout": 0.0,
    },
}  # fmt: skip


class Transformer(nn.Module):
    """The network. PAD is 0, BOS 1, EOS 2."""

    positions: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.d_model)
        self.register_buffer("positions", self.table(config), persistent=False)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.encoder_norm = nn.LayerNorm(config.d_model)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.decoder_norm = nn.LayerNorm(config.d_model)
        self.classifier = nn.Linear(config.d_model, config.vocabulary_size)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        # Of the size of the sinusoids, not of Xavier's small bound, for the table has as many rows as tokens.
        nn.init.normal_(self.embedding.weight, std=0.5)

    @staticmethod
    def table(config: TransformerConfig) -> Float[Tensor, "positions d"]:
        """The positions that are added to embeddings."""
        return sinusoids(config.positions, config.d_model)

    def forward(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocabulary"]:
        """Teacher-forced logits: of the token after each position of the target.

        Args:
            source_ids: BOS ... EOS, padded on the right.
            target_ids: BOS ..., padded on the right.

        Raises:
            BadInput: a sequence is longer than the network's positions.
        """
        return self.classifier(self.decode(target_ids, self.encode(source_ids), source_ids != PAD))

    def encode(self, source_ids: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source d"]:
        """The encoder's memory; rows of padding hold numbers without meaning."""
        mask = (source_ids != PAD)[:, None, None, :]
        x = self.embed(source_ids)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x)

    def decode(
        self,
        target_ids: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch source d"],
        is_source: Tensor,
    ) -> Float[Tensor, "batch target d"]:
        """The decoder's last hidden states, before the classifier; `is_source` (batch, source) is False at padding."""
        y, mask = self.embed(target_ids), is_source[:, None, None, :]
        for layer in self.decoder:
            y = layer(y, memory, mask)
        return self.decoder_norm(y)

    def embed(self, ids: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length d"]:
        """Embedding plus position."""
        length = ids.shape[1]
        if length > self.config.positions:
            raise BadInput(f"The sequence has {length} tokens, the model's limit is {self.config.positions}.")
        return self.embedding(ids) + self.positions[:length].to(self.embedding.weight.dtype)

    def load_reference_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the published code's model, by its names.

        Raises:
            BadInput: a tensor is missing, left over, or of another shape than this configuration's.
        """
        ours = {_renamed(name): value for name, value in weights.items() if not _is_shared(name)}
        wanted = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        for name in sorted(wanted.keys() ^ ours.keys()):
            raise BadInput(f"The state dict {'lacks' if name in wanted else 'has an unknown'} {name}.")
        for name, shape in wanted.items():
            if tuple(ours[name].shape) != shape:
                raise BadInput(f"{name} has shape {tuple(ours[name].shape)}, this configuration needs {shape}.")
        self.load_state_dict(ours)


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each with a residual sum."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.is_pre = config.norm == "pre"
        self.attention = Attention(config)
        self.linear1 = nn.Linear(config.d_model, config.feedforward)
        self.linear2 = nn.Linear(config.feedforward, config.d_model)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "batch length d"], mask: Tensor) -> Float[Tensor, "batch length d"]:
        """`mask` (batch, 1, 1, length) is True where attention may look."""
        if self.is_pre:
            h = self.norm1(x)
            x = x + self.dropout(self.attention(h, h, mask=mask))
            return x + self.dropout(self.inner(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, x, mask=mask)))
        return self.norm2(x + self.dropout(self.inner(x)))

    def inner(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the memory and a feed-forward block, each with a residual sum."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.is_pre = config.norm == "pre"
        self.attention = Attention(config)
        self.cross = Attention(config)
        self.linear1 = nn.Linear(config.d_model, config.feedforward)
        self.linear2 = nn.Linear(config.feedforward, config.d_model)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.norm3 = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, y: Float[Tensor, "batch target d"], memory: Tensor, mask: Tensor) -> Float[Tensor, "batch target d"]:
        """`mask` (batch, 1, 1, source) is True where attention to the memory may look."""
        if self.is_pre:
            h = self.norm1(y)
            y = y + self.dropout(self.attention(h, h, causal=True))
            y = y + self.dropout(self.cross(self.norm2(y), memory, mask=mask))
            return y + self.dropout(self.inner(self.norm3(y)))
        y = self.norm1(y + self.dropout(self.attention(y, y, causal=True)))
        y = self.norm2(y + self.dropout(self.cross(y, memory, mask=mask)))
        return self.norm3(y + self.dropout(self.inner(y)))

    def inner(self, y: Tensor) -> Tensor:
        return self.linear2(self.dropout(F.relu(self.linear1(y))))


class Attention(nn.Module):
    """Multi-head attention with one fused projection (query, key, value along the rows, as in the reference)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.projection = nn.Linear(config.d_model, 3 * config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)
        nn.init.zeros_(self.projection.bias)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        x: Float[Tensor, "batch length d"],
        memory: Float[Tensor, "batch source d"],
        *,
        mask: Tensor | None = None,
        causal: bool = False,
    ) -> Float[Tensor, "batch length d"]:
        """Attend from `x` to `memory`; the same tensor for self-attention."""
        d = x.shape[-1]
        if x is memory:
            query, key, value = self.projection(x).split(d, dim=-1)
        else:
            weight, bias = self.projection.weight, self.projection.bias
            query = F.linear(x, weight[:d], bias[:d])
            key, value = F.linear(memory, weight[d:], bias[d:]).split(d, dim=-1)
        dropout = self.dropout if self.training else 0.0
        parts = (self.split(query), self.split(key), self.split(value))
        found = F.scaled_dot_product_attention(*parts, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.output(found.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Float[Tensor, "batch heads length head"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Positions of Vaswani et al. 2017: sine in the even columns, cosine in the odd ones."""
    # Numbers even where a network is made on the device "meta".
    exact = {"dtype": torch.float64, "device": "cpu"}
    frequency = torch.exp(torch.arange(0, width, 2, **exact) * (-math.log(10_000.0) / width))
    angle = torch.arange(length, **exact)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


# Our names of the published code's parts.
_PARTS = {
    "transformer.encoder.layers": "encoder",
    "transformer.decoder.layers": "decoder",
    "transformer.encoder.norm": "encoder_norm",
    "transformer.decoder.norm": "decoder_norm",
    "next_token_classifier": "classifier",
    "src_token_featurizer.embedding": "embedding",
    "self_attn.in_proj_": "attention.projection.",
    "self_attn.out_proj": "attention.output",
    "multihead_attn.in_proj_": "cross.projection.",
    "multihead_attn.out_proj": "cross.output",
}


def _renamed(name: str) -> str:
    for theirs, ours in _PARTS.items():
        name = name.replace(theirs, ours)
    return name


def _is_shared(name: str) -> bool:
    """The target's embedding is the source's; positions are computed."""
    return name.startswith("tgt_token_featurizer") or name.endswith((".pe", "positional_encoding.pos_enc"))
