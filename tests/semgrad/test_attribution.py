"""Attribution by intervention: a hint is swapped, and only what depends on it runs again."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import semgrad as sg
from tenfold.core.errors import BadInput
from tenfold.llm.errors import RequestRefused
from tenfold.semgrad.attribution import advised
from tests.semgrad.build import pure, slow, two_leaves


def adder(request) -> str:
    """Leaves answer 1 and 2; the answer is the sum of the hints."""
    hints = [int(value) for value in re.findall(r"^Hint \d+:\n\t(-?\d+)$", request.prompt, re.MULTILINE)]
    return f"<output>{sum(hints) if hints else 1 if 'bracket 1' in request.prompt else 2}</output>"


def traced(client):
    return sg.run(two_leaves(), [{"question": "q", "target": "5", "id": "x"}], client, metric="exact")


def test_the_swap_that_mends_the_answer_is_found_and_the_other_is_flagged() -> None:
    rows = sg.attribute(two_leaves(), traced(pure(adder)), "x", {"first": 3, "second": ["9", "4"]}, pure(adder))
    assert [(r.node, r.candidate, r.answer, r.change) for r in rows] == [
        ("first", "3", "5", 1.0), ("second", "9", "10", 0.0), ("second", "4", "5", 1.0),
    ]  # fmt: skip
    assert [row.improves for row in rows] == [True, False, True]


def test_only_successors_are_asked_again() -> None:
    asked = []
    client = slow(lambda r: asked.append(r.tag) or adder(r))
    trace = traced(client)
    asked.clear()
    sg.attribute(two_leaves(), trace, 0, {"first": "3"}, client)
    assert asked == ["forward:answer"]


def test_advice_in_gradients_is_tried() -> None:
    client = pure(
        lambda r: "Hint 1: should be 3 (60 %) or 7 (40 %).\nHint 2: should stay 2." if r.role == "backward" else adder(r)
    )
    trace = traced(client)
    gradients = sg.backpropagate(two_leaves(), trace.values[0], feedback=trace.feedback[0], models=client)
    rows = sg.attribute(two_leaves(), trace, 0, gradients, client)
    assert [(row.node, row.candidate, row.improves) for row in rows] == [("first", "3", True), ("first", "7", False)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("should be 4 (80 %) or stay 7 (20 %).", ("4",)),
        ('should be "a or b" or Yes.', ("a or b", "Yes")),
        ("It should be 3.5. Then it is right.", ("3.5",)),
        ("should be -2, not 4.", ("-2",)),
        ("should stay 7.", ()),
        ("should not be 7.", ()),
        ("should be not 7", ()),
        ("be better", ()),
    ],
)
def test_values_are_read_from_advice(text, values) -> None:
    assert advised(text) == values


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_advice_raises(text) -> None:
    advised("should be " + text)


def test_unknown_nodes_and_samples_and_failed_ones_are_said() -> None:
    trace = traced(pure(adder))
    for sample, targets, message in (
        (0, {"third": 1}, "no node 'third'"),
        (7, {}, "no sample 7"),
        ("y", {}, "no sample 'y'"),
    ):
        with pytest.raises(BadInput, match=message):
            sg.attribute(two_leaves(), trace, sample, targets, pure(adder))
    rows = [{"question": "q", "target": 1}, {"question": "bad", "target": 1}]
    failed = sg.run(
        two_leaves(), rows, slow(lambda r: RequestRefused("No.") if "bad" in r.prompt else adder(r)), metric="exact"
    )
    with pytest.raises(BadInput, match="failed"):
        sg.attribute(two_leaves(), failed, 1, {"first": 1}, pure(adder))
