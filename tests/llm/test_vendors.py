"""litellm: models. The tests need the extra `vendors`, which the usual installation leaves out for its size."""

import asyncio
import importlib.util
import socket

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput, ExtraMissing
from tests.llm.stub_server import StubServer

HERE = importlib.util.find_spec("litellm") is not None
needs_litellm = pytest.mark.skipif(not HERE, reason="litellm is not installed (extra vendors)")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    return "sk-very-secret-key"


def client_of(server: StubServer, **options) -> llm.Client:
    model = f"litellm:openai/stub?api_base={server.url}"
    return llm.Client(model, **{"backoff": 0.01, "timeout": 20, **options})


@pytest.mark.skipif(HERE, reason="litellm is installed")
def test_without_litellm_the_extra_is_named() -> None:
    with pytest.raises(ExtraMissing, match=r"tenfold\[vendors\]"):
        llm.Client("litellm:openai/gpt-4o-mini")


@needs_litellm
def test_a_vendors_model_answers_and_is_counted() -> None:
    with StubServer() as server, client_of(server) as client:
        reply = client.complete_sync(llm.Request.of("hello", seed=3, stop=("x",), max_tokens=9))
        assert reply.text == "echo: hello"
        assert reply.usage.total > 0
        assert reply.cost is None, "no price is known for this model"
        assert {name: server.bodies[0][name] for name in ("seed", "stop", "max_tokens")} == {
            "seed": 3,
            "stop": ["x"],
            "max_tokens": 9,
        }


@needs_litellm
def test_faults_are_tried_again_by_us_and_only_by_us() -> None:
    with StubServer(["429", "500"]) as server, client_of(server) as client:
        assert client.complete_sync(llm.Request.of("hello")).text == "echo: hello"
        assert server.count == 3
    with StubServer(default="500") as server, client_of(server, tries=4) as client:
        with pytest.raises(llm.EndpointDown):
            client.complete_sync(llm.Request.of("hello"))
        assert server.count == 4


@needs_litellm
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("401", llm.KeyRefused),
        ("404", llm.ModelUnknown),
        ("400", llm.RequestRefused),
        ("overflow", llm.ContextOverflow),
    ],
)
def test_refusals_are_our_errors_without_the_key(fault: str, kind: type[Exception], key: str) -> None:
    with StubServer(default=fault) as server, client_of(server) as client:
        with pytest.raises(kind) as caught:
            client.complete_sync(llm.Request.of("hello"))
        assert server.count == 1
    assert key not in str(caught.value)


@needs_litellm
def test_a_stream_comes_in_pieces() -> None:
    async def pieces(client: llm.Client) -> list[str]:
        return [piece async for piece in client.stream(llm.Request.of("hello there"))]

    with StubServer() as server, client_of(server) as client:
        found = asyncio.run(pieces(client))
        assert "".join(found) == "echo: hello there"
        assert len(found) > 1
        assert client.account.total.prompt > 0


@needs_litellm
def test_tools_and_pictures_go_through() -> None:
    with StubServer() as server, client_of(server) as client:
        reply = client.complete_sync(llm.Request.of("x", tools=(llm.Tool("look", "look around"),)))
        assert [call.name for call in reply.tool_calls] == ["look"]
        picture = {"type": "image", "url": "data:image/png;base64,AAAA"}
        reply = client.complete_sync(llm.Request(({"role": "user", "content": [picture]},)))
        assert "[image of 3 bytes]" in reply.text


@needs_litellm
def test_an_unknown_vendor_or_option_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadInput, match="knows no vendor"):
        llm.Client("litellm:nonsense/nothing")
    with pytest.raises(BadInput, match="no option 'colour'"):
        llm.Client("litellm:openai/stub?colour=red")


@needs_litellm
def test_nothing_but_the_server_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = socket.getaddrinfo

    def noting(host, *args, **kwargs):
        asked.append(host)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    with StubServer() as server, client_of(server) as client:
        client.complete_sync(llm.Request.of("hello"))
    assert {str(host) for host in asked} <= {"127.0.0.1", "localhost", "None"}
