"""How many calls of the decoder a drafter needs if the model is always right: drafts without a network."""

import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from tenfold.core.errors import BadInput
from tenfold.core.progress import track
from tenfold.reactions.drafting import Drafter, SuffixDrafter
from tenfold.reactions.ngrams import NgramTable
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary

__all__ = ["Drafted", "Replay", "ReplayDecoding", "compare_drafters", "replay"]

ReplayDecoding = Literal["greedy", "speculative", "speculative-windows"]
_LONGEST = 40


class Replay(NamedTuple):
    """What a decoder would have done.

    Attributes:
        calls: of the decoder, a reaction.
        tokens_per_call: token positions that a call computes: the last token, and all that is drafted behind it.
    """

    calls: float
    tokens_per_call: float


def replay(
    sources: Sequence[str] | Sequence[Sequence[int]],
    targets: Sequence[str] | Sequence[Sequence[int]],
    decoding: ReplayDecoding = "speculative",
    drafts: int = 4,
    draft_count: int | None = None,
    draft_length: int | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    table: NgramTable | None = None,
    drafter: Drafter | None = None,
) -> Replay:
    """Decode with the true targets as the model's output (spec section 6, table a).

    Args:
        sources: queries, as SMILES or as token ids.
        targets: answers, of the same kind.
        decoding: "greedy": one token a call; "speculative": our drafts; "speculative-windows": the paper's.
        drafts: how many of ours a call verifies; the last of them is of n-grams, the others are copies of the query.
        draft_count: how many a call verifies, for both; default `drafts`, for the paper's 23.
        draft_length: most tokens of a draft; default 40, for the paper's 10.
        vocabulary: of token ids; without it rings are copied by their numbers and there is no n-gram draft.
        table: n-grams for our drafts; default: `NgramTable.shipped("forward")`; for retrosynthesis give "retro"'s.
        drafter: instead of our drafts.

    Raises:
        BadInput: sources and targets are not as many, an argument is out of range, or a SMILES cannot be tokenized.
    """
    if len(sources) != len(targets) or not len(sources):
        raise BadInput(f"There are {len(sources)} sources and {len(targets)} targets; both must be as many, at least 1.")
    if decoding not in get_args(ReplayDecoding):
        raise BadInput(f"decoding {decoding!r} is unknown.", f"Use one of: {', '.join(get_args(ReplayDecoding))}.")
    for name, value in {"drafts": drafts, "draft_count": draft_count, "draft_length": draft_length}.items():
        if value is not None and value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
    texts = [text for text in (*sources, *targets) if isinstance(text, str)]
    if texts:
        vocabulary = vocabulary or Vocabulary.of(texts)
    queries, answers = _ids(sources, vocabulary), _ids(targets, vocabulary)
    if decoding == "greedy":
        return Replay(float(np.mean([len(answer) - 1 for answer in answers])), 1.0)
    if decoding == "speculative-windows":
        return _windows(queries, answers, draft_count or 23, draft_length or 10)
    if drafter is None:
        drafter = SuffixDrafter(vocabulary, (table or NgramTable.shipped("forward")) if vocabulary else None)
    return _drafted(queries, answers, drafter, draft_count or drafts, draft_length or _LONGEST)


class Drafted(NamedTuple):
    """What one way of drafting needs: see `Replay`; `fewer` is how many times fewer calls than without drafts."""

    drafter: str
    calls: float
    fewer: float
    tokens_per_call: float


def compare_drafters(
    pairs: Sequence[tuple[str, str]], task: str, drafts: str | os.PathLike[str] | None = None
) -> list[Drafted]:
    """Ways of drafting side by side on known reactions (spec section 6, table a).

    Args:
        pairs: (query, answer), as SMILES.
        task: "forward" or "retro": whose shipped n-grams are used.
        drafts: a table of the user's n-grams, used above the shipped ones in one more row.

    Raises:
        BadInput: there are no pairs, or the table cannot be read.
    """
    sources, targets = [query for query, _ in pairs], [answer for _, answer in pairs]
    vocabulary, table = Vocabulary.of([*sources, *targets]), NgramTable.shipped(task)
    ways: list[tuple[str, dict[str, Any]]] = [
        ("none", {"decoding": "greedy"}),
        ("23 windows of 10, the paper's", {"decoding": "speculative-windows", "draft_length": 10}),
        ("23 windows of 17, the paper's best", {"decoding": "speculative-windows", "draft_length": 17}),
        ("1 copy", {"draft_count": 1, "drafter": SuffixDrafter(vocabulary)}),
        ("3 copies", {"draft_count": 3, "drafter": SuffixDrafter(vocabulary)}),
        ("1 copy, 1 of n-grams", {"drafts": 2, "table": table}),
        ("3 copies, 1 of n-grams", {"drafts": 4, "table": table}),
    ]
    if drafts is not None:
        ways.append(("3 copies, 1 of your n-grams", {"drafts": 4, "table": NgramTable.load(drafts).over(table)}))
    found: list[Drafted] = []
    for name, how in track(ways, "Replaying"):
        one = replay(sources, targets, vocabulary=vocabulary, **how)
        plain = found[0].calls if found else one.calls
        found.append(Drafted(name, one.calls, plain / one.calls, one.tokens_per_call))
    return found


def _ids(rows: Sequence[str] | Sequence[Sequence[int]], vocabulary: Vocabulary | None) -> list[list[int]]:
    """Token ids from begin to end."""
    plain = [vocabulary.encode(row) if isinstance(row, str) and vocabulary else row for row in rows]
    return [[BOS, *(int(id_) for id_ in row if id_ not in (PAD, BOS, EOS)), EOS] for row in plain]


def _drafted(
    queries: Sequence[list[int]], answers: Sequence[list[int]], drafter: Drafter, width: int, length: int
) -> Replay:
    calls = tokens = 0
    for query, answer in zip(queries, answers, strict=True):
        row, place = drafter.start(query), 1
        while place < len(answer):
            proposed = row.propose(answer[:place], width, length)
            calls += 1
            tokens += 1 + _nodes(proposed)
            place += 1 + max((_agreeing(draft, answer, place) for draft in proposed), default=0)
    return Replay(calls / len(answers), tokens / max(1, calls))


def _windows(queries: Sequence[list[int]], answers: Sequence[list[int]], count: int, length: int) -> Replay:
    import torch

    from tenfold.reactions.windows import make_drafts

    calls = 0
    for query, answer in zip(queries, answers, strict=True):
        drafts = make_drafts(torch.tensor([query[1:]]), length, count)[0].numpy()
        truth, place = np.array([*answer, *[PAD] * drafts.shape[1]]), 1
        while place < len(answer):
            calls += 1
            equal = drafts == truth[place : place + drafts.shape[1]]
            place += 1 + int(np.where(equal.all(axis=1), drafts.shape[1], equal.argmin(axis=1)).max())
    return Replay(calls / len(answers), count * (length + 1.0))


def _agreeing(draft: list[int], answer: list[int], place: int) -> int:
    """How many tokens of a draft are those of the answer from a place on."""
    agreeing = 0
    for token, true in zip(draft, answer[place:], strict=False):
        if token != true:
            break
        agreeing += 1
    return agreeing


def _nodes(drafts: Sequence[list[int]]) -> int:
    """Nodes of the prefix tree of some drafts, the root not counted."""
    nodes, before = 0, list[int]()
    for draft in sorted(drafts):  # what a draft shares with any earlier one, it shares with the one just before
        nodes += len(draft) - _agreeing(draft, before, 0)
        before = draft
    return nodes
