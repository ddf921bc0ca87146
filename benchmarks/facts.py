"""The scan, the layer and the forecaster: CPU time, one thread, beside their peers in the same run.

What the scan must do, per element of (batch, time, slots, dim): forward it reads the log decay and the drive and writes the
state, backward it reads the gradient, the decay and the state before, and writes two gradients: 8 streams of 4 bytes. The
floor is that traffic at the bandwidth of a copy (a read and a write an element) of arrays far larger than the last level of
the cache, measured between the scans. At (16, 96, 21, 64), 2.06 M elements, it is 66 MB. Above the floor we keep the decays
for the backward pass (a write and a read), pass once more over the gradient of the decay, and touch fresh pages.

What a layer's step must do at (32, 96, 7, 16) is small products (D P c a row for the composed projection) and launches of
operators; "unfused" is the published formula as it is written: a wide linear map, a convolution over time, keys, values and
parameters each with a map of its own, a copy of the memory for each frame, the cumulative-sum scan. It has our layer's
weights and, with the published scan in both, its outputs, which is checked before anything is timed.

Ratios are medians over rounds in which the methods take turns, so that a busy moment hits none alone.

    python benchmarks/facts.py --json           # about a minute
    python benchmarks/facts.py --compile        # torch.associative_scan too, which loads the compiler
"""

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core.console import table
from tenfold.core.files import jsonable
from tenfold.facts.layer import FACTS
from tenfold.facts.network import ForecastNetwork, NetworkConfig
from tenfold.facts.recurrence import scan
from tenfold.facts.rivals import DLinear, ITransformer

SCAN_SHAPE = (16, 96, 21, 64)
LAYER_SHAPE = (32, 96, 7, 16)
LAYERS: dict[str, dict[str, Any]] = {
    "7 slots, 4 slim heads, gated": {"num_factors": 7, "heads": 4, "slim": True},
    "4 slots, 1 head": {"num_factors": 4},
}
STREAMS, BYTES = 8, 4
_COPIED = 1 << 26  # numbers: 256 MB each way

Scan = Callable[[Tensor, Tensor, Tensor], Tensor]


