"""The fault matrix: what each misbehaviour of a server leads to."""

import asyncio
import time

import pytest

from tenfold import llm
from tenfold.llm import refusals
from tenfold.llm.server import Server
from tests.llm.stub_server import StubServer

RETRIED = ["408", "409", "429", "429-after", "500", "503", "half", "reset", "junk", "slow", "drip"]
LOST = ["half", "reset", "junk", "slow", "drip"]
SLOW = ["slow", "drip"]
STOPS = {
    "400": (llm.RequestRefused, "temperature must be at most 2"),
    "401": (llm.KeyRefused, "Incorrect API key"),
    "403": (llm.KeyRefused, "may not do this"),
    "404": (llm.ModelUnknown, "stub, stub-large"),
    "429-quota": (llm.KeyRefused, "billing"),
    "overflow": (llm.ContextOverflow, "4096"),
}

pytestmark = pytest.mark.timeout(60)


def ask(text="hello", **settings):
    return llm.Request.of(text, **settings)


def client_of(server, **options):
    return llm.Client(f"{server.url}#stub", **{"backoff": 0.005, "timeout": 20.0, **options})


@pytest.mark.parametrize("fault", RETRIED)
def test_a_passing_fault_is_tried_again(fault):
    with StubServer([fault]) as server, client_of(server, timeout=1.0 if fault in SLOW else 20.0) as client:
        assert client.complete_sync(ask()).text == "echo: hello"
        assert server.count == 2
        # A lost answer may be billed; one that the server turned away is not.
        assert client.account.calls == (2 if fault in LOST else 1)


@pytest.mark.parametrize("fault", RETRIED)
def test_a_lasting_fault_ends_after_six_tries(fault):
    with StubServer(default=fault) as server, client_of(server, timeout=0.2 if fault in SLOW else 20.0) as client:
        with pytest.raises(llm.EndpointDown, match="6 tries"):
            client.complete_sync(ask())
        # On a busy machine a short timeout may end a try before the server has read it.
        assert server.count <= 6 if fault in SLOW else server.count == 6


@pytest.mark.parametrize("fault", list(STOPS))
def test_a_refusal_stops_at_once_with_the_servers_words(fault):
    kind, words = STOPS[fault]
    with StubServer(default=fault) as server, client_of(server) as client:
        with pytest.raises(kind) as caught:
            client.complete_sync(ask())
        assert type(caught.value) is kind
        assert words in str(caught.value)
        assert server.count == 1
        assert client.account.calls == 0


def test_a_context_overflow_names_tokens_and_limit():
    with StubServer(["overflow"]) as server, pytest.raises(llm.ContextOverflow) as caught:
        client_of(server).complete_sync(ask())
    assert (caught.value.tokens, caught.value.limit) == (5000, 4096)


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ({"error": {"message": "the request exceeds the available context size", "n_prompt_tokens": 9, "n_ctx": 8}}, (9, 8)),
        ({"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, (None, None)),
        (
            {"object": "error", "message": "maximum context length is 8,192 tokens. You requested 9,000 tokens."},
            (9000, 8192),
        ),
        ("input exceeds the model's maximum context length", (None, None)),
    ],
)
def test_overflows_of_several_servers_are_understood(body, sizes):
    error = refusals.meaning(400, body, {}, "http://x/v1", "m")
    assert isinstance(error, llm.ContextOverflow)
    assert (error.tokens, error.limit) == sizes


def test_retry_after_is_honoured():
    with StubServer(["429-after", "normal"]) as server, client_of(server) as client:
        client.complete_sync(ask())
        assert server.times[1] - server.times[0] >= 0.3


def test_a_retry_after_beyond_patience_ends_at_once():
    refusal = {"name": "refuse", "status": 429, "headers": {"retry-after": "3600"}}
    with StubServer(default=refusal) as server, client_of(server) as client:
        with pytest.raises(llm.EndpointDown, match="3600 s"):
            client.complete_sync(ask())
        assert server.count == 1


def test_retry_after_may_be_a_date():
    now = 1_700_000_000.0
    assert refusals.seconds_to_wait("Tue, 14 Nov 2023 22:13:30 GMT", now) == 10.0
    assert refusals.seconds_to_wait("2.5", now) == 2.5
    assert refusals.seconds_to_wait("-3", now) == 0.0
    assert [refusals.seconds_to_wait(text, now) for text in (None, "", "soon", "nan")] == [None] * 4


def test_five_failures_in_a_row_open_the_breaker():
    with StubServer(default="400") as server, client_of(server) as client:
        for number in range(9):
            with pytest.raises(llm.ModelError) as caught:
                client.complete_sync(ask(str(number)))
        assert server.count == 5
        assert isinstance(caught.value, llm.EndpointDown)
        assert "temperature must be at most 2" in str(caught.value)


