import json

import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.reactions import decode, weights
from tenfold.reactions.conversion import convert

pytestmark = pytest.mark.data


@pytest.fixture
def published(golden, tmp_path):
    """The tiny model of the published code, as its training writes it, with its numbers."""
    numbers = np.load(golden / "reactions" / "reference_decoders.npz", allow_pickle=False)
    state = {f"model.{name[2:]}": torch.from_numpy(numbers[name]) for name in numbers.files if name.startswith("w/")}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    tokens = {"0": "<PAD>", "1": "<BOS>", "2": "<EOS>", "3": "?", **{str(i): f"[{i}H]" for i in range(4, 24)}}
    (tmp_path / "vocab.json").write_text(json.dumps(tokens))
    return tmp_path, numbers


def test_a_converted_checkpoint_decodes_to_the_published_strings(published):
    folder, numbers = published
    weights.write(
        folder / "m", convert(folder / "last.ckpt", folder / "vocab.json", "forward", heads=4), precision="float32"
    )
    stored = weights.read(folder / "m")
    found = decode(stored.network, torch.from_numpy(numbers["src"]), max_length=120).ids
    wanted = torch.from_numpy(numbers["greedy"])[:, 0]
    ended = (wanted == 2).any(1)
    assert ended.sum() >= 11
    for ours, theirs in zip(found[ended], wanted[ended], strict=True):
        assert stored.vocabulary.decode(ours.tolist()) == stored.vocabulary.decode(theirs.tolist())


def test_a_vocabulary_of_another_size_and_a_wrong_number_of_heads_are_refused(published):
    folder, _ = published
    (folder / "short.json").write_text('{"0": "<PAD>"}')
    with pytest.raises(BadInput, match="1 numbered tokens, the network 24"):
        convert(folder / "last.ckpt", folder / "short.json", "forward", heads=4)
    with pytest.raises(BadInput, match="7 heads cannot share a width of 48"):
        convert(folder / "last.ckpt", folder / "vocab.json", "forward", heads=7)


def test_other_weights_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pt")
    (tmp_path / "v.json").write_text("{}")
    with pytest.raises(BadInput, match="no checkpoint of the published code"):
        convert(tmp_path / "x.pt", tmp_path / "v.json", "forward")
