"""The paper's drafts: windows of the query, spread evenly (Andronov et al. 2025; spec section 1.4)."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.reactions.tokens import BOS, EOS, PAD

__all__ = ["SmartWindows", "Windows", "make_drafts"]


def make_drafts(
    tokens: Int[Tensor, "batch length"], length: int, count: int, pad: int = PAD, eos: int = EOS, replacement: int = 5
) -> Int[Tensor, "batch count draft"]:
    """Windows of each row, as the published code makes them.

    Args:
        tokens: queries without begin, with `eos`, padded on the right.
        length: tokens of a window; at most 200 count.
        count: windows; they are spread evenly over those that hold neither end nor padding.
        pad: id of the padding.
        eos: id of the end.
        replacement: a common token; it stands where a window holds end or padding.

    Raises:
        BadInput: `length` or `count` is below 1.
    """
    for name, value in (("length", length), ("count", count)):
        if value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
    length = min(length, 200)
    missing = max(0, count + length - 1 - tokens.shape[1])
    windows = F.pad(tokens, (0, missing), value=pad).unfold(1, length, 1)
    is_filler = (windows == eos) | (windows == pad)
    take = (~is_filler.any(dim=2)).sum(dim=1).clamp(min=count)
    chosen = torch.arange(count, device=tokens.device) * (take[:, None] - 1) // max(count - 1, 1)
    index = chosen[:, :, None].expand(-1, -1, length)
    return windows.masked_fill(is_filler, replacement).gather(1, index)


class Windows:
    """A drafter that proposes the same windows of the query after every prefix, as the paper does."""

    def __init__(self, length: int, count: int, replacement: int = 5) -> None:
        self.length, self.count, self.replacement = length, count, replacement

    def start(self, source: Sequence[int]) -> "_SameWindows":
        """See `Drafter.start`."""
        tokens = torch.tensor([[token for token in source if token not in (BOS, PAD)]])
        return _SameWindows(make_drafts(tokens, self.length, self.count, replacement=self.replacement)[0].tolist())


class SmartWindows:
    """A drafter that proposes the windows of the query which follow the output's last token (spec section 1.6)."""

    def __init__(self, length: int, count: int) -> None:
        self.length, self.count = length, count

    def start(self, source: Sequence[int]) -> "_WindowsAfterToken":
        """See `Drafter.start`."""
        tokens = [token for token in source if token not in (PAD, EOS)]
        return _WindowsAfterToken([BOS, *tokens] if tokens[:1] != [BOS] else tokens, self.length, self.count)


class _SameWindows:
    def __init__(self, windows: list[list[int]]) -> None:
        self._windows = windows

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        return [window[:length] for window in self._windows[:width] if length > 0]


class _WindowsAfterToken:
    def __init__(self, tokens: list[int], length: int, count: int) -> None:
        self._count = count
        # A query shorter than a window is one window, where the published code fails.
        places = range(1, max(2, len(tokens) - length + 1))
        self._after: dict[int, list[list[int]]] = {}
        for place in places:
            self._after.setdefault(tokens[place - 1], []).append(tokens[place : place + length])
        self._first = tokens[1 : 1 + length]

    def propose(self, prefix: Sequence[int], width: int, length: int) -> list[list[int]]:
        found = self._after.get(prefix[-1], [self._first])
        return [window[:length] for window in found[: min(width, self._count)] if window[:length]]
