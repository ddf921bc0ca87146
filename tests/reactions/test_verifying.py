"""Verification finds differences where there are some, and none where there are none."""

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions.model import Model
from tenfold.reactions.tokens import EOS
from tenfold.reactions.verifying import TIE, time_decodings, verify
from tests.reactions.conftest import whole_beam

pytest.importorskip("rdkit", reason="extra reactions is not installed")
TEXTS = ["CCO.CC(=O)Cl", "C1CC", "CCO.N#CC=C", "CO.CC"]


def wrong_when_fast(network, sources, *, decoding, **options):
    """A decoder that loses the last token of each speculative answer."""
    answers, calls = whole_beam(network, sources, **options)
    if decoding not in ("speculative", "exact"):
        return answers, calls
    shorter = [[one._replace(ids=[*one.ids[:-2], EOS], is_complete=True) for one in row.hypotheses] for row in answers]
    return [row._replace(hypotheses=kept, calls=1) for row, kept in zip(answers, shorter, strict=True)], len(shorter)


@pytest.mark.parametrize("n", [1, 3])
def test_equal_answers_are_found_equal_and_bad_queries_left_out(stored, n):
    found = verify(Model(stored, decoder=whole_beam, remember=0), TEXTS, n=n, max_length=8)
    assert (found.rows, found.failed, found.differences, found.is_equal) == (3, 1, (), True)
    assert found.sentence().startswith("3 of 3 answers")
    assert found.to_dict()["equal"] == 3


@pytest.mark.parametrize("n", [1, 3])
def test_a_decoder_that_loses_tokens_is_found_out(stored, n):
    found = verify(Model(stored, decoder=wrong_when_fast, remember=0), TEXTS, n=n, max_length=8)
    assert len(found.differences) == 3
    assert [one.row for one in found.differences] == [1, 3, 4]
    assert not found.is_equal
    assert all(one.gap > TIE for one in found.differences)
    assert found.fast_calls == 1


def test_if_no_query_can_be_used_the_reason_is_told(model):
    with pytest.raises(BadInput, match=r"None of the 1 queries can be used\. Ring 1"):
        verify(model, ["C1CC"])
    with pytest.raises(BadInput, match="None of the 1 queries"):
        time_decodings(model, ["C1CC"], [1])


def test_decodings_are_timed_beside_plain_decoding_at_each_batch_size(stored):
    found = time_decodings(Model(stored, decoder=whole_beam, remember=0), TEXTS, [1, 2], max_length=4)
    assert [(one.decoding, one.batch_size) for one in found] == [
        (name, size) for size in (1, 2) for name in ("greedy", "speculative", "speculative-windows")
    ]
    assert all(one.speed == 1 for one in found if one.decoding == "greedy")
