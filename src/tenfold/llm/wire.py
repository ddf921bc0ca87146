"""Requests and replies in the form of OpenAI's chat completions."""

from collections.abc import Mapping
from typing import Any

from tenfold.llm.errors import RequestRefused, Transient
from tenfold.llm.tokens import estimated_usage
from tenfold.llm.types import Message, Reply, Request, ToolCall, Usage

__all__ = ["arguments", "reply", "schema_in_prompt", "usage"]


def arguments(request: Request, model: str) -> dict[str, Any]:
    """The body of a request; what has its default is left out, for servers that know fewer settings."""
    body: dict[str, Any] = {
        "model": request.model or model,
        "messages": [_message(message) for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    optional = {
        "top_p": request.top_p if request.top_p != 1.0 else None,
        "n": request.n if request.n != 1 else None,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "response_format": _response_format(request.json_schema) if request.json_schema else None,
        "tools": [_tool(tool) for tool in request.tools] or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def reply(body: Any, request: Request, model: str, latency: float) -> Reply:
    """The reply in an answer's body.

    Raises:
        Transient: the body has another form.
        RequestRefused: it has fewer texts than the request wanted.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, list) or not choices:
        raise Transient(f"the answer is no chat completion: {_short(body)}", billed=True)
    try:
        messages = [choice["message"] for choice in choices]
        texts = tuple(str(message.get("content") or message.get("refusal") or "") for message in messages)
        reasons = tuple(str(choice.get("finish_reason") or "stop") for choice in choices)
        calls = tuple(_call(call) for call in messages[0].get("tool_calls") or ())
    except (KeyError, TypeError, AttributeError):
        raise Transient(f"the answer is no chat completion: {_short(body)}", billed=True) from None
    if len(texts) < request.n:
        hint = "Send single requests with sample=0, 1, ... instead."
        raise RequestRefused(f"The server gave {len(texts)} of {request.n} wanted replies (n).", hint)
    counted = usage(body.get("usage")) or estimated_usage(request, texts)
    return Reply(texts, reasons, counted, None, latency, "live", "", calls, str(body.get("model") or model))


def usage(found: Any) -> Usage | None:
    """The server's count of tokens, or None if it gave none."""
    if not isinstance(found, Mapping):
        return None
    details = found.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    prompt, completion = _count(found.get("prompt_tokens")), _count(found.get("completion_tokens"))
    return Usage(prompt, completion, min(cached, prompt)) if prompt or completion else None


def schema_in_prompt(request: Request) -> Request:
    """The request with its schema as words at the end of the last message, for models that cannot be held to one."""
    import json

    if request.json_schema is None:
        return request
    words = (
        f"Answer with one JSON value and nothing else. It must follow this JSON schema:\n{json.dumps(request.json_schema)}"
    )
    *before, last = request.messages
    if isinstance(last.content, str):
        content: Any = f"{last.content}\n\n{words}"
    else:
        content = (*last.content, {"type": "text", "text": words})
    changed = Message(last.role, content, last.tool_calls, last.tool_call_id)
    return request.with_(messages=(*before, changed), json_schema=None)


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if not isinstance(message.content, str):
        body["content"] = [_part(part) for part in message.content]
    if message.tool_calls:
        functions = [(call.id, {"name": call.name, "arguments": call.arguments}) for call in message.tool_calls]
        body["tool_calls"] = [{"id": known, "type": "function", "function": function} for known, function in functions]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "image":
        return {"type": "image_url", "image_url": {"url": part["url"]}}
    return {"type": "text", "text": part["text"]}


def _tool(tool: Any) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": described}


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    described = {"name": "reply", "schema": dict(schema), "strict": _can_be_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


def _can_be_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes a schema: every object closed, every property required."""
    if isinstance(schema, list):
        return all(_can_be_strict(item) for item in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return "default" not in schema and all(_can_be_strict(value) for value in schema.values())


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(str(call.get("id") or ""), str(function["name"]), str(function.get("arguments") or "{}"))


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12 else 0


def _short(body: Any) -> str:
    return " ".join(str(body).split())[:200]
