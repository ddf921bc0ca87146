"""What a server's refusal means: its status and words become one of our errors."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from tenfold.core.errors import TenfoldError
from tenfold.llm.errors import ContextOverflow, KeyRefused, ModelUnknown, RequestRefused, Transient
from tenfold.llm.secrets import host_variable

__all__ = ["meaning", "refused_parameter", "seconds_to_wait"]

_OVERFLOW = re.compile(
    r"context[_ ](?:length|window|size)|maximum (?:context|sequence|input|prompt) |prompt is too long|too many tokens"
    r"|exceeds? the (?:available |model'?s )?(?:context|maximum)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model[^.]{0,80}(?:not found|does not exist|not exist|unknown)|unknown model|no such model", re.IGNORECASE
)
_NUMBER = r"(\d[\d,]{0,11})"
_LIMIT = re.compile(rf"(?:maximum|limit|context (?:length|size|window))\D{{0,40}}{_NUMBER}", re.IGNORECASE)
# A word in a refusal, and the parameter that it speaks of.
_PARAMETERS = {
    "response_format": "response_format",
    "stream_options": "stream_options",
    "max_completion_tokens": "max_tokens",
}


def meaning(status: int, body: Any, headers: Mapping[str, str], endpoint: str, model: str) -> TenfoldError | Transient:
    """The error that an HTTP status of 300 or more stands for.

    Args:
        status: HTTP status.
        body: decoded JSON, or text.
        headers: of the response.
        endpoint: address, for the message.
        model: asked for.
    """
    words, code = _words(body)
    said = f"{endpoint} answered {status}" + (f": {words}" if words else "")
    if status < 400:
        return ModelUnknown(_sentence(f"{endpoint} has moved to {headers.get('location', 'nowhere')}"), "Use that address.")
    if status == 429 and code == "insufficient_quota":
        return KeyRefused(_sentence(said), "The account has no quota left: check its plan and billing.")
    if status in (408, 409, 429) or status >= 500:
        return Transient(
            f"it answered {status}{f': {words}' if words else ''}".rstrip("."),
            retry_after=seconds_to_wait(headers.get("retry-after"), time.time()),
        )
    if status in (401, 403):
        return KeyRefused(_sentence(said), f"Check the key in key_file, {host_variable(endpoint)} or OPENAI_API_KEY.")
    if status == 413 or code == "context_length_exceeded" or _OVERFLOW.search(f"{words} {code}"):
        tokens, limit = _sizes(body, words)
        hint = "Shorten the prompt, lower max_tokens, or use a model that reads more."
        return ContextOverflow(_sentence(said), hint, tokens=tokens, limit=limit)
    if status == 404 or code == "model_not_found" or _NO_MODEL.search(words):
        return ModelUnknown(_sentence(said), f"Is the model's name {model!r} right, and does the address end in /v1?")
    return RequestRefused(_sentence(said), "The server does not take this request as it is; see its words.")


def refused_parameter(status: int, body: Any) -> str | None:
    """The optional parameter that a server does not know and that we can do without, or None."""
    if status not in (400, 404, 415, 422, 501):
        return None
    words, code = _words(body)
    said = f"{words} {code}".lower()
    if "json_schema" in said or "json schema" in said or "structured output" in said:
        return "response_format"
    return next((parameter for word, parameter in _PARAMETERS.items() if word in said), None)


def seconds_to_wait(text: str | None, now: float) -> float | None:
    """Retry-After as seconds: a number or an HTTP date; None if absent or neither. At most a day."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), 86400.0) if seconds == seconds else None


def _words(body: Any) -> tuple[str, str]:
    """The server's message and error code, whatever form it gives them."""
    found = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(found, Mapping):
        message = found.get("message") or found.get("detail") or found.get("msg") or ""
        code = f"{found.get('code') or ''} {found.get('type') or ''}".split()
        return " ".join(str(message).split())[:400], code[0] if code else ""
    return " ".join(re.sub(r"<[^>]{0,200}>", " ", str(found or "")).split())[:400], ""


def _sizes(body: Any, words: str) -> tuple[int | None, int | None]:
    found = body.get("error", body) if isinstance(body, Mapping) else {}
    if isinstance(found, Mapping) and isinstance(found.get("n_prompt_tokens"), int):  # llama.cpp says it in fields
        limit = found.get("n_ctx")
        return found["n_prompt_tokens"], limit if isinstance(limit, int) else None
    match = _LIMIT.search(words)
    limit = int(match[1].replace(",", "")) if match else None
    numbers = [int(text.replace(",", "")) for text in re.findall(rf"{_NUMBER} (?:\w+ )?tokens", words)]
    return next((number for number in numbers if limit is not None and number > limit), None), limit


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
