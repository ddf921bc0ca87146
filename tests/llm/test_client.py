import asyncio
import base64
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.script import Rules, Script
from tests.llm.stub_server import StubServer

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def upper(request):
    return request.prompt.upper()


async def lower(request):
    await asyncio.sleep(0)
    return request.prompt.lower()


def nothing(request):
    return None


def broken(request):
    raise ZeroDivisionError("by zero")


def asleep(request):
    time.sleep(5)
    return ""


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


def pure(function=str.upper, identity="engine:test/1"):
    return Rules(function, identity)


@pytest.mark.parametrize(("name", "text"), [("upper", "HELLO"), ("lower", "hello")])
def test_a_script_answers_from_every_face(name, text):
    client = llm.Client(f"script:{__name__}:{name}")
    assert client.try_now(ask()) is None
    assert client.complete_sync(ask()).text == text
    assert asyncio.run(client.complete(ask("HELLo"))).text == text
    assert [reply.text for reply in client.complete_many_sync([ask(), ask("Hello")])] == [text, text]
    assert client.account.calls == 4
    assert client.account.usd == 0.0


@pytest.mark.parametrize(
    ("name", "words"), [("nothing", "returned NoneType"), ("broken", "ZeroDivisionError"), ("asleep", "longer than 0.2 s")]
)
def test_a_script_that_fails_is_named(name, words):
    client = llm.Client(f"script:{__name__}:{name}", timeout=0.2)
    with pytest.raises(llm.RequestRefused, match=words):
        client.complete_sync(ask())
    assert client.account.calls == 0


@pytest.mark.parametrize(
    "model",
    ["", "gpt-4o", "gpt:4", "openai:", "http://host/v1", "http:///v1#m", "engine:magic", "engine:rules?colour=1",
     "engine:rules?noise=2", "script:nowhere_at_all:f", "script:json", f"script:{__name__}:absent",
     "cassette:/nowhere.jsonl", "http://user:secret@host/v1#m", "http://host/v1?key=secret#m",
     "http://host:99999/v1#m", "http://[::1/v1#m", "http://host:0/v1#m"],
)  # fmt: skip
def test_a_bad_model_string_is_refused_before_anything_is_sent(model):
    with pytest.raises(BadInput) as caught:
        llm.Client(model)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("option", [{"concurrency": 0}, {"timeout": -1}, {"rpm": 0}, {"tries": 0}])
def test_a_bad_option_is_refused(option):
    with pytest.raises(BadInput):
        llm.Client(f"script:{__name__}:upper", **option)


def test_a_pure_engine_answers_without_an_event_loop_and_is_counted():
    client = llm.Client(backend=pure(), budget=llm.Budget(calls=3, tokens=1000))
    reply = client.try_now(ask("hello", tag="forward:a"))
    assert (reply.text, reply.source, reply.cost, reply.usage.estimated) == ("HELLO", "engine", 0.0, True)
    assert client.complete_sync(ask()).text == asyncio.run(client.complete(ask())).text == "HELLO"
    assert client.account.calls == 3
    assert client.account.by_role["forward"].calls == 1
    with pytest.raises(BudgetReached):
        client.try_now(ask())


def test_sync_calls_from_many_threads_share_one_budget():
    seen = []
    client = llm.Client(backend=Script(lambda request: seen.append(1) or "x", "script:x"), budget=llm.Budget(calls=40))

    def one(number):
        try:
            return client.complete_sync(ask(str(number))).text
        except BudgetReached:
            return None

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(one, range(60)))
    assert replies.count("x") == len(seen) == client.account.calls == 40


def test_sync_works_inside_a_running_loop():
    client = llm.Client(f"script:{__name__}:upper")

    async def inside():
        return client.complete_sync(ask()).text

    assert asyncio.run(inside()) == "HELLO"


