"""Are speculative answers the same as plain ones, on the user's own queries, and what do they save?"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tenfold.core.errors import BadInput
from tenfold.reactions.model import Asked, Model, Prediction
from tenfold.reactions.molecules import read_query
from tenfold.reactions.tokens import BOS, EOS, tokenize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TIE", "Difference", "Timed", "Verified", "difference", "time_decodings", "verify"]

TIE = 1e-5
"""Two logits, or two sums of log-probabilities, that are nearer than this may change places in float32."""

_SUMS_DIFFER = 1e-4


class Answered(Protocol):
    """What is compared of an answer."""

    @property
    def smiles(self) -> str: ...
    @property
    def log_probability(self) -> float: ...
    @property
    def truncated(self) -> bool: ...


class Difference(NamedTuple):
    """A query whose answers differ.

    Attributes:
        row: from 1.
        query: as given.
        rank: of the first answer that differs, from 1.
        plain: that answer of plain decoding.
        fast: that answer of speculative decoding.
        gap: between the two likeliest tokens where the strings part, or between the sums of the two answers in a list.
    """

    row: int
    query: str
    rank: int
    plain: str
    fast: str
    gap: float


@dataclass(frozen=True)
class Verified:
    """The comparison.

    Attributes:
        plain, fast: the two decodings.
        rows: queries compared.
        errors: rows that cannot be used, each with its reason.
        differences: queries whose answers differ.
        plain_calls, fast_calls: of the decoder, a query.
        plain_seconds, fast_seconds: of the processor, a query.
    """

    plain: str
    fast: str
    rows: int
    errors: tuple[str, ...]
    differences: tuple[Difference, ...]
    plain_calls: float
    fast_calls: float
    plain_seconds: float
    fast_seconds: float

    @property
    def failed(self) -> int:
        """Queries that cannot be used."""
        return len(self.errors)

    @property
    def is_equal(self) -> bool:
        """Whether all answers are equal but for ties."""
        return all(one.gap < TIE for one in self.differences)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "failed": self.failed,
            "differences": [one._asdict() for one in self.differences],
            "equal": self.rows - len(self.differences),
            "is_equal": self.is_equal,
        }

    def sentence(self) -> str:
        """The result in words."""
        equal = self.rows - len(self.differences)
        ties = sum(one.gap < TIE for one in self.differences)
        calls = f"{self.fast_calls:.1f} calls instead of {self.plain_calls:.1f}"
        ratio = self.plain_seconds / max(self.fast_seconds, 1e-12)
        return (
            f"{equal} of {self.rows} answers of {self.fast} equal those of {self.plain} ({ties} more differ by a tie below "
            f"{TIE:g}); {calls}, {ratio:.2f}x the speed ({self.fast_seconds * 1000:.1f} ms of processor time a query)."
        )


def verify(model: Model, texts: Sequence[str], *, n: int = 1, max_length: int = 200, batch_size: int = 1) -> Verified:
    """Answer each query twice and compare: greedy and speculative, or with n > 1 beam and exact.

    Args:
        model: must not remember answers (`load(..., remember=0)`).
        texts: queries.
        n: answers to each.
        max_length: tokens of an answer.
        batch_size: queries at once.

    Raises:
        BadInput: none of the queries can be used, or an option is out of range.
    """
    plain, fast = ("greedy", "speculative") if n == 1 else ("beam", "exact")
    runs = [_timed(model, texts, Asked(decoding, n, max_length), batch_size) for decoding in (plain, fast)]
    (plain_answers, plain_seconds), (fast_answers, fast_seconds) = runs
    compared = [
        (row, text, a, b)
        for row, (text, a, b) in enumerate(zip(texts, plain_answers, fast_answers, strict=True), 1)
        if not isinstance(a, BadInput) and not isinstance(b, BadInput)
    ]
    if not compared:
        first = next((str(one) for one in plain_answers if isinstance(one, BadInput)), "There are none.")
        raise BadInput(f"None of the {len(texts)} queries can be used. {first}")
    found = [difference(model, *one) for one in compared]
    count = len(compared)
    return Verified(
        plain=plain,
        fast=fast,
        rows=count,
        errors=tuple(f"row {row}: {one}" for row, one in enumerate(plain_answers, 1) if isinstance(one, BadInput)),
        differences=tuple(one for one in found if one is not None),
        plain_calls=sum(one[2][0].calls for one in compared) / count,
        fast_calls=sum(one[3][0].calls for one in compared) / count,
        plain_seconds=plain_seconds / count,
        fast_seconds=fast_seconds / count,
    )


class Timed(NamedTuple):
    """Processor time and calls of a decoding, a query, and its speed beside plain decoding at the same batch size."""

    decoding: str
    batch_size: int
    milliseconds: float
    calls: float
    speed: float


def time_decodings(
    model: Model, texts: Sequence[str], batch_sizes: Sequence[int], *, n: int = 1, max_length: int = 200, repeats: int = 1
) -> list[Timed]:
    """Plain beside speculative decoding at each batch size, on the same queries; the fastest of the repeats counts.

    Args:
        model: must not remember answers.
        texts: queries; those that cannot be used are left out.
        batch_sizes: to time.
        n: answers to each; above 1 beam, exact and sbs are timed.
        max_length: tokens of an answer.
        repeats: of each.

    Raises:
        BadInput: none of the queries can be used.
    """
    decodings = ("greedy", "speculative", "speculative-windows") if n == 1 else ("beam", "exact", "sbs")
    found: list[Timed] = []
    plain = 0.0
    for size in batch_sizes:
        for decoding in decodings:
            asked = Asked(decoding, n, max_length)
            answers, seconds = min((_timed(model, texts, asked, size) for _ in range(repeats)), key=lambda one: one[1])
            good = [one for one in answers if not isinstance(one, BadInput)]
            if not good:
                raise BadInput(f"None of the {len(texts)} queries can be used. {answers[0] if answers else ''}")
            plain = seconds if decoding == decodings[0] else plain
            calls = sum(one[0].calls for one in good) / len(good)
            found.append(Timed(decoding, size, seconds * 1000 / len(good), calls, plain / max(seconds, 1e-12)))
    return found


def _timed(
    model: Model, texts: Sequence[str], asked: Asked, batch_size: int
) -> tuple[list[list[Prediction] | BadInput], float]:
    begun = time.process_time()
    return model.answers(texts, asked, batch_size), time.process_time() - begun


def difference(model: Model, row: int, text: str, plain: Sequence[Answered], fast: Sequence[Answered]) -> Difference | None:
    """The first difference between plain and speculative answers to a query, with the gap that tells a tie; None = equal."""
    for rank, (a, b) in enumerate(zip(plain, fast, strict=False), 1):
        if a.smiles != b.smiles:
            apart = _logit_gap(model, text, a.smiles, b.smiles) if len(plain) == 1 else _sum_gap(model, text, a, b)
            return Difference(row, text, rank, a.smiles, b.smiles, apart)
        if abs(a.log_probability - b.log_probability) > _SUMS_DIFFER:
            return Difference(row, text, rank, a.smiles, b.smiles, abs(a.log_probability - b.log_probability))
    if len(plain) != len(fast):
        return Difference(row, text, min(len(plain), len(fast)) + 1, "", "", float("inf"))
    return None


def _sum_gap(model: Model, text: str, plain: Answered, fast: Answered) -> float:
    """The distance of the plain answer's sum to that of the fast answer, which is computed anew."""
    import torch

    numbers = model.vocabulary.encode(fast.smiles, keep_unknown=True) + ([] if fast.truncated else [EOS])
    targets = torch.tensor([numbers], device=model.device)
    with torch.inference_mode():
        logits = model.network(_source(model, text), torch.tensor([[BOS, *numbers[:-1]]], device=model.device))
        found = logits.float().log_softmax(-1).gather(2, targets[..., None]).sum()
    return abs(float(found) - plain.log_probability)


def _logit_gap(model: Model, text: str, first: str, second: str) -> float:
    """The distance of the two highest logits behind what both strings begin with, the prefix given as a whole."""
    import torch

    a, b = (tokenize(one) for one in (first, second))
    same = next((place for place, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), min(len(a), len(b)))
    prefix = [BOS, *model.vocabulary.encode("".join(a[:same]), keep_unknown=True)]
    with torch.inference_mode():
        logits = model.network(_source(model, text), torch.tensor([prefix], device=model.device))
        top = logits[0, -1].float().topk(2).values
    return float(top[0] - top[1])


def _source(model: Model, text: str) -> "Tensor":
    import torch

    return torch.tensor([model.numbers(read_query(text, model.task).smiles)], device=model.device)
