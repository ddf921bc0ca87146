"""Train models of films, let them go on without frames, and score what they find and foretell beside simple guesses."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core import train
from tenfold.core.errors import BadInput
from tenfold.facts.object_scores import adjusted_rand, mean_overlap, psnr, ssim
from tenfold.facts.slots import Binder, SlotFilms
from tenfold.facts.sprites import Film, film
from tenfold.facts.videos import PROTOCOLS, DataSet, find_videos, sample_clips

__all__ = ["BURN_IN", "STEPS", "Scores", "guessed", "learned", "learned_from_videos"]

BURN_IN, STEPS = 6, 4
_OBJECTS = 3
_CLIPS, _TESTED = 2000, 64


class Scores(NamedTuple):
    """What a model of films reaches on clips that it was not trained on.

    Attributes:
        fg_ari: division of the objects' pixels in the frames seen; NaN for guesses, and where there are no masks.
        fg_miou: overlap with the objects.
        psnr: of the frames foretold, in dB.
        ssim: of the frames foretold.
        seconds: of training.
        parameters: of the model.
    """

    fg_ari: float
    fg_miou: float
    psnr: float
    ssim: float
    seconds: float
    parameters: int


def learned(
    binder: Binder, seed: int = 0, *, size: int = 32, steps: int = 1500, batch: int = 16, clips: int = _CLIPS
) -> Scores:
    """Train on rendered films without labels, and score on new ones.

    Args:
        binder: what gathers the slots.
        seed: of weights and films.
        size: of the pictures, in pixels.
        steps: of the optimiser.
        batch: clips of a step.
        clips: to learn, made once.
    """
    frames = film(clips, BURN_IN + STEPS, _OBJECTS, size, seed).frames
    return _trained(binder, frames, _tested(size, seed), seed, steps, batch)


def learned_from_videos(
    binder: Binder,
    folder: str | Path,
    data_set: DataSet,
    seed: int = 0,
    *,
    steps: int = 20_000,
    batch: int = 16,
    clips: int = _CLIPS,
    tested: int = _TESTED,
) -> Scores:
    """The same on a user's films: trained on the part train, scored on the part test, which has no masks.

    Args:
        binder: what gathers the slots.
        folder: of the data set, see `find_videos`.
        data_set: whose protocol cuts the clips.
        seed: of weights and clips.
        steps: of the optimiser.
        batch: clips of a step.
        clips: to learn, read once.
        tested: clips to score.

    Raises:
        DataMissing, BadInput, ExtraMissing: the films are not there, or cannot be read.
    """
    if data_set not in PROTOCOLS:
        raise BadInput(f"data set {data_set!r} is unknown.", f"Use one of: {', '.join(PROTOCOLS)}.")
    protocol = PROTOCOLS[data_set]
    frames = sample_clips(find_videos(folder, "train"), protocol, clips, seed)
    held = sample_clips(find_videos(folder, "test"), protocol, tested, seed)
    nobody = np.zeros((*held.shape[:2], *held.shape[3:]), np.uint8)
    unseen = Film(held, nobody, np.zeros((*held.shape[:2], 0, 2)))
    return _trained(binder, frames, unseen, seed, steps, batch)


def guessed(how: str, seed: int = 0, *, size: int = 32) -> Scores:
    """Foretell without learning.

    Args:
        how: "copy of the last frame"; "constant velocity, true centres": the last frame's objects, cut out by their true
            masks, moved on as their true centres moved: more than any model is told.
        seed: of the films, as for `learned`.
        size: of the pictures, in pixels.
    """
    tested = _tested(size, seed)
    last = tested.frames[:, BURN_IN - 1]
    if how.startswith("copy"):
        ahead = np.repeat(last[:, None], STEPS, 1)
    else:
        velocity = tested.centres[:, BURN_IN - 1] - tested.centres[:, BURN_IN - 2]
        ahead = np.stack([_moved(last, tested.owners[:, BURN_IN - 1], velocity * step) for step in range(1, STEPS + 1)], 1)
    return Scores(float("nan"), float("nan"), *_quality(tested, ahead), 0.0, 0)


def _trained(binder: Binder, clips: np.ndarray, tested: Film, seed: int, steps: int, batch: int) -> Scores:
    torch.manual_seed(seed)
    model = SlotFilms(binder, clips.shape[-1])
    frames = torch.from_numpy(clips)

    def batches(of: int, step: int) -> Tensor:
        return frames[np.random.default_rng((of, step)).integers(0, len(frames), batch)]

    config = train.TrainConfig(
        steps=steps, seed=seed, device="cpu", clip=1.0, schedule="cosine", warmup=min(100, steps // 10)
    )
    done = train.fit(
        model, _loss, batches, lambda weights: torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.0), config, None,
        title=f"films, {binder}",
    )  # fmt: skip
    seen = torch.from_numpy(tested.frames[:, :BURN_IN])
    with torch.inference_mode():
        slots = model.eval().slots(seen)
        owners = model.painted(slots).masks.argmax(2).numpy()
        ahead = model.painted(model.rolled_out(slots, tested.frames.shape[1] - BURN_IN)).frames.clamp(0, 1).numpy()
    found, overlap = _division(tested.owners[:, 1:BURN_IN], owners[:, 1:])
    count = sum(weight.numel() for weight in model.parameters())
    return Scores(found, overlap, *_quality(tested, ahead), done.seconds, count)


def _division(truth: np.ndarray, owners: np.ndarray) -> tuple[float, float]:
    """FG-ARI and FG-mIoU, means over frames; NaN where no object is marked."""
    if not truth.any():
        return float("nan"), float("nan")
    pairs = list(zip(truth.reshape(-1, *truth.shape[2:]), owners.reshape(-1, *owners.shape[2:]), strict=True))
    found, overlap = (float(np.mean([score(*pair) for pair in pairs])) for score in (adjusted_rand, mean_overlap))
    return found, overlap


def _loss(model: nn.Module, frames: Float[Tensor, "clips time 3 height width"]) -> Tensor:
    """Squared error of the frames seen and of those foretold, and of the slots foretold beside those that are gathered."""
    assert isinstance(model, SlotFilms)
    slots = model.slots(frames)
    seen, rest = slots[:, :BURN_IN], slots[:, BURN_IN:]
    ahead = model.rolled_out(seen, frames.shape[1] - BURN_IN)
    both = model.painted(torch.cat((seen, ahead), 1)).frames
    return 10 * (both - frames).square().mean() + 0.1 * (ahead - rest.detach()).square().mean()


def _tested(size: int, seed: int) -> Film:
    return film(_TESTED, BURN_IN + STEPS, _OBJECTS, size, 1_000_000 + seed)


def _quality(tested: Film, ahead: np.ndarray) -> tuple[float, float]:
    truth = tested.frames[:, BURN_IN:]
    pairs = [(truth[clip, step], ahead[clip, step]) for clip in range(len(truth)) for step in range(truth.shape[1])]
    return float(np.mean([psnr(*pair) for pair in pairs])), float(np.mean([ssim(*pair) for pair in pairs]))


def _moved(frames: np.ndarray, owners: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Each object's pixels, moved by whole pixels; where it goes beyond the border it is lost."""
    clips, _, size, _ = frames.shape
    found = np.zeros_like(frames)
    for clip in range(clips):
        for one in range(shift.shape[1]):
            y, x = np.nonzero(owners[clip] == one + 1)
            to_x, to_y = (np.rint(part + size * shift[clip, one, axis]).astype(int) for axis, part in ((0, x), (1, y)))
            kept = (to_x >= 0) & (to_x < size) & (to_y >= 0) & (to_y < size)
            found[clip][:, to_y[kept], to_x[kept]] = frames[clip][:, y[kept], x[kept]]
    return found
