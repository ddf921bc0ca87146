"""Graphs, questions and a pure backend for the tests of this folder."""

from collections.abc import Callable
from typing import Any

from tenfold.llm.client import Client
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.graph import Graph


class Pure:
    """A backend that answers at once, from a function of the request, as engines do."""

    source, is_free, takes_schema, endpoint, model = "engine", True, False, "pure", "pure"

    def __init__(self, function: Callable[[Request], str], identity: str = "engine:pure") -> None:
        self.function, self.identity = function, identity

    def answer(self, request: Request) -> Reply:
        return Reply((self.function(request),), source="engine", cost=0.0)

    async def complete(self, request: Request) -> Reply:
        return self.answer(request)

    async def aclose(self) -> None:
        pass


class Slow:
    """A backend that answers later; `delay(request)` seconds decide who comes first. An exception as answer is raised."""

    source, is_free, endpoint, model = "live", True, "slow", "slow"

    def __init__(
        self, function: Callable[[Request], Any], delay: Callable[[Request], float], takes_schema: bool = False
    ) -> None:
        self.function, self.delay, self.identity, self.takes_schema = function, delay, "slow", takes_schema
        self.most = self.flying = 0
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        import asyncio

        self.requests.append(request)
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(self.delay(request))
        self.flying -= 1
        answer = self.function(request)
        if isinstance(answer, BaseException):
            raise answer
        return Reply((answer,), source="live", cost=0.0)

    async def aclose(self) -> None:
        pass


def pure(function: Callable[[Request], str]) -> Client:
    return Client("pure", backend=Pure(function))  # pyright: ignore[reportArgumentType]


def slow(function: Callable[[Request], Any], delay: Callable[[Request], float] = lambda r: 0.0, **settings: Any) -> Client:
    backend = Slow(function, delay, settings.pop("takes_schema", False))
    return Client("slow", backend=backend, **settings)  # pyright: ignore[reportArgumentType]


def two_leaves(first: str = "Evaluate bracket 1.", second: str = "Evaluate bracket 2.", answer: str = "Add.") -> Graph:
    graph = Graph()
    a = graph.node("first", first, inputs=["question"])
    b = graph.node("second", second, inputs=["question"])
    graph.node("answer", answer, inputs=["question", a, b], output=True)
    return graph


def questions(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"question": f"QUESTION-{i}", "target": str(i % 3)} for i in range(start, start + count)]
