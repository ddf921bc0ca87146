"""A folder or archive that an agent left behind, read as if a stranger had made it.

Everything is read through here: nothing outside the root, no link, no device, nothing executed, nothing written. A folder
is read where it lies; archives (zip, tar) and `{path: {"text" | "base64"}}` JSON files are unpacked in memory.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.kinds import kind_of

__all__ = ["EXCLUDED", "FileInfo", "Limits", "Workspace"]

EXCLUDED = frozenset(
    {".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "site-packages", ".tox", ".mypy_cache"}
    | {".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", ".idea", ".vscode", "__MACOSX"}
)
"""Folders that are left out, by exact name, never by a part of it: `data`, `output`, `env` are judged like any other. Left
out too is a folder with a `pyvenv.cfg`: Python's own mark of a virtual environment."""


class FileInfo(NamedTuple):
    """A file: bytes, hex digest of its content (of its first bytes and size, if it is larger than is read), kind."""

    size: int
    sha256: str
    kind: str


@dataclass(frozen=True)
class Limits:
    """How much of a workspace is looked at.

    Attributes:
        files: more are an error.
        whole: bytes; of a larger file only the header is read.
        header: bytes of it.
        depth: folders below folders; deeper ones are left out.
        unpacked: bytes of an archive in all.
    """

    files: int = 100_000
    whole: int = 50_000_000
    header: int = 65_536
    depth: int = 40
    unpacked: int = 500_000_000


@dataclass(frozen=True)
class Workspace:
    """A workspace, scanned once (see `Workspace.open`).

    Attributes:
        name: of the folder or archive, without its suffix.
        files: relative path with "/" -> `FileInfo`, in the order of the paths.
        notes: sentences on what was left out or read in part.
        root: the folder, or empty for an archive.
    """

    name: str
    files: Mapping[str, FileInfo]
    notes: tuple[str, ...] = ()
    root: str = ""
    limits: Limits = field(default_factory=Limits)
    _contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], limits: Limits | None = None) -> "Workspace":
        """Scan a folder, a zip or tar archive, or a JSON file of {path: {"text" | "base64": ...}}.

        Raises:
            BadInput: it is absent, no workspace, empty, or beyond a limit; or an archive that would leave its folder.
        """
        limits = limits or Limits()
        path = Path(path)
        if not path.exists():
            raise BadInput(
                f"The workspace {path} does not exist.", "Name a folder, a zip or tar archive, or a JSON file of files."
            )
        if path.is_dir():
            return _scan(path.resolve(), limits)
        if not path.is_file():
            raise BadInput(f"The workspace {path} is neither a folder nor a file.")
        from tenfold.judge.archives import unpack

        name, contents, notes = unpack(path, limits)
        return cls.of(name, contents, notes, limits)

    @classmethod
    def of(
        cls, name: str, contents: Mapping[str, bytes], notes: tuple[str, ...] = (), limits: Limits | None = None
    ) -> "Workspace":
        """A workspace in memory: relative path -> bytes.

        Raises:
            BadInput: no file is left after exclusions.
        """
        limits = limits or Limits()
        environments = tuple(path.removesuffix("pyvenv.cfg") for path in contents if path.endswith("/pyvenv.cfg"))
        kept = {
            path: data
            for path, data in sorted(contents.items())
            if not _excluded(path) and not path.startswith(environments)
        }
        dropped = {part for path in contents for part in path.split("/")[:-1] if part in EXCLUDED}
        _refuse_empty(name, kept, sorted(dropped | {folder.rstrip("/") for folder in environments}))
        files = {
            path: FileInfo(len(data), hashlib.sha256(data).hexdigest(), kind_of(path, data)) for path, data in kept.items()
        }
        return cls(name, files, notes, "", limits, kept)

    def read_bytes(self, path: str, limit: int | None = None) -> bytes:
        """The content of a file, at most `limit` bytes (None: as much as is read of any).

        Raises:
            BadInput: the workspace has no such file, or it became a link or unreadable since the scan.
        """
        info = self.files.get(path)
        if info is None:
            raise BadInput(f"The workspace {self.name} has no file {path!r}.")
        most = self.limits.whole if info.size <= self.limits.whole else self.limits.header
        most = most if limit is None else min(limit, most)
        if path in self._contents:
            return self._contents[path][:most]
        try:
            with _open_inside(Path(self.root), path) as file:
                return file.read(most)
        except OSError as error:
            raise BadInput(f"{path} in the workspace {self.name} cannot be read: {error.strerror or error}.") from error

    def read_text(self, path: str, limit: int | None = None) -> str:
        """A file as text, at most `limit` bytes of it; bytes that are no UTF-8 become marks."""
        return decode(self.read_bytes(path, limit))

    def folder(self, path: str) -> list[str]:
        """The files below a folder ("" is the whole workspace), with or without a slash at its end."""
        start = path.strip("/") + "/" if path.strip("/") else ""
        return [name for name in self.files if name.startswith(start)]


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8 or UTF-16 by its mark, else UTF-8 with marks for what is none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")


