"""Where will the discs be? Models that see unordered rows, in a new order at each frame, and tell the next displacements.

The outputs are by colour, so a model must find each disc by what it looks like, and its velocity by memory. Beside FACTS
stand a GRU on the mean of the rows, which sees no order either, a GRU on the rows side by side, and constant velocity.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core import train
from tenfold.core.errors import BadInput
from tenfold.facts.discs import shuffled_rows, simulate
from tenfold.facts.layer import FACTS

__all__ = ["DISC_MODELS", "Foretold", "World", "disc_model", "foretell", "worlds"]


class World(NamedTuple):
    """Sequences, and what is to be foretold.

    Attributes:
        rows: what is seen: (x, y, one-hot colour) in a new order at each frame.
        ordered: the same in the order of the colours.
        ahead: displacements from the last frame seen, by colour.
    """

    rows: Float[Tensor, "sequences frames discs features"]
    ordered: Float[Tensor, "sequences frames discs features"]
    ahead: Float[Tensor, "sequences horizon discs 2"]


class Foretold(NamedTuple):
    """How well.

    Attributes:
        error: root of the mean squared error of a coordinate, in sides of the square, on sequences that were not trained on.
        seconds: of training.
        parameters: of the model.
    """

    error: float
    seconds: float
    parameters: int


def worlds(sequences: int, seed: int, *, frames: int = 8, horizon: int = 3, discs: int = 3) -> World:
    """Simulate: see `frames`, foretell `horizon` more."""
    found = simulate(sequences, frames + horizon, discs, seed)
    ordered, rows = shuffled_rows(found.positions[:, :frames], seed)
    ahead = found.positions[:, frames:] - found.positions[:, frames - 1 : frames]
    return World(*(torch.from_numpy(part.astype(np.float32)) for part in (rows, ordered, ahead)))


class _Slots(nn.Module):
    """Two FACTS layers; each slot tells how its colour goes on, from what it holds and from what all slots hold."""

    def __init__(self, discs: int, horizon: int, size: int = 32) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(2 + discs, size), nn.GELU(), nn.Linear(size, size))
        self.first = FACTS(size, None, discs, size, invariant=True, dt_bias=0.0, output_parameters=False)
        self.second = FACTS(2 * size, None, discs, size, invariant=True, dt_bias=-1.0)
        self.read = nn.Sequential(nn.Linear(2 * discs * size, 96), nn.GELU(), nn.Linear(96, horizon * discs * 2))
        self.shape = (horizon, discs, 2)

    def forward(self, x: Tensor) -> Tensor:
        near = self.first(self.embed(x)).z
        change = torch.diff(near, dim=1, prepend=near[:, :1])
        far = self.second(torch.cat((near, change), -1)).z
        last = torch.cat((far[:, -1], change[:, -1]), -1)
        return self.read(last.flatten(1)).view(-1, *self.shape)


class _Recurrent(nn.Module):
    """A GRU on the mean of embedded rows, or on the rows side by side."""

    def __init__(self, discs: int, horizon: int, *, pooled: bool, size: int = 112) -> None:
        super().__init__()
        self.pooled = pooled
        wide = size if pooled else discs * (2 + discs)
        self.embed = nn.Sequential(nn.Linear(2 + discs, size), nn.GELU(), nn.Linear(size, size)) if pooled else nn.Identity()
        self.gru = nn.GRU(wide, size, batch_first=True)
        self.read = nn.Sequential(nn.Linear(size, 96), nn.GELU(), nn.Linear(96, horizon * discs * 2))
        self.shape = (horizon, discs, 2)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.embed(x)
        frames = rows.mean(2) if self.pooled else rows.flatten(2)
        return self.read(self.gru(frames)[0][:, -1]).view(-1, *self.shape)


DISC_MODELS = ("FACTS", "pooled GRU", "GRU on concatenated rows", "constant velocity", "no motion")


def disc_model(name: str, discs: int, horizon: int) -> nn.Module:
    """One that learns: (sequences, frames, discs, features) -> (sequences, horizon, discs, 2).

    Raises:
        BadInput: the name is unknown, or there is nothing to learn.
    """
    if name == "FACTS":
        return _Slots(discs, horizon)
    if name in DISC_MODELS[1:3]:
        return _Recurrent(discs, horizon, pooled=name == DISC_MODELS[1])
    raise BadInput(f"model {name!r} is unknown.", f"Use one of: {', '.join(DISC_MODELS[:3])}.")


def foretell(name: str, seed: int = 0, *, steps: int = 4000, sequences: int = 8000, batch: int = 64) -> Foretold:
    """Train a model, and test it on new sequences.

    Args:
        name: one of `DISC_MODELS`.
        seed: of weights, and of the worlds to learn.
        steps: of the optimiser.
        sequences: to learn, made once.
        batch: sequences of a step.

    Raises:
        BadInput: the name is unknown.
    """
    tested = worlds(2000, 1_000_000 + seed)
    horizon, discs = tested.ahead.shape[1:3]
    if name in DISC_MODELS[3:]:
        velocity = tested.ordered[:, -1, :, :2] - tested.ordered[:, -2, :, :2]
        ahead = torch.arange(1, horizon + 1)[:, None, None] * velocity[:, None]
        guess = ahead if name == DISC_MODELS[3] else torch.zeros_like(ahead)
        return Foretold(_error(guess, tested), 0.0, 0)
    torch.manual_seed(seed)
    model, learned = disc_model(name, discs, horizon), worlds(sequences, seed)

    def batches(of: int, step: int) -> tuple[Tensor, Tensor]:
        chosen = np.random.default_rng((of, step)).integers(0, sequences, batch)
        return learned.rows[chosen], learned.ahead[chosen]

    def loss(module: nn.Module, pair: tuple[Tensor, Tensor]) -> Tensor:
        return 100 * (module(pair[0]) - pair[1]).square().mean()

    config = train.TrainConfig(
        steps=steps, seed=seed, device="cpu", clip=1.0, schedule="cosine", warmup=min(100, steps // 10)
    )
    done = train.fit(
        model,
        loss,
        batches,
        lambda weights: torch.optim.AdamW(weights, lr=3e-3, weight_decay=1e-4),
        config,
        None,
        title=name,
    )
    with torch.inference_mode():
        guess = model.eval()(tested.rows)
    return Foretold(_error(guess, tested), done.seconds, sum(weight.numel() for weight in model.parameters()))


def _error(guess: Tensor, world: World) -> float:
    return float((guess - world.ahead).square().mean().sqrt())
