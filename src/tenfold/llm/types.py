"""What goes to a model and what comes back. Plain frozen values: they are hashed, cached and replayed."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from tenfold.core.errors import BadInput

__all__ = ["Message", "Reply", "Request", "Tool", "ToolCall", "Usage", "image", "whole"]

Role = Literal["system", "user", "assistant", "tool"]
# "lost" stands in ledgers only: a try that may have been billed and whose answer never came.
Source = Literal["live", "cache", "cassette", "engine", "lost"]
_ROLES = ("system", "user", "assistant", "tool")


class _Item:
    """Attributes that can be read as items too: messages are often written as dictionaries, and `dict` makes one of them."""

    __slots__ = ()

    def keys(self) -> tuple[str, ...]:
        return tuple(item.name for item in fields(cast(Any, self)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError as error:
            raise KeyError(name) from error

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


@dataclass(frozen=True, slots=True)
class ToolCall(_Item):
    """A call of a tool that a model asks for. `arguments` is JSON text, as models write it (it may be broken)."""

    id: str
    name: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Tool(_Item):
    """A tool that a model may call. `parameters` is a JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class Message(_Item):
    """One message.

    Attributes:
        role: system, user, assistant or tool.
        content: text, or parts: {"type": "text", "text": ...} and {"type": "image", "url": "data:image/png;base64,..."}
            (`image` makes one from a file).
        tool_calls: calls that an assistant's message asks for.
        tool_call_id: which call a tool's message answers.
    """

    role: Role
    content: str | tuple[Mapping[str, Any], ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise BadInput(f"A message has the role {self.role!r}.", f"Roles are: {', '.join(_ROLES)}.")
        if not isinstance(self.content, (str, list, tuple)):
            raise BadInput(f"A message has the content {str(self.content)[:80]!r}.", "It is text, or a list of parts.")
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", tuple(_part(part) for part in self.content))

    @property
    def text(self) -> str:
        """Its text parts, joined."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part["text"] for part in self.content if part["type"] == "text")


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        messages: `Message`s, or dictionaries with the same fields.
        model: overrides the client's model name on the same server; None = the client's.
        temperature: 0 = the likeliest text.
        top_p: share of the probability that is drawn from, in (0, 1].
        max_tokens: of the reply.
        seed: for servers that take one.
        stop: texts that end the reply.
        n: independent replies wanted.
        json_schema: JSON schema that the reply must follow; sent to servers that can keep to one.
        tools: that the model may call.
        tag: ROLE:NAME for the ledger, e.g. "forward:first", "judge:R3"; not part of the key.
        sample: number of an independent draw at temperature > 0, so that draws can be repeated and cached.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tag: str = ""
    sample: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.messages, (list, tuple)) or not self.messages:
            raise BadInput("A request needs a list of at least one message.", "For example Request.of('Say yes.').")
        made = tuple(m if isinstance(m, Message) else _message(m) for m in self.messages)
        object.__setattr__(self, "messages", made)
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))

    @classmethod
    def of(cls, prompt: str, *, system: str = "", **settings: Any) -> "Request":
        """A request with one user message, and a system message if given."""
        messages = [Message("system", system)] if system else []
        return cls(messages=(*messages, Message("user", prompt)), **settings)

    @property
    def prompt(self) -> str:
        """The text of the last user message: what engines and scripts answer."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text
        return self.messages[-1].text

    @property
    def role(self) -> str:
        """The tag before its colon."""
        return self.tag.partition(":")[0]

    def with_(self, **changes: Any) -> "Request":
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, defaults left out."""
        found = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "messages" or value != item.default:
                found[item.name] = value
        found["messages"] = [_trimmed(message) for message in self.messages]
        if self.tools:
            found["tools"] = [asdict(tool) for tool in self.tools]
        found.update({name: list(value) for name, value in found.items() if isinstance(value, tuple)})
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Request":
        """The inverse of `to_dict`."""
        made = dict(found)
        made["tools"] = tuple(Tool(**tool) for tool in made.get("tools", ()))
        made["stop"] = tuple(made.get("stop", ()))
        return cls(**made)

    def key(self, backend: str) -> str:
        """SHA-256 of everything that the reply depends on.

        Args:
            backend: identity of what answers: address and model, or engine and version.
        """
        found = self.to_dict()
        found.pop("tag", None)
        text = json.dumps([backend, found], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `estimated` where the server did not count."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        texts: one for each of the request's n, `whole`.
        finish_reasons: "stop", "length", "tool_calls", ... for each.
        usage: tokens.
        cost: US dollars; None = unknown (never 0 for a model without a known price).
        latency: seconds until the whole reply was there; 0 for a replayed one.
        source: where it came from.
        request_key: of the request; empty where no key was needed (a pure engine without cache or cassette).
        tool_calls: that the first text asks for.
        model: as the server named it.
    """

    texts: tuple[str, ...]
    finish_reasons: tuple[str, ...] = ("stop",)
    usage: Usage = Usage()
    cost: float | None = None
    latency: float = 0.0
    source: Source = "live"
    request_key: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""

    def __post_init__(self) -> None:
        for text in self.texts:
            if not text.isascii():
                object.__setattr__(self, "texts", tuple(whole(text) for text in self.texts))
                break

    @property
    def text(self) -> str:
        """The first text."""
        return self.texts[0] if self.texts else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**asdict(self), "texts": list(self.texts), "finish_reasons": list(self.finish_reasons)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any], **changes: Any) -> "Reply":
        """The inverse of `to_dict`, with some fields changed."""
        made = {**found, **changes}
        made["texts"], made["finish_reasons"] = tuple(made["texts"]), tuple(made.get("finish_reasons", ("stop",)))
        if not isinstance(made.get("usage"), Usage):
            made["usage"] = Usage(**made.get("usage", {}))
        made["tool_calls"] = tuple(ToolCall(**call) for call in made.get("tool_calls", ()))
        return cls(**made)


