"""What can go wrong with a model, and which of it is worth another try.

| error | when | another try |
|---|---|---|
| `Transient` | 408, 409, 429, 5xx, timeout, reset, half a body, a body that is no JSON; inside this package only | yes |
| `KeyRefused` | 401, 403, no key | no, ends the run |
| `ModelUnknown` | 404 | no, ends the run |
| `ContextOverflow` | the prompt is longer than the model reads | no |
| `RequestRefused` | any other 4xx | no |
| `ReplyTooLong` | the reply passes `reply_limit` bytes | no |
| `ScriptFailed` | a script raised, took too long, or returned no text | no |
| `EndpointDown` | not reachable; every try failed; the circuit breaker opened | no, ends the run |
| `CassetteMiss` | strict replay has no such request | no, ends the run |
| `StructuredOutputError` | the reply does not fit the wanted type, after one repair | no |

Their words may be a server's, which may repeat a key: they are scrubbed here, in one place.
"""

from tenfold.core.errors import TenfoldError
from tenfold.llm.secrets import scrub

__all__ = [
    "CassetteMiss",
    "ContextOverflow",
    "EndpointDown",
    "KeyRefused",
    "ModelError",
    "ModelUnknown",
    "ReplyTooLong",
    "RequestRefused",
    "ScriptFailed",
    "StructuredOutputError",
    "Transient",
]


class ModelError(TenfoldError):
    """A model gave no usable reply.

    Attributes:
        ends_run: whether every further request would fail in the same way.
        billed: whether the request may have been worked on and billed all the same.
    """

    ends_run = False
    billed = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(scrub(message), scrub(hint))


class RequestRefused(ModelError):
    """The server refused this request; the message holds its own words."""


class KeyRefused(RequestRefused):
    """The server does not accept the key (401), or not for this (403); or there is none to send."""

    ends_run = True


class ModelUnknown(RequestRefused):
    """The server has no such model or path (404)."""

    ends_run = True


class ContextOverflow(RequestRefused):
    """The prompt is longer than the model reads.

    Attributes:
        tokens: of the prompt, as far as known, else None.
        limit: of the model, as far as known, else None.
    """

    def __init__(self, message: str, hint: str = "", *, tokens: int | None = None, limit: int | None = None) -> None:
        super().__init__(message, hint)
        self.tokens = tokens
        self.limit = limit


class ReplyTooLong(RequestRefused):
    """The reply passes `reply_limit` bytes; the rest of it was not read."""

    billed = True


class ScriptFailed(RequestRefused):
    """A script raised, took too long, or returned no text."""


class EndpointDown(ModelError):
    """The server could not be reached, or answered no try."""

    ends_run = True


class CassetteMiss(ModelError):
    """Strict replay met a request that was not recorded.

    Attributes:
        diff: lines in which it differs from the nearest recorded request, unified format; empty if there is none.
    """

    ends_run = True

    def __init__(self, message: str, hint: str = "", *, diff: str = "") -> None:
        super().__init__(message, hint)
        self.diff = diff


class StructuredOutputError(ModelError):
    """The reply does not fit the wanted type, after one repair.

    Attributes:
        raw: the last reply's text.
    """

    def __init__(self, message: str, hint: str = "", *, raw: str = "") -> None:
        super().__init__(message, hint)
        self.raw = raw


class Transient(Exception):
    """A try failed in a way that may pass. Backends raise it; the retry layer turns the last one into `EndpointDown`.

    Attributes:
        message: what happened, one clause without a full stop.
        retry_after: seconds that the server asked to wait, or None.
        billed: whether the request may have been worked on and billed although its answer was lost.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, billed: bool = False) -> None:
        super().__init__(scrub(message))
        self.message = scrub(message)
        self.retry_after = retry_after
        self.billed = billed
