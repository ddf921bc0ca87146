"""Walls: nobody reads another's file, nothing is fetched, sizes are limited, names are not re-bound."""

import http.client
import json
import signal
import urllib.parse

import pytest

from tenfold import cli
from tenfold.core.errors import BadInput
from tenfold.studio.passwords import is_loopback, read_passwords, verifier

from .conftest import start, stop


class Visitor:
    """A browser without a screen: keeps its cookie."""

    def __init__(self, studio):
        self.host, self.cookies = urllib.parse.urlsplit(studio.url).netloc, {}
        self.ask("GET", "/")

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {"Cookie": cookies, **headers})
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        return answer.status, answer.read()

    def upload(self, name=b"mine.npz", content=b"secret numbers"):
        body = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="'
            + name
            + b'"\r\n\r\n'
            + content
            + b"\r\n--x--\r\n"
        )
        status, text = self.ask("POST", "/gradio_api/upload", body, **{"Content-Type": "multipart/form-data; boundary=x"})
        return json.loads(text)[0] if status == 200 else status


def test_a_file_is_read_by_its_owner_and_by_nobody_else(studio):
    owner, other = Visitor(studio), Visitor(studio)
    path = owner.upload()
    assert owner.ask("GET", f"/gradio_api/file={path}") == (200, b"secret numbers")
    disguises = [
        f"/gradio_api/file={path}",
        f"/gradio_api/file={urllib.parse.quote(path, safe='')}",
        f"/gradio_api/file={urllib.parse.quote(urllib.parse.quote(path, safe=''), safe='')}",
        f"/gradio_api/file%3D{path}",
        f"/gradio_api/%66ile={path}",
        f"/gradio_api/file={path.replace('/tmp/', '/./tmp/../tmp/')}",
        f"/udrl/gradio_api/file={path}",
    ]
    for disguise in disguises:
        status, text = other.ask("GET", disguise)
        assert status in (403, 404), disguise
        assert b"secret" not in text


