"""Discs, rendered sprites, and the scores of objects and films."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts.discs import shuffled_rows, simulate
from tenfold.facts.object_scores import adjusted_rand, mean_overlap, psnr, ssim
from tenfold.facts.sprites import film


def test_discs_stay_in_the_square_and_keep_their_energy():
    found = simulate(50, 40, 3, seed=1)
    assert (found.positions >= found.radii[:, None, :, None] - 1e-9).all()
    assert (found.positions <= 1 - found.radii[:, None, :, None] + 1e-9).all()
    energy = np.square(found.velocities).sum((2, 3))
    assert np.allclose(energy, energy[:, :1])
    turned = np.abs(np.diff(found.velocities, axis=1)).sum(-1) > 1e-9
    assert 0.02 < turned.mean() < 0.6


def test_two_discs_that_meet_head_on_exchange_their_velocities():
    found = simulate(400, 30, 2, seed=2)
    momentum = found.velocities.sum(2)
    free = np.abs(np.diff(momentum, axis=1)).max(-1) < 1e-12  # no wall was met between two frames
    turned = np.abs(np.diff(found.velocities, axis=1)).max((2, 3)) > 1e-9
    assert (free & turned).sum() > 20


def test_no_disc_starts_inside_another_and_seeds_make_other_worlds():
    found = simulate(200, 1, 4, seed=3)
    gaps = np.linalg.norm(found.positions[:, 0, :, None] - found.positions[:, 0, None], axis=-1)
    for one, other in combinations(range(4), 2):
        assert (gaps[:, one, other] >= found.radii[:, one] + found.radii[:, other]).all()
    assert not np.array_equal(found.positions, simulate(200, 1, 4, seed=4).positions)
    assert np.array_equal(found.positions, simulate(200, 1, 4, seed=3).positions)


def test_shuffled_rows_are_the_same_discs_in_another_order_at_each_frame():
    rows, shuffled = shuffled_rows(simulate(6, 5, 3).positions)
    colour = shuffled[..., 2:].argmax(-1)
    assert np.array_equal(np.take_along_axis(shuffled, colour.argsort(-1)[..., None], 2), rows)
    assert not (colour[:, :1] == colour).all()


def test_sprites_are_where_their_centres_say():
    found = film(6, 4, objects=1, size=64, seed=5)
    assert found.frames.min() >= 0
    assert found.frames.max() <= 1
    where = (np.arange(64) + 0.5) / 64
    for clip in range(6):
        lit = found.owners[clip, 0] == 1
        middle = [(lit.sum(axis) * where).sum() / lit.sum() for axis in (0, 1)]
        assert np.abs(middle - found.centres[clip, 0, 0]).max() < 0.04
        assert found.frames[clip, 0][:, found.owners[clip, 0] == 0].max() <= 0.5


def test_what_does_not_fit_is_refused():
    for asked in (
        lambda: simulate(1, 2, 40),
        lambda: simulate(1, 2, 2, speed=1.0),
        lambda: film(1, 2, objects=9),
        lambda: film(1, 2, size=8),
        lambda: ssim(np.zeros((3, 8, 8)), np.zeros((3, 8, 8))),
    ):
        with pytest.raises(BadInput):
            asked()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_the_adjusted_rand_index_is_that_of_counting_all_pairs(pixels):
    truth, found = (np.array(part) for part in zip(*pixels, strict=True))
    kept = [(a, b) for a, b in pixels if a > 0]
    if len(kept) < 2:
        assert adjusted_rand(truth, found) == 1
        return
    pairs = list(combinations(kept, 2))
    same = np.array([[a[0] == b[0], a[1] == b[1]] for a, b in pairs], float)
    both, one, other = (same[:, 0] * same[:, 1]).sum(), same[:, 0].sum(), same[:, 1].sum()
    chance, most = one * other / len(pairs), (one + other) / 2
    expected = 1.0 if most == chance else (both - chance) / (most - chance)
    assert adjusted_rand(truth, found) == pytest.approx(expected)


def test_the_overlap_is_of_the_best_assignment():
    truth = np.array([0, 0, 1, 1, 1, 2, 2])
    assert mean_overlap(truth, np.array([5, 5, 9, 9, 9, 7, 7])) == 1
    assert mean_overlap(truth, np.zeros(7, int)) == pytest.approx(3 / 7 / 2)
    assert mean_overlap(truth, np.array([1, 1, 1, 1, 1, 2, 2])) == pytest.approx((3 / 5 + 1) / 2)


def test_psnr_and_ssim_have_their_closed_forms():
    picture = np.random.default_rng(0).random((3, 24, 24))
    assert psnr(picture, picture) == float("inf")
    assert psnr(np.zeros((3, 24, 24)), np.full((3, 24, 24), 0.1)) == pytest.approx(20)
    assert ssim(picture, picture) == pytest.approx(1)
    flat, other = np.full((1, 16, 16), 0.2), np.full((1, 16, 16), 0.6)
    assert ssim(flat, other) == pytest.approx((2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4))
    assert ssim(picture, 1 - picture) < 0