def test_equal_requests_in_flight_become_one():
    with StubServer(latency=0.1) as server:
        client = llm.Client(f"{server.url}#stub")
        replies = client.complete_many_sync([ask(tag=f"forward:{i}") for i in range(20)] + [ask("other")])
        assert server.count == 2
        assert len({reply.text for reply in replies}) == 2
        assert client.account.calls == 2
        assert client.account.hits == 19
        llm.Client(f"{server.url}#stub", coalesce=False).complete_many_sync([ask()] * 5)
        assert server.count == 7
        client.close()


def test_draws_at_a_temperature_are_not_joined_unless_asked():
    with StubServer(latency=0.1) as server:
        llm.Client(f"{server.url}#stub").complete_many_sync([ask(temperature=1.0)] * 3)
        assert server.count == 3
        llm.Client(f"{server.url}#stub", cache_sampled=True).complete_many_sync([ask(temperature=1.0)] * 3)
        assert server.count == 4


def test_a_failure_reaches_everyone_who_joined():
    with StubServer(["400"], latency=0.1) as server:
        client = llm.Client(f"{server.url}#stub")
        replies = client.complete_many_sync([ask()] * 10, on_error="collect")
        assert server.count == 1
        assert all(isinstance(reply, llm.RequestRefused) for reply in replies)


def test_one_who_leaves_does_not_cancel_the_others():
    async def scene(url):
        async with llm.Client(f"{url}#stub") as client:
            waiters = [asyncio.create_task(client.complete(ask())) for _ in range(3)]
            await asyncio.sleep(0.1)
            waiters[0].cancel()
            return await asyncio.gather(*waiters, return_exceptions=True)

    with StubServer(latency=0.3) as server:
        first, *others = asyncio.run(scene(server.url))
        assert isinstance(first, asyncio.CancelledError)
        assert [reply.text for reply in others] == ["echo: hello"] * 2
        assert server.count == 1


def test_a_request_that_everyone_left_is_cancelled_and_can_be_asked_again():
    async def scene(url):
        async with llm.Client(f"{url}#stub", budget=llm.Budget(calls=2)) as client:
            waiter = asyncio.create_task(client.complete(ask()))
            await asyncio.sleep(0.1)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
            return (await client.complete(ask())).text, client.account.calls

    with StubServer(latency=0.2) as server:
        # The cancelled one may have been billed.
        assert asyncio.run(scene(server.url)) == ("echo: hello", 2)


def test_concurrency_is_bounded():
    with StubServer(latency=0.05) as server:
        llm.Client(f"{server.url}#stub", concurrency=4).complete_many_sync([ask(str(i)) for i in range(20)])
        assert server.most_in_flight == 4


def test_a_client_outlives_its_event_loops():
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub")
        for number in range(3):
            assert asyncio.run(client.complete(ask(str(number)))).text == f"echo: {number}"
        client.close()


def test_a_stream_comes_in_pieces_and_is_counted():
    async def scene(client):
        return [piece async for piece in client.stream(ask("one two three four"))]

    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub")
        pieces = asyncio.run(scene(client))
        assert len(pieces) > 3
        assert "".join(pieces) == "echo: one two three four"
        assert client.account.calls == 1
        assert client.account.tokens > 0


def test_a_stream_is_kept_and_replayed(tmp_path):
    async def scene(client):
        return "".join([piece async for piece in client.stream(ask("again"))])

    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite")
        assert asyncio.run(scene(client)) == asyncio.run(scene(client)) == "echo: again"
        assert client.complete_sync(ask("again")).source == "cache"
        assert server.count == 1


def test_a_stream_that_fails_first_is_tried_again_and_one_that_breaks_off_is_named():
    async def scene(client):
        return "".join([piece async for piece in client.stream(ask("some long enough text"))])

    with StubServer(["500", "normal", "half"]) as server:
        client = llm.Client(f"{server.url}#stub", backoff=0.01)
        assert asyncio.run(scene(client)) == "echo: some long enough text"
        with pytest.raises(llm.EndpointDown, match="middle of a stream"):
            asyncio.run(scene(client))
        assert server.count == 3


