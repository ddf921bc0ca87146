"""A checkpoint that does not fit says what differs, in one line."""

import pickle

import pytest
import safetensors.torch
import torch
from torch import nn

from tenfold.core import checkpoint
from tenfold.core.errors import BadInput


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "c.safetensors"
    weights = {f"model.{name}": value for name, value in nn.Linear(3, 2).state_dict().items()}
    checkpoint.save(path, weights, {"step": 7}, system="udrl")
    return path


def test_what_is_saved_is_loaded(saved):
    module = nn.Linear(3, 2)
    assert checkpoint.load_weights(module, saved, system="udrl") == {"step": 7}
    assert torch.equal(module.weight, checkpoint.load(saved, system="udrl").tensors["model.weight"])


def test_tied_and_partial_tensors_are_saved(tmp_path):
    base = torch.arange(6.0)
    checkpoint.save(tmp_path / "t", {"a": base, "b": base, "c": base[:2]}, {}, system="x")
    found = checkpoint.load(tmp_path / "t", system="x").tensors
    assert torch.equal(found["a"], found["b"])
    assert torch.equal(found["c"], base[:2])


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(4, 2), r"weight has shape \(2, 3\); this model needs \(2, 4\)"),
        (nn.Linear(3, 2, bias=False), "a tensor bias that this model does not have"),
        (nn.Bilinear(3, 3, 2), r"shape|lacks"),
        (nn.Sequential(nn.Linear(3, 2)), r"lacks the tensor 0\.weight"),
    ],
)
def test_another_model_is_named(saved, module, words):
    with pytest.raises(BadInput, match=words) as caught:
        checkpoint.load_weights(module, saved, system="udrl")
    assert "\n" not in str(caught.value)


def test_other_systems_cut_files_and_other_formats_are_refused(saved, tmp_path):
    with pytest.raises(BadInput, match="a checkpoint of udrl, not of facts"):
        checkpoint.load(saved, system="facts")
    body = saved.read_bytes()
    for size in (0, 5, len(body) // 2, len(body) - 1):
        (tmp_path / "cut").write_bytes(body[:size])
        with pytest.raises(BadInput, match="not a whole safetensors checkpoint"):
            checkpoint.load(tmp_path / "cut", system="udrl")
    with pytest.raises(BadInput, match="does not exist"):
        checkpoint.load(tmp_path / "absent", system="udrl")
    with pytest.raises(BadInput, match="is not a file"):
        checkpoint.load(tmp_path, system="udrl")
    safetensors.torch.save_file({}, tmp_path / "bare", metadata={"system": "udrl", "meta": "[]"})
    with pytest.raises(BadInput, match="lacks the JSON"):
        checkpoint.load(tmp_path / "bare", system="udrl")


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


def test_foreign_files_are_read_without_running_anything(tmp_path, capsys):
    torch.save({"w": torch.ones(2)}, tmp_path / "good.pt")
    assert torch.equal(checkpoint.read_foreign(tmp_path / "good.pt")["w"], torch.ones(2))
    torch.save({"w": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "bomb.ckpt").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb.pt", "bomb.ckpt", "absent.pt"):
        with pytest.raises(BadInput):
            checkpoint.read_foreign(tmp_path / name)
    assert "boom" not in capsys.readouterr().out
