"""What is known already: bounded, and the same in any order of replies."""

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Memo"]

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Values by what their prompts are made of.

    Args:
        limit: entries; past it, what no pass has used since the last turn is dropped. Turns happen between passes, so
            that what is known during one does not depend on the order of replies.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self.limit = limit
        self._young: dict[Hashable, Value] = {}
        self._old: dict[Hashable, Value] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Hashable) -> Value | None:
        """The value, or None."""
        found = self._young.get(key)
        if found is None and self._old:
            found = self._old.get(key)
            if found is not None:
                self._young[key] = found
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value."""
        self._young[key] = value

    def turn(self) -> None:
        """Between passes: drop what was not used lately, if there is too much."""
        if len(self._young) > self.limit // 2:
            self._old, self._young = self._young, {}
