"""A model's folder: `weights.safetensors` (shape and card in its header), `vocabulary.json`, perhaps drafts and calibration.

Weights are kept as int8 with one scale a row, as float16, or as float32; they are float32 again once read.
"""

import filecmp
import importlib.resources
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tenfold.core import checkpoint
from tenfold.core.errors import BadInput
from tenfold.core.files import make_folder, read_json, write_atomic, write_json
from tenfold.reactions.network import Transformer, TransformerConfig
from tenfold.reactions.tokens import Vocabulary

__all__ = ["CALIBRATION", "DRAFTS", "Precision", "Stored", "copy", "find", "read", "shipped", "write"]

Precision = Literal["int8", "float16", "float32"]
WEIGHTS, VOCABULARY, DRAFTS, CALIBRATION = "weights.safetensors", "vocabulary.json", "drafts.npz", "calibration.json"
_SYSTEM, _SCALE = "reactions", ".scale"


@dataclass(frozen=True)
class Stored:
    """What a model's folder holds.

    Attributes:
        network: in evaluation mode.
        vocabulary: as many tokens as the network has.
        card: what the model is: task, data, command, held-out numbers.
        folder: where it was read from; None if it was made in memory.
    """

    network: Transformer
    vocabulary: Vocabulary
    card: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None


def shipped() -> list[str]:
    """Names of the models that are part of this package."""
    models = importlib.resources.files("tenfold.reactions") / "models"
    return sorted(item.name for item in models.iterdir() if item.is_dir()) if models.is_dir() else []


def find(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a model: one of the user's, or of a shipped one by its name.

    Raises:
        BadInput: there is no such model.
    """
    folder = Path(name_or_folder)
    if (folder / WEIGHTS).is_file():
        return folder
    if str(name_or_folder) in shipped():
        return Path(str(importlib.resources.files("tenfold.reactions") / "models" / str(name_or_folder)))
    known = ", ".join(shipped()) or "none"
    raise BadInput(f"{name_or_folder} is no model: no folder with {WEIGHTS}.", f"Shipped with tenfold: {known}.")


def read(name_or_folder: str | os.PathLike[str]) -> Stored:
    """Read a model's folder.

    Raises:
        BadInput: there is no such model, a file is damaged, or weights and vocabulary are not of one model.
    """
    folder = find(name_or_folder)
    found = checkpoint.load(folder / WEIGHTS, system=_SYSTEM)
    tokens = read_json(folder / VOCABULARY)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise BadInput(f"{folder / VOCABULARY} is not a list of tokens.")
    vocabulary = Vocabulary(tuple(tokens))
    try:
        config = TransformerConfig.model_validate(found.meta.get("config"))
    except (BadInput, ValidationError) as error:
        raise BadInput(f"{folder / WEIGHTS} does not say the shape of its network.") from error
    if config.vocabulary_size != len(vocabulary):
        raise BadInput(
            f"The vocabulary has {len(vocabulary)} tokens, the network {config.vocabulary_size}.",
            "The weights and the vocabulary are of different models.",
        )
    with torch.device("meta"), _Blank():
        network = Transformer(config)
    weights = _restored(found.tensors)
    checkpoint.check_shapes(folder / WEIGHTS, weights, {name: tuple(x.shape) for name, x in network.state_dict().items()})
    network.load_state_dict(weights, assign=True)
    return Stored(network.eval(), vocabulary, dict(found.meta.get("card") or {}), folder)


class _Blank(TorchFunctionMode):
    """Leaves new weights as they are: random numbers on the device "meta" would load torch's compiler, 2 seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def write(folder: str | os.PathLike[str], stored: Stored, *, precision: Precision = "float16") -> Path:
    """Write a model's folder; the weights come last, so that a folder with weights is whole.

    Args:
        folder: made if it is not there.
        stored: what to write.
        precision: of the weights; "int8" takes a quarter of float32's bytes.
    """
    place = make_folder(folder)
    write_json(place / VOCABULARY, list(stored.vocabulary.tokens))
    meta = {"config": stored.network.config.model_dump(), "card": dict(stored.card)}
    checkpoint.save(place / WEIGHTS, _packed(stored.network.state_dict(), precision), meta, system=_SYSTEM)
    return place


def copy(name_or_folder: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Copy a model's files into a folder, the weights last; what the same model has there already stays.

    Raises:
        BadInput: there is no such model, or the folder holds another one.
    """
    source, place = find(name_or_folder), make_folder(folder)
    if (place / WEIGHTS).is_file() and not filecmp.cmp(source / WEIGHTS, place / WEIGHTS, shallow=False):
        raise BadInput(f"{place} holds another model.", "Choose another folder.")
    for name in (VOCABULARY, DRAFTS, CALIBRATION, WEIGHTS):
        if (source / name).is_file() and not (place / name).exists():
            write_atomic(place / name, (source / name).read_bytes())
    return place


def _packed(weights: Mapping[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    if precision == "float32":
        return {name: value.float() for name, value in weights.items()}
    packed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if precision == "int8" and value.dim() == 2:
            scale = (value.abs().amax(dim=1, keepdim=True) / 127).clamp_min(1e-12).float()
            packed[name] = (value / scale).round().to(torch.int8)
            packed[name + _SCALE] = scale
        else:
            packed[name] = value.half()
    return packed


def _restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float32 weights by name."""
    restored = {}
    for name, value in tensors.items():
        if name.endswith(_SCALE) and tensors.get(name.removesuffix(_SCALE), value).dtype == torch.int8:
            continue
        if value.dtype == torch.int8:
            scale = tensors.get(name + _SCALE)
            if scale is None or scale.shape != (len(value), 1):
                raise BadInput(f"The weights lack the scale of {name}.")
            restored[name] = value.float() * scale.float()
        else:
            restored[name] = value.float()
    return restored
