"""A run is a folder that only the same command may go on with."""

import subprocess
import sys

import pytest

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.runs import Run, manifest


def test_the_same_settings_resume_and_others_are_refused_by_name(tmp_path):
    with Run.open(tmp_path / "r", system="udrl", config={"steps": 5, "device": "cpu"}) as run:
        run.log({"step": 1})
        run.log({"step": 2})
    with Run.open(tmp_path / "r", system="udrl", config={"steps": 5, "device": "cuda"}) as run:
        assert [row["step"] for row in run.metrics()] == [1, 2]
        run.rewind(1)
        assert [row["step"] for row in run.metrics()] == [1]
        assert run.result is None
        run.finish({"value": float("nan")})
        assert run.result == {"value": None}
    with pytest.raises(BadInput, match="steps = 5; asked is steps = 6"):
        Run.open(tmp_path / "r", system="udrl", config={"steps": 6})
    with pytest.raises(BadInput, match="a run of udrl, not of facts"):
        Run.open(tmp_path / "r", system="facts", config={"steps": 5})


def test_a_second_process_is_told_who_has_the_folder(tmp_path):
    with Run.open(tmp_path, system="udrl", config={}):
        script = f"from tenfold.core.runs import Run\nRun.open({str(tmp_path)!r}, system='udrl', config={{}})"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is in use by process" in done.stderr
    Run.open(tmp_path, system="udrl", config={}).close()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(BadInput, match=r"thesis\.tex"):
        Run.open(tmp_path, system="udrl", config={})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(BadInput, match="is a file"):
        Run.open(tmp_path / "thesis.tex", system="udrl", config={})
    with pytest.raises(TenfoldError, match="cannot be written"):
        Run.open(tmp_path / "thesis.tex" / "run", system="udrl", config={})
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(TenfoldError, match="cannot be written"):
        Run.open(tmp_path / "run", system="udrl", config={})


def test_the_manifest_says_where_a_number_was_made(tmp_path):
    found = manifest(seed=3)
    assert found["seed"] == 3
    assert "torch" in found["versions"]
    assert "cores" in found["hardware"]


def test_other_processes_of_a_distributed_job_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with Run.open(tmp_path / "r", system="udrl", config={}) as run:
        run.log({"step": 1})
        run.finish({})
    assert not (tmp_path / "r").exists()
