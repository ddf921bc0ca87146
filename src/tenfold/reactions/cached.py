"""The decoder with a key-value cache: ragged rows, draft trees, roll-back.

A row is one query. Its cache holds a key and a value for each node of its `PrefixTree`, and one call computes new nodes of
all rows: the linear layers over the nodes of all rows packed together, the attention row by row, each node seeing its
ancestors and the query. Rolling back is forgetting nodes; what stays behind a gap is moved forward.

At batch size 1 the time goes into launching small operators, so a row alone takes a path without gather, scatter and, for a
chain of nodes, without building a mask.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tenfold.reactions.encoding import QueryEncoder
from tenfold.reactions.linear import Linear, Norm
from tenfold.reactions.network import DecoderLayer, Transformer
from tenfold.reactions.tree import Node, PrefixTree

__all__ = ["CachedDecoder", "CachedRows", "likeliest"]


class CachedDecoder:
    """A network's decoder laid out for inference; it keeps no state, `rows` does.

    The weights are copied: build it again after the network has changed.
    """

    @torch.inference_mode()
    def __init__(self, network: Transformer) -> None:
        config = network.config
        self.config = config
        self.network = network
        self.is_pre = config.norm == "pre"
        layers = [layer for layer in network.decoder if isinstance(layer, DecoderLayer)]
        self.layers = [_Layer.of(layer) for layer in layers]
        cross = [layer.cross.projection for layer in layers]
        d = config.d_model
        self.memory = Linear.of(torch.cat([part.weight[d:] for part in cross]), torch.cat([part.bias[d:] for part in cross]))
        self.encoder = QueryEncoder(network)
        self.embedding = network.embedding.weight.detach()
        self.positions = network.positions.to(self.embedding.dtype)
        self.final = Norm.of(network.decoder_norm)
        self.classifier = Linear.of(network.classifier.weight, network.classifier.bias)
        self._causal = self.embedding.new_full((256, 256), -1e9).triu(1)

    def rows(self, count: int, longest_source: int, best: int) -> "CachedRows":
        """Room for some queries at a time.

        Args:
            count: most rows.
            longest_source: most tokens of a query, begin and end included.
            best: how many likeliest next tokens `verify` keeps for each node.
        """
        return CachedRows(self, count, longest_source, best)

    def causal(self, slots: int) -> Float[Tensor, "slot slot"]:
        """The additive mask of a chain of `slots` nodes."""
        if slots > len(self._causal):
            hidden = self.embedding.new_full((2 * slots, 2 * slots), -1e9)
            self._causal = hidden.triu(1)
        return self._causal[:slots, :slots]

    @torch.inference_mode()
    def memories(self, source: Sequence[int]) -> Float[Tensor, "layer source key_and_value"]:
        """The keys and values of a query in each layer; queries are encoded one by one, so that none depends on others."""
        found = self.memory(self.encoder(source))
        return found.view(len(source), len(self.layers), -1).transpose(0, 1)


class CachedRows:
    """Caches of the queries at work; the first `len(lengths)` rows are in use.

    Attributes:
        lengths: tokens of each row's query.
    """

    @torch.inference_mode()
    def __init__(self, decoder: CachedDecoder, count: int, longest_source: int, best: int) -> None:
        self._decoder, self._best, self._count = decoder, best, count
        self._heads = decoder.config.heads
        self._width = decoder.config.d_model
        self._layers = len(decoder.layers)
        self.lengths: list[int] = []
        self._memory = decoder.embedding.new_zeros(self._layers, count, longest_source, 2 * self._width)
        self._reserve(0)

    @torch.inference_mode()
    def admit(self, source: Sequence[int]) -> None:
        """Encode a query into the next row."""
        self._memory[:, len(self.lengths), : len(source)] = self._decoder.memories(source)
        self.lengths.append(len(source))
        self._see_sources()

    @torch.inference_mode()
    def drop(self, row: int, slots_of_last: int) -> None:
        """Free a row; the last row moves into its place, with the slots that it has filled."""
        last = len(self.lengths) - 1
        if row != last:
            self._cache[:, row, :slots_of_last] = self._cache[:, last, :slots_of_last]
            self._memory[:, row] = self._memory[:, last]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self._see_sources()

    @torch.inference_mode()
    def verify(self, trees: Sequence[PrefixTree], nodes: Sequence[Sequence[Node]]) -> None:
        """Compute new nodes in one call of the decoder: each gets its slot and its likeliest next tokens.

        Args:
            trees: of the rows in use, in their order.
            nodes: the new nodes of each row, parents before children; at least one a row.
        """
        self._carry_out_moves(trees)
        for tree, new in zip(trees, nodes, strict=True):
            tree.place(new)
        self._reserve(max(len(tree.nodes) for tree in trees))
        packed = [node for new in nodes for node in new]
        hidden = self._compute(packed, self._alone(trees[0], packed) if len(trees) == 1 else self._together(trees, nodes))
        logits = self._decoder.classifier(self._decoder.final(hidden))
        ids, log_probabilities = likeliest(logits, self._best)
        for node, best, scores in zip(packed, ids, log_probabilities, strict=True):
            node.best, node.log_probabilities = best, scores

    def _carry_out_moves(self, trees: Sequence[PrefixTree]) -> None:
        for row, tree in enumerate(trees):
            if tree.moves:
                origin, goal = zip(*tree.moves, strict=True)
                self._cache[:, row, list(goal)] = self._cache[:, row, list(origin)]
                tree.moves.clear()

    def _compute(self, packed: Sequence[Node], view: "_Alone | _Together") -> Float[Tensor, "node d"]:
        decoder, device = self._decoder, self._cache.device
        tokens, depths = torch.tensor([[node.token for node in packed], [node.depth for node in packed]], device=device)
        x = torch.embedding(decoder.embedding, tokens).add_(torch.embedding(decoder.positions, depths))
        step = _pre_norm if decoder.is_pre else _post_norm
        for layer, cache, memory in zip(decoder.layers, self._caches, self._memories, strict=True):
            x = step(layer, x, partial(view.attend, cache), partial(view.look, memory))
        return x

    def _reserve(self, slots: int) -> None:
        """Make room for so many slots a row; what is there stays."""
        have = self._cache.shape[2] if hasattr(self, "_cache") else 0
        if have and slots <= have:
            return
        shape = (self._layers, self._count, max(128, 2 * slots), 2 * self._width)
        grown = self._decoder.embedding.new_zeros(shape)
        if have:
            grown[:, :, :have] = self._cache
        self._cache = grown
        self._caches = [_Store.of(layer, self._heads) for layer in grown]

    def _see_sources(self) -> None:
        """The queries have changed: look at as much of them as there is, and mask the padding."""
        longest = max(self.lengths, default=0)
        self._memories = [_Store.of(layer, self._heads) for layer in self._memory[:, :, :longest]]
        self._memory_mask: Tensor | None = None
        if len(self.lengths) > 1 and min(self.lengths) < longest:
            bits = np.arange(longest) < np.array(self.lengths)[:, None]
            self._memory_mask = self._additive(bits)[:, None, None, :]

    def _additive(self, is_visible: np.ndarray) -> Tensor:
        """What is added to attention's scores: 0, or so little that nothing is left of them."""
        return torch.from_numpy((is_visible.astype(np.float32) - 1) * 1e9).to(self._decoder.embedding)

    def _alone(self, tree: PrefixTree, packed: Sequence[Node]) -> "_Alone":
        end = len(tree.nodes)
        start = end - len(packed)
        if packed[-1].visible != (1 << end) - 1:
            mask = self._additive(_bits(packed, end))
        else:
            mask = self._decoder.causal(end)[start:] if len(packed) > 1 else None
        return _Alone(start, end, mask)

    def _together(self, trees: Sequence[PrefixTree], nodes: Sequence[Sequence[Node]]) -> "_Together":
        width = max(map(len, nodes))
        end = max(len(tree.nodes) for tree in trees)
        slots = self._cache.shape[2]
        flat = [row * slots + node.slot for row, new in enumerate(nodes) for node in new]
        padded = [new[min(place, len(new) - 1)] for new in nodes for place in range(width)]
        mask = self._additive(_bits(padded, end)).view(len(trees), 1, width, end)
        device = mask.device
        into = out = None
        if len(flat) < len(padded):
            starts = np.cumsum([0, *map(len, nodes[:-1])])
            into = torch.tensor(
                [
                    start + min(place, len(new) - 1)
                    for start, new in zip(starts, nodes, strict=True)
                    for place in range(width)
                ],
                device=device,
            )
            out = torch.tensor(
                [row * width + place for row, new in enumerate(nodes) for place in range(len(new))], device=device
            )
        return _Together(len(trees), end, torch.tensor(flat, device=device), mask, self._memory_mask, into, out)


