"""The paper's forecaster: a window of M series -> their next steps (spec section 1.4)."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.facts.decoding import FactorGraphDecoder
from tenfold.facts.embedding import EmbeddingKind, SetEmbedding
from tenfold.facts.layer import FACTS
from tenfold.facts.recurrence import ScanMethod
from tenfold.facts.router import RouterKind

__all__ = ["EncoderLayer", "ForecastNetwork", "NetworkConfig", "load_reference_forecaster"]

_EPS = 1e-5


class NetworkConfig(BaseModel):
    """Shape of a forecaster.

    Attributes:
        look_back: steps of a window, L.
        horizon: steps to forecast.
        variates: M.
        slots: K.
        slot_size: D.
        layers: of the encoder.
        stacking: "mkk": the first layer gathers the variates into slots, the others work on slots; "mmk": the last one
            gathers.
        heads: of the routers.
        expand: width of the inner layers.
        d_conv: frames that a layer's projection sees.
        slim: heads of size D / heads.
        router: "softmax" or "inverted".
        embedding: "shared" filters, or "mixing" ones.
        dropout: in training.
        affine: learn a scale and a shift of each normalised variate (RevIN).
        decoder_width: of the decoder's hidden layer; None: twice what it gives.
        dt_bias: see `FACTS`.
        scan: "exact" or "reference".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_back: int = Field(ge=1)
    horizon: int = Field(ge=1)
    variates: int = Field(ge=1)
    slots: int = Field(default=4, ge=1)
    slot_size: int = Field(default=16, ge=1)
    layers: int = Field(default=1, ge=1)
    stacking: Literal["mkk", "mmk"] = "mkk"
    heads: int = Field(default=1, ge=1)
    expand: int = Field(default=2, ge=1)
    d_conv: int = Field(default=2, ge=1)
    slim: bool = False
    router: RouterKind = "softmax"
    embedding: EmbeddingKind = "shared"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    affine: bool = False
    decoder_width: int | None = Field(default=None, ge=1)
    dt_bias: float = 0.0
    scan: ScanMethod = "exact"


