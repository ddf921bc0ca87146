"""The paper's experiments against a server on loopback: the calls that it counts are the calls that were forecast."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Budget
from tenfold.semgrad.datasets import BBH
from tenfold.semgrad.protocols import LADDER, layered_graph, liar_graph
from tenfold.semgrad.runners import PlannedRun, plan, run_plan
from tests.llm.stub_server import StubServer
from tests.semgrad import half_right
from tests.semgrad.test_datasets import liar_row, write_lines


@pytest.fixture
def bbh_file(tmp_path) -> Path:
    rows = [
        {"task": task, "index": i, "input": f"Question {i}?", "target": "Yes"}
        for task in ("navigate", "snarks")
        for i in range(14)
    ]
    return write_lines(tmp_path / "bbh.jsonl", rows)


@pytest.fixture
def liar_file(tmp_path) -> Path:
    return write_lines(tmp_path / "liar.tsv", [liar_row(i, "false", f"There are {i} taxes.") for i in range(20)])


def served(planned, **settings):
    """Rows of a plan, and the calls by role that the server saw."""
    seen: Counter[str] = Counter()

    def answer(body):
        prompt = body["messages"][-1]["content"]
        seen[half_right.role(prompt)] += 1
        assert body["temperature"] == 0
        assert body["max_tokens"] == 1024
        return half_right.answer(prompt)

    with StubServer(answer=answer) as server:
        rows = run_plan(planned, f"{server.url}#stub", **settings)
        assert server.count == sum(seen.values())
    return rows, dict(seen)


def test_bbh_makes_exactly_the_calls_that_were_forecast(bbh_file):
    train, steps, errors, test = 6, 2, 2, 5
    planned = plan("bbh", data=bbh_file, tasks=["navigate", "snarks"], train=train, steps=steps, errors=errors, test=test)
    one = 3 * train * (steps + 1) + steps * (errors + 3) + 3 * test
    assert sum(planned.calls.values()) == 2 * one
    rows, seen = served(planned)
    assert seen == planned.calls
    found = {(row.metric, row.condition): row.value for row in rows}
    assert found["test accuracy", "BBH, 2 tasks, 10 questions"] == pytest.approx(
        sum(found["test accuracy", f"{task}, 5 questions"] for task in ("navigate", "snarks")) / 2
    )


def test_gsm8k_makes_exactly_the_calls_that_were_forecast(tmp_path):
    for part, count in (("train", 12), ("test", 4)):
        rows = [{"question": f"{part} {i}?", "answer": "#### 7"} for i in range(count)]
        write_lines(tmp_path / f"{part}.jsonl", rows)
    planned = plan("gsm8k", data=tmp_path, train=5, steps=3)
    assert sum(planned.calls.values()) == 3 * 5 * 4 + 3 * (2 + 3) + 3 * 4
    assert served(planned)[1] == planned.calls


# T = 6, N = 2, k = 2, E = 0, six nodes: (backward calls a sample, instructions) of each rung.
SIZES = {
    "full": (1, 6), "no gradient": (0, 6), "no neighbourhood": (5, 6), "no gate": (1, 6), "only final": (0, 1),
    **{f"only on {name}": (1, 1) for name in ("statement", "job title", "state", "party", "source")},
}  # fmt: skip


@pytest.mark.parametrize("rung", LADDER)
def test_every_rung_of_liars_ladder_makes_exactly_the_calls_that_were_forecast(rung, liar_file):
    planned = plan("liar", data=liar_file, tasks=[rung], train=6, steps=2)
    backward, instructions = SIZES[rung]
    assert planned.calls == {"forward": 6 * 6 * 3, "backward": 2 * 2 * backward, "optimise": 2 * instructions}
    rows, seen = served(planned)
    assert seen == {name: count for name, count in planned.calls.items() if count}
    assert [row.method for row in rows] == [rung]


def test_only_one_instruction_moves_on_its_rung(liar_file):
    found = []
    planned = plan("liar", data=liar_file, tasks=["only on party", "no gate"], train=6, steps=3)
    served(planned, on_run=lambda run, result: found.append({name for step in result.history for name in moved(step)}))
    assert found[0] == {"on party"}
    assert found[1] == set(liar_graph().nodes)


def moved(step) -> set[str]:
    return {name for made in step.rounds for name in made.proposals}


def test_the_whole_protocols_have_the_papers_sizes():
    graph = layered_graph()
    run = PlannedRun("", graph, [{}] * 20, [{}] * 230, {"steps": 4, "errors": 2, "neighbourhood": "full"})
    assert sum(run.calls.values()) == 300 + 20 + 690
    run = PlannedRun("", graph, [{}] * 128, [{}] * 1319, {"steps": 4, "errors": 2, "neighbourhood": "full"})
    assert sum(run.calls.values()) == 1920 + 20 + 3957


def test_a_deeper_graph_asks_for_feedback_at_every_node_with_hints():
    run = PlannedRun("", layered_graph(3, 2), [{}] * 3, [], {"steps": 1, "errors": 2, "neighbourhood": "full"})
    assert run.calls == {"forward": 5 * 3 * 2, "backward": 2 * 3, "optimise": 5}


def test_a_run_that_was_finished_costs_nothing_when_it_is_asked_for_again(bbh_file, tmp_path):
    planned = plan("bbh", data=bbh_file, tasks=["navigate"], train=6, steps=1, test=3)
    seen = []
    with StubServer(answer=lambda body: half_right.answer(body["messages"][-1]["content"])) as server:
        for _ in range(2):
            rows = run_plan(planned, f"{server.url}#stub", run_dir=tmp_path / "runs")
            seen.append((server.count, [row.value for row in rows]))
    assert seen[0] == seen[1]


def test_a_budget_ends_the_plan_and_counts_what_was_spent_before(bbh_file, tmp_path):
    planned = plan("bbh", data=bbh_file, tasks=["navigate", "snarks"], train=6, steps=1, test=3)
    total, budget = sum(planned.calls.values()), 70
    assert budget < total
    with StubServer(answer=lambda body: half_right.answer(body["messages"][-1]["content"])) as server:
        model, folder = f"{server.url}#stub", tmp_path / "runs"
        for _ in range(2):
            with pytest.raises(BudgetReached):
                run_plan(planned, model, budget=Budget(calls=budget), run_dir=folder)
            assert server.count == budget
        run_plan(planned, model, budget=Budget(calls=total), run_dir=folder)
        assert server.count == total


def test_a_recorded_plan_is_replayed_without_a_server(bbh_file, tmp_path):
    planned = plan("bbh", data=bbh_file, tasks=["navigate"], train=4, steps=1, test=2)
    cassette = tmp_path / "tape.jsonl"
    with StubServer(answer=lambda body: half_right.answer(body["messages"][-1]["content"])) as server:
        recorded = run_plan(planned, f"{server.url}#stub", cassette=cassette)
        model = f"{server.url}#stub"
    replayed = run_plan(planned, model, cassette=cassette, mode="replay")
    assert [row.value for row in replayed] == [row.value for row in recorded]
    assert all(json.loads(line) for line in cassette.read_text().splitlines())


def test_unknown_names_are_refused_with_the_known_ones(bbh_file, liar_file):
    with pytest.raises(BadInput, match="bbh, gsm8k, liar"):
        plan("mmlu")
    with pytest.raises(BadInput, match="word_sorting"):
        plan("bbh", data=bbh_file, tasks=["sorting"])
    with pytest.raises(BadInput, match="no gate"):
        plan("liar", data=liar_file, tasks=["gate"], train=5)
    with pytest.raises(BadInput, match="research use only"):
        plan("liar")
    with pytest.raises(BadInput, match="has no node 'first'"):
        liar_graph("first")
    with pytest.raises(BadInput, match="at least one step"):
        plan("bbh", data=bbh_file, steps=0)


def test_licences_come_with_the_plan(liar_file, bbh_file):
    assert "research use only" in plan("liar", data=liar_file, train=5).notice
    assert "training corpora" in plan("bbh", data=bbh_file, tasks=["navigate"], train=5).notice


@pytest.mark.data
def test_the_real_data_make_the_plans_of_the_paper(data):
    file = data / "semgrad" / "bbh.jsonl.gz"
    planned = plan("bbh", data=file)
    assert [run.key for run in planned.runs] == list(BBH)
    assert sum(planned.calls.values()) == sum(300 + 20 + 3 * len(run.test) for run in planned.runs)
    planned = plan("liar", data=data / "semgrad" / "liar_train.tsv.gz")
    assert sum(planned.runs[0].calls.values()) == 6 * 50 * 9 + 8 * (2 + 6)
    assert not planned.skipped