def test_a_stream_of_several_texts_is_refused():
    async def scene(client):
        return [piece async for piece in client.stream(ask(n=2))]

    with pytest.raises(BadInput):
        asyncio.run(scene(llm.Client(backend=pure())))


def test_images_reach_the_server(tmp_path):
    (tmp_path / "dot.png").write_bytes(PNG)
    content = ({"type": "text", "text": "what is this?"}, llm.image(tmp_path / "dot.png"))
    with StubServer() as server:
        reply = llm.Client(f"{server.url}#stub").complete_sync(llm.Request((llm.Message("user", content),)))
    assert reply.text == f"echo: what is this? [image of {len(PNG)} bytes]"


def test_tool_calls_go_there_and_back():
    tool = llm.Tool("add", "adds", {"type": "object", "properties": {"x": {"type": "integer"}}})
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub")
        reply = client.complete_sync(ask(tools=(tool,)))
        assert reply.tool_calls == (llm.ToolCall("call-1", "add", '{"x": 1}'),)
        assert reply.finish_reasons == ("tool_calls",)
        messages = (*ask().messages, llm.Message("assistant", "", reply.tool_calls), llm.Message("tool", "2", (), "call-1"))
        client.complete_sync(llm.Request(messages))
        sent = server.bodies[1]["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"x": 1}'}
    assert sent[2] == {"role": "tool", "content": "2", "tool_call_id": "call-1"}


def test_every_setting_reaches_the_server_and_defaults_stay_home():
    with StubServer() as server:
        client = llm.Client(f"{server.url}#stub")
        request = ask(model="stub-large", temperature=0.5, top_p=0.9, max_tokens=5, seed=3, stop=("x",), n=2)
        assert len(client.complete_sync(request).texts) == 2
        client.complete_sync(ask())
    wanted = {"model": "stub-large", "temperature": 0.5, "top_p": 0.9, "max_tokens": 5, "seed": 3, "stop": ["x"], "n": 2}
    assert {name: value for name, value in server.bodies[0].items() if name != "messages"} == wanted
    assert set(server.bodies[1]) == {"model", "messages", "temperature", "max_tokens"}


def test_openai_models_use_the_server_of_the_environment(monkeypatch):
    with StubServer(key="sk-env-1234567890") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env-1234567890")
        client = llm.Client("openai:stub")
        assert client.complete_sync(ask()).text == "echo: hello"
        assert client.identity == f"{server.url}#stub"
        assert llm.Client("openai:stub", base_url=server.url).complete_sync(ask()).text == "echo: hello"


def test_without_a_key_openai_is_not_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(llm.KeyRefused, match="OPENAI_API_KEY"):
        llm.Client("openai:gpt-4o-mini").complete_sync(ask())


def test_a_proxy_of_the_environment_does_not_come_between_us_and_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with StubServer() as server:
        assert llm.Client(f"{server.url}#stub").complete_sync(ask()).text == "echo: hello"


def test_usage_is_estimated_where_the_server_does_not_count():
    with StubServer(usage=False) as server:
        usage = llm.Client(f"{server.url}#stub").complete_sync(ask("x" * 400)).usage
    assert usage.estimated
    assert usage.prompt == 100


def test_an_interrupted_wait_leaves_nothing_running():
    started, stopped = threading.Event(), threading.Event()

    async def forever(request):
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return ""

    async def scene():
        task = asyncio.create_task(llm.Client(backend=Script(forever, "script:forever")).complete(ask()))
        await asyncio.to_thread(started.wait, 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert stopped.wait(5)


def test_the_import_is_light():
    code = "import sys, tenfold.llm as llm; llm.Client; print({'torch', 'openai', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_every_public_name_loads():
    for name in llm.__all__:
        if name != "engine":
            assert getattr(llm, name) is not None