class Row(NamedTuple):
    """A measured number, and the bar that it has to meet."""

    name: str
    value: float
    bar: str = ""
    is_met: bool | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=9, help="of each comparison (default 9)")
    parser.add_argument("--compile", action="store_true", help="torch.associative_scan too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [*of_scan(arguments.rounds, arguments.compile), *of_layer(arguments.rounds), *of_forecasters(arguments.rounds)]
    if torch.cuda.is_available():
        rows += of_gpu(arguments.rounds)
    if arguments.json:
        print(json.dumps(jsonable({"rows": [row._asdict() for row in rows]})))
    else:
        verdicts = {None: "", True: "met", False: "missed"}
        table(("what", "value", "bar", ""), [(row.name, f"{row.value:.4g}", row.bar, verdicts[row.is_met]) for row in rows])


def of_scan(rounds: int, compiled: bool) -> Iterator[Row]:
    """Forward and backward of the scan beside the other forms of it, and beside the floor."""
    inputs = _scan_inputs(SCAN_SHAPE)
    forms: dict[str, Scan] = {
        "scan": scan,
        "cumulative sum (published)": lambda *parts: scan(*parts, method="reference"),
        "naive loop": naive_loop,
        "doubling": doubling,
    }
    if compiled:
        forms["torch.associative_scan"] = associative()
    exact = naive_loop(*(part.detach().double() for part in inputs))
    for name, form in forms.items():
        with torch.no_grad():
            error = float((form(*inputs) - exact).abs().max() / exact.abs().max())
        yield Row(f"{name}: error relative to the largest state", error)
    source = torch.randn(_COPIED)
    target = torch.empty_like(source)
    tasks: dict[str, Callable[[], object]] = {"copy": lambda: target.copy_(source)}
    tasks |= {name: _learning(form, inputs) for name, form in forms.items()}
    times = alternate(tasks, rounds)
    bandwidth = 2 * BYTES * _COPIED / median(times["copy"])
    yield Row("copy: GB/s, read and written", bandwidth / 1e9)
    for name in forms:
        yield Row(f"{name}: forward and backward, ms", 1e3 * median(times[name]))
    bars = {"cumulative sum (published)": 4.0, "naive loop": 15.0}
    for name in list(forms)[1:]:
        yield _at_least(f"scan: times faster than {name}", ratio(times[name], times["scan"]), bars.get(name))
    work = STREAMS * BYTES * inputs[0].numel() / (2 * BYTES * _COPIED)
    share = ratio(times["scan"], times["copy"]) / work
    yield Row("scan: times the bandwidth floor", share, "<= 3 (goal 2)", share <= 3)


def of_layer(rounds: int) -> Iterator[Row]:
    """A training step of the layer beside the published formula, unfused, with the same weights."""
    for name, options in LAYERS.items():
        torch.manual_seed(0)
        layer = FACTS(LAYER_SHAPE[-1], LAYER_SHAPE[2], slot_size=LAYER_SHAPE[-1], output_parameters=True, **options)
        check_unfused(layer)
        x = torch.randn(LAYER_SHAPE)
        tasks = {
            "ours": _step(layer, partial(read_out, layer, x)),
            "unfused": _step(layer, partial(unfused, layer, x)),
        }
        times = alternate(tasks, rounds)
        yield Row(f"layer, {name}: training step, ms", 1e3 * median(times["ours"]))
        yield _at_least(f"layer, {name}: times faster than unfused", ratio(times["unfused"], times["ours"]), 2.0, "goal 2.5")


def of_forecasters(rounds: int) -> Iterator[Row]:
    """A training step (batch 32) and a forecast (batch 1) of the forecasters, 96 steps to 96, 7 series."""
    torch.manual_seed(0)
    models: dict[str, nn.Module] = {
        "FACTS": ForecastNetwork(NetworkConfig(look_back=96, horizon=96, variates=7)),
        "DLinear": DLinear(96, 96),
        "iTransformer": ITransformer(96, 96),
    }
    x, one = torch.randn(32, 96, 7), torch.randn(1, 96, 7)
    for what, tasks in (
        ("training step", {name: _step(model, partial(model, x)) for name, model in models.items()}),
        ("forecast", {name: _without_gradients(model.eval(), one) for name, model in models.items()}),
    ):
        times = alternate(tasks, rounds if what == "training step" else 10 * rounds)
        for name in models:
            yield Row(f"forecaster {name}: {what}, ms", 1e3 * median(times[name]))
        yield Row(f"forecaster FACTS: times faster than iTransformer, {what}", ratio(times["iTransformer"], times["FACTS"]))


def of_gpu(rounds: int) -> Iterator[Row]:
    """The kernel beside a copy and, where it is installed, beside flash-linear-attention's HGRN; wall time."""
    shape = (16, 96, 862, 32)
    inputs = tuple(part.detach().cuda().requires_grad_() for part in _scan_inputs(shape))
    source = torch.randn(_COPIED, device="cuda")
    target = torch.empty_like(source)
    tasks: dict[str, Callable[[], object]] = {"copy": lambda: target.copy_(source), "scan": _learning(scan, inputs)}
    try:
        from fla.ops.hgrn import fused_recurrent_hgrn  # pyright: ignore[reportMissingImports]
    except ImportError:
        pass
    else:
        flat = lambda part: part.flatten(2)  # noqa: E731
        tasks["fla HGRN"] = _learning(
            lambda decay, drive, initial: fused_recurrent_hgrn(flat(drive), flat(decay), initial.flatten(1))[0].view_as(
                drive
            ),
            inputs,
        )
    times = alternate(tasks, rounds, on_gpu=True)
    work = STREAMS * BYTES * inputs[0].numel() / (2 * BYTES * _COPIED)
    share = work / ratio(times["scan"], times["copy"])
    yield Row(f"GPU scan {shape}: share of the copy bandwidth", share, ">= 0.5", share >= 0.5)
    if "fla HGRN" in times:
        yield _at_least("GPU scan: times faster than fla HGRN", ratio(times["fla HGRN"], times["scan"]), 1.0)


def alternate(tasks: dict[str, Callable[[], object]], rounds: int, on_gpu: bool = False) -> dict[str, list[float]]:
    """Seconds of each task in each round: of the processor, or of the wall when a GPU works."""
    clock = time.perf_counter if on_gpu else time.process_time
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(rounds):
        for name, task in tasks.items():
            started = clock()
            task()
            if on_gpu:
                torch.cuda.synchronize()
            times[name].append(clock() - started)
    return times


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(of, to, strict=True))


