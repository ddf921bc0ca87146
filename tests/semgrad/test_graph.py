"""Graphs: built, checked, changed, written and read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.semgrad.graph import Graph, fill


def two_leaves() -> Graph:
    graph = Graph()
    first = graph.node("first", "Evaluate bracket 1.", inputs=["question"])
    graph.node("second", "Evaluate bracket 2.", inputs=["question"])
    graph.node("answer", "Add the hints.", inputs=["question", first, "second"], output=True, output_format="A number.")
    return graph


def test_nodes_queries_output_and_instructions_are_told_apart() -> None:
    graph = two_leaves().validate()
    assert list(graph.nodes) == ["first", "second", "answer"]
    assert graph.queries == ("question",)
    assert graph.output.name == "answer"
    assert graph.instructions["second"] == "Evaluate bracket 2."
    assert graph.structure.predecessors[graph.structure.position["answer"]] == (0, 1)


def test_several_texts_of_a_node_are_parameters_and_change_alone() -> None:
    graph = Graph()
    graph.node("a", "Solve.", inputs=["question"], parameters={"style": "Be short."}, output=True)
    assert graph.instructions == {"a": "Solve.", "a.style": "Be short."}
    changed = graph.with_instructions({"a.style": "Be long."})
    assert changed.instructions == {"a": "Solve.", "a.style": "Be long."}
    assert graph.instructions["a.style"] == "Be short."


def test_a_changed_copy_keeps_levels_and_edges() -> None:
    graph = Graph()
    graph.node("a", "One.", inputs=["question"], neighbourhood="bare", trainable=False)
    graph.node("b", "Two.", inputs=["a"], output=True)
    changed = graph.with_instructions({"b": "Three."})
    assert changed.nodes["a"].neighbourhood == "bare"
    assert not changed.nodes["a"].trainable
    assert changed.structure == graph.structure


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_what_is_saved_is_read_back(tmp_path, suffix) -> None:
    graph = Graph()
    graph.node("a", "Größe:\n  two lines", inputs=["question"], parameters={"style": "x"}, neighbourhood="self")
    graph.node("b", "B", inputs=["a"], template="{instruction}\n{a}", trainable=False, output=True)
    graph.save(tmp_path / f"g.{suffix}")
    assert Graph.load(tmp_path / f"g.{suffix}").to_dict() == graph.to_dict()


def test_a_function_is_named_in_the_file_and_wanted_back(tmp_path) -> None:
    graph = Graph()
    graph.node("f", function=len, inputs=["question"])
    graph.node("a", "Solve.", inputs=["f"], output=True)
    graph.save(tmp_path / "g.json")
    with pytest.raises(BadInput, match="builtins:len"):
        Graph.load(tmp_path / "g.json")
    assert Graph.load(tmp_path / "g.json", {"f": len}).nodes["f"].function is len


def test_the_nodes_of_a_cycle_are_named_in_order() -> None:
    graph = Graph()
    graph.node("x", "X", inputs=["question"])
    graph.node("a", "A", inputs=["x", "c"])
    graph.node("b", "B", inputs=["a"])
    graph.node("c", "C", inputs=["b"], output=True)
    with pytest.raises(BadInput, match=r"cycle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"):
        graph.validate()


def test_no_output_two_outputs_and_loose_nodes_are_named() -> None:
    graph = Graph()
    with pytest.raises(BadInput, match="no nodes"):
        graph.validate()
    graph.node("a", "A", inputs=["question"])
    with pytest.raises(BadInput, match="No node"):
        graph.validate()
    graph.node("b", "B", inputs=["question"], output=True)
    with pytest.raises(BadInput, match="No path leads to the output 'b' from: a"):
        graph.validate()
    graph.node("c", "C", inputs=["a", "b"], output=True)
    with pytest.raises(BadInput, match="2 outputs: b, c"):
        graph.validate()


def test_a_placeholder_without_edge_and_an_edge_without_placeholder_are_named() -> None:
    with pytest.raises(BadInput, match=r"'a' has the placeholder \{hint\}"):
        Graph().node("a", "A", inputs=["question"], template="{instruction} {question} {hint}")
    with pytest.raises(BadInput, match="'a' does not use 'question'"):
        Graph().node("a", "A", inputs=["question"], template="{instruction}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "a.b", "instruction": "x"}, "no name"),
        ({"name": "a", "instruction": " "}, "no instruction"),
        ({"name": "a", "instruction": "\ud800"}, "half a character"),
        ({"name": "a", "instruction": "x", "inputs": ["q", "q"]}, "twice"),
        ({"name": "a", "instruction": "x", "neighbourhood": "all"}, "full, self, bare, none"),
        ({"name": "a", "instruction": "x", "parameters": {"s": ""}}, "empty"),
        ({"name": "a", "instruction": "x", "inputs": [3]}, "neither a node nor a name"),
    ],
)
def test_a_node_that_cannot_be_is_refused(settings, message) -> None:
    with pytest.raises(BadInput, match=message):
        Graph().node(**{"inputs": ["q"], **settings})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "list of nodes"),
        ({"nodes": []}, "list of nodes"),
        ({"nodes": [{"instruction": "x"}]}, "Node 1"),
        ({"nodes": [{"name": "a", "instruction": "x", "inputs": "q"}]}, "inputs must be a list"),
        ({"nodes": [{"name": "a", "instruction": "x", "input": ["q"]}]}, "unknown key 'input'"),
        ({"nodes": [{"name": "a", "instruction": "x", "inputs": [], "output": True}]}, "same answer"),
    ],
)
def test_a_value_that_is_no_graph_is_refused(value, message) -> None:
    with pytest.raises(BadInput, match=message):
        Graph.from_dict(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"nodes: [", "not valid YAML"),
        (b"a: &x [1]\nb: *x", "aliases"),
        (b"nodes: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_hostile_file_is_one_sentence(tmp_path, content, message) -> None:
    path = tmp_path / "g.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        Graph.load(path)


def test_replaced_text_is_not_read_again() -> None:
    assert fill("{a} {b} {c}", {"a": "{b}", "b": "{0.__class__}"}) == "{b} {0.__class__} {c}"


@settings(max_examples=30)
@given(st.integers(2, 15), st.randoms(use_true_random=False))
def test_every_node_stands_after_its_predecessors(size, random) -> None:
    names = [f"n{i}" for i in range(size)]
    entries = [{"name": "n0", "instruction": "x", "inputs": ["q"]}]
    for i in range(1, size):
        entries.append({"name": names[i], "instruction": "x", "inputs": random.sample(names[:i], random.randint(1, i))})
    random.shuffle(entries)
    graph = Graph()
    for entry in entries:
        graph.node(**entry)
    place = graph.structure.position
    assert all(place[s] < place[n] for n, node in graph.nodes.items() for s in node.inputs if s in place)


def test_a_long_chain_needs_no_recursion() -> None:
    graph = Graph()
    graph.node("n0", "x", inputs=["q"])
    for i in range(1, 5000):
        graph.node(f"n{i}", "x", inputs=[f"n{i - 1}"], output=i == 4999)
    assert graph.validate().structure.order[-1] == "n4999"
