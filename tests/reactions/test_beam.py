"""Beam search, and its exact replay: the same list for any weights, drafts and batches."""

from collections.abc import Sequence
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


def by_hand(network: Transformer, source: list[int], n: int, limit: int) -> list[tuple[list[int], float]]:
    beams: list[tuple[list[int], float]] = [([BOS], 0.0)]
    while any(ids[-1] != EOS and len(ids) < limit for ids, _ in beams):
        found = []
        for ids, score in beams:
            if ids[-1] == EOS or len(ids) >= limit:
                found.append((ids, score))
                continue
            best = log_probabilities(network, source, ids).topk(n)
            found += [([*ids, token], score + more) for more, token in zip(*map(torch.Tensor.tolist, best), strict=True)]
        beams = sorted(found, key=lambda beam: -beam[1])[:n]
    return beams


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000), norm=st.sampled_from(["pre", "post"]), count=st.integers(1, 3), n=st.integers(1, 6),
    limit=st.integers(2, 14), length=st.integers(1, 12), width=st.integers(1, 3), batch_size=st.integers(1, 3),
    has_cache=st.booleans(),
)  # fmt: skip
def test_exact_equals_beam_in_order_and_score(
    seed: int, norm: str, count: int, n: int, limit: int, length: int, width: int, batch_size: int, has_cache: bool
) -> None:
    network, sources = random_network(seed, norm), random_queries(seed, count)
    expected = [by_hand(network, source, n, limit) for source in sources]
    plain, plain_calls = decode_rows(network, sources, "beam", n, limit, has_cache, batch_size=batch_size)
    drafter = RandomDrafts(seed, [ids for beams in expected for ids, _ in beams])
    exact, exact_calls = decode_rows(
        network, sources, "exact", n, limit, has_cache, length, width, drafter=drafter, batch_size=batch_size
    )
    for answers in (plain, exact):
        for beams, answer in zip(expected, answers, strict=True):
            assert [one.ids for one in answer.hypotheses] == [ids for ids, _ in beams]
            assert [one.log_probability for one in answer.hypotheses] == pytest.approx(
                [score for _, score in beams], abs=1e-9
            )
            assert [one.is_complete for one in answer.hypotheses] == [ids[-1] == EOS for ids, _ in beams]
    assert all(a.calls <= b.calls for a, b in zip(exact, plain, strict=True))
    assert batch_size > 1 or exact_calls <= plain_calls


class Likely:
    """Drafts of each answer of a list, where the output begins as it does."""

    def __init__(self, outputs: list[list[int]]) -> None:
        self._outputs = outputs

    def start(self, source: Sequence[int]) -> "Likely":
        del source
        return self

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        place = len(prefix)
        begun = [ids for ids in self._outputs if ids[:place] == list(prefix) and len(ids) > place]
        return [ids[place : place + length] for ids in begun[:width]]


def test_good_drafts_save_a_third_of_the_calls_also_where_beams_branch_off() -> None:
    plain_calls = exact_calls = 0
    for seed in range(4):
        network, sources = random_network(seed), random_queries(seed, 6)
        for source in sources:
            (plain,), _ = decode_rows(network, [source], "beam", 5, 30)
            drafter = Likely([one.ids for one in plain.hypotheses])
            (exact,), _ = decode_rows(network, [source], "exact", 5, 30, drafter=drafter)
            plain_calls, exact_calls = plain_calls + plain.calls, exact_calls + exact.calls
    assert 1.5 * exact_calls < plain_calls


def test_a_long_search_forgets_and_still_gives_the_list() -> None:
    network = random_network(4)
    source = random_queries(4, 1)[0]
    expected = by_hand(network, source, 5, 60)
    for decoding, options in (("beam", {}), ("exact", {"drafter": RandomDrafts(1, [ids for ids, _ in expected])})):
        (answer,), _ = decode_rows(network, [source], decoding, 5, 60, draft_length=20, **options)
        assert [one.ids for one in answer.hypotheses] == [ids for ids, _ in expected]


def test_one_beam_is_greedy() -> None:
    network, sources = random_network(2), random_queries(2, 4)
    greedy, _ = decode_rows(network, sources, "greedy", max_length=20)
    for decoding in ("beam", "exact"):
        answers, _ = decode_rows(network, sources, decoding, 1, 20)
        assert [answer.hypotheses[0].ids for answer in answers] == [answer.hypotheses[0].ids for answer in greedy]


def test_scores_do_not_rise_with_rank() -> None:
    made = decode(random_network(5), torch.tensor([[BOS, 5, 6, 7, EOS]]), "exact", n=8, max_length=20)
    assert made.scores[0].tolist() == sorted(made.scores[0].tolist(), reverse=True)


@pytest.mark.data
@pytest.mark.parametrize("decoding", ["beam", "exact"])
@pytest.mark.parametrize("cache", [True, False])
def test_lists_are_those_of_the_published_code(golden: Path, decoding: str, cache: bool) -> None:
    network, numbers = reference_network(golden)
    made = decode(network, torch.tensor(numbers["src"]), decoding, n=3, max_length=120, cache=cache)
    for number, beams in enumerate(made.ids):
        assert [stripped(row) for row in beams] == [stripped(row) for row in numbers[f"beam3_q{number}"]]
