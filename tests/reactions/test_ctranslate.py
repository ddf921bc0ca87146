"""The exported model gives the strings and the scores of our network."""

from pathlib import Path

import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.reactions.ctranslate import export
from tenfold.reactions.network import Transformer, TransformerConfig
from tenfold.reactions.tokens import BOS, EOS, Vocabulary, tokenize

ctranslate2 = pytest.importorskip("ctranslate2", reason="extra ctranslate2 is not installed")

TOKENS = ("<pad>", "<bos>", "<eos>", "?", *"CNOcno()=#123", "Cl", "Br", "[nH]", "[N+]")
VOCABULARY = Vocabulary(TOKENS)
QUERIES = ("CCO", "c1ccccc1C(=O)NC", "C", "ClCC(Br)C[N+]", "c1c[nH]cc1CCCCCCCCCCCCCCCCCCCCN")
LIMIT = 24


def random_network(norm: str, seed: int) -> Transformer:
    torch.manual_seed(seed)
    shape = {"d_model": 32, "heads": 4, "encoder_layers": 2, "decoder_layers": 3, "feedforward": 48}
    network = Transformer(TransformerConfig(vocabulary_size=len(TOKENS), norm=norm, positions=64, **shape)).eval()
    with torch.no_grad():
        for weight in network.parameters():  # norms and biases too: an exchange of two must show
            weight.add_(0.2 * torch.randn_like(weight))
    return network


@torch.inference_mode()
def next_scores(network: Transformer, query: str, prefix: list[int]) -> torch.Tensor:
    source = torch.tensor([[BOS, *VOCABULARY.encode(query), EOS]])
    return network(source, torch.tensor([[BOS, *prefix]]))[0, -1].log_softmax(-1)


def greedy(network: Transformer, query: str) -> list[int]:
    found: list[int] = []
    while len(found) < LIMIT and (not found or found[-1] != EOS):
        found.append(int(next_scores(network, query, found).argmax()))
    return found


def score(network: Transformer, query: str, answer: list[int]) -> float:
    return sum(float(next_scores(network, query, answer[:place])[token]) for place, token in enumerate(answer))


def beam_search(network: Transformer, query: str, n: int) -> list[list[int]]:
    """The textbook's: the n likeliest, finished ones among them, until all are finished."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(LIMIT):
        longer = []
        for value, found in beams:
            if found and found[-1] == EOS:
                longer.append((value, found))
            else:
                best = next_scores(network, query, found).topk(n)
                longer += [(value + float(more), [*found, int(token)]) for more, token in zip(*best, strict=True)]
        beams = sorted(longer, key=lambda one: -one[0])[:n]
    return [found for _, found in beams]


def translate(folder: Path, beam: int) -> list[list[tuple[list[int], float]]]:
    found = ctranslate2.Translator(str(folder), intra_threads=1).translate_batch(
        [tokenize(query) for query in QUERIES],
        beam_size=beam, num_hypotheses=beam, length_penalty=0, max_decoding_length=LIMIT, min_decoding_length=0,
        return_scores=True, return_end_token=True,
    )  # fmt: skip
    numbers = VOCABULARY.numbers
    return [
        [([numbers[token] for token in tokens], value) for tokens, value in zip(one.hypotheses, one.scores, strict=True)]
        for one in found
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_its_greedy_strings_are_those_of_our_network(norm: str, seed: int, tmp_path: Path) -> None:
    network = random_network(norm, seed)
    found = translate(export(network, VOCABULARY, tmp_path / "model"), beam=1)
    assert [tokens for ((tokens, _),) in found] == [greedy(network, query) for query in QUERIES]


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_every_string_of_its_beam_has_the_score_that_our_network_gives_it(norm: str, tmp_path: Path) -> None:
    network = random_network(norm, 3)
    found = translate(export(network, VOCABULARY, tmp_path / "model"), beam=4)
    for query, answers in zip(QUERIES, found, strict=True):
        for tokens, value in answers:
            assert value == pytest.approx(score(network, query, tokens), abs=2e-4)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_best_string_of_its_beam_is_that_of_beam_search(norm: str, tmp_path: Path) -> None:
    network = random_network(norm, 4)
    found = translate(export(network, VOCABULARY, tmp_path / "model"), beam=3)
    # The strings behind it may differ: the engine ends a search by rules of its own.
    assert [answers[0][0] for answers in found] == [beam_search(network, query, 3)[0] for query in QUERIES]


def test_a_folder_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="not an empty folder"):
        export(random_network("pre", 0), VOCABULARY, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_vocabulary_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="22 tokens, the network 21"):
        export(random_network("pre", 0), Vocabulary((*TOKENS, "S")), tmp_path / "model")


def test_an_unknown_quantization_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Use one of"):
        export(random_network("pre", 0), VOCABULARY, tmp_path / "model", quantization="int3")


def test_int8_weights_take_less_than_half_the_space(tmp_path: Path) -> None:
    network = random_network("pre", 0)
    sizes = [
        (export(network, VOCABULARY, tmp_path / name, quantization=name) / "model.bin").stat().st_size
        for name in ("float32", "int8")
    ]
    assert sizes[1] < sizes[0] / 2
