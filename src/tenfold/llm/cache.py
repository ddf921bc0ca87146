"""Replies on disk, by the key of their request."""

import json
import time
from dataclasses import replace
from pathlib import Path

from tenfold.core.errors import BadInput
from tenfold.llm.database import Database
from tenfold.llm.types import Reply

__all__ = ["Cache"]

_KIND = 0x7F_11_C0_01
_SCHEMA = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, made REAL NOT NULL) WITHOUT ROWID"


class Cache:
    """A SQLite file of replies as JSON. Many processes may use it at once; of two replies to a key the first stays.

    Args:
        path: made if absent.

    Raises:
        BadInput: the file is something else, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path, _KIND, _SCHEMA, "cache")

    def get(self, key: str) -> Reply | None:
        """The reply of a key, marked as free, or None.

        Raises:
            BadInput: what stands there is no reply.
        """
        rows = self._database.read("SELECT reply FROM replies WHERE key = ?", (key,))
        if not rows:
            return None
        try:
            return Reply.from_dict(json.loads(rows[0][0]), source="cache", cost=0.0, latency=0.0, request_key=key)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            hint = "Move the file away; a new one is made."
            raise BadInput(f"The cache {self._path} is damaged at key {key[:12]}.", hint) from error

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply; it is on disk when this returns."""
        text = json.dumps(replace(reply, request_key="").to_dict())
        self._database.write("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", (key, text, time.time()))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
