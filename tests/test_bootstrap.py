"""The script behind `make`: what it takes for a finished environment."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bootstrap.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="the tests run outside a checkout")


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BIN", tmp_path)
    return module


@pytest.mark.parametrize(
    ("uv", "files", "made"),
    [(None, ["python"], False), (None, ["python", "pip"], True), ("/bin/uv", ["python"], True), ("/bin/uv", [], False)],
)
def test_an_environment_whose_making_was_interrupted_is_made_again(bootstrap, tmp_path, monkeypatch, uv, files, made):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: uv)
    for name in files:
        (tmp_path / name).touch()
    assert bootstrap.is_made() is made


def test_an_unknown_target_is_told_what_there_is(bootstrap, capsys):
    assert bootstrap.main(["deom"]) == 2
    assert "setup | demo | test" in capsys.readouterr().err
