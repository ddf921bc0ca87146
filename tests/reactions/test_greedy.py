"""Speculation gives what plain greedy decoding gives: for any weights, drafts, batches and limits."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reactions.networks import (
    RandomDrafts,
    log_probabilities,
    random_network,
    random_queries,
    reference_network,
    stripped,
)
from tenfold.reactions.decoding import decode, decode_rows
from tenfold.reactions.network import Transformer
from tenfold.reactions.tokens import BOS, EOS


def by_hand(network: Transformer, source: list[int], limit: int) -> tuple[list[int], float]:
    ids, score = [BOS], 0.0
    while ids[-1] != EOS and len(ids) < limit:
        scores = log_probabilities(network, source, ids)
        ids.append(int(scores.argmax()))
        score += float(scores.max())
    return ids, score


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000), norm=st.sampled_from(["pre", "post"]), count=st.integers(1, 5), limit=st.integers(2, 24),
    length=st.integers(1, 40), width=st.integers(1, 4), batch_size=st.integers(1, 5), has_cache=st.booleans(),
)  # fmt: skip
def test_speculative_equals_greedy(
    seed: int, norm: str, count: int, limit: int, length: int, width: int, batch_size: int, has_cache: bool
) -> None:
    network, sources = random_network(seed, norm), random_queries(seed, count)
    expected = [by_hand(network, source, limit) for source in sources]
    drafter = RandomDrafts(seed, [ids for ids, _ in expected])
    for decoding, options in (("greedy", {}), ("speculative", {"drafter": drafter}), ("speculative-windows", {})):
        answers, calls = decode_rows(
            network, sources, decoding, 1, limit, has_cache, length, width, batch_size=batch_size, **options
        )
        assert calls <= sum(answer.calls for answer in answers)
        for (ids, score), answer in zip(expected, answers, strict=True):
            (found,) = answer.hypotheses
            assert found.ids == ids
            assert found.log_probability == pytest.approx(score, abs=1e-9)
            assert found.is_complete == (ids[-1] == EOS)
            assert 1 <= answer.calls <= len(ids) - 1 <= answer.calls * (length + 1)
            assert sum(share for _, share in answer.copied) + answer.calls == len(ids) - 1


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.randoms())
def test_order_of_rows_padding_and_own_limits_change_nothing(seed: int, shuffler) -> None:
    network, sources = random_network(seed), random_queries(seed, 6)
    limits = [shuffler.randint(2, 20) for _ in sources]
    order = shuffler.sample(range(6), 6)
    answers, _ = decode_rows(
        network,
        [sources[number] for number in order],
        "speculative",
        max_length=[limits[number] for number in order],
        batch_size=4,
    )
    for number, answer in zip(order, answers, strict=True):
        assert answer.hypotheses[0].ids == by_hand(network, sources[number], limits[number])[0]


def test_an_output_at_and_over_the_limit_is_returned_up_to_it() -> None:
    network = random_network(0)
    source = next(one for one in random_queries(1, 200) if 6 < len(by_hand(network, one, 30)[0]) < 25)
    whole, _ = by_hand(network, source, 30)
    for limit in range(2, len(whole) + 3):
        for decoding in ("greedy", "speculative", "speculative-windows"):
            for cache in (True, False):
                (answer,), _ = decode_rows(network, [source], decoding, 1, limit, cache, 10)
                assert answer.hypotheses[0].ids == whole[:limit]
                assert answer.hypotheses[0].is_complete == (limit >= len(whole))


def test_a_draft_that_is_the_truth_needs_one_call_and_wrong_drafts_need_no_more_than_plain() -> None:
    network = random_network(0)
    for source in random_queries(2, 5):
        ids, _ = by_hand(network, source, 9)
        (answer,), calls = decode_rows(network, [source], "speculative", 1, 9, drafter=_Fixed(ids))
        assert (calls, answer.hypotheses[0].ids) == (1, ids)
        wrong = [BOS, *[9 if token != 9 else 8 for token in ids[1:]]]
        assert decode_rows(network, [source], "speculative", 1, 9, drafter=_Fixed(wrong))[1] == len(ids) - 1


class _Fixed:
    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def start(self, source: object) -> "_Fixed":
        del source
        return self

    def propose(self, prefix: list[int], width: int, length: int) -> list[list[int]]:
        del width
        return [self.ids[len(prefix) : len(prefix) + length]]


@pytest.mark.data
@pytest.mark.parametrize("cache", [True, False])
def test_greedy_and_speculative_outputs_are_those_of_the_published_code(golden: Path, cache: bool) -> None:
    network, numbers = reference_network(golden)
    for name, decoding, options in (
        ("greedy", "greedy", {}),
        ("greedy_spec_N3_D5", "speculative-windows", {"draft_count": 3, "draft_length": 5}),
        ("greedy", "speculative", {}),
    ):
        made = decode(network, torch.tensor(numbers["src"]), decoding, max_length=120, cache=cache, **options)
        assert [stripped(row) for row in made.ids] == [stripped(row[0]) for row in numbers[name]]
