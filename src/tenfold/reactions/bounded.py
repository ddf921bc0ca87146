"""The best answers within a time limit: one whole answer first, then better ones in the time that is left."""

import time
from collections.abc import Callable
from typing import Any

from tenfold.reactions.batching import Answer, Hypothesis

__all__ = ["decode_within"]


def decode_within(
    decode: Callable[..., tuple[list[Answer], int]], seconds: float, *, decoding: str, n: int, **options: Any
) -> list[Answer]:
    """Decode queries for a limited time.

    A beam search that is stopped holds only the beginnings of its answers. So a greedy answer comes first, which takes a
    tenth of the calls; the search's list, if it ends in time, is what it is without a limit.

    Args:
        decode: `decoding.decode_rows` with its model and its queries.
        seconds: from now; above 0.
        decoding: of `decoding.Decoding`.
        n: outputs of a query; a query whose time was out may have fewer.
        options: further arguments of `decode`.
    """
    end = time.monotonic() + seconds
    if n == 1 and decoding not in ("beam", "exact", "sbs"):
        return decode(decoding=decoding, n=1, time_limit=seconds, **options)[0]
    quick, _ = decode(decoding="speculative" if options.get("cache", True) else "greedy", n=1, time_limit=seconds, **options)
    found, _ = decode(decoding=decoding, n=n, time_limit=max(0.0, end - time.monotonic()), **options)
    return [_better(first, listed, n) for first, listed in zip(quick, found, strict=True)]


def _better(first: Answer, listed: Answer, n: int) -> Answer:
    """The list if it is finished; else what is whole in either, the likeliest first, and beginnings only if nothing is."""
    calls, verified = first.calls + listed.calls, first.verified + listed.verified
    if not listed.is_timed_out:
        return listed._replace(calls=calls, verified=verified)
    whole = {tuple(one.ids): one for one in (*first.hypotheses, *listed.hypotheses) if one.is_complete}
    kept = sorted(whole.values(), key=_likelihood)[:n] or first.hypotheses
    copied = first.copied if kept[0] == first.hypotheses[0] else []
    return Answer(kept, calls, verified, copied, True)


def _likelihood(one: Hypothesis) -> float:
    return -one.log_probability
