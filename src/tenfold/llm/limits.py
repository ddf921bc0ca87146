"""Requests and tokens a minute, shared by the process's clients of one endpoint.

Each limit is a token bucket that holds what one second lets through (at least one request) and is refilled so that no
window of sixty seconds passes the limit. Requests take their place in line at once and then sleep, so the order is that
of arrival and nobody starves.
"""

import asyncio
import threading
import time
from weakref import WeakValueDictionary

from tenfold.llm.budget import Claim
from tenfold.llm.types import Usage

__all__ = ["Bucket", "Limits"]


class Bucket:
    """A token bucket.

    Args:
        limit: what any sixty seconds let through.
    """

    def __init__(self, limit: float) -> None:
        self.lock = threading.Lock()
        self.set(limit)
        self._ready = 0.0

    def set(self, limit: float) -> None:
        """Change the limit."""
        self.limit = limit
        self._burst = max(1.0, limit / 60)
        # A full bucket adds to what flows in during a window; a bucket of one does not: it only spaces requests.
        self._rate = (limit - (self._burst if self._burst > 1 else 0.0)) / 60

    def take(self, amount: float, now: float) -> float:
        """Take an amount out. A full bucket lets more through than it holds, after which others wait the longer.

        Returns:
            Seconds to wait before it may be used.
        """
        with self.lock:
            filled = max(self._ready, now - self._burst / self._rate)
            self._ready = filled + amount / self._rate
            return max(0.0, filled + min(amount, self._burst) / self._rate - now)

    def give(self, amount: float) -> None:
        """Put back what was taken too much."""
        with self.lock:
            self._ready -= amount / self._rate


class Limits:
    """The limits of one endpoint. Of different limits that clients state for one endpoint, the lowest holds.

    Args:
        rpm: requests a minute, or None.
        tpm: tokens a minute, or None; requests take their worst case and give the rest back with the reply.
    """

    def __init__(self, rpm: Bucket | None, tpm: Bucket | None) -> None:
        self._rpm, self._tpm = rpm, tpm

    @classmethod
    def of(cls, endpoint: str, rpm: float | None, tpm: float | None) -> "Limits":
        """The limits that the clients of an endpoint share."""
        return cls(_shared(endpoint, "requests", rpm), _shared(endpoint, "tokens", tpm))

    async def wait(self, claim: Claim) -> None:
        """Wait until a request may be sent."""
        now = time.monotonic()
        delay = self._rpm.take(1, now) if self._rpm else 0.0
        if self._tpm:
            delay = max(delay, self._tpm.take(claim.prompt + claim.completion, now))
        if delay > 0:
            await asyncio.sleep(delay)

    def settle(self, claim: Claim, usage: Usage) -> None:
        """Give back the tokens that the reply did not need."""
        if self._tpm:
            self._tpm.give(max(0, claim.prompt + claim.completion - usage.total))


_buckets: WeakValueDictionary[tuple[str, str], Bucket] = WeakValueDictionary()
_lock = threading.Lock()


def _shared(endpoint: str, kind: str, limit: float | None) -> Bucket | None:
    if limit is None:
        return None
    with _lock:
        bucket = _buckets.get((endpoint, kind))
        if bucket is None:
            bucket = _buckets[endpoint, kind] = Bucket(limit)
        elif limit < bucket.limit:
            bucket.set(limit)
        return bucket
