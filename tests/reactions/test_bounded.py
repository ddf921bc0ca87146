"""Answers within a time limit: whole ones if any, and the usual list where the time suffices."""

import time

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions.batching import Answer, Hypothesis
from tenfold.reactions.bounded import decode_within
from tenfold.reactions.model import Model
from tenfold.reactions.tokens import BOS, EOS

pytest.importorskip("rdkit", reason="extra reactions is not installed")

WHOLE, BETTER = Hypothesis([BOS, 5, EOS], -2.0, True), Hypothesis([BOS, 6, EOS], -1.0, True)
BEGUN = Hypothesis([BOS, 7], -0.5, False)


def deciding(first, listed):
    """A decoder that gives `first` to greedy decodings and `listed` to searches."""

    def decode(*, decoding, n, time_limit, **_):
        return ([first] if n == 1 and decoding in ("greedy", "speculative") else [listed]), 1

    return decode


def test_a_search_that_is_out_of_time_gives_whole_answers_the_likeliest_first():
    decode = deciding(Answer([WHOLE], 3, 9, [(1, 1)], False), Answer([BEGUN, BETTER], 4, 20, [], True))
    (found,) = decode_within(decode, 1.0, decoding="exact", n=5)
    assert (found.hypotheses, found.calls, found.is_timed_out) == ([BETTER, WHOLE], 7, True)


def test_where_nothing_is_whole_the_beginning_is_given_and_marked():
    decode = deciding(Answer([BEGUN], 3, 9, [], True), Answer([BEGUN], 0, 0, [], True))
    (found,) = decode_within(decode, 1.0, decoding="beam", n=5)
    assert (found.hypotheses, found.is_timed_out) == ([BEGUN], True)


def test_a_search_that_ends_in_time_gives_the_usual_list(stored):
    model = Model(stored, remember=0)
    plain = model.nbest("CCO.CC(=O)Cl", n=4, max_length=12)
    bounded = model.nbest("CCO.CC(=O)Cl", n=4, max_length=12, time_limit=100.0)
    assert [(one.smiles, one.notes) for one in bounded] == [(one.smiles, one.notes) for one in plain]
    assert bounded[0].calls > plain[0].calls


def test_a_time_that_is_too_short_is_noted_ends_soon_and_is_not_remembered(stored):
    model = Model(stored)
    begun = time.monotonic()
    found = model.predict("CCO.CC(=O)Cl", max_length=250, time_limit=1e-9)
    assert time.monotonic() - begun < 30  # 250 calls are not made
    assert found.truncated
    assert "The time limit came first; this is the best so far." in found.notes
    assert model.predict("CCO.CC(=O)Cl", max_length=250, time_limit=1e-9).milliseconds != found.milliseconds


def test_a_limit_is_that_of_a_batch_and_every_query_has_its_answer(stored):
    found = Model(stored).predict(["CCO.CC(=O)Cl", "CO.CN", "CO.C"], batch_size=1, max_length=6, time_limit=100.0)
    assert [len(one.notes) for one in found] == [0, 0, 0]


@pytest.mark.parametrize("limit", [0.0, -1.0, float("inf"), float("nan")])
def test_a_limit_that_is_no_time_is_refused(stored, limit):
    with pytest.raises(BadInput, match="time_limit is"):
        Model(stored).predict("CCO.CN", time_limit=limit)
