"""Trained models and arrays: by header, listing and opcodes, never loaded."""

import io
import json
import re
import struct
import zipfile

from tenfold.judge.facts import Artefact
from tenfold.judge.zips import zip_names

__all__ = ["LEAST_CHECKPOINT", "hdf5", "onnx", "pickle", "safetensors", "torch"]

LEAST_CHECKPOINT = 256
"""Bytes; what is smaller holds no trained model."""


def torch(data: bytes, size: int) -> Artefact:
    if data[:4] == b"PK\x03\x04":
        return _checkpoint_zip(data, size)
    return pickle(data, size)


def pickle(data: bytes, size: int) -> Artefact:
    """The opcodes of a pickle are listed, never run: which classes it names is a fact like any other."""
    if (data[:1] == b"\x78" and data[1:2] in b"\x01\x5e\x9c\xda") or data[:2] == b"\x1f\x8b":
        return _compressed(data, size)
    names, count = _pickled_names(data)
    if data[:1] != b"\x80" and count < 10:
        return Artefact(False, "it is no pickle and no checkpoint")
    details = {"classes": names[:20]}
    if size < 64 or (not names and size < LEAST_CHECKPOINT):
        return Artefact(False, f"a pickle of {size} bytes that holds next to nothing", details=details)
    if size == len(data) and data[-1:] != b".":
        return Artefact(False, f"a pickle that breaks off after {size} bytes", details=details)
    return Artefact(True, f"a pickle of {', '.join(names[:3]) or 'plain data'}, {size} bytes", details=details)


def hdf5(data: bytes, size: int) -> Artefact:
    if data[:4] == b"PK\x03\x04":
        return _checkpoint_zip(data, size)
    known = data[:8] == b"\x89HDF\r\n\x1a\n"
    return Artefact(known and size >= LEAST_CHECKPOINT, f"{size} bytes" + ("" if known else " that are no HDF5"))


def safetensors(data: bytes, size: int) -> Artefact:
    length = struct.unpack("<Q", data[:8])[0]
    if length > min(size - 8, 100_000_000):
        return Artefact(False, "its header is broken")
    if length > len(data) - 8:
        return Artefact(True, f"a header of {length} bytes, {size} bytes in all")
    tensors = [name for name in json.loads(data[8 : 8 + length]) if name != "__metadata__"]
    enough = bool(tensors) and size >= LEAST_CHECKPOINT
    return Artefact(enough, f"{len(tensors)} tensors", details={"tensors": len(tensors)})


def onnx(data: bytes, size: int) -> Artefact:
    return Artefact(data[:1] == b"\x08" and size >= LEAST_CHECKPOINT, f"{size} bytes")


def _checkpoint_zip(data: bytes, size: int) -> Artefact:
    try:
        names = zip_names(data)
    except zipfile.BadZipFile:
        if size > len(data):
            return Artefact(True, f"begins like a checkpoint and has {size} bytes", details={"entries": 0})
        return Artefact(False, "its listing is broken")
    tensors = [name for name in names if re.search(r"(^|/)data/\d+$", name)]
    held = any(name.endswith("data.pkl") for name in names) or any(name.endswith((".npy", "config.json")) for name in names)
    if held and size >= LEAST_CHECKPOINT:
        return Artefact(
            True, f"a checkpoint of {len(tensors)} tensors", details={"entries": len(names), "tensors": len(tensors)}
        )
    return Artefact(False, f"a zip of {len(names)} entries that is no checkpoint", details={"entries": len(names)})


def _compressed(data: bytes, size: int) -> Artefact:
    import zlib

    stream = zlib.decompressobj(wbits=47)
    stream.decompress(data, 50_000_000)
    if size == len(data) and not stream.eof and not stream.unconsumed_tail:
        return Artefact(False, f"a compressed file that breaks off after {size} bytes")
    return Artefact(size >= LEAST_CHECKPOINT, f"a compressed file of {size} bytes")


def _pickled_names(data: bytes) -> tuple[list[str], int]:
    """The classes and functions that a pickle names, and how many of its opcodes could be listed."""
    import pickletools

    names: set[str] = set()
    count, strings = 0, []
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            count += 1
            if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE") and isinstance(argument, str):
                strings = [*strings[-1:], argument]
            elif opcode.name == "GLOBAL":
                names.add(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.add(".".join(strings))
            if count > 100_000:
                break
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, OverflowError):
        pass  # joblib writes the bytes of arrays between the opcodes; what came before them was listed
    return sorted(names), count
