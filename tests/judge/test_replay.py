"""The recorded replies of six models on the trap workspaces, sent through the real pipeline."""

import base64
import csv
import gzip
import io
import json
from collections import defaultdict

import pytest

from tenfold.judge import agent
from tenfold.judge.prompts import parse_verdict
from tenfold.judge.types import Requirement, Requirements
from tests.judge.models import Model, made

pytestmark = pytest.mark.data


def test_the_parsed_verdicts_equal_the_recorded_ones_wherever_a_tag_leads(data):
    folder = data / "judge"
    rows = list(
        csv.DictReader(io.StringIO(gzip.decompress((folder / "stub_llm_verdicts_01-35.csv.gz").read_bytes()).decode()))
    )
    spaces = json.loads(gzip.decompress((folder / "stub_workspaces_01-35.json.gz").read_bytes()))
    runs = defaultdict(list)
    for row in rows:
        runs[row["model"], row["run"], row["task"]].append(row)
    names = {name[:2]: name for name in spaces}
    equal = without = 0
    for (_, _, task), group in runs.items():
        replies = {f"ask:{row['requirement_index']}": row["reply"] for row in group}
        model = Model(read="A dot.", ask=lambda request, replies=replies: replies[request.tag])
        items = tuple(Requirement(row["requirement_index"], row["criteria"]) for row in group)
        found = agent.judge(_space(names[task], spaces[names[task]]), Requirements(task, items), model.client())
        for row, judgement in zip(group, found, strict=True):
            if parse_verdict(row["reply"]) is None:
                without += 1
                assert judgement.verdict == "undecided"
            else:
                equal += 1
                assert judgement.verdict == ("satisfied" if row["satisfied"] == "1" else "unsatisfied"), row["reply"]
    assert equal + without == len(rows) == 4068
    assert without == 24


def _space(name, files):
    contents = {path: one["text"] if "text" in one else base64.b64decode(one["base64"]) for path, one in files.items()}
    return made(contents, name)
