"""Coloured discs that bounce off walls and each other: sets of moving things whose order means nothing."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tenfold.core.errors import BadInput

__all__ = ["Discs", "shuffled_rows", "simulate"]

_SUBSTEPS = 4


class Discs(NamedTuple):
    """Discs in the square [0, 1]^2.

    Attributes:
        positions: of the centres, in sides of the square.
        velocities: a frame.
        radii: of each disc.
    """

    positions: Float[np.ndarray, "sequences frames discs 2"]
    velocities: Float[np.ndarray, "sequences frames discs 2"]
    radii: Float[np.ndarray, "sequences discs"]


def simulate(
    sequences: int,
    frames: int,
    discs: int,
    seed: int = 0,
    *,
    speed: float = 0.06,
    radius: tuple[float, float] = (0.08, 0.12),
) -> Discs:
    """Let discs move: straight on, reflected by walls, and by elastic collisions of equal masses.

    Args:
        sequences: to make, all at once.
        frames: of each.
        discs: in each.
        seed: of places, radii and velocities.
        speed: of each disc at first, in sides of the square a frame; below the smallest radius, so that none is jumped over.
        radius: smallest and largest.

    Raises:
        BadInput: the discs do not fit, or move too fast.
    """
    least, most = radius
    if not 0 < least <= most < 0.5 or discs * np.pi * most**2 > 0.4:
        raise BadInput(f"{discs} discs of radius {least} to {most} do not fit into the square.")
    if not 0 <= speed < least * _SUBSTEPS / 2:
        raise BadInput(f"speed is {speed}; it must be from 0 to below {least * _SUBSTEPS / 2:g}.")
    draw = np.random.default_rng(seed)
    radii = draw.uniform(least, most, (sequences, discs))
    place = _apart(draw, radii)
    angle = draw.uniform(0, 2 * np.pi, (sequences, discs))
    velocity = speed * np.stack((np.cos(angle), np.sin(angle)), -1)
    positions, velocities = np.empty((2, sequences, frames, discs, 2))
    for frame in range(frames):
        positions[:, frame], velocities[:, frame] = place, velocity
        for _ in range(_SUBSTEPS):
            place = place + velocity / _SUBSTEPS
            place, velocity = _off_walls(place, velocity, radii)
            velocity = _collided(place, velocity, radii)
    return Discs(positions, velocities, radii)


def shuffled_rows(
    positions: Float[np.ndarray, "sequences frames discs 2"], seed: int = 0
) -> tuple[Float[np.ndarray, "sequences frames discs features"], Float[np.ndarray, "sequences frames discs features"]]:
    """Discs as rows (x, y, one-hot colour), in the order of their colours, and in a new order at each frame.

    Args:
        positions: of the discs; the colour of a disc is its number.
        seed: of the orders.
    """
    sequences, frames, discs, _ = positions.shape
    colours = np.broadcast_to(np.eye(discs), (sequences, frames, discs, discs))
    rows = np.concatenate((positions, colours), -1)
    order = np.random.default_rng(seed).random((sequences, frames, discs)).argsort(-1)
    return rows, np.take_along_axis(rows, order[..., None], 2)


def _apart(draw: np.random.Generator, radii: np.ndarray) -> np.ndarray:
    """Places where no two discs overlap: whole sequences that fail are drawn again."""
    sequences, discs = radii.shape
    place = np.empty((sequences, discs, 2))
    left = np.arange(sequences)
    while len(left):
        place[left] = draw.uniform(radii[left, :, None], 1 - radii[left, :, None], (len(left), discs, 2))
        gap = np.linalg.norm(place[left, :, None] - place[left, None], axis=-1)
        near = gap < radii[left, :, None] + radii[left, None]
        near[:, range(discs), range(discs)] = False
        left = left[near.any((1, 2))]
    return place


def _off_walls(place: np.ndarray, velocity: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A centre beyond its wall is mirrored back, and moves away from it."""
    low, high = radii[..., None], 1 - radii[..., None]
    below, above = place < low, place > high
    place = np.where(below, 2 * low - place, np.where(above, 2 * high - place, place))
    speed = np.abs(velocity)
    return place, np.where(below, speed, np.where(above, -speed, velocity))


def _collided(place: np.ndarray, velocity: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Of two discs that overlap and approach, the speeds along the line of centres change places."""
    velocity = velocity.copy()
    discs = radii.shape[1]
    for one in range(discs):
        for other in range(one + 1, discs):
            line = place[:, other] - place[:, one]
            distance = np.linalg.norm(line, axis=-1, keepdims=True)
            line = line / np.maximum(distance, 1e-12)
            closing = ((velocity[:, one] - velocity[:, other]) * line).sum(-1, keepdims=True)
            touching = (distance < (radii[:, one] + radii[:, other])[:, None]) & (closing > 0)
            exchange = np.where(touching, closing * line, 0)
            velocity[:, one] -= exchange
            velocity[:, other] += exchange
    return velocity