def test_a_call_cannot_name_another_persons_file(studio):
    owner, other = Visitor(studio), Visitor(studio)
    path = owner.upload()
    escaped = path.replace("/", "\\u002f")
    for text in (path, escaped, urllib.parse.quote(path, safe="")):
        file = f'{{"path": "{text}", "meta": {{"_type": "gradio.FileData"}}}}'
        body = f'{{"data": [{file}], "fn_index": 0, "session_hash": "s"}}'
        status, _ = other.ask("POST", "/gradio_api/queue/join", body, **{"Content-Type": "application/json"})
        assert status == 403, text
        status, _ = owner.ask("POST", "/gradio_api/queue/join", body, **{"Content-Type": "application/json"})
        assert status != 403, text
    for path in ("/etc/passwd", "http://example.invalid/x", "../../etc/passwd"):
        body = json.dumps(
            {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": 0, "session_hash": "s"}
        )
        assert other.ask("POST", "/gradio_api/queue/join", body, **{"Content-Type": "application/json"})[0] == 403


def test_the_server_fetches_nothing_and_serves_no_other_files(studio):
    visitor = Visitor(studio)
    for path in (
        "http://example.invalid/x",
        "https:/example.invalid",
        "//example.invalid/x",
        "/etc/passwd",
        "%2fetc%2fpasswd",
    ):
        assert visitor.ask("GET", f"/gradio_api/file={path}")[0] == 403
        assert visitor.ask("HEAD", f"/gradio_api/file={path}")[0] == 403


def test_names_of_uploads_cannot_be_guessed_and_the_folder_is_private(studio):
    visitor = Visitor(studio)
    path = visitor.upload(b"../../../evil.npz")
    folder = next(studio.temporary.glob("tenfold-*"))
    assert path.startswith(str(folder))
    assert ".." not in path
    assert len(folder.name) > 40
    assert folder.stat().st_mode & 0o077 == 0


def test_large_uploads_and_calls_are_refused(studio):
    from tenfold.studio.safety import MAX_CALL, MAX_REQUEST

    visitor = Visitor(studio)
    status, text = visitor.ask("POST", "/gradio_api/upload", None, **{"Content-Length": str(MAX_REQUEST + 1)})
    assert (status, b"larger than" in text) == (413, True)
    chunks = (b"x" * (1 << 20) for _ in range((MAX_CALL >> 20) + 2))
    connection = http.client.HTTPConnection(visitor.host, timeout=30)
    try:
        connection.request("POST", "/gradio_api/queue/join", chunks, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server hung up while we were still sending: refused as well


def test_other_names_and_other_sites_are_not_served(studio):
    visitor = Visitor(studio)
    assert visitor.ask("GET", "/", Host="evil.example")[0] == 403
    assert visitor.ask("POST", "/gradio_api/queue/join", "{}", Origin="http://evil.example")[0] == 403
    assert visitor.ask("GET", "/", Host=f"localhost:{visitor.host.split(':')[1]}")[0] == 200


def test_uploads_are_removed_at_the_end(tmp_path):
    own = start(tmp_path)
    Visitor(own).upload()
    assert list(own.temporary.glob("tenfold-*/*"))
    stop(own)
    assert list(own.temporary.glob("tenfold-*")) == []


def test_with_passwords_nothing_is_shown_before_the_login(tmp_path):
    auth = tmp_path / "auth"
    auth.write_text("ada:correct horse\n")
    auth.chmod(0o600)
    own = start(tmp_path, str(auth))
    try:
        visitor = Visitor(own)
        assert visitor.upload() == 401
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert visitor.ask("POST", "/login", "username=ada&password=wrong", **form)[0] == 400
        assert visitor.ask("POST", "/login", "username=ada&password=correct+horse", **form)[0] == 200
        assert isinstance(visitor.upload(), str)
    finally:
        stop(own)


def test_a_public_address_needs_passwords_that_only_the_owner_can_read(tmp_path, capsys):
    assert cli.run(["studio", "--host", "0.0.0.0"]) == 2
    assert "there is no --auth" in capsys.readouterr().err
    auth = tmp_path / "auth"
    for text, mode, words in (
        ("ada:long enough", 0o644, "can be read by others"),
        ("ada", 0o600, "line 1"),
        ("ada:short", 0o600, "line 1"),
        ("# nobody\n", 0o600, "names no user"),
    ):
        auth.write_text(text)
        auth.chmod(mode)
        with pytest.raises(BadInput, match=words):
            read_passwords(auth)
    with pytest.raises(BadInput, match="cannot be read"):
        read_passwords(tmp_path / "absent")
    verify = verifier({"ada": "long enough"})
    assert verify("ada", "long enough")
    assert not verify("ada", "")
    assert not verify("bob", "")
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_port_that_is_taken_is_said_to_be(studio, capsys):
    assert cli.run(["studio", "--port", studio.url.rsplit(":", 1)[1]]) == 2
    assert "cannot be bound" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["my file (1).npz", "ünï 日本.npz", "a#b?.npz", "a&b.npz", "a%20b.npz"])
def test_a_file_of_any_name_is_its_owners(studio, name):
    owner, other = Visitor(studio), Visitor(studio)
    path = owner.upload(name.encode())
    assert owner.ask("GET", f"/gradio_api/file={urllib.parse.quote(path)}") == (200, b"secret numbers")
    assert other.ask("GET", f"/gradio_api/file={urllib.parse.quote(path)}")[0] == 403


def test_malformed_addresses_are_refused_and_text_may_hold_any_words(studio):
    visitor = Visitor(studio)
    assert visitor.ask("GET", "/", Host="[::1")[0] == 403
    assert visitor.ask("POST", "/gradio_api/queue/join", "{}", Origin="http://[")[0] == 403
    port = visitor.host.split(":")[1]
    assert visitor.ask("GET", "/", Host=f"127.0.0.2:{port}")[0] == 200
    body = json.dumps({"data": ["what is file= for?"], "fn_index": 0, "session_hash": "s"})
    assert visitor.ask("POST", "/gradio_api/queue/join", body, **{"Content-Type": "application/json"})[0] == 200


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_uploads_are_removed_when_the_terminal_closes(tmp_path):
    own = start(tmp_path)
    Visitor(own).upload()
    own.process.send_signal(signal.SIGHUP)
    own.process.wait(timeout=30)
    assert list(own.temporary.glob("tenfold-*")) == []
    assert "Warning" not in (tmp_path / "log.txt").read_text()