class _Store(NamedTuple):
    """Keys and values of one layer: as they lie, and by head."""

    whole: Float[Tensor, "row slot key_and_value"]
    keys: Float[Tensor, "row head slot part"]
    values: Float[Tensor, "row head slot part"]

    @classmethod
    def of(cls, layer: Float[Tensor, "row slot key_and_value"], heads: int) -> "_Store":
        keys, values = layer.unflatten(2, (2, heads, -1)).permute(2, 0, 3, 1, 4)
        return cls(layer, keys, values)


class _Alone(NamedTuple):
    """How the nodes of one row alone look at its cache and its query: plain slices."""

    start: int
    end: int
    mask: Float[Tensor, "node slot"] | None

    def attend(self, cache: _Store, projected: Float[Tensor, "node three_d"]) -> Float[Tensor, "node d"]:
        width = projected.shape[1] // 3
        cache.whole[0, self.start : self.end] = projected[:, width:]
        keys, values = cache.keys[:1, :, : self.end], cache.values[:1, :, : self.end]
        return _attend(1, projected[:, :width], keys, values, self.mask)

    def look(self, memory: _Store, projected: Float[Tensor, "node d"]) -> Float[Tensor, "node d"]:
        return _attend(1, projected, memory.keys[:1], memory.values[:1], None)


