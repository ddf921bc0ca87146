"""Entries of a zip, listed or read up to a limit."""

import io
import zipfile

__all__ = ["zip_names", "zip_part"]


def zip_names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()


def zip_part(data: bytes, name: str, limit: int = 20_000_000) -> bytes:
    """One entry of a zip, at most `limit` bytes of it.

    Raises:
        zipfile.BadZipFile: it is damaged.
        KeyError: it has no such entry.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as file:
        return file.read(limit)
