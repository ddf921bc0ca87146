"""Checkpoints of the published code as a model's folder."""

import os
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tenfold.core.checkpoint import read_foreign
from tenfold.core.errors import BadInput
from tenfold.core.files import read_json
from tenfold.reactions.corpus import Task
from tenfold.reactions.network import Transformer, TransformerConfig
from tenfold.reactions.tokens import PAD, UNKNOWN, Vocabulary
from tenfold.reactions.weights import Stored

__all__ = ["convert"]

_LAYER = re.compile(r"transformer\.(encoder|decoder)\.layers\.(\d+)\.")


def convert(checkpoint: str | os.PathLike[str], vocabulary: str | os.PathLike[str], task: Task, *, heads: int = 8) -> Stored:
    """Read a checkpoint of the published code; its shape is read from the weights.

    Args:
        checkpoint: a .pt or .ckpt file of weights, or of a training with `state_dict` in it.
        vocabulary: the JSON file {"0": "<PAD>", ...} beside it.
        task: "forward" or "retro".
        heads: of attention, which the weights do not tell; the paper's models have 8.

    Raises:
        BadInput: a file cannot be read, or is not of such a model.
    """
    found = read_foreign(checkpoint)
    weights = {name: value for name, value in found.get("state_dict", found).items() if isinstance(value, Tensor)}
    weights = {name.removeprefix("model."): value for name, value in weights.items()}
    network = Transformer(_shape(weights, heads))
    network.load_reference_state_dict(weights)
    tokens = _tokens(read_json(vocabulary), network.config.vocabulary_size)
    return Stored(network.eval(), tokens, {"task": task, "converted": os.path.basename(checkpoint)})


def _shape(weights: Mapping[str, Tensor], heads: int) -> TransformerConfig:
    try:
        size, width = weights["src_token_featurizer.embedding.weight"].shape
        inner = len(weights["transformer.encoder.layers.0.linear1.weight"])
    except (KeyError, ValueError) as error:
        raise BadInput("This is no checkpoint of the published code: it lacks its embedding or its first layer.") from error
    layers = {match[1]: 0 for name in weights if (match := _LAYER.match(name))}
    for name in weights:
        if match := _LAYER.match(name):
            layers[match[1]] = max(layers[match[1]], int(match[2]) + 1)
    if width % heads:
        raise BadInput(f"{heads} heads cannot share a width of {width}.", "Give the number of heads with --heads.")
    return TransformerConfig(
        vocabulary_size=size, d_model=width, heads=heads, feedforward=inner,
        encoder_layers=layers["encoder"], decoder_layers=layers.get("decoder", 0),
    )  # fmt: skip


def _tokens(numbered: Any, size: int) -> Vocabulary:
    """The vocabulary by our names of the special tokens."""
    if not isinstance(numbered, dict) or {str(key) for key in numbered} != {str(i) for i in range(size)}:
        count = len(numbered) if isinstance(numbered, dict) else 0
        raise BadInput(f"The vocabulary has {count} numbered tokens, the network {size}.")
    special = Vocabulary.of([]).tokens
    return Vocabulary((*special, *(str(numbered[str(i)]) for i in range(UNKNOWN + 1, size)))[PAD:])
