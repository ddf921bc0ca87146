"""A test of memory: values shown once, in nodes that change places at every frame, are asked for many frames later.

In the first frame each node shows its key, its value (-1 or 1) and a flag. In the frames after it values are noise and the
flag is down. In every frame the first value of every key is asked for. A model must find who is who by content, write once,
and keep. The published scan damps what lies far before the end of a sequence: it can only where training finds slow decays.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core import train
from tenfold.core.errors import BadInput
from tenfold.facts.layer import FACTS
from tenfold.facts.recurrence import ScanMethod

__all__ = ["KEYS", "RECALLERS", "Recalled", "draw", "recall", "recaller"]

KEYS = 4
_FEATURES = KEYS + 2


class Recalled(NamedTuple):
    """How much a model recalled.

    Attributes:
        accuracy: share of the values with the right sign in the last frame, on sequences not trained on; .5 is chance.
        worst: the same in the frame where it is least.
        seconds: of training.
        parameters: of the model.
    """

    accuracy: float
    worst: float
    seconds: float
    parameters: int


def draw(
    count: int, frames: int, generator: torch.Generator
) -> tuple[Float[Tensor, "count frames keys features"], Float[Tensor, "count keys"]]:
    """Sequences and the values that are asked for.

    Args:
        count: sequences.
        frames: T, at least 2.
        generator: of the values, the noise and the orders.
    """
    if frames < 2:
        raise BadInput(f"frames is {frames}; it must be at least 2.")
    values = torch.randint(0, 2, (count, KEYS), generator=generator) * 2.0 - 1
    shown = torch.randint(0, 2, (count, frames, KEYS), generator=generator) * 2.0 - 1
    shown[:, 0] = values
    flag = torch.zeros(count, frames, KEYS)
    flag[:, 0] = 1
    keys = torch.eye(KEYS).expand(count, frames, KEYS, KEYS)
    x = torch.cat((keys, shown[..., None], flag[..., None]), -1)
    order = torch.rand(count, frames, KEYS, generator=generator).argsort(-1)
    return x.gather(2, order[..., None].expand_as(x)), values


class _Slots(nn.Module):
    """FACTS, and a read-out of all its slots."""

    def __init__(self, scan: ScanMethod, size: int = 16) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(_FEATURES, 32), nn.GELU(), nn.Linear(32, size))
        self.layer = FACTS(size, None, KEYS, size, dt_bias=-3.0, scan=scan, invariant=True)
        self.read = nn.Sequential(nn.Linear(KEYS * size, 64), nn.GELU(), nn.Linear(64, KEYS))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.layer(self.embed(x)).z.flatten(2))


class _PooledGRU(nn.Module):
    """The mean over nodes of what each shows, through a GRU: the cheap memory that does not care about order either."""

    def __init__(self, size: int = 40) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(_FEATURES, 32), nn.GELU(), nn.Linear(32, size))
        self.gru = nn.GRU(size, size, batch_first=True)
        self.read = nn.Sequential(nn.Linear(size, 64), nn.GELU(), nn.Linear(64, KEYS))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.gru(self.embed(x).mean(2))[0])


class _PooledAttention(nn.Module):
    """The mean over nodes, and attention from each frame over all before it, at a cost that grows as T^2."""

    def __init__(self, size: int = 40) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(_FEATURES, 32), nn.GELU(), nn.Linear(32, size))
        self.attention = nn.MultiheadAttention(size, 4, batch_first=True)
        self.read = nn.Sequential(nn.Linear(size, 64), nn.GELU(), nn.Linear(64, KEYS))

    def forward(self, x: Tensor) -> Tensor:
        frames = self.embed(x).mean(2)
        hidden = torch.ones(frames.shape[1], frames.shape[1], dtype=torch.bool, device=x.device).triu(1)
        return self.read(self.attention(frames, frames, frames, attn_mask=hidden, is_causal=True, need_weights=False)[0])


RECALLERS = ("FACTS", "FACTS, published scan", "pooled GRU", "pooled attention")


def recaller(name: str) -> nn.Module:
    """A model (count, frames, keys, features) -> (count, frames, keys).

    Raises:
        BadInput: the name is unknown.
    """
    if name == "FACTS":
        return _Slots("exact")
    if name == "FACTS, published scan":
        return _Slots("reference")
    if name == "pooled GRU":
        return _PooledGRU()
    if name == "pooled attention":
        return _PooledAttention()
    raise BadInput(f"model {name!r} is unknown.", f"Use one of: {', '.join(RECALLERS)}.")


def recall(
    name: str, frames: int, seed: int = 0, *, steps: int = 600, batch: int = 32, learning_rate: float = 4e-3
) -> Recalled:
    """Train a model to recall over so many frames, and test it on new sequences.

    Args:
        name: one of `RECALLERS`.
        frames: T.
        seed: of weights and sequences.
        steps: of the optimiser.
        batch: sequences of a step.
        learning_rate: its peak.
    """
    torch.manual_seed(seed)
    model = recaller(name)

    def batches(of: int, step: int) -> tuple[Tensor, Tensor]:
        return draw(batch, frames, torch.Generator().manual_seed((of + 1) * 1_000_003 + step))

    def loss(module: nn.Module, pair: tuple[Tensor, Tensor]) -> Tensor:
        return (module(pair[0]) - pair[1][:, None]).square().mean()

    config = train.TrainConfig(
        steps=steps, seed=seed, device="cpu", clip=1.0, schedule="cosine", warmup=min(50, steps // 10)
    )
    done = train.fit(
        model, loss, batches, lambda weights: torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0), config, None,
        title=f"{name}, {frames} frames",
    )  # fmt: skip
    model.eval()
    x, values = draw(512, frames, torch.Generator().manual_seed(seed + 7))
    with torch.inference_mode():
        right = (model(x).sign() == values[:, None]).float().mean((0, 2))
    return Recalled(float(right[-1]), float(right.min()), done.seconds, sum(weight.numel() for weight in model.parameters()))
