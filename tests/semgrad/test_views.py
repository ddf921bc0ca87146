import shutil

import pytest

from tenfold.core.errors import BadInput
from tenfold.semgrad import optimiser
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.views import changes, curve, decisions, kept_changes, run_figures, samples_seen, view_run
from tests.semgrad import pipeline


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "run"
    rows = pipeline.questions(24)
    graph = Graph.from_dict({"nodes": pipeline.NODES})
    return folder, optimiser.optimise(graph, rows[:10], rows[10:], run_dir=folder, update="full", seed=1)


def test_the_curve_begins_at_the_start_and_ends_at_the_kept_score(made):
    _, result = made
    found = curve(result.start_score, result.history)
    assert (found[0], found[-1]) == (result.start_score, result.kept_score)
    assert len(found) == len(result.history) + 1


def test_changes_lead_from_the_first_texts_to_the_last(made):
    _, result = made
    texts = dict(result.start.instructions)
    for change in kept_changes(result.start, result.history):
        assert texts[change.parameter] == change.before != change.after
        texts[change.parameter] = change.after
    assert texts == dict(result.history[-1].instructions)
    assert sum(changes(result.start, result.history).values()) == len(kept_changes(result.start, result.history))


def test_every_round_has_its_decision(made):
    _, result = made
    found = decisions(result.history)
    assert len(found) == sum(len(step.rounds) for step in result.history)
    kept = sum(item.accepted for step in result.history for item in step.rounds)
    assert sum(kind == "kept" for kind, _ in found) == kept >= 1


def test_a_drawn_sample_shows_its_values_and_the_advice_on_its_edges(made):
    _, result = made
    for seen in samples_seen(result.start, result.history[0]):
        again = result.gradients(step=1, sample=seen.sample)
        assert seen.values == again["values"]
        assert {(source, node, text) for (source, node), text in seen.advice.items()} == {
            (source, node, text) for node, source, text in again["edges"]
        }
        assert {("first", "answer"), ("second", "answer")} >= set(seen.advice)
        assert seen.feedback.startswith("The output should be")


def test_a_folder_is_read_as_it_was_written_finished_or_not(made):
    folder, result = made
    view = view_run(folder)
    assert view.start.to_dict() == result.start.to_dict()
    assert view.best.to_dict() == result.best.to_dict()
    assert view.history == result.history
    assert len(run_figures(view.start, 0.0, view.history, 1.0)) == 4
    with pytest.raises(BadInput, match="no run of semgrad"):
        view_run(folder.parent)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", '{"system": "semgrad", "graph": {"nodes": 5}}'),
        ("config.json", '{"system": "semgrad", "graph": {"nodes": [{"function": 3, "name": []}]}}'),
        ("result.json", "[]"),
        ("best.json", "[]"),
        ("history.jsonl", "{}\n"),
    ],
)
def test_a_folder_that_someone_changed_is_a_sentence(made, tmp_path, name, content):
    shutil.copytree(made[0], tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(BadInput):
        view_run(tmp_path / "run")
