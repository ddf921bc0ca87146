"""Token ids in, token ids out, by any of the decoders."""

import weakref
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.reactions.batching import Answer, Hypothesis, Search, run
from tenfold.reactions.beam import BeamSearch
from tenfold.reactions.cached import CachedDecoder
from tenfold.reactions.drafting import Drafter, SuffixDrafter
from tenfold.reactions.greedy import GreedySearch
from tenfold.reactions.network import Transformer, TransformerConfig
from tenfold.reactions.pace import Pace, Plan
from tenfold.reactions.sbs import SpeculativeBeamSearch
from tenfold.reactions.tokens import BOS, PAD
from tenfold.reactions.uncached import UncachedDecoder
from tenfold.reactions.windows import SmartWindows, Windows

__all__ = ["Decoded", "Decoding", "decode", "decode_rows"]

Decoding = Literal["greedy", "speculative", "speculative-windows", "beam", "exact", "sbs"]

_GREEDY = ("greedy", "speculative", "speculative-windows")


class Decoded(NamedTuple):
    """Outputs as token ids.

    Attributes:
        ids: (batch, length) of the best outputs, or (batch, n, length) where `n` is more than 1; BOS ... EOS, then PAD.
            An output without EOS ran into `max_length` or the time limit.
        scores: (batch) or (batch, n) sums of the tokens' log-probabilities.
        calls: how often the decoder was called for the whole batch.
    """

    ids: Int[Tensor, "..."]
    scores: Float[Tensor, "..."]
    calls: int


def decode(
    model: Transformer | CachedDecoder | UncachedDecoder,
    source_ids: Int[Tensor, "batch source"],
    decoding: Decoding = "greedy",
    n: int = 1,
    max_length: int = 200,
    cache: bool = True,
    draft_length: int | None = None,
    draft_count: int | None = None,
    *,
    drafter: Drafter | None = None,
    batch_size: int | None = None,
    time_limit: float | None = None,
) -> Decoded:
    """Decode queries.

    Args:
        model: the network, or a `CachedDecoder` or `UncachedDecoder` made from it.
        source_ids: BOS ... EOS, padded on the right with PAD.
        decoding: "greedy"; "speculative" (the same outputs, sooner); "speculative-windows" (the same outputs, with the
            paper's drafts); "beam"; "exact" (the same list, sooner); "sbs" (the paper's speculative beam search, another
            list).
        n: outputs of a query; 1 for the first three.
        max_length: most tokens of an output, BOS and EOS included; never more than the network's positions.
        cache: False computes whole prefixes at every call, as the published code does.
        draft_length: most tokens of a draft; default: by `Plan`, 4 for "exact", 10 for the paper's.
        draft_count: drafts of an output verified together; default: by `Plan`, 1 for "exact", 23 for the paper's, 10 for
            "sbs".
        drafter: proposes drafts, default a `SuffixDrafter`; the paper's methods have their own.
        batch_size: most queries at a time; default all.
        time_limit: seconds after which the best outputs so far are returned.

    Raises:
        BadInput: an argument is out of its range, or a query has more tokens than the network has positions.
    """
    if source_ids.dim() != 2:
        raise BadInput(f"source_ids has {source_ids.dim()} dimensions; it must be (batch, source).")
    sources = [[token for token in row if token != PAD] for row in source_ids.tolist()]
    answers, calls = decode_rows(
        model, sources, decoding, n, max_length, cache, draft_length, draft_count,
        drafter=drafter, batch_size=batch_size, time_limit=time_limit,
    )  # fmt: skip
    none = Hypothesis([BOS], float("-inf"), False)  # stands where the time limit left fewer than n
    flat = [one for answer in answers for one in (*answer.hypotheses, *[none] * (n - len(answer.hypotheses)))]
    if not flat:
        raise BadInput("source_ids holds no query.")
    ids = nn.utils.rnn.pad_sequence([torch.tensor(one.ids) for one in flat], True, PAD).to(source_ids.device)
    scores = torch.tensor([one.log_probability for one in flat], device=source_ids.device)
    if n > 1:
        ids, scores = ids.view(len(answers), n, -1), scores.view(len(answers), n)
    return Decoded(ids, scores, calls)