def naive_loop(log_decay: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """The recurrence as it is written, differentiated by autograd."""
    states, state = [], initial
    for step in range(drive.shape[1]):
        state = log_decay[:, step].exp() * state + drive[:, step]
        states.append(state)
    return torch.stack(states, 1)


def doubling(log_decay: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """Hillis and Steele's parallel form: log2(T) rounds that double how far each state looks back."""
    decay = log_decay.exp()
    state = torch.cat((decay[:, :1] * initial[:, None] + drive[:, :1], drive[:, 1:]), 1)
    reach = 1
    while reach < drive.shape[1]:
        state = torch.cat((state[:, :reach], state[:, reach:] + decay[:, reach:] * state[:, :-reach]), 1)
        decay = torch.cat((decay[:, :reach], decay[:, reach:] * decay[:, :-reach]), 1)
        reach *= 2
    return state


def associative() -> Scan:
    """torch's own scan of pairs (decay, state), in its generic form."""
    from torch._higher_order_ops.associative_scan import associative_scan

    def combine(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return left[0] * right[0], right[0] * left[1] + right[1]

    def run(log_decay: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
        decay = log_decay.exp()
        first = decay[:, :1] * initial[:, None] + drive[:, :1]
        pairs = (decay, torch.cat((first, drive[:, 1:]), 1))
        return associative_scan(combine, pairs, dim=1, combine_mode="generic")[1]

    return run


def read_out(layer: FACTS, x: Tensor) -> Tensor:
    return layer(x).y


def unfused(layer: FACTS, x: Tensor) -> Tensor:
    """The read-out by the published formula, step after step of spec section 1.3, with the layer's weights."""
    projection, router = layer.projection, layer.router
    dim, heads, size, groups = layer.slot_size, router.heads, router.size, router.groups
    batch, frames, rows, _ = x.shape
    slots, every = layer.num_factors, batch * frames
    wide, taps = projection.kernel.shape[1:]
    inner = F.linear(x, projection.inner)
    padded = F.pad(inner[..., :wide].permute(0, 3, 1, 2), (0, 0, taps - 1, 0))
    projected = F.conv2d(padded, projection.kernel.unsqueeze(-1), projection.bias).permute(0, 2, 3, 1)
    drive, parameters = projected.split((dim, groups * dim), -1)
    assert layer.memory is not None
    memory = layer.memory.expand(batch, slots, dim)
    asked = router.norm_slots(memory.unsqueeze(1).expand(batch, frames, slots, dim).reshape(every, slots, dim))
    read = router.norm_inputs(drive).reshape(every, rows, dim)
    query, key, value = (
        part.view(every, -1, heads, size).transpose(1, 2)
        for part in (router.query(asked), router.key(read), router.value(read))
    )
    normal = F.group_norm(
        parameters.reshape(every, rows, groups * dim).mT, groups, router.norm_weight.flatten(), router.norm_bias.flatten()
    )
    mapped = F.conv1d(normal, router.parameters_map.reshape(groups * heads * size, dim, 1), groups=groups)
    carried = torch.cat((value, mapped.view(every, heads, groups * size, rows).mT), -1)
    found = F.scaled_dot_product_attention(query, key, carried)
    # (every, heads, slots, (1 + groups) size) -> channels (1 + groups) size over an image of heads x slots
    image = found.permute(0, 3, 1, 2)
    routed = F.conv2d(image, router.out.reshape((1 + groups) * dim, size, heads, 1), groups=1 + groups).squeeze(2)
    pushed, dt, push, read_out = routed.mT.reshape(batch, frames, slots, 1 + groups, dim).unbind(3)
    dt = F.softplus(dt + layer.dt_bias)
    states = scan(-layer.log_rate.exp() * dt, dt * push * pushed, memory, "reference") * read_out
    return states * F.silu(inner[..., wide:]) if layer.is_gated else states


def check_unfused(layer: FACTS) -> None:
    """The unfused formula computes what the layer computes with the published scan."""
    kept, layer.method = layer.method, "reference"
    x = torch.randn(LAYER_SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(layer(x).y, unfused(layer, x), rtol=1e-4, atol=1e-4)
    layer.method = kept


def _scan_inputs(shape: tuple[int, int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    log_decay = -F.softplus(torch.randn(shape, generator=draw))
    drive, initial = torch.randn(shape, generator=draw), torch.randn(shape[0], *shape[2:], generator=draw)
    return log_decay.requires_grad_(), drive.requires_grad_(), initial.requires_grad_()


def _learning(form: Scan, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    gradient = torch.ones_like(inputs[1])
    return lambda: torch.autograd.grad(form(*inputs), inputs, gradient)


def _step(model: nn.Module, run: Callable[[], Tensor]) -> Callable[[], object]:
    def step() -> None:
        model.zero_grad()
        run().square().mean().backward()

    return step


def _without_gradients(model: nn.Module, x: Tensor) -> Callable[[], object]:
    def run() -> None:
        with torch.inference_mode():
            model(x)

    return run


def _at_least(name: str, value: float, bar: float | None, goal: str = "") -> Row:
    if bar is None:
        return Row(name, value)
    return Row(name, value, f">= {bar:g}" + (f" ({goal})" if goal else ""), value >= bar)


if __name__ == "__main__":
    main()
