"""The paper's speculative beam search (Andronov et al. 2025; spec section 1.6): fast, close to beam search, not equal to it.

Beams of different lengths compete by total log-probability, and a draft is followed through tokens that lie in the nucleus
of their position, so the list differs from that of `beam.BeamSearch`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tenfold.reactions.batching import Hypothesis
from tenfold.reactions.drafting import RowDrafts
from tenfold.reactions.tokens import EOS
from tenfold.reactions.tree import Node, PrefixTree, grow, want

__all__ = ["NUCLEUS", "SpeculativeBeamSearch"]

NUCLEUS = 0.9975


class _Beam(NamedTuple):
    score: float
    node: Node
    is_over: bool
    drafts: Sequence[Sequence[int]]


class SpeculativeBeamSearch:
    """The search of one query; see `batching.Search`."""

    def __init__(self, n: int, max_length: int, drafts: RowDrafts, width: int, length: int) -> None:
        """Set up.

        Args:
            n: beams, and outputs.
            max_length: most tokens of an output, begin and end included; at least 2.
            drafts: proposes continuations of a beam.
            width: drafts of a beam.
            length: tokens of a draft.
        """
        self.tree = PrefixTree()
        self.copied: list[tuple[int, int]] = []
        self._n, self._max_length, self._drafts = n, max_length, drafts
        self._width, self._length = width, length
        self._beams = [_Beam(0.0, self.tree.root, False, ())]

    def wanted(self, rows: int = 1) -> list[Node]:
        """See `batching.Search.wanted`."""
        del rows
        nodes: list[Node] = []
        # An end may have been verified already, in a draft of another beam: then there is nothing to compute yet.
        while not nodes and not (self.tree.root.best and all(beam.is_over for beam in self._beams)):
            if self.tree.root.best:
                self._beams = self._chosen()
            self._forget([beam for beam in self._beams if not beam.is_over])
            for place, beam in enumerate(self._beams):
                if not beam.is_over:
                    room = min(self._length, self._max_length - beam.node.depth - 2)
                    drafts = self._drafts.propose(beam.node.prefix(), self._width, room) if room > 0 else []
                    self._beams[place] = beam._replace(drafts=drafts)
                    want(beam.node, nodes)
                    grow(beam.node, drafts, nodes)
        return nodes

    def hypotheses(self) -> list[Hypothesis]:
        """See `batching.Search.hypotheses`."""
        return [Hypothesis(beam.node.prefix(), beam.score, beam.node.token == EOS) for beam in self._beams]

    def _chosen(self) -> list[_Beam]:
        """The n best of all beams' candidates, whatever their lengths."""
        found: list[tuple[float, Node, int]] = []
        for beam in self._beams:
            found += [(beam.score, beam.node, -1)] if beam.is_over else self._candidates(beam)
        found.sort(key=lambda candidate: -candidate[0])
        chosen = []
        for score, node, token in found[: self._n]:
            end = node if token < 0 else node.child(token)
            is_over = end.token == EOS or end.depth + 1 >= self._max_length
            chosen.append(_Beam(score, end, is_over, ()))
        return chosen

    def _candidates(self, beam: _Beam) -> list[tuple[float, Node, int]]:
        """Extensions from every accepted position of the beam's best draft; where it goes on, not by its own token."""
        path: list[int] = max((self._accepted(beam.node, draft) for draft in beam.drafts), key=len, default=[])
        found = []
        node, score = beam.node, beam.score
        for token in [*path, None]:
            scored = zip(node.best, node.log_probabilities, strict=True)
            found += [(score + more, node, other) for other, more in scored if other != token]
            if token is not None:
                score += node.log_probabilities[node.best.index(token)]
                node = node.children[token]
        return found

    def _accepted(self, node: Node, draft: Sequence[int]) -> list[int]:
        """The draft's tokens up to the first outside the nucleus of its position."""
        path: list[int] = []
        for token in draft:
            if token == EOS or token not in _kept(node):
                break
            path.append(token)
            node = node.children[token]
        return path

    def _forget(self, alive: Sequence[_Beam]) -> None:
        """Leave to the cache only the beams' own prefixes, with the ends that have been verified already."""
        living: set[int] = set()
        for beam in alive:
            place = beam.node if beam.node.best else beam.node.parent
            while place and place.slot not in living:
                living.add(place.slot)
                place = place.parent
        self.tree.keep(0, [node for node in self.tree.nodes if node.slot in living])


def _kept(node: Node) -> Sequence[int]:
    """The likeliest tokens until those before hold the nucleus; at least one, at most n."""
    before = 0.0
    for count, more in enumerate(node.log_probabilities):
        if before >= NUCLEUS and count:
            return node.best[:count]
        before += math.exp(more)
    return node.best
