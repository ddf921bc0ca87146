"""Tiny random networks, queries and drafters for the tests of the decoders."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tenfold.reactions.network import Transformer, TransformerConfig
from tenfold.reactions.tokens import BOS, EOS

VOCABULARY = 11


def random_network(seed: int, norm: str = "pre", dtype: torch.dtype = torch.float64) -> Transformer:
    """A network whose outputs vary: every weight is noisy, and the end comes now and then."""
    torch.manual_seed(seed)
    shape = {"d_model": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 2, "feedforward": 24}
    config = TransformerConfig(vocabulary_size=VOCABULARY, norm=norm, positions=64, **shape)
    network = Transformer(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network.to(dtype)


def random_queries(seed: int, count: int) -> list[list[int]]:
    generator = random.Random(seed)
    return [[BOS, *generator.choices(range(4, VOCABULARY), k=generator.randint(1, 12)), EOS] for _ in range(count)]


class RandomDrafts:
    """Drafts of any kind: none, wrong, equal, longer than asked for, with end or padding inside; now and then the truth."""

    def __init__(self, seed: int, truth: Sequence[Sequence[int]] = ()) -> None:
        self._generator = random.Random(seed)
        self._truth = list(truth)

    def start(self, source: Sequence[int]) -> "RandomDrafts":
        del source
        return self

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        drafts = []
        for _ in range(self._generator.randint(0, width)):
            known = [list(output[len(prefix) :]) for output in self._truth if list(output[: len(prefix)]) == list(prefix)]
            if known and self._generator.random() < 0.7:
                draft = self._generator.choice(known)[:length]
                if draft and self._generator.random() < 0.3:
                    draft[-1] = self._generator.randrange(VOCABULARY)
            else:
                draft = self._generator.choices(range(VOCABULARY), k=self._generator.randint(0, length + 3))
            drafts.append(draft)
        return drafts


@torch.inference_mode()
def log_probabilities(network: Transformer, source: Sequence[int], prefix: Sequence[int]) -> torch.Tensor:
    """Of the token after a prefix, by the whole network."""
    return network(torch.tensor([source]), torch.tensor([prefix]))[0, -1].log_softmax(-1)


def reference_network(golden: Path) -> tuple[Transformer, "np.lib.npyio.NpzFile"]:
    """The published code's tiny model, and its numbers."""
    numbers = np.load(golden / "reactions" / "reference_decoders.npz")
    config = TransformerConfig(
        vocabulary_size=24, d_model=48, heads=4, encoder_layers=2, decoder_layers=2, feedforward=96
    )  # fmt: skip
    network = Transformer(config).eval()
    network.load_reference_state_dict(
        {name[2:]: torch.tensor(numbers[name]) for name in numbers.files if name.startswith("w/")}
    )
    return network, numbers


def stripped(ids: Sequence[int]) -> list[int]:
    """Ids without the padding behind the end."""
    row = list(map(int, ids))
    return row[: row.index(EOS) + 1] if EOS in row else row
