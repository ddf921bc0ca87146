import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.cache import Cache
from tenfold.llm.ledger import Ledger
from tenfold.llm.script import Script
from tests.llm.stub_server import StubServer


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


def echo(request):
    return request.prompt


def test_a_reply_is_asked_for_once(tmp_path):
    with StubServer() as server:
        for source in ("live", "cache"):
            with llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite") as client:
                reply = client.complete_sync(ask())
                assert (reply.text, reply.source) == ("echo: hello", source)
                assert client.account.calls == (source == "live")
        assert reply.cost == 0.0
        assert reply.usage.prompt > 0
        assert server.count == 1


def test_another_model_has_its_own_replies(tmp_path):
    with StubServer() as server:
        for model in ("stub", "stub-large"):
            with llm.Client(f"{server.url}#{model}", cache=tmp_path / "c.sqlite") as client:
                client.complete_sync(ask())
        assert server.count == 2


def test_draws_are_not_cached_unless_asked(tmp_path):
    with StubServer() as server, llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite") as client:
        for _ in range(2):
            client.complete_sync(ask(temperature=1.0))
        assert server.count == 2
        for _ in range(2):
            client.complete_sync(ask(temperature=1.0, seed=1))
        assert server.count == 3
        with llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite", cache_sampled=True) as other:
            for _ in range(2):
                other.complete_sync(ask(temperature=1.0))
        assert server.count == 4


@pytest.mark.parametrize("text", ["ünïcödé 漢字 🎉", "nul \0 in it", ""])
def test_any_text_comes_back_as_it_was(tmp_path, text):
    cache = Cache(tmp_path / "c.sqlite")
    cache.add("k", llm.Reply((text,)))
    assert cache.get("k").text == text


def test_of_two_replies_to_a_key_the_first_stays(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    for text in ("first", "second"):
        cache.add("k", llm.Reply((text,)))
    assert cache.get("k").text == "first"


def test_many_processes_use_one_file_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tenfold import llm; from tenfold.llm.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "for i in range(150): cache.add(str(i), llm.Reply((sys.argv[2],))); assert cache.get(str(i))\n"
        "for i in range(50): cache.add(sys.argv[2] + str(i), llm.Reply((sys.argv[2],)))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "c.sqlite"), f"p{i}-"]) for i in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM replies").fetchone() == (150 + 6 * 50,)


def test_threads_share_a_client(tmp_path):
    client = llm.Client(backend=Script(echo, "script:echo"), cache=tmp_path / "c.sqlite")
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda i: client.complete_sync(ask(str(i % 10))).text, range(80)))
    assert texts == [str(i % 10) for i in range(80)]
    assert client.account.calls == 10


def test_a_kill_loses_no_reply_that_had_arrived(tmp_path):
    code = (
        "import sys; from tenfold import llm; from tenfold.llm.script import Script\n"
        "def answer(request):\n"
        "    with open('asked', 'a') as file: file.write(request.prompt + chr(10))\n"
        "    return request.prompt\n"
        "options = {'cache': 'c.sqlite', 'ledger': 'ledger.sqlite', 'backend': Script(answer, 'script:x')}\n"
        "with llm.Client(**options) as client:\n"
        "    for i in range(2000): print(client.complete_sync(llm.Request.of(str(i), tag='forward:x')).text, flush=True)\n"
    )
    got = 0
    for kills in range(1, 4):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(got + 40):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        got += 40 + process.communicate()[0].count("\n")
        asked = (tmp_path / "asked").read_text().split()
        with sqlite3.connect(tmp_path / "c.sqlite") as connection:
            kept = connection.execute("SELECT count(*) FROM replies").fetchone()[0]
        assert kept >= got
        # Only the one in flight at each kill is asked for again.
        assert len(asked) - kept <= kills
        spent = Ledger(tmp_path / "ledger.sqlite").spent()["forward"].calls
        assert kept - kills <= spent <= kept
    assert got < 2000


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_foreign_or_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "c.sqlite"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"c\.sqlite"):
        llm.Client(f"script:{__name__}:echo", cache=path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "c.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    before = path.read_bytes()
    for option in ("cache", "ledger"):
        with pytest.raises(BadInput):
            llm.Client(f"script:{__name__}:echo", **{option: path})
    assert path.read_bytes() == before


def test_a_ledger_is_no_cache(tmp_path):
    llm.Client(f"script:{__name__}:echo", ledger=tmp_path / "x.sqlite").close()
    with pytest.raises(BadInput):
        llm.Client(f"script:{__name__}:echo", cache=tmp_path / "x.sqlite")


def test_a_value_that_is_no_reply_is_refused(tmp_path):
    client = llm.Client(f"script:{__name__}:echo", cache=tmp_path / "c.sqlite")
    key = ask().key(client.identity)
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        connection.execute("INSERT INTO replies VALUES (?, ?, ?)", (key, '{"texts": 3}', time.time()))
    with pytest.raises(BadInput, match="damaged"):
        client.try_now(ask())


def test_a_place_that_cannot_hold_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TenfoldError):
        llm.Client(f"script:{__name__}:echo", cache=tmp_path / "file" / "c.sqlite")
    with pytest.raises(TenfoldError):
        llm.Client(f"script:{__name__}:echo", cache=tmp_path)
