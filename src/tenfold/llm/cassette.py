"""Recorded replies as JSON lines, one a line: {key, request, reply, model, version}. Anyone replays them offline.

`model` is the identity of what answered (address and model, or engine and version), `version` the model as the server
named it. A line that a kill left torn at the end is dropped; anything else that is no row is refused with its number.
Of two rows with a key the last counts. A name that ends in .gz is compressed, each line by itself.
"""

import difflib
import gzip
import json
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.files import write_atomic
from tenfold.llm.errors import CassetteMiss
from tenfold.llm.types import Reply, Request

__all__ = ["Cassette", "Recorded", "Row", "open_recorded", "read"]

_MODES = ("record", "replay", "replay-then-live")
_LIMIT = 2 << 30
_COMPARED = 2000


class Row(NamedTuple):
    """One recorded reply."""

    request: Mapping[str, Any]
    reply: Mapping[str, Any]
    model: str


class Cassette:
    """A file of recorded replies in use.

    Args:
        path: .jsonl or .jsonl.gz.
        mode: "replay" (a miss raises), "replay-then-live" (a miss is asked and appended) or "record" (all is).

    Raises:
        BadInput: another mode; or the file is missing in "replay", cannot be read, or holds something else.
    """

    def __init__(self, path: Path, mode: str = "replay") -> None:
        if mode not in _MODES:
            raise BadInput(f"A cassette has no mode {mode!r}.", f"Modes are: {', '.join(_MODES)}.")
        self._path, self._mode = path, mode
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if mode == "replay" or path.exists():
            self._rows, is_torn = read(path)
        else:
            self._rows, is_torn = {}, False
        if mode != "replay" and is_torn:
            write_atomic(path, b"".join(_line(path, key, row) for key, row in self._rows.items()))

    def get(self, request: Request, key: str) -> Reply | None:
        """The recorded reply, marked as free, or None where the model is to be asked.

        Raises:
            CassetteMiss: there is none and the mode is "replay".
        """
        if self._mode == "record":
            return None
        row = self._rows.get(key)
        if row is not None:
            return _reply(row, key, self._path)
        if self._mode == "replay":
            raise _miss(request, self._rows, self._path)
        return None

    def add(self, key: str, request: Request, reply: Reply, model: str) -> None:
        """Append a reply with one write. In "replay" nothing is written.

        Raises:
            TenfoldError: the file cannot be written.
        """
        if self._mode == "replay":
            return
        row = Row(request.to_dict(), replace(reply, request_key="").to_dict(), model)
        with self._lock:
            try:
                if self._file is None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 - open until `close`
                self._file.write(_line(self._path, key, row))
            except OSError as error:
                raise TenfoldError(f"The cassette {self._path} cannot be written: {error.strerror or error}.") from error
            self._rows[key] = row

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


