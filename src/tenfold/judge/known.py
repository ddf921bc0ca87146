"""Facts of every file of a workspace, kept on disk by the hash of its content."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tenfold.judge.addressing import flags_in
from tenfold.judge.artefact_notebooks import cell_sources
from tenfold.judge.artefacts import artefact_facts
from tenfold.judge.facts import Artefact, Code, Facts, facts_from_dict, facts_to_dict
from tenfold.judge.kinds import CODE, PROSE, TABLES
from tenfold.judge.other_code import html_facts, script_facts, style_facts, word_facts
from tenfold.judge.python_code import notebook_source, python_facts
from tenfold.judge.workspace import FileInfo, Workspace, decode
from tenfold.judge.zips import zip_part

__all__ = ["VERSION", "Known", "default_cache", "file_facts"]

VERSION = 3
"""Of the facts: a change of what is noted raises it, and old facts are made anew."""

_KIND = 0x7F_1D_6E_01
_SCHEMA = "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID"
_CODE_LIMIT = 2_000_000
_MUCH, _CHUNK = 3_000_000, 40


def file_facts(kind: str, data: bytes, size: int) -> Facts:
    """Facts of a content.

    Args:
        kind: as `kinds.kind_of` names it.
        data: its content, or its first bytes if it is larger than is read.
        size: bytes of the whole file.
    """
    artefact = artefact_facts(kind, data, size)
    if kind == "python" and artefact.valid is None:
        artefact = Artefact(None, "source code")
    return Facts(artefact, _code_facts(kind, data, size) if not artefact.empty else None, _flags(kind, data, artefact))


def _flags(kind: str, data: bytes, artefact: Artefact) -> tuple[tuple[int, str, str], ...]:
    if kind in ("pdf", "docx", "pptx"):
        return artefact.flags
    if kind in CODE | PROSE | TABLES - {"xlsx", "parquet", "sqlite"} or kind == "svg":
        return tuple(flags_in(decode(data[:_CODE_LIMIT])))
    return tuple(flags_in(_printable(data[:_CODE_LIMIT]))) if kind in ("xlsx", "unknown") else ()


def _printable(data: bytes) -> str:
    """The text of a file that is none, or is packed: what a reader of its bytes would see."""
    if data[:4] == b"PK\x03\x04":
        with contextlib.suppress(Exception):  # a damaged archive says nothing; its bytes still may
            return re.sub(r"<[^>]*>", "\n", decode(zip_part(data, "xl/sharedStrings.xml")))
    return "\n".join(found.decode("ascii") for found in re.findall(rb"[\x20-\x7e]{12,}", data))


def _code_facts(kind: str, data: bytes, size: int) -> Code | None:
    if size > _CODE_LIMIT and kind in ("python", "javascript", "typescript", "tsx", "code"):
        return word_facts(decode(data[:_CODE_LIMIT]), kind)
    if kind == "python":
        return python_facts(decode(data))
    if kind == "notebook":
        try:
            return python_facts(notebook_source(cell_sources(data)))
        except (ValueError, AttributeError, TypeError, RecursionError):
            return None
    if kind in ("javascript", "typescript", "tsx"):
        return script_facts(decode(data), kind)
    if kind == "html":
        return html_facts(decode(data[:_CODE_LIMIT]))
    if kind == "css":
        return style_facts(decode(data[:_CODE_LIMIT]))
    return word_facts(decode(data), kind) if kind in ("code", "shell") else None


class Known(Mapping[str, Facts]):
    """Relative path -> facts, made when they are first asked for.

    Args:
        workspace: whose.
        cache: folder of known facts, shared by all workspaces and runs; None = `default_cache`; "" = none.
    """

    def __init__(self, workspace: Workspace, cache: str | os.PathLike[str] | None = None) -> None:
        self._workspace = workspace
        self._facts: dict[str, Facts] = {}
        self._texts: dict[str, str] = {}
        folder = default_cache() if cache is None else Path(cache) if str(cache) else None
        self._database = None
        if folder is not None:
            from tenfold.llm.database import Database

            self._database = Database(folder / "facts.sqlite", _KIND, _SCHEMA, "cache of facts")
            self._load()

    def __len__(self) -> int:
        return len(self._workspace.files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._workspace.files)

    def __getitem__(self, path: str) -> Facts:
        found = self._facts.get(path)
        if found is None:
            info = self._workspace.files[path]
            text = self._texts.get(_key(info))
            if text is None:
                found = file_facts(info.kind, self._workspace.read_bytes(path), info.size)
                self._keep(_key(info), json.dumps(facts_to_dict(found), separators=(",", ":")))
            else:
                found = facts_from_dict(json.loads(text))
            self._facts[path] = found
        return found

    def prepare(self, paths: list[str]) -> None:
        """Make the facts of many files at once, on all cores if there is much to read."""
        new = [path for path in paths if _key(self._workspace.files[path]) not in self._texts and path not in self._facts]
        size = sum(min(self._workspace.files[path].size, _CODE_LIMIT) for path in new)
        if size < _MUCH or (os.cpu_count() or 1) == 1:
            return
        from tenfold.core.parallel import parallel_map

        chunks = [new[start : start + _CHUNK] for start in range(0, len(new), _CHUNK)]
        work = [[self._work(path) for path in chunk] for chunk in chunks]
        for chunk, texts in zip(chunks, parallel_map(_facts_texts, work, title="Reading"), strict=True):
            for path, text in zip(chunk, texts, strict=True):
                self._keep(_key(self._workspace.files[path]), text)

    def _work(self, path: str) -> tuple[str, bytes, int]:
        info = self._workspace.files[path]
        return info.kind, self._workspace.read_bytes(path), info.size

    def close(self) -> None:
        """Close the cache."""
        if self._database is not None:
            self._database.close()

    def _load(self) -> None:
        keys = sorted({_key(info) for info in self._workspace.files.values()})
        for start in range(0, len(keys), 500):
            some = tuple(keys[start : start + 500])
            marks = ",".join("?" * len(some))
            rows = (
                self._database.read(f"SELECT key, facts FROM facts WHERE key IN ({marks})", some) if self._database else []
            )
            self._texts.update(rows)

    def _keep(self, key: str, text: str) -> None:
        self._texts[key] = text
        if self._database is not None:
            self._database.write("INSERT OR IGNORE INTO facts VALUES (?, ?)", (key, text))


def _facts_texts(work: list[tuple[str, bytes, int]]) -> list[str]:
    return [json.dumps(facts_to_dict(file_facts(*one)), separators=(",", ":")) for one in work]


def _key(info: FileInfo) -> str:
    return f"{VERSION}:{info.kind}:{info.sha256}"


def default_cache() -> Path:
    """The user's folder of known facts."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("tenfold")) / "judge"
