"""Models for tests: functions that answer the real prompts, and write down what they saw."""

from collections.abc import Callable

from tenfold import llm
from tenfold.judge.types import Requirement, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm.script import Script
from tenfold.llm.types import Request


class Model:
    """A scripted model. `answers` maps a module (locate, read, retrieve, plan, ask, answer) to a text or a function."""

    def __init__(self, **answers: str | Callable[[Request], str]) -> None:
        self.answers = {"ask": "<SATISFIED> It is there.", "locate": "none", **answers}
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> str:
        self.requests.append(request)
        answer = self.answers[request.role]
        return answer if isinstance(answer, str) else answer(request)

    def client(self, **settings) -> llm.Client:
        return llm.Client(backend=Script(self, "script:test"), **settings)

    def of(self, module: str) -> list[Request]:
        return [request for request in self.requests if request.role == module]

    def counts(self) -> dict[str, int]:
        return {role: len(self.of(role)) for role in dict.fromkeys(r.role for r in self.requests)}


def made(files: dict[str, str | bytes], name: str = "work") -> Workspace:
    """A workspace in memory."""
    return Workspace.of(name, {path: text.encode() if isinstance(text, str) else text for path, text in files.items()})


def wanted(*criteria: str, query: str = "Make it.", prerequisites: dict[str, tuple[str, ...]] | None = None) -> Requirements:
    """Requirements numbered from 0."""
    given = prerequisites or {}
    items = tuple(Requirement(str(i), text, given.get(str(i), ())) for i, text in enumerate(criteria))
    return Requirements("task", items, query)


def png(side: int = 32, shade: int = 0) -> bytes:
    """A small picture that is not uniform."""
    import struct
    import zlib

    rows = b"".join(b"\0" + bytes((x * 7 + y * 3 + shade) % 256 for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    made = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)
