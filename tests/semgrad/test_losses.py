"""Losses: what is right, what is not, and what they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.semgrad.losses import Judge, exact, f1, feedback_of, loss_named, normalised, numeric, regex, score_of


@pytest.mark.parametrize(
    ("output", "target"),
    [("1200", "1,200"), ("(A)", "A"), ("a", "(A)"), (" yes. ", "Yes"), ("No", "no"), ("4.0", "4"), ("$1,200", "1200"),
     ("a  b", "a b"), ('"7"', "7"), ("−3", "-3")],
)  # fmt: skip
def test_the_same_answer_in_another_form_is_right(output, target) -> None:
    assert exact({"target": target}, output) == (1.0, "")


@pytest.mark.parametrize(("output", "target"), [("1200", "1201"), ("A", "B"), ("", "0"), ("-3", "3"), ("12 00", "1200")])
def test_another_answer_is_wrong_and_the_feedback_names_the_target(output, target) -> None:
    assert exact({"target": target}, output) == (0.0, f"The output should be {target}.")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_form_of_a_form_is_itself(text) -> None:
    assert normalised(normalised(text)) == normalised(text) or len(text) > 30


def test_numbers_are_compared_within_the_tolerance() -> None:
    assert numeric(0.01)({"target": 100}, "It is 100.5.")[0] == 1
    assert numeric(0.001)({"target": 100}, "It is 100.5.")[0] == 0
    assert numeric()({"target": "5"}, "none")[0] == 0
    with pytest.raises(BadInput, match="no number"):
        numeric()({"target": "five"}, "5")


def test_a_pattern_matches_the_whole_output_and_dangerous_ones_are_refused() -> None:
    assert regex({"target": "[0-9]+ apples"}, "12 apples")[0] == 1
    assert regex({"target": "[0-9]+"}, "12 apples")[0] == 0
    for pattern in ("(a+)+b", "(", "x" * 600):
        with pytest.raises(BadInput):
            regex({"target": pattern}, "aaaaaaaa")


def test_f1_counts_common_words() -> None:
    assert f1({"target": "the red car"}, "the car")[0] == pytest.approx(0.8)
    assert f1({"target": "the red car"}, "The red car!") == (1.0, "")
    assert f1({"target": "the red car"}, "")[0] == 0


def test_a_judge_is_asked_and_its_lines_are_read() -> None:
    judge = Judge("Short and right.")
    request = judge.request({"question": "2 + 2?", "target": "4", "id": "x"}, "5")
    assert request.role == "judge"
    assert "Short and right." in request.prompt
    assert judge.read("Thinking.\n**Score**: 0.25\nFeedback: Say 4.") == (0.25, "Say 4.")
    assert judge.read("Score: 7/10\nFeedback: x")[0] == pytest.approx(0.7)
    assert judge.read("no idea") == (0.0, "The judge gave no score.")
    assert judge.read("Score: 9")[0] == 0


@settings(deadline=None)
@given(st.text())
def test_no_judgement_raises(text) -> None:
    assert 0 <= Judge().read(text).score <= 1


def test_a_function_is_a_loss_and_its_faults_are_said() -> None:
    assert score_of(lambda task, output: (0.5, "more"), {}, "x") == (0.5, "more")
    assert score_of(lambda task, output: True, {}, "x") == (1.0, "")  # pyright: ignore[reportArgumentType]
    for wrong in (lambda t, o: 2, lambda t, o: ("a", "b"), lambda t, o: 1 / 0, lambda t, o: float("nan"), lambda t, o: None):
        with pytest.raises(BadInput, match="metric"):
            score_of(wrong, {}, "x")
    with pytest.raises(BadInput, match="exact, numeric, regex, f1, judge"):
        loss_named("bleu")


def test_right_answers_have_feedback_too_when_they_are_shown() -> None:
    assert feedback_of({"target": 4}, "4", "") == "The output should be 4."
    assert feedback_of({}, "x", "") == "The output should be x."
