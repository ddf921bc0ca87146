"""What a page made for a visitor: kept for a while under a word that nobody can guess, and files to download."""

import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["Keeper", "private_folder"]

Kept = TypeVar("Kept")


class Keeper(Generic[Kept]):
    """The values last used, each found by its word alone; safe to share between threads.

    Attributes:
        most: how many are kept; the one that was not used for longest goes first.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, value: Kept) -> str:
        """Remember a value; returns the word that finds it again."""
        word = secrets.token_urlsafe(24)
        with self._lock:
            self._kept[word] = value
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return word

    def find(self, word: str | None) -> Kept | None:
        """The value of a word; None if there is no word, or it was forgotten."""
        with self._lock:
            found = self._kept.get(word or "")
            if found is not None and word:
                self._kept.move_to_end(word)
        return found


def private_folder() -> Path:
    """A new folder below Gradio's private one: the middleware gives a file in it to the browser that gets its path."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()) / secrets.token_hex(16)
    folder.mkdir(parents=True, mode=0o700)
    return folder
