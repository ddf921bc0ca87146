"""The face of a model: SMILES in, SMILES out, each question once."""

import math

import pytest
import torch

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.reactions.batching import Answer, Hypothesis
from tenfold.reactions.confidence import Calibration
from tenfold.reactions.model import Asked, Model
from tenfold.reactions.tokens import EOS, Vocabulary, tokenize
from tests.reactions.conftest import whole_beam

pytest.importorskip("rdkit", reason="extra reactions is not installed")
SHORT = {"max_length": 12}


class Counting:
    """Counts the queries that are decoded, and has memory for `room` of them at once."""

    def __init__(self, room: int = 1000) -> None:
        self.room, self.asked = room, []

    def __call__(self, network, sources, *, batch_size, **options):
        self.asked.append((len(sources), batch_size))
        if min(len(sources), batch_size) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole_beam(network, sources, **options)


def test_a_query_gives_an_answer_and_a_list_gives_a_list(model):
    one = model.predict("CCO.CC(=O)Cl", **SHORT)
    assert model.predict(["CCO.CC(=O)Cl"], **SHORT) == [one]
    assert math.isclose(one.probability, math.exp(one.log_probability))
    assert one.calls >= 1
    assert one.smiles


def test_what_is_no_text_and_no_list_of_texts_is_refused(model):
    for wrong in (iter(["CCO.CN"]), None, 5, b"CCO", ["CCO.CN", 3]):
        with pytest.raises(BadInput, match="a text or a list of texts"):
            model.predict(wrong)


def test_an_answer_at_the_length_limit_is_flagged_and_never_empty(model):
    one = model.predict("CCO.CC(=O)Cl", max_length=3)
    assert one.truncated
    assert one.smiles


def test_answers_come_in_the_order_of_the_queries_whatever_their_lengths(model):
    texts = ["CCO.CC(=O)Cl", "CCO.N#CC=C", "OB(O)c1ccccc1.c1ccccc1Br", "CO.CC"]
    alone = [model.predict(text, **SHORT).smiles for text in texts]
    fresh = Model(_stored_of(model), decoder=whole_beam, remember=0)
    assert [one.smiles for one in fresh.predict(texts, batch_size=2, **SHORT)] == alone


def test_a_repeated_query_is_computed_once_however_it_is_written(stored):
    counting = Counting()
    model = Model(stored, decoder=counting)
    model.predict(["CCO.CC(=O)Cl", "OCC.CC(Cl)=O", "CCO.CC(=O)Cl"], **SHORT)
    model.predict("OCC.CC(Cl)=O", **SHORT)
    assert [queries for queries, _ in counting.asked] == [1]
    model.predict("OCC.CC(Cl)=O", max_length=11)
    assert [queries for queries, _ in counting.asked] == [1, 1]


def test_a_model_that_remembers_nothing_computes_again(stored):
    counting = Counting()
    model = Model(stored, decoder=counting, remember=0)
    model.predict("CCO.CN", **SHORT)
    model.predict("CCO.CN", **SHORT)
    assert [queries for queries, _ in counting.asked] == [1, 1]


def test_without_enough_memory_the_batch_is_halved_and_it_is_said(stored, capsys):
    counting = Counting(room=2)
    model = Model(stored, decoder=counting)
    texts = ["CCO.CN", "CCO.C", "CO.C", "OB(O)C.CN"]
    assert len(model.predict(texts, batch_size=4, **SHORT)) == 4
    assert counting.asked == [(4, 4), (4, 2)]
    assert "Not enough memory for 4 queries at once: going on with 2." in capsys.readouterr().err
    with pytest.raises(TenfoldError, match="not enough memory for a single query"):
        Model(stored, decoder=Counting(room=0)).predict("CCO.CN", **SHORT)


def test_another_failure_of_the_decoder_is_not_taken_for_missing_memory(stored):
    def broken(*_, **__):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        Model(stored, decoder=broken).predict("CCO.CN", **SHORT)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "n is 0; it must be from 1 to"),
        ({"n": 10_000}, "n is 10000; it must be from 1 to"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"draft_length": 0}, "draft_length is 0"),
        ({"draft_count": -1}, "draft_count is -1"),
        ({"max_length": 0}, "max_length is 0; it must be from 1 to 256"),
        ({"search": "best"}, "search 'best' is unknown"),
    ],
)
def test_an_option_out_of_range_is_named_with_its_range(model, options, words):
    with pytest.raises(BadInput, match=words):
        model.nbest("CCO.CN", **options)


def test_greedy_decoding_gives_one_answer():
    with pytest.raises(BadInput, match="n is 5; greedy decoding gives 1"):
        Asked("greedy", 5).check(100, 100)


def test_an_unknown_token_is_named_and_kept_only_on_request(model):
    with pytest.raises(BadInput, match=r"Token '\[Uuo\]' is not in this model's vocabulary \(\d+ tokens\)"):
        model.predict("CCO.[Uuo]", **SHORT)
    assert "Unknown to the model: [Uuo]." in model.predict("CCO.[Uuo]", keep_unknown=True, **SHORT).notes


def test_too_long_a_query_is_refused_with_both_numbers(model):
    with pytest.raises(BadInput, match="300 tokens, limit 254"):
        model.predict("C" * 300)


def test_a_bad_query_of_a_list_is_named_by_its_row(model):
    with pytest.raises(BadInput, match="Row 2: Ring 1 is opened but never closed"):
        model.predict(["CCO.CN", "C1CC"], **SHORT)
    found = model.answers(["CCO.CN", "C1CC"], Asked(max_length=12))
    assert len(found[0]) == 1
    assert isinstance(found[1], BadInput)


def test_scores_never_rise_with_the_rank(model):
    found = model.nbest("CCO.CN", n=5, search="beam", **SHORT)
    assert len(found) == 5
    scores = [one.log_probability for one in found]
    assert scores == sorted(scores, reverse=True)


def test_a_calibrated_probability_goes_to_the_first_spelling_and_none_to_invalid_answers(stored):
    calibration = Calibration(intercept=0.0, rise=1.0, fall=0.5, length=0.0, cases=10)
    model = Model(stored, decoder=whole_beam, calibration=calibration)
    found = model._probabilities(["OCC", "C1CC", "CCO", "CN"], [-1.0, -1.2, -1.5, -2.0], 6)
    assert found[0] > found[3] > 0
    assert found[1] == found[2] == 0
    assert sum(found) <= 1


def test_the_spans_that_an_answer_copies_stand_in_both(stored):
    def copies(network, sources, **_):
        return [Answer([Hypothesis([*source[:6], EOS], -0.5, True)], 2, 7, [], False) for source in sources], 2

    found = Model(stored, decoder=copies).predict("CCO.CC(=O)Cl")
    query = tokenize("CC(=O)Cl.CCO")
    assert found.smiles == "CC(=O"
    (span,) = found.copied
    assert query[span.source_start : span.source_start + span.length] == ["C", "C", "(", "=", "O"]


def test_weights_and_a_vocabulary_of_different_models_are_refused_with_both_sizes(stored):
    other = stored._replace(vocabulary=Vocabulary.of(["CO"]))
    with pytest.raises(BadInput, match=rf"has 6 tokens, the network {len(stored.vocabulary)}"):
        Model(other)


def test_an_unknown_export_is_refused(model, tmp_path):
    with pytest.raises(BadInput, match="format 'onnx' is unknown"):
        model.export(tmp_path / "x", format="onnx")


def _stored_of(model):
    from tests.reactions.conftest import Stored

    return Stored(model.network, model.vocabulary, model.card)
