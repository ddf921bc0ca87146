"""Two reports side by side."""

import json

import pytest
from hypothesis import given, settings

from judge.made import report, reports, requirements
from tenfold.core.errors import BadInput
from tenfold.judge.comparison import compare, mcnemar
from tenfold.judge.types import Report, Requirement, Requirements


def test_what_was_gained_and_lost_is_told_from_what_changed() -> None:
    asked = requirements([[], [0], [], []])
    before = report(asked, ["satisfied", "unsatisfied", "undecided", "unsatisfied"], "old")
    after = report(asked, ["unsatisfied", "satisfied", "unsatisfied", "unsatisfied"], "new")
    found = compare(before, after)
    assert [row.change for row in found.rows] == ["lost", "gained", "changed", "same"]
    assert found.names == ("old", "new")
    assert found.gains["met"][:3] == (0.25, 0.25, 0.0)
    assert found.gains["met_dependent"].second == 0.0
    assert found.gains["met"].interval is None
    assert found.rows[1].probability == pytest.approx(0.7)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["counts"] == {"gained": 1, "lost": 1, "changed": 1, "same": 1}
    assert "3 of 4 verdicts differ" in found.to_markdown()


def test_requirements_are_partners_by_their_words_and_the_lonely_are_listed() -> None:
    first = Requirements(
        "t", (Requirement("0", "Save `a.txt`."), Requirement("1", "Train it."), Requirement("2", "Train it."))
    )
    second = Requirements("u", (Requirement("5", 'save "a.txt"'), Requirement("2", "Train it."), Requirement("9", "New.")))
    found = compare(report(first, ["satisfied"] * 3), report(second, ["satisfied"] * 3))
    assert [row.requirement.id for row in found.rows] == ["5", "2"]
    assert found.only_first == ("t: 1",)
    assert found.only_second == ("t: 9",)
    with pytest.raises(BadInput, match="no requirement in common"):
        compare(report(first, ["satisfied"] * 3), report(Requirements("u", (Requirement("0", "Else."),)), ["satisfied"]))


def test_sets_of_reports_give_intervals_over_tasks() -> None:
    asked = {f"t{i}": requirements([[], []], f"t{i}") for i in range(10)}
    old = {name: report(one, ["unsatisfied", "unsatisfied"]) for name, one in asked.items()}
    new = {name: report(one, ["satisfied", "unsatisfied"]) for name, one in asked.items()}
    found = compare(old, new, names=("agent A", "agent B"))
    assert found.gains["met"][:3] == (0.0, 0.5, 0.5)
    assert found.gains["met"].interval == pytest.approx((0.5, 0.5))
    assert found.p_value == pytest.approx(2 / 2**10)
    assert "agent A" in found.to_markdown()


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(6, 1) == pytest.approx(2 * (1 + 7) / 128)


@settings(max_examples=40)
@given(reports())
def test_a_report_against_itself_has_no_difference(judged: Report) -> None:
    found = compare(judged, judged)
    assert not found.changed()
    assert found.p_value == 1.0
    assert all(gain.difference == 0.0 for gain in found.gains.values())
