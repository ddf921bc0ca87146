import math

import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.core.train import TrainConfig, _factor
from tenfold.reactions import Transformer, TransformerConfig
from tenfold.reactions.tokens import PAD

TINY = {"vocabulary_size": 12, "d_model": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 2, "feedforward": 32}


@pytest.fixture
def reference(golden):
    """The published code's tiny model and its numbers."""
    return np.load(golden / "reactions" / "reference_decoders.npz", allow_pickle=False)


@pytest.mark.data
def test_the_published_models_weights_give_its_memory_and_logits(reference):
    network = Transformer(
        TransformerConfig(vocabulary_size=24, d_model=48, heads=4, encoder_layers=2, decoder_layers=2, feedforward=96)
    ).eval()
    names = [name for name in reference.files if name.startswith("w/")]
    network.load_reference_state_dict({name[2:]: torch.from_numpy(reference[name]) for name in names})
    source, target = torch.from_numpy(reference["src"]), torch.from_numpy(reference["tgt"])
    with torch.no_grad():
        memory, logits = network.encode(source), network(source, target)
    assert np.abs(memory.numpy() - reference["memory"])[source.numpy() != PAD].max() < 1e-4
    assert np.abs(logits.numpy() - reference["logits"])[target.numpy() != PAD].max() < 1e-4


def test_a_state_dict_with_a_part_missing_or_of_another_shape_is_refused():
    network = Transformer(TransformerConfig(**TINY))
    with pytest.raises(BadInput, match="lacks"):
        network.load_reference_state_dict({})
    with pytest.raises(BadInput, match=r"classifier\.bias has shape"):
        network.load_reference_state_dict({**network.state_dict(), "classifier.bias": torch.zeros(3)})


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_changes_no_logit_and_the_future_is_not_seen(norm):
    torch.manual_seed(0)
    network = Transformer(TransformerConfig(**TINY, norm=norm)).double().eval()
    network.positions = network.positions.double()
    source, target = torch.randint(3, 12, (2, 7)), torch.randint(3, 12, (2, 6))
    padded = torch.cat((source, torch.zeros(2, 5, dtype=torch.long)), 1)
    later = target.clone()
    later[:, 4:] = 3
    with torch.no_grad():
        plain, wide, other = network(source, target), network(padded, target), network(source, later)
    torch.testing.assert_close(plain, wide, rtol=0, atol=1e-12)
    torch.testing.assert_close(plain[:, :4], other[:, :4], rtol=0, atol=1e-12)


def test_a_sequence_longer_than_the_positions_is_refused_with_both_numbers():
    network = Transformer(TransformerConfig(**TINY, positions=8))
    with pytest.raises(BadInput, match="9 tokens, the model's limit is 8"):
        network.encode(torch.ones(1, 9, dtype=torch.long))


def test_the_noam_schedule_is_that_of_the_paper_up_to_its_peak():
    config = TrainConfig(steps=100, schedule="noam", warmup=10)
    wanted = [min(step**-0.5, step * 10**-1.5) * math.sqrt(10) for step in range(1, 60)]
    assert [_factor(config, step) for step in range(59)] == pytest.approx(wanted)


def test_a_shape_is_given_in_order_or_by_name_and_a_wrong_one_is_refused_in_a_sentence():
    assert TransformerConfig(30, 16, 2, 1, 1, 32) == TransformerConfig(
        vocabulary_size=30, d_model=16, heads=2, encoder_layers=1, decoder_layers=1, feedforward=32
    )
    for shape, named in (((30, 15, 2), {}), ((30,), {"vocabulary_size": 4}), ((), {}), (range(10), {})):
        with pytest.raises(BadInput):
            TransformerConfig(*shape, **named)
