"""Middleware around Gradio, which does not separate its users: any of them who knows a path may read the file there.

- A browser gets a random cookie; a file belongs to the browsers that uploaded it or were sent it. Requests that name
  another's file are refused, in the address and in the body (Gradio would open any path of its folder for a callback).
- `file=http...` is refused before Gradio looks the name up.
- A request body has a size limit, counted as it comes.
- Bound to loopback, only loopback names are served, so that no web page elsewhere can re-bind its name to us; writing
  requests must come from our own pages.
"""

import http.cookies
import json
import posixpath
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from tenfold.studio.passwords import is_loopback

__all__ = ["MAX_FILE", "MAX_REQUEST", "Guard"]

MAX_FILE, MAX_REQUEST = 64 << 20, 80 << 20
# Bodies of calls are JSON; anything near this size is no call.
MAX_CALL = 8 << 20
MAX_BROWSERS = 10_000
COOKIE = "tenfold_browser"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """A body grew above its limit while it came in."""


class Guard:
    """ASGI middleware.

    Args:
        app: the application inside.
        folder: the private folder; every path that this middleware guards begins with it.
        loopback_only: whether the server is bound to loopback.
    """

    def __init__(self, app: App, folder: str, loopback_only: bool = True) -> None:
        self.app, self.folder, self.loopback_only = app, folder, loopback_only
        self.owned: OrderedDict[str, set[str]] = OrderedDict()
        self._paths = re.compile(re.escape(folder.encode()) + rb"/[^\"\\<>\r\n]+")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no page of ours uses web sockets
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        browser, is_new = self._browser(headers)
        refusal = self._refuse(scope, headers, browser)
        if refusal:
            await _answer(send, *refusal)
            return
        try:
            receive = await self._checked(scope, receive, headers, browser)
            await self.app(scope, receive, self._remembering(send, browser, is_new))
        except _TooLarge:
            await _answer(send, 413, f"The upload is larger than {MAX_REQUEST >> 20} MB.")
        except PermissionError:
            await _answer(send, 403, "That file is not yours.")

    def _browser(self, headers: dict[str, str]) -> tuple[str, bool]:
        try:
            morsel = http.cookies.SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except http.cookies.CookieError:
            morsel = None
        if morsel is not None and morsel.value in self.owned:
            self.owned.move_to_end(morsel.value)
            return morsel.value, False
        token = secrets.token_urlsafe(32)
        self.owned[token] = set()
        while len(self.owned) > MAX_BROWSERS:
            self.owned.popitem(last=False)
        return token, True

    def _refuse(self, scope: Scope, headers: dict[str, str], browser: str) -> tuple[int, str] | None:
        if self.loopback_only and not is_loopback(_split(f"//{headers.get('host', '')}").hostname or ""):
            return 403, "This address is not served."
        origin = headers.get("origin")
        writes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if writes and origin and _split(origin).netloc != headers.get("host"):
            return 403, "This request comes from another site."
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > MAX_REQUEST:
            return 413, f"The upload is larger than {MAX_REQUEST >> 20} MB."
        return self._refuse_file(scope, browser)

    def _refuse_file(self, scope: Scope, browser: str) -> tuple[int, str] | None:
        path = _decoded(scope.get("raw_path", scope["path"].encode()).decode("latin-1"))
        _, marker, name = path.partition("file=")
        if not marker:
            _, marker, name = path.partition("/file/")
        if not marker:
            return None
        wanted = posixpath.normpath(name)
        if "://" in name or name.lower().startswith(("http:", "https:", "//")) or "\\" in name or "\0" in name:
            return 403, "Only files of this studio are served."
        if wanted not in self.owned.get(browser, ()):
            return 403, "That file is not yours."
        return None

    async def _checked(self, scope: Scope, receive: Receive, headers: dict[str, str], browser: str) -> Receive:
        """Count the body as it comes; of a call, read it whole and look at every path in it."""
        is_upload = scope["path"].endswith("/upload") or headers.get("content-type", "").startswith("multipart/")
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        limit = MAX_REQUEST if is_upload else MAX_CALL
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLarge
            return message

        if is_upload:
            return counted
        parts, more, last = [], True, {}
        while more:
            last = await counted()
            parts.append(last.get("body", b""))
            more = last.get("more_body", False)
        body = b"".join(parts)
        self._check_call(body, browser)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replay

    def _check_call(self, body: bytes, browser: str) -> None:
        try:
            call = json.loads(body) if body.strip() else None
        except (ValueError, RecursionError):
            call = None  # a form, such as the login's; it holds no files
            if self.folder.encode() in body:
                raise PermissionError from None
        for key, text in _strings(call):
            decoded = _decoded(text)
            names_file = key in ("path", "url") or self.folder in decoded
            if names_file and text and posixpath.normpath(decoded.rpartition("file=")[2]) not in self.owned.get(browser, ()):
                raise PermissionError

    def _remembering(self, send: Send, browser: str, is_new: bool) -> Send:
        """Give the browser its cookie, and the files whose paths it is sent."""
        rest = b""
        reads = False

        async def forward(message: Message) -> None:
            nonlocal rest, reads
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                reads = kind.startswith((b"application/json", b"text/event-stream"))
                message["headers"] = [*message["headers"], *_headers(browser if is_new else None)]
            elif reads and message.get("body"):
                text = rest + message["body"]
                for found in self._paths.finditer(text):
                    # A browser may have been forgotten meanwhile: MAX_BROWSERS others came.
                    self.owned.setdefault(browser, set()).add(
                        posixpath.normpath(unquote(found.group().decode("utf-8", "replace")))
                    )
                rest = text[-4096:]  # a path may be cut by the end of a message
            await send(message)

        return forward


def _headers(new_browser: str | None) -> list[tuple[bytes, bytes]]:
    fixed = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"x-frame-options", b"SAMEORIGIN"),
    ]
    if new_browser is not None:
        fixed.append((b"set-cookie", f"{COOKIE}={new_browser}; Path=/; HttpOnly; SameSite=Strict".encode()))
    return fixed


def _split(address: str) -> SplitResult:
    """The parts of an address; of a malformed one, none."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _decoded(text: str) -> str:
    """Percent codes undone until none is left: a path must not hide behind two of them."""
    for _ in range(5):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, key)


async def _answer(send: Send, status: int, words: str) -> None:
    body = json.dumps({"detail": words}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
