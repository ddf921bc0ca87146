"""SQLite files that many processes write at once: WAL, waiting instead of failing, one commit for each row.

A commit survives the death of the process at once; only a power cut may take the last ones.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput, TenfoldError

__all__ = ["Database"]

_HEADER = b"SQLite format 3\x00"
_PATIENCE = 60.0  # seconds to wait for other processes


class Database:
    """An open file of one kind.

    Args:
        path: made if absent.
        kind: number in the file's header that says what it holds ("application id").
        schema: statements that make the tables.
        what: name of the kind, for messages.

    Raises:
        BadInput: the file is something else, or damaged.
    """

    def __init__(self, path: Path, kind: int, schema: str, what: str) -> None:
        self._path, self._what = path, what
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                start = file.read(len(_HEADER))
                if start and start != _HEADER:
                    raise BadInput(f"{path} is no {what}.", "Choose another file.")
        except OSError as error:
            raise BadInput(f"The {what} {path} cannot be opened: {error.strerror or error}.") from error
        self._open(kind, schema)

    def _open(self, kind: int, schema: str) -> None:
        with self._named_errors():
            ends = time.monotonic() + _PATIENCE
            while True:
                self._connection = sqlite3.connect(
                    self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
                )
                try:
                    return self._prepare(kind, schema)
                except BaseException as error:
                    self._connection.close()
                    # Of several that change the journal's mode at once, SQLite sends all but one away without waiting.
                    is_busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
                    if not is_busy or time.monotonic() > ends:
                        raise
                time.sleep(0.02)

    def _prepare(self, kind: int, schema: str) -> None:
        # Tables first: another process may make them and the number, in one transaction, between our two questions.
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if found != kind and (found or tables):
            raise BadInput(f"{self._path} is no {self._what}.", "Choose another file.")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        if not found:
            self._connection.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA application_id={kind}; COMMIT")

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        """Run one statement and commit it."""
        with self._lock, self._named_errors():
            self._connection.execute(statement, values)

    def read(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._named_errors():
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close it; a closed one cannot be used again."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise TenfoldError(f"The {self._what} {self._path} cannot be used: {error}.", "Choose another place.") from error
        except sqlite3.ProgrammingError as error:
            raise TenfoldError(f"The {self._what} {self._path} was closed.") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise BadInput(
                f"The {self._what} {self._path} is damaged: {error}.", "Move it away; a new one is made."
            ) from error