def whole(text: str) -> str:
    """The text with halves of characters (lone surrogates), which JSON can say and no file can hold, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def image(source: str | Path | bytes, mime: str = "") -> dict[str, str]:
    """An image part for `Message.content`, from a file's path or its bytes.

    Raises:
        BadInput: the file cannot be read or is no PNG, JPEG, GIF or WebP.
    """
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise BadInput(f"The image {source} cannot be read: {error.strerror or error}.") from error
    found = mime or _image_type(data)
    if not found:
        raise BadInput(f"{'The image' if isinstance(source, bytes) else source} is not a PNG, JPEG, GIF or WebP.")
    return {"type": "image", "url": f"data:{found};base64,{base64.b64encode(data).decode()}"}


def _image_type(data: bytes) -> str:
    for start, mime in ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif")):
        if data.startswith(start):
            return mime
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def _message(found: Any) -> Message:
    if not isinstance(found, Mapping) or "role" not in found:
        raise BadInput(f"A message must have a role and content; this is {str(found)[:80]!r}.")
    calls = tuple(call if isinstance(call, ToolCall) else ToolCall(**call) for call in found.get("tool_calls") or ())
    return Message(found["role"], found.get("content") or "", calls, found.get("tool_call_id") or "")


def _part(part: Any) -> Mapping[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "image_url":  # as OpenAI's API writes it
        found = part.get("image_url")
        return {"type": "image", "url": found["url"] if isinstance(found, Mapping) else str(found)}
    if kind == "image" and isinstance(part.get("url"), str):
        return {"type": "image", "url": part["url"]}
    raise BadInput(f"A message has a part that is neither text nor image: {str(part)[:80]!r}.")


def _trimmed(message: Message) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else [dict(part) for part in message.content]
    found: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        found["tool_calls"] = [asdict(call) for call in message.tool_calls]
    if message.tool_call_id:
        found["tool_call_id"] = message.tool_call_id
    return found
