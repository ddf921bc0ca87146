"""Pictures, drawings, videos and sound: by header, and by whether a picture shows more than one colour."""

import io
import re

from tenfold.judge.facts import Artefact
from tenfold.judge.workspace import decode

__all__ = ["audio", "image", "svg", "video"]

_LEAST_SIDE, _MOST_PIXELS = 16, 100_000_000


def image(data: bytes, size: int) -> Artefact:
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if data[:6] in (b"GIF87a", b"GIF89a") and len(data) == size and b"\x3b" not in data[-4:]:
            return Artefact(False, "an animation that breaks off")
        picture = Image.open(io.BytesIO(data))
        width, height = picture.size
        frames = getattr(picture, "n_frames", 1) if picture.format in ("GIF", "WEBP") else 1
        details = {"width": width, "height": height, "format": picture.format or "", "frames": frames}
        if width * height > _MOST_PIXELS:
            return Artefact(False, f"{width}x{height} pixels are more than is decoded", details=details)
        if min(width, height) < _LEAST_SIDE:
            return Artefact(False, f"it has {width}x{height} pixels", details=details)
        picture.draft("RGB", (128, 128))
        if picture.mode in ("RGBA", "LA", "PA", "P"):
            picture = picture.convert("RGBA")
        small = picture.resize((64, 64), Image.Resampling.BOX if min(width, height) >= 64 else Image.Resampling.NEAREST)
    colours = small.convert("RGB").getextrema()
    spread = max(high - low for low, high in colours)  # pyright: ignore[reportGeneralTypeIssues]
    if spread < 8:
        return Artefact(False, f"{width}x{height} pixels of one colour", details=details)
    return Artefact(
        True, f"a picture of {width}x{height} pixels" + (f", {frames} frames" if frames > 1 else ""), details=details
    )


def svg(data: bytes, size: int) -> Artefact:
    text = decode(data)
    shapes = len(re.findall(r"(?i)<(path|rect|circle|line|polyline|polygon|text|ellipse|use|image)\b", text))
    return Artefact("<svg" in text and shapes >= 2, f"a drawing of {shapes} shapes", details={"shapes": shapes})


def video(data: bytes, size: int) -> Artefact:
    known = (
        data[4:8] == b"ftyp"
        or data[:4] in (b"RIFF", b"\x1aE\xdf\xa3")
        or data[:3] == b"FLV"
        or data[:4] == b"\x00\x00\x01\xba"
    )
    return Artefact(known and size >= 1024, f"{size} bytes" + ("" if known else " that do not begin like a video"))


def audio(data: bytes, size: int) -> Artefact:
    known = (
        data[:4] in (b"RIFF", b"fLaC", b"OggS") or data[:3] == b"ID3" or data[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
    )
    return Artefact(known and size >= 256, f"{size} bytes" + ("" if known else " that do not begin like sound"))
