"""The DevAI benchmark as data: counts, categories, joins, flags."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tenfold import registry
from tenfold.core.data import catalogue, verify
from tenfold.core.errors import BadInput, DataMissing
from tenfold.judge import devai
from tenfold.judge.dag import depths
from tenfold.judge.forms import read_drafts
from tenfold.judge.labels import join_labels


@pytest.fixture
def as_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge's data sets are in the catalogue."""
    monkeypatch.setattr(registry, "SYSTEMS", {"judge": replace(registry.SYSTEMS["judge"], is_ready=True)})


@pytest.mark.data
def test_devai_has_55_tasks_365_requirements_125_preferences_and_a_dag_each(data: Path) -> None:
    found = devai.instances(data / "judge")
    assert len(found) == 55
    assert sum(len(one.requirements) for one in found.values()) == 365
    assert sum(len(one.preferences) for one in found.values()) == 125
    assert [
        sum(getattr(one, name) for one in found.values()) for name in ("needs_kaggle", "needs_training", "needs_web")
    ] == [7, 45, 13]
    for one in found.values():
        depth = depths(one.requirements)
        assert all(depth[needed] < depth[item.id] for item in one.requirements for needed in item.prerequisites)


@pytest.mark.data
def test_devai_publishes_641_edges_of_which_two_lead_from_a_requirement_to_itself(data: Path) -> None:
    drafts = read_drafts(data / "judge" / "devai_instances.jsonl")
    edges = [(draft.name, needed, item.id) for draft in drafts for item in draft.items for needed in item.prerequisites]
    assert len(edges) == 641
    assert [edge for edge in edges if edge[1] == edge[2]] == [
        ("45_Product_Recommendation_MatrixFactorization_AmazonReviews_ML", "3", "3"),
        ("45_Product_Recommendation_MatrixFactorization_AmazonReviews_ML", "4", "4"),
    ]
    assert sum(len(item.prerequisites) for one in devai.tasks(data / "judge").values() for item in one) == 639


@pytest.mark.data
def test_devai_categories_are_those_of_the_paper(data: Path) -> None:
    counts = Counter(item.category for one in devai.tasks(data / "judge").values() for item in one)
    assert counts == {
        "Visualization": 66,
        "Machine Learning Method": 62,
        "Data preprocessing and postprocessing": 61,
        "Dataset or Environment": 59,
        "Other": 43,
        "Performance Metrics": 34,
        "Performence Metrics": 1,
        "Human Computer Interaction": 25,
        "Save Trained Model": 13,
        "": 1,
    }


@pytest.mark.data
def test_the_labels_of_the_older_revision_join_by_words_and_the_rest_is_reported(data: Path) -> None:
    tasks = devai.tasks(data / "judge")
    for agent, joined in (("MetaGPT", 359), ("OpenHands", 360)):
        labels = devai.labels(data / "judge" / f"labels_{agent}.csv")
        join = join_labels(labels, tasks)
        assert (len(labels), len(join.matched), len(join.unmatched)) == (366, joined, 366 - joined)
        assert {one.label.task[:2] for one in join.unmatched} <= {"13", "27", "52"}
        assert all(one.nearest is not None for one in join.unmatched)


@pytest.mark.data
@pytest.mark.usefixtures("as_ready")
def test_the_data_sets_are_found_by_name_and_are_what_was_published(data: Path) -> None:
    assert {row["state"] for row in verify()} == {"ok"}
    assert len(devai.tasks()) == 55
    assert len(devai.labels("OpenHands")) == 366
    assert sum(one.self_terminated for one in devai.flags("MetaGPT").values()) == 23


@pytest.mark.usefixtures("as_ready")
def test_a_missing_file_is_named_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_DATA", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    with pytest.raises(DataMissing, match=r"judge/devai_instances\.jsonl.*instances/\*\.json"):
        devai.tasks()
    assert all(one.licence == "MIT" and one.recipe for one in catalogue().values())


def test_the_published_folder_of_tasks_is_read_as_it_is(tmp_path: Path) -> None:
    rows = [{"requirement_id": 0, "criteria": "Save `a.txt`."}]
    wish = {"preference_id": 0, "criteria": "Nicely."}
    task = {
        "name": "02_B",
        "query": "Do.",
        "tags": ["RL"],
        "requirements": rows,
        "preferences": [wish],
        "is_training_needed": True,
    }
    (tmp_path / "b.json").write_text(json.dumps(task))
    (tmp_path / "a.json").write_text(json.dumps({"requirements": rows, "hint": "Look.", "resource": None}))
    found = devai.instances(tmp_path)
    assert list(found) == ["02_B", "a"]
    assert found["02_B"].preferences == (devai.Preference("0", "Nicely."),)
    assert (found["02_B"].needs_training, found["02_B"].needs_web, found["a"].hint, found["a"].resource) == (
        True,
        False,
        "Look.",
        "",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "is no task"),
        ('{"requirements": [{"criteria": ""}]}', "criteria of requirement 0 is empty"),
        ('{"requirements": ["a"], "preferences": ["b"]}', "preferences"),
        ('{"requirements": ["a"], "tags": 5}', "tags"),
    ],
)
def test_a_damaged_task_is_said_in_a_sentence(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(BadInput, match=words):
        devai.instances(tmp_path)


def test_an_empty_folder_and_bad_flags_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no task"):
        devai.instances(tmp_path)
    for text, words in (
        ("task\n", "no column executed_successfully"),
        ("task,executed_successfully\nt,perhaps\n", "line 2: executed_successfully is 'perhaps'"),
        ("task,executed_successfully\nt,True\nt,True\n", "line 3: t stands twice"),
    ):
        (tmp_path / "f.csv").write_text(text)
        with pytest.raises(BadInput, match=words):
            devai.flags(tmp_path / "f.csv")
