"""What a `Forecaster` computes: a linear forecast of each series, and what FACTS slots add to it.

The linear part begins at its least-squares solution, so that training starts from a good forecast. The branch is the paper's
forecaster (spec section 1.4, stacking "mkk") over a set of rows: series, covariates and marks of the calendar, each with a
learned key of its name. Its first layer is an invariant one, so rows may come in any order, be hidden, or be new.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.facts.decoding import FactorGraphDecoder
from tenfold.facts.layer import FACTS
from tenfold.facts.network import EncoderLayer, NetworkConfig
from tenfold.facts.windows import Windows, least_squares

__all__ = ["Keys", "LinearPart", "ResidualConfig", "ResidualNetwork", "SlotBranch"]

_EPS = 1e-5
_DT_BIAS = -1.0  # slots that remember some ten frames at first
_DECODER_WIDTH = 128
_OWN_MAPS = 1000  # more series share one map, for memory's sake


class ResidualConfig(BaseModel):
    """Shape of the network.

    Attributes:
        look_back: steps of a window, L.
        horizon: steps to forecast, H.
        targets: series that are forecast, M.
        rows: the targets, then covariates and marks, R.
        slots: K.
        slot_size: D.
        heads: of the routers, each of size D / heads.
        layers: of the encoder; the first gathers rows into slots, the others work on slots.
        stride: the router reads every so-manieth frame, counted from the last.
        taps: frames that a row's features are made of.
        dropout: in training.
        hidden: share of rows that are hidden from the slots in training, so that they can be missing later.
        quantiles: that the branch forecasts beside the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_back: int = Field(ge=1)
    horizon: int = Field(ge=1)
    targets: int = Field(ge=1)
    rows: int = Field(ge=1)
    slots: int = Field(default=8, ge=1)
    slot_size: int = Field(default=16, ge=1)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=1, ge=1)
    stride: int = Field(default=4, ge=1)
    taps: int = Field(default=24, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    hidden: float = Field(default=0.1, ge=0, lt=1)
    quantiles: tuple[float, ...] = ()


class Keys(NamedTuple):
    """Which rows of the training the rows at hand are.

    Attributes:
        rows: (R,) place of each among the trained rows, -1 = none of them.
        targets: (M,) place of each of the first M rows among the trained targets, -1 = none of them.
    """

    rows: Int[Tensor, " rows"]
    targets: Int[Tensor, " targets"]


class Normal(NamedTuple):
    """Windows with mean 0 and spread 1, missing values 0, and what these were, (batch, 1, rows)."""

    x: Float[Tensor, "batch look_back rows"]
    mean: Float[Tensor, "batch 1 rows"]
    spread: Float[Tensor, "batch 1 rows"]
    seen: Bool[Tensor, "batch look_back rows"] | None

    @classmethod
    def of(cls, past: Tensor) -> "Normal":
        """Each window and row for itself; NaN is a missing value."""
        seen = past.isfinite()
        if bool(seen.all()):
            spread, mean = torch.var_mean(past, 1, keepdim=True, correction=0)
            spread = (spread + _EPS).sqrt()
            return cls((past - mean) / spread, mean, spread, None)
        count = seen.sum(1, keepdim=True).clamp_min(1)
        past = past.where(seen, 0)
        mean = past.sum(1, keepdim=True) / count
        centred = (past - mean).where(seen, 0)
        spread = (centred.square().sum(1, keepdim=True) / count + _EPS).sqrt()
        return cls(centred / spread, mean, spread, seen)

    def first(self, rows: int) -> "Normal":
        """Of the first so many rows."""
        seen = None if self.seen is None else self.seen[..., :rows]
        return Normal(self.x[..., :rows], self.mean[..., :rows], self.spread[..., :rows], seen)


class LinearPart(nn.Module):
    """A linear map of the normalised window and of its level, for each series its own if it gains by it, else a shared one.

    A plain normalised map cannot return to a series' mean, for it does not know where the window stands.
    """

    places: Tensor

    def __init__(self, look_back: int, horizon: int, targets: int) -> None:
        """Set up.

        Args:
            look_back: steps that it sees.
            horizon: steps that it forecasts.
            targets: series that are trained.
        """
        super().__init__()
        maps = 1 + (targets if targets <= _OWN_MAPS else 0)
        self.shape = nn.Parameter(torch.zeros(maps, horizon, look_back))
        self.level = nn.Parameter(torch.zeros(maps, horizon))
        self.register_buffer("places", torch.zeros(targets, dtype=torch.long))  # each series' map; 0 is the shared one

    def forward(
        self, normal: Normal, targets: Int[Tensor, " series"] | None = None
    ) -> Float[Tensor, "batch horizon series"]:
        """Forecast, in the units of the windows.

        Args:
            normal: of the series alone.
            targets: which trained series each is, -1 = none of them; None: all, in order.
        """
        places = self.places if targets is None else self.places[targets.clamp_min(0)] * (targets >= 0)
        return self.mapped(normal, places)

    def mapped(self, normal: Normal, places: Int[Tensor, " series"]) -> Float[Tensor, "batch horizon series"]:
        """What some maps forecast."""
        centred = (_carried(normal) * normal.spread).permute(2, 1, 0)  # (series, look_back, batch)
        return (self.shape[places] @ centred).permute(2, 1, 0) + (1 + self.level[places].T) * normal.mean

    def solve(self, windows: Windows, ridge: float = 1e-3) -> None:
        """Least squares over all windows; futures with missing values do not count.

        Args:
            windows: to fit.
            ridge: added to the diagonal, as a share of its mean.
        """
        pairs = (_inputs_and_outputs(*pair, len(self.places)) for pair in windows.batches())
        found = least_squares(pairs, ridge, own=len(self.shape) > 1)
        with torch.no_grad():
            self.shape.copy_(found[..., :-1])
            self.level.copy_(found[..., -1])

    def choose(self, judged: Windows) -> None:
        """Give each series its own map if that has the smaller error on these windows."""
        count = len(self.places)
        if len(self.shape) == 1:
            return
        shared, own = torch.zeros(count, dtype=torch.long), torch.arange(1, count + 1)
        errors = torch.zeros(2, count, dtype=torch.float64)
        for past, future in judged.batches():
            normal = Normal.of(past[..., :count].contiguous())
            for row, places in enumerate((shared, own)):
                missed = (self.mapped(normal, places) - future[..., :count]).nan_to_num()
                errors[row] += missed.detach().double().square().sum((0, 1))
        self.places.copy_(torch.where(errors[1] < errors[0], own, shared))


class SlotBranch(nn.Module):
    """Rows -> slots -> what they add to the forecast of each trained target, in the units of the windows."""

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        self.config = config
        size, outputs = config.slot_size, 1 + len(config.quantiles)
        self.filters = nn.Linear(config.taps, size, bias=False)
        self.keys = nn.Parameter(0.5 * torch.randn(config.rows, size))
        self.place = nn.Linear(2, size, bias=False)  # of the window: its level and the logarithm of its spread
        self.norm_rows, self.norm_slots = nn.LayerNorm(size), nn.LayerNorm(size)
        self.facts = FACTS(
            size, None, config.slots, size, heads=config.heads, slim=True, invariant=True, output_parameters=True,
            dt_bias=_DT_BIAS,
        )  # fmt: skip
        self.norm_facts = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))
        further = NetworkConfig(
            look_back=config.look_back, horizon=config.horizon, variates=config.slots, slots=config.slots, slot_size=size,
            heads=config.heads, slim=True, d_conv=1, dropout=config.dropout,
        )  # fmt: skip
        self.further = nn.ModuleList(
            EncoderLayer(further, rows=config.slots, slots=config.slots, from_rows=True) for _ in range(config.layers - 1)
        )
        self.ahead = nn.Linear(-(-config.look_back // config.stride), config.horizon)
        width = max(_DECODER_WIDTH, 2 * config.targets * (outputs + 1))
        self.decoder = FactorGraphDecoder(size, config.targets, outputs, width, F.gelu)
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():  # it adds nothing at first
            self.decoder.outer.weight[: config.targets * outputs] = 0
            self.decoder.outer.bias[: config.targets * outputs] = 0

    def tokens(self, normal: Normal, rows: Int[Tensor, " rows"]) -> Float[Tensor, "batch time rows dim"]:
        """Each row at each frame that is read: filters of its recent past, its level and spread, and its name's key."""
        taps, stride = self.config.taps, self.config.stride
        recent = F.pad(normal.x.mT, (taps - 1, 0)).unfold(-1, taps, 1)
        features = self.filters(recent[:, :, self.first :: stride]).transpose(1, 2)
        place = self.place(torch.stack((normal.mean, normal.spread.log()), -1))
        keys = self.keys[rows.clamp_min(0)] * (rows >= 0).unsqueeze(-1)
        return self.dropout(self.norm_rows(features + place + keys))

    def mask(self, normal: Normal) -> Float[Tensor, "batch time 1 rows"] | None:
        """What hides missing values from the router, and in training some rows at random."""
        seen = None if normal.seen is None else normal.seen[:, self.first :: self.config.stride]
        if self.training and self.config.hidden:
            batch, _, rows = normal.x.shape
            kept = torch.rand(batch, 1, rows, device=normal.x.device) >= self.config.hidden
            seen = kept if seen is None else kept & seen
        return (
            None if seen is None else torch.zeros_like(seen, dtype=normal.x.dtype).masked_fill(~seen, -torch.inf)[:, :, None]
        )

    def forward(
        self, tokens: Float[Tensor, "batch time rows dim"], mask: Tensor | None = None
    ) -> Float[Tensor, "batch horizon targets outputs"]:
        """Decode what the slots gathered; the order of the rows does not matter."""
        return self.decoded(self.slots(tokens, mask))

    def slots(self, tokens: Tensor, mask: Tensor | None = None) -> Float[Tensor, "batch time slots dim"]:
        """Encode all frames at once."""
        return self.refined(self.facts(tokens, mask).y)

    def streamed(self, tokens: Tensor) -> Float[Tensor, "batch time slots dim"]:
        """The same, frame by frame, as data come in."""
        state, found = self.facts.initial_state(len(tokens)), []
        for frame in tokens.unbind(1):
            y, state = self.facts.step(frame, state)
            found.append(y)
        return self.refined(torch.stack(found, 1))

    def refined(self, gathered: Tensor) -> Tensor:
        slots = self.norm_facts(gathered)
        slots = slots + self.dropout(self.mlp(slots))
        for layer in self.further:
            slots = layer(slots)
        return slots

    def decoded(self, slots: Tensor) -> Tensor:
        ahead = self.ahead(slots.transpose(1, 3)).transpose(1, 3)
        return self.decoder(self.norm_slots(ahead))

    @property
    def first(self) -> int:
        """The first frame that is read."""
        return (self.config.look_back - 1) % self.config.stride


class ResidualNetwork(nn.Module):
    """linear(x) + gate * branch(x), in the units of the windows; NaN = missing.

    `gate` is what validation leaves of the branch, in [0, 1]; with 0 it is not computed.
    """

    gate: Tensor

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        self.config = config
        self.linear, self.branch = LinearPart(config.look_back, config.horizon, config.targets), SlotBranch(config)
        self.linear.requires_grad_(False)
        self.register_buffer("gate", torch.ones(()))

    def forward(
        self, past: Float[Tensor, "batch look_back rows"], keys: Keys | None = None
    ) -> Float[Tensor, "batch horizon targets"]:
        """The mean forecast of the targets, the first rows."""
        return self.parts(past, keys)[..., 0]

    def parts(
        self, past: Float[Tensor, "batch look_back rows"], keys: Keys | None = None
    ) -> Float[Tensor, "batch horizon targets outputs"]:
        """The mean forecast, then the quantiles (without them: the mean alone)."""
        keys = keys or self.all_keys(past.device)
        normal = Normal.of(past)
        targets = len(keys.targets)
        linear = self.linear(normal.first(targets), keys.targets).unsqueeze(-1)
        if not float(self.gate) and not self.config.quantiles:
            return linear
        added = self.branch(self.branch.tokens(normal, keys.rows), self.branch.mask(normal))
        added = added[:, :, keys.targets.clamp_min(0)] * (keys.targets >= 0).unsqueeze(-1)
        weight = torch.ones(added.shape[-1], device=added.device)
        weight[0] = self.gate
        return linear + weight * added

    def all_keys(self, device: torch.device | str = "cpu") -> Keys:
        """Of rows as in training."""
        return Keys(torch.arange(self.config.rows, device=device), torch.arange(self.config.targets, device=device))


def _inputs_and_outputs(past: Tensor, future: Tensor, targets: int) -> tuple[Tensor, Tensor]:
    """What the linear part maps to what, one row for each window and series."""
    normal = Normal.of(past[..., :targets].contiguous())
    return torch.cat((_carried(normal) * normal.spread, normal.mean), 1).mT, (future[..., :targets] - normal.mean).mT


def _carried(normal: Normal) -> Tensor:
    """Normalised windows in which a missing value is the last one seen, or 0 (the mean) before the first."""
    if normal.seen is None:
        return normal.x
    steps = torch.arange(normal.x.shape[1], device=normal.x.device)[:, None]
    last = torch.where(normal.seen, steps, 0).cummax(1).values
    return normal.x.gather(1, last)