class Recorded:
    """`cassette:FILE`: a backend that only replays, whatever model the rows came from."""

    source, endpoint, is_free, takes_schema = "cassette", "cassette", True, True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows, _ = read(path)
        self._models = list(dict.fromkeys(row.model for row in self._rows.values()))
        self.identity = self._models[0] if len(self._models) == 1 else f"cassette:{path.name}"
        self.model = self.identity

    def answer(self, request: Request) -> Reply:
        """The recorded reply of whichever model answered this request.

        Raises:
            CassetteMiss: none did.
        """
        for model in self._models:
            key = request.key(model)
            row = self._rows.get(key)
            if row is not None:
                return _reply(row, key, self._path)
        raise _miss(request, self._rows, self._path)

    async def complete(self, request: Request) -> Reply:
        """The recorded reply."""
        return self.answer(request)

    async def stream(self, request: Request):
        """The recorded reply as one piece, then whole."""
        reply = self.answer(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Nothing is open."""


def open_recorded(path: Path) -> Recorded:
    """The backend of `cassette:FILE`."""
    return Recorded(path)


def read(path: Path) -> tuple[dict[str, Row], bool]:
    """Rows by key, and whether the end is torn.

    Raises:
        BadInput: the file cannot be read, is too large, or holds a line that is no row.
    """
    content, is_torn = _content(path)
    lines = content.split(b"\n")
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(line)
        if row is not None:
            rows[row[0]] = row[1]
        elif number == len(lines):  # no newline after it: a kill tore it
            is_torn = True
        else:
            raise BadInput(f"{path}: line {number} is no recorded reply.", "A cassette is made by mode='record'.")
    # A last row whose newline is missing must not run into the next one.
    return rows, is_torn or bool(lines[-1].strip())


def _content(path: Path) -> tuple[bytes, bool]:
    try:
        if path.stat().st_size > _LIMIT:
            raise BadInput(f"{path} is larger than {_LIMIT >> 30} GB.")
        found = path.read_bytes()
    except OSError as error:
        hint = "Record it first, with mode='record'." if isinstance(error, FileNotFoundError) else ""
        raise BadInput(f"The cassette {path} cannot be read: {error.strerror or error}.", hint) from error
    return _unpacked(found, path) if path.suffix == ".gz" else (found, False)


def _unpacked(found: bytes, path: Path) -> tuple[bytes, bool]:
    """The content of all gzip members; a last one that is cut short gives what it holds."""
    parts: list[bytes] = []
    size = 0
    while found:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(found, _LIMIT - size + 1))
        except zlib.error as error:
            # A kill may leave less than a header; junk elsewhere is no cassette.
            if parts and len(found) < 18 and found[:1] == b"\x1f":
                return b"".join(parts), True
            raise BadInput(f"{path} is no gzip file, or damaged.") from error
        size += len(parts[-1])
        if size > _LIMIT:
            raise BadInput(f"{path} unpacks to more than {_LIMIT >> 30} GB.")
        if not member.eof:
            return b"".join(parts), True
        found = member.unused_data
    return b"".join(parts), False


def _row(line: bytes) -> tuple[str, Row] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        return None
    request, reply = found.get("request"), found.get("reply")
    if not isinstance(request, dict) or not isinstance(request.get("messages"), list):
        return None
    if not isinstance(reply, dict) or not isinstance(reply.get("texts"), list):
        return None
    return found["key"], Row(request, reply, str(found.get("model", "")))


def _line(path: Path, key: str, row: Row) -> bytes:
    found = {"key": key, **row._asdict(), "version": row.reply.get("model", "")}
    line = json.dumps(found).encode() + b"\n"
    return gzip.compress(line, 6, mtime=0) if path.suffix == ".gz" else line


def _reply(row: Row, key: str, path: Path) -> Reply:
    try:
        return Reply.from_dict(row.reply, source="cassette", cost=0.0, latency=0.0, request_key=key)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"The cassette {path} holds a damaged reply with key {key[:12]}.") from error


def _miss(request: Request, rows: Mapping[str, Row], path: Path) -> CassetteMiss:
    wanted = _pretty(request.to_dict())
    nearest = _nearest(wanted, rows)
    hint = "Record it with mode='replay-then-live', or mend what changed the request."
    if nearest is None:
        return CassetteMiss(f"The cassette {path} is empty.", hint)
    key, found = nearest
    if found == wanted:
        model = rows[key].model
        message = f"The cassette {path} has this request, but answered by {model}."
        return CassetteMiss(message, "Ask that model, or record again.")
    lines = list(difflib.unified_diff(found, wanted, "recorded", "asked", lineterm="", n=1))
    changed = [line for line in lines[2:] if line[:1] in "+-"][:4]
    told = " ".join(line if len(line) < 80 else f"{line[:77]}..." for line in changed)
    message = f"The cassette {path} has no such request; the nearest has key {key[:12]} and differs in: {told}"
    return CassetteMiss(message, hint, diff="\n".join(lines[:60]))


def _nearest(wanted: list[str], rows: Mapping[str, Row]) -> tuple[str, list[str]] | None:
    """The recorded request that shares most with the wanted one, and its lines."""
    text = "\n".join(wanted)[:4000]
    best: tuple[float, str, list[str]] | None = None
    matcher = difflib.SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(text)
    for key, found in _recent(rows):
        matcher.set_seq1("\n".join(found)[:4000])
        if best is not None and matcher.real_quick_ratio() <= best[0]:
            continue
        likeness = matcher.quick_ratio()
        if best is None or likeness > best[0]:
            best = likeness, key, found
    return None if best is None else best[1:]


def _recent(rows: Mapping[str, Row]) -> Iterator[tuple[str, list[str]]]:
    for key in list(rows)[-_COMPARED:]:
        yield key, _pretty(rows[key].request)


def _pretty(request: Mapping[str, Any]) -> list[str]:
    """A request as short lines: its settings and the lines of its messages. The tag is no part of what is asked."""
    lines = [
        f"{name}: {json.dumps(request[name], sort_keys=True)}" for name in sorted(request) if name not in ("messages", "tag")
    ]
    for message in request.get("messages", ()):
        content = message.get("content", "") if isinstance(message, dict) else message
        text = content if isinstance(content, str) else json.dumps(content)
        lines += [f"{message.get('role', '') if isinstance(message, dict) else ''}:", *text.splitlines()]
    return lines
