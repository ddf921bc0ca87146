"""The paper's speculative beam search, against a plain writing of its rules (spec section 1.6)."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reactions.networks import log_probabilities, random_network, random_queries
from tenfold.reactions.decoding import decode_rows
from tenfold.reactions.network import Transformer
from tenfold.reactions.sbs import NUCLEUS
from tenfold.reactions.tokens import BOS, EOS
from tenfold.reactions.windows import SmartWindows, Windows

Beam = tuple[list[int], float]


def by_hand(network: Transformer, source: list[int], n: int, limit: int, drafts) -> list[Beam]:
    beams: list[Beam] = [([BOS], 0.0)]
    while any(_is_alive(ids, limit) for ids, _ in beams):
        found: list[Beam] = []
        for ids, score in beams:
            if _is_alive(ids, limit):
                room = limit - len(ids) - 1
                proposed = [draft[:room] for draft in drafts.propose(ids, 100, 100)] if room else []
                found += expansions(network, source, ids, score, n, proposed)
            else:
                found.append((ids, score))
        beams = sorted(found, key=lambda beam: -beam[1])[:n]
    return beams


def _is_alive(ids: list[int], limit: int) -> bool:
    return ids[-1] != EOS and len(ids) < limit


def expansions(network: Transformer, source: list[int], ids: list[int], score: float, n: int, drafts) -> list[Beam]:
    accepted: list[int] = []
    for draft in drafts:
        count = 0
        while count < len(draft) and draft[count] in kept(log_probabilities(network, source, [*ids, *draft[:count]]), n):
            count += 1
        if count > len(accepted):
            accepted = draft[:count]
    found: list[Beam] = []
    for count in range(len(accepted) + 1):
        scores = log_probabilities(network, source, [*ids, *accepted[:count]])
        for token in scores.argsort(descending=True)[:n].tolist():
            if count == len(accepted) or token != accepted[count]:
                found.append(([*ids, *accepted[:count], token], score + float(scores[token])))
        if count < len(accepted):
            score += float(scores[accepted[count]])
    return found


def kept(scores: torch.Tensor, n: int) -> list[int]:
    order = scores.argsort(descending=True)
    before = scores[order].exp().cumsum(0) - scores[order].exp()
    return order[(before < NUCLEUS) & (torch.arange(len(order)) < n)].tolist()


@settings(max_examples=8)
@given(
    seed=st.integers(0, 10_000), n=st.integers(1, 4), limit=st.integers(2, 12),
    is_smart=st.booleans(), has_cache=st.booleans(),
)  # fmt: skip
def test_lists_follow_the_papers_rules(seed: int, n: int, limit: int, is_smart: bool, has_cache: bool) -> None:
    network, sources = random_network(seed), random_queries(seed, 3)
    drafter = SmartWindows(5, 4) if is_smart else Windows(5, 4)
    answers, _ = decode_rows(network, sources, "sbs", n, limit, has_cache, 5, 4, drafter=drafter, batch_size=2)
    for source, answer in zip(sources, answers, strict=True):
        expected = by_hand(network, source, n, limit, drafter.start(source))
        assert [one.ids for one in answer.hypotheses] == [ids for ids, _ in expected]
        assert [one.log_probability for one in answer.hypotheses] == pytest.approx(
            [score for _, score in expected], abs=1e-9
        )


def test_a_query_of_one_token_is_searched_too() -> None:
    (answer,), _ = decode_rows(random_network(1), [[BOS, 5, EOS]], "sbs", 3, 12)
    assert len(answer.hypotheses) == 3
