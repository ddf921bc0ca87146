"""The trap set: fabricated workspaces on which language models were fooled; and the one real workspace with human labels."""

import csv
import gzip
import json

import pytest

from tenfold.judge import embedded
from tenfold.judge.archives import json_contents
from tenfold.judge.types import Requirement, Requirements
from tenfold.judge.workspace import Workspace

pytestmark = pytest.mark.data
STRONG = ("claude-sonnet-4.6", "deepseek-v3.2", "gpt-5.4")


@pytest.fixture
def traps(data):
    """(criterion, verdict, accepted by how many of nine strong runs), for every recorded requirement."""
    folder = data / "judge"
    workspaces = json.loads(gzip.decompress((folder / "stub_workspaces_01-35.json.gz").read_bytes()))
    with gzip.open(folder / "stub_llm_verdicts_01-35.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] in STRONG]
    accepted: dict[tuple[str, str], int] = {}
    criteria = {(row["task"], row["requirement_index"]): row["criteria"] for row in rows}
    for row in rows:
        key = row["task"], row["requirement_index"]
        accepted[key] = accepted.get(key, 0) + int(row["satisfied"] or 0)
    found = []
    for name, files in workspaces.items():
        keys = [key for key in criteria if key[0] == name[:2]]
        asked = Requirements(name, tuple(Requirement(key[1], criteria[key]) for key in keys))
        workspace = Workspace.of(name, json_contents(files))
        for key, one in zip(keys, embedded.judge(workspace, asked, ""), strict=True):
            found.append((criteria[key], one.verdict, accepted[key]))
    return found


def test_at_most_one_in_a_hundred_traps_is_called_satisfied(traps):
    fooled = [row for row in traps if row[1] == "satisfied" and row[2] < 9]
    print(f"{len(traps)} traps, satisfied {sum(row[1] == 'satisfied' for row in traps)}, of which not true {len(fooled)}")
    assert len(traps) == 226
    assert len(fooled) == 0
    assert sum(row[1] == "satisfied" for row in traps) <= 3


def test_what_all_strong_models_reject_is_never_called_satisfied(traps):
    rejected = [row for row in traps if row[2] == 0]
    assert len(rejected) == 172
    assert not [row for row in rejected if row[1] == "satisfied"]


def test_literally_true_requirements_are_never_called_unsatisfied(traps):
    true = [row for row in traps if row[2] == 9 and not ("saved" in row[0] or "Notebook" in row[0])]
    assert len(true) == 3
    assert not [row for row in true if row[1] == "unsatisfied"]


def test_six_of_seven_human_labels_are_met_on_the_real_workspace(data):
    folder = data / "judge"
    workspace = Workspace.open(next(folder.glob("workspace_OpenHands_39_*.json.gz")))
    with (folder / "labels_OpenHands.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["task"].startswith("39_")]
    asked = Requirements(
        "39", tuple(Requirement(r["requirement_id"], r["criteria_as_judged"], (), r["category"]) for r in rows)
    )
    verdicts = [one.verdict for one in embedded.judge(workspace, asked, "")]
    wanted = ["satisfied" if row["human"] == "1" else "unsatisfied" for row in rows]
    agree = sum(one == other for one, other in zip(verdicts, wanted, strict=True))
    print(f"workspace 39: {agree} of {len(rows)}")
    assert agree >= 6
