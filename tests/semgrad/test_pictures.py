import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.semgrad.pictures import (
    calls_figure,
    changes_figure,
    decisions_figure,
    diff_html,
    diff_words,
    graph_figure,
    layout,
    score_figure,
)

DIAMOND = {"first": ["question"], "second": ["question"], "answer": ["question", "first", "second"]}


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_difference_gives_both_texts_back(before, after):
    parts = diff_words(before, after)
    assert "".join(text for kind, text in parts if kind != "ins") == before
    assert "".join(text for kind, text in parts if kind != "del") == after


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_as_html_holds_no_tags_but_ours(before, after):
    assert set(re.findall(r"<[^>]*>", diff_html(before, after))) <= {"<ins>", "</ins>", "<del>", "</del>", "<br>"}


def test_removed_and_added_words_are_marked():
    assert diff_html("Evaluate bracket 1.", "Evaluate bracket 2.") == "Evaluate bracket <del>1</del><ins>2</ins>."
    assert diff_html("<b>", "<i>") == "&lt;<del>b</del><ins>i</ins>&gt;"


@st.composite
def dags(draw):
    count = draw(st.integers(1, 12))
    return {
        f"n{i}": draw(st.lists(st.sampled_from(["q", *(f"n{j}" for j in range(i))]), min_size=1, max_size=4, unique=True))
        for i in range(count)
    }


@given(dags())
def test_every_node_stands_below_its_inputs_and_none_on_another(inputs):
    places = layout(inputs)
    assert set(places) == set(inputs) | {source for sources in inputs.values() for source in sources}
    for name, sources in inputs.items():
        assert places[name].layer == 1 + max(places[source].layer for source in sources)
    assert len(set(places.values())) == len(places)
    assert all(-0.5 < place.x < 0.5 for place in places.values())


def test_a_long_chain_is_laid_out():
    chain = {f"n{i}": [f"n{i - 1}" if i else "q"] for i in range(3000)}
    assert layout(chain)["n2999"].layer == 3000


def test_an_order_within_layers_that_crosses_less_is_found():
    inputs = {"a": ["x"], "b": ["y"], "c": ["b"], "d": ["a"], "out": ["c", "d"]}
    places = layout(inputs)
    assert (places["a"].x < places["b"].x) == (places["d"].x < places["c"].x)


def test_advice_stands_on_its_edge_and_values_at_their_nodes():
    advice = {("first", "answer"): "should be 7."}
    figure = graph_figure(DIAMOND, values={"first": "5", "answer": "-32"}, advice=advice, output="answer")
    marks = {trace.name: trace for trace in figure.data}
    assert list(marks) == ["advice that flows back", "query", "node", "output"]
    assert "answer to first" in marks["advice that flows back"].hovertext[0]
    assert "should be 7." in marks["advice that flows back"].hovertext[0]
    assert marks["node"].text[0] == "<b>first</b><br>5"
    assert len(figure.layout.annotations) == 5  # the edges


def test_values_cannot_bring_marks_of_their_own_into_a_picture():
    hostile = '<a href="https://example.org">click</a>'
    figure = graph_figure(
        DIAMOND, values={"first": hostile}, instructions={"first": hostile}, advice={("first", "answer"): hostile}
    )
    text = figure.to_json()
    assert "<a " not in text
    assert "\\u003ca " not in text
    assert html.escape("<a ", quote=False) in text or "\\u0026lt;a " in text


def test_the_mean_over_seeds_has_a_band_and_short_runs_keep_their_last_score():
    figure = score_figure({"train": [[0.0, 1.0], [0.5]], "held-out": [[0.1]], "nothing": [[]]})
    band, mean, single = figure.data
    assert list(mean.y) == [0.25, 0.75]
    assert list(band.y)[:2] == [0.5, 1.0]  # highs
    assert single.name == "held-out"
    assert mean.name == "train (2 seeds)"


def test_decisions_changes_and_calls_are_drawn():
    strip = decisions_figure([("kept", "first"), ("rejected", "second"), ("kept", "first")])
    assert {trace.name: list(trace.x) for trace in strip.data} == {"kept": [1, 3], "rejected": [2]}
    assert list(changes_figure({"first": 2, "answer": 0}).data[0].x) == [2, 0]
    calls = calls_figure({"full": [100, None], "none": [None]}, budget=800)
    assert [list(trace.x) for trace in calls.data] == [[100, 800], [800]]
    assert calls.data[0].y[0] == "full (1 of 2)"


@pytest.mark.parametrize(
    "figure", [score_figure({}), decisions_figure([]), changes_figure({}), calls_figure({}), graph_figure({})]
)
def test_nothing_to_draw_is_no_error(figure):
    assert figure.to_json()
