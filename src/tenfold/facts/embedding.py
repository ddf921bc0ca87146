"""Each variate at each time as features of its own recent past (spec section 1.4, SetEmbedder)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["EmbeddingKind", "SetEmbedding"]

EmbeddingKind = Literal["shared", "mixing"]
_SCALES = (2, 4, 8, 16, 32)
_TAPS = 24


class SetEmbedding(nn.Module):
    """Values -> features, by causal filters that begin with zeros.

    "shared" (published as conv2d): one bank of filters for all variates, so that variates may come and go. "mixing"
    (ms_conv2d): filters of five lengths over all variates together, 62 M^2 weights, which fixes their number and order.
    """

    def __init__(self, width: int, kind: EmbeddingKind = "shared", variates: int = 0, dropout: float = 0.0) -> None:
        """Set up.

        Args:
            width: features, D.
            kind: of filters.
            variates: M, for "mixing".
            dropout: share of features left out in training.
        """
        super().__init__()
        self.kind = kind
        if kind == "shared":
            self.filters = nn.ParameterList([nn.Conv1d(1, width, _TAPS, bias=False).weight])
        else:
            self.filters = nn.ParameterList([nn.Conv1d(variates, variates, taps, bias=False).weight for taps in _SCALES])
        self.project = nn.Linear(width if kind == "shared" else len(_SCALES), width, bias=False)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch time variates"]) -> Float[Tensor, "batch time variates width"]:
        """Embed."""
        rows = x.transpose(1, 2)
        if self.kind == "shared":
            seen = F.pad(rows, (_TAPS - 1, 0)).unfold(-1, _TAPS, 1)  # (batch, variates, time, taps)
            features = (seen @ self.filters[0][:, 0].T).transpose(1, 2)
        else:
            each = [F.conv1d(F.pad(rows, (weight.shape[-1] - 1, 0)), weight) for weight in self.filters]
            features = torch.stack(each, -1).transpose(1, 2)
        return self.dropout(self.norm(self.project(features)))
