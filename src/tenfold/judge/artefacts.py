"""What an artefact is: by its header, its listing or its text, never by loading or running it."""

from collections.abc import Callable, Mapping

from tenfold.judge.artefact_arrays import npy, npz
from tenfold.judge.artefact_documents import docx, pdf, pptx, xlsx
from tenfold.judge.artefact_models import LEAST_CHECKPOINT, hdf5, onnx, pickle, safetensors, torch
from tenfold.judge.artefact_notebooks import notebook
from tenfold.judge.artefact_pictures import audio, image, svg, video
from tenfold.judge.artefact_tables import csv_table, json_lines, json_value
from tenfold.judge.artefact_texts import html, markdown, plain_text, settings
from tenfold.judge.facts import Artefact
from tenfold.judge.zips import zip_names

__all__ = ["artefact_facts"]


def artefact_facts(kind: str, data: bytes, size: int) -> Artefact:
    """What a file is.

    Args:
        kind: as `kinds.kind_of` names it.
        data: its content, or its first bytes if it is larger than is read.
        size: bytes of the whole file.
    """
    if not data.strip(b"\x00\t\n\r "):
        return Artefact(False, "it is empty", empty=True)
    reader = _READERS.get(kind)
    if reader is None:
        return Artefact(None, "files of this kind are not judged")
    try:
        return reader(data, size)
    except (MemoryError, RecursionError) as error:
        return Artefact(False, f"it is too deep or too large to be read ({type(error).__name__})")
    except Exception as error:  # readers of hostile files raise what they like; whatever it is, the file is not readable
        return Artefact(False, f"it cannot be read ({type(error).__name__})")


def _archive(data: bytes, size: int) -> Artefact:
    if data[:4] == b"PK\x03\x04":
        names = zip_names(data)
        return Artefact(bool(names), f"an archive of {len(names)} entries", not names, details={"entries": len(names)})
    known = data[:2] == b"\x1f\x8b" or data[:3] == b"BZh" or data[:6] == b"\xfd7zXZ\x00" or data[257:262] == b"ustar"
    return Artefact(known, f"{size} bytes" + ("" if known else " that are no archive"))


def _tagged(marks: tuple[bytes, ...], what: str, least: int = LEAST_CHECKPOINT) -> Callable[[bytes, int], Artefact]:
    def read(data: bytes, size: int) -> Artefact:
        known = data.startswith(marks)
        return Artefact(known and size >= least, f"{size} bytes" + ("" if known else f" that are no {what}"))

    return read


_READERS: Mapping[str, Callable[[bytes, int], Artefact]] = {
    "text": plain_text, "rtf": plain_text, "tex": plain_text, "markdown": markdown, "html": html, "pdf": pdf, "docx": docx,
    "pptx": pptx, "xlsx": xlsx, "image": image, "svg": svg, "video": video, "audio": audio, "notebook": notebook,
    "torch": torch, "pickle": pickle, "safetensors": safetensors, "hdf5": hdf5, "npy": npy, "npz": npz, "csv": csv_table,
    "tsv": csv_table, "json": json_value, "jsonl": json_lines, "yaml": settings, "toml": settings, "xml": settings,
    "archive": _archive, "onnx": onnx, "sqlite": _tagged((b"SQLite format 3\x00",), "SQLite file"),
    "parquet": _tagged((b"PAR1",), "Parquet file"), "gguf": _tagged((b"GGUF",), "GGUF file"),
}  # fmt: skip
