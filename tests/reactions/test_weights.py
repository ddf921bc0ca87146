import json
import subprocess
import sys

import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.reactions import Transformer, TransformerConfig, Vocabulary
from tenfold.reactions import weights as folder_of
from tenfold.reactions.network import PRESETS

VOCABULARY = Vocabulary.of(["CCO", "c1ccccc1N", "[Na+].Cl"])


@pytest.fixture
def stored():
    torch.manual_seed(0)
    network = Transformer(TransformerConfig.model_validate({"vocabulary_size": len(VOCABULARY), **PRESETS["tiny"]}))
    return folder_of.Stored(network.eval(), VOCABULARY, {"task": "retro"})


@pytest.mark.parametrize(("precision", "error"), [("float32", 0), ("float16", 2e-3), ("int8", 1e-2)])
def test_a_model_comes_back_from_its_folder_within_its_precision(stored, tmp_path, precision, error):
    folder_of.write(tmp_path / "m", stored, precision=precision)
    found = folder_of.read(tmp_path / "m")
    assert found.vocabulary == VOCABULARY
    assert found.card["task"] == "retro"
    for name, value in stored.network.state_dict().items():
        assert (found.network.state_dict()[name] - value).abs().max() <= error * value.abs().max().clamp_min(1e-3)
    ids = torch.tensor([[1, 4, 5, 2]])
    torch.testing.assert_close(found.network(ids, ids), stored.network(ids, ids), rtol=0, atol=max(1e-6, 20 * error))


def test_reading_a_model_does_not_load_the_compiler_of_torch(stored, tmp_path):
    folder_of.write(tmp_path, stored)
    code = (
        "import sys; from tenfold.reactions import weights; weights.read(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "torch._dynamo" not in found.stdout.split()


def test_int8_takes_about_a_quarter_of_the_bytes(stored, tmp_path):
    sizes = {}
    for precision in ("float32", "int8"):
        folder_of.write(tmp_path / precision, stored, precision=precision)
        sizes[precision] = (tmp_path / precision / "weights.safetensors").stat().st_size
    assert sizes["int8"] < 0.35 * sizes["float32"]


def test_a_folder_that_is_no_model_says_what_there_is(tmp_path):
    with pytest.raises(BadInput, match=r"no folder with weights\.safetensors"):
        folder_of.read(tmp_path)


def test_weights_and_vocabulary_of_two_models_are_refused_with_both_sizes(stored, tmp_path):
    folder_of.write(tmp_path, stored)
    (tmp_path / "vocabulary.json").write_text(json.dumps([*VOCABULARY.tokens, "[Xe]"]))
    with pytest.raises(BadInput, match=f"has {len(VOCABULARY) + 1} tokens, the network {len(VOCABULARY)}"):
        folder_of.read(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_damaged_files_are_refused_in_a_sentence(stored, tmp_path, damage):
    folder_of.write(tmp_path, stored)
    file = tmp_path / "weights.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "text":
        file.write_text("hello")
    else:
        (tmp_path / "vocabulary.json").write_text('{"a": 1}')
    with pytest.raises(BadInput, match="not"):
        folder_of.read(tmp_path)
