"""The test of memory, and what a layer costs."""

import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.facts.costs import METHODS, cost
from tenfold.facts.recall import KEYS, RECALLERS, draw, recall, recaller


def test_every_node_shows_its_value_once_wherever_it_stands():
    x, values = draw(8, 5, torch.Generator().manual_seed(0))
    key, shown, flag = x[..., :KEYS].argmax(-1), x[..., KEYS], x[..., KEYS + 1]
    assert torch.equal(flag[:, 0], torch.ones(8, KEYS))
    assert not flag[:, 1:].any()
    assert torch.equal(shown[:, 0].gather(1, key[:, 0].argsort(-1)), values)
    assert not torch.equal(key[:, 0], key[:, 1])


@pytest.mark.parametrize("name", RECALLERS)
def test_the_models_that_recall_see_no_order_of_nodes_and_no_future(name):
    if "published" in name:
        pytest.skip("its scan sees the future")
    torch.manual_seed(0)
    model = recaller(name).eval()
    x, _ = draw(3, 9, torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = model(x)
        assert torch.allclose(model(x.flip(2)), plain, atol=1e-5)
        later = x.clone()
        later[:, 5:] = 0
        assert torch.allclose(model(later)[:, :5], plain[:, :5], atol=1e-5)


def test_a_short_training_recalls_what_was_shown_a_few_frames_ago():
    assert recall("FACTS", 6, steps=150).worst > 0.9


def test_steps_keep_a_state_of_constant_size_and_give_what_all_frames_at_once_do():
    short, long = (cost(METHODS[1], frames, 5) for frames in (8, 64))
    assert short.bytes == long.bytes
    assert max(short.error, long.error) <= 1e-5


def test_bytes_kept_grow_as_frames_do_and_with_attention_as_their_square():
    few, many = (cost(METHODS[0], frames, 8, repeats=1).bytes for frames in (32, 128))
    assert 3.5 < many / few < 4.5
    few, many = (cost(METHODS[2], frames, 8, repeats=1).bytes for frames in (32, 128))
    assert many / few > 8


def test_unknown_names_are_refused():
    for asked in (lambda: recaller("GRU"), lambda: cost("GRU", 4, 4), lambda: draw(1, 1, torch.Generator())):
        with pytest.raises(BadInput):
            asked()
