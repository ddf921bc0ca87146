"""Other engines with our weights, for `reactions.py`: CTranslate2, and transformers' `generate`.

transformers has no network of our shape. M2M100 has it but for three tensors, which are put in here: interleaved sinusoids
that begin at 0, embeddings that are not scaled, and a classifier with a bias. It exists pre-norm only, so post-norm models
(the paper's shapes) are timed beside CTranslate2 alone.

Prompt lookup (`prompt_lookup_num_tokens`) drafts from the decoder's own tokens. In a decoder-only model these hold the
prompt; in an encoder-decoder they do not hold the query, so it can only find repeats inside the output. So it comes, and so
it is timed; it takes one query at a time and no beams.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tenfold.reactions.ctranslate import export
from tenfold.reactions.network import Attention, Transformer
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary

Answers = list[list[list[int]]]


class CTranslate2:
    """The C++ engine, one thread."""

    def __init__(self, network: Transformer, vocabulary: Vocabulary, folder: Path, *, compute: str = "float32") -> None:
        import ctranslate2  # pyright: ignore[reportMissingImports]

        path = folder if folder.exists() else export(network, vocabulary, folder)
        self.engine = ctranslate2.Translator(str(path), intra_threads=1, inter_threads=1, compute_type=compute)
        self.vocabulary = vocabulary

    def __call__(self, queries: Sequence[Sequence[int]], n: int, batch_size: int, max_length: int) -> Answers:
        """Token ids of the n best answers to each query (ids without begin and end), the end not counted."""
        tokens = self.vocabulary.tokens
        found = self.engine.translate_batch(
            [[tokens[number] for number in query] for query in queries],
            beam_size=n, num_hypotheses=n, length_penalty=0, max_batch_size=batch_size, max_decoding_length=max_length,
            max_input_length=0, min_decoding_length=0,
        )  # fmt: skip
        numbers = self.vocabulary.numbers
        return [[[numbers[token] for token in one] for one in answers.hypotheses] for answers in found]


class Transformers:
    """`generate` of transformers on a copy of the network."""

    def __init__(self, network: Transformer) -> None:
        self.model = copied(network)

    @torch.inference_mode()
    def __call__(
        self, queries: Sequence[Sequence[int]], n: int, batch_size: int, max_length: int, lookup: int | None = None
    ) -> Answers:
        """As of `CTranslate2`; `lookup` is how many tokens prompt lookup drafts."""
        found: Answers = []
        beams = {"num_beams": n, "num_return_sequences": n, "length_penalty": 0.0} if n > 1 else {}
        for start in range(0, len(queries), batch_size):
            batch = queries[start : start + batch_size]
            ids = nn.utils.rnn.pad_sequence([torch.tensor([BOS, *query, EOS]) for query in batch], True, PAD)
            made = self.model.generate(
                input_ids=ids, attention_mask=(ids != PAD).long(), do_sample=False, max_new_tokens=max_length,
                prompt_lookup_num_tokens=lookup, **beams,
            )  # fmt: skip
            rows = [_answer(row) for row in made.tolist()]
            found += [rows[place : place + n] for place in range(0, len(rows), n)]
        return found


def copied(network: Transformer) -> Any:
    """An M2M100 model that computes what a pre-norm network computes."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    ours = network.config
    if ours.norm != "pre":
        raise ValueError("M2M100 is pre-norm; this network is post-norm.")
    settings = M2M100Config(
        vocab_size=ours.vocabulary_size, max_position_embeddings=ours.positions, d_model=ours.d_model,
        encoder_layers=ours.encoder_layers, decoder_layers=ours.decoder_layers, encoder_attention_heads=ours.heads,
        decoder_attention_heads=ours.heads, encoder_ffn_dim=ours.feedforward, decoder_ffn_dim=ours.feedforward,
        scale_embedding=False, tie_word_embeddings=False, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS,
        decoder_start_token_id=BOS, encoder_layerdrop=0.0, decoder_layerdrop=0.0,
    )  # fmt: skip
    theirs: Any = M2M100ForConditionalGeneration(settings).eval()
    table = torch.cat((torch.zeros(1, ours.d_model), network.positions))  # their first position is PAD + 1
    for half, layers, norm in (
        (theirs.model.encoder, network.encoder, network.encoder_norm),
        (theirs.model.decoder, network.decoder, network.decoder_norm),
    ):
        half.embed_tokens.weight = network.embedding.weight
        half.embed_positions.weights = table
        half.layer_norm = norm
        for their_layer, layer in zip(half.layers, layers, strict=True):
            _copy_layer(their_layer, layer)
    theirs.lm_head = network.classifier
    theirs.generation_config.update(forced_eos_token_id=None, early_stopping=False)
    return theirs


def _copy_layer(theirs: Any, ours: Any) -> None:
    _copy_attention(theirs.self_attn, ours.attention)
    theirs.self_attn_layer_norm, theirs.fc1, theirs.fc2 = ours.norm1, ours.linear1, ours.linear2
    if hasattr(ours, "cross"):
        _copy_attention(theirs.encoder_attn, ours.cross)
        theirs.encoder_attn_layer_norm, theirs.final_layer_norm = ours.norm2, ours.norm3
    else:
        theirs.final_layer_norm = ours.norm2


def _copy_attention(theirs: Any, ours: Attention) -> None:
    parts = zip(ours.projection.weight.chunk(3), ours.projection.bias.chunk(3), strict=True)
    for part, (weight, bias) in zip((theirs.q_proj, theirs.k_proj, theirs.v_proj), parts, strict=True):
        part.weight, part.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    theirs.out_proj = ours.output


def _answer(row: list[int]) -> list[int]:
    """What stands between the begin and the end."""
    return row[1 : row.index(EOS) if EOS in row else None]
