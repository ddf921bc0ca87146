"""Folders of model weights from strangers: what may be loaded, checked before any library looks inside."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.core.files import read_json

__all__ = ["check_folder", "fingerprint", "pickled_weights", "quiet_offline"]

_PICKLED = {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".msgpack", ".h5"}
_MATTER = {".json", ".safetensors", ".txt", ".model", ".jinja"}
_SAMPLE = 1 << 20


def check_folder(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Look at a transformers folder: a configuration, weights as safetensors, and no code.

    Args:
        folder: where the model lies.

    Returns:
        Its `config.json`.

    Raises:
        BadInput: it is not such a folder; its weights are pickled; or its configuration asks to run code from the folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder of model weights.", "Name a folder with config.json and *.safetensors.")
    if not (folder / "config.json").is_file():
        raise BadInput(f"{folder} has no config.json.", "Name a folder as transformers' save_pretrained makes it.")
    config = read_json(folder / "config.json", limit=4 << 20)
    if not isinstance(config, dict):
        raise BadInput(f"{folder / 'config.json'} is not a model's configuration.")
    for name in ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json"):
        found = read_json(folder / name, limit=16 << 20) if (folder / name).is_file() else {}
        if isinstance(found, dict) and ("auto_map" in found or "custom_generate" in found):
            raise BadInput(f"{folder / name} asks to run code from the folder; tenfold runs no such code.")
    if not any(folder.glob("*.safetensors")):
        if pickled := pickled_weights(folder):
            hint = "Save it again with model.save_pretrained(folder), which writes safetensors."
            raise BadInput(f"{folder} has its weights in {pickled}, a format that can run code.", hint)
        raise BadInput(f"{folder} has no *.safetensors.", "The weights must lie in the folder itself.")
    return config


def pickled_weights(folder: Path) -> str:
    """The name of a file of pickled weights that would be read for want of safetensors, or ""."""
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return ""
    return min((path.name for path in folder.iterdir() if path.suffix in _PICKLED), default="")


def fingerprint(folder: str | os.PathLike[str]) -> str:
    """A digest of a folder's configuration, tokenizer and weights: a changed model has another one.

    Of a weight file it takes the size, the header and 64 samples spread over it: training moves every weight, and nobody
    waits for 14 GB to be hashed.
    """
    folder = Path(folder)
    found = [(path, path.stat()) for path in folder.rglob("*") if path.suffix in _MATTER and path.is_file()]
    return _digest(folder, tuple(sorted((path, state.st_size, state.st_mtime_ns) for path, state in found)))


@lru_cache(maxsize=16)
def _digest(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """The digest, once for each state of the folder that this process meets."""
    digest = hashlib.sha256()
    for path, size, _ in files:
        digest.update(f"{path.relative_to(folder)}:{size}:".encode("utf-8", "surrogatepass"))
        with path.open("rb") as file:
            if size <= 128 * _SAMPLE:
                digest.update(file.read())
            else:
                for place in range(64):
                    file.seek((size - _SAMPLE) * place // 63)
                    digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:24]


def quiet_offline() -> None:
    """Tell transformers, before it is imported, to fetch nothing, report nothing and draw no bars."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging  # pyright: ignore[reportMissingImports]

    logging.set_verbosity_error()
    logging.disable_progress_bar()
