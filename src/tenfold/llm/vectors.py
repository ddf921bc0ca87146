"""Vectors on disk, by the content that they stand for: one append-only file of float16 rows for each encoder.

The file is a header of 512 bytes and records of equal size: SHA-256 of the text, d float16 numbers, CRC-32. Rows are read
through a memory map. Writers hold a lock while they append whole records, and drop a record that a kill tore off; readers
need no lock, since whole records never change.
"""

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.files import write_atomic

__all__ = ["VectorStore"]

_HEADER = 512
_FORMAT = "tenfold vectors 1"


class VectorStore:
    """The known vectors of one encoder in a folder that several processes may share."""

    def __init__(self, folder: str | os.PathLike[str], identity: str) -> None:
        """Open the store; nothing is written until `add`.

        Args:
            folder: of the cache; made when needed.
            identity: of the encoder; another one has another file.

        Raises:
            BadInput: the folder is a file, or the encoder's file there is damaged.
        """
        self._folder, self._identity = Path(folder), identity
        if self._folder.exists() and not self._folder.is_dir():
            raise BadInput(f"{self._folder} is a file; a cache of vectors needs a folder.")
        self.path = self._folder / f"{_short(identity)}.vectors"
        self._places: dict[bytes, int] = {}
        self._dimension = 0
        self._records: NDArray[np.void] | None = None
        self._refresh()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, texts: Sequence[str]) -> list[NDArray[np.float16] | None]:
        """The vector of each text, float16 [d], or None where it is not known.

        Raises:
            BadInput: a record is damaged.
        """
        self._refresh()
        return [self._row(place) if (place := self._places.get(_key(text))) is not None else None for text in texts]

    def add(self, texts: Sequence[str], vectors: NDArray[np.float16]) -> None:
        """Append vectors [n, d] that are not known yet; they are on the disk when this returns.

        Raises:
            BadInput: the file there is damaged or holds vectors of another length.
            TenfoldError: the disk is full or the place cannot be written.
        """
        with self._lock():
            if not self.path.exists():
                write_atomic(self.path, _header(self._identity, vectors.shape[1]))
            self._refresh()
            if self._dimension != vectors.shape[1]:
                message = f"{self.path} holds vectors of {self._dimension} numbers, not of {vectors.shape[1]}."
                raise BadInput(message, "The model behind this name has changed: delete the file.")
            new = {key: row for text, row in zip(texts, vectors, strict=True) if (key := _key(text)) not in self._places}
            whole = _HEADER + self._size() * len(self._found())
            _append(self.path, whole, b"".join(_record(key, row) for key, row in new.items()))
            self._refresh()

    def _found(self) -> NDArray[np.void]:
        return self._records if self._records is not None else np.zeros(0, "V1")

    def _size(self) -> int:
        return 32 + 2 * self._dimension + 4

    def _refresh(self) -> None:
        """See what was appended since the last look, by whomever."""
        try:
            length = self.path.stat().st_size
        except FileNotFoundError:
            return
        if not self._dimension:
            self._dimension = self._read_header()
        count = (length - _HEADER) // self._size()
        if count <= len(self._found()):
            return
        layout = np.dtype([("key", "V32"), ("vector", "<f2", (self._dimension,)), ("crc", "<u4")])
        known = len(self._found())
        self._records = np.memmap(self.path, layout, "r", offset=_HEADER, shape=(count,))
        for place, key in enumerate(self._records["key"][known:], known):
            self._places.setdefault(key.tobytes(), place)

    def _read_header(self) -> int:
        with self.path.open("rb") as file:
            head = file.read(_HEADER)
        try:
            found = json.loads(head)
            is_ours = len(head) == _HEADER and found["format"] == _FORMAT and found["identity"] == _short(self._identity)
            if is_ours and 0 < found["dimension"] <= 65536:
                return int(found["dimension"])
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise BadInput(f"{self.path} is not a cache of vectors, or is damaged.", "Delete it; it is made again.")

    def _row(self, place: int) -> NDArray[np.float16]:
        record = self._found()[place]
        if zlib.crc32(record["key"].tobytes() + record["vector"].tobytes()) != int(record["crc"]):
            raise BadInput(f"{self.path} is damaged at record {place}.", "Delete it; it is made again.")
        return np.array(record["vector"])

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[bytes]]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = open(self._folder / ".lock", "ab")  # noqa: SIM115 - closed below
        except OSError as error:
            raise BadInput(f"{self._folder} cannot be written: {error.strerror or error}.") from error
        with file:
            with contextlib.suppress(ImportError):  # no such locks on this system: one process at a time is the user's care
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _short(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _record(key: bytes, row: NDArray[np.float16]) -> bytes:
    body = key + row.astype("<f2").tobytes()
    return body + zlib.crc32(body).to_bytes(4, "little")


def _header(identity: str, dimension: int) -> bytes:
    text = json.dumps({"format": _FORMAT, "identity": _short(identity), "dimension": dimension})
    return text.encode().ljust(_HEADER - 1) + b"\n"


def _append(path: Path, end: int, content: bytes) -> None:
    """Write after byte `end`; whatever stands there was torn off by a kill."""
    try:
        with path.open("r+b") as file:
            file.truncate(end)
            file.seek(end)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TenfoldError(
            f"{path} cannot be written: {error.strerror or error}.", "Choose another cache folder."
        ) from error
