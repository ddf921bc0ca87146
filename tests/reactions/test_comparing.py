"""Decoders side by side: batches, their statistics, and going on where a run stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.comparing import Made, ratio, saved_share, share, trial
from tenfold.reactions.model import Asked, Model


@pytest.fixture
def model(stored) -> Model:
    return Model(stored, remember=0)


TEXTS = ["CCO.CC(=O)Cl", "CCO", "c1ccccc1Br", "CC(=O)Cl", "c1ccccc1"]


def test_a_trial_holds_every_answer_in_order_whatever_the_batches(model):
    one, two = (trial(model, TEXTS, Asked("greedy", max_length=12), size) for size in (1, 2))
    assert [len(batch.answers) for batch in two.batches] == [2, 2, 1]
    assert [[made.smiles for made in answers] for answers in one.answers] == [
        [made.smiles for made in answers] for answers in two.answers
    ]
    assert len(one.seconds()) == 5
    assert all(value > 0 for value in one.seconds(wall=True))


def test_a_stopped_trial_goes_on_behind_its_last_batch(model, tmp_path, monkeypatch):
    asked = Asked("greedy", max_length=12)
    whole = trial(model, TEXTS, asked, 2, folder=tmp_path / "whole")
    real, count = type(model).answers, []

    def stops(self, texts, how, size):
        count.append(list(texts))
        if len(count) == 4:  # the first is the one that is not timed
            raise KeyboardInterrupt
        return real(self, texts, how, size)

    monkeypatch.setattr(type(model), "answers", stops)
    with pytest.raises(KeyboardInterrupt):
        trial(model, TEXTS, asked, 2, folder=tmp_path / "stopped")
    found = trial(model, TEXTS, asked, 2, folder=tmp_path / "stopped")
    assert count[5:] == [TEXTS[4:]]
    assert found.answers == whole.answers
    again = trial(model, TEXTS, asked, 2, folder=tmp_path / "stopped")
    assert again == found
    assert len(count) == 6


def test_another_question_in_the_same_folder_is_refused(model, tmp_path):
    trial(model, TEXTS[:1], Asked("greedy", max_length=12), folder=tmp_path)
    with pytest.raises(BadInput, match="asked"):
        trial(model, TEXTS[:1], Asked("greedy", max_length=13), folder=tmp_path)


def test_a_bad_query_stops_the_trial_with_its_reason(model):
    with pytest.raises(BadInput, match="Ring 1"):
        trial(model, ["C1CC"], Asked("greedy"))


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=8))
def test_a_ratio_is_sum_over_sum_within_its_interval_which_the_pairs_bound(pairs):
    above, below = [a for a, _ in pairs], [b for _, b in pairs]
    found = ratio(above, [*below, 1.0])
    assert found.mean == pytest.approx(sum(above) / sum(below))
    each = [a / b for a, b in pairs]
    assert min(each) - 1e-9 <= found.low <= found.high <= max(each) + 1e-9


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_share_lies_in_its_interval_which_is_never_a_point(hits):
    found = share(hits)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 0.05 / len(hits)


def test_all_of_n_bounds_the_share_by_clopper_and_pearson():
    assert share([True] * 96).low == pytest.approx(0.025 ** (1 / 96))


def test_nothing_to_count_is_said():
    with pytest.raises(BadInput):
        share([])
    with pytest.raises(BadInput):
        ratio([], [1.0])


@pytest.mark.parametrize(
    ("calls", "truncated", "wanted"), [(4, False, 0.0), (2, False, 0.5), (3, True, 0.0), (9, True, 0.0)]
)
def test_tokens_that_needed_no_call_count_the_end_unless_there_was_none(calls, truncated, wanted):
    assert saved_share([Made("CCO", 0.0, calls, truncated)]) == pytest.approx(wanted)
