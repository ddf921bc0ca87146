"""Archives of a workspace, unpacked in memory: an entry that would leave the folder, or a bomb, is refused."""

import base64
import binascii
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tenfold.core.errors import BadInput

if TYPE_CHECKING:
    from tenfold.judge.workspace import Limits

__all__ = ["Unpacked", "json_contents", "unpack"]

_RATIO = 200


class Unpacked(NamedTuple):
    """What an archive holds: its name without suffix, path -> content, and notes."""

    name: str
    contents: dict[str, bytes]
    notes: tuple[str, ...]


def unpack(path: Path, limits: "Limits") -> Unpacked:
    """Read an archive: zip, tar (also compressed) or a JSON file of {path: {"text" | "base64": ...}}.

    One folder that holds everything is taken off, as archives are often made of a folder.

    Raises:
        BadInput: it is none of these, damaged, protected by a password, beyond a limit, or an entry is a link or lies
            outside (all such entries are named).
    """
    try:
        if zipfile.is_zipfile(path):
            contents, notes = _zip(path, limits)
        elif path.suffix.lower() == ".json" or path.name.lower().endswith(".json.gz"):
            contents, notes = _json(path, limits), ()
        elif tarfile.is_tarfile(path):
            contents, notes = _tar(path, limits)
        else:
            raise BadInput(f"The workspace {path} is a file, and no archive.", "Name a folder, or a zip or tar archive.")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError) as error:
        raise BadInput(f"The archive {path} cannot be read: {error}.") from error
    name = path.name.split(".json")[0].removesuffix(".gz").removesuffix(".tar").removesuffix(path.suffix)
    return Unpacked(name, _without_top(contents), tuple(notes))


def _zip(path: Path, limits: "Limits") -> tuple[dict[str, bytes], tuple[str, ...]]:
    import zlib

    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        _refuse_outside(path, [e.filename for e in entries], [e.filename for e in entries if (e.external_attr >> 28) == 0xA])
        _refuse_many(path, len(entries), sum(entry.file_size for entry in entries), limits)
        for entry in entries:
            if entry.flag_bits & 1:
                raise BadInput(f"The archive {path} is protected by a password.", "Give it without one.")
            if entry.file_size > 1_000_000 and entry.file_size > _RATIO * max(1, entry.compress_size):
                raise BadInput(f"{entry.filename} in {path} unpacks to {entry.file_size / 1e6:.0f} MB from next to nothing.")
        contents = {}
        for entry in entries:
            try:
                with archive.open(entry) as file:
                    contents[_plain(entry.filename)] = _read(file, entry.filename, entry.file_size)
            except zlib.error as error:
                raise BadInput(f"The archive {path} is damaged at {entry.filename}.") from error
        return contents, ()


def _read(file, name: str, promised: int) -> bytes:
    """Never more than the listing promised, so that a false listing cannot fill the memory."""
    data = file.read(promised + 1)
    if len(data) > promised:
        raise BadInput(f"{name} is larger than the archive's listing says.")
    return data


def _tar(path: Path, limits: "Limits") -> tuple[dict[str, bytes], tuple[str, ...]]:
    contents: dict[str, bytes] = {}
    notes: list[str] = []
    total = 0
    outside: list[str] = []
    links: list[str] = []
    with tarfile.open(path) as archive:
        for member in _members(archive):
            if member.isdir():
                continue
            if member.issym() or member.islnk():
                links.append(member.name)
                continue
            if not member.isreg():
                notes.append(f"{member.name} is no regular file and was left out.")
                continue
            total += member.size
            _refuse_many(path, len(contents) + 1, total, limits)
            if _leaves(member.name):
                outside.append(member.name)
                continue
            file = archive.extractfile(member)
            contents[_plain(member.name)] = file.read() if file else b""
    _refuse_outside(path, outside, links)
    return contents, tuple(notes)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        yield member


def _json(path: Path, limits: "Limits") -> dict[str, bytes]:
    import gzip

    data = path.read_bytes()[: limits.unpacked]
    if data[:2] == b"\x1f\x8b":
        data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limits.unpacked + 1)
    if len(data) > limits.unpacked:
        raise BadInput(f"{path} unpacks to more than {limits.unpacked / 1e6:.0f} MB.")
    form = 'It must be {path: {"text": ...} or {"base64": ...}}.'
    try:
        contents = json_contents(json.loads(data))
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise BadInput(f"{path} is no workspace in JSON.", form) from error
    _refuse_outside(path, list(contents), [])
    _refuse_many(path, len(contents), sum(map(len, contents.values())), limits)
    return {_plain(name): content for name, content in contents.items()}


def json_contents(files: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """The contents of {path: {"text" | "base64": ...}}.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is something else.
    """
    return {str(name): _content(value) for name, value in files.items()}


def _content(value: Mapping[str, str]) -> bytes:
    if "text" in value:
        return value["text"].encode("utf-8", errors="replace")
    return base64.b64decode(value["base64"], validate=True)


def _leaves(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":" or "\x00" in plain


def _plain(name: str) -> str:
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _refuse_outside(path: Path, names: list[str], links: list[str]) -> None:
    bad = [name for name in names if _leaves(name)] + [f"{name} (a link)" for name in links]
    if bad:
        listed = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        raise BadInput(f"The archive {path} has entries that leave its folder: {listed}.", "Pack it again without them.")


def _refuse_many(path: Path, count: int, size: int, limits: "Limits") -> None:
    if count > limits.files:
        raise BadInput(
            f"The archive {path} has more than {limits.files} files.",
            "Raise it with Workspace.open(path, Limits(files=N)) in Python.",
        )
    if size > limits.unpacked:
        hint = "Unpack it into a folder, or raise it with Workspace.open(path, Limits(unpacked=N)) in Python."
        raise BadInput(f"The archive {path} unpacks to more than {limits.unpacked / 1e6:.0f} MB.", hint)


def _without_top(contents: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.split("/", 1)[0] for name in contents}
    roots = {"src", "results", "models", "data"}
    if len(tops) == 1 and all("/" in name for name in contents) and not tops & roots:
        return {name.split("/", 1)[1]: data for name, data in contents.items()}
    return contents
