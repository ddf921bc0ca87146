"""Greedy decoding: plain, and speculative with the same result (Andronov et al. 2025, section 2; spec section 1.5).

Each call computes the last token and the drafts behind it; the output follows the likeliest tokens as far as they were
drafted, and then takes one more, the network's own. No draft changes what is likeliest, so the output is that of plain
decoding, for any drafts.
"""

from tenfold.reactions.batching import Hypothesis
from tenfold.reactions.drafting import RowDrafts
from tenfold.reactions.pace import Pace
from tenfold.reactions.tokens import BOS, EOS
from tenfold.reactions.tree import Node, PrefixTree, grow, want

__all__ = ["GreedySearch"]


class GreedySearch:
    """The search of one query; see `batching.Search`."""

    def __init__(self, max_length: int, drafts: RowDrafts | None = None, width: int = 1, pace: Pace | None = None) -> None:
        """Set up.

        Args:
            max_length: most tokens of the output, begin and end included; at least 2.
            drafts: proposes continuations; none: plain greedy decoding.
            width: how many drafts a call verifies at most.
            pace: how long they are; needed with drafts.
        """
        self.tree = PrefixTree()
        self.copied: list[tuple[int, int]] = []
        self._max_length, self._drafts, self._width, self._pace = max_length, drafts, width, pace
        self._ids = [BOS]
        self._log_probability = 0.0
        self._last = self.tree.root
        self._drafted = 0

    def wanted(self, rows: int = 1) -> list[Node]:
        """See `batching.Search.wanted`."""
        if self._last.best:
            self._accept()
        if self._is_over():
            return []
        nodes: list[Node] = []
        want(self._last, nodes)
        # The network's own token comes behind a draft, so a longer one would be for nothing.
        room = self._max_length - len(self._ids) - 1
        if self._drafts and self._pace and room > 0:
            length = min(room, self._pace.among(rows))
            proposed = self._drafts.propose(self._ids, self._width, length)
            self._drafted = max(map(len, proposed), default=0)
            grow(self._last, proposed, nodes)
        return nodes

    def hypotheses(self) -> list[Hypothesis]:
        """See `batching.Search.hypotheses`."""
        return [Hypothesis(self._ids, self._log_probability, self._ids[-1] == EOS)]

    def _is_over(self) -> bool:
        return self._ids[-1] == EOS or len(self._ids) >= self._max_length

    def _accept(self) -> None:
        """Follow the likeliest tokens through the verified nodes."""
        first = self._last.slot
        node, path, start = self._last, [], len(self._ids)
        while True:
            path.append(node)
            token = node.best[0]
            self._ids.append(token)
            self._log_probability += node.log_probabilities[0]
            found = node.children.get(token)
            if found is None or self._is_over():
                break
            node = found
        accepted = len(path) - 1
        if accepted:
            self.copied.append((start, accepted))
        if self._pace and self._drafted:
            self._pace.saw(accepted, self._drafted)
        self.tree.keep(first, path)
        self._last = node.child(self._ids[-1])