class _Together(NamedTuple):
    """How the nodes of several rows look at their caches and queries.

    `into` pads the packed nodes to rows of one width, `out` packs them again; none where all are equally many.
    """

    rows: int
    end: int
    flat: Tensor
    mask: Float[Tensor, "row 1 node slot"]
    memory_mask: Tensor | None
    into: Tensor | None
    out: Tensor | None

    def attend(self, cache: _Store, projected: Float[Tensor, "node three_d"]) -> Float[Tensor, "node d"]:
        width = projected.shape[1] // 3
        cache.whole.view(-1, 2 * width).index_copy_(0, self.flat, projected[:, width:])
        keys, values = cache.keys[: self.rows, :, : self.end], cache.values[: self.rows, :, : self.end]
        return self._attend(projected[:, :width], keys, values, self.mask)

    def look(self, memory: _Store, projected: Float[Tensor, "node d"]) -> Float[Tensor, "node d"]:
        return self._attend(projected, memory.keys[: self.rows], memory.values[: self.rows], self.memory_mask)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Float[Tensor, "node d"]:
        if self.into is not None:
            query = query[self.into]
        found = _attend(self.rows, query, keys, values, mask)
        return found if self.out is None else found[self.out]


def _attend(rows: int, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Float[Tensor, "node d"]:
    """Attention of as many nodes (node, d) of each row."""
    query = query.view(rows, -1, keys.shape[1], keys.shape[3]).transpose(1, 2)
    found = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    return found.transpose(1, 2).reshape(-1, keys.shape[1] * keys.shape[3])


class _Layer(NamedTuple):
    """Weights of a decoder layer."""

    projection: Linear
    output: Linear
    cross_query: Linear
    cross_output: Linear
    linear1: Linear
    linear2: Linear
    norm1: Norm
    norm2: Norm
    norm3: Norm

    @classmethod
    def of(cls, layer: DecoderLayer) -> "_Layer":
        cross = layer.cross.projection
        d = cross.weight.shape[1]
        return cls(
            Linear.of(layer.attention.projection.weight, layer.attention.projection.bias),
            Linear.of(layer.attention.output.weight, layer.attention.output.bias),
            Linear.of(cross.weight[:d], cross.bias[:d]),
            Linear.of(layer.cross.output.weight, layer.cross.output.bias),
            Linear.of(layer.linear1.weight, layer.linear1.bias),
            Linear.of(layer.linear2.weight, layer.linear2.bias),
            *(Norm.of(norm) for norm in (layer.norm1, layer.norm2, layer.norm3)),
        )


Attend = Callable[[Tensor], Tensor]


def _pre_norm(layer: _Layer, x: Tensor, attend: Attend, look: Attend) -> Tensor:
    x = layer.output(attend(layer.projection(layer.norm1(x)))).add_(x)
    x = layer.cross_output(look(layer.cross_query(layer.norm2(x)))).add_(x)
    return layer.linear2(layer.linear1(layer.norm3(x)).relu_()).add_(x)


def _post_norm(layer: _Layer, x: Tensor, attend: Attend, look: Attend) -> Tensor:
    x = layer.norm1(layer.output(attend(layer.projection(x))).add_(x))
    x = layer.norm2(layer.cross_output(look(layer.cross_query(x))).add_(x))
    return layer.norm3(layer.linear2(layer.linear1(x).relu_()).add_(x))


def likeliest(logits: Float[Tensor, "node vocabulary"], count: int) -> tuple[list[list[int]], list[list[float]]]:
    """The `count` likeliest tokens of each node and their log-probabilities, the best first."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    best = logits.topk(count).indices if count > 1 else logits.argmax(-1, keepdim=True)
    return best.tolist(), logits.log_softmax(-1).gather(1, best).tolist()


def _bits(nodes: Sequence[Node], slots: int) -> np.ndarray:
    """(node, slot) True where a node sees a slot."""
    size = (slots + 7) // 8
    raw = b"".join([node.visible.to_bytes(size, "little") for node in nodes])
    return np.unpackbits(np.frombuffer(raw, np.uint8).reshape(len(nodes), size), axis=1, count=slots, bitorder="little")
