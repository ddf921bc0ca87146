"""Running a graph: order, memo, failures, races, bounded concurrency, loops that are already there."""

import asyncio
import threading
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Account, Budget
from tenfold.llm.client import Client
from tenfold.llm.errors import ContextOverflow, EndpointDown, RequestRefused
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.gates import Race
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.losses import Judge, exact
from tenfold.semgrad.memo import Memo
from tenfold.semgrad.prompts import forward_prompt
from tenfold.semgrad.runtime import evaluate, node_prompt, run
from tenfold.semgrad.samples import prepare
from tests.semgrad.build import Pure, pure, questions, slow, two_leaves


def echo(request) -> str:
    """The prompt itself, shortened: a value that shows all that it was made of."""
    return f"<output>{' '.join(request.prompt.split())[:4000]}</output>"


def test_every_node_gets_its_inputs_and_its_instruction() -> None:
    trace = run(two_leaves(), questions(3), pure(echo))
    assert len(trace.answers) == 3
    for number, values in enumerate(trace.values):
        assert f"QUESTION-{number}" in values["first"]
        assert "bracket 1" in values["answer"]
        assert "bracket 2" in values["answer"]
        assert "Add." in values["answer"]


def test_the_prompt_of_the_runtime_is_the_prompt_of_prompts() -> None:
    seen = []
    graph = two_leaves()
    trace = run(graph, questions(1), pure(lambda r: seen.append(r.prompt) or "<output>line one\nline two</output>"))
    hints = [trace.values[0]["first"], trace.values[0]["second"]]
    assert seen[2] == forward_prompt("Add.", {"question": "QUESTION-0"}, hints)
    assert seen[2] == node_prompt(graph.nodes["answer"], trace.values[0], graph.nodes)


def test_a_template_is_the_whole_prompt() -> None:
    seen = []
    graph = Graph()
    template = "<{question}> {instruction} {style}"
    graph.node("a", "Do it.", inputs=["question"], parameters={"style": "Short."}, template=template, output=True)
    run(graph, [{"question": "{style} x"}], pure(lambda r: seen.append(r.prompt) or "y"))
    assert seen == ["<{style} x> Do it. Short."]


