"""An OpenAI-compatible server on loopback that behaves and misbehaves as told. It runs in a thread of the test's process,
or by itself: `python -m tests.llm.stub_server --latency 0.05` prints its address and serves until it is killed.

    with StubServer(["429", "normal"]) as server:
        client = llm.Client(f"{server.url}#stub")

Each request takes the next behaviour of the list, then `default`. Behaviours: see `_BEHAVIOURS`.
"""

import argparse
import asyncio
import base64
import gzip
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["StubServer"]

MODELS = ("stub", "stub-large")


class StubServer:
    """The server.

    Args:
        behaviours: of the first requests for completions, by name, or dictionaries {"name": ..., options}.
        default: of all further ones.
        answer: request body -> text of the reply; None = "echo: " and the last user text.
        latency: seconds before each answer.
        key: if given, another bearer token is answered with 401.
        usage: whether answers count tokens.
        schema: whether it takes response_format.
    """

    def __init__(
        self,
        behaviours: Iterable[str | dict[str, Any]] = (),
        *,
        default: str | dict[str, Any] = "normal",
        answer: Callable[[dict[str, Any]], str] | None = None,
        latency: float = 0.0,
        key: str | None = None,
        usage: bool = True,
        schema: bool = True,
        port: int = 0,
    ) -> None:
        self._behaviours, self._default = list(behaviours), default
        self.answer, self.latency, self.key, self.usage, self.schema = answer or _echo, latency, key, usage, schema
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.paths: list[str] = []
        self.in_flight = self.most_in_flight = self.answered = 0
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    @property
    def count(self) -> int:
        """Requests for completions so far."""
        return len(self.bodies)

    def __enter__(self) -> "StubServer":
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", self._port), self._loop)
        self._server = started.result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ", 2)
                headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                content = await reader.readexactly(int(headers.get("content-length", "0")))
                self.paths.append(f"{method} {path}")
                if not await self._respond(path, headers, content, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _respond(self, path: str, headers: dict[str, str], content: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        self.headers.append(headers)
        said = headers.get("authorization", "").removeprefix("Bearer ")
        if self.key is not None and said != self.key:
            return await _send(writer, 401, _error(f"Incorrect API key provided: {said}.", "invalid_api_key"))
        if path == "/v1/models":
            return await _send(writer, 200, {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
        if path == "/v1/embeddings":
            return await _send(writer, 200, _embeddings(json.loads(content)))
        if path != "/v1/chat/completions":
            return await _send(writer, 404, _error(f"no such path {path}", "not_found"))
        body = json.loads(content)
        behaviour = self._behaviours.pop(0) if self._behaviours else self._default
        options = {"name": behaviour} if isinstance(behaviour, str) else dict(behaviour)
        self.bodies.append(body)
        self.times.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            return await self._behave(options, body, said, writer)
        finally:
            self.in_flight -= 1

    async def _behave(self, options: dict[str, Any], body: dict[str, Any], key: str, writer: asyncio.StreamWriter) -> bool:
        name = options.pop("name")
        if "response_format" in body and not self.schema:
            return await _send(writer, 400, _error("'response_format' of type json_schema is not supported", "bad_request"))
        if body["model"] not in MODELS:
            return await _send(writer, 404, _error(f"The model `{body['model']}` does not exist", "model_not_found"))
        if name in _BEHAVIOURS:
            return await _BEHAVIOURS[name](self, writer, body, key, **options)
        self.answered += 1
        if body.get("stream"):
            return await self._stream(writer, body)
        return await _send(writer, 200, self._completion(body, self.answer(body)))

    def _completion(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        reason = "stop"
        if body.get("tools"):
            function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"x": 1}'}
            message = {
                **message,
                "content": None,
                "tool_calls": [{"id": "call-1", "type": "function", "function": function}],
            }
            reason = "tool_calls"
        choices = [{"index": i, "finish_reason": reason, "message": message} for i in range(body.get("n") or 1)]
        made = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": choices}
        return {**made, "usage": _usage(body, text)} if self.usage else made

    async def _stream(self, writer: asyncio.StreamWriter, body: dict[str, Any], cut: int | None = None) -> bool:
        text = self.answer(body)
        pieces = [text[i : i + 4] for i in range(0, len(text), 4)][:cut]
        base = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
        chunks = [{**base, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        if cut is None:
            chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            if (body.get("stream_options") or {}).get("include_usage"):
                chunks.append({**base, "choices": [], "usage": _usage(body, text)})
        for chunk in [*map(json.dumps, chunks), *(["[DONE]"] if cut is None else [])]:
            data = f"data: {chunk}\n\n".encode()
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
        if cut is None:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return cut is None

    async def _half(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str) -> bool:
        if body.get("stream"):
            return await self._stream(writer, body, cut=2)
        data = json.dumps(self._completion(body, self.answer(body))).encode()
        writer.write(_head(200, {}, len(data)) + data[: len(data) // 2])
        await writer.drain()
        return False

    async def _junk(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str, text: str = "<html>oops") -> bool:
        return await _send(writer, 200, text.encode())

    async def _packed(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str) -> bool:
        data = gzip.compress(json.dumps(self._completion(body, self.answer(body))).encode())
        return await _send(writer, 200, data, {"content-encoding": "gzip"})

    async def _endless(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str, **how: Any) -> bool:
        """A body that goes on until the client hangs up: plain, or gzip of which a kilobyte swells to a megabyte."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31) if how.get("gzip") else None
        headers = {"transfer-encoding": "chunked", **({"content-encoding": "gzip"} if packer else {})}
        lines = [f"HTTP/1.1 {how.get('status', 200)} X", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        while not writer.is_closing():
            plain = b" " * (1 << 20 if packer else 1 << 14)
            data = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else plain
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
        return False

    async def _slow(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str, seconds: float = 30.0) -> bool:
        await asyncio.sleep(seconds)
        return await _send(writer, 200, self._completion(body, self.answer(body)))

    async def _drip(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str, seconds: float = 30.0) -> bool:
        """One byte now and then: no single read takes long."""
        data = json.dumps(self._completion(body, self.answer(body))).encode()
        writer.write(_head(200, {}, len(data)))
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds / len(data))
        return True

    async def _refuse(
        self,
        writer: asyncio.StreamWriter,
        body: dict[str, Any],
        key: str,
        status: int = 500,
        message: str = "it broke",
        code: str = "",
        headers: dict[str, str] | None = None,
    ) -> bool:
        return await _send(writer, status, _error(message.replace("{key}", key), code), headers or {})

    async def _reset(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str) -> bool:
        import socket

        # Linger for no time: the kernel sends a reset instead of an orderly end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False


def _refusal(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> Callable[..., Any]:
    def behave(server: StubServer, writer: asyncio.StreamWriter, body: dict[str, Any], key: str) -> Any:
        return server._refuse(writer, body, key, status, message, code, headers)

    return behave


OVERFLOW = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages."

_BEHAVIOURS: dict[str, Callable[..., Any]] = {
    "408": _refusal(408, "timed out"),
    "409": _refusal(409, "conflict"),
    "429": _refusal(429, "slow down"),
    "429-after": _refusal(429, "slow down", headers={"retry-after": "0.3"}),
    "429-quota": _refusal(429, "You exceeded your current quota", "insufficient_quota"),
    "500": _refusal(500, "it broke"),
    "503": _refusal(503, "overloaded"),
    "400": _refusal(400, "temperature must be at most 2"),
    "401": _refusal(401, "Incorrect API key provided: {key}."),
    "403": _refusal(403, "This key {key} may not do this."),
    "404": _refusal(404, "The model does not exist", "model_not_found"),
    "overflow": _refusal(400, OVERFLOW, "context_length_exceeded"),
    "max_tokens": _refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
    "half": StubServer._half,
    "reset": StubServer._reset,
    "junk": StubServer._junk,
    "packed": StubServer._packed,
    "endless": StubServer._endless,
    "slow": StubServer._slow,
    "drip": StubServer._drip,
    "refuse": StubServer._refuse,
}


def _head(status: int, headers: dict[str, str], length: int, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {length}"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


async def _send(writer: asyncio.StreamWriter, status: int, body: Any, headers: dict[str, str] | None = None) -> bool:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    writer.write(_head(status, headers or {}, len(data)) + data)
    await writer.drain()
    return True


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code or None}}


def _usage(body: dict[str, Any], text: str) -> dict[str, Any]:
    prompt = sum(len(_text(message)) for message in body["messages"]) // 4 + 3
    return {"prompt_tokens": prompt, "completion_tokens": len(text) // 4 + 1, "total_tokens": prompt + len(text) // 4 + 1}


def _echo(body: dict[str, Any]) -> str:
    last = body["messages"][-1]
    images = [part for part in last["content"] if part["type"] == "image_url"] if isinstance(last["content"], list) else []
    sizes = [len(base64.b64decode(part["image_url"]["url"].partition(",")[2])) for part in images]
    return f"echo: {_text(last)}" + "".join(f" [image of {size} bytes]" for size in sizes)


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    rows = [{"object": "embedding", "index": i, "embedding": _vector(text)} for i, text in enumerate(texts)]
    return {"object": "list", "data": rows[::-1], "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def _vector(text: str) -> list[float]:
    counts = [float(text.count(letter)) for letter in "abcdefgh"]
    length = sum(x * x for x in counts) ** 0.5 or 1.0
    return [x / length for x in counts]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--answer", help="text of every reply; without it, an echo")
    options = parser.parse_args()
    answer = None if options.answer is None else lambda body: options.answer
    with StubServer(answer=answer, latency=options.latency, port=options.port) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
