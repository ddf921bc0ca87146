"""Users' films as clips: CLEVRER and OBJ3D as SlotFormer reads them, or any folder of films.

A film is a folder of numbered pictures (OBJ3D), or a video file (CLEVRER), which needs the package `av`. Nothing is kept:
only the frames of the clips asked for are read, cut to a square in the middle, and shrunk.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from tenfold.core.errors import BadInput, DataMissing, ExtraMissing

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["PROTOCOLS", "DataSet", "Part", "Protocol", "find_videos", "read_clip", "sample_clips"]

DataSet = Literal["obj3d", "clevrer"]
Part = Literal["train", "val", "test"]
_PICTURES, _VIDEOS = (".png", ".jpg", ".jpeg"), (".mp4", ".avi", ".webm")
_MOST_PIXELS = 4096 * 4096


class Protocol(NamedTuple):
    """How SlotFormer (Wu et al. 2023) cuts clips from a data set.

    Attributes:
        burn_in: frames that a model sees.
        rollout: frames that it foretells.
        every: a clip takes one frame of so many.
        size: of the square pictures, in pixels.
    """

    burn_in: int
    rollout: int
    every: int
    size: int

    @property
    def span(self) -> int:
        """Frames of a film from a clip's first to its last."""
        return (self.burn_in + self.rollout - 1) * self.every + 1


PROTOCOLS: dict[DataSet, Protocol] = {"obj3d": Protocol(6, 10, 1, 64), "clevrer": Protocol(6, 10, 2, 64)}


def find_videos(folder: str | Path, part: Part = "train") -> tuple[Path, ...]:
    """Films of a part of a data set, in the order of their numbers.

    Args:
        folder: holds folders train, val and test; in these, at any depth, folders of pictures, or video files.
        part: which.

    Raises:
        BadInput: the part is unknown.
        DataMissing: there is no film; says what to put where.
    """
    if part not in get_args(Part):
        raise BadInput(f"part {part!r} is unknown.", f"Use one of: {', '.join(get_args(Part))}.")
    root = Path(folder) / part
    found = [path for path in root.rglob("*") if _is_film(path) and path.resolve().is_relative_to(root.resolve())]
    if not found:
        raise DataMissing(
            f"{root} holds no films.",
            f"Put each there as a folder of pictures, {part}/000000/000.png and on (OBJ3D), or as a video, "
            f"{part}/video_00000.mp4 (CLEVRER).",
        )
    return tuple(sorted(found, key=lambda path: _numbers(path.relative_to(root).as_posix())))


def read_clip(
    video: Path, protocol: Protocol, draw: np.random.Generator | None = None
) -> Float[np.ndarray, "time 3 size size"]:
    """A clip of a film: RGB in [0, 1].

    Args:
        video: a folder of pictures, or a video file.
        protocol: frames and size.
        draw: of where it begins; None: at the beginning.

    Raises:
        BadInput: the film is too short, or a frame cannot be read.
        ExtraMissing: a video file, and no package to read it.
    """
    frames = _pictures(video) if video.is_dir() else None
    total = _length(video) if frames is None else len(frames)
    if total < protocol.span:
        raise BadInput(f"{video} has {total} frames; a clip needs {protocol.span}.", "Leave it out, or take shorter clips.")
    start = 0 if draw is None else int(draw.integers(total - protocol.span + 1))
    chosen = range(start, start + protocol.span, protocol.every)
    if frames is None:
        return np.stack(_decoded(video, chosen, protocol.size))
    return np.stack([_picture(frames[place], protocol.size) for place in chosen])


def sample_clips(
    videos: tuple[Path, ...], protocol: Protocol, count: int, seed: int = 0
) -> Float[np.ndarray, "count time 3 size size"]:
    """Clips of films drawn at random: every film once before one comes again.

    Args:
        videos: as `find_videos` gives.
        protocol: frames and size.
        count: clips.
        seed: of which films, and of where clips begin.

    Raises:
        BadInput: see `read_clip`; or there is nothing to draw.
    """
    if not videos or count < 1:
        raise BadInput(f"{count} clips of {len(videos)} films: both must be at least 1.")
    draw = np.random.default_rng(seed)
    rounds = -(-count // len(videos))
    order = np.concatenate([draw.permutation(len(videos)) for _ in range(rounds)])[:count]
    return np.stack([read_clip(videos[place], protocol, draw) for place in order])


def _is_film(path: Path) -> bool:
    if path.is_dir():
        return any(child.suffix.lower() in _PICTURES for child in path.iterdir())
    return path.suffix.lower() in _VIDEOS


def _numbers(name: str) -> list[tuple[int, str]]:
    """A key that sorts frame 2 before frame 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _pictures(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in _PICTURES]
    return sorted(found, key=lambda path: _numbers(path.name))


def _picture(path: Path, size: int) -> Float[np.ndarray, "3 size size"]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise BadInput(f"{path} has {picture.width} x {picture.height} pixels; the most is {_MOST_PIXELS:,}.")
            return _shrunk(picture, size)
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path} is not a picture that can be read.", "Replace it, or leave its film out.") from error


def _shrunk(picture: "Image.Image", size: int) -> Float[np.ndarray, "3 size size"]:
    """The square in the middle, as `size` pixels."""
    from PIL import Image

    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    made = picture.crop(box).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(made, np.float32).transpose(2, 0, 1) / 255


def _length(video: Path) -> int:
    av = _reader()
    try:
        with av.open(str(video)) as container:
            return container.streams.video[0].frames or sum(1 for _ in container.decode(video=0))
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise BadInput(f"{video} is not a video that can be read.", "Replace it, or leave it out.") from error


def _decoded(video: Path, chosen: range, size: int) -> list[np.ndarray]:
    av, found = _reader(), []
    try:
        with av.open(str(video)) as container:
            for place, frame in enumerate(container.decode(video=0)):
                if place in chosen:
                    found.append(_shrunk(frame.to_image(), size))
                if place >= chosen[-1]:
                    break
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise BadInput(f"{video} is not a video that can be read.", "Replace it, or leave it out.") from error
    if len(found) < len(chosen):
        raise BadInput(f"{video} ends before the {chosen[-1] + 1} frames that its header promises.", "Leave it out.")
    return found


def _reader() -> Any:
    try:
        import av  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ExtraMissing("Video files need the package 'av', which is not installed.", "pip install av") from error
    return av
