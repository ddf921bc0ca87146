"""The one training loop, on Lightning Fabric.

A system gives a module, a loss, and batches as a function of (seed, step); the loop gives device, precision, compile,
DDP and FSDP, accumulation, clipping, EMA, schedule, time budget, early stop, metrics, and exact resume.

Resume is exact because a step depends on nothing but the checkpoint and (seed, step): the batch is a function of them, and
so is the state of torch's random numbers, which is set anew at every step (and differs between processes).
"""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
from lightning.fabric import Fabric
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.utils._pytree import tree_map

from tenfold.core import checkpoint
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.progress import Meter, meter
from tenfold.core.runs import Run

__all__ = ["TrainConfig", "TrainResult", "fit"]

Loss = Callable[[nn.Module, Any], Any]
Batches = Callable[[int, int], Any]
Evaluate = Callable[[nn.Module, int], Mapping[str, float]]

_FLAT = StateDictOptions(full_state_dict=True, cpu_offload=True, flatten_optimizer_state_dict=True)
_LIVE_SECONDS = 0.2


class TrainConfig(BaseModel):
    """How to train.

    Attributes:
        steps: optimiser steps.
        seed: of batches and of torch's random numbers.
        device: "auto", "cpu", "cuda" or "cuda:N".
        devices: processes of a distributed run.
        strategy: "auto", "ddp" or "fsdp" (and Fabric's other names).
        precision: Fabric's name, e.g. "32-true", "bf16-mixed", "64-true".
        compile: whether to compile the module.
        clip: largest norm of the gradient; None = no clipping.
        ema: decay of the moving average of the weights, e.g. 0.999; None = none.
        schedule: "constant", "cosine" to zero at `steps`, or "noam", which falls with the root of the step (Vaswani et al.
            2017); each after a linear `warmup`.
        warmup: steps.
        accumulate: micro-batches that a process's share of the batch is split into.
        minutes: time budget, summed over resumptions; None = none.
        evaluate_every: steps between evaluations.
        patience: evaluations without a better "loss" before stopping; None = never.
        checkpoint_every: steps between checkpoints.
        log_every: steps between rows of metrics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=0)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    devices: int = Field(default=1, ge=1)
    strategy: str = "auto"
    precision: str = "32-true"
    compile: bool = False
    clip: float | None = Field(default=None, gt=0)
    ema: float | None = Field(default=None, ge=0, lt=1)
    schedule: Literal["constant", "cosine", "noam"] = "constant"
    warmup: int = Field(default=0, ge=0)
    accumulate: int = Field(default=1, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    evaluate_every: int = Field(default=100, ge=1)
    patience: int | None = Field(default=None, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)
    log_every: int = Field(default=50, ge=1)


class TrainResult(NamedTuple):
    """How a training ended.

    Attributes:
        step: steps made, over all resumptions.
        loss: the last one measured, NaN if none was.
        stopped: why.
        seconds: time spent, over all resumptions.
        best: lowest "loss" of the evaluations, or None.
        ema: moving average of the weights by name, or None.
    """

    step: int
    loss: float
    stopped: Literal["steps", "budget", "early stop"]
    seconds: float
    best: float | None
    ema: dict[str, Tensor] | None


def fit(
    module: nn.Module,
    loss: Loss,
    batches: Batches,
    optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer],
    config: TrainConfig,
    run: Run | None = None,
    *,
    evaluate: Evaluate | None = None,
    on_step: Callable[[nn.Module, int], None] | None = None,
    title: str = "Training",
) -> TrainResult:
    """Train a module in place, going on from the run's checkpoint if it has one.

    Args:
        module: its weights are changed; built by the caller with the seed it wants.
        loss: (module, batch) -> scalar tensor, or (scalar, {name: number}); a mean over the batch's leading axis.
        batches: (seed, step) -> the GLOBAL batch, tensors (or tuples, lists, dicts of them) with a common leading axis;
            each process takes its share.
        optimizer: parameters -> optimiser; its learning rates are the peak of the schedule.
        config: see `TrainConfig`.
        run: where state and metrics go; None keeps nothing.
        evaluate: (module, step) -> {"loss": ..., ...}, with the averaged weights if there are any.
        on_step: (module, step) called before each step is made, also on resumption; may change buffers.
        title: for the live line.

    Raises:
        BadInput: a batch that cannot be shared out, a device that is not there, a checkpoint of another model.
        TenfoldError: the loss is no longer finite; the last checkpoint is kept.
        KeyboardInterrupt, SystemExit: on Ctrl-C and SIGTERM, after the state was saved.
    """
    loop = _Loop(module, loss, batches, optimizer, config, run, evaluate, on_step)
    with meter(title, config.steps) as live, _signals() as stop:
        return loop.run(live, stop)


class _Progress(BaseModel):
    """What a checkpoint holds beside its tensors."""

    step: int = Field(ge=0)
    seconds: float
    best: float | None
    misses: int
    loss: float | None
    optimizer: dict[str, Any]


class _Loop:
    """The state of one training."""

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        batches: Batches,
        optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer],
        config: TrainConfig,
        run: Run | None,
        evaluate: Evaluate | None,
        on_step: Callable[[nn.Module, int], None] | None,
    ) -> None:
        self.config, self.record, self.loss, self.batches = config, run, loss, batches
        self.evaluate, self.on_step, self.plain = evaluate, on_step, module
        self.fabric = _fabric(config)
        self.fabric.launch()
        compiled = torch.compile(module) if config.compile else module
        self.module = self.fabric.setup_module(compiled)  # pyright: ignore[reportArgumentType]
        # In the plain case Fabric's wrapper would only cast what needs no cast, for 2 % of a small model's step.
        self.is_plain = config.precision == "32-true" and self.fabric.world_size == 1 and config.strategy == "auto"
        self.callable: Any = compiled if self.is_plain else self.module
        self.bare_optimizer = optimizer(self.module.parameters())
        self.optimizer: Any = self.fabric.setup_optimizers(self.bare_optimizer)
        self.peaks = [group["lr"] for group in self.bare_optimizer.param_groups]
        self.ema = None if config.ema is None else {n: p.detach().clone() for n, p in module.named_parameters()}
        self.step, self.seconds, self.best, self.misses = 0, 0.0, None, 0
        self.last_loss = float("nan")
        self.resume()

    def run(self, live: Meter, stop: Callable[[], None]) -> TrainResult:
        """Make the steps that are left."""
        config, started, before, stopped = self.config, time.monotonic(), self.seconds, "steps"
        shown = saved = self.step
        told = 0.0
        self.module.train()
        while self.step < config.steps:
            if config.minutes is not None and self.seconds >= 60 * config.minutes:
                stopped = "budget"
                break
            value, norm, extra = self.make_step()
            self.step += 1
            now = time.monotonic()
            self.seconds = before + now - started
            due = self.step % config.log_every == 0 or self.step == config.steps
            keep = self.record is not None and self.step % config.checkpoint_every == 0
            if due or keep:
                self.check(value, norm)
            if due:
                rate = (self.step - shown) / max(1e-9, now - told) if told else 0.0
                shown, told = self.step, now
                self.log(norm, extra, rate)
                live.update(self.step, f"loss {self.last_loss:.4g}" + (f", {rate:.0f} steps/s" if rate else ""))
            if self.evaluate is not None and self.step % config.evaluate_every == 0 and self.stops_early():
                stopped = "early stop"
                break
            if keep:
                self.save()
                saved = self.step
            self.save_if_stopped(stop)
        if saved != self.step or not self.step:
            self.save()
        return TrainResult(self.step, self.last_loss, stopped, self.seconds, self.best, self.ema)

    def make_step(self) -> tuple[Tensor, Tensor | None, Mapping[str, Any]]:
        """One optimiser step; returns this process's loss, the gradient's norm and what the loss reported."""
        config, fabric = self.config, self.fabric
        self.reseed()
        if self.on_step is not None:
            self.on_step(self.plain, self.step)
        share = self.share(self.batches(config.seed, self.step))
        factor = _factor(config, self.step)
        for group, peak in zip(self.bare_optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        total: Any = 0.0
        extra: Mapping[str, Any] = {}
        for part in range(config.accumulate):
            syncs = part == config.accumulate - 1
            with contextlib.nullcontext() if syncs or self.is_plain else fabric.no_backward_sync(self.module):
                value = self.loss(self.callable, _part(share, part, config.accumulate))
                if isinstance(value, tuple):
                    value, extra = value
                value = value if config.accumulate == 1 else value / config.accumulate
                value.backward() if self.is_plain else fabric.backward(value)
            total = total + value.detach()
        norm: Any = None
        if config.clip is not None:
            norm = fabric.clip_gradients(self.module, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        (self.bare_optimizer if self.is_plain else self.optimizer).step()
        self.bare_optimizer.zero_grad()
        if self.ema is not None and config.ema is not None:
            with torch.no_grad():
                for average, weight in zip(self.ema.values(), self.plain.parameters(), strict=True):
                    average.lerp_(weight, 1 - config.ema)
        return total, norm, extra

    def reseed(self) -> None:
        """Set torch's random numbers for this step and process. (torch.manual_seed takes 0.7 ms: it records a stack.)"""
        seed = _mix(self.config.seed, self.step, self.fabric.global_rank)
        torch.default_generator.manual_seed(seed)
        if self.fabric.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def share(self, batch: Any) -> Any:
        """This process's part of the global batch, on its device."""
        world, rank = self.fabric.world_size, self.fabric.global_rank
        parts = world * self.config.accumulate
        if parts > 1:
            for size in _leading(batch):
                if size % parts:
                    raise BadInput(
                        f"A batch of {size} cannot be shared by {world} processes in {self.config.accumulate} parts.",
                        f"Use a multiple of {parts}.",
                    )
        if self.is_plain and self.fabric.device.type == "cpu":
            return batch
        return self.fabric.to_device(_part(batch, rank, world))

    def check(self, value: Tensor, norm: Tensor | None) -> None:
        """Read the loss, averaged over processes; stop before a broken state is saved."""
        reduced: Any = self.fabric.all_reduce(value, reduce_op="mean") if self.fabric.world_size > 1 else value
        found = float(reduced)
        if not math.isfinite(found) or (norm is not None and not math.isfinite(float(norm))):
            kept = f"{self.record.checkpoint_path} is from before." if self.record else ""
            raise TenfoldError(f"The loss is {found:g} at step {self.step}.", f"Lower the learning rate or clip. {kept}")
        self.last_loss = found

    def log(self, norm: Tensor | None, extra: Mapping[str, Any], rate: float) -> None:
        if self.record is None:
            return
        row = {"step": self.step, "loss": self.last_loss, "lr": self.bare_optimizer.param_groups[0]["lr"]}
        if norm is not None:
            row["grad_norm"] = float(norm)
        row.update({name: float(number) for name, number in extra.items()})
        self.record.log({**row, "seconds": round(self.seconds, 3), "steps_per_second": round(rate, 2)})

    def stops_early(self) -> bool:
        """Evaluate with the averaged weights; whether patience is at its end."""
        if self.evaluate is None:
            return False
        self.module.eval()
        with self.averaged(), torch.no_grad():
            found = {name: float(value) for name, value in self.evaluate(self.plain, self.step).items()}
        self.module.train()
        if self.record is not None:
            self.record.log({"step": self.step, **{f"evaluation_{name}": value for name, value in found.items()}})
        better = "loss" in found and (self.best is None or found["loss"] < self.best)
        if better:
            self.best = found["loss"]
        self.misses = 0 if better else self.misses + 1
        return self.config.patience is not None and self.misses >= self.config.patience

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with the averaged weights, if there are any, for the time of the block."""
        if self.ema is None:
            yield
            return
        own = {name: p.detach().clone() for name, p in self.plain.named_parameters()}
        _fill(self.plain, self.ema)
        try:
            yield
        finally:
            _fill(self.plain, own)

    def save_if_stopped(self, stop: Callable[[], None]) -> None:
        try:
            stop()
        except BaseException:
            self.save()
            raise

    def save(self) -> None:
        """Write the whole state; collective in a distributed run."""
        if self.record is None:
            return
        weights, moments = self.state()
        tensors = {f"model.{name}": value for name, value in weights.items()}
        tensors.update({f"optimizer.{name}": value for name, value in moments.items() if isinstance(value, Tensor)})
        scalars = {f"optimizer.{name}": value for name, value in moments.items() if not isinstance(value, Tensor)}
        tensors.update({f"ema.{name}": value for name, value in (self.ema or {}).items()})
        if not self.fabric.is_global_zero:
            return
        meta = _Progress(
            step=self.step,
            seconds=self.seconds,
            best=self.best,
            misses=self.misses,
            loss=self.last_loss,
            optimizer=scalars,
        )
        checkpoint.save(self.record.checkpoint_path, tensors, meta.model_dump(), system=self.record.config["system"])

    def resume(self) -> None:
        """Take up the run's checkpoint, if there is one."""
        if self.record is None:
            return
        if not self.record.checkpoint_path.exists():
            self.record.rewind(0)  # killed before the first checkpoint
            return
        found = checkpoint.load(self.record.checkpoint_path, system=self.record.config["system"])
        weights = _with_prefix(found.tensors, "model.")
        shapes = {name: tuple(value.shape) for name, value in self.plain.state_dict().items()}
        checkpoint.check_shapes(self.record.checkpoint_path, weights, shapes)
        moments: dict[str, Any] = _with_prefix(found.tensors, "optimizer.")
        averages = _with_prefix(found.tensors, "ema.")
        try:
            meta = _Progress.model_validate(found.meta)
            # JSON has no tuples; the optimisers' settings (betas) are tuples.
            scalars = _with_prefix(meta.optimizer, "optimizer.")
            moments.update({name: tuple(v) if isinstance(v, list) else v for name, v in scalars.items()})
            self.set_state(weights, moments)
            if self.ema is not None:
                self.ema = {name: averages[name].to(value.device) for name, value in self.ema.items()}
        except (ValueError, KeyError, IndexError, RuntimeError) as error:
            why = " ".join(str(error).split())[:120]
            raise BadInput(f"{self.record.checkpoint_path} is not the state of this training: {why}") from error
        self.step, self.seconds, self.best, self.misses = meta.step, meta.seconds, meta.best, meta.misses
        self.last_loss = float("nan") if meta.loss is None else meta.loss
        self.record.rewind(self.step)

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The weights, and the optimiser's state flat; FSDP's shards are put together, which takes every process."""
        if "fsdp" in self.config.strategy:
            weights, moments = get_state_dict(self.module._forward_module, self.bare_optimizer, options=_FLAT)
            return dict(weights), dict(moments)
        found = self.bare_optimizer.state_dict()
        flat = {f"state.{i}.{name}": value for i, row in found["state"].items() for name, value in row.items()}
        flat |= {f"group.{i}.{name}": value for i, row in enumerate(found["param_groups"]) for name, value in row.items()}
        return self.plain.state_dict(), flat

    def set_state(self, weights: dict[str, Any], moments: dict[str, Any]) -> None:
        """What `state` gave, put back."""
        if "fsdp" in self.config.strategy:
            module = self.module._forward_module
            set_state_dict(module, self.bare_optimizer, model_state_dict=weights, optim_state_dict=moments, options=_FLAT)
            return
        state: dict[int, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = [{} for _ in self.bare_optimizer.param_groups]
        for flat, value in moments.items():
            kind, index, name = flat.split(".", 2)
            if kind == "state":
                state.setdefault(int(index), {})[name] = value
            else:
                groups[int(index)][name] = list(value) if name == "params" else value
        self.plain.load_state_dict(weights)
        self.bare_optimizer.load_state_dict({"state": state, "param_groups": groups})


def _fabric(config: TrainConfig) -> Fabric:
    device, _, index = config.device.partition(":")
    if device not in ("auto", "cpu", "cuda", "gpu"):
        raise BadInput(f"device {config.device!r} is unknown.", "Use auto, cpu, cuda or cuda:N.")
    if device in ("cuda", "gpu") and not torch.cuda.is_available():
        raise BadInput(f"device {config.device!r}: this machine has no CUDA device.", "Use cpu or auto.")
    devices: Any = [int(index)] if index else config.devices
    try:
        return Fabric(
            accelerator="cuda" if device == "gpu" else device,
            devices=devices,
            strategy=config.strategy,
            precision=config.precision,  # pyright: ignore[reportArgumentType]
        )
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadInput(f"This way of training is not possible here: {' '.join(str(error).split())[:160]}") from error


def _factor(config: TrainConfig, step: int) -> float:
    """The schedule: what the peak learning rates are multiplied by at this step, in [0, 1]."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "noam":
        return math.sqrt(max(1, config.warmup) / (step + 1))
    share = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1 + math.cos(math.pi * share))


