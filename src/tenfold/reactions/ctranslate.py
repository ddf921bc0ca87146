"""Export to CTranslate2, the C++ engine for transformers, through its public model specification.

The engine has no speculative decoding (its issue 1474); it is what our decoders are timed against, and a way into
programs that embed it. The exported folder takes SMILES tokens without begin and end: it adds both.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.core.extras import require
from tenfold.core.files import cannot_write, make_folder
from tenfold.reactions.network import Attention, DecoderLayer, EncoderLayer, Transformer
from tenfold.reactions.tokens import BOS, EOS, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from ctranslate2.specs import TransformerSpec  # pyright: ignore[reportMissingImports]

__all__ = ["QUANTIZATIONS", "export"]

QUANTIZATIONS = ("float32", "int8", "int16", "float16", "bfloat16")


def export(
    network: Transformer, vocabulary: Vocabulary, folder: str | os.PathLike[str], *, quantization: str = "float32"
) -> Path:
    """Write a network as a CTranslate2 model.

    Use it with `ctranslate2.Translator(folder).translate_batch([tokenize(smiles)], min_decoding_length=0)`;
    with `beam_size=1` it gives our greedy strings. Without a length penalty (`length_penalty=0`) its scores are raw sums
    of log-probabilities, as ours are.

    Args:
        network: pre- or post-norm.
        vocabulary: of the network.
        folder: where; it must not exist, or be empty.
        quantization: of the weights on disk; one of `QUANTIZATIONS`.

    Returns:
        The folder.

    Raises:
        BadInput: the vocabulary is another network's, the folder holds files, or the quantization is unknown.
        ExtraMissing: ctranslate2 is not installed.
    """
    if quantization not in QUANTIZATIONS:
        raise BadInput(f"quantization {quantization!r} is unknown.", f"Use one of: {', '.join(QUANTIZATIONS)}.")
    if len(vocabulary) != network.config.vocabulary_size:
        raise BadInput(f"The vocabulary has {len(vocabulary)} tokens, the network {network.config.vocabulary_size}.")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not an empty folder.", "Choose another place, or empty it.")
    spec = _specification(network, vocabulary)
    spec.validate()
    spec.optimize(quantization=quantization)
    _save(spec, folder)
    return folder


def _save(spec: "TransformerSpec", folder: Path) -> None:
    """All files or none: written beside the place, then renamed."""
    parent = make_folder(folder.absolute().parent)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=parent))
        try:
            spec.save(str(beside))
            beside.chmod(0o755)
            os.replace(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _specification(network: Transformer, vocabulary: Vocabulary) -> "TransformerSpec":
    specs = require("ctranslate2.specs", "ctranslate2")
    config = network.config
    spec = specs.TransformerSpec.from_config((config.encoder_layers, config.decoder_layers), config.heads)
    for part in (spec.encoder, spec.decoder):
        # Set afterwards: a specification that begins as post-norm has no place for the final norm, which ours has.
        part.pre_norm = config.norm == "pre"
        part.scale_embeddings = False
        part.position_encodings.encodings = network.positions.detach()
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = network.embedding.weight.detach()
    _set_norm(spec.encoder.layer_norm, network.encoder_norm)
    _set_norm(spec.decoder.layer_norm, network.decoder_norm)
    _set_linear(spec.decoder.projection, network.classifier.weight, network.classifier.bias)
    for part, layer in zip(spec.encoder.layer, network.encoder, strict=True):
        _set_encoder_layer(part, layer)
    for part, layer in zip(spec.decoder.layer, network.decoder, strict=True):
        _set_decoder_layer(part, layer)
    _name_tokens(spec, vocabulary)
    return spec


def _name_tokens(spec: "TransformerSpec", vocabulary: Vocabulary) -> None:
    settings: Any = spec.config
    settings.bos_token = settings.decoder_start_token = vocabulary.tokens[BOS]
    settings.eos_token, settings.unk_token = vocabulary.tokens[EOS], vocabulary.tokens[UNKNOWN]
    settings.add_source_bos = settings.add_source_eos = True
    settings.layer_norm_epsilon = 1e-5
    spec.register_source_vocabulary(list(vocabulary.tokens))
    spec.register_target_vocabulary(list(vocabulary.tokens))


def _set_encoder_layer(part: Any, layer: Any) -> None:
    _set_attention(part.self_attention, layer.attention, layer.norm1)
    _set_feedforward(part.ffn, layer, layer.norm2)


def _set_decoder_layer(part: Any, layer: Any) -> None:
    _set_attention(part.self_attention, layer.attention, layer.norm1)
    _set_attention(part.attention, layer.cross, layer.norm2)
    _set_feedforward(part.ffn, layer, layer.norm3)


def _set_attention(part: Any, attention: Attention, norm: nn.LayerNorm) -> None:
    """Self-attention keeps the fused projection; attention to the memory has its query apart from key and value."""
    weight, bias = attention.projection.weight, attention.projection.bias
    if len(part.linear) == 2:
        _set_linear(part.linear[0], weight, bias)
    else:
        d = weight.shape[1]
        _set_linear(part.linear[0], weight[:d], bias[:d])
        _set_linear(part.linear[1], weight[d:], bias[d:])
    _set_linear(part.linear[-1], attention.output.weight, attention.output.bias)
    _set_norm(part.layer_norm, norm)


def _set_feedforward(part: Any, layer: EncoderLayer | DecoderLayer, norm: nn.LayerNorm) -> None:
    _set_linear(part.linear_0, layer.linear1.weight, layer.linear1.bias)
    _set_linear(part.linear_1, layer.linear2.weight, layer.linear2.bias)
    _set_norm(part.layer_norm, norm)


def _set_linear(part: Any, weight: Tensor, bias: Tensor) -> None:
    part.weight, part.bias = weight.detach(), bias.detach()


def _set_norm(part: Any, norm: nn.LayerNorm) -> None:
    part.gamma, part.beta = norm.weight.detach(), norm.bias.detach()
