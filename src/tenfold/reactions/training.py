"""Training: reactions -> aligned pairs -> batches of about equal cost -> `core.train` -> a model's folder.

The recipe is the original Molecular Transformer's (Adam, Noam schedule, averaged weights, padding not learned); the
average is a running one over the steps instead of one over the last twenty checkpoints.
"""

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core import train as loop
from tenfold.core.errors import BadInput
from tenfold.core.runs import Run
from tenfold.reactions import weights
from tenfold.reactions.corpus import TASKS, Pair, Reaction, Task, aligned_pairs, plain_pair, read_reactions
from tenfold.reactions.network import PRESETS, Transformer, TransformerConfig
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary

if TYPE_CHECKING:
    from tenfold.reactions.model import Model

__all__ = ["Encoded", "TokenBatches", "encode_pairs", "fit_network", "sequence_loss", "train", "validation"]

Schedule = Literal["noam", "constant", "cosine"]
_SORTED_TOGETHER, _LIKE = 16_384, 8


def train(
    rows: str | os.PathLike[str] | Sequence[Reaction],
    task: Task = "forward",
    *,
    minutes: float | None = None,
    steps: int | None = None,
    preset: str = "small",
    start: str | os.PathLike[str] | None = None,
    align: bool = True,
    augment: int = 1,
    held_out: Sequence[Reaction] = (),
    out: str | os.PathLike[str] | None = None,
    learning_rate: float = 1e-3,
    tokens: int = 4000,
    smoothing: float = 0.0,
    schedule: Schedule = "noam",
    warmup: int = 300,
    ema: float = 0.995,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    precision: str = "32-true",
) -> "Model":
    """Train a model on reactions.

    Args:
        rows: reactions, or a file of them (see `corpus.read_reactions`).
        task: "forward" or "retro".
        minutes: time budget; 10 if neither it nor `steps` is given.
        steps: optimiser steps.
        preset: shape of a new network, one of `network.PRESETS`.
        start: a model to go on from, by name or folder, in place of a new network.
        align: write targets root-aligned to their sources; False leaves them as they are.
        augment: pairs for each reaction that has an atom map, the further ones begun at random atoms.
        held_out: reactions to validate on.
        out: folder of the run, which resumes, and of the finished model; None keeps it in memory.
        learning_rate: its peak, after `warmup` steps.
        tokens: of a batch, source and target, with padding.
        smoothing: of the labels, in [0, 1).
        schedule: of the rate after `warmup`: "noam" falls with the root of the step, "constant", "cosine" to 0 at `steps`.
        warmup: steps.
        ema: decay of the average of the weights.
        seed: of weights, batches and augmentation.
        device: "auto", "cpu", "cuda".
        devices: processes of a distributed run.
        precision: e.g. "32-true", "bf16-mixed".

    Raises:
        BadInput: an argument is out of range, no reaction is usable, or the folder holds another run.
    """
    from tenfold.reactions.model import Model

    if task not in TASKS:
        raise BadInput(f"task {task!r} is unknown.", f"Use {' or '.join(TASKS)}.")
    if preset not in PRESETS:
        raise BadInput(f"preset {preset!r} is unknown.", f"Use one of {', '.join(PRESETS)}.")
    if schedule not in get_args(Schedule):
        raise BadInput(f"schedule {schedule!r} is unknown.", f"Use one of {', '.join(get_args(Schedule))}.")
    if schedule == "cosine" and steps is None:
        raise BadInput("The cosine schedule ends at a step.", "Give steps.")
    if augment < 1:
        raise BadInput(f"augment is {augment}; it must be at least 1.")
    reactions = list(rows) if isinstance(rows, Sequence) and not isinstance(rows, str) else list(read_reactions(rows))
    pairs, judged = (_pairs(some, task, align, copies, seed) for some, copies in ((reactions, augment), (held_out, 1)))
    network, vocabulary = _begin(start, preset, pairs, seed)
    data, check = encode_pairs(pairs, vocabulary), encode_pairs(judged, vocabulary)
    budget = 10.0 if minutes is None and steps is None else minutes
    config = loop.TrainConfig(
        steps=steps or 10_000_000, minutes=budget, seed=seed, device=device, devices=devices, precision=precision, clip=1.0,
        ema=ema, schedule=schedule, warmup=warmup, checkpoint_every=200, evaluate_every=500,
    )  # fmt: skip
    settings = {"task": task, "preset": preset, "start": str(start), "align": align, "augment": augment, "rows": len(pairs)}
    settings |= {"seed": seed, "tokens": tokens, "learning_rate": learning_rate, "smoothing": smoothing, "ema": ema}
    settings |= {"schedule": schedule}
    record = None if out is None else Run.open(Path(out) / "run", system="reactions", config=settings)
    try:
        result = fit_network(
            network, data, config, learning_rate=learning_rate, tokens=tokens, held_out=check if check.sources else None,
            smoothing=smoothing, run=record, title=f"Training {task}",
        )  # fmt: skip
    finally:
        if record is not None:
            record.close()
    card = {**settings, "steps": result.step, "minutes": round(result.seconds / 60, 1), "left_out": data.left_out}
    stored = weights.Stored(network.eval(), vocabulary, card)
    if out is not None:
        weights.write(out, stored)
    return Model(stored, source="" if out is None else str(out))


