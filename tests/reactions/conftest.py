"""A tiny network with random weights, and a decoder that recomputes everything at each token, to compare with."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tenfold.reactions.batching import Answer, Hypothesis
from tenfold.reactions.model import Model
from tenfold.reactions.network import PRESETS, Transformer, TransformerConfig
from tenfold.reactions.tokens import BOS, EOS, Vocabulary

TEXTS = ["CCO.CC(=O)Cl", "c1ccccc1Br", "OB(O)c1ccccc1", "[Na+].[OH-]", "N#CC=C/F"]


class Stored(NamedTuple):
    network: Transformer
    vocabulary: Vocabulary
    card: dict


def whole_beam(
    model: Transformer, sources: Sequence[Sequence[int]], *, n: int = 1, max_length: int = 200, **_: object
) -> tuple[list[Answer], int]:
    """Beam search without a cache, one query at a time; greedy decoding for n = 1."""
    answers = [_beam(model, torch.tensor([source]), n, max_length) for source in sources]
    return answers, sum(one.calls for one in answers)


def _beam(model: Transformer, source: Tensor, n: int, max_length: int) -> Answer:
    beams, calls = [([BOS], 0.0)], 0
    with torch.inference_mode():
        while calls + 1 < max_length and any(ids[-1] != EOS for ids, _ in beams):
            calls += 1
            grown = [beam for beam in beams if beam[0][-1] == EOS]
            for ids, score in (beam for beam in beams if beam[0][-1] != EOS):
                found = model(source, torch.tensor([ids]))[0, -1].log_softmax(-1).topk(n)
                grown += [([*ids, int(i)], score + float(v)) for v, i in zip(found.values, found.indices, strict=True)]
            beams = sorted(grown, key=lambda beam: -beam[1])[:n]
    found = [Hypothesis(ids, score, ids[-1] == EOS) for ids, score in beams]
    return Answer(found, calls, calls, [], False)


def made() -> Stored:
    """The same network at each call."""
    torch.manual_seed(3)
    vocabulary = Vocabulary.of(TEXTS)
    shape = {**PRESETS["tiny"], "d_model": 16, "feedforward": 32, "positions": 256}
    network = Transformer(TransformerConfig(vocabulary_size=len(vocabulary), **shape))
    return Stored(network, vocabulary, {"task": "forward", "name": "random"})


@pytest.fixture
def stored() -> Stored:
    return made()


@pytest.fixture
def model(stored: Stored) -> Model:
    return Model(stored, decoder=whole_beam)
