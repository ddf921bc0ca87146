"""What a visitor of the page can make the server do, and what not."""

import json

import pytest

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.core.keeping import Keeper
from tenfold.semgrad import guest, visit
from tests.semgrad import pipeline

FIELDS = {
    "task": "arithmetic", "start": "leaf", "graph_file": None, "question_file": None, "metric": "exact", "level": "full",
    "policy": "auto", "gate": "ties", "steps": 3, "seeds": 1, "seed": 0, "model": guest.ENGINE,
}  # fmt: skip


def ask(**changes):
    return visit.asked(**{**FIELDS, **changes})


@pytest.mark.parametrize(
    "model", ["engine:rules", "hf:/etc", "script:os:getcwd", "cassette:/etc/passwd", "http://10.0.0.1/v1#m", "", None, 3]
)
def test_a_visitor_names_no_model_that_the_owner_did_not(model):
    with pytest.raises(BadInput, match="does not offer that model"):
        ask(model=model)


def test_the_owner_offers_models_by_name(monkeypatch):
    monkeypatch.setenv(guest.MODELS, "small = openai:gpt-4o-mini; local=http://127.0.0.1:8000/v1#m")
    assert guest.models() == {
        guest.ENGINE: "engine:rules", "small": "openai:gpt-4o-mini", "local": "http://127.0.0.1:8000/v1#m",
    }  # fmt: skip
    assert ask(model="local").model == "local"
    monkeypatch.setenv(guest.MODELS, "openai:gpt-4o-mini")
    with pytest.raises(BadInput, match=guest.MODELS):
        guest.models()


def test_the_owners_limit_of_calls_ends_a_visitors_run(monkeypatch):
    monkeypatch.setenv(guest.CALLS, "150")
    with pytest.raises(BudgetReached, match="150 calls"):
        visit.optimise(ask(), lambda made: None)
    monkeypatch.setenv(guest.CALLS, "many")
    with pytest.raises(BadInput, match=guest.CALLS):
        visit.optimise(ask(), lambda made: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 1000}, "1 to 40 steps"),
        ({"steps": None}, "1 to 40 steps"),
        ({"seeds": float("nan")}, "1 to 40 steps"),
        ({"seed": float("inf")}, "1 to 40 steps"),
        ({"seeds": 0}, "seeds"),
        ({"seed": -1}, "seeds"),
        ({"task": "../secret"}, "no task"),
        ({"task": visit.OWN}, "Upload a graph"),
        ({"task": visit.OWN, "metric": "judge"}, "no score 'judge'"),
    ],
)
def test_fields_that_no_page_of_ours_sends_are_refused(changes, words):
    with pytest.raises(BadInput, match=words):
        ask(**changes)


@pytest.mark.parametrize(("name", "value"), [("level", "near"), ("policy", "some"), ("gate", "open")])
def test_choices_are_checked_before_anything_runs(name, value):
    with pytest.raises(BadInput, match=value):
        visit.optimise(ask(**{name: value}), lambda made: None)


def test_each_step_is_told_and_every_seed_runs():
    told = []
    made = visit.optimise(ask(seeds=2, policy="full"), told.append)
    assert [len(run) for run in told[0].runs] == [2]  # what was told does not change afterwards
    assert all("training score" in item.status() for item in told)
    assert len(made.runs) == len(made.finals) == len(made.tests) == 2
    assert made.runs[0][0] is not None
    assert [len(run) for run in made.runs] == [len(test) for test in made.tests]
    assert made.status().startswith("**Made with engine:rules")
    assert "over seeds" in made.status()


@pytest.fixture
def own(tmp_path):
    (tmp_path / "graph.json").write_text(json.dumps({"nodes": pipeline.NODES}))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pipeline.questions(20)))
    return {"task": visit.OWN, "graph_file": str(tmp_path / "graph.json"), "question_file": str(tmp_path / "rows.jsonl")}