def _pairs(reactions: Sequence[Reaction], task: Task, align: bool, copies: int, seed: int) -> list[Pair]:
    if align:
        return aligned_pairs(reactions, task, copies=copies, seed=seed)
    return [plain_pair(reaction, task) for reaction in reactions]


def _begin(
    start: str | os.PathLike[str] | None, preset: str, pairs: Sequence[Pair], seed: int
) -> tuple[Transformer, Vocabulary]:
    """A network to train: a new one for the pairs' tokens, or one that is there."""
    if start is not None:
        stored = weights.read(start)
        return stored.network, stored.vocabulary
    vocabulary = Vocabulary.of(text for pair in pairs for text in pair)
    config = TransformerConfig.model_validate({"vocabulary_size": len(vocabulary), **PRESETS[preset]})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Transformer(config), vocabulary


class Encoded(NamedTuple):
    """Pairs as token numbers.

    Attributes:
        sources: BOS ... EOS, one array a row.
        targets: the same of the targets.
        left_out: pairs that were too long or had an unknown token.
    """

    sources: list[np.ndarray]
    targets: list[np.ndarray]
    left_out: int


def encode_pairs(pairs: Sequence[Pair], vocabulary: Vocabulary, *, longest: int = 200) -> Encoded:
    """Token numbers of pairs; those with more than `longest` tokens on a side, or an unknown token, are left out."""
    found = Encoded([], [], 0)
    left_out = 0
    for pair in pairs:
        try:
            sides = [np.array([BOS, *vocabulary.encode(text), EOS], dtype=np.int32) for text in pair]
        except BadInput:
            left_out += 1
            continue
        if max(map(len, sides)) > longest + 2:
            left_out += 1
            continue
        found.sources.append(sides[0])
        found.targets.append(sides[1])
    return found._replace(left_out=left_out)


