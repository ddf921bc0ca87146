"""Data sets: found, fetched from a real server on loopback, checked, and named when they are missing."""

import hashlib
import http.server
import json
import threading
from functools import partial

import pytest

from tenfold.core import data
from tenfold.core.errors import BadInput, DataMissing

CONTENT = b"numbers " * 1000


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "good.bin").write_bytes(CONTENT)
    (tmp_path / "www" / "other.bin").write_bytes(b"x" * len(CONTENT))
    (tmp_path / "www" / "short.bin").write_bytes(CONTENT[:100])
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "www"))
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


@pytest.fixture
def declare(monkeypatch, tmp_path):
    """Declare one data set `s/set` with one file, and look for it in two empty folders."""
    monkeypatch.setenv("TENFOLD_DATA", str(tmp_path / "staged"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(url, recipe=""):
        file = data.DataFile(path="s/f.bin", sha256=hashlib.sha256(CONTENT).hexdigest(), bytes=len(CONTENT), url=url)
        found = data.DataSet(name="s/set", files=(file,), licence="MIT", source="somewhere", recipe=recipe)
        monkeypatch.setattr(data, "catalogue", lambda: {"s/set": found})

    return make


def test_a_file_is_downloaded_once_checked_and_found_again(server, declare, tmp_path):
    declare(f"{server}/good.bin")
    assert data.overview()[0]["state"] == "fetchable"
    path = data.locate("s/f.bin")
    assert path.read_bytes() == CONTENT
    assert data.fetch("s/set") == [path] == data.where("s/set")
    assert data.overview()[0]["state"] == "here"
    assert data.verify("s/set")[0]["state"] == "ok"
    assert [p.name for p in path.parent.iterdir()] == ["f.bin"]


def test_the_staged_folder_comes_first_and_a_changed_file_is_noticed(server, declare, tmp_path):
    declare(f"{server}/good.bin")
    staged = tmp_path / "staged" / "s" / "f.bin"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"y" * len(CONTENT))
    assert data.locate("s/f.bin") == staged
    assert data.verify()[0]["state"] == "differs"
    with pytest.raises(BadInput, match="SHA-256 differs"):
        data.fetch("s/set")


@pytest.mark.parametrize("name", ["other.bin", "short.bin", "absent.bin"])
def test_a_wrong_short_or_absent_file_is_not_kept_and_the_message_says_where_to_put_it(server, declare, tmp_path, name):
    declare(f"{server}/{name}")
    with pytest.raises(DataMissing) as caught:
        data.locate("s/f.bin")
    words = str(caught.value)
    assert str(tmp_path / "staged" / "s" / "f.bin") in words
    assert hashlib.sha256(CONTENT).hexdigest() in words
    assert not [p for p in tmp_path.rglob("f.bin*") if p.is_file()]


def test_offline_and_local_only_sets_say_so(declare):
    declare("http://127.0.0.1:9/f.bin")
    with pytest.raises(DataMissing, match="could not be downloaded"):
        data.locate("s/f.bin")
    declare(None, recipe="run make_f.py")
    assert data.overview()[0]["state"] == "local only"
    with pytest.raises(DataMissing, match=r"run make_f\.py"):
        data.locate("s/f.bin")


def test_names_that_leave_the_folder_are_refused(declare):
    declare(None)
    for name in ("../x", "/etc/passwd", "s/../../x", "s/none.bin"):
        with pytest.raises(BadInput, match="no data set or file"):
            data.locate(name)


def test_the_catalogue_of_the_ready_systems_is_valid():
    from tenfold.core.data import catalogue

    found = catalogue()
    assert "udrl/icu_sepsis" in found
    for name, data_set in found.items():
        assert data_set.licence
        assert all(file.path.startswith(name.split("/")[0] + "/") for file in data_set.files)
    assert "medical" in found["udrl/icu_sepsis"].notice


@pytest.mark.data
def test_staged_data_are_what_was_published(data, capsys):
    from tenfold import cli

    assert cli.run(["data", "verify", "--json"]) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)["files"]} == {"ok"}
