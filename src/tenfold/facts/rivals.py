"""The models that a forecast is compared with, in one harness: (batch, look_back, series) -> (batch, horizon, series).

Last value and seasonal naive have nothing to learn, least squares are solved at once. DLinear and RLinear are linear maps of
the past; PatchTST and iTransformer attend over patches of time and over series; the small S-Mamba goes through the series
with our scan, both ways.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.facts.recurrence import scan
from tenfold.facts.windows import Windows, least_squares

__all__ = [
    "RIVALS",
    "DLinear",
    "ITransformer",
    "LastValue",
    "LeastSquares",
    "PatchTST",
    "RLinear",
    "SMamba",
    "SeasonalNaive",
    "rival",
]

_EPS = 1e-5


class LastValue(nn.Module):
    """The last value again and again."""

    def __init__(self, look_back: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        return x[:, -1:].expand(-1, self.horizon, -1)


class SeasonalNaive(nn.Module):
    """The last period again and again."""

    def __init__(self, look_back: int, horizon: int, period: int = 24) -> None:
        super().__init__()
        self.horizon, self.period = horizon, min(period, look_back)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        return x[:, -self.period :].repeat(1, math.ceil(self.horizon / self.period), 1)[:, : self.horizon]


class LeastSquares(nn.Module):
    """One linear map of time and an intercept, shared by all series, at its ridge solution; all that DLinear can express."""

    def __init__(self, look_back: int, horizon: int) -> None:
        super().__init__()
        self.map = nn.Linear(look_back, horizon).requires_grad_(False)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        return self.map(x.transpose(1, 2)).transpose(1, 2)

    def solve(self, windows: Windows, ridge: float = 1e-3) -> None:
        """Fit to all windows; `ridge` is added to the diagonal, as a share of its mean."""
        found = least_squares(((F.pad(past.mT, (0, 1), value=1.0), future.mT) for past, future in windows.batches()), ridge)
        self.map.weight.copy_(found[:, :-1])
        self.map.bias.copy_(found[:, -1])


class DLinear(nn.Module):
    """Two linear maps of time, shared by all series: of the moving average and of the rest (Zeng et al. 2023)."""

    def __init__(self, look_back: int, horizon: int, kernel: int = 25) -> None:
        super().__init__()
        self.kernel = kernel
        self.trend, self.rest = nn.Linear(look_back, horizon), nn.Linear(look_back, horizon)
        for part in (self.trend, self.rest):
            nn.init.constant_(part.weight, 1 / look_back)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        rows = x.transpose(1, 2)
        side = (self.kernel - 1) // 2
        trend = F.avg_pool1d(F.pad(rows, (side, self.kernel - 1 - side), mode="replicate"), self.kernel, 1)
        return (self.trend(trend) + self.rest(rows - trend)).transpose(1, 2)


class RLinear(nn.Module):
    """One linear map of the normalised window (Li et al. 2023)."""

    def __init__(self, look_back: int, horizon: int) -> None:
        super().__init__()
        self.map = nn.Linear(look_back, horizon)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        x, mean, spread = _normal(x)
        return self.map(x.transpose(1, 2)).transpose(1, 2) * spread + mean


class ITransformer(nn.Module):
    """Attention over the series, each one token (Liu et al. 2024)."""

    def __init__(
        self, look_back: int, horizon: int, width: int = 128, layers: int = 2, heads: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(look_back, width)
        self.encoder = _encoder(width, heads, layers, dropout)
        self.head = nn.Linear(width, horizon)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        x, mean, spread = _normal(x)
        return self.head(self.encoder(self.embed(x.transpose(1, 2)))).transpose(1, 2) * spread + mean


class PatchTST(nn.Module):
    """Attention over patches of time, each series for itself (Nie et al. 2023)."""

    def __init__(
        self,
        look_back: int,
        horizon: int,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        patch: int = 16,
        stride: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.patch, self.stride = min(patch, look_back), stride
        patches = (look_back - self.patch) // stride + 2
        self.embed, self.places = nn.Linear(self.patch, width), nn.Parameter(0.02 * torch.randn(patches, width))
        self.encoder = _encoder(width, heads, layers, dropout)
        self.head = nn.Linear(patches * width, horizon)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        x, mean, spread = _normal(x)
        rows = F.pad(x.transpose(1, 2), (0, self.stride), mode="replicate")
        patches = self.embed(rows.unfold(-1, self.patch, self.stride)) + self.places
        seen = self.encoder(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        return self.head(seen.flatten(2)).transpose(1, 2) * spread + mean


class SMamba(nn.Module):
    """A selective scan over the series in both directions, each series one token (Wang et al. 2024), small."""

    def __init__(self, look_back: int, horizon: int, width: int = 64, layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Linear(look_back, width)
        self.layers = nn.ModuleList(_BothWays(width, dropout) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, horizon)

    def forward(self, x: Float[Tensor, "batch look_back series"]) -> Float[Tensor, "batch horizon series"]:
        x, mean, spread = _normal(x)
        tokens = self.embed(x.transpose(1, 2))
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(self.norm(tokens)).transpose(1, 2) * spread + mean


class _BothWays(nn.Module):
    """A selective scan forward and backward over the tokens, then a position-wise network."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.maps = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(2))
        self.out = nn.Linear(2 * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(dropout))

    def forward(self, tokens: Tensor) -> Tensor:
        normal = self.norm(tokens)
        forward, backward = (
            self.scanned(part(normal.flip(1) if turned else normal))
            for part, turned in zip(self.maps, (False, True), strict=True)
        )
        tokens = tokens + self.out(torch.cat((forward, backward.flip(1)), -1))
        return tokens + self.mlp(self.norm_mlp(tokens))

    @staticmethod
    def scanned(mapped: Tensor) -> Tensor:
        drive, dt, push, gate = mapped.chunk(4, -1)
        dt = F.softplus(dt).unsqueeze(2)
        states = scan(-dt, dt * (push * drive).unsqueeze(2), torch.zeros_like(dt[:, 0])).squeeze(2)
        return states * F.silu(gate)


RIVALS: dict[str, Callable[..., nn.Module]] = {
    "last value": LastValue, "seasonal naive": SeasonalNaive, "least squares": LeastSquares, "DLinear": DLinear,
    "RLinear": RLinear, "PatchTST": PatchTST, "iTransformer": ITransformer, "S-Mamba": SMamba,
}  # fmt: skip


def rival(name: str, look_back: int, horizon: int, *, period: int = 24) -> nn.Module:
    """A model by its name.

    Args:
        name: one of `RIVALS`.
        look_back: steps that it sees.
        horizon: steps that it forecasts.
        period: of the seasonal naive forecast, in steps.

    Raises:
        BadInput: the name is unknown.
    """
    if name not in RIVALS:
        raise BadInput(f"model {name!r} is unknown.", f"Use one of: {', '.join(RIVALS)}.")
    return RIVALS[name](look_back, horizon, **({"period": period} if name == "seasonal naive" else {}))


def _normal(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A window with mean 0 and spread 1, and what these were."""
    mean = x.mean(1, keepdim=True).detach()
    spread = (x.var(1, keepdim=True, unbiased=False) + _EPS).sqrt().detach()
    return (x - mean) / spread, mean, spread


def _encoder(width: int, heads: int, layers: int, dropout: float) -> nn.Module:
    layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout, "gelu", batch_first=True)
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
