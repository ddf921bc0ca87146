"""The offline tasks: graphs, starts, splits; and that learning works on them."""

import gzip
import json
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput
from tenfold.llm.engine.language import program
from tenfold.semgrad.tasks import TASKS, TRAIN, graph, load, start


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_graph_has_two_leaves_and_an_answer(task) -> None:
    made = graph(task, task.right)
    made.validate()
    assert list(made.nodes) == ["first", "second", "answer"]
    assert made.nodes["answer"].inputs == ("question", "first", "second")
    assert made.instructions == dict(task.right)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_start_is_followable_wrong_and_repeatable(task) -> None:
    for seed in range(20):
        leaf, everything = start(task, "leaf", seed), start(task, "all", seed)
        assert leaf["answer"] == task.right["answer"]
        assert leaf != dict(task.right) != everything
        assert leaf == start(task, "leaf", seed)
        assert all(not program(text).unknown for text in [*leaf.values(), *everything.values()])
    assert len({tuple(start(task, "all", seed).values()) for seed in range(20)}) > 5


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_choices_hold_the_right_instruction_and_several_others(task) -> None:
    assert {task.right["first"], task.right["second"]} < set(task.leaf_choices)
    assert task.right["answer"] in task.combiner_choices
    assert len(task.leaf_choices) >= 6
    assert len(task.combiner_choices) >= 4


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_training_and_test_questions_are_disjoint(task) -> None:
    train, test = load(task, seed=4)
    assert len(train) == TRAIN
    assert len(test) == 230
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert len({row["id"] for row in train + test}) == 250


@pytest.mark.data
def test_real_questions_are_split_once(data: Path) -> None:
    train, test = load(TASKS["arithmetic"], data, seed=1)
    assert (len(train), len(test)) == (20, 130)
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert train != load(TASKS["arithmetic"], data, seed=2)[0]


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    task = TASKS["navigate"]
    with pytest.raises(BadInput, match=r"holds no bbh\.jsonl\.gz"):
        load(task, tmp_path)
    path = tmp_path / "bbh.jsonl.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="cannot be read"):
        load(task, tmp_path)
    path.write_bytes(gzip.compress(json.dumps({"task": "navigate", "input": 3}).encode()))
    with pytest.raises(BadInput, match=r"row 1, column target: missing"):
        load(task, path.parent)
    row = {"task": "navigate", "input": "Take 1 step.", "target": "No"}
    other = tmp_path / "few.gz"
    other.write_bytes(gzip.compress(json.dumps(row).encode()))
    with pytest.raises(BadInput, match="holds 1 questions"):
        load(task, other)


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(BadInput, match="start 'middle'"):
        start(TASKS["boolean"], "middle")
