"""The language-model layer that every system shares: one request, one reply, one client, whatever answers.

    client = llm.Client("openai:gpt-4o-mini", budget=llm.Budget(usd=2))
    reply = client.complete_sync(llm.Request.of("Say yes."))

A client wraps a backend in layers, outermost first: budget (reserve before, settle after), coalescing of equal requests
in flight, cassette (record, replay), disk cache, rate limits, concurrency, retry with circuit breaker, backend.

| model string | answers |
|---|---|
| `engine:rules` | the embedded rules engine: no network, no weights; it is not a language model |
| `openai:MODEL` | OpenAI, or the server that OPENAI_BASE_URL names |
| `http://host:port/v1#MODEL` | any OpenAI-compatible server |
| `hf:/folder` | transformers weights, in this process, batched |
| `litellm:VENDOR/MODEL` | other vendors (extra `vendors`) |
| `cassette:FILE` | recorded replies only |
| `script:module:function` | function(request) -> str, for tests and one's own code |

| file | holds |
|---|---|
| `types.py` | `Message`, `Request`, `Reply`, `Usage`, `Tool`, `ToolCall`, `image` |
| `client.py` | `Client`: the layers in their order, sync and async |
| `models.py` | model string -> backend; the `Backend` protocol |
| `background.py`, `flights.py`, `tokens.py` | the synchronous face's loop; coalescing; counting tokens by bytes |
| `server.py`, `folder.py`, `script.py`, `vendors.py` | the backends |
| `wire.py`, `refusals.py` | requests and replies as OpenAI writes them; what a server's refusal means |
| `bounded.py` | no reply beyond a number of bytes |
| `database.py` | SQLite files that many processes write at once |
| `generation.py`, `weights.py` | many requests in one batch; which folders of weights may be loaded |
| `errors.py` | what can go wrong with an endpoint, and which of it is worth another try |
| `budget.py` | `Budget`: calls, tokens, money, deadline |
| `cassette.py`, `cache.py` | recorded replies as JSON lines; replies on disk in SQLite |
| `limits.py`, `retry.py` | requests and tokens a minute; tries, back-off, circuit breaker |
| `prices.py`, `prices.yaml` | what a token costs, by date |
| `ledger.py` | what a run spent, by role; forecasts |
| `secrets.py` | keys from the environment or a file; nothing else knows them |
| `structured.py` | replies as pydantic models, one repair, then a typed error |
| `embeddings.py`, `search.py` | vectors; `BM25`, and `Hybrid`, which weighs words and meanings for each query |
| `hashed.py`, `server_vectors.py`, `vectors.py`, `words.py` | vectors without an encoder, from a server, on disk; words |
| `check.py` | what a model can do |
| `scorer.py` | `Scorer`: (task, output) -> (score, feedback) |
| `engine/` | the rules engine |
| `commands.py` | `tenfold llm check | ledger` |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.llm import engine
    from tenfold.llm.budget import Account, Budget, Spent
    from tenfold.llm.client import Client
    from tenfold.llm.embeddings import Encoder, embed, encoder
    from tenfold.llm.errors import (
        CassetteMiss,
        ContextOverflow,
        EndpointDown,
        KeyRefused,
        ModelError,
        ModelUnknown,
        ReplyTooLong,
        RequestRefused,
        StructuredOutputError,
    )
    from tenfold.llm.scorer import Score, Scorer
    from tenfold.llm.search import BM25, Evidence, Hit, Hybrid
    from tenfold.llm.types import Message, Reply, Request, Tool, ToolCall, Usage, image

_HOME = {
    "Account": "budget",
    "BM25": "search",
    "Budget": "budget",
    "CassetteMiss": "errors",
    "Client": "client",
    "ContextOverflow": "errors",
    "Encoder": "embeddings",
    "EndpointDown": "errors",
    "Evidence": "search",
    "Hit": "search",
    "Hybrid": "search",
    "KeyRefused": "errors",
    "Message": "types",
    "ModelError": "errors",
    "ModelUnknown": "errors",
    "Reply": "types",
    "Request": "types",
    "ReplyTooLong": "errors",
    "RequestRefused": "errors",
    "Score": "scorer",
    "Scorer": "scorer",
    "Spent": "budget",
    "StructuredOutputError": "errors",
    "Tool": "types",
    "ToolCall": "types",
    "Usage": "types",
    "embed": "embeddings",
    "encoder": "embeddings",
    "engine": "",
    "image": "types",
}

__all__ = [
    "BM25",
    "Account",
    "Budget",
    "CassetteMiss",
    "Client",
    "ContextOverflow",
    "Encoder",
    "EndpointDown",
    "Evidence",
    "Hit",
    "Hybrid",
    "KeyRefused",
    "Message",
    "ModelError",
    "ModelUnknown",
    "Reply",
    "ReplyTooLong",
    "Request",
    "RequestRefused",
    "Score",
    "Scorer",
    "Spent",
    "StructuredOutputError",
    "Tool",
    "ToolCall",
    "Usage",
    "embed",
    "encoder",
    "engine",
    "image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _HOME[name]:
        return import_module(f"tenfold.llm.{name}")
    return getattr(import_module(f"tenfold.llm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
