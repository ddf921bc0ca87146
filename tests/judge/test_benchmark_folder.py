"""Folders with one workspace for each task: matching, completeness, judging them all, the ablation ladder."""

import json

import pytest

from tenfold.core.errors import BadInput
from tenfold.judge.benchmark_folder import find_cases, judge_folder, ladder
from tenfold.judge.types import Requirement, Requirements
from tests.judge.models import Model

TASKS = {
    name: Requirements(name, (Requirement("0", "There is `a.py`."), Requirement("1", "It is good.")), "Make a.py.")
    for name in ("01_First", "02_Second", "03_Third")
}
LOG = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Done"}]


@pytest.fixture
def folder(tmp_path):
    space = tmp_path / "spaces"
    (space / "01_First").mkdir(parents=True)
    (space / "01_First" / "a.py").write_text("print(1)\n")
    (space / "02.json").write_text(json.dumps({"a.py": {"text": "print(2 + 2)\n"}}))
    (space / "notes.txt").write_text("x")
    return space


def test_a_folder_says_what_is_there_and_what_is_missing(folder):
    found = find_cases(folder, TASKS)
    assert list(found.cases) == ["01_First", "02_Second"]
    assert (found.missing, found.extra) == (("03_Third",), ("notes.txt",))
    assert "2 of 3 tasks" in found.sentence()
    assert "03_Third" in found.sentence()


def test_what_collect_left_is_judged_with_its_trajectory(tmp_path):
    run = tmp_path / "out" / "01_First"
    (run / "workspace").mkdir(parents=True)
    (run / "workspace" / "a.py").write_text("print(1)\n")
    (run / "result.json").write_text("{}")
    (run / "trajectory.json").write_text(json.dumps(LOG))
    case = find_cases(tmp_path / "out", TASKS).cases["01_First"]
    assert (case.workspace, case.trajectory) == (run / "workspace", run / "trajectory.json")


def test_all_workspaces_are_judged_by_task(folder):
    reports, found = judge_folder(folder, TASKS, engine="embedded", cache="")
    assert list(reports) == ["01_First", "02_Second"]
    assert all(len(report.judgements) == 2 for report in reports.values())
    assert found.missing == ("03_Third",)


def test_the_ladder_adds_one_module_at_a_time(folder, tmp_path):
    model = Model(locate="1: a.py\n2: a.py", retrieve="It was done.")
    rungs = ladder(folder, TASKS, client=model.client(), cache="")
    assert list(rungs) == ["ask", "+graph", "+read", "+locate"]
    prompts = [request.prompt for request in model.of("ask")]
    assert sum("There is no evidence." in prompt for prompt in prompts) == 2  # equal questions are sent once
    assert any("1| print(1)" in prompt for prompt in prompts)
    assert model.counts()["locate"] == 2
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in TASKS:
        (logs / f"{name}.json").write_text(json.dumps(LOG))
    with_logs = ladder(folder, TASKS, logs, client=Model(locate="none", retrieve="Done.").client(), cache="")
    assert list(with_logs)[-1] == "+retrieve"


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_workspaces_is_told(tmp_path, make):
    place = tmp_path / "spaces"
    if make:
        place.mkdir()
    with pytest.raises(BadInput, match="no workspace of the 3 tasks" if make else "is not a folder"):
        find_cases(place, TASKS)
