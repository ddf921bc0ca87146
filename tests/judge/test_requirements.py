"""Requirements: every form is read, every mistake has its sentence."""

import gzip
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.judge.linting import lint
from tenfold.judge.requirements import load_requirements, load_rubric, load_tasks
from tenfold.judge.rubric import Rubric, RubricNode, read_rubric

TASK = {
    "name": "05_Pole",
    "query": "Balance it.",
    "requirements": [
        {
            "requirement_id": 0,
            "prerequisites": [],
            "criteria": "The environment is made in `src/env.py`.",
            "satisfied": None,
        },
        {"requirement_id": 1, "prerequisites": [0], "criteria": "A plot is saved.", "category": "Visualization"},
    ],
}


def test_a_devai_task_is_read_from_a_file_a_text_and_values(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(json.dumps(TASK))
    read = [load_requirements(tmp_path / "task.json"), load_requirements(json.dumps(TASK)), load_requirements(TASK)]
    assert read[0] == read[1] == read[2]
    assert (read[0].name, read[0].query, len(read[0])) == ("05_Pole", "Balance it.", 2)
    assert read[0]["1"].prerequisites == ("0",)
    assert read[0]["1"].category == "Visualization"
    assert load_requirements(read[0]) == read[0]


def test_several_tasks_are_read_from_a_list_and_from_json_lines_and_one_is_named(tmp_path: Path) -> None:
    other = {**TASK, "name": "06_Maze"}
    (tmp_path / "a.jsonl").write_text(json.dumps(TASK) + "\n\n" + json.dumps(other) + "\n")
    (tmp_path / "b.json").write_text(json.dumps([TASK, other]))
    (tmp_path / "c.json").write_text(json.dumps(TASK) + "\n" + json.dumps(other))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    for name in ("a.jsonl", "b.json", "c.json", "d.jsonl.gz"):
        assert list(load_tasks(tmp_path / name)) == ["05_Pole", "06_Maze"]
        assert load_requirements(tmp_path / name, task="06").name == "06_Maze"
    with pytest.raises(BadInput, match=r"2 tasks, and none was named.*05_Pole"):
        load_requirements(tmp_path / "b.json")
    with pytest.raises(BadInput, match=r"no task '06_Maz2'.*06_Maze"):
        load_requirements(tmp_path / "b.json", task="06_Maz2")
    with pytest.raises(BadInput, match="2 tasks are named '0'"):
        load_requirements(tmp_path / "b.json", task="0")
    with pytest.raises(BadInput, match="Two tasks are named"):
        load_tasks([TASK, TASK])


def test_plain_text_has_one_requirement_a_line_without_bullets_and_comments(tmp_path: Path) -> None:
    text = "# what must hold\n- The data is loaded.\n\n2. A model is trained.\n* 3D plots are saved.\n"
    (tmp_path / "todo.txt").write_text(text)
    for read in (load_requirements(tmp_path / "todo.txt"), load_requirements(text)):
        assert [(item.id, item.criteria) for item in read] == [
            ("0", "The data is loaded."),
            ("1", "A model is trained."),
            ("2", "3D plots are saved."),
        ]
    assert load_requirements(["The data is loaded."])["0"].criteria == "The data is loaded."


def test_yaml_is_read_with_free_ids_prerequisites_and_weights(tmp_path: Path) -> None:
    rows = ["  - {id: load, criteria: Load it.}", "  - {id: plot, criteria: Plot it., needs: load, weight: 3}"]
    text = "\n".join(["name: plots", "requirements:", *rows, ""])
    (tmp_path / "a.yaml").write_text(text)
    for read in (load_requirements(tmp_path / "a.yaml"), load_requirements(text)):
        assert [item.id for item in read] == ["load", "plot"]
        assert read["plot"].prerequisites == ("load",)
        assert read["plot"].weight == 3.0
        assert read.name == "plots"


def task(*rows: object) -> dict[str, object]:
    return {"name": "t", "requirements": list(rows)}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('{"name": "t",\n "requirements": [}', r"not valid JSON at line 2, column 19: Expecting value"),
        ('[1, 2\n, {"a" 1}]', "line 2, column 8"),
        ('{"a": 1}\n{"a": }\n', "line 2, column 7"),
        ("requirements:\n  - criteria: [a\n", r"not valid YAML at line \d, column \d"),
        ("requirements:\n  - &a Load it.\n  - *a\n", "aliases"),
        (task(), "0 requirements"),
        ([], "0 requirements"),
        ("# only a comment\n\n#\n", "0 requirements"),
        ({"name": "t", "tasks": []}, "no list named requirements.*name, tasks"),
        (7, "value of kind int"),
        (task({"requirement_id": 0, "criterium": "a"}), "Requirement 0 has no criteria.*requirement_id, criterium"),
        (task({"criteria": "  "}), "criteria of requirement 0 is empty"),
        (task({"criteria": 5}), "criteria of requirement 0 is of type int"),
        (task(5), "Requirement 0 is of type int"),
        (task({"criteria": "a" * 20_001}), "20,001 characters"),
        (task({"requirement_id": 1, "criteria": "a"}, {"requirement_id": 1, "criteria": "b"}), "id 1 stands 2 times"),
        (task({"requirement_id": "one", "criteria": "a"}), "requirement_id 'one', which is no integer"),
        (task({"requirement_id": 1.5, "criteria": "a"}), "requirement_id 1.5, which is no integer"),
        (task({"requirement_id": True, "criteria": "a"}), "no integer"),
        (task({"id": "a b/c", "criteria": "a"}), "has the id 'a b/c'"),
        (task({"requirement_id": 0, "criteria": "a", "prerequisites": [3]}), "needs '3', which is not there.*There are: 0"),
        (task({"criteria": "a", "prerequisites": [[0]]}), r"prerequisite \[0\], which is no id"),
        (task({"criteria": "a", "weight": -1}), "weight -1"),
        (task({"criteria": "a", "weight": float("nan")}), "weight nan"),
        (task(*["a"] * 10_001), "10,001 requirements; the limit is 10,000"),
        ("[" * 100_000, "JSON"),
        ("nowhere/to/be/found.json", "nowhere/to/be/found.json does not exist. Requirements themselves"),
    ],
)
def test_a_mistake_is_said_in_a_sentence_with_its_place(source, words: str) -> None:
    with pytest.raises(BadInput, match=f"(?s){words}"):
        load_requirements(source)


