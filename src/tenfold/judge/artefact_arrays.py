"""NumPy arrays: their shape, and whether anything but zeros is in them."""

import re
import struct

from tenfold.judge.artefact_models import LEAST_CHECKPOINT
from tenfold.judge.facts import Artefact
from tenfold.judge.zips import zip_names

__all__ = ["npy", "npz"]


def npy(data: bytes, size: int) -> Artefact:
    import ast

    if data[:6] != b"\x93NUMPY":
        return Artefact(False, "it is no NumPy array")
    wide = data[6] >= 2
    length = struct.unpack("<I" if wide else "<H", data[8 : 12 if wide else 10])[0]
    header = ast.literal_eval(data[12 if wide else 10 :][:length].decode("latin1"))
    shape = [int(side) for side in header["shape"]]
    count = 1
    for side in shape:
        count *= side
    payload = data[(12 if wide else 10) + length :]
    whole = _item_size(str(header["descr"])) * count
    if size == len(data) and len(payload) < whole:
        return Artefact(False, f"an array {shape} that breaks off", details={"shape": shape})
    constant = 0 < len(payload) == size - (12 if wide else 10) - length and not payload.strip(b"\x00")
    if constant:
        return Artefact(False, f"an array {shape} of zeros", details={"shape": shape})
    return Artefact(count >= 1 and size > 10 + length, f"an array {shape}", empty=count == 0, details={"shape": shape})


def npz(data: bytes, size: int) -> Artefact:
    names = zip_names(data)
    return Artefact(
        bool(names) and size >= LEAST_CHECKPOINT, f"{len(names)} arrays", not names, details={"entries": len(names)}
    )


def _item_size(code: str) -> int:
    """Bytes of one item of a simple type such as "<f8"; 0 if it is another."""
    found = re.fullmatch(r"[<>|=]?([biufcSV?])(\d*)", code)
    return int(found.group(2) or 1) if found else 0
