"""What lint finds, and what it leaves alone."""

from pathlib import Path

import pytest

from tenfold.core.errors import BadInput
from tenfold.judge.linting import lint, paths_in, vague_words


def kinds(found) -> list[tuple[str, str]]:
    return [(one.kind, one.id) for findings in found.values() for one in findings]


def test_errors_come_first_and_all_at_once() -> None:
    rows = [
        {"requirement_id": 0, "criteria": "Load `a.csv`.", "prerequisites": [1]},
        {"requirement_id": 1, "criteria": "Save `b.csv`.", "prerequisites": [0]},
        {"requirement_id": 2, "criteria": "", "prerequisites": [9]},
        {"requirement_id": 2, "criteria": "The plot looks good."},
    ]
    found = lint({"name": "t", "requirements": rows})["t"]
    assert {one.kind for one in found} >= {"criteria", "double id", "unknown prerequisite", "cycle", "vague"}
    levels = [one.level for one in found]
    assert levels == sorted(levels)
    assert any("0 -> 1 -> 0" in one.words or "1 -> 0 -> 1" in one.words for one in found)


def test_two_cycles_are_both_found() -> None:
    needs = {0: [1], 1: [0], 2: [3], 3: [2]}
    rows = [{"requirement_id": i, "criteria": f"Save `{i}.csv`.", "prerequisites": one} for i, one in needs.items()]
    assert sum(kind == "cycle" for kind, _ in kinds(lint({"name": "t", "requirements": rows}))) == 2


def test_vague_criteria_are_told_from_clear_ones() -> None:
    found = kinds(
        lint(["The plot is of good quality in `a.png`.", "It works.", 'The "Iris" data set is used.', "Save `b.csv`."])
    )
    assert found == [("vague", "0"), ("nothing named", "1"), ("no path", "2")]


def test_words_inside_quotes_are_names_and_not_vague() -> None:
    assert vague_words('The `clean` column and "Good Reads" are loaded.') == []
    assert vague_words("Data is cleaned properly and properly shown, etc.") == ["properly", "etc"]


@pytest.mark.parametrize(
    ("criteria", "paths"),
    [
        ("Saved in `src/a.py` and `results/figures/`.", ["src/a.py", "results/figures/"]),
        ("Saved under results/metrics/ and src/model.py.", ["results/metrics/", "src/model.py"]),
        ('The file "report.pdf" is there.', ["report.pdf"]),
        ("Cloned from `https://github.com/a/b.git` over TCP/IP and/or e.g. ssh.", []),
        ("Uses `torchvision.transforms` version 2.5.", []),
    ],
)
def test_paths_are_read_out_of_a_criterion(criteria: str, paths: list[str]) -> None:
    assert paths_in(criteria) == paths


def test_a_path_with_two_names_is_found() -> None:
    found = lint(
        ["Save `results/performance.txt`.", "Show `results/metrics/performance.txt`.", "Read `results/Performance.txt`."]
    )
    words = [one.words for one in found["requirements"] if one.kind == "paths differ"]
    assert any("same file name in two folders" in one for one in words)
    assert any("differ by case" in one for one in words)
    assert (
        lint(["Save `a/one.txt`.", "Save `a/two.txt`.", "Show `a/model_1.txt`.", "Show `a/model_2.txt`."])["requirements"]
        == []
    )


def test_a_path_that_is_not_in_the_workspace_is_found_and_a_near_one_named(tmp_path: Path) -> None:
    (tmp_path / "results" / "metrics").mkdir(parents=True)
    (tmp_path / "results" / "metrics" / "p.txt").write_text("1")
    found = lint(["Save `results/p.txt`.", "Fill `results/metrics/`.", "Save `results/metrics/p.txt`."], tmp_path)
    missing = [one for one in found["requirements"] if one.kind == "missing path"]
    assert [(one.id, one.hint) for one in missing] == [("0", "There is results/metrics/p.txt.")]
    with pytest.raises(BadInput, match="There is no workspace"):
        lint(["Save `a.txt`."], tmp_path / "nowhere")


def test_equal_criteria_and_own_prerequisites_are_found() -> None:
    rows = [{"id": "a", "criteria": "Save `a.txt`.", "needs": ["a"]}, {"id": "b", "criteria": "save  `a.txt`."}]
    assert kinds(lint(rows)) == [("own prerequisite", "a"), ("double criteria", "b")]


@pytest.mark.data
def test_devai_has_no_error_but_two_requirements_that_need_themselves(data: Path) -> None:
    found = [one for findings in lint(data / "judge" / "devai_instances.jsonl").values() for one in findings]
    assert not [one for one in found if one.level == "error"]
    assert sum(one.kind == "own prerequisite" for one in found) == 2
