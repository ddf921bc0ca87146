"""Short films of coloured shapes that move as `discs` do, with the mask of each object: made here, nothing to download."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tenfold.core.errors import BadInput
from tenfold.facts.discs import simulate

__all__ = ["COLOURS", "Film", "film"]

COLOURS = np.array(
    [(0.90, 0.17, 0.17), (0.15, 0.70, 0.25), (0.20, 0.35, 0.95), (0.95, 0.85, 0.15), (0.80, 0.25, 0.85), (0.15, 0.80, 0.85)]
)
_SHAPES = 3  # disc, square, triangle


class Film(NamedTuple):
    """Frames and who is where.

    Attributes:
        frames: RGB in [0, 1] on a black ground.
        owners: number of the object that each pixel shows, from 1; 0 is the ground.
        centres: of the objects, in sides of the picture.
    """

    frames: Float[np.ndarray, "clips time 3 height width"]
    owners: Int[np.ndarray, "clips time height width"]
    centres: Float[np.ndarray, "clips time objects 2"]


def film(clips: int, time: int, objects: int = 3, size: int = 32, seed: int = 0, *, speed: float = 0.05) -> Film:
    """Render clips; later objects hide earlier ones, edges are a pixel soft.

    Args:
        clips: to make.
        time: frames of each.
        objects: in each, at most six.
        size: of the square picture, in pixels.
        seed: of everything.
        speed: at first, in sides of the picture a frame.

    Raises:
        BadInput: too many objects, or a picture too small for them.
    """
    if not 1 <= objects <= len(COLOURS):
        raise BadInput(f"objects is {objects}; it must be from 1 to {len(COLOURS)}.")
    if size < 16:
        raise BadInput(f"size is {size}; it must be at least 16 pixels.")
    moved = simulate(clips, time, objects, seed, speed=speed, radius=(0.1, 0.14))
    draw = np.random.default_rng((seed, 1))
    colours = COLOURS[np.stack([draw.permutation(len(COLOURS))[:objects] for _ in range(clips)])]
    shapes = draw.integers(0, _SHAPES, (clips, objects))
    grid = (np.arange(size) + 0.5) / size
    frames = np.zeros((clips, time, 3, size, size), np.float32)
    owners = np.zeros((clips, time, size, size), np.uint8)
    for one in range(objects):
        across = grid - moved.positions[:, :, one, 0, None, None]
        down = (grid - moved.positions[:, :, one, 1, None])[..., None]
        outside = _distance(across, down, moved.radii[:, one], shapes[:, one])
        cover = np.clip(0.5 - size * outside, 0, 1).astype(np.float32)
        colour = colours[:, None, one, :, None, None].astype(np.float32)
        frames += cover[:, :, None] * (colour - frames)
        owners[cover > 0.5] = one + 1
    return Film(frames, owners, moved.positions)


def _distance(across: np.ndarray, down: np.ndarray, radius: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """How far each pixel lies outside a shape that fits into a circle, in sides of the picture; negative inside."""
    radius, shape = radius[:, None, None, None], shape[:, None, None, None]
    disc = np.hypot(across, down) - radius
    square = np.maximum(np.abs(across), np.abs(down)) - radius / np.sqrt(2)
    slope = np.abs(across) * np.sqrt(3) / 2 - down / 2  # top corner up
    triangle = np.maximum(slope - radius / 2, down - radius / 2)
    return np.choose(np.broadcast_to(shape, disc.shape), (disc, np.broadcast_to(square, disc.shape), triangle))
