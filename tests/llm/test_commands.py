"""`tenfold llm`: what it prints, and how it ends."""

import json
import sys
from pathlib import Path

import pytest

from tenfold import llm
from tenfold.cli import run
from tests.llm.stub_server import StubServer

COUNT = " ".join(str(n) for n in range(1, 21))


def able(body: dict) -> str:
    """Answers as a model that can do everything."""
    content = body["messages"][-1]["content"]
    if "response_format" in body:
        return '{"city": "Athens", "year": 1896}'
    return "Red." if isinstance(content, list) else COUNT


def check(server: StubServer, *options: str) -> int:
    return run(["llm", "check", f"{server.url}#stub", *options])


def report(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def skills(found: dict) -> dict[str, bool]:
    return {name: skill["works"] for name, skill in found["skills"].items()}


def test_an_able_model_is_found_able(capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(answer=able) as server:
        assert check(server, "--json", "--needs", "schema,images,tools,streaming") == 0
        assert server.count <= 8
    found = report(capsys)
    assert found["text"] == COUNT
    assert skills(found) == {"schema": True, "images": True, "tools": True, "streaming": True}
    assert found["models"] == ["stub", "stub-large"]
    assert 0 < found["first_token"] <= found["latency"]
    assert found["tokens_per_second"] > 0


def test_a_model_that_echoes_lacks_what_it_lacks_and_needs_fail_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(schema=False) as server:
        assert check(server, "--json") == 0
        found = report(capsys)
        assert check(server, "--needs", "streaming,images") == 1
    assert skills(found) == {"schema": False, "images": False, "tools": True, "streaming": True}
    assert "cannot be held to a schema" in found["skills"]["schema"]["why"]
    assert "lacks images" in capsys.readouterr().err


def test_prose_for_a_schema_is_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(answer=lambda _: "It was in Athens in 1896.") as server:
        assert check(server, "--json") == 0
    assert "does not follow the schema" in report(capsys)["skills"]["schema"]["why"]


def test_a_server_that_refuses_pictures_says_so_in_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    no = {"name": "refuse", "status": 400, "message": "this model has no eyes"}
    with StubServer(["normal"] * 5 + [no], answer=able) as server:
        assert check(server, "--json") == 0
    found = report(capsys)
    assert not found["skills"]["images"]["works"]
    assert "this model has no eyes" in found["skills"]["images"]["why"]
    assert found["skills"]["tools"]["works"]


def test_a_model_that_is_not_there_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer() as server:
        assert run(["llm", "check", f"{server.url}#other"]) == 2
    shown = capsys.readouterr()
    assert "stub, stub-large" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nonsense"], "is no model"),
        (["check", "http://127.0.0.1:9/v1#m"], "127.0.0.1:9"),
        (["check", "engine:nonsense"], "nonsense"),
        (["check", "hf:/no/such/folder"], "not a folder"),
        (["check", "script:json:dumps", "--needs", "wings"], "wings is no skill"),
        (["ledger", "/no/such/run"], "does not exist"),
        (["ledger", "/"], "/ holds no ledger"),
    ],
)
def test_bad_input_is_two_lines_and_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert run(["llm", *arguments]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.strip().splitlines()) <= 2
    assert not shown.out


def test_the_report_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(answer=able) as server:
        check(server)
    shown = capsys.readouterr().out
    assert "answers: '1 2 3" in shown
    assert "tokens/s" in shown
    assert "schema     yes" in shown


def test_a_model_in_a_folder_is_checked_like_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    from tests.llm.tiny_model import build

    assert run(["llm", "check", f"hf:{build(tmp_path / 'tiny')}", "--json"]) == 0
    found = report(capsys)
    assert not found["skills"]["tools"]["works"]
    assert "text only" in found["skills"]["images"]["why"]


def spend(folder: Path) -> None:
    with StubServer() as server, llm.Client(f"{server.url}#stub", ledger=folder / "ledger.sqlite") as client:
        for tag in ("forward:first", "forward:second", "backward:answer"):
            client.complete_sync(llm.Request.of("hello", tag=tag))


def test_the_ledger_tells_spending_by_role_and_an_unknown_price_is_unknown(tmp_path: Path, capsys) -> None:
    spend(tmp_path)
    assert run(["llm", "ledger", str(tmp_path), "--json"]) == 0
    rows = {row["role"]: row for row in report(capsys)["ledger"]}
    assert (rows["forward"]["calls"], rows["backward"]["calls"], rows["all"]["calls"]) == (2, 1, 3)
    assert rows["all"]["usd"] is None
    assert run(["llm", "ledger", str(tmp_path)]) == 0
    assert "unknown" in capsys.readouterr().out


def test_a_file_that_is_no_ledger_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database")
    assert run(["llm", "ledger", str(tmp_path)]) == 2
    assert "ledger.sqlite" in capsys.readouterr().err


def test_help_names_the_group_and_does_not_load_it(capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.startswith("tenfold.llm.commands")]:
        del sys.modules[name]
    assert run(["--help"]) == 0
    assert " llm " in capsys.readouterr().out
    assert "tenfold.llm.commands" not in sys.modules
    assert run(["llm", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "check" in shown
    assert "ledger" in shown