def test_a_cycle_is_printed() -> None:
    rows = [{"requirement_id": i, "criteria": f"Step {i}.", "prerequisites": [(i + 1) % 3]} for i in range(3)]
    with pytest.raises(BadInput, match=r"cycle: (0 -> 2 -> 1 -> 0|1 -> 0 -> 2 -> 1|2 -> 1 -> 0 -> 2)"):
        load_requirements(task(*rows))


def test_a_requirement_that_needs_itself_is_read_without_that_edge() -> None:
    read = load_requirements(
        task({"requirement_id": 0, "criteria": "a"}, {"requirement_id": 1, "criteria": "b", "prerequisites": [0, 1]})
    )
    assert read["1"].prerequisites == ("0",)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 is open")
    (tmp_path / "b.json.gz").write_bytes(b"\x1f\x8b\x08broken")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"a\n" * (9 << 20)))
    for name, words in (
        ("a.txt", "not UTF-8 text .byte 3"),
        ("b.json.gz", "damaged"),
        ("c.txt.gz", "more than"),
        ("", "folder"),
    ):
        with pytest.raises(BadInput, match=words):
            load_requirements(tmp_path / name)


LEAF = {"requirements": "Do a part.", "weight": 1, "sub_tasks": []}


def test_a_rubric_becomes_weighted_leaves_whose_mean_is_the_root() -> None:
    inner = {
        "id": "in",
        "requirements": "Both.",
        "weight": 3,
        "sub_tasks": [{**LEAF, "id": "a"}, {**LEAF, "id": "b", "weight": 2}],
    }
    root = {"id": "root", "requirements": "All.", "weight": 1, "sub_tasks": [inner, {**LEAF, "id": "c", "score": 0.5}]}
    rubric = read_rubric(root, "paper")
    assert rubric.total({"a": 1.0, "b": 0.0, "c": 1.0}) == pytest.approx((3 * (1 / 3) + 1) / 4)
    flat = load_requirements(root)
    assert [(item.id, item.weight) for item in flat] == [("a", 0.25), ("b", 0.5), ("c", 0.25)]
    assert flat.query == "All."
    assert rubric.stored() == {"c": 0.5}
    with pytest.raises(BadInput, match="leaf 'b' has no score"):
        rubric.total({"a": 1.0})


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ({"sub_tasks": []}, "root has no text named requirements"),
        ({**LEAF, "sub_tasks": [{**LEAF, "id": "a"}, {**LEAF, "id": "a"}]}, "id 'a' twice"),
        ({**LEAF, "sub_tasks": [5]}, r"node root\.0 is a int"),
        ({**LEAF, "sub_tasks": "no"}, "no list"),
        ({**LEAF, "weight": "heavy"}, "weight of the rubric's node root is 'heavy'"),
        ({**LEAF, "score": 1.5}, "score of the rubric's node root is 1.5"),
    ],
)
def test_a_malformed_rubric_names_its_node(root, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_rubric(root)


def test_a_rubric_that_is_too_deep_is_refused() -> None:
    root = {**LEAF}
    for _ in range(60):
        root = {**LEAF, "sub_tasks": [root]}
    with pytest.raises(BadInput, match="deeper than 40"):
        load_requirements(root)


nodes = st.recursive(
    st.builds(lambda weight: RubricNode("", "leaf", weight), st.floats(0.1, 5)),
    lambda below: st.builds(
        lambda weight, children: RubricNode("", "node", weight, children=tuple(children)),
        st.floats(0.1, 5),
        st.lists(below, min_size=1, max_size=3),
    ),
    max_leaves=12,
)


def numbered(node: RubricNode, path: str = "r") -> RubricNode:
    children = tuple(numbered(child, f"{path}.{i}") for i, child in enumerate(node.children))
    return RubricNode(path, node.criteria, node.weight, children=children)


@given(nodes, st.randoms(use_true_random=False))
def test_the_flat_weighted_mean_of_a_rubric_is_its_tree_total(root: RubricNode, chance) -> None:
    rubric = Rubric("r", numbered(root))
    scores = {leaf.id: chance.random() for leaf in rubric.leaves()}
    flat = sum(share * scores[one] for one, share in rubric.shares().items())
    assert flat == pytest.approx(rubric.total(scores))
    assert sum(rubric.shares().values()) == pytest.approx(1.0)


@pytest.mark.data
def test_the_graded_papers_give_their_stored_roots(data: Path) -> None:
    rubric = load_rubric(data / "judge" / "paperbench_rubric_semantic-self-consistency.json.gz")
    assert len(rubric.leaves()) == 79
    assert rubric.total(rubric.stored()) == pytest.approx(0.91)
    other = load_rubric(data / "judge" / "paperbench_rubric_stay-on-topic-with-classifier-free-guidance.json.gz")
    totals = other.totals(other.stored())
    assert all(totals[node.id] == pytest.approx(node.score) for node in other.root.walk())


keys = st.sampled_from(
    ["name", "query", "requirements", "criteria", "requirement_id", "id", "prerequisites", "weight", "sub_tasks", "tags"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(keys | st.text(max_size=3), below, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300)
@given(values)
def test_whatever_is_given_is_read_or_refused_in_a_sentence(value) -> None:
    for source in (value, json.dumps(value), yaml.safe_dump(value)):
        try:
            found = load_tasks(source)
        except BadInput:
            continue
        assert all(len(one) and all(item.criteria for item in one) for one in found.values())
        assert list(lint(source)) == list(found)
