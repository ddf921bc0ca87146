import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import llm
from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Claim
from tenfold.llm.prices import Prices
from tenfold.llm.script import Rules
from tenfold.llm.types import Usage
from tests.llm.stub_server import StubServer

PRICES = {"stub": {"prompt": 100.0, "completion": 400.0}}


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


def kinds(replies):
    return sum(isinstance(reply, llm.Reply) for reply in replies), sum(isinstance(r, BudgetReached) for r in replies)


@pytest.mark.parametrize("faults", [[], ["429", "500", "half", "reset", "junk"] * 4])
def test_sixty_four_parallel_calls_do_not_pass_the_calls_by_one(faults):
    with StubServer(faults, latency=0.01) as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(calls=50), concurrency=64, backoff=0.005)
        made, refused = kinds(client.complete_many_sync([ask(str(i)) for i in range(200)], on_error="collect"))
        assert made == server.answered
        assert made + refused == 200
        # Of the faults, those whose answer was lost count too.
        assert client.account.calls == 50
        assert made == (50 if not faults else 50 - 12)


def test_tokens_are_not_passed_and_are_used_up_to_what_the_next_call_may_take():
    with StubServer(latency=0.005, answer=lambda body: "x" * 200) as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(tokens=3000), concurrency=64)
        replies = client.complete_many_sync([ask(f"{i:03d}", max_tokens=100) for i in range(150)], on_error="collect")
        made, refused = kinds(replies)
        spent = sum(reply.usage.total for reply in replies if isinstance(reply, llm.Reply))
        assert made + refused == 150
        assert made == server.count
        assert 3000 - 200 < spent == client.account.tokens <= 3000


def test_money_is_not_passed():
    with StubServer(latency=0.005) as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(usd=0.2), prices=PRICES, concurrency=64)
        replies = client.complete_many_sync([ask(f"{i:03d}", max_tokens=50) for i in range(200)], on_error="collect")
        made, _ = kinds(replies)
        usd = sum(reply.cost for reply in replies if isinstance(reply, llm.Reply))
        assert 0 < made < 200
        assert 0.15 < usd <= 0.2
        assert client.account.usd == pytest.approx(usd)


def test_a_claim_that_may_fit_later_waits_and_one_that_cannot_is_refused_at_once():
    async def scene():
        account = llm.Account(llm.Budget(tokens=100))
        first = await account.reserve("a", Claim(40, 40, 0.0))
        waiting = asyncio.create_task(account.reserve("a", Claim(40, 20, 0.0)))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        with pytest.raises(BudgetReached):
            await account.reserve("a", Claim(100, 20, 0.0))
        first.settle(Usage(10, 10), 0.0)
        (await asyncio.wait_for(waiting, 1)).settle(Usage(40, 20), 0.0)
        with pytest.raises(BudgetReached, match="20 of 100 tokens left"):
            await account.reserve("a", Claim(20, 20, 0.0))
        return account.total

    assert asyncio.run(scene()) == (2, 50, 30, 0.0, 0)


def test_a_request_that_no_budget_allows_is_not_sent():
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(tokens=500))
        with pytest.raises(BudgetReached, match="max_tokens"):
            client.complete_sync(ask())
        with pytest.raises(BudgetReached):
            llm.Client(f"{server.url}#stub", budget=llm.Budget(calls=0)).complete_sync(ask())
        assert server.count == 0


def test_a_budget_in_dollars_without_a_price_is_refused_before_the_first_call():
    with pytest.raises(BadInput, match="'stub' is unknown"):
        llm.Client("http://127.0.0.1:9/v1#stub", budget=llm.Budget(usd=1))
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(usd=1), prices=PRICES)
        with pytest.raises(BadInput, match="'stub-large' is unknown"):
            client.complete_sync(ask(model="stub-large"))
        assert server.count == 0


def test_an_unknown_price_is_unknown_and_not_nothing():
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub")
        assert client.complete_sync(ask()).cost is None
        assert client.account.usd is None


def test_the_deadline_cancels_what_is_in_flight():
    with StubServer(latency=20) as server:
        client = llm.Client(f"{server.url}#stub", budget=llm.Budget(seconds=0.5))
        started = time.monotonic()
        replies = client.complete_many_sync([ask(str(i)) for i in range(5)], on_error="collect")
        assert kinds(replies) == (0, 5)
        assert time.monotonic() - started < 5
        with pytest.raises(BudgetReached, match=r"0\.5 seconds"):
            client.complete_sync(ask())


def test_the_deadline_ends_engines_too():
    client = llm.Client(backend=Rules(str.upper, "engine:x/1"), budget=llm.Budget(seconds=0))
    with pytest.raises(BudgetReached):
        client.try_now(ask())


