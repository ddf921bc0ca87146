"""Replies as pydantic models: the server keeps to the schema if it can, one repair if the reply does not fit."""

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from tenfold.core.errors import BadInput
from tenfold.llm.errors import StructuredOutputError
from tenfold.llm.types import Message, Reply, Request
from tenfold.llm.wire import schema_in_prompt

if TYPE_CHECKING:
    from tenfold.llm.client import Client

__all__ = ["parse", "structured"]

Model = TypeVar("Model")

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)


async def structured(client: "Client", request: Request, model: type[Model]) -> Model:
    """A reply as an instance of a pydantic model.

    The request carries the schema; a server that takes none gets it in the prompt (that is found out once for each
    client). If the reply does not fit, the model is shown its reply, what is wrong and the schema, once.

    Args:
        client: asks.
        request: what to ask; its json_schema is replaced by the model's.
        model: a pydantic model class.

    Raises:
        StructuredOutputError: the second reply does not fit either; `.raw` is its text.
        BadInput: not a pydantic model class.
    """
    schema = _schema(model)
    request = request.with_(json_schema=schema)
    reply = await client.complete(request)
    made, wrong = parse(reply.text, model)
    if made is not None:
        return made
    reply = await client.complete(_repair(request, reply, wrong))
    made, wrong = parse(reply.text, model)
    if made is not None:
        return made
    message = f"The reply does not fit {model.__name__}, after one repair: {wrong}"
    raise StructuredOutputError(message, "Ask more plainly, or use a model that keeps to a schema.", raw=reply.text)


def parse(text: str, model: type[Model]) -> tuple[Model | None, str]:
    """An instance from a reply's text, which may stand in a code fence or between other words, or what is wrong with it.

    Args:
        text: the reply.
        model: a pydantic model class.
    """
    from pydantic import ValidationError

    wrong = "it holds no JSON"
    for candidate in _candidates(text):
        try:
            return model.model_validate_json(candidate), ""  # pyright: ignore[reportAttributeAccessIssue]
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'reply'}: {item['msg']}" for item in error.errors()[:5])
    return None, wrong


def _candidates(text: str) -> list[str]:
    found = [text.strip(), *(match.strip() for match in _FENCE.findall(text))]
    for opening, closing in (("{", "}"), ("[", "]")):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            found.append(text[start : end + 1])
    return [candidate for candidate in dict.fromkeys(found) if candidate[:1] in ("{", "[", '"') or _is_json(candidate)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _repair(request: Request, reply: Reply, wrong: str) -> Request:
    asked = Message("user", f"Your reply does not fit: {wrong}. Give the whole reply again.")
    shown = schema_in_prompt(request.with_(messages=(*request.messages, Message("assistant", reply.text), asked)))
    return shown.with_(json_schema=request.json_schema)


def _schema(model: Any) -> dict[str, Any]:
    try:
        return model.model_json_schema()
    except AttributeError:
        raise BadInput(f"{model!r} is no pydantic model.", "Give a class that derives from pydantic.BaseModel.") from None