class EncoderLayer(nn.Module):
    """A FACTS layer between normalisations, and a position-wise network."""

    def __init__(self, config: NetworkConfig, *, rows: int, slots: int, from_rows: bool) -> None:
        """Set up.

        Args:
            config: sizes.
            rows: that come in.
            slots: that go out.
            from_rows: the slots begin as the rows themselves.
        """
        super().__init__()
        size = config.slot_size
        self.is_square = rows == slots
        self.norm_in, self.norm_out = nn.LayerNorm(size), nn.LayerNorm(size)
        self.facts = FACTS(
            size, rows, slots, size, heads=config.heads, router=config.router, init="self" if from_rows else "learnable",
            d_conv=config.d_conv, expand=config.expand, slim=config.slim, output_parameters=True, dt_bias=config.dt_bias,
            scan=config.scan,
        )  # fmt: skip
        self.mlp = nn.Sequential(
            nn.Linear(size, size * config.expand), nn.GELU(), nn.Dropout(config.dropout),
            nn.Linear(size * config.expand, size), nn.Dropout(config.dropout),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch time rows dim"]) -> Float[Tensor, "batch time slots dim"]:
        """Encode."""
        x = self.norm_in(x)
        y = self.facts(x).y
        y = self.norm_out(y + x if self.is_square else y)
        return y + self.mlp(y)


class ForecastNetwork(nn.Module):
    """Normalise each window, embed, encode into slots, project over time, decode, and add a linear forecast."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        rows, slots, size = config.variates, config.slots, config.slot_size
        if config.affine:
            self.scale, self.shift = nn.Parameter(torch.ones(rows)), nn.Parameter(torch.zeros(rows))
        self.embedding = SetEmbedding(size, config.embedding, rows, config.dropout)
        gathers = 0 if config.stacking == "mkk" else config.layers - 1
        self.encoder = nn.ModuleList(
            EncoderLayer(
                config, rows=slots if place > gathers else rows, slots=rows if place < gathers else slots,
                from_rows=place != gathers,
            )
            for place in range(config.layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(size)
        self.ahead = nn.Linear(config.look_back, config.horizon)
        self.decoder = FactorGraphDecoder(size, rows, width=config.decoder_width)
        self.linear = nn.Linear(config.look_back, config.horizon, bias=False)

    def forward(self, x: Float[Tensor, "batch look_back variates"]) -> Float[Tensor, "batch horizon variates"]:
        """Forecast, in the units of the input."""
        mean = x.mean(1, keepdim=True).detach()
        spread = (x.var(1, keepdim=True, unbiased=False) + _EPS).sqrt().detach()
        x = (x - mean) / spread
        if self.config.affine:
            x = x * self.scale + self.shift
        slots = self.embedding(x)
        for layer in self.encoder:
            slots = layer(slots)
        slots = self.norm(self.ahead(slots.transpose(1, 3)).transpose(1, 3))
        out = self.decoder(slots).squeeze(-1) + self.linear(x.transpose(1, 2)).transpose(1, 2)
        if self.config.affine:
            out = (out - self.shift) / (self.scale + _EPS**2)
        return out * spread + mean


def load_reference_forecaster(
    config: Mapping[str, Any], state_dict: Mapping[str, Tensor], scan: ScanMethod = "reference"
) -> ForecastNetwork:
    """The published code's forecaster, with its weights.

    Args:
        config: its settings by their published names (seq_len, pred_len, enc_in, num_factors, ...).
        state_dict: its weights.
        scan: "reference" gives the published numbers, "exact" what the recurrence means.

    Raises:
        BadInput: a setting or a weight is missing, unknown, or of another size.
    """
    network = ForecastNetwork(_published(config, scan))
    own = network.state_dict()
    found = dict(own)
    for place, layer in enumerate(network.encoder):
        start = f"encoder.facts_layers.{place}.facts."
        inner = {name.removeprefix(start): value for name, value in state_dict.items() if name.startswith(start)}
        facts: Any = layer.facts
        facts.load_reference_state_dict(inner)
        found |= {f"encoder.{place}.facts.{name}": value for name, value in facts.state_dict().items()}
    for ours in own:
        theirs = _published_name(ours)
        if theirs is None:
            continue
        if theirs not in state_dict:
            raise BadInput(f"The weights lack {theirs}.")
        if state_dict[theirs].numel() != own[ours].numel():
            raise BadInput(f"{theirs} has shape {tuple(state_dict[theirs].shape)}; needed: {tuple(own[ours].shape)}.")
        found[ours] = state_dict[theirs].reshape(own[ours].shape)
    network.load_state_dict(found)
    return network.eval()


def _published(config: Mapping[str, Any], scan: ScanMethod) -> NetworkConfig:
    """Our settings of the published ones."""
    try:
        if config.get("chunk_size", -1) not in (-1, None) or not config.get("elem_wise_decoding", 1):
            raise BadInput("Checkpoints with chunked conditioning, or without a say for each variate, are not read.")
        return NetworkConfig.model_validate(
            {
                "look_back": config["seq_len"], "horizon": config["pred_len"], "variates": config["enc_in"],
                "slots": config["num_factors"], "slot_size": config["slot_size"], "layers": config["e_layers"],
                "stacking": config.get("mk_setup", "mmk"), "heads": config.get("n_heads", 1),
                "expand": config.get("expand", 2), "d_conv": config.get("d_conv", 2), "slim": config.get("slim_mode", 0),
                "router": {"sfmx_attn": "softmax"}.get(config.get("router", "sfmx_attn"), "inverted"),
                "embedding": {"conv2d": "shared", "ms_conv2d": "mixing"}[config.get("decomp_method", "ms_conv2d")],
                "affine": config.get("rev_in", 0), "decoder_width": config.get("d_model"), "scan": scan,
            }
        )  # fmt: skip
    except KeyError as error:
        raise BadInput(f"The settings lack {error}, or its value is unknown.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"The setting for {'.'.join(map(str, first['loc']))} is wrong: {first['msg']}.") from error


def _published_name(name: str) -> str | None:
    """The published name of one of our weights; None for those inside a FACTS layer, which reads its own."""
    parts = name.split(".")
    if parts[0] == "encoder":
        if parts[2] == "facts":
            return None
        inner = {"norm_in": "norm_in", "norm_out": "norm1", "mlp": "mlp"}[parts[2]]
        return ".".join(("encoder.facts_layers", parts[1], inner, *parts[3:]))
    if name.startswith("embedding.filters"):
        return "embedder.decomposer.ld_conv.weight" if parts[2] == "0" else f"embedder.decomposer.convs.{parts[2]}.weight"
    homes = {
        "embedding.project": "embedder.feat_proj", "embedding.norm": "embedder.feat_norm", "norm": "norm_rep",
        "ahead": "pred_proj", "decoder.inner": "decoder.dec_layer.0", "decoder.outer": "decoder.dec_layer.2",
        "linear": "res_pred", "scale": "revin.affine_weight", "shift": "revin.affine_bias",
    }  # fmt: skip
    home = next(key for key in homes if name == key or name.startswith(f"{key}."))
    return homes[home] + name.removeprefix(home)
