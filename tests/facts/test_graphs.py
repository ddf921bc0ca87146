import gzip
import json
import os

import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.facts.graph_rivals import GraphConvolutionGRU, NodeRidge
from tenfold.facts.graphs import METHODS, Graph, GraphForecaster, compare, read_graph
from tenfold.facts.windows import Windows

RING = tuple((node, (node + 1) % 5) for node in range(5))


def carried(times=240, seed=0):
    """Each node repeats, a step later, what the node before it on a ring of five had, and noise."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(times, 5))
    for time in range(1, times):
        values[time] = 0.8 * np.roll(values[time - 1], 1) + 0.6 * values[time]
    return Graph(values, tuple("abcde"), RING)


def written(folder, content, name="graph.json"):
    path = folder / name
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def awake(model):
    """With a head that says something; a new one says nothing."""
    torch.nn.init.normal_(model.head.weight)
    return model.eval()


@pytest.mark.parametrize("make", [GraphForecaster, GraphConvolutionGRU])
def test_a_node_hears_of_those_that_feed_it_and_of_no_other(make):
    torch.manual_seed(0)
    model = awake(make(np.eye(5, dtype=bool) if make is GraphForecaster else carried().adjacency(), 1, 2))
    x, other = torch.randn(1, 1, 5), torch.zeros(1, 1, 5)
    other[..., 2] = 3.0
    with torch.no_grad():
        changed = (model(x) - model(x + other)).abs().amax((0, 1)) > 1e-6
    assert bool(changed[2])
    if make is GraphConvolutionGRU:
        assert changed.tolist() == [False, False, True, True, False]


def test_the_mask_hides_all_rows_but_the_nodes_own_and_its_sources():
    torch.manual_seed(0)
    adjacency = carried().adjacency()
    model = GraphForecaster(adjacency, 4, 1)
    rows = model.embed(torch.randn(2, 4, 5, 1)) + model.node
    weights = model.facts.routing(rows, model.mask.expand(2, -1, -1))
    assert torch.equal((weights > 0).any(0).any(0).any(0), torch.from_numpy(adjacency))


def test_edges_lead_from_the_first_to_the_second_and_every_node_sees_itself():
    found = Graph(np.zeros((2, 3)), ("a", "b", "c"), ((0, 1),)).adjacency()
    assert found.tolist() == [[True, False, False], [True, True, False], [False, False, True]]


def test_neighbours_that_tell_the_future_are_heard_through_the_graph():
    rows = compare(carried(), look_back=4, methods=("ridge of each node", "FACTS"), seeds=(0,), steps=150)
    alone, ours = rows
    assert ours.mse < 0.8 * alone.mse
    assert ours.rmse == pytest.approx(ours.mse**0.5)


def test_the_ridge_of_a_node_is_the_least_squares_solution_of_its_own_past():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(60, 2)).cumsum(0)
    windows = Windows(values, 3, 1)
    model = NodeRidge(2, 3, 1)
    model.solve(windows, 1e-8)
    past, future = (part.numpy().astype(float) for part in windows[slice(0, len(windows))])
    for node in range(2):
        inputs = np.c_[past[:, :, node], np.ones(len(past))]
        wanted = np.linalg.lstsq(inputs, future[:, 0, node], rcond=None)[0]
        np.testing.assert_allclose(model.weight[node, 0].numpy(), wanted[:3], atol=1e-4)
        np.testing.assert_allclose(float(model.bias[node, 0]), wanted[3], atol=1e-4)


def test_every_method_is_scored_and_the_same_seed_gives_the_same_number():
    graph = carried()
    options = {"look_back": 3, "seeds": (0,), "steps": 4, "period": 5}
    found = compare(graph, **options)
    assert [row.method for row in found] == list(METHODS)
    assert compare(graph, methods=METHODS[3:], **options) == found[3:]
    published = compare(graph, convention="published", methods=("last value",), look_back=3)
    truth = graph.values[48:] - graph.values[47:-1]
    assert published[0].mse == pytest.approx(float(np.square(truth).mean()), rel=1e-5)


def test_what_compare_does_not_know_is_named():
    with pytest.raises(BadInput, match="method 'prophet'"):
        compare(carried(), methods=("prophet",))
    with pytest.raises(BadInput, match="convention 'half'"):
        compare(carried(), convention="half")
    with pytest.raises(BadInput, match="too few"):
        compare(Graph(np.zeros((12, 5)), tuple("abcde"), RING), look_back=20)


def test_a_graph_is_read_with_its_series_or_beside_a_table(tmp_path):
    values = carried(12).values
    inline = read_graph(written(tmp_path, {"nodes": list("abcde"), "edges": [["a", "b"], [1, 2]], "FX": values.tolist()}))
    assert inline.edges == ((0, 1), (1, 2))
    assert inline.names == tuple("abcde")
    assert "d, e" in inline.notes[0]
    np.testing.assert_array_equal(inline.values, values)
    numbered = {"node_ids": {"y": 1, "x": 0}, "edges": [["x", "y"]], "FX": [[1, 2], [3, 4]]}
    assert read_graph(written(tmp_path, numbered, "g.json.gz")).names == ("x", "y")
    (tmp_path / "t.csv").write_text("date,p,q\n" + "".join(f"2020-01-{day:02},{day},{-day}\n" for day in range(1, 9)))
    beside = read_graph(written(tmp_path, {"edges": [["q", "p"]]}), tmp_path / "t.csv")
    assert beside.edges == ((1, 0),)
    assert beside.values.shape == (8, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1], 'has no list "edges"'),
        ({"edges": [[0, 1]]}, 'has no "FX"'),
        ({"edges": [[0, 7]], "FX": [[1, 2]]}, "Edge 0 of graph.json leads to node '7'"),
        ({"edges": [["a", "z"]], "nodes": ["a", "b"], "FX": [[1, 2]]}, "node 'z', which is not there"),
        ({"edges": [[True, 0]], "FX": [[1, 2]]}, "node 'True'"),
        ({"edges": [[0]], "FX": [[1, 2]]}, "Edge 0 of graph.json is no pair"),
        ({"edges": [], "nodes": ["a"], "FX": [[1, 2]]}, "names 1 nodes; its rows have 2 values"),
        ({"edges": [], "nodes": ["a", "a"], "FX": [[1, 2]]}, "different names"),
        ({"edges": [], "node_ids": {"a": 0, "b": 2}, "FX": [[1, 2]]}, "must number the nodes"),
        ({"edges": [], "FX": [[1, 2], [3]]}, 'has no "FX" with rows'),
        ({"edges": [], "FX": [1, 2]}, "must be .times, nodes"),
        ({"edges": [], "FX": [[1, 2], [None, 4]]}, "no number in row 1, node 0"),
    ],
)
def test_a_graph_that_cannot_be_used_is_answered_in_a_sentence(tmp_path, content, words):
    with pytest.raises(BadInput, match=words):
        read_graph(written(tmp_path, content))


def test_files_that_are_no_graph_and_tables_of_other_nodes_are_answered(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "broken.json.gz").write_bytes(b"\x1f\x8b plain")
    with pytest.raises(BadInput, match="is no JSON"):
        read_graph(tmp_path / "broken.json")
    with pytest.raises(BadInput, match="cannot be read"):
        read_graph(tmp_path / "broken.json.gz")
    with pytest.raises(BadInput, match="cannot be read"):
        read_graph(tmp_path / "missing.json")
    (tmp_path / "t.csv").write_text("date,p,q\n" + "".join(f"2020-01-0{day},{day},2\n" for day in range(1, 6)))
    with pytest.raises(BadInput, match=r"differ: q, z"):
        read_graph(written(tmp_path, {"nodes": ["p", "z"], "edges": []}), tmp_path / "t.csv")


@pytest.mark.data
@pytest.mark.skipif("TENFOLD_DATA" not in os.environ, reason="TENFOLD_DATA is not set")
def test_the_chickenpox_file_is_twenty_counties_with_an_edge_both_ways():
    graph = read_graph(os.path.join(os.environ["TENFOLD_DATA"], "facts", "chickenpox.json.gz"))
    assert graph.values.shape == (521, 20)
    assert graph.names[0] == "BACS"
    assert not graph.notes
    adjacency = graph.adjacency()
    assert np.array_equal(adjacency, adjacency.T)
