import logging
import traceback

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.secrets import find_key, host_variable, scrub
from tests.llm.stub_server import StubServer

KEY = "sk-secret-0123456789abcdef"


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_the_key_stands_nowhere_after_a_run_with_errors(tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    said = []
    told = {"name": "refuse", "status": 500, "message": "{key} broke it"}
    junk = {"name": "junk", "text": f"<html>{KEY}"}
    faults = ["401", "403", told, told, junk, "normal", "404", {"name": "refuse", "status": 400, "message": "bad {key}"}]
    # Even a server that repeats the key in its reply does not get it into a file.
    with StubServer(faults, key=KEY, answer=lambda body: f"your key is {KEY}") as server:
        paths = {"cache": tmp_path / "c.sqlite", "cassette": tmp_path / "t.jsonl", "ledger": tmp_path / "ledger.sqlite"}
        client = llm.Client(f"{server.url}#stub", mode="record", backoff=0.001, **paths)
        for number in range(8):
            try:
                said.append(repr(client.complete_sync(ask(str(number), tag="forward:a"))))
            except TenfoldError as error:
                said += [repr(error), traceback.format_exc()]
        said.append(f"{client.identity} {vars(client)}")
        client.close()
        assert server.answered >= 1
        assert any(headers.get("authorization") == f"Bearer {KEY}" for headers in server.headers)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
    captured = capfd.readouterr()
    for text in (*said, caplog.text, captured.out, captured.err):
        assert KEY not in text


def test_the_key_of_a_host_comes_before_the_general_one(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general-key")
    assert host_variable("https://llm.example.org/v1") == "TENFOLD_KEY_LLM_EXAMPLE_ORG"
    assert find_key("http://127.0.0.1:8000/v1") == "sk-general-key"
    monkeypatch.setenv("TENFOLD_KEY_127_0_0_1", "sk-host-key")
    assert find_key("http://127.0.0.1:8000/v1") == "sk-host-key"


def test_openais_key_is_not_sent_to_other_hosts(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general-key")
    assert find_key("https://llm.example.org/v1") is None
    assert find_key("https://llm.example.org/v1", is_openai=True) == "sk-general-key"


def test_a_key_may_stand_in_a_file_that_others_cannot_read(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    with StubServer(key=KEY) as server:
        assert llm.Client(f"{server.url}#stub", key_file=path).complete_sync(ask()).text == "echo: hello"
        monkeypatch.setenv("OPENAI_API_KEY", f"file:{path}")
        assert llm.Client(f"{server.url}#stub").complete_sync(ask()).text == "echo: hello"
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        find_key("http://localhost/v1", path)


@pytest.mark.parametrize("content", ["", "two words", "two\nlines", "schlüssel", "x" * 20000])
def test_a_file_without_a_key_is_named_and_not_shown(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(BadInput) as caught:
        find_key("http://localhost/v1", path)
    assert not content or content not in str(caught.value)


def test_a_missing_key_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="absent"):
        find_key("http://localhost/v1", tmp_path / "absent")


def test_errors_are_scrubbed_where_they_are_made(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    find_key("http://localhost/v1")
    assert scrub(f"a {KEY} b") == "a [key] b"
    assert KEY not in str(llm.KeyRefused(f"no {KEY}", f"hint {KEY}"))
    assert KEY not in str(llm.EndpointDown(f"{KEY} again"))
