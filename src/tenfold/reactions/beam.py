"""Beam search, and its exact replay by speculation: the same list, with fewer calls (spec section 8).

Plain: at each step every beam's last token is computed in one call, and the `n` best extensions by total log-probability
go on; finished outputs keep their places and compete. With drafts the calls compute likely continuations as well, and the
search runs over what is already known: it calls the network only for beams that it has not met, and not even for those
which cannot enter the list, since no extension is likelier than its beam. The list is that of the plain search for any
drafts. What a call computes besides is found by a rehearsal of the next steps, in which a beam that nothing is known of goes
on as its drafts say; one that has just branched off as its sibling went on, which also copies what no query contains.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tenfold.reactions.batching import Hypothesis
from tenfold.reactions.drafting import Drafter, RowDrafts
from tenfold.reactions.pace import CROWD
from tenfold.reactions.tokens import EOS
from tenfold.reactions.tree import Node, PrefixTree, want

__all__ = ["BeamSearch"]


class _Beam(NamedTuple):
    score: float
    node: Node
    is_over: bool


class _Ahead(NamedTuple):
    """A beam of the rehearsal; no node: an extension that nothing is known of."""

    score: float
    node: Node | None
    is_over: bool
    draft: Sequence[int]


# Score, node, next token or -1 for what stays as it is, and what a draft says behind that token.
_Extension = tuple[float, Node | None, int, Sequence[int]]

# Log-probabilities that a rehearsal gives to a drafted token, and to eight extensions beside it: with these the search
# verified the fewest tokens at the fewest calls on USPTO-50K rows with a small model, n = 10.
_GUESSED = -0.5
_BESIDE = (-1.5, -2.0, -2.5, -2.9, -3.2, -3.5, -3.8, -4.0)

# Steps that are rehearsed while many queries share each call, where tokens cost more than calls.
_CROWDED = 2

# Beams that end with the same six tokens go on alike: 29 calls a query; with four 30 calls, with three 32.
_ENDING = 6


class BeamSearch:
    """The search of one query; see `batching.Search`."""

    def __init__(
        self, source: Sequence[int], n: int, max_length: int, drafter: Drafter | None = None, width: int = 1, length: int = 4
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
        self._drafts = _Drafts(drafter.start(source), width, length) if drafter else None
        self._width, self._length, self._steps = width, length, length
        self._beams = [_Beam(0.0, self.tree.root, False)]
        self._roomy = 64

    def wanted(self, rows: int = 1) -> list[Node]:
        """See `batching.Search.wanted`."""
        self._steps = self._length if rows < CROWD else min(self._length, _CROWDED)
        while True:
            missing = [beam for beam in self._beams if not (beam.is_over or beam.node.best)]
            if missing and self._drafts:
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
        if self._drafts:
            self._rehearse(nodes)
        return nodes

    def _rehearse(self, nodes: list[Node]) -> None:
        """Append the nodes that the next steps need if drafts come true: search on, with guesses where nothing is known.

        A draft's token is taken to be as likely as drafts are on the average, and so are the extensions beside it, which
        have no token but compete for places: so a beam that will soon be lost is not drafted far, and what branches off
        from verified nodes is.
        """
        ahead = [_Ahead(*beam, ()) for beam in self._beams]
        for _ in range(self._steps):
            found: list[_Extension] = []
            least = min(map(_least, ahead)) if len(ahead) == self._n else -math.inf
            for beam in ahead:
                self._extend(beam, least, found)
            found.sort(key=_by_score)
            ahead = [self._rehearsed(extension, nodes) for extension in found[: self._n]]
            if all(beam.is_over for beam in ahead):
                break

    def _extend(self, beam: "_Ahead", least: float, found: "list[_Extension]") -> None:
        """Append the extensions of a rehearsed beam that reach `least`: known ones, or a guess and its competitors."""
        score, node, is_over, draft = beam
        if is_over or node is None:
            found.append((score, node, -1, ()))
        elif node.best:
            drafted = draft[0] if draft else -1
            for token, more in zip(node.best, node.log_probabilities, strict=True):
                if score + more < least:
                    break
                found.append((score + more, node, token, draft[1:] if token == drafted else ()))
        else:
            for first, *rest in [draft] if draft else self._drafts_behind(node):
                found.append((score + _GUESSED, node, first, rest))
            for more in _BESIDE:
                found.append((score + more, None, -1, ()))

    def _rehearsed(self, extension: "_Extension", nodes: list[Node]) -> "_Ahead":
        score, node, token, draft = extension
        if node is None or token < 0:
            return _Ahead(score, node, True, ())
        beam = self._beam(score, node.child(token))
        if not beam.is_over:
            want(beam.node, nodes)
        return _Ahead(*beam, draft)

    def _drafts_behind(self, node: Node) -> Sequence[Sequence[int]]:
        """How a beam may go on that nothing is known of: as its sibling did, or as the drafter says."""
        assert self._drafts
        sibling = _as_its_sibling(node, self._length)
        if sibling and self._width == 1:
            return [sibling]
        drafts = [sibling, *self._drafts.behind(node)] if sibling else self._drafts.behind(node)
        first = {draft[0]: draft for draft in reversed(drafts)}  # of those that begin alike, the best
        return list(first.values())[::-1][: self._width]

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


class _Drafts:
    """How the outputs of one query go on: the drafter is asked once after each different ending, for beams share most."""

    def __init__(self, drafts: RowDrafts, width: int, length: int) -> None:
        self._drafts, self._width, self._length = drafts, width, length
        self._after: dict[tuple[int, ...], list[list[int]]] = {}

    def behind(self, node: Node) -> list[list[int]]:
        ending = _ending(node)
        known = self._after.get(ending)
        if known is None:
            found = self._drafts.propose(node.prefix(), self._width, self._length)
            known = self._after[ending] = [draft for draft in found if draft]
        return known


def _ending(node: Node) -> tuple[int, ...]:
    """The last tokens of a prefix."""
    tokens = []
    place: Node | None = node
    while place and len(tokens) < _ENDING:
        tokens.append(place.token)
        place = place.parent
    return tuple(tokens)


def _least(beam: _Ahead) -> float:
    """What its likeliest extension has at least; n of these bound what can be among the n best."""
    score, node, is_over, _ = beam
    if is_over or node is None:
        return score
    return score + (node.log_probabilities[0] if node.best else _BESIDE[0])


def _by_score(candidate: tuple[Any, ...]) -> float:
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
