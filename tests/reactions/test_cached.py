"""The decoder with a cache computes what the whole network computes, whatever was verified, forgotten and moved."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reactions.networks import VOCABULARY, log_probabilities, random_network, random_queries
from tenfold.core.errors import BadInput
from tenfold.reactions.cached import CachedDecoder
from tenfold.reactions.tree import Node, PrefixTree, grow, want
from tenfold.reactions.uncached import UncachedDecoder


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from(["pre", "post"]), st.integers(1, 4), st.booleans())
def test_cached_equals_full_recomputation_after_random_rollbacks(seed: int, norm: str, count: int, has_cache: bool) -> None:
    network, generator = random_network(seed, norm), random.Random(seed)
    sources = random_queries(seed, count)
    rows = (CachedDecoder if has_cache else UncachedDecoder)(network).rows(count, max(map(len, sources)), VOCABULARY)
    trees = [PrefixTree() for _ in sources]
    for source in sources:
        rows.admit(source)
    for _ in range(4):
        requests = [_random_nodes(tree, generator) for tree in trees]
        rows.verify(trees, requests)
        for source, new in zip(sources, requests, strict=True):
            for node in new:
                expected = log_probabilities(network, source, node.prefix())
                assert torch.allclose(
                    expected[node.best], torch.tensor(node.log_probabilities, dtype=torch.float64), atol=1e-9
                )
        for tree in trees:
            _forget_some(tree, generator)
        if len(trees) > 1 and generator.random() < 0.3:
            row = generator.randrange(len(trees))
            rows.drop(row, trees[-1].filled)
            trees[row], sources[row] = trees[-1], sources[-1]
            trees.pop()
            sources.pop()


def _random_nodes(tree: PrefixTree, generator: random.Random) -> list[Node]:
    nodes: list[Node] = []
    want(tree.root, nodes)
    while True:
        place = generator.choice([*tree.nodes, *nodes])
        if place.depth < 40:
            drafts = [
                generator.choices(range(4, VOCABULARY), k=generator.randint(1, 5)) for _ in range(generator.randint(1, 3))
            ]
            grow(place, drafts, nodes)
        if nodes and generator.random() < 0.6:
            return nodes


def _forget_some(tree: PrefixTree, generator: random.Random) -> None:
    first = generator.randrange(len(tree.nodes))
    kept: list[Node] = []
    for node in tree.nodes[first:]:
        parent = node.parent
        if (parent is None or parent.slot < first or parent in kept) and generator.random() < 0.7:
            kept.append(node)
    if tree.root not in kept and first == 0:
        return
    tree.keep(first, kept)


def test_a_row_alone_and_in_a_batch_give_the_same_numbers_in_float32() -> None:
    network = random_network(3, dtype=torch.float32)
    sources = random_queries(5, 64)
    decoder = CachedDecoder(network)
    together = decoder.rows(64, max(map(len, sources)), 3)
    trees = [PrefixTree() for _ in sources]
    for source in sources:
        together.admit(source)
    together.verify(trees, [[tree.root] for tree in trees])
    for source, tree in zip(sources, trees, strict=True):
        alone, single = decoder.rows(1, len(source), 3), PrefixTree()
        alone.admit(source)
        alone.verify([single], [[single.root]])
        assert single.root.log_probabilities == pytest.approx(tree.root.log_probabilities, abs=1e-5)


def test_more_slots_than_were_reserved_are_made() -> None:
    network = random_network(1)
    rows, tree = CachedDecoder(network).rows(1, 3, 1), PrefixTree()
    rows.admit([1, 5, 2])
    nodes: list[Node] = []
    want(tree.root, nodes)
    for token in range(4, VOCABULARY):
        grow(tree.root, [[token] * 40], nodes)
    rows.verify([tree], [nodes])
    leaf: list[Node] = []
    want(tree.nodes[-1].child(4), leaf)
    rows.verify([tree], [leaf])
    expected = log_probabilities(network, [1, 5, 2], leaf[0].prefix())
    assert leaf[0].best[0] == int(expected.argmax())
    assert leaf[0].log_probabilities[0] == pytest.approx(float(expected.max()), abs=1e-9)


@pytest.mark.parametrize("has_cache", [True, False])
def test_a_query_longer_than_the_positions_is_refused(has_cache: bool) -> None:
    rows = (CachedDecoder if has_cache else UncachedDecoder)(random_network(0)).rows(1, 65, 1)
    with pytest.raises(BadInput, match="65 tokens, the model's limit is 64"):
        rows.admit([1, *[5] * 63, 2])


def test_half_precision_decodes_too() -> None:
    network = random_network(0, dtype=torch.bfloat16)
    rows = CachedDecoder(network).rows(2, 4, 2)
    trees = [PrefixTree(), PrefixTree()]
    for tree in trees:
        del tree
        rows.admit([1, 5, 6, 2])
    requests: list[list[Node]] = [[], []]
    for tree, new in zip(trees, requests, strict=True):
        want(tree.root, new)
        grow(tree.root, [[4, 5], [4, 6], [7]], new)
    rows.verify(trees, requests)
    expected = log_probabilities(network, [1, 5, 6, 2], [1, 4, 6]).float()
    node = trees[1].root.children[4].children[6]
    assert node.log_probabilities[0] == pytest.approx(float(expected.max()), abs=0.1)
