"""State on disk: one safetensors file with JSON in its header. Nothing in it can run."""

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.core.files import jsonable, write_atomic

__all__ = ["Checkpoint", "check_shapes", "load", "load_weights", "read_foreign", "save"]


class Checkpoint(NamedTuple):
    """Tensors by name, and JSON values."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


def save(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], meta: Mapping[str, Any], *, system: str) -> None:
    """Write a checkpoint atomically.

    Args:
        path: where.
        tensors: by name; tensors that share memory (tied weights) are written once each.
        meta: JSON values.
        system: whose checkpoint it is; loading checks it.
    """
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().to("cpu").contiguous()
        if tensor.untyped_storage().data_ptr() in seen or tensor.untyped_storage().nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        own[name] = tensor
    header = {"system": system, "meta": json.dumps(jsonable(dict(meta)))}
    write_atomic(path, safetensors.torch.save(own, metadata=header))


def load(path: str | os.PathLike[str], *, system: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: the file.
        system: whose it must be.
        shapes: names and shapes that it must have, no more and no fewer; None = any.

    Raises:
        BadInput: it is missing, cut short, not safetensors, another system's, or of other names or shapes.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} is not a file." if path.exists() else f"{path} does not exist.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        meta = json.loads(header.get("meta", "null"))
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} is not a whole safetensors checkpoint: {' '.join(str(error).split())[:120]}.") from error
    if header.get("system") == system and not isinstance(meta, dict):
        raise BadInput(f"{path} lacks the JSON beside its tensors.")
    if header.get("system") != system:
        raise BadInput(f"{path} is a checkpoint of {header.get('system') or 'another program'}, not of {system}.")
    if shapes is not None:
        check_shapes(path, tensors, shapes)
    return Checkpoint(tensors, meta)


def load_weights(module: nn.Module, path: str | os.PathLike[str], *, system: str, prefix: str = "model.") -> dict[str, Any]:
    """Load the weights of a module from a checkpoint, all of them and nothing else; returns the checkpoint's `meta`.

    Args:
        module: receives the weights.
        path: the file.
        system: whose it must be.
        prefix: which tensors: "model." (the trained ones), "ema." or "best.".

    Raises:
        BadInput: as in `load`.
    """
    found = load(path, system=system)
    weights = {name.removeprefix(prefix): value for name, value in found.tensors.items() if name.startswith(prefix)}
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    check_shapes(path, weights, wanted)
    module.load_state_dict(weights)
    return found.meta


def read_foreign(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read another program's .pt, .pth or .ckpt file for a `convert` command: tensors and plain values only.

    Raises:
        BadInput: missing, unreadable, or it holds objects that would have to be run to be read.
    """
    if not Path(path).is_file():
        raise BadInput(f"{path} does not exist.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise BadInput(
            f"{path} cannot be read as a file of weights alone.", "Save its state_dict and convert that."
        ) from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds a {type(found).__name__}, not a dictionary of weights.")
    return found


def check_shapes(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises BadInput, naming the first tensor that is missing, too many, or of another shape."""
    for name in [*wanted, *tensors]:
        if name not in tensors:
            raise BadInput(f"{path} lacks the tensor {name}.")
        if name not in wanted:
            raise BadInput(f"{path} has a tensor {name} that this model does not have.")
        if tuple(tensors[name].shape) != wanted[name]:
            raise BadInput(f"{path}: {name} has shape {tuple(tensors[name].shape)}; this model needs {wanted[name]}.")
