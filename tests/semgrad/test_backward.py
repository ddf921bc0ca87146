"""Backpropagation: numbers equal autograd; text goes along every edge, once."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.llm.errors import RequestRefused
from tenfold.semgrad.backward import Gradients, Job, backpropagate, backward_calls, backward_pass, receivers
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.graph import Graph
from tests.semgrad.build import pure, slow, two_leaves

OPERATIONS = {
    "add": (lambda *x: math.fsum(x), lambda *x: [1.0] * len(x)),
    "multiply": (lambda *x: math.prod(x), lambda *x: [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]),
    "sin": (lambda x: math.sin(x), lambda x: math.cos(x)),
}


@st.composite
def dags(draw):
    """Nodes as (operation, sources); sources are numbers of earlier values, the first `queries` of them query variables."""
    queries = draw(st.integers(1, 3))
    nodes = []
    for i in range(draw(st.integers(1, 10))):
        operation = draw(st.sampled_from(sorted(OPERATIONS)))
        count = 1 if operation == "sin" else draw(st.integers(1, 4))
        nodes.append((operation, draw(st.lists(st.integers(0, queries + i - 1), min_size=count, max_size=count))))
    values = draw(st.lists(st.floats(-2, 2), min_size=queries, max_size=queries))
    return queries, nodes, values


@settings(max_examples=100)
@given(dags())
def test_numeric_gradients_equal_autograd_on_random_graphs(dag) -> None:
    queries, nodes, values = dag
    names = [f"q{i}" for i in range(queries)] + [f"n{i}" for i in range(len(nodes))]
    graph = Graph()
    for i, (operation, sources) in enumerate(nodes):
        function, partials = OPERATIONS[operation]
        inputs = [names[s] for s in sources]
        graph.node(f"n{i}", function=function, partials=partials, inputs=inputs, output=i == len(nodes) - 1)
    found = backpropagate(graph, dict(zip(names, values, strict=False)), mode="numeric")

    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    for operation, sources in nodes:
        inputs = torch.stack([tensors[s] for s in sources])
        made = {"add": inputs.sum(), "multiply": inputs.prod(), "sin": inputs[0].sin()}[operation]
        made.retain_grad()
        tensors.append(made)
    tensors[-1].backward()
    for name, tensor in zip(names, tensors, strict=True):
        expected = 0.0 if tensor.grad is None else float(tensor.grad)
        assert found.get(name, 0.0) == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("partials", [lambda a, b: (b, a), lambda a, b: {"x": b, "y": a}, [lambda a, b: b, lambda a, b: a]])
def test_partials_are_a_function_or_one_for_each_input(partials) -> None:
    graph = Graph()
    graph.node("z", function=lambda a, b: a * b, partials=partials, inputs=["x", "y"])
    assert backpropagate(graph, {"x": 3.0, "y": 5.0}, mode="numeric") == {"x": 5.0, "y": 3.0, "z": 1.0}


def test_numeric_faults_are_one_sentence() -> None:
    graph = Graph()
    graph.node("z", function=lambda a: 1 / a, partials=lambda a: (1, 2), inputs=["x"], output=True)
    for values, message in (({}, "no 'x'"), ({"x": 0.0}, "ZeroDivisionError"), ({"x": 1.0}, "1 inputs")):
        with pytest.raises(BadInput, match=message):
            backpropagate(graph, values, mode="numeric")
    with pytest.raises(BadInput, match="is a prompt"):
        backpropagate(two_leaves(), {"question": 1.0}, mode="numeric")
    with pytest.raises(BadInput, match="numeric, text"):
        backpropagate(graph, {}, mode="symbolic")


def advice(request) -> str:
    """Every hint that is shown gets a line that names it."""
    import re

    numbers = re.findall(r"^Hint (\d+):", request.prompt, re.MULTILINE)
    return "\n".join(f"Hint {n}: should be {n}0." for n in numbers) or "Hint: should be 7."


VALUES = {"question": "Q", "first": "F", "second": "S", "answer": "A"}


@pytest.mark.parametrize(("level", "calls"), [("full", 1), ("self", 2), ("bare", 2), ("none", 0)])
def test_a_level_has_its_number_of_calls_and_its_tag(level, calls) -> None:
    asked = []
    found = backpropagate(two_leaves(), VALUES, feedback="The output should be 3.", neighbourhood=level,
                          models=pure(lambda r: asked.append(r.tag) or advice(r)))  # fmt: skip
    assert asked == ["backward:answer"] * calls
    assert backward_calls(two_leaves(), level) == calls
    wanted = {"full": ["should be 10."], "self": ["should be 10."], "bare": ["should be 7."], "none": []}[level]
    assert found["first"] == wanted
    assert found["answer"] == ["The output should be 3."]
    assert set(found.edges) == (set() if level == "none" else {("answer", "first"), ("answer", "second")})


def test_a_node_may_have_its_own_level() -> None:
    graph = two_leaves()
    graph.nodes["answer"] = type(graph.nodes["answer"])("answer", "Add.", ("question", "first", "second"), True,
                                                         neighbourhood="bare")  # fmt: skip
    prompts = []
    backpropagate(graph, VALUES, feedback="x", models=pure(lambda r: prompts.append(r.prompt) or advice(r)))
    assert len(prompts) == 2
    assert not any("\tF" in prompt and "\tS" in prompt for prompt in prompts)


def diamond() -> Graph:
    """a -> b, c -> d: `a` hears from two successors."""
    graph = Graph()
    graph.node("a", "A", inputs=["question"])
    graph.node("b", "B", inputs=["question", "a"])
    graph.node("c", "C", inputs=["a"])
    graph.node("d", "D", inputs=["b", "c"], output=True)
    return graph


def test_a_node_lists_what_all_its_successors_say_and_is_asked_after_them() -> None:
    tags, prompts = [], {}

    def answer(request):
        tags.append(request.tag)
        prompts[request.tag] = request.prompt
        return f"Hint 1: from {request.tag}\nHint 2: two from {request.tag}"

    values = {"question": "Q", "a": "1", "b": "2", "c": "3", "d": "4"}
    found = backpropagate(diamond(), values, feedback="up", models=pure(answer))
    assert tags[0] == "backward:d"
    assert found["a"] == ["from backward:b", "from backward:c"]
    assert found["c"] == ["two from backward:d"]
    assert "two from backward:d" in prompts["backward:c"]


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_replies_does_not_change_the_gradients(random) -> None:
    values = {"question": "Q", "a": "1", "b": "2", "c": "3", "d": "4"}
    expected = backpropagate(diamond(), values, feedback="up", models=pure(advice)).to_dict()
    found = backpropagate(diamond(), values, feedback="up", models=slow(advice, lambda r: random.choice([0, 0.002])))
    assert str(found.to_dict()) == str(expected)


def test_a_missing_hint_is_asked_for_once_more_then_counted() -> None:
    prompts = []

    def forgets(request):
        prompts.append(request.prompt)
        return "Hint 1: should be 1." if len(prompts) == 1 or "stubborn" in request.prompt else "Hint 2: should be 2."

    found = backpropagate(two_leaves(), VALUES, feedback="x", models=pure(forgets))
    assert (found["first"], found["second"], found.missing) == (["should be 1."], ["should be 2."], [])
    assert "Hint 2" in prompts[1].removeprefix(prompts[0])
    prompts.clear()
    found = backpropagate(two_leaves(), VALUES, feedback="stubborn", models=pure(forgets))
    assert (len(prompts), found["second"], found.missing) == (2, [], [("answer", "second")])


def test_a_backward_call_that_fails_is_recorded() -> None:
    found = backpropagate(two_leaves(), VALUES, feedback="x", models=slow(lambda r: RequestRefused("No.")))
    assert "No." in str(found.errors["answer"])
    assert sorted(found.missing) == [("answer", "first"), ("answer", "second")]


def test_nodes_that_cannot_use_a_gradient_cost_no_call() -> None:
    graph = Graph()
    graph.node("fixed", "A", inputs=["question"], trainable=False)
    graph.node("middle", "B", inputs=["fixed"], trainable=False)
    graph.node("free", "C", inputs=["question"])
    graph.node("end", "D", inputs=["middle", "free"], output=True)
    assert receivers(graph) == {"free", "end"}
    assert [backward_calls(graph, level) for level in ("full", "self", "bare")] == [1, 1, 1]
    values = {"question": "Q", "fixed": "1", "middle": "2", "free": "3", "end": "4"}
    found = backpropagate(graph, values, feedback="x", models=pure(advice), neighbourhood="self")
    assert set(found.nodes) == {"free", "end"}


def test_a_server_that_takes_a_schema_is_given_one_and_its_json_is_read() -> None:
    client = slow(lambda r: '{"Hint 1": "should be 4", "Hint 2": "should stay"}', takes_schema=True)
    found = backpropagate(two_leaves(), VALUES, feedback="x", models=client)
    schema = client._backend.requests[0].json_schema  # pyright: ignore[reportAttributeAccessIssue]
    assert schema["required"] == ["Hint 1", "Hint 2"]
    assert (found["first"], found["second"]) == (["should be 4"], ["should stay"])


def test_a_permutation_of_siblings_permutes_the_gradients() -> None:
    """The advice depends on what a hint says, not on where it stands."""

    def by_value(request):
        import re

        found = re.findall(r"^Hint (\d+):\n\t(.*)$", request.prompt, re.MULTILINE)
        return "\n".join(f"Hint {number}: {value} should rise." for number, value in found)

    graphs = [two_leaves(), Graph()]
    for name in ("first", "second"):
        graphs[1].node(name, "x", inputs=["question"])
    graphs[1].node("answer", "Add.", inputs=["question", "second", "first"], output=True)
    made = [backpropagate(graph, VALUES, feedback="x", models=pure(by_value)) for graph in graphs]
    assert made[0].edges == made[1].edges == {("answer", "first"): "F should rise.", ("answer", "second"): "S should rise."}


def test_on_a_chain_bare_and_full_prompts_carry_the_same_values() -> None:
    """Without siblings the neighbourhood adds no value: TextGrad's rule is the special case."""
    graph = Graph()
    graph.node("n0", "Start.", inputs=["question"])
    for i in range(1, 5):
        graph.node(f"n{i}", "Go on.", inputs=[f"n{i - 1}"], output=i == 4)
    values = {"question": "QQ", **{f"n{i}": f"V{i}V" for i in range(5)}}
    shown = {}
    for level in ("full", "self", "bare"):
        prompts = []
        model = pure(lambda r, p=prompts: p.append(r.prompt) or "Hint 1: should be better.")
        found = backpropagate(graph, values, feedback="The output should be T.", neighbourhood=level, models=model)
        shown[level] = [{v for v in values.values() if v in prompt} for prompt in prompts]
        assert [bool(found[f"n{i}"]) for i in range(5)] == [True] * 5
    assert shown["full"] == shown["self"] == shown["bare"] == [{f"V{i}V", f"V{i + 1}V"} for i in (3, 2, 1, 0)]


def test_many_samples_go_back_together() -> None:
    jobs = [Job({**VALUES, "first": str(i)}, f"The output should be {i}.") for i in range(20)]
    client = slow(advice, lambda r: 0.01)
    with Calls({"forward": client}) as calls:
        found = backward_pass(two_leaves(), jobs, calls)
    assert client._backend.most == 20  # pyright: ignore[reportAttributeAccessIssue]
    assert [g["answer"] for g in found] == [[job.feedback] for job in jobs]
    assert all(isinstance(g, Gradients) and g["second"] == ["should be 20."] for g in found)


def test_text_mode_wants_values_feedback_and_a_known_level() -> None:
    for settings_, message in (({"feedback": ""}, "no feedback"), ({"feedback": "x", "neighbourhood": "all"}, "full, self")):
        with pytest.raises(BadInput, match=message):
            backpropagate(two_leaves(), VALUES, **settings_)
    with pytest.raises(BadInput, match="no 'first'"):
        backpropagate(two_leaves(), {"question": "x"}, feedback="y")
