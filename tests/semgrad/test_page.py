"""The page's callbacks, called as Gradio calls them."""

import json
import os
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput
from tests.semgrad import pipeline

gr = pytest.importorskip("gradio", reason="the extra studio is not installed")
from tenfold.semgrad import guest, page, visit  # noqa: E402 - Gradio comes first

FIELDS = ["arithmetic", "leaf", None, None, "exact", "full", "full", "strict", 4, 1, 0, guest.ENGINE]


NAMES = ("made", "status", "curve", "strip", "best", "report", "step", "sample", "node", "pinned", "differences")


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """Gradio's private folder."""
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def views(private):
    """The views of a run, as they come."""
    return list(page._from_start(*FIELDS))


@pytest.fixture
def shown(views):
    """The views at the end of a run, by name."""
    return dict(zip(NAMES, views[-1], strict=True))


def test_the_page_builds_and_offers_only_the_rules_engine(monkeypatch):
    monkeypatch.delenv(guest.MODELS, raising=False)
    with gr.Blocks() as demo:
        page.build()
    fields = {block.label: block for block in demo.blocks.values() if getattr(block, "label", None)}
    assert [value for _, value in fields["Model"].choices] == [guest.ENGINE]
    assert not fields["Model"].visible
    wanted = {"Task", "Steps", "First seed", "Score over steps", "The graph", "Instruction", "Pinned"}
    assert wanted <= set(fields)


def test_views_come_step_by_step_and_the_first_line_says_what_answered(views, shown):
    assert len(views) >= 3
    assert all(len(view) == 11 for view in views)
    assert "not a language model" in views[1][1].splitlines()[0]
    assert "Held-out score of the best" in shown["status"]


def test_downloads_are_the_best_graph_and_the_report(shown, private):
    best, report = Path(shown["best"]["value"]), Path(shown["report"]["value"])
    assert {best.name, report.name} == {"best.json", "report.html"}
    assert best.is_relative_to(private)
    assert json.loads(best.read_text())["nodes"]
    assert os.stat(best.parent).st_mode & 0o077 == 0


def test_a_sample_shows_values_and_every_advice_as_text_too(shown):
    word, step, sample = shown["made"], shown["step"]["value"], shown["sample"]["value"]
    made = visit.kept(word)
    figure, table, text = page._look(word, step, sample, "first")
    seen = next(item for item in made.seen(step) if item.sample == sample)
    assert "advice that flows back" in {trace.name for trace in figure.data}
    for advice in seen.advice.values():
        assert advice in table
    assert text == made.best.instructions["first"]
    figure, table = page._again(word, step, sample, "first", "Evaluate bracket 1, left to right.")
    assert "target" in table


def test_each_advice_on_a_sample_is_followed_by_itself(shown):
    word, sample = shown["made"], shown["sample"]["value"]
    made = visit.kept(word)
    wrong = "Evaluate bracket 1 and report the last number in it."
    table = page._tried(word, sample, "first", wrong)
    for swap in visit.tried(made, sample, {"first": wrong}):
        assert f"{swap.node}: {swap.value} becomes {swap.candidate}" in table
    assert "the answer is" in table
    with pytest.raises(BadInput, match="no sample with advice"):
        page._tried("", None, None, "")


def test_differences_are_marked_and_escaped(shown):
    assert "<del>" in shown["differences"]
    assert "<ins>" in shown["differences"]
    assert "<script" not in page._table(("a", "b"), [("<script>", "<script>")])


def test_a_pinned_instruction_stays_when_one_goes_on(shown):
    wrong = "Evaluate bracket 1, left to right."
    *_, last = page._from_here(*FIELDS, shown["made"], "first", wrong, ["first"])
    made = visit.kept(last[0])
    assert made.start.instructions["first"] == wrong
    assert made.best.instructions["first"] == wrong


def test_nothing_to_look_at_is_said(private, tmp_path):
    assert page._look("", None, None, None)[0] is None
    right = [
        {**node, "instruction": node["instruction"].replace("left to right", "multiplying first")} for node in pipeline.NODES
    ]
    (tmp_path / "g.json").write_text(json.dumps({"nodes": right}))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pipeline.questions(8)))
    fields = [visit.OWN, "leaf", str(tmp_path / "g.json"), str(tmp_path / "q.jsonl"), *FIELDS[4:]]
    *_, last = page._from_start(*fields)
    assert "No instruction was changed." in last[-1]
    assert "No sample was looked at" in page._look(last[0], None, None, "first")[1]
