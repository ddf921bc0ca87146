"""The judge as a reward."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from judge.made import report, reports, requirements
from tenfold.judge.scoring import feedback, score_report, scorer
from tenfold.judge.types import Report
from tenfold.llm.scorer import Score, Scorer


def test_feedback_names_what_others_build_on_first_with_its_place() -> None:
    judged = report(requirements([[], [], [1]]), ["undecided", "unsatisfied", "satisfied"])
    assert feedback(judged).splitlines() == [
        "Not met: The result 1 is saved in `results/1.txt`. results/1.txt is missing (src/a.py:3)",
        "Not shown: The result 0 is saved in `results/0.txt`. results/0.txt is missing (src/a.py:3)",
    ]
    assert feedback(judged, limit=1).endswith("And 1 more.")
    assert feedback(report(requirements([[]]), ["satisfied"])) == ""


def test_a_judging_function_is_a_scorer() -> None:
    asked = requirements([[]])

    def judge(task: Mapping[str, Any], output: str) -> Report:
        return report(asked, ["satisfied" if task["target"] in output else "unsatisfied"])

    found: Scorer = scorer(judge)
    assert found({"target": "x"}, "xyz") == Score(0.9, "")
    assert found({"target": "x"}, "none")[0] == 0.2


@settings(max_examples=50)
@given(reports(), st.data())
def test_the_reward_lies_in_0_1_and_rises_with_every_verdict_that_turns_good(judged: Report, data) -> None:
    low = score_report(judged).score
    assert 0.0 <= low <= 1.0
    place = data.draw(st.integers(0, len(judged.judgements) - 1))
    verdicts = [one.verdict for one in judged]
    verdicts[place] = "satisfied"
    better = report(judged.requirements, verdicts)
    assert score_report(better).score >= low
    if judged.judgements[place].verdict != "satisfied":
        assert score_report(better).score > low