def _mix(seed: int, step: int, rank: int) -> int:
    """A seed for every (seed, step, process), well spread: the finaliser of SplitMix64."""
    mask = (1 << 64) - 1
    x = (seed * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03 + rank * 0x8CB92BA72F3D8DD7 + 1) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) >> 1


def _part(batch: Any, index: int, count: int) -> Any:
    if count == 1:
        return batch

    def cut(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        size = len(leaf) // count
        return leaf[index * size : (index + 1) * size]

    return tree_map(cut, batch)


def _leading(batch: Any) -> set[int]:
    sizes: set[int] = set()
    tree_map(lambda leaf: sizes.add(len(leaf)) if isinstance(leaf, Tensor) else None, batch)
    return sizes


def _fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weights[name])


def _with_prefix(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and SIGTERM back until a step is whole; yields a function that raises what was held back.

    A second Ctrl-C stops at once. A signal that is ignored, as Ctrl-C is in a job in the background, stays ignored.
    Outside the main thread signals cannot be held; then the function does nothing.
    """
    held: list[int] = []

    def hold(number: int, _: Any) -> None:
        if held and number == signal.SIGINT:
            raise KeyboardInterrupt
        held.append(number)

    def release() -> None:
        if held:
            raise KeyboardInterrupt if held[0] == signal.SIGINT else SystemExit(128 + held[0])

    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, hold)
    except ValueError:
        previous.clear()
    try:
        yield release
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