def test_python_nodes_run_between_prompts_and_their_faults_name_node_and_sample() -> None:
    graph = Graph()
    graph.node("number", function=lambda text: int(text.partition("-")[2]) // (2 - int(text[-1])), inputs=["question"])
    graph.node("a", "Say it.", inputs=["number"], output=True)
    trace = run(graph, questions(4), pure(echo))
    assert [error is None for error in trace.errors] == [True, True, False, True]
    assert "'number' failed on sample 2: ZeroDivisionError" in str(trace.errors[2])
    assert "Hint 1: 1" in str(trace.answers[1])


def test_the_alias_input_stands_for_question() -> None:
    assert run(two_leaves(), [{"input": "QUESTION-7"}], pure(echo)).values[0]["question"] == "QUESTION-7"


def test_what_did_not_change_is_not_asked_again() -> None:
    asked, memo, graph = [], Memo(), two_leaves()
    with Calls({"forward": pure(lambda r: asked.append(r.tag) or echo(r))}) as calls:
        rows = prepare(graph, questions(5))
        first = evaluate(graph, rows, calls, loss=exact, memo=memo)
        assert len(asked) == 15
        assert evaluate(graph, rows, calls, loss=exact, memo=memo).values == first.values
        assert len(asked) == 15
        evaluate(graph.with_instructions({"second": "Other."}), rows, calls, loss=exact, memo=memo)
        assert sorted(set(asked[15:])) == ["forward:answer", "forward:second"]
        assert len(asked) == 25


@pytest.mark.parametrize("make", [pure, slow])
def test_equal_prompts_in_flight_are_asked_once(make) -> None:
    asked = []
    graph = two_leaves("Same.", "Same.")
    trace = run(graph, [{"question": "q"}] * 3, make(lambda r: asked.append(r.tag) or echo(r)))
    assert len(asked) == 2
    assert trace.values[0] == trace.values[2]


def test_the_memo_forgets_what_is_not_used_and_keeps_what_is() -> None:
    memo = Memo(limit=10)
    for i in range(100):
        assert memo.get(("used",)) is not None or i == 0
        memo.put(("used",), "x")
        for j in range(5):
            memo.put((i, j), "y")
        memo.turn()
    assert len(memo) <= 20
    assert memo.get((0, 0)) is None


def test_a_failed_sample_does_not_stop_or_zero_the_others() -> None:
    def answer(request):
        return RequestRefused("No.") if "QUESTION-1\n" in request.prompt + "\n" else "<output>0</output>"

    trace = run(two_leaves(), questions(4), slow(answer), metric="exact")
    assert trace.scores == [1, 0, 0, 1]
    assert [error is None for error in trace.errors] == [True, False, True, True]
    assert "sample 1: No." in str(trace.errors[1])


def test_when_every_sample_fails_the_first_error_is_raised() -> None:
    with pytest.raises(BadInput, match="Every sample failed"):
        run(two_leaves(), questions(2), slow(lambda r: RequestRefused("No.")))


def test_a_prompt_that_is_too_long_names_node_and_largest_block() -> None:
    def answer(request):
        return (
            ContextOverflow("9000 tokens; the limit is 100.", tokens=9000, limit=100) if "x" * 500 in request.prompt else "1"
        )

    trace = run(two_leaves(), [{"question": "x" * 500}, {"question": "y"}], slow(answer))
    assert "9000 tokens; the limit is 100." in str(trace.errors[0])
    assert "largest block of the prompt is question (500 characters)" in str(trace.errors[0])


def test_an_endpoint_that_is_down_ends_the_run_at_once() -> None:
    asked = []
    with pytest.raises(EndpointDown):
        run(two_leaves(), questions(200), slow(lambda r: asked.append(r) or EndpointDown("Down.")), concurrency=4)
    assert len(asked) <= 8


@pytest.mark.parametrize("make", ["pure", "slow"])
def test_a_budget_is_never_passed(make) -> None:
    account = Account(Budget(calls=10))
    client = Client("x", backend=Pure(echo), budget=account) if make == "pure" else slow(echo, budget=account)  # pyright: ignore
    with pytest.raises(BudgetReached):
        run(two_leaves(), questions(50), client)
    assert account.calls == 10


def test_no_more_are_in_flight_than_allowed_and_that_many_are() -> None:
    client = slow(echo, lambda r: 0.002)
    run(two_leaves(), questions(30), client, concurrency=7)
    assert client._backend.most == 7  # pyright: ignore[reportAttributeAccessIssue]


def test_there_are_no_barriers_between_layers() -> None:
    """A sample whose first layer is slow does not hold the answers of the others back."""
    order = []

    def answer(request):
        order.append((request.tag, "QUESTION-0" in request.prompt))
        return "<output>1</output>"

    run(two_leaves(), questions(4), slow(answer, lambda r: 0.05 if "QUESTION-0" in r.prompt else 0.001))
    assert [tag for tag, is_slow in order if is_slow][-1] == "forward:answer"
    assert order.index(("forward:first", True)) > order.index(("forward:answer", False))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_order_of_replies_changes_nothing(seed) -> None:
    rng = Random(seed)
    lock = threading.Lock()

    def delay(request):
        with lock:
            return rng.choice([0, 0, 0.001, 0.003])

    graph = two_leaves()
    expected = run(graph, questions(6), pure(echo), metric="exact")
    found = run(graph, questions(6), slow(echo, delay), metric="exact")
    assert (found.values, found.scores) == (expected.values, expected.scores)


def test_a_lost_race_stops_the_rest() -> None:
    graph = two_leaves()
    for client in (pure(lambda r: "wrong"), slow(lambda r: "wrong")):
        with Calls({"forward": client}, concurrency=2) as calls:
            race = Race("strict", [1.0] * 50)
            trace = evaluate(graph, prepare(graph, questions(50)), calls, loss=exact, lost=race.lost)
            assert trace.stopped
            assert sum(score is not None for score in trace.scores) == 1
            assert client.account.calls <= 8
            assert evaluate(graph, prepare(graph, questions(3)), calls, loss=exact).score == 0


def test_a_judge_scores_as_its_own_role() -> None:
    def answer(request):
        return "Score: 0.5\nFeedback: Better." if request.role == "judge" else "x"

    trace = run(two_leaves(), questions(3), slow(answer), metric=Judge())
    assert trace.scores == [0.5] * 3
    assert trace.feedback[0] == "Better."


def test_it_runs_inside_a_loop_that_is_already_running() -> None:
    async def notebook():
        return run(two_leaves(), questions(5), slow(echo, lambda r: 0.001))

    assert asyncio.run(notebook()).answers == run(two_leaves(), questions(5), pure(echo)).answers


def test_a_chain_of_many_nodes_needs_no_recursion() -> None:
    graph = Graph()
    graph.node("n0", "x", inputs=["question"])
    for i in range(1, 1500):
        graph.node(f"n{i}", "x", inputs=[f"n{i - 1}"], output=i == 1499)
    for client in (pure(lambda r: "v"), slow(lambda r: "v")):
        assert run(graph, [{"question": "q"}], client).answers == ["v"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "samples is empty"),
        ([{"question": "a"}], "1 of 1 rows of samples have no target: 0"),
        ([{"question": "a", "target": 1, "id": "x"}, {"question": "b", "target": 1, "id": "x"}], "1 ids stand twice.*: x"),
        ([{"question": "a", "target": float("nan")}], "Row 0 of samples, column target: nan"),
        ([{"question": "a", "target": [1]}], "column target"),
        ([{"text": "a", "target": 1}], "has no 'question'"),
        ([{"question": {}, "target": 1}], "column question"),
        (["a"], "not a table"),
        ("a", "must be a list"),
    ],
)
def test_rows_that_cannot_be_are_refused_before_anything_is_asked(rows, message) -> None:
    with pytest.raises(BadInput, match=message):
        run(two_leaves(), rows, pure(lambda r: pytest.fail("asked")), metric="exact")
