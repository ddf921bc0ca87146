import json

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm import ledger
from tenfold.llm.budget import Spent
from tenfold.llm.prices import Prices
from tests.llm.stub_server import StubServer

PRICES = {"stub": {"prompt": 1.0, "completion": 2.0}}


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


def test_the_books_agree_with_the_account(tmp_path):
    path = tmp_path / "ledger.sqlite"
    options = {"ledger": path, "cache": tmp_path / "c.sqlite", "prices": PRICES}
    with StubServer() as server, llm.Client(f"{server.url}#stub", **options) as client:
        client.complete_many_sync([ask(str(i), tag="forward:a") for i in range(5)])
        client.complete_sync(ask("x", tag="backward:b"))
        client.complete_sync(ask("1", tag="forward:c"))
        spent, usd = client.account.by_role, client.account.usd
    assert usd > 0
    rows = {row["role"]: row for row in ledger.summary(tmp_path)}
    assert list(rows) == ["backward", "forward", "all"]
    for role in ("backward", "forward"):
        assert rows[role]["calls"] == spent[role].calls
        assert (rows[role]["prompt"], rows[role]["completion"]) == (spent[role].prompt, spent[role].completion)
        assert rows[role]["usd"] == pytest.approx(spent[role].usd)
    assert rows["forward"]["hits"] == 1
    assert rows["all"]["usd"] == pytest.approx(usd)


def test_a_resumed_run_starts_from_what_was_spent(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with StubServer() as server:
        for expected in (7, 10):
            with llm.Client(f"{server.url}#stub", ledger=path, budget=llm.Budget(calls=10)) as client:
                texts = [f"{expected} {i}" for i in range(7)]
                made = client.complete_many_sync([ask(text, tag="forward:a") for text in texts], on_error="collect")
                assert client.account.calls == expected
        assert server.count == 10
    assert sum(isinstance(reply, BudgetReached) for reply in made) == 4


def test_a_try_whose_answer_was_lost_stands_in_the_books(tmp_path):
    with StubServer(["half", "429"]) as server:
        with llm.Client(f"{server.url}#stub", ledger=tmp_path / "ledger.sqlite", prices=PRICES, backoff=0.001) as client:
            client.complete_sync(ask(tag="forward:a"))
            spent = client.account.by_role
        assert spent["forward"].calls == 2
        assert llm.Client(f"{server.url}#stub", ledger=tmp_path / "ledger.sqlite").account.by_role == spent


def test_unknown_prices_stay_unknown_over_a_resumption(tmp_path):
    with StubServer() as server:
        with llm.Client(f"{server.url}#stub", ledger=tmp_path / "ledger.sqlite") as client:
            client.complete_sync(ask(tag="judge:R1"))
        with llm.Client(f"{server.url}#stub", ledger=tmp_path / "ledger.sqlite") as client:
            assert client.account.by_role == {"judge": Spent(1, 4, 3, None, 0)}
    assert ledger.summary(tmp_path)[-1]["usd"] is None


def test_a_run_without_a_ledger_is_named(tmp_path):
    with pytest.raises(BadInput, match="holds no ledger"):
        ledger.summary(tmp_path)


def test_an_empty_ledger_has_one_row(tmp_path):
    ledger.Ledger(tmp_path / "ledger.sqlite").close()
    assert ledger.summary(tmp_path) == [{"role": "all", "calls": 0, "prompt": 0, "completion": 0, "usd": 0, "hits": 0}]


def test_a_forecast_adds_up_and_says_what_it_does_not_know(capsys):
    expected = [
        ledger.Expected("forward", "openai:gpt-4o-mini", 1000, 1_000_000, 100_000),
        ledger.Expected("backward", "http://host/v1#gpt-4-turbo", 10, 100_000, 10_000),
        ledger.Expected("judge", "engine:rules", 5, 500, 50),
    ]
    rows = ledger.forecast(expected, Prices.load())
    assert [row["usd"] for row in rows] == pytest.approx([0.21, 1.3, 0.0, 1.51])
    assert rows[-1] == {"role": "all", "calls": 1015, "prompt": 1_100_500, "completion": 110_050, "usd": rows[-1]["usd"]}
    unknown = ledger.forecast([*expected, ledger.Expected("x", "http://host/v1#llama", 1, 1, 1)])
    assert unknown[-1]["usd"] is None
    ledger.print_rows(unknown, "Forecast")
    assert "unknown" in capsys.readouterr().out
    assert json.dumps(unknown)
