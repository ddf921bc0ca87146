"""What a decoder has verified of one query's outputs: a tree of prefixes, each node at its place in the key-value cache.

Drafts that begin alike share nodes, and so do the beams of a search: no prefix is computed twice.
"""

from collections.abc import Iterable, Sequence

from tenfold.reactions.tokens import BOS, EOS

__all__ = ["Node", "PrefixTree", "grow", "want"]

_UNKNOWN, _WANTED = -1, -2


class Node:
    """A token after its parent's prefix.

    Attributes:
        token: its id.
        parent: the node before; none at the root, which is `BOS`.
        depth: its position, 0 at the root.
        children: the nodes after it, by token.
        slot: its place in the cache; negative before it is verified.
        visible: the slots that it attends to, itself among them: bit i for slot i.
        best: the likeliest next tokens, the best first; empty before it is verified.
        log_probabilities: of those tokens.
    """

    __slots__ = ("best", "children", "depth", "log_probabilities", "parent", "slot", "token", "visible")

    def __init__(self, token: int, parent: "Node | None") -> None:
        self.token = token
        self.parent = parent
        self.depth = parent.depth + 1 if parent else 0
        self.children: dict[int, Node] = {}
        self.slot = _UNKNOWN
        self.visible = 0
        self.best: Sequence[int] = ()
        self.log_probabilities: Sequence[float] = ()

    def child(self, token: int) -> "Node":
        """The node of a token after this one, made if there is none."""
        found = self.children.get(token)
        if found is None:
            found = self.children[token] = Node(token, self)
        return found

    def prefix(self) -> list[int]:
        """The token ids from the root to here."""
        tokens = []
        node: Node | None = self
        while node:
            tokens.append(node.token)
            node = node.parent
        return tokens[::-1]


class PrefixTree:
    """The verified nodes of one query, in the order of their slots; parents come before children.

    Attributes:
        root: the node of `BOS`.
        nodes: the node at each slot.
        moves: (from, to) slots that the cache has not carried out yet.
    """

    def __init__(self) -> None:
        self.root = Node(BOS, None)
        self.nodes: list[Node] = []
        self.moves: list[tuple[int, int]] = []

    @property
    def filled(self) -> int:
        """How many slots of the cache hold something, moves to come included."""
        return max([len(self.nodes), *(origin + 1 for origin, _ in self.moves)])

    def place(self, nodes: Sequence[Node]) -> None:
        """Give new nodes the next slots."""
        for node in nodes:
            node.slot = len(self.nodes)
            node.visible = 1 << node.slot | (node.parent.visible if node.parent else 0)
            self.nodes.append(node)

    def keep(self, first: int, kept: Iterable[Node]) -> None:
        """Forget all nodes from slot `first` on but `kept`, which are in the order of their slots and close up the gaps."""
        before = self.nodes[first:]
        del self.nodes[first:]
        for node in before:
            node.visible = 0
        # What is still to be moved is where it was: all moves are carried out at once.
        pending = {goal: origin for origin, goal in self.moves}
        self.moves = [(origin, goal) for origin, goal in self.moves if goal < first]
        for node in kept:
            slot = len(self.nodes)
            origin = pending.get(node.slot, node.slot)
            if origin != slot:
                self.moves.append((origin, slot))
            node.slot = slot
            node.visible = 1 << slot | (node.parent.visible if node.parent else 0)
            self.nodes.append(node)
        for node in before:
            if not node.visible and node.parent:
                del node.parent.children[node.token]


def want(node: Node, new: list[Node]) -> None:
    """Append a node to those that the next call computes, unless it is known or among them."""
    if node.slot == _UNKNOWN:
        node.slot = _WANTED
        new.append(node)


def grow(node: Node, drafts: Iterable[Sequence[int]], new: list[Node]) -> None:
    """Append to `new` the nodes that drafts behind a node need; nothing follows `EOS`, which needs none."""
    for draft in drafts:
        place = node
        for token in draft:
            if token == EOS:
                break
            place = place.child(token)
            want(place, new)
