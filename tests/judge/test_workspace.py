"""Reading workspaces that strangers made."""

import io
import os
import tarfile
import zipfile

import pytest

from tenfold.core.errors import BadInput
from tenfold.judge.workspace import Limits, Workspace


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_folder_is_read_as_relative_paths_with_sizes_hashes_and_kinds(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    workspace = Workspace.open(tmp_path)
    assert list(workspace.files) == ["src/a.py"]
    info = workspace.files["src/a.py"]
    assert (info.size, info.kind, len(info.sha256)) == (6, "python", 64)
    assert workspace.read_text("src/a.py") == "x = 1\n"
    assert workspace.read_bytes("src/a.py", 1) == b"x"


def test_what_is_no_workspace_is_refused_with_words(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        Workspace.open(tmp_path / "no")
    (tmp_path / "note.txt").write_text("hello")
    with pytest.raises(BadInput, match="no archive"):
        Workspace.open(tmp_path / "note.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="it is empty"):
        Workspace.open(tmp_path / "empty")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(BadInput):
        Workspace.open(tmp_path / "bad.zip")


def test_nothing_but_excluded_folders_says_which(tmp_path):
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "a.js").write_text("1")
    with pytest.raises(BadInput, match="0 files after exclusions: node_modules"):
        Workspace.open(tmp_path)
    with pytest.raises(BadInput, match="0 files after exclusions: node_modules"):
        Workspace.of("w", {"node_modules/a.js": b"1"})


def test_folders_are_excluded_by_their_exact_name_and_data_is_not(tmp_path):
    names = ("data", "environment", "src/dataset", "outputs", "env", "logs", "cache", "tmp", "node_modules2")
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.txt").write_text("a")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = x")
    (tmp_path / "venv" / "b.py").write_text("b")
    assert set(Workspace.open(tmp_path).files) == {f"{name}/a.txt" for name in names}
    inside = {"venv/pyvenv.cfg": b"", "venv/b.py": b"", "env/a.py": b"1"}
    assert list(Workspace.of("w", inside).files) == ["env/a.py"]


def test_links_and_devices_are_not_followed_and_noted(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    root = tmp_path / "work"
    (root / "real").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "link.txt").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    workspace = Workspace.open(root)
    assert list(workspace.files) == ["a.txt"]
    assert sum("is a link" in note for note in workspace.notes) == 2
    assert any("no regular file" in note for note in workspace.notes)


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a/../../secret.txt", "link.txt", "b.txt"])
def test_no_path_outside_the_root_is_read_even_if_it_is_asked_for(tmp_path, path):
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "work"
    root.mkdir()
    (root / "a.txt").write_text("a")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(BadInput, match="has no file"):
        Workspace.open(root).read_bytes(path)


def test_a_file_that_became_a_link_after_the_scan_is_not_read(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "work"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "sub" / "secret.txt").write_text("b")
    workspace = Workspace.open(root)
    (root / "a.txt").unlink()
    (root / "a.txt").symlink_to(tmp_path / "secret.txt")
    (root / "sub" / "secret.txt").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(tmp_path)
    for path in ("a.txt", "sub/secret.txt"):
        with pytest.raises(BadInput, match="cannot be read"):
            workspace.read_bytes(path)


def test_of_a_huge_file_only_the_header_is_read_and_that_is_said(tmp_path):
    (tmp_path / "big.txt").write_bytes(b"a" * 3000)
    workspace = Workspace.open(tmp_path, Limits(whole=1000, header=10))
    assert workspace.read_bytes("big.txt") == b"a" * 10
    assert "only its header was read" in workspace.notes[0]


def test_too_many_files_say_the_limit_and_how_to_raise_it(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("a")
    with pytest.raises(BadInput, match="more than 3 files") as raised:
        Workspace.open(tmp_path, Limits(files=3))
    assert "files=" in raised.value.hint


def test_folders_below_the_limit_of_depth_are_left_out_and_noted(tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "x.txt").write_text("x")
    (tmp_path / "a" / "b" / "c" / "y.txt").write_text("y")
    workspace = Workspace.open(tmp_path, Limits(depth=1))
    assert list(workspace.files) == ["a/x.txt"]
    assert any("deeper than 1" in note for note in workspace.notes)


def test_archives_are_read_as_folders_are(tmp_path):
    files = {"work/src/a.py": b"x = 1\n", "work/results/b.txt": b"b"}
    zipped(tmp_path / "w.zip", files)
    with tarfile.open(tmp_path / "w.tar.gz", "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    (tmp_path / "w.json").write_text('{"src/a.py": {"text": "x = 1\\n"}, "results/b.txt": {"base64": "Yg=="}}')
    for name in ("w.zip", "w.tar.gz", "w.json"):
        workspace = Workspace.open(tmp_path / name)
        assert workspace.name == "w"
        assert {path: workspace.read_bytes(path) for path in workspace.files} == {
            "src/a.py": b"x = 1\n",
            "results/b.txt": b"b",
        }


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "a/../../b", "C:\\x", "..\\x"])
def test_an_archive_that_would_leave_its_folder_is_refused_and_the_entries_listed(tmp_path, name):
    with pytest.raises(BadInput, match="leave its folder"):
        Workspace.open(zipped(tmp_path / "w.zip", {name: b"x", "ok.txt": b"y"}))
    with tarfile.open(tmp_path / "w.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    with pytest.raises(BadInput, match="leave its folder"):
        Workspace.open(tmp_path / "w.tar")


def test_links_in_archives_are_refused(tmp_path):
    with tarfile.open(tmp_path / "w.tar", "w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(BadInput, match="link"):
        Workspace.open(tmp_path / "w.tar")
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BadInput, match="link"):
        Workspace.open(tmp_path / "w.zip")


def test_decompression_bombs_are_refused(tmp_path):
    zipped(tmp_path / "bomb.zip", {"a.txt": b"\0" * 20_000_000})
    with pytest.raises(BadInput, match="next to nothing"):
        Workspace.open(tmp_path / "bomb.zip")
    zipped(tmp_path / "many.zip", {f"{number}.txt": b"a" for number in range(5)})
    with pytest.raises(BadInput, match="more than 3 files"):
        Workspace.open(tmp_path / "many.zip", Limits(files=3))
    zipped(tmp_path / "large.zip", {"a.bin": os.urandom(5000)})
    with pytest.raises(BadInput, match="unpacks to more than"):
        Workspace.open(tmp_path / "large.zip", Limits(unpacked=1000))


def test_times_and_the_name_of_the_folder_leave_no_trace(tmp_path):
    for name, when in (("one", 1_000_000), ("two", 2_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a")
        os.utime(tmp_path / name / "a.txt", (when, when))
    assert Workspace.open(tmp_path / "one").files == Workspace.open(tmp_path / "two").files


def test_undecodable_text_is_read_with_marks():
    workspace = Workspace.of("w", {"a.txt": b"caf\xe9", "b.txt": "näh".encode("utf-16")})
    assert workspace.read_text("a.txt") == "caf\ufffd"
    assert workspace.read_text("b.txt") == "näh"
