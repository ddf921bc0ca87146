"""A model's answers as planners want them."""

import pytest

from tenfold.reactions.expansion import expand
from tests.reactions.planners import TARGET, TableModel

pytest.importorskip("rdkit", reason="extra reactions is not installed")


def test_invalid_answers_are_left_out_and_the_likeliest_comes_first() -> None:
    (found,) = expand(TableModel(), [TARGET], 5, search="exact", batch_size=1)
    assert [(step.smiles, step.probability) for step in found] == [
        ("CC(=O)Cl.CC(=O)Nc1ccc(O)cc1", 0.3), ("CC(=O)c1ccccc1.N", 0.1),
    ]  # fmt: skip


def test_molecules_written_in_two_ways_are_one_answer_with_the_sum() -> None:
    (found,) = expand(TableModel(), ["CC(=O)Nc1ccc(O)cc1"], 5, search="exact", batch_size=1)
    assert [step.probability for step in found] == [pytest.approx(0.6)]


def test_a_sum_of_probabilities_is_one_at_most() -> None:
    ((step,),) = expand(TableModel({"C": [("CO", 0.7), ("OC", 0.7)]}), ["C"], 5, search="exact", batch_size=1)
    assert step.probability == 1.0


def test_a_query_that_the_model_refuses_has_no_answers_and_spares_its_batch() -> None:
    refused, known = expand(TableModel(), ["C[Si]", TARGET], 5, search="exact", batch_size=8)
    assert (refused, len(known)) == ([], 2)


def test_no_queries_are_no_calls() -> None:
    model = TableModel()
    assert expand(model, [], 5, search="exact", batch_size=1) == []
    assert model.searches == []
