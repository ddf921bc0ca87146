"""How many drafts, and how long: longer while they are accepted, shorter after a rejection (spec section 8)."""

from typing import NamedTuple

__all__ = ["CROWD", "Pace", "Plan"]


CROWD = 8
"""So many queries share a call so well that drafts are kept short."""


class Pace:
    """The length of the next draft of one query.

    Attributes:
        length: tokens, if the query has a call for itself.
    """

    def __init__(self, start: int, least: int, most: int, crowded: int | None = None) -> None:
        """Set up.

        Args:
            start: tokens of the first draft.
            least: tokens after a rejection at once.
            most: tokens.
            crowded: most tokens while many queries share each call; None: as many as without others.
        """
        self.length = start
        self._least, self._most = least, most
        self._crowded = most if crowded is None else min(most, crowded)

    def among(self, rows: int) -> int:
        """Tokens of the next draft if so many queries share the call."""
        return self.length if rows < CROWD else min(self.length, self._crowded)

    def saw(self, accepted: int, drafted: int) -> None:
        """Learn from a call that accepted so many of a draft's tokens."""
        if accepted >= drafted:
            self.length = min(self._most, 2 * self.length)
        else:
            self.length = min(self._most, self._least + accepted)


class Plan(NamedTuple):
    """Drafts of a call.

    Attributes:
        width: how many a query.
        start: tokens of the first.
        least: tokens after a rejection at once.
        most: tokens.
        crowded: most tokens while eight or more queries share each call.
    """

    width: int
    start: int
    least: int
    most: int
    crowded: int

    @classmethod
    def of(cls, device: str, width: int | None = None, most: int | None = None) -> "Plan":
        """What costs least where the network is, but for what the caller has chosen.

        On a processor a call with one query costs about as much as 8 verified tokens, and queries share that cost: drafts
        are short while there are many, and longer again for the last ones of a batch. On a GPU some 100 tokens cost hardly
        more than one. With one query the plan is one of the two fastest of ten that were timed on 101 USPTO-MIT
        validation rows with the shipped model: 6.8 calls and 60 tokens a reaction, 16.8 ms; from 15 tokens on, 6.3 calls,
        63 tokens, 19.0 ms.

        Args:
            device: "cpu", or another.
            width: drafts.
            most: tokens of a draft.
        """
        plan = cls(1, 11, 5, 15, 5) if device == "cpu" else cls(4, 20, 20, 20, 20)
        if most is not None:
            plan = plan._replace(start=min(plan.start, most), least=min(plan.least, most), most=most, crowded=most)
        return plan if width is None else plan._replace(width=width)

    def pace(self) -> Pace:
        """For one query."""
        return Pace(self.start, self.least, self.most, self.crowded)
