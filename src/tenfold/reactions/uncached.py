"""The paper's way: no cache, so every call computes whole prefixes again, each draft in a row of its own.

Our own writing of it, and a fair one: equal drafts share a row, queries are encoded once, padding is masked.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.reactions.cached import likeliest
from tenfold.reactions.network import Transformer
from tenfold.reactions.tokens import PAD
from tenfold.reactions.tree import Node, PrefixTree

__all__ = ["UncachedDecoder", "UncachedRows"]


class UncachedDecoder:
    """A network, used as it was trained: whole sequences through the whole decoder."""

    def __init__(self, network: Transformer) -> None:
        self.network = network

    def rows(self, count: int, longest_source: int, best: int) -> "UncachedRows":
        """As of `CachedDecoder.rows`; there is nothing to make room for."""
        del count, longest_source
        return UncachedRows(self.network, best)


class UncachedRows:
    """The encoded queries at work."""

    def __init__(self, network: Transformer, best: int) -> None:
        self._network, self._best = network, best
        self._memories: list[Tensor] = []

    @torch.inference_mode()
    def admit(self, source: Sequence[int]) -> None:
        """See `CachedRows.admit`."""
        limit = self._network.config.positions
        if len(source) > limit:
            raise BadInput(f"The query has {len(source)} tokens, the model's limit is {limit}.")
        self._memories.append(self._network.encode(self._tensor(source)[None])[0])

    def drop(self, row: int, slots_of_last: int) -> None:
        """See `CachedRows.drop`."""
        del slots_of_last
        self._memories[row] = self._memories[-1]
        self._memories.pop()

    @torch.inference_mode()
    def verify(self, trees: Sequence[PrefixTree], nodes: Sequence[Sequence[Node]]) -> None:
        """See `CachedRows.verify`: a row for each leaf among the new nodes."""
        for tree, new in zip(trees, nodes, strict=True):
            tree.moves.clear()
            tree.place(new)
        leaves = [(row, leaf) for row, new in enumerate(nodes) for leaf in _leaves(new)]
        prefixes = nn.utils.rnn.pad_sequence([self._tensor(leaf.prefix()) for _, leaf in leaves], True, PAD)
        memory = nn.utils.rnn.pad_sequence([self._memories[row] for row, _ in leaves], True)
        lengths = torch.tensor([len(self._memories[row]) for row, _ in leaves], device=memory.device)
        is_source = torch.arange(memory.shape[1], device=memory.device) < lengths[:, None]
        hidden = self._network.decode(prefixes, memory, is_source)
        ids, log_probabilities = likeliest(self._network.classifier(hidden).flatten(0, 1), self._best)
        for number, (row, leaf) in enumerate(leaves):
            del row
            node: Node | None = leaf
            while node and not node.best:
                place = number * prefixes.shape[1] + node.depth
                node.best, node.log_probabilities = ids[place], log_probabilities[place]
                node = node.parent

    def _tensor(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor(ids, device=self._network.embedding.weight.device)


def _leaves(nodes: Sequence[Node]) -> list[Node]:
    """The nodes behind which there is no other of them."""
    inner = {id(node.parent) for node in nodes}
    return [node for node in nodes if id(node) not in inner]