def decode_rows(
    model: Transformer | CachedDecoder | UncachedDecoder,
    sources: Sequence[Sequence[int]],
    decoding: Decoding = "greedy",
    n: int = 1,
    max_length: int | Sequence[int] = 200,
    cache: bool = True,
    draft_length: int | None = None,
    draft_count: int | None = None,
    *,
    drafter: Drafter | None = None,
    batch_size: int | None = None,
    time_limit: float | None = None,
    tell: Callable[[int, Answer], None] | None = None,
) -> tuple[list[Answer], int]:
    """What `decode` does, with everything that is known of each query.

    Args:
        model: see `decode`, as are the other arguments.
        sources: token ids of each query, with begin and end, without padding.
        max_length: one limit, or one for each query.
        tell: hears after each call of every query in it: its number, and its answer so far.

    Returns:
        The answers in the order of the queries, and how often the decoder was called.
    """
    limits = [max_length] * len(sources) if isinstance(max_length, int) else list(max_length)
    decoder = _decoder(model, cache)
    _check(decoder.network.config, decoding, n, limits, draft_length, draft_count, batch_size, time_limit)
    if not sources:
        return [], 0
    if not all(sources):
        raise BadInput(f"Query {[bool(source) for source in sources].index(False)} holds no token.")
    rows = min(batch_size or len(sources), len(sources))
    plan = Plan.of(decoder.network.embedding.weight.device.type, draft_count, draft_length)
    make = _maker(decoding, n, draft_length, draft_count, drafter, plan)
    most = decoder.network.config.positions
    searches = [make(source, min(limit, most)) for source, limit in zip(sources, limits, strict=True)]
    return run(decoder, sources, searches, batch_size=rows, best=n, time_limit=time_limit, tell=tell)


def _maker(
    decoding: Decoding, n: int, length: int | None, count: int | None, drafter: Drafter | None, plan: Plan
) -> Callable[[Sequence[int], int], Search]:
    """What makes the search of a query with its limit."""
    if decoding == "greedy":
        return lambda source, limit: GreedySearch(limit)
    if decoding == "beam":
        return lambda source, limit: BeamSearch(source, n, limit)
    if decoding == "speculative":
        ours = drafter or SuffixDrafter()
        return lambda source, limit: GreedySearch(limit, ours.start(source), plan.width, plan.pace())
    if decoding == "exact":
        ours = drafter or SuffixDrafter()
        return lambda source, limit: BeamSearch(source, n, limit, ours, count or 1, length or 4)
    length = length or 10
    if decoding == "speculative-windows":
        count = count or 23
        windows = drafter or Windows(length, count)
        return lambda source, limit: GreedySearch(limit, windows.start(source), count, Pace(length, length, length))
    count = count or 10
    smart = drafter or SmartWindows(length, count)
    return lambda source, limit: SpeculativeBeamSearch(n, limit, smart.start(source), count, length)


def _decoder(model: Transformer | CachedDecoder | UncachedDecoder, cache: bool) -> CachedDecoder | UncachedDecoder:
    if not isinstance(model, Transformer):
        return model
    if not cache:
        return UncachedDecoder(model)
    state = tuple((weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in model.parameters())
    known = _BUILT.get(model)
    if known is None or known[0] != state:
        known = _BUILT[model] = state, CachedDecoder(model)
    return known[1]


# The decoder of each network, with the state of the weights from which it was built.
_BUILT: weakref.WeakKeyDictionary[Transformer, tuple[tuple[tuple[int, int], ...], CachedDecoder]] = (
    weakref.WeakKeyDictionary()
)


def _check(
    config: TransformerConfig, decoding: str, n: int, limits: Sequence[int], draft_length: int | None,
    draft_count: int | None, batch_size: int | None, time_limit: float | None,
) -> None:  # fmt: skip
    if decoding not in get_args(Decoding):
        raise BadInput(f"decoding {decoding!r} is unknown.", f"Use one of: {', '.join(get_args(Decoding))}.")
    for name, value in {"n": n, "draft_length": draft_length, "draft_count": draft_count, "batch_size": batch_size}.items():
        if value is not None and value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
    if n > 1 and decoding in _GREEDY:
        raise BadInput(f"{decoding!r} gives one output, n is {n}.", 'Use "exact", "beam" or "sbs".')
    if n > config.vocabulary_size:
        raise BadInput(f"n is {n}; a vocabulary of {config.vocabulary_size} tokens cannot give so many.")
    for limit in limits:
        if limit < 2:
            raise BadInput(f"max_length is {limit}; it must be at least 2, for begin and end.")
    if time_limit is not None and time_limit < 0:
        raise BadInput(f"time_limit is {time_limit}; it must not be negative.")
