"""Hybrid: the embedded engine decides what it can, the model only the rest."""

import base64
import gzip
import json

import pytest

from tenfold import llm
from tenfold.judge import embedded, hybrid
from tenfold.judge.accounting import Books
from tenfold.judge.requirements import load_requirements
from tenfold.judge.trajectory import Step, Trajectory
from tenfold.judge.types import Evidence, Judgement
from tests.judge.models import Model, made, wanted

FILES = {"src/model.py": "def fit(x):\n    return [v * 2 for v in x]\n", "src/train.py": "print(1)\n"}
ASKED = wanted("`results/a.png` is saved.", "The model learns well.", "Training is in `src/train.py`.")


def judged(*verdicts: tuple[str, float, float]) -> list[Judgement]:
    fact = Evidence(False, "results/a.png is missing", 0.9, "", 0, "", "file")
    return [
        Judgement(item, verdict, confidence, probability, (fact,) if item.id == "0" else ())
        for item, (verdict, confidence, probability) in zip(ASKED, verdicts, strict=True)
    ]


BEFORE = judged(("unsatisfied", 0.95, 0.05), ("undecided", 0.5, 0.5), ("satisfied", 0.6, 0.62))


def test_only_what_is_undecided_or_weak_is_asked_and_no_call_locates():
    model, books = Model(ask="<UNSATISFIED> no."), Books()
    found = hybrid.judge(made(FILES), ASKED, model.client(), BEFORE, books=books)
    assert model.counts() == {"ask": 2}
    assert {request.tag for request in model.requests} == {"ask:1", "ask:2"}
    assert found[0] == BEFORE[0]
    assert [one.verdict for one in found] == ["unsatisfied"] * 3
    assert [one.engine for one in found] == ["embedded", "hybrid", "hybrid"]
    assert sum(one.calls for one in found) == len(books.calls) == 2


def test_the_embedded_facts_are_key_evidence_of_the_question():
    weak = judged(("unsatisfied", 0.6, 0.38), ("satisfied", 0.9, 0.9), ("satisfied", 0.9, 0.9))
    model = Model()
    found = hybrid.judge(made(FILES), ASKED, model.client(), weak)
    prompt = model.of("ask")[0].prompt
    assert "Key evidence:\n<<<FACTS" in prompt
    assert "against: results/a.png is missing" in prompt
    assert "results/a.png is missing" in [fact.words for fact in found[0].evidence]
    assert found[0].probability == pytest.approx((1 + 0.38) / 2)


def test_a_log_is_shown_without_a_call_of_its_own():
    model = Model()
    log = Trajectory((Step(0, "", "I trained it.", "python src/train.py", "loss 0.1"),))
    hybrid.judge(made(FILES), ASKED, model.client(), BEFORE, trajectory=log)
    assert model.counts() == {"ask": 2}
    assert "loss 0.1" in model.of("ask")[0].prompt


def test_where_the_budget_is_reached_the_embedded_judgement_stays():
    model, books = Model(), Books()
    found = hybrid.judge(made(FILES), ASKED, model.client(budget=llm.Budget(calls=1), concurrency=1), BEFORE, books=books)
    assert [one.verdict for one in found].count("undecided") + [one.engine for one in found].count("hybrid") >= 1
    assert len(model.requests) == 1
    assert books.stopped
    kept = [one for one in found if "was not judged" in one.missing]
    assert len(kept) == 1
    assert kept[0].engine == "embedded"


@pytest.mark.data
def test_on_the_traps_and_the_real_workspace_hybrid_makes_at_most_forty_percent_of_the_calls(data):
    folder = data / "judge"
    tasks = {row["name"]: row for row in map(json.loads, (folder / "devai_instances.jsonl").read_text().splitlines())}
    traps = json.loads(gzip.decompress((folder / "stub_workspaces_01-35.json.gz").read_bytes()))
    real = next(folder.glob("workspace_OpenHands_39*"))
    spaces = [(name, _space(name, files)) for name, files in traps.items()]
    name = real.name.removeprefix("workspace_OpenHands_").removesuffix(".json.gz")
    for group in (spaces, [(name, _space(name, json.loads(gzip.decompress(real.read_bytes()))))]):
        asked = calls = 0
        for name, workspace in group:
            requirements = load_requirements(tasks[name])
            model, books = Model(read="A picture.", ask="<UNSATISFIED> no."), Books()
            hybrid.judge(workspace, requirements, model.client(), embedded.judge(workspace, requirements, ""), books=books)
            asked, calls = asked + len(requirements), calls + len(books.calls)
        print(f"{calls} calls for {asked} requirements: {calls / (2 * asked):.1%} of the agent's")
        assert calls <= 0.4 * 2 * asked


def _space(name, files):
    contents = {path: one["text"] if "text" in one else base64.b64decode(one["base64"]) for path, one in files.items()}
    return made(contents, name)


def test_requirements_without_open_questions_cost_no_call():
    sure = judged(("unsatisfied", 0.95, 0.05), ("satisfied", 0.9, 0.9), ("satisfied", 0.9, 0.9))
    model = Model()
    assert hybrid.judge(made(FILES), ASKED, model.client(), sure) == tuple(sure)
    assert model.requests == []
