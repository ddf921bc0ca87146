"""The scores of a model on reactions with known answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.equality import canonical_form, largest_molecule
from tenfold.reactions.scoring import Outcome, evaluate, round_trip, summarize, time_batches

pytest.importorskip("rdkit", reason="extra reactions is not installed")


@dataclass(frozen=True)
class Candidate:
    smiles: str
    log_probability: float = -1.0
    calls: int = 2


class Known:
    """A model that answers from a table, and counts what it is asked."""

    def __init__(self, answers: dict[str, Sequence[str]], stop_at: str | None = None) -> None:
        self.answers, self.stop_at, self.asked = answers, stop_at, []

    def nbest(self, smiles: list[str], n: int, search: str, batch_size: int) -> list[list[Candidate]]:
        if self.stop_at in smiles:
            raise KeyboardInterrupt
        for query in smiles:
            if query not in self.answers:
                raise BadInput(f"{query} is unknown.")
        self.asked += smiles
        return [[Candidate(answer, -float(place)) for place, answer in enumerate(self.answers[one])][:n] for one in smiles]


def test_a_hit_is_the_same_molecule_however_it_is_written() -> None:
    found = evaluate(Known({"Q": ["OCC", "C"]}), [("Q", "CCO")], n=3)
    assert [(one.k, one.accuracy.mean) for one in found.top] == [(1, 1.0), (3, 1.0)]


def test_atom_maps_do_not_make_another_molecule() -> None:
    assert canonical_form("[CH3:1][CH2:2][OH:3]") == canonical_form("OCC")


def test_an_answer_at_rank_two_counts_from_top_three_on() -> None:
    found = evaluate(Known({"Q": ["C", "CCO"], "R": ["N"]}), [("Q", "CCO"), ("R", "N")], n=3)
    assert [(one.k, one.accuracy.mean) for one in found.top] == [(1, 0.5), (3, 1.0)]


def test_an_invalid_answer_to_an_invalid_target_is_no_hit_but_an_error_row() -> None:
    found = evaluate(Known({"Q": ["C1CC"], "R": ["N"]}), [("Q", "C1CC"), ("R", "N")], n=1)
    assert (found.rows, found.scored, found.failed) == (2, 1, 1)
    assert found.errors[0][0] == 1
    assert "not a molecule" in found.errors[0][1]
    assert found.top[0].accuracy.mean == 1.0


def test_an_empty_target_is_an_error_row() -> None:
    assert evaluate(Known({"Q": [""], "R": ["N"]}), [("Q", ""), ("R", "N")], n=1).failed == 1


def test_a_row_that_the_model_refuses_does_not_take_its_batch_with_it() -> None:
    found = evaluate(Known({"Q": ["C"], "R": ["N"]}), [("Q", "C"), ("X", "C"), ("R", "N")], n=1, batch_size=3)
    assert (found.scored, found.errors) == (2, ((2, "X is unknown."),))


def test_if_no_row_can_be_scored_the_first_reason_is_told() -> None:
    with pytest.raises(BadInput, match=r"None of the 1 rows can be scored\. Row 1: X is unknown"):
        evaluate(Known({}), [("X", "C")])


def test_invalid_empty_and_repeated_answers_are_counted_at_their_rank() -> None:
    found = evaluate(Known({"Q": ["CO", "C1CC", "OC", ""], "R": ["", "N"]}), [("Q", "CO"), ("R", "N")], n=4)
    shares = [(one.candidates, one.invalid, one.empty, one.duplicate) for one in found.ranks]
    assert shares == [(2, 0, 0.5, 0), (2, 0.5, 0, 0), (1, 0, 0, 1), (1, 0, 1, 0)]


def test_the_largest_molecule_alone_is_compared_for_max_frag() -> None:
    found = evaluate(Known({"Q": ["CCCCO.Cl"]}), [("Q", "CCCCO.Br")], n=1)
    assert (found.top[0].accuracy.mean, found.top[0].max_fragment.mean) == (0.0, 1.0)
    assert largest_molecule(canonical_form("Cl.OCCCC")) == "CCCCO"


def test_the_way_back_counts_first_answers_and_queries_with_any_way_back() -> None:
    retro = Known({"CCO": ["C.O", "CC.O"], "CN": ["C.N"], "CCl": ["C1CC"]})
    forward = Known({"C.O": ["CO"], "CC.O": ["OCC"], "C.N": ["NC"]})
    found = evaluate(retro, [("CCO", "CC.O"), ("CN", "C.N"), ("CCl", "C.Cl")], n=2, forward=forward)
    assert found.round_trip is not None
    assert found.coverage is not None
    assert (found.round_trip.mean, found.coverage.mean) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_a_candidate_that_the_forward_model_refuses_has_no_way_back() -> None:
    found = evaluate(
        Known({"CCO": ["CC.O"], "CN": ["C.N"]}), [("CCO", "CC.O"), ("CN", "C.N")], n=1, forward=Known({"C.N": ["CN"]})
    )
    assert found.round_trip is not None
    assert found.round_trip.mean == 0.5


def test_an_answer_that_holds_the_product_itself_leads_nowhere_back() -> None:
    forward = Known({"CCO": ["CCO"], "CCO.O": ["CCO"], "C.CO": ["CCO"]})
    found = round_trip(Known({"CCO": ["OCC", "O.OCC", "C.OC"]}), forward, ["CCO"], n=3)
    assert (found.outcomes[0].returned, found.first.mean, found.coverage.mean) == ("001", 0.0, 1.0)


def test_without_a_forward_model_there_is_no_round_trip() -> None:
    assert evaluate(Known({"Q": ["C"]}), [("Q", "C")]).round_trip is None


def test_accepted_is_the_share_of_tokens_that_needed_no_call() -> None:
    found = evaluate(Known({"Q": ["CCCCCCC"]}), [("Q", "C")], n=1)  # 7 tokens and the end in 2 calls
    assert found.acceptance.mean == 0.75
    assert found.calls.mean == 2


def test_a_stopped_evaluation_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    rows = [("C" * length, "C" * length) for length in range(1, 41)]
    answers = {query: [target] for query, target in rows}
    with pytest.raises(KeyboardInterrupt):
        evaluate(Known(answers, stop_at="C" * 30), rows, n=1, folder=tmp_path)
    second = Known(answers)
    found = evaluate(second, rows, n=1, folder=tmp_path)
    assert found.to_dict()["top"] == evaluate(Known(answers), rows, n=1).to_dict()["top"]
    assert len(second.asked) == 16  # 24 rows were saved, in batches of eight
    assert json.loads((tmp_path / "result.json").read_text())["scored"] == 40
    third = Known(answers)
    assert evaluate(third, rows, n=1, folder=tmp_path).to_dict() == found.to_dict()
    assert third.asked == []


def test_other_rows_on_the_same_folder_are_refused(tmp_path: Path) -> None:
    evaluate(Known({"Q": ["C"]}), [("Q", "C")], n=1, folder=tmp_path)
    with pytest.raises(BadInput):
        evaluate(Known({"Q": ["C"]}), [("Q", "N")], n=1, folder=tmp_path)


@pytest.mark.parametrize("name", ["n", "batch_size"])
def test_less_than_one_candidate_or_query_at_once_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"{name} is 0; it must be at least 1"):
        evaluate(Known({"Q": ["C"]}), [("Q", "C")], **{name: 0})


@given(st.lists(st.integers(0, 10), min_size=1, max_size=30))
def test_top_k_never_falls_with_k(ranks: list[int]) -> None:
    found = summarize([Outcome(row, rank=rank, kinds="v" * 10) for row, rank in enumerate(ranks, start=1)], 10)
    means = [one.accuracy.mean for one in found.top]
    assert means == sorted(means)
    assert means[-1] == pytest.approx(sum(rank > 0 for rank in ranks) / len(ranks))


def test_every_batch_size_is_timed_on_all_queries() -> None:
    model = Known({"Q": ["C"], "R": ["N"]})
    found = time_batches(model, ["Q", "R"], batch_sizes=(1, 8), repeats=2)
    assert [(one.batch_size, one.calls) for one in found] == [(1, 2.0), (8, 2.0)]
    assert model.asked == ["Q", "R"] * 4
    assert all(one.wall > 0 for one in found)