def test_several_clients_share_an_account():
    account = llm.Account(llm.Budget(calls=5))
    with StubServer() as server:
        clients = [
            llm.Client(f"{server.url}#stub", budget=account),
            llm.Client(backend=Rules(str.upper, "e"), budget=account),
        ]
        clients[0].complete_sync(ask(tag="forward:a"))
        for _ in range(4):
            clients[1].try_now(ask(tag="backward:a"))
        for client in clients:
            with pytest.raises(BudgetReached):
                client.complete_sync(ask("more"))
    assert {role: spent.calls for role, spent in account.by_role.items()} == {"forward": 1, "backward": 4}


def test_an_engine_waits_for_replies_in_flight_that_may_leave_room():
    async def scene(url):
        account = llm.Account(llm.Budget(calls=2))
        engine = llm.Client(backend=Rules(str.upper, "e"), budget=account)
        server = llm.Client(f"{url}#stub", budget=account)
        flying = asyncio.create_task(server.complete(ask(model="absent")))
        also = asyncio.create_task(server.complete(ask(model="absent, too")))
        await asyncio.sleep(0.1)
        assert engine.try_now(ask()) is None
        reply = await engine.complete(ask())
        await asyncio.gather(flying, also, return_exceptions=True)
        return reply.text

    with StubServer(latency=0.5) as server:
        assert asyncio.run(scene(server.url)) == "HELLO"


@pytest.mark.parametrize(
    "options",
    [{"calls": -1}, {"calls": True}, {"calls": 1.5}, {"usd": "2"}, {"seconds": float("nan")}, {"tokens": float("inf")}],
)
def test_a_budget_that_is_no_number_is_refused(options):
    with pytest.raises(BadInput):
        llm.Budget(**options)


@pytest.mark.parametrize("options", [{"budget": {"calls": 3}}, {"budget": 5}, {"model": None}, {"model": 5}])
def test_what_is_no_budget_and_what_is_no_model_is_said(options):
    with pytest.raises(BadInput, match=r"is no (budget|model)"):
        llm.Client(**options)


_steps = st.lists(
    st.tuples(
        st.integers(1, 30), st.integers(0, 30), st.floats(0, 1), st.sampled_from(["settle", "lose", "cancel", "refuse"])
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(_steps, st.integers(0, 12), st.integers(0, 200), st.integers(0, 50))
def test_no_schedule_passes_a_budget(steps, calls, tokens, cents):
    account = llm.Account(llm.Budget(calls=calls, tokens=tokens, usd=cents / 100))

    def check():
        total = account.total
        assert total.calls <= calls
        assert total.tokens <= tokens
        assert total.usd <= cents / 100 + 1e-9

    async def one(number, prompt, completion, share, end):
        claim = Claim(prompt, completion, (prompt + completion) / 1000)
        for _ in range(number % 3):
            await asyncio.sleep(0)
        hold = await account.reserve("r", claim)
        try:
            hold.is_sent = True
            for _ in range(number % 5):
                await asyncio.sleep(0)
            if end == "lose":
                await hold.renew()
                hold.is_sent = True
            if end in ("settle", "lose"):
                used = Usage(int(prompt * share), int(completion * share))
                hold.settle(used, used.total / 1000)
            elif end == "refuse":
                hold.is_sent = False
        finally:
            hold.close()
            check()

    async def all_of_them():
        work = (one(number, *step) for number, step in enumerate(steps))
        done = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 20)
        assert all(error is None or isinstance(error, BudgetReached) for error in done)

    asyncio.run(all_of_them())
    check()
    assert (account._held_calls, account._held_tokens) == (0, 0)


def test_prices_are_looked_up_by_name_and_by_prefix(tmp_path, monkeypatch):
    prices = Prices.load()
    assert prices.date
    assert prices.of("gpt-4o-mini-2024-07-18") == prices.of("gpt-4o-mini")
    assert prices.of("llama") is None
    cost = prices.of("gpt-4o-mini").cost(Usage(2_000_000, 1_000_000, 1_000_000))
    assert cost == pytest.approx(0.15 + 0.075 + 0.60)
    own = tmp_path / "prices.yaml"
    own.write_text("date: 2026-01-01\nmodels:\n  llama: {prompt: 1, completion: 2}\n")
    monkeypatch.setenv("TENFOLD_PRICES", str(own))
    assert Prices.load().of("llama").cost(Usage(1_000_000, 1_000_000)) == 3.0
    assert Prices.load().of("gpt-4o-mini") is None


@pytest.mark.parametrize(
    "text",
    ["", "models: 3", "a: [", "models: {x: 1}", "models: {x: {prompt: 1}}", "models: {x: {prompt: -1, completion: 1}}",
     "models: {x: {prompt: yes, completion: 1}}", "models: {x: {prompt: .nan, completion: 1}}",
     "!!python/object:os.system {}"],
)  # fmt: skip
def test_a_bad_price_list_is_named(tmp_path, text):
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"prices\.yaml"):
        Prices.load(tmp_path / "prices.yaml")


def test_a_missing_price_list_is_named(tmp_path):
    with pytest.raises(BadInput, match="absent"):
        Prices.load(tmp_path / "absent.yaml")
