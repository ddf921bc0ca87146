"""Python's collector of cycles, held back while many objects are made that form none: half of the time of a large parse."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["held_back"]


@contextmanager
def held_back() -> Iterator[None]:
    """No collection of cycles inside; what is freed by counting references is freed as ever. May nest, and be threaded."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