def test_ones_own_pipeline_is_split_improved_edited_and_pinned(own, tmp_path):
    made = visit.optimise(ask(**own, policy="full", steps=6), lambda made: None)
    assert len(made.ask.train) == len(made.ask.test) == 10
    assert made.best.instructions["first"] == "Evaluate bracket 1, multiplying first."
    seen = made.seen(1)[0]
    after = visit.again(made, seen.sample, {})
    assert (after.feedback, after.advice) == ("", {})  # the best one answers it
    after = visit.again(made, seen.sample, {"first": "Evaluate bracket 1, left to right."})
    assert after.graph.instructions["first"] == "Evaluate bracket 1, left to right."
    assert after.values == seen.values
    assert after.advice
    onward = visit.onward(ask(**own), made, {"first": "Evaluate bracket 1, left to right."}, ["second", "answer"])
    assert onward.graph.trainable == ("first",)
    assert onward.train is made.ask.train
    with pytest.raises(BadInput, match="pinned"):
        visit.onward(ask(**own), made, {}, ["first", "second", "answer"])
    with pytest.raises(BadInput, match="Press Optimise"):
        visit.onward(ask(**own), None, {}, [])
    report = made.report(tmp_path / "report").read_text()
    assert "not a language model" in report[report.index("</h1>") :][:200]


def test_an_upload_is_named_as_its_owner_names_it_and_no_path_is_shown(own, tmp_path):
    (tmp_path / "graph.json").write_text('{"nodes": [{"name": "a", "instruction": "x", "inputs": ["a"], "output": true}]}')
    with pytest.raises(BadInput, match="cycle") as caught:
        ask(**own)
    assert str(tmp_path) not in str(caught.value)
    assert "graph.json" in str(caught.value)
    (tmp_path / "rows.jsonl").write_text("{broken")
    with pytest.raises(BadInput) as caught:
        guest.uploaded_questions(own["question_file"])
    assert str(tmp_path) not in str(caught.value)


def test_uploads_are_bounded(own, tmp_path):
    nodes = [{"name": f"n{i}", "instruction": "x", "inputs": ["question"]} for i in range(guest.MAX_NODES)]
    last = {"name": "out", "instruction": "x", "inputs": [node["name"] for node in nodes], "output": True}
    (tmp_path / "graph.json").write_text(json.dumps({"nodes": [*nodes, last]}))
    with pytest.raises(BadInput, match="at most 40 nodes"):
        guest.uploaded_graph(own["graph_file"])
    (tmp_path / "rows.jsonl").write_text('{"question": "1", "target": "1"}\n' * (guest.MAX_ROWS + 1))
    with pytest.raises(BadInput, match="at most 1,000 questions"):
        guest.uploaded_questions(own["question_file"])
    (tmp_path / "rows.jsonl").write_bytes(b" " * (guest.MAX_BYTES + 1))
    with pytest.raises(BadInput, match="MB"):
        guest.uploaded_questions(own["question_file"])


def test_a_graph_cannot_bring_a_function(own, tmp_path):
    nodes = [{"name": "a", "function": "os:system", "inputs": ["question"], "output": True}]
    (tmp_path / "graph.json").write_text(json.dumps({"nodes": nodes}))
    with pytest.raises(BadInput, match="os:system"):
        guest.uploaded_graph(own["graph_file"])


def test_the_runs_that_are_remembered_are_bounded_and_found_by_their_word_alone(monkeypatch):
    monkeypatch.setattr(visit, "_runs", Keeper(2))
    made = [visit.optimise(ask(steps=1), lambda made: None) for _ in range(3)]
    words = [visit.keep(item) for item in made]
    assert len(set(words)) == 3
    assert visit.kept(words[2]) is made[2]
    assert visit.kept("") is None
    for word in (words[0], "guess"):
        with pytest.raises(BadInput, match="no longer kept"):
            visit.kept(word)
