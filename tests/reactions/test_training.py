import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.core.train import TrainConfig
from tenfold.reactions import Transformer, TransformerConfig, Vocabulary
from tenfold.reactions.corpus import Pair, Reaction, with_reagents
from tenfold.reactions.network import PRESETS
from tenfold.reactions.training import TokenBatches, encode_pairs, fit_network, sequence_loss, train, validation

TEXTS = ["CCO", "CCN", "CC(=O)O", "c1ccccc1", "CCCl", "CC(C)Br", "C#N", "OCC", "NCC", "CCCCCC"]
PAIRS = [Pair(f"{a}.{b}", a + b) for a in TEXTS for b in TEXTS]
VOCABULARY = Vocabulary.of(text for pair in PAIRS for text in pair)


def tiny(seed=0):
    torch.manual_seed(seed)
    return Transformer(TransformerConfig.model_validate({"vocabulary_size": len(VOCABULARY), **PRESETS["tiny"]}))


def test_an_epoch_holds_every_row_once_and_no_batch_passes_the_budget():
    data = encode_pairs(PAIRS, VOCABULARY)
    batches = TokenBatches(data, 200)
    seen = [int(row) for rows in batches.epoch(3, 0) for row in rows]
    assert sorted(seen) == list(range(100))
    for step in range(12):
        source, target = batches(3, step)
        assert source.numel() + target.numel() <= 200
        assert len(source) == len(target)
        again = TokenBatches(data, 200)(3, step)
        assert torch.equal(source, again[0])
        assert torch.equal(target, again[1])


def test_batches_can_be_shared_out_among_processes():
    batches = TokenBatches(encode_pairs(PAIRS, VOCABULARY), 250, multiple=4)
    assert {len(rows) % 4 for rows in batches.epoch(0, 1)} == {0}
    with pytest.raises(BadInput, match="too few"):
        TokenBatches(encode_pairs(PAIRS[:3], VOCABULARY), 250, multiple=4)


def test_long_pairs_and_unknown_tokens_are_counted_and_left_out():
    data = encode_pairs([Pair("C" * 300, "C"), Pair("[Xe]", "C"), Pair("C", "CO")], VOCABULARY)
    assert len(data.sources) == 1
    assert data.left_out == 2


def test_padding_adds_nothing_to_the_loss():
    network = tiny().eval()
    data = encode_pairs(PAIRS[:2] + PAIRS[-1:], VOCABULARY)
    whole = TokenBatches(data, 10_000)(0, 0)
    rows = [tuple(torch.tensor(side)[None].long() for side in row) for row in zip(data.sources, data.targets, strict=True)]
    alone = [sequence_loss(network, row).item() for row in rows]
    sizes = np.array([len(t) - 1 for t in data.targets])
    wanted = sum(loss * size for loss, size in zip(alone, sizes, strict=True)) / sizes.sum()
    assert sequence_loss(network, whole).item() == pytest.approx(wanted, rel=1e-5)


def test_training_lowers_the_loss_and_the_average_becomes_the_weights():
    data = encode_pairs(PAIRS, VOCABULARY)
    network = tiny()
    before = validation(data, network.eval(), 0)
    config = TrainConfig(steps=60, device="cpu", schedule="noam", warmup=20, ema=0.8, clip=1.0)
    result = fit_network(network, data, config, learning_rate=3e-3, tokens=600)
    after = validation(data, network.eval(), 0)
    assert after["loss"] < 0.6 * before["loss"]
    assert result.ema is not None
    assert torch.equal(network.classifier.bias, result.ema["classifier.bias"])


def test_a_schedule_is_checked_and_cosine_ends_in_a_model_that_stands_still():
    reactions = [Reaction("CCO.CC(=O)O", "CCOC(C)=O"), Reaction("CCN.CC(=O)O", "CCNC(C)=O")]
    with pytest.raises(BadInput, match="schedule 'linear' is unknown"):
        train(reactions, schedule="linear", steps=1)
    with pytest.raises(BadInput, match="ends at a step"):
        train(reactions, schedule="cosine", minutes=1)
    options = {"preset": "tiny", "align": False, "device": "cpu", "schedule": "cosine", "warmup": 1, "ema": 0.5}
    model = train(reactions, steps=3, **options)
    assert model.card["schedule"] == "cosine"
    assert model.card["steps"] == 3


def test_reagents_are_given_to_rows_that_have_none_and_only_to_them():
    rows = [Reaction("CC", "C"), Reaction("CC", "C", "O")]
    made = with_reagents(rows, [Reaction("C", "C", "[Na+].O")], seed=0)
    assert [row.reagents for row in made] == ["[Na+].O", "O"]
    assert with_reagents(rows, [], seed=0) == rows