def _scan(root: Path, limits: Limits) -> Workspace:
    notes: list[str] = []
    dropped: set[str] = set()
    files: dict[str, FileInfo] = {}
    for path in _walk(root, limits, notes.append, dropped):
        if len(files) >= limits.files:
            hint = "Choose a smaller folder, or raise it with Workspace.open(path, Limits(files=N)) in Python."
            raise BadInput(f"The workspace {root} has more than {limits.files} files.", hint)
        info = _look(root, path, limits, notes.append)
        if info is not None:
            files[path] = info
    _refuse_empty(str(root), files, sorted(dropped))
    return Workspace(root.name, dict(sorted(files.items())), tuple(notes), str(root), limits)


def _walk(root: Path, limits: Limits, note: Callable[[str], None], dropped: set[str]) -> Iterator[str]:
    left: list[tuple[str, int]] = [("", 0)]
    while left:
        folder, depth = left.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            note(f"The folder {folder or '.'} cannot be read: {error.strerror}.")
            continue
        if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
            dropped.add(folder)
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                note(f"{path} is a link and was not followed.")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name in EXCLUDED:
                    dropped.add(entry.name)
                elif depth >= limits.depth:
                    note(f"{path} lies deeper than {limits.depth} folders and was left out.")
                else:
                    left.append((path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield path
            else:
                note(f"{path} is no regular file and was left out.")


def _look(root: Path, path: str, limits: Limits, note: Callable[[str], None]) -> FileInfo | None:
    try:
        with _open_inside(root, path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.whole:
                data = file.read(limits.header)
                note(f"{path} has {size / 1e6:.0f} MB: only its header was read.")
                return FileInfo(size, hashlib.sha256(data + str(size).encode()).hexdigest(), kind_of(path, data))
            data = file.read(limits.whole)
            return FileInfo(len(data), hashlib.sha256(data).hexdigest(), kind_of(path, data))
    except OSError as error:
        note(f"{path} cannot be read: {error.strerror}.")
        return None


def _open_inside(root: Path, path: str):
    """Open a file below the root for reading; a link at any step below it, or a device, is refused by the system."""
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)):
        raise BadInput(f"The path {path!r} leaves the workspace.")
    if not hasattr(os, "O_NOFOLLOW"):
        return _open_checked(root, path)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "not a regular file")
    return os.fdopen(handle, "rb")


def _open_checked(root: Path, path: str):
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise BadInput(f"The path {path!r} leaves the workspace.")
    return (root / path).open("rb")


def _excluded(path: str) -> bool:
    return any(part in EXCLUDED for part in path.split("/")[:-1])


def _refuse_empty(name: str, files: Mapping[str, object], dropped: list[str]) -> None:
    if not files:
        why = f"0 files after exclusions: {', '.join(dropped)}" if dropped else "it is empty"
        raise BadInput(f"The workspace {name} has nothing to judge: {why}.", "Name the folder that the agent wrote to.")
