"""Files: written whole or not at all, and read as if a stranger had made them."""

import contextlib
import errno
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tenfold.core.errors import BadInput, TenfoldError

__all__ = [
    "append_line",
    "cannot_write",
    "jsonable",
    "make_folder",
    "read_json",
    "read_lines",
    "read_npz",
    "read_object",
    "write_atomic",
    "write_json",
]


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and those above it, if they are not there.

    Raises:
        TenfoldError: the disk is full, or the place cannot be written.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(Path(path), error) from error
    return Path(path)


def write_atomic(path: str | os.PathLike[str], content: bytes | str | Callable[[BinaryIO], None]) -> Path:
    """Write a file so that, killed or out of space at any moment, either the old or the new content stands there.

    Args:
        path: where; folders above it are made, and a link is followed.
        content: the bytes, the text (UTF-8), or a function that writes to the open file.

    Raises:
        TenfoldError: the disk is full, or the place cannot be written; the old file is untouched.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # a device such as /dev/null would be replaced by a file
        raise TenfoldError(f"{path} is not a file that can be replaced.", "Choose another place with --out.")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    return path


def write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """Write a value as strict JSON (NaN and infinity become null), atomically."""
    return write_atomic(path, json.dumps(jsonable(value), indent=2, allow_nan=False) + "\n")


def jsonable(value: Any) -> Any:
    """The value with numpy types, paths and tuples as plain JSON types; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def read_json(path: str | os.PathLike[str], limit: int = 64 << 20) -> Any:
    """Read a JSON file of at most `limit` bytes.

    Raises:
        BadInput: it is missing, too large, or not JSON; the message names the file and the line.
    """
    text = _read_bytes(Path(path), limit)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"{path} is not valid JSON{where}.") from error


def read_object(path: str | os.PathLike[str], limit: int = 64 << 20) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        BadInput: as `read_json`, or it holds something else.
    """
    found = read_json(path, limit)
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no JSON object.", "Something else wrote it: move it away.")
    return found


def append_line(path: str | os.PathLike[str], row: Mapping[str, Any]) -> None:
    """Append one row to a JSON-lines file with one write; readers skip a line torn by a kill."""
    path = Path(path)
    try:
        with path.open("ab") as file:
            torn = file.tell() > 0 and not _ends_with_newline(path)
            file.write((("\n" if torn else "") + json.dumps(jsonable(row), allow_nan=False) + "\n").encode())
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Rows of a JSON-lines file that we wrote; a line torn by a kill is skipped, a missing file has no rows.

    Raises:
        BadInput: it is a folder.
    """
    path = Path(path)
    if not path.exists():
        return
    if path.is_dir():
        raise BadInput(f"{path} is a folder; it should be a file.", "Something else made it: move it away.")
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict):
                    yield row


def read_npz(path: str | os.PathLike[str], keys: tuple[str, ...], limit: int = 4 << 30) -> dict[str, np.ndarray]:
    """Read named arrays from an .npz file: no pickle, and at most `limit` bytes when unpacked.

    Raises:
        BadInput: missing, not an .npz file, a key is absent, an array holds objects, or it is too large.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist." if not path.exists() else f"{path} is not a file.")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > limit:
            raise BadInput(f"{path} unpacks to {unpacked / 1e9:.1f} GB; the limit is {limit / 1e9:.1f} GB.")
        with np.load(path, allow_pickle=False) as arrays:
            missing = [key for key in keys if key not in arrays.files]
            if missing:
                raise BadInput(f"{path} has no array {missing[0]!r}.", f"It must hold: {', '.join(keys)}.")
            found = {key: arrays[key] for key in keys}
        # An entry that does not begin like an array comes back as its bytes.
        broken = [key for key, array in found.items() if not isinstance(array, np.ndarray)]
        if broken:
            raise BadInput(f"{path}: {broken[0]} is not an array.", f"It must hold: {', '.join(keys)}.")
        return found
    except BadInput:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError, NotImplementedError) as error:
        why = "holds Python objects, which are not read" if "allow_pickle" in str(error) else "is not a readable .npz file"
        raise BadInput(f"{path} {why}.", f"It must hold: {', '.join(keys)}.") from error
    except Exception as error:  # zlib.error and struct.error of a damaged archive share no base class
        raise BadInput(f"{path} is damaged.", f"It must hold: {', '.join(keys)}.") from error


def _read_bytes(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise BadInput(f"{path} has {size / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


def cannot_write(path: Path, error: OSError) -> TenfoldError:
    """What to tell the user when the system refuses to write there."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TenfoldError(f"No space left to write {path}; what stood there is kept.", "Free some space, then repeat.")
    return TenfoldError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place with --out.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
