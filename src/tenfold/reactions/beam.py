"""Beam search, and its exact replay by speculation: the same list, with fewer calls (spec section 8).

Plain: at each step every beam's last token is computed in one call, and the `n` best extensions by total log-probability
go on; finished outputs keep their places and compete. With drafts the calls compute likely continuations as well, and the
search runs over what is already known: it calls the network only for beams that it has not met, and not even for those
which cannot enter the list, since no extension is likelier than its beam. The list is that of the plain search for any
drafts. A beam that has just branched off is drafted as its sibling went on, which also copies what no query contains.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.reactions.batching import Hypothesis
from tenfold.reactions.drafting import Drafter, RowDrafts, distinct
from tenfold.reactions.tokens import EOS
from tenfold.reactions.tree import Node, PrefixTree, grow, want

__all__ = ["BeamSearch"]


class _Beam(NamedTuple):
    score: float
    node: Node
    is_over: bool


class BeamSearch:
    """The search of one query; see `batching.Search`."""

    def __init__(
        self, source: Sequence[int], n: int, max_length: int, drafter: Drafter | None = None, width: int = 1, length: int = 8
    ) -> None:
        """Set up.

        Args:
            source: token ids of the query.
            n: beams, and outputs.
            max_length: most tokens of an output, begin and end included; at least 2.
            drafter: proposes continuations; none: the plain search.
            width: drafts of a beam.
            length: tokens of a draft.
        """
        self.tree = PrefixTree()
        self.copied: list[tuple[int, int]] = []
        self._n, self._max_length = n, max_length
        self._lanes = _Lanes(drafter, source, n) if drafter else None
        self._width, self._length = width, length
        self._beams = [_Beam(0.0, self.tree.root, False)]
        self._roomy = 64

    def wanted(self) -> list[Node]:
        """See `batching.Search.wanted`."""
        while True:
            missing = [beam for beam in self._beams if not (beam.is_over or beam.node.best)]
            if missing and self._lanes:
                missing = self._worth_computing(missing)
            if missing:
                self._forget()
                return self._nodes(missing)
            if all(beam.is_over for beam in self._beams):
                return []
            self._beams = self._extended()

    def hypotheses(self) -> list[Hypothesis]:
        """See `batching.Search.hypotheses`."""
        return [Hypothesis(beam.node.prefix(), beam.score, beam.node.token == EOS) for beam in self._beams]

    def _candidates(self) -> list[tuple[float, Node, int]]:
        """(score, node, next token or -1 for an output that stays as it is) of all known extensions, the best n first."""
        found: list[tuple[float, Node, int]] = []
        for score, node, is_over in self._beams:
            if is_over:
                found.append((score, node, -1))
            else:
                found += [(score + more, node, token) for token, more in zip(node.best, node.log_probabilities, strict=True)]
        found.sort(key=_by_score)
        return found[: self._n]

    def _extended(self) -> list[_Beam]:
        return [
            _Beam(score, node, True) if token < 0 else self._beam(score, node.child(token))
            for score, node, token in self._candidates()
        ]

    def _beam(self, score: float, node: Node) -> _Beam:
        return _Beam(score, node, node.token == EOS or node.depth + 1 >= self._max_length)

    def _worth_computing(self, missing: list[_Beam]) -> list[_Beam]:
        """Those whose extensions could be among the n best, by what is known of the others."""
        known = self._candidates()
        if len(known) < self._n:
            return missing
        return [beam for beam in missing if beam.score >= known[-1][0]]

    def _nodes(self, missing: list[_Beam]) -> list[Node]:
        nodes: list[Node] = []
        for beam in missing:
            want(beam.node, nodes)
        if self._lanes:
            for beam in missing:
                room = min(self._length, self._max_length - beam.node.depth - 2)
                if room > 0:
                    grow(beam.node, self._drafts(beam.node, room), nodes)
        return nodes

    def _drafts(self, node: Node, length: int) -> list[list[int]]:
        assert self._lanes
        sibling = _as_its_sibling(node, length)
        if sibling and self._width == 1:
            return [sibling]
        return distinct([sibling, *self._lanes.propose(node.prefix(), self._width, length)], self._width)

    def _forget(self) -> None:
        """Now and then, leave to the cache only what a beam can still reach."""
        if len(self.tree.nodes) < self._roomy:
            return
        living: set[int] = set()
        for beam in self._beams:
            if not beam.is_over:
                _mark(beam.node, living)
        kept = [node for node in self.tree.nodes if node.slot in living]
        self.tree.keep(0, kept)
        self._roomy = 64 + 2 * len(kept)


class _Lanes:
    """The drafts of each beam; a drafter is quick where a prefix continues the one it has seen last."""

    def __init__(self, drafter: Drafter, source: Sequence[int], n: int) -> None:
        self._free: list[RowDrafts] = [drafter.start(source) for _ in range(n)]
        self._seen: list[list[int]] = [[] for _ in range(n)]

    def propose(self, prefix: list[int], width: int, length: int) -> list[list[int]]:
        lane = max(range(len(self._seen)), key=lambda lane: self._fit(lane, prefix))
        self._seen[lane] = prefix
        return self._free[lane].propose(prefix, width, length)

    def _fit(self, lane: int, prefix: list[int]) -> int:
        seen = self._seen[lane]
        return len(seen) if prefix[: len(seen)] == seen else -len(seen)


def _by_score(candidate: tuple[float, Node, int]) -> float:
    return -candidate[0]


def _as_its_sibling(node: Node, length: int) -> list[int]:
    """How the likeliest verified sibling went on; empty if none is known."""
    if node.parent is None:
        return []
    place: Node | None = None
    for token in node.parent.best:
        place = node.parent.children.get(token)
        if place and place is not node and place.best:
            break
    else:
        return []
    tokens: list[int] = []
    while place and place.best and len(tokens) < length:
        tokens.append(place.best[0])
        place = place.children.get(tokens[-1])
    return tokens


def _mark(node: Node, living: set[int]) -> None:
    """Add the slots of a node's verified ancestors and descendants."""
    place = node.parent
    while place and place.slot not in living:
        living.add(place.slot)
        place = place.parent
    below = [node]
    while below:
        place = below.pop()
        if place.best:
            living.add(place.slot)
            below += place.children.values()
