"""Data sets by name: found in $TENFOLD_DATA, else in the user's cache, else downloaded and checked.

Each system's package may hold `datasets.json`. `locate` compares sizes, which is instant; `fetch` and `verify` compare
SHA-256. A set without addresses is "local only": nobody hosts it in our form, and its recipe says how to make it.
"""

import hashlib
import importlib.resources
import importlib.util
import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tenfold import registry
from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.progress import stderr_console

__all__ = ["DataFile", "DataSet", "catalogue", "fetch", "locate", "overview", "verify", "where"]


class DataFile(BaseModel):
    """One file. `path` is relative to the data folder and begins with the system's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    url: str | None = None


class DataSet(BaseModel):
    """Files that belong together, their licence and where they come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    files: tuple[DataFile, ...]
    licence: str
    source: str
    recipe: str = ""
    notice: str = ""


def catalogue() -> dict[str, DataSet]:
    """Every data set of the ready systems, by name."""
    sets: dict[str, DataSet] = {}
    for system in registry.ready():
        if importlib.util.find_spec(system.module) is None:
            continue
        file = importlib.resources.files(system.module) / "datasets.json"
        if file.is_file():
            found = TypeAdapter(list[DataSet]).validate_json(file.read_bytes())
            sets.update((data_set.name, data_set) for data_set in found)
    return sets


def where(name: str | None = None) -> list[Path]:
    """The folders that are searched, in order; with a name, where its files lie.

    Raises:
        BadInput: no data set and no file of one has that name.
        DataMissing: a file is not here.
    """
    if name is None:
        return _folders()
    data_set, file = _find(name)
    return [_here(f) or _missing(data_set, f) for f in ([file] if file else data_set.files)]


def locate(path: str) -> Path:
    """The path of a file of a data set, e.g. "udrl/icu_sepsis_dynamics.npz"; downloaded if it is not here.

    Raises:
        BadInput: no data set has such a file.
        DataMissing: it is not here and cannot be downloaded; says which file to put where.
    """
    data_set, file = _find(path)
    if file is None:
        raise BadInput(f"{path} is a data set; name one of its files: {', '.join(f.path for f in data_set.files)}.")
    return _here(file) or _download(data_set, file)


def fetch(name: str) -> list[Path]:
    """Make sure that all files of a data set are here and are what was published.

    Raises:
        BadInput: no such data set, or a file differs from what was published.
        DataMissing: a file is not here and cannot be downloaded.
    """
    data_set, file = _find(name)
    paths = []
    for wanted in [file] if file else data_set.files:
        path = _here(wanted) or _download(data_set, wanted)
        if _sha256(path) != wanted.sha256:
            raise BadInput(f"{path} is not the published file: its SHA-256 differs.", "Move it away and fetch again.")
        paths.append(path)
    return paths


def verify(name: str | None = None) -> list[dict[str, Any]]:
    """Compare every file with its SHA-256: rows of file, state (ok, missing, differs) and path."""
    wanted = [_find(name)] if name else [(data_set, None) for data_set in catalogue().values()]
    rows = []
    for data_set, one in wanted:
        for file in [one] if one else data_set.files:
            path = _here(file, any_size=True)
            state = "missing" if path is None else "ok" if _sha256(path) == file.sha256 else "differs"
            rows.append({"file": file.path, "state": state, "path": str(path or "")})
    return rows


def overview() -> list[dict[str, Any]]:
    """A row for each data set: name, state (here, fetchable, local only), licence, source, recipe, notice."""
    rows = []
    for data_set in catalogue().values():
        here = all(_here(file) for file in data_set.files)
        hosted = all(file.url for file in data_set.files)
        state = "here" if here else "fetchable" if hosted else "local only"
        rows.append({"state": state, **data_set.model_dump(include={"name", "licence", "source", "recipe", "notice"})})
    return rows


def _folders() -> list[Path]:
    import platformdirs

    own = os.environ.get("TENFOLD_DATA")
    return [*([Path(own)] if own else []), Path(platformdirs.user_cache_dir("tenfold")) / "data"]


def _find(name: str) -> tuple[DataSet, DataFile | None]:
    parts = PurePosixPath(name).parts
    sets = catalogue()
    if ".." not in parts and not name.startswith("/"):
        if name in sets:
            return sets[name], None
        for data_set in sets.values():
            for file in data_set.files:
                if file.path == name:
                    return data_set, file
    raise BadInput(f"There is no data set or file {name!r}.", f"There are: {', '.join(sets) or 'none'}.")


def _here(file: DataFile, any_size: bool = False) -> Path | None:
    for folder in _folders():
        path = folder / file.path
        if path.is_file() and (any_size or path.stat().st_size == file.bytes):
            return path
    return None


def _download(data_set: DataSet, file: DataFile) -> Path:
    if file.url is None:
        return _missing(data_set, file)
    import pooch

    target = _folders()[-1] / file.path
    stderr_console().print(f"Downloading {file.path} ({file.bytes / 1e6:.1f} MB) ...")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            found = pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=target.name,
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=20),  # pyright: ignore[reportArgumentType]
            )
            os.replace(found, target)
    except Exception as error:  # pooch lets requests', urllib3's and its own errors through
        _missing(data_set, file, f"It could not be downloaded ({type(error).__name__}).")
    return target


def _missing(data_set: DataSet, file: DataFile, why: str = "") -> Path:
    places = " or ".join(str(folder / file.path) for folder in _folders())
    source = file.url or data_set.recipe or data_set.source
    hint = f"Put it at {places} (SHA-256 {file.sha256}); it comes from: {source}"
    raise DataMissing(f"The data file {file.path} is not here. {why}", hint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
