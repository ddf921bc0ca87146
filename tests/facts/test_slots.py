"""Slots of films, what they paint and foretell; discs foretold from unordered rows."""

import math

import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.facts.disc_models import DISC_MODELS, disc_model, foretell, worlds
from tenfold.facts.rollout import BURN_IN, STEPS, guessed, learned
from tenfold.facts.slots import SlotFilms

BINDERS = ("facts", "slot attention", "pooled GRU")


@pytest.fixture(params=BINDERS)
def model(request):
    torch.manual_seed(0)
    return SlotFilms(request.param, size=16, slots=3, dim=16).eval()


def test_the_masks_of_the_slots_add_up_to_one_and_mix_the_pictures(model):
    frames = torch.rand(2, 4, 3, 16, 16)
    with torch.no_grad():
        slots = model.slots(frames)
        made = model.painted(slots)
        ahead = model.rolled_out(slots, 3)
    assert made.frames.shape == frames.shape
    assert torch.allclose(made.masks.sum(2), torch.ones(2, 4, 16, 16), atol=1e-6)
    assert ahead.shape == (2, 3, *slots.shape[2:])


def test_slots_do_not_see_later_frames(model):
    frames = torch.rand(2, 5, 3, 16, 16)
    other = frames.clone()
    other[:, 3:] = 0
    with torch.no_grad():
        assert torch.equal(model.slots(frames)[:, :3], model.slots(other)[:, :3])


def test_another_order_of_slots_paints_the_same_picture_and_goes_on_as_before():
    torch.manual_seed(1)
    for binder in BINDERS[:2]:
        model = SlotFilms(binder, size=16, slots=3, dim=16).eval()
        slots = torch.randn(2, 4, 3, 16)
        with torch.no_grad():
            assert torch.allclose(model.painted(slots).frames, model.painted(slots.flip(2)).frames, atol=1e-5)
            assert torch.allclose(model.rolled_out(slots, 2).flip(2), model.rolled_out(slots.flip(2), 2), atol=1e-5)


def test_the_rival_has_as_many_weights():
    facts, rival, pooled = (sum(w.numel() for w in SlotFilms(name).parameters()) for name in BINDERS)
    assert abs(rival / facts - 1) < 0.05
    assert abs(pooled / facts - 1) < 0.1


def test_a_short_training_paints_better_than_black_and_is_scored():
    found = learned("facts", size=16, steps=3, batch=4, clips=8)
    assert -1 <= found.fg_ari <= 1
    assert 0 <= found.fg_miou <= 1
    assert 5 < found.psnr < 30
    assert found.parameters > 0


def test_moving_on_by_true_centres_is_better_than_standing_still():
    still, moved = guessed("copy of the last frame"), guessed("constant velocity, true centres")
    assert math.isnan(still.fg_ari)
    assert moved.psnr > still.psnr + 2
    assert moved.ssim > still.ssim
    assert BURN_IN + STEPS == 10


def test_discs_are_foretold_by_colour_and_displacements_begin_where_they_were_last_seen():
    world = worlds(5, seed=1)
    assert world.ahead.shape == (5, 3, 3, 2)
    colours = world.rows[..., 2:].argmax(-1)
    assert torch.equal(world.rows.gather(2, colours.argsort(-1)[..., None].expand_as(world.rows)), world.ordered)
    assert np.abs(world.ahead[:, 0]).max() < 0.1


def test_facts_and_the_pooled_network_see_no_order_of_rows():
    world = worlds(6, seed=2)
    for name in DISC_MODELS[:2]:
        torch.manual_seed(0)
        model = disc_model(name, 3, 3).eval()
        with torch.no_grad():
            assert torch.allclose(model(world.rows), model(world.ordered), atol=1e-5)


def test_standing_still_is_worse_than_constant_velocity_and_unknown_names_are_refused():
    assert foretell("constant velocity").error < foretell("no motion").error
    assert foretell("pooled GRU", steps=3, sequences=20).error < 1
    for asked in (lambda: disc_model("magic", 3, 3), lambda: SlotFilms("magic"), lambda: SlotFilms("facts", size=17)):
        with pytest.raises(BadInput):
            asked()
