"""Vectors from the `/embeddings` of an OpenAI-compatible server."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import BadInput
from tenfold.llm import background
from tenfold.llm.budget import Account, Budget, Claim
from tenfold.llm.embeddings import Encoder
from tenfold.llm.limits import Limits
from tenfold.llm.models import open_backend
from tenfold.llm.prices import Prices
from tenfold.llm.retry import Retry
from tenfold.llm.tokens import estimate
from tenfold.llm.types import Usage

__all__ = ["server_encoder"]

_BATCH, _IN_FLIGHT, _TRIES, _FIRST = 64, 8, 6, 0.5


def server_encoder(
    model: str,
    *,
    key_file: str | os.PathLike[str] | None = None,
    budget: Budget | Account | None = None,
    timeout: float = 60.0,
    backoff: float = _FIRST,
) -> Encoder:
    """The encoder of "http://host:port/v1#MODEL" or "openai:MODEL"; requests of 64 texts, 8 in flight, retried as chats are.

    Args:
        model: a model string.
        key_file: holds the key; None = environment.
        budget: each request of 64 texts counts as one call, in the role "embed"; tokens are estimated.
        timeout: seconds for one try.
        backoff: seconds before the second try.

    Raises:
        BadInput: not such a model string, or a budget of money for a model without a known price.
    """
    backend: Any = open_backend(model, timeout=timeout, key_file=key_file)
    account = budget if isinstance(budget, Account) else Account(budget)
    price = Prices.load(None).of(backend.model)
    if price is None and account.budget.usd is not None:
        raise BadInput(
            f"The price of {backend.model!r} is unknown.", "Add it to the price file, or drop the budget in dollars."
        )
    retry, limits = Retry(backend.endpoint, tries=_TRIES, first=backoff, seed=0), Limits.of(backend.endpoint, None, None)

    async def one(texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = sum(estimate(text) for text in texts)
        usage = Usage(tokens, 0, 0, True)
        hold = await account.reserve("embed", Claim(tokens, 0, price.worst(tokens, 0) if price else 0.0))
        try:
            rows: Any = await retry.call(lambda: backend.embed(texts), hold, limits)
            hold.settle(usage, price and price.cost(usage))
        finally:
            hold.close()
        return _checked(rows, len(texts), backend.identity)

    async def every(texts: Sequence[str]) -> NDArray[np.float32]:
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def in_turn(start: int) -> NDArray[np.float32]:
            async with slots:
                return await one(texts[start : start + _BATCH])

        try:
            async with account.deadline():
                return np.concatenate(await asyncio.gather(*map(in_turn, range(0, len(texts), _BATCH))))
        finally:
            await backend.aclose()

    return Encoder(backend.identity, lambda texts: background.run(every(texts)))


def _checked(rows: list[list[float]], count: int, identity: str) -> NDArray[np.float32]:
    if len(rows) != count or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise BadInput(f"{identity} returned {len(rows)} vectors for {count} texts, or of different lengths.")
    return np.array(rows, np.float32)
