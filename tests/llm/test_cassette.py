import gzip
import json

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm import cassette
from tests.llm.stub_server import StubServer


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


@pytest.fixture(params=["tape.jsonl", "tape.jsonl.gz"])
def tape(request, tmp_path):
    return tmp_path / request.param


def record(path, *texts, mode="record", **settings):
    with StubServer() as server, llm.Client(f"{server.url}#stub", cassette=path, mode=mode) as client:
        client.complete_many_sync([ask(text, **settings) for text in texts])
        return client.identity, server.count


def lines(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as file:
        return [json.loads(line) for line in file]


def test_what_was_recorded_is_replayed_without_a_server(tape):
    identity, _ = record(tape, "one", "two")
    model = identity if "#" in identity else ""
    client = llm.Client(model, cassette=tape)
    reply = client.complete_sync(ask("one", tag="other:tag"))
    assert (reply.text, reply.source, reply.cost, reply.latency) == ("echo: one", "cassette", 0.0, 0.0)
    assert client.try_now(ask("two")).text == "echo: two"
    assert client.account.calls == 0
    assert client.account.hits == 2


def test_a_row_holds_key_request_reply_model_and_version(tape):
    identity, _ = record(tape, "one")
    (row,) = lines(tape)
    assert set(row) == {"key", "request", "reply", "model", "version"}
    assert row["key"] == ask("one").key(identity)
    assert (row["model"], row["version"]) == (identity, "stub")


def test_a_cassette_is_a_model_by_itself_whatever_models_it_holds(tape):
    record(tape, "one")
    record(tape, "two", mode="replay-then-live")  # another port: another model
    client = llm.Client(f"cassette:{tape}", budget=llm.Budget(calls=0))
    assert [client.try_now(ask(text)).text for text in ("one", "two")] == ["echo: one", "echo: two"]
    with pytest.raises(llm.CassetteMiss):
        client.complete_sync(ask("three"))


def test_a_miss_names_the_nearest_request_and_the_difference_and_sends_nothing(tape):
    with StubServer() as server:
        with llm.Client(f"{server.url}#stub", cassette=tape, mode="record") as client:
            client.complete_many_sync([ask("How many apples are there?"), ask("Who is there?")])
        before = len(server.paths)
        client = llm.Client(f"{server.url}#stub", cassette=tape)
        with pytest.raises(llm.CassetteMiss) as caught:
            client.complete_sync(ask("How many pears are there?"))
        with pytest.raises(llm.CassetteMiss, match="temperature"):
            client.try_now(ask("Who is there?", temperature=0.5))
        assert len(server.paths) == before
    assert "-How many apples are there?" in caught.value.diff
    assert "+How many pears are there?" in caught.value.diff
    assert "apples" in caught.value.message


def test_a_miss_that_only_another_model_answered_says_so(tape):
    identity, _ = record(tape, "one")
    with pytest.raises(llm.CassetteMiss, match=identity.replace("#", ".")):
        llm.Client("http://127.0.0.1:9/v1#stub", cassette=tape).complete_sync(ask("one"))


def test_replay_then_live_fills_the_gaps(tape):
    with StubServer() as server:
        for texts in (["one"], ["one", "two"], ["one", "two"]):
            with llm.Client(f"{server.url}#stub", cassette=tape, mode="replay-then-live") as client:
                client.complete_many_sync([ask(text) for text in texts])
        assert server.count == 2
    assert len(lines(tape)) == 2


def test_independent_draws_are_replayed_by_their_numbers(tape):
    numbers = iter(range(9))
    with StubServer(answer=lambda body: f"draw {next(numbers)}") as server:
        with llm.Client(f"{server.url}#stub", cassette=tape, mode="record") as client:
            drawn = [client.complete_sync(ask(temperature=1.0, sample=i)).text for i in range(3)]
        client = llm.Client(f"{server.url}#stub", cassette=tape)
        assert [client.complete_sync(ask(temperature=1.0, sample=i)).text for i in range(3)] == drawn
        assert len(set(drawn)) == 3


def test_a_torn_last_line_is_survived_and_mended(tape):
    record(tape, "one", "two")
    whole = tape.read_bytes()
    for cut in (1, 5, 30):
        tape.write_bytes(whole[:-cut])
        rows, is_torn = cassette.read(tape)
        assert is_torn
        assert len(rows) in (1, 2)
        record(tape, "three", mode="replay-then-live")
        assert len(lines(tape)) == len(rows) + 1
        assert not cassette.read(tape)[1]


@pytest.mark.parametrize(
    "junk", ["not json", "[]", "{}", '{"key": 3}', '{"key": "k", "request": {}, "reply": {"texts": []}}']
)
def test_other_junk_is_refused_with_its_line(tmp_path, junk):
    path = tmp_path / "tape.jsonl"
    record(path, "one")
    path.write_text(path.read_text() + junk + "\n" + path.read_text())
    with pytest.raises(BadInput, match="line 2"):
        llm.Client("http://127.0.0.1:9/v1#stub", cassette=path)


@pytest.mark.parametrize("content", [b"\x1f\x8bjunk and more junk", b"plain"])
def test_a_file_that_is_no_gzip_is_refused(tmp_path, content):
    (tmp_path / "tape.jsonl.gz").write_bytes(content)
    with pytest.raises(BadInput, match="gzip"):
        llm.Client(f"cassette:{tmp_path / 'tape.jsonl.gz'}")


def test_a_damaged_reply_is_refused(tmp_path):
    path = tmp_path / "tape.jsonl"
    identity, _ = record(path, "one")
    path.write_text(path.read_text().replace('"usage": {', '"usage": {"colour": 1, '))
    with pytest.raises(BadInput, match="damaged"):
        llm.Client(identity, cassette=path).complete_sync(ask("one"))


def test_a_missing_cassette_and_an_unknown_mode_are_named(tmp_path):
    with pytest.raises(BadInput, match="mode='record'"):
        llm.Client("http://127.0.0.1:9/v1#stub", cassette=tmp_path / "absent.jsonl")
    with pytest.raises(BadInput, match="replay-then-live"):
        llm.Client("http://127.0.0.1:9/v1#stub", cassette=tmp_path / "t.jsonl", mode="rewind")


def test_a_cassette_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TenfoldError, match="cannot be written"):
        record(tmp_path / "file" / "t.jsonl", "one")


def test_what_the_cache_knows_is_recorded_too(tmp_path):
    with StubServer() as server:
        with llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite") as client:
            client.complete_sync(ask("one"))
        options = {"cache": tmp_path / "c.sqlite", "cassette": tmp_path / "t.jsonl", "mode": "record"}
        with llm.Client(f"{server.url}#stub", **options) as client:
            assert client.complete_sync(ask("one")).source == "cache"
        assert server.count == 1
    assert len(lines(tmp_path / "t.jsonl")) == 1
