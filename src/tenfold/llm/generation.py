"""Texts from a transformers model, many requests in one batch, each with its own settings and random numbers."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tenfold.llm.types import Request

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Row", "generate", "rows_of"]


@dataclass
class Row:
    """One text to be made.

    Attributes:
        prompt: token numbers.
        limit: most new tokens, >= 1.
        temperature: 0 = the likeliest token.
        top_p: share of the probability that is drawn from.
        stop: texts that end it.
        seed: of its own random numbers.
        tokens: what was made so far, the end token left out.
        made: how many tokens were made, the end token included.
        text: what they say, once it has ended; without the stop text.
        told: how many of its characters `listen` has got.
        ended: why it ended: "stop", "length", or "" while it goes on.
        given_up: asked between tokens; True = nobody waits for it any more.
        listen: gets the text in pieces, as far as no later token can change it.
    """

    prompt: list[int]
    limit: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    given_up: Callable[[], bool] = field(default=lambda: False)
    listen: Callable[[str], object] | None = None
    tokens: list[int] = field(default_factory=list)
    made: int = 0
    text: str = ""
    told: int = 0
    ended: str = ""


def rows_of(
    request: Request, prompt: list[int], limit: int, stop: tuple[str, ...], given_up: Callable[[], bool]
) -> list[Row]:
    """The n rows of a request.

    Their random numbers follow from the prompt, `seed`, `sample` and the number of the text: the same request draws the
    same text, alone or in a batch; another `sample` draws another.
    """
    found = []
    for draw in range(request.n):
        state = json.dumps([prompt, request.seed, request.sample, draw])
        seed = int.from_bytes(hashlib.sha256(state.encode()).digest()[:8], "big") >> 1
        found.append(Row(prompt, limit, request.temperature, request.top_p, stop, seed, given_up))
    return found


def generate(model: Any, tokenizer: Any, rows: Sequence[Row], ends: set[int]) -> None:
    """Make the rows' texts together, prompts padded on the left; fills `tokens`, `text` and `ended`.

    Args:
        model: a transformers causal language model in evaluation mode.
        tokenizer: its tokenizer.
        rows: what to make.
        ends: tokens that end a text.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else next(iter(ends), 0)
    width = max(len(row.prompt) for row in rows)
    tokens = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, width - len(row.prompt) :] = torch.tensor(row.prompt)
        mask[index, width - len(row.prompt) :] = 1
    drawing = [_Drawing(row) for row in rows]

    def draw(_: "Tensor", logits: "Tensor") -> "Tensor":
        chosen = torch.stack([one.choose(logits[index]) for index, one in enumerate(drawing)])
        return torch.full_like(logits, -torch.inf).scatter_(1, chosen[:, None].to(logits.device), 0.0)

    def stopped(all_tokens: "Tensor", *_: Any, **__: Any) -> "Tensor":
        for row, token in zip(rows, all_tokens[:, -1].tolist(), strict=True):
            _advance(row, token, ends, tokenizer)
        return torch.tensor([bool(row.ended) for row in rows], device=all_tokens.device)

    config = GenerationConfig(
        max_new_tokens=max(row.limit for row in rows), do_sample=False, pad_token_id=pad, use_cache=True
    )
    with torch.inference_mode():
        model.generate(
            tokens.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([draw]),
            stopping_criteria=StoppingCriteriaList([stopped]),
        )


class _Drawing:
    """The random numbers of one row."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._generator: torch.Generator | None = None

    def choose(self, logits: "Tensor") -> "Tensor":
        """The next token of [vocabulary] logits, by inverting the distribution of the likeliest ones."""
        import torch

        if self._row.temperature <= 0:
            return logits.argmax().cpu()
        if self._generator is None:
            self._generator = torch.Generator().manual_seed(self._row.seed)
        chances, order = (logits.double().cpu() / self._row.temperature).softmax(-1).sort(descending=True, stable=True)
        total = chances.cumsum(-1)
        kept = int((total - chances < self._row.top_p).sum())  # the smallest set that holds top_p
        point = torch.rand((), generator=self._generator, dtype=torch.float64) * total[kept - 1]
        return order[min(int(torch.searchsorted(total[:kept], point, right=True)), kept - 1)]


def _advance(row: Row, token: int, ends: set[int], tokenizer: Any) -> None:
    """Take in one token; decide whether the row has ended."""
    if row.ended:
        return
    row.made += 1
    if token in ends or row.given_up():
        row.ended = "stop"
    else:
        row.tokens.append(token)
        if row.stop and _holds(row, tokenizer):
            row.ended = "stop"
        elif len(row.tokens) >= row.limit:
            row.ended = "length"
    if row.ended:
        row.text = _cut(tokenizer.decode(row.tokens, skip_special_tokens=True), row.stop)
    if row.listen is not None:
        _tell(row, tokenizer)


def _tell(row: Row, tokenizer: Any) -> None:
    if row.ended:
        text = row.text
    else:
        text = tokenizer.decode(row.tokens, skip_special_tokens=True)
        open_end = max((len(one) for one in row.stop), default=1) - 1  # could be the beginning of a stop text
        text = text[: len(text) - open_end].rstrip("\ufffd")  # or of a letter of several bytes
    if row.listen is not None and len(text) > row.told:
        row.listen(text[row.told :])
        row.told = len(text)


def _holds(row: Row, tokenizer: Any) -> bool:
    # A token has at least one byte, so a stop text lies within its length in bytes, plus what the last token adds.
    reach = max(len(text.encode()) for text in row.stop) + 8
    tail = tokenizer.decode(row.tokens[-reach:], skip_special_tokens=True)
    return any(text in tail for text in row.stop)


def _cut(text: str, stop: tuple[str, ...]) -> str:
    places = [place for one in stop if (place := text.find(one)) >= 0]
    return text[: min(places)] if places else text
