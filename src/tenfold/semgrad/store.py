"""Replies that were paid for, kept the moment they arrive: a killed run asks for none of them again."""

import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.core.files import append_line
from tenfold.llm.types import Reply, Request

__all__ = ["Recorded", "Replies"]


class Replies:
    """JSON lines of (key, reply). Only keys and places are held in memory.

    Each kept reply is replayed once, in the order of arrival: n equal requests were n replies, and are again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: defaultdict[str, deque[int]] = defaultdict(deque)
        if path.is_dir():
            raise BadInput(f"{path} is a folder; it should be a file.", "Something else made it: move it away.")
        if path.exists():
            self._index()

    def __len__(self) -> int:
        return sum(len(places) for places in self._places.values())

    def replay(self, key: str) -> Reply | None:
        """The next kept reply to a request, or None."""
        places = self._places.get(key)
        if not places:
            return None
        with self.path.open("rb") as file:
            file.seek(places.popleft())
            return Reply.from_dict(json.loads(file.readline())["reply"], source="cache", latency=0.0)

    def record(self, key: str, request: Request, reply: Reply) -> None:
        """Append a reply with one write: a kill leaves it whole, or a torn line that is skipped."""
        append_line(self.path, {"key": key, "tag": request.tag, "reply": reply.to_dict()})

    def _index(self) -> None:
        place = 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                    Reply.from_dict(row["reply"])
                    self._places[str(row["key"])].append(place)
                except (ValueError, KeyError, TypeError):  # torn by a kill
                    pass
                place += len(line)


class Recorded:
    """A backend whose replies are kept before anything else is done with them: the innermost layer of a client."""

    def __init__(self, backend: Any, store: Replies) -> None:
        self._backend, self._store = backend, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    async def complete(self, request: Request) -> Reply:
        """One try, kept."""
        reply = await self._backend.complete(request)
        self._store.record(request.key(self._backend.identity), request, reply)
        return reply
