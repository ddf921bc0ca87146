"""How long drafts are: longer while they are accepted, shorter after a rejection (spec section 8)."""

__all__ = ["Pace"]


class Pace:
    """The length of the next draft of one query.

    Attributes:
        length: tokens.
    """

    def __init__(self, start: int, least: int, most: int) -> None:
        self.length = start
        self._least, self._most = least, most

    @classmethod
    def of(cls, most: int | None) -> "Pace":
        """For drafts of at most so many tokens; none: what suits a processor."""
        most = most or 20
        return cls(min(8, most), min(2, most), most)

    def saw(self, accepted: int, drafted: int) -> None:
        """Learn from a call that accepted so many of the drafted tokens."""
        if self._least == self._most:
            return
        self.length = min(self._most, 2 * self.length) if accepted >= drafted else max(self._least, accepted + 2)
