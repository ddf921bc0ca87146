"""Files are written whole or not at all, and read as if a stranger had made them."""

import errno
import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tenfold.core import files
from tenfold.core.errors import BadInput, TenfoldError


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path):
    """A real limit on file size in a child process: the write fails half-way."""
    target = tmp_path / "kept.bin"
    target.write_bytes(b"old")
    script = f"""
import resource, signal
from tenfold.core.files import write_atomic
from tenfold.core.errors import TenfoldError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_atomic({str(target)!r}, b"x" * 1_000_000)
except TenfoldError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "No space left" in done.stdout
    assert target.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
def test_an_error_at_any_stage_leaves_the_old_file(tmp_path, monkeypatch, stage):
    target = tmp_path / "kept.txt"
    files.write_atomic(target, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if stage == "write":
        content = full
    else:
        content = "new"
        monkeypatch.setattr(os, stage, full)
    with pytest.raises(TenfoldError, match="No space left"):
        files.write_atomic(target, content)
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "kept.txt"
    target.write_text("old")
    script = f"""
import os, signal
from tenfold.core.files import write_atomic
def half(file):
    file.write(b"ne"); file.flush(); os.kill(os.getpid(), signal.SIGKILL)
write_atomic({str(target)!r}, half)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_a_torn_last_line_is_skipped_and_healed(tmp_path):
    path = tmp_path / "rows.jsonl"
    files.append_line(path, {"a": 1})
    with path.open("ab") as file:
        file.write(b'{"a": 2, "b"')
    files.append_line(path, {"a": float("nan")})
    assert list(files.read_lines(path)) == [{"a": 1}, {"a": None}]


@pytest.mark.parametrize("content", ["[]", "3", "null", "{", ""])
def test_json_that_must_be_an_object_is_nothing_else(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(BadInput, match=r"a\.json"):
        files.read_object(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert files.read_object(tmp_path / "a.json") == {"a": 1}


def test_lines_are_not_read_from_a_folder(tmp_path):
    with pytest.raises(BadInput, match="is a folder"):
        list(files.read_lines(tmp_path))


def test_json_is_strict(tmp_path):
    files.write_json(tmp_path / "x.json", {"n": np.float64("inf"), "t": (1, np.int64(2))})
    assert json.loads((tmp_path / "x.json").read_text()) == {"n": None, "t": [1, 2]}
    (tmp_path / "bad.json").write_text('{"a":\n 1,}')
    with pytest.raises(BadInput, match="line 2"):
        files.read_json(tmp_path / "bad.json")
    with pytest.raises(BadInput, match="the limit"):
        files.read_json(tmp_path / "bad.json", limit=3)


def test_hostile_npz_files_get_a_sentence(tmp_path):
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, kernel=np.array([{"a": 1}], dtype=object))
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kernel.npy", b"\0" * 5_000_000)
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    whole = tmp_path / "whole.npz"
    np.savez(whole, kernel=np.ones(1000))
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:600])
    for path in (pickled, bomb, text, cut, tmp_path, tmp_path / "absent.npz"):
        with pytest.raises(BadInput):
            files.read_npz(path, ("kernel",), limit=1_000_000)
    with pytest.raises(BadInput, match="no array 'start'"):
        files.read_npz(whole, ("kernel", "start"))


def test_a_link_is_followed_and_what_is_no_file_is_left_alone(tmp_path):
    """As root, replacing /dev/null would break the machine."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    files.write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(TenfoldError, match="not a file that can be replaced"):
            files.write_atomic(place, "new")
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TenfoldError, match="cannot be written: Not a directory"):
        files.make_folder(tmp_path / "file" / "below")


def test_entries_that_are_no_arrays_and_python_objects_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(BadInput, match="x is not an array"):
        files.read_npz(tmp_path / "a.npz", ("x",))
    np.savez(tmp_path / "b.npz", x=np.array([object()], dtype=object))
    with pytest.raises(BadInput, match="holds Python objects"):
        files.read_npz(tmp_path / "b.npz", ("x",))