def test_a_success_closes_the_count_and_overflows_do_not_count():
    faults = ["400", "400", "400", "400", "normal", "400", "overflow", "overflow", "400", "400", "400", "normal"]
    with StubServer(faults) as server, client_of(server) as client:
        made = [client.complete_many_sync([ask(str(i))], on_error="collect")[0] for i in range(len(faults))]
        assert not any(isinstance(reply, llm.EndpointDown) for reply in made)
        assert server.count == len(faults)


def test_a_server_that_is_not_there_is_named_at_once():
    started = time.monotonic()
    with pytest.raises(llm.EndpointDown, match=r"127\.0\.0\.1:9/v1"):
        llm.Client("http://127.0.0.1:9/v1#stub").complete_sync(ask())
    assert time.monotonic() - started < 5


def test_a_server_that_goes_away_is_tried_again():
    with StubServer() as server:
        client = client_of(server)
        client.complete_sync(ask())
    with pytest.raises(llm.EndpointDown, match="6 tries"):
        client.complete_sync(ask("more"))


def test_an_unknown_model_lists_what_the_server_has():
    with StubServer() as server, pytest.raises(llm.ModelUnknown, match="It has: stub, stub-large"):
        llm.Client(f"{server.url}#absent").complete_sync(ask())


def test_a_wrong_path_is_told():
    with StubServer() as server, pytest.raises(llm.ModelUnknown, match="/v1"):
        llm.Client(f"{server.url.removesuffix('/v1')}#stub").complete_sync(ask())


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"choices": []}', '{"choices": [{}]}', '{"choices": [{"message": 3}]}', '{"choices": 7}',
     '{"error": {"message": "x"}}', "[" * 100_000],
)  # fmt: skip
def test_a_body_of_another_form_is_tried_again(text):
    with StubServer([{"name": "junk", "text": text}]) as server, client_of(server) as client:
        assert client.complete_sync(ask()).text == "echo: hello"


def test_fewer_replies_than_asked_for_are_refused():
    body = '{"choices": [{"message": {"content": "one"}}]}'
    with StubServer([{"name": "junk", "text": body}]) as server, pytest.raises(llm.RequestRefused, match="1 of 3"):
        client_of(server).complete_sync(ask(n=3))


@pytest.mark.parametrize("how", [{}, {"gzip": True}, {"status": 500}, {"status": 400, "gzip": True}])
def test_a_reply_that_does_not_end_is_given_up_once_and_counts_as_billed(how):
    with StubServer([{"name": "endless", **how}]) as server, client_of(server, reply_limit=1 << 20) as client:
        with pytest.raises(llm.ReplyTooLong, match=r"longer than 1 MiB.*reply_limit"):
            client.complete_sync(ask())
        assert (server.count, client.account.calls) == (1, 1)
        assert client.complete_sync(ask("again")).text == "echo: again"


def test_an_endless_stream_and_an_endless_list_of_vectors_are_given_up():
    with StubServer(default="endless") as server, client_of(server, reply_limit=1 << 20) as client:

        async def pieces():
            return [piece async for piece in client.stream(ask())]

        with pytest.raises(llm.ReplyTooLong):
            asyncio.run(pieces())
    long = "a" * 100
    with StubServer() as server:
        backend = Server(server.url, "stub", reply_limit=1000)
        with pytest.raises(llm.ReplyTooLong):
            asyncio.run(backend.embed([long] * 50))


def test_a_compressed_reply_is_read():
    with StubServer(["packed"]) as server, client_of(server) as client:
        assert client.complete_sync(ask()).text == "echo: hello"


def test_a_server_that_moved_is_not_followed_without_encryption():
    moved = {"name": "refuse", "status": 308, "headers": {"location": "https://127.0.0.1:9/v1/chat/completions"}}
    with StubServer([moved]) as server, pytest.raises(llm.ModelUnknown, match=r"moved to https.*Use that address"):
        client_of(server).complete_sync(ask())


def test_a_client_of_a_server_knows_its_models_and_vectors():
    with StubServer() as server:
        backend = Server(server.url, "stub")

        async def scene():
            return await backend.models(), await backend.embed(["aab", "b"])

        names, vectors = asyncio.run(scene())
    assert names == ["stub", "stub-large"]
    assert vectors[0][:2] == pytest.approx([0.8944, 0.4472], abs=1e-4)
    assert vectors[1][1] == 1.0


def test_a_server_that_knows_only_max_completion_tokens_gets_them():
    with StubServer(["max_tokens"]) as server, client_of(server) as client:
        client.complete_sync(ask("one"))
        client.complete_sync(ask("two"))
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False]
    assert server.bodies[1]["max_completion_tokens"] == 1024


def test_many_requests_with_faults_between_all_come_through():
    faults = ["429", "500", "half", "reset", "junk", "normal"] * 8
    with StubServer(faults) as server, client_of(server) as client:
        replies = client.complete_many_sync([ask(str(i)) for i in range(100)])
        assert [reply.text for reply in replies] == [f"echo: {i}" for i in range(100)]
        assert server.answered == 100
