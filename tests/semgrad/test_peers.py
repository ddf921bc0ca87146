"""Other optimisers: every call counted and none above the budget, the best kept, real packages where they are installed."""

import importlib.util
import sys

import pytest

from tenfold.core.errors import BadInput, BudgetReached, ExtraMissing
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.peers import PEERS, check_peers, run_peer
from tenfold.semgrad.peers.bench import Bench
from tests.llm.stub_server import StubServer
from tests.semgrad import careful

MODEL = "script:tests.semgrad.careful:reply"
_MODULES = {"textgrad": "textgrad", "optoprime": "opto", "copro": "dspy", "gepa": "gepa"}
installed = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if importlib.util.find_spec(module) else [pytest.mark.skip(f"no {module} here")])
        for name, module in _MODULES.items()
    ],
)


@pytest.fixture
def graph() -> Graph:
    """Two leaves and an answer, with careless instructions."""
    made = Graph()
    a = made.node("first", "Look at the left number.", inputs=["question"])
    b = made.node("second", "Look at the right number.", inputs=["question"])
    made.node("answer", "Add the numbers.", inputs=["question", a, b], output=True)
    return made


def bench(graph: Graph, calls: int, train=careful.QUESTIONS) -> Bench:
    return Bench(graph, train, MODEL, calls=calls, metric="exact", errors=2, seed=0, concurrency=4)


def test_every_call_is_counted_and_none_is_made_above_the_budget(graph):
    with bench(graph, 23) as made:  # 24 would be needed
        with pytest.raises(BudgetReached):
            made.evaluate(graph.instructions)
        assert made.is_spent
        assert made.calls == {"forward": 23}
        with pytest.raises(BudgetReached):
            made.ask("more", role="backward")
        assert made.calls == {"forward": 23}


def test_an_answer_holds_the_values_of_all_nodes_and_says_what_it_should_have_been(graph):
    with bench(graph, 100) as made:
        found = made.evaluate(graph.instructions)
        assert made.best_score == 0
        assert found[2].values == {"question": "What is 2 plus 3?", "first": "0", "second": "0", "answer": "0"}
        assert found[2].feedback == "The output should be 5."
        better = {**graph.instructions, "answer": careful.BETTER}
        assert [answer.score for answer in made.evaluate(better)] == [1.0] * 8
        made.evaluate(graph.instructions)
        assert (made.best, made.best_score) == (better, 1.0)


def test_the_loop_shows_wrong_answers_keeps_what_is_not_worse_and_ends_when_all_are_right(graph):
    shown: list[int] = []
    proposals = iter([{"answer": " "}, {"first": "Look."}, {"answer": careful.BETTER}])

    def propose(instructions, wrong):
        shown.append(len(wrong))
        assert all(answer.score < 1 for answer in wrong)
        return next(proposals)

    with bench(graph, 1000) as made:
        made.climb(propose)
        assert shown == [2, 2, 2]
        assert made.best == {"first": "Look.", "second": "Look at the right number.", "answer": careful.BETTER}
        assert made.calls == {"forward": 3 * 24}  # an empty proposal costs nothing


def test_the_loop_gives_up_after_ten_proposals_that_change_nothing(graph):
    asked = []
    with bench(graph, 1000) as made:
        made.climb(lambda instructions, wrong: asked.append(1) or {})
    assert len(asked) == 10


def test_unknown_optimisers_and_graphs_that_they_cannot_take_are_refused(graph):
    with pytest.raises(BadInput, match="'opro' is unknown"):
        check_peers(["opro"])
    graph.node("late", function=len, inputs=["question"])
    with pytest.raises(BadInput):
        bench(graph, 10)


def test_a_package_that_is_not_installed_is_named_with_its_extra(graph, monkeypatch):
    for name, module in _MODULES.items():
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ExtraMissing, match=r"tenfold\[peers\]"):
            run_peer(name, graph, careful.QUESTIONS, MODEL, calls=10)


@installed
def test_a_package_finds_the_instruction_that_helps_over_http_and_every_call_is_counted(graph, name):
    def answer(body):
        return careful.answer([(message["role"], message["content"]) for message in body["messages"]])

    with StubServer(answer=answer) as server:
        found = run_peer(name, graph, careful.QUESTIONS, f"{server.url}#stub", calls=400, concurrency=4)
        assert server.count == sum(found.calls.values()) <= 400
    assert found.score == 1
    assert found.graph.instructions["answer"] == careful.BETTER
    assert found.calls["optimise"] >= 1


@installed
def test_a_package_stops_at_the_budget_with_the_best_so_far(graph, name):
    found = run_peer(name, graph, careful.QUESTIONS, MODEL, calls=27, concurrency=4)
    assert sum(found.calls.values()) == 27
    assert found.ended == "budget"
    assert found.score == 0


@installed
def test_a_package_runs_with_the_rules_engine_which_does_not_understand_it(graph, name):
    found = run_peer(name, graph, careful.QUESTIONS, "engine:rules", calls=100, concurrency=4)
    assert found.score == 0
    assert sum(found.calls.values()) <= 100


def test_every_package_of_the_table_has_an_adapter():
    assert set(PEERS) == set(_MODULES)
    for name in PEERS:
        assert importlib.util.find_spec(f"tenfold.semgrad.peers.{name}")
