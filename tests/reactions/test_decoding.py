"""`decode`: token ids in, token ids out."""

import itertools

import pytest
import torch
from torch import nn

from reactions.networks import VOCABULARY, random_network, random_queries, stripped
from tenfold import reactions
from tenfold.core.errors import BadInput
from tenfold.reactions import batching
from tenfold.reactions.cached import CachedDecoder
from tenfold.reactions.decoding import decode, decode_rows
from tenfold.reactions.tokens import BOS, EOS, PAD

QUERIES = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in random_queries(7, 5)], True, PAD)


def test_decode_is_public() -> None:
    assert reactions.decode is decode


@pytest.mark.parametrize(
    ("decoding", "n"), [("greedy", 1), ("speculative", 1), ("beam", 1), ("beam", 3), ("exact", 3), ("sbs", 3)]
)
def test_ids_and_scores_have_a_row_for_each_query(decoding: str, n: int) -> None:
    network = random_network(1)
    made = decode(network, QUERIES, decoding, n=n, max_length=15)
    assert made.ids.shape[:-1] == made.scores.shape == ((5, n) if n > 1 else (5,))
    assert made.ids.shape[-1] <= 15
    for ids, score in zip(made.ids.flatten(0, -2), made.scores.flatten(), strict=True):
        assert ids[0] == BOS
        assert score <= 0
    assert 0 < made.calls <= 14


def test_scores_are_the_networks_log_probabilities_of_the_ids() -> None:
    network = random_network(1)
    made = decode(network, QUERIES, "exact", n=3, max_length=15)
    for source, beams, scores in zip(QUERIES, made.ids, made.scores, strict=True):
        for ids, score in zip(beams, scores, strict=True):
            row = torch.tensor([stripped(ids)])
            with torch.inference_mode():
                logs = network(torch.tensor([stripped(source)]), row[:, :-1]).log_softmax(-1)
            assert float(logs.gather(2, row[:, 1:, None]).sum()) == pytest.approx(float(score), abs=1e-5)


def test_a_network_that_has_changed_is_laid_out_again() -> None:
    network = random_network(1)
    before = decode(network, QUERIES, max_length=12).scores
    with torch.no_grad():
        network.classifier.bias[5] += 3.0
    after = decode(network, QUERIES, max_length=12).scores
    assert not torch.equal(before, after)
    assert torch.equal(after, decode(CachedDecoder(network), QUERIES, max_length=12).scores)


def test_a_time_limit_of_zero_gives_what_there_is_flagged() -> None:
    network = random_network(1)
    answers, calls = decode_rows(network, random_queries(7, 5), "exact", 3, 15, time_limit=0)
    assert calls == 0
    assert all(answer.is_timed_out and answer.hypotheses[0].ids == [BOS] for answer in answers)
    assert decode(network, QUERIES, "exact", n=3, time_limit=0).ids.shape == (5, 3, 1)


def test_a_time_limit_that_comes_midway_gives_the_beginning_of_the_whole_output(monkeypatch: pytest.MonkeyPatch) -> None:
    network, sources = random_network(1), random_queries(7, 5)
    whole, _ = decode_rows(network, sources, "greedy", max_length=15)
    ticks = itertools.count()
    monkeypatch.setattr(batching.time, "monotonic", lambda: float(next(ticks)))
    answers, calls = decode_rows(network, sources, "greedy", max_length=15, time_limit=3.5, batch_size=4)
    assert calls == 3
    for one, all_of_it in zip(answers, whole, strict=True):
        ids = one.hypotheses[0].ids
        assert ids == all_of_it.hypotheses[0].ids[: len(ids)]
        assert one.is_timed_out == (len(ids) < len(all_of_it.hypotheses[0].ids))


def test_no_output_is_longer_than_the_positions() -> None:
    made = decode(random_network(4), QUERIES, "speculative")
    assert made.ids.shape[1] == 64


def test_no_query_gives_no_answer() -> None:
    assert decode_rows(random_network(1), [], "greedy") == ([], 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoding": "fast"}, "unknown"),
        ({"n": 0}, "n is 0"),
        ({"n": 2}, "gives one output"),
        ({"decoding": "beam", "n": VOCABULARY + 1}, "cannot give so many"),
        ({"max_length": 1}, "max_length is 1; it must be at least 2"),
        ({"decoding": "speculative", "draft_length": 0}, "draft_length is 0"),
        ({"decoding": "speculative", "draft_count": 0}, "draft_count is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"time_limit": -1.0}, "must not be negative"),
    ],
)
def test_arguments_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        decode(random_network(1), QUERIES, **{"max_length": 12, **options})


def test_a_query_of_padding_alone_is_named() -> None:
    with pytest.raises(BadInput, match="Query 1 holds no token"):
        decode(random_network(1), torch.tensor([[BOS, 5, EOS], [PAD, PAD, PAD]]), max_length=9)
    with pytest.raises(BadInput, match=r"\(batch, source\)"):
        decode(random_network(1), torch.tensor([BOS, 5, EOS]), max_length=9)
