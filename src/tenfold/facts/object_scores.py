"""How well objects are found and films foretold: FG-ARI, FG-mIoU, PSNR, SSIM."""

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from tenfold.core.errors import BadInput

__all__ = ["adjusted_rand", "mean_overlap", "psnr", "ssim"]


def adjusted_rand(truth: Int[np.ndarray, " pixels"], found: Int[np.ndarray, " pixels"]) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985) of the pixels that are no ground: FG-ARI.

    Args:
        truth: number of the object of each pixel; 0 is the ground and does not count. Any shape.
        found: number of the slot of each pixel, of the same shape.

    Returns:
        1 for the same division, 0 for what chance gives; 1 if there are not two pixels to divide.
    """
    table = _contingency(truth, found)
    pixels = table.sum()
    if pixels < 2:
        return 1.0
    together = _pairs(table).sum()
    rows, columns = _pairs(table.sum(1)).sum(), _pairs(table.sum(0)).sum()
    expected = rows * columns / _pairs(pixels)
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def mean_overlap(truth: Int[np.ndarray, " pixels"], found: Int[np.ndarray, " pixels"]) -> float:
    """Mean over the objects of intersection over union with the slot that is theirs in the best assignment: FG-mIoU.

    Args:
        truth: number of the object of each pixel; 0 is the ground. Any shape.
        found: number of the slot of each pixel; pixels of the ground count for the slots' unions.
    """
    objects, slots = np.unique(truth[truth > 0]), np.unique(found)
    if not len(objects):
        return 1.0
    inside = np.array([[np.sum((truth == one) & (found == slot)) for slot in slots] for one in objects], float)
    union = np.array([[np.sum((truth == one) | (found == slot)) for slot in slots] for one in objects], float)
    overlap = inside / union
    return float(overlap[linear_sum_assignment(-overlap)].sum() / len(objects))


def psnr(truth: Float[np.ndarray, "..."], found: Float[np.ndarray, "..."]) -> float:
    """Peak signal-to-noise ratio in dB, of values in [0, 1]; infinite for equal ones."""
    error = float(np.square(np.asarray(truth, float) - found).mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(truth: Float[np.ndarray, "channel height width"], found: Float[np.ndarray, "channel height width"]) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels and sigma 1.5, K1 .01, K2 .03, range 1.

    Args:
        truth: a picture with values in [0, 1], at least 11 pixels wide and high.
        found: another of the same shape.

    Raises:
        BadInput: a side is shorter than the window.
    """
    if min(truth.shape[-2:]) < 11:
        raise BadInput(f"A picture of {truth.shape[-2]} x {truth.shape[-1]} is smaller than the window of 11 x 11.")
    x, y = np.asarray(truth, float), np.asarray(found, float)
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x, spread_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    level, contrast = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + level) * (2 * both + contrast)
    below = (mean_x**2 + mean_y**2 + level) * (spread_x + spread_y + contrast)
    return float((above / below).mean())


def _blurred(x: np.ndarray) -> np.ndarray:
    """Where the window lies inside the picture."""
    whole = gaussian_filter(x, sigma=(0, 1.5, 1.5), radius=(0, 5, 5))
    return whole[:, 5:-5, 5:-5]


def _contingency(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """How many pixels each object and slot share, the ground left out."""
    kept = truth > 0
    _, rows = np.unique(truth[kept], return_inverse=True)
    _, columns = np.unique(found[kept], return_inverse=True)
    table = np.zeros((rows.max(initial=0) + 1, columns.max(initial=0) + 1))
    np.add.at(table, (rows, columns), 1)
    return table


def _pairs(count: np.ndarray) -> np.ndarray:
    return count * (count - 1) / 2
