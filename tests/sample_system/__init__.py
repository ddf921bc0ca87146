"""A system for tests only: it doubles numbers. It goes through every door of the house."""

__all__ = ["double"]


def double(value: float) -> float:
    """Twice the value."""
    return 2 * value