class TokenBatches:
    """Batches of about `tokens` tokens, of rows of like length, as a function of (seed, step).

    Each epoch shuffles the rows, sorts them by length within pieces, cuts the pieces into batches and shuffles these.

    Args:
        data: the rows.
        tokens: of source and target with padding, in a batch.
        multiple: batches hold a multiple of so many rows (processes x accumulation).

    Raises:
        BadInput: there are fewer rows than `multiple`.
    """

    def __init__(self, data: Encoded, tokens: int, *, multiple: int = 1) -> None:
        if len(data.sources) < multiple:
            hint = f"At least {multiple} are needed."
            raise BadInput(f"{len(data.sources)} usable reactions are too few to train on.", hint)
        self.data, self.tokens, self.multiple = data, tokens, multiple
        self.lengths = np.array([[len(s), len(t)] for s, t in zip(data.sources, data.targets, strict=True)])
        self.epoch = lru_cache(maxsize=2)(self.epoch)
        self.ends: list[int] = []

    def __call__(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """The batch (source ids, target ids), padded on the right."""
        while not self.ends or step >= self.ends[-1]:
            self.ends.append((self.ends[-1] if self.ends else 0) + len(self.epoch(seed, len(self.ends))))
        number = int(np.searchsorted(self.ends, step, side="right"))
        rows = self.epoch(seed, number)[step - (self.ends[number - 1] if number else 0)]
        return padded([self.data.sources[i] for i in rows]), padded([self.data.targets[i] for i in rows])

    def epoch(self, seed: int, number: int) -> list[np.ndarray]:
        """The row numbers of each batch of an epoch."""
        draw = np.random.default_rng((seed, number))
        order = draw.permutation(len(self.lengths))
        batches = []
        for start in range(0, len(order), _SORTED_TOGETHER):
            piece = order[start : start + _SORTED_TOGETHER]
            source, target = self.lengths[piece].T
            piece = piece[np.lexsort((source, target // _LIKE))]
            batches += self.cut(piece)
        draw.shuffle(batches)  # pyright: ignore[reportArgumentType]
        return batches

    def cut(self, rows: np.ndarray) -> list[np.ndarray]:
        """Cut rows, sorted by length, into batches within the budget."""
        found, start = [], 0
        while len(rows) - start >= self.multiple:
            widest = np.maximum.accumulate(self.lengths[rows[start:]], axis=0).sum(axis=1)
            fit = int(np.searchsorted(widest * np.arange(1, len(widest) + 1), self.tokens, side="right"))
            size = max(self.multiple, fit // self.multiple * self.multiple)
            found.append(rows[start : start + size])
            start += size
        return found


def padded(rows: Sequence[np.ndarray]) -> Tensor:
    """Rows as one tensor (batch, longest), PAD on the right."""
    out = torch.full((len(rows), max(map(len, rows))), PAD, dtype=torch.long)
    for place, row in enumerate(rows):
        out[place, : len(row)] = torch.from_numpy(row)
    return out


def sequence_loss(module: nn.Module, batch: tuple[Tensor, Tensor], *, smoothing: float = 0.0) -> Tensor:
    """Cross entropy of the next token, averaged over the tokens of the targets, padding left out; in nats."""
    source, target = batch
    logits = module(source, target[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=smoothing)


def validation(data: Encoded, module: nn.Module, step: int, *, tokens: int = 8192) -> dict[str, float]:
    """Loss, and the shares of tokens and of whole sequences that are right when the true beginning is given."""
    loss = right = whole = 0.0
    count = 0
    device = next(module.parameters()).device
    for rows in TokenBatches(data, tokens).epoch(0, 0):
        source, target = (padded([side[i] for i in rows]).to(device) for side in (data.sources, data.targets))
        logits, wanted = module(source, target[:, :-1]), target[:, 1:]
        is_token = wanted != PAD
        hits = (logits.argmax(-1) == wanted) | ~is_token
        loss += F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD, reduction="sum").item()
        right += float((hits & is_token).sum())
        whole += float(hits.all(1).sum())
        count += int(is_token.sum())
    return {"loss": loss / count, "token_accuracy": right / count, "sequence_accuracy": whole / len(data.sources)}


def fit_network(
    network: Transformer,
    data: Encoded,
    config: loop.TrainConfig,
    *,
    learning_rate: float,
    tokens: int,
    held_out: Encoded | None = None,
    smoothing: float = 0.0,
    run: Run | None = None,
    title: str = "Training",
) -> loop.TrainResult:
    """Train a network in place; the averaged weights, if `config.ema` asks for them, are its weights in the end.

    Args:
        network: what is trained.
        data: pairs to learn.
        config: steps, schedule, device ...
        learning_rate: its peak.
        tokens: of a batch, source and target, with padding.
        held_out: pairs to validate on.
        smoothing: of the labels, in [0, 1).
        run: where checkpoints and metrics go; None keeps nothing.
        title: of the live line.
    """
    batches = TokenBatches(data, tokens, multiple=config.devices * config.accumulate)
    result = loop.fit(
        network,
        partial(sequence_loss, smoothing=smoothing),
        batches,
        partial(_adam, rate=learning_rate),
        config,
        run,
        evaluate=None if held_out is None else partial(validation, held_out),
        title=title,
    )
    if result.ema is not None:
        network.load_state_dict({**network.state_dict(), **result.ema})
    return result


def _adam(parameters: Any, *, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.998), eps=1e-9)
