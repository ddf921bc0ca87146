"""What the training loop costs above a bare torch loop doing the same work.

Floor: zero. Above the bare loop stand, per step, one reseeding (about 10 us), the wrappers of Fabric around forward,
backward, clip and step, and the clock; per `log_every` steps one JSON line; per checkpoint one file of 12 MB. Both loops
run the same model (1.0 M parameters, batch 32, AdamW, clipping to norm 1) on the same batches, in turn, in blocks short
enough that the machine's drift falls on both; the figure is the median of the paired ratios.

    python benchmarks/train.py --json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tenfold.core.console import table
from tenfold.core.runs import Run
from tenfold.core.train import TrainConfig, fit

STEPS, WIDTH = 1000, 700


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(32, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)
    )


def batches(seed: int, step: int) -> tuple[Tensor, Tensor]:
    return POOL[step % len(POOL)]


def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.mse_loss(module(batch[0]), batch[1])


def bare() -> None:
    module = model()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    for step in range(STEPS):
        value = loss(module, batches(0, step))
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def ours() -> None:
    config = TrainConfig(steps=STEPS, device="cpu", clip=1.0)
    with tempfile.TemporaryDirectory() as folder, Run.open(folder, system="benchmark", config=config.model_dump()) as run:
        fit(model(), loss, batches, lambda weights: torch.optim.AdamW(weights, lr=1e-3), config, run)


def timed(function: Callable[[], None]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--pairs", type=int, default=11, help="paired runs of 1000 steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bare()
    ours()
    pairs = []
    for index in range(arguments.pairs):
        order = (bare, ours) if index % 2 else (ours, bare)
        seconds = {function.__name__: timed(function) for function in order}
        pairs.append((seconds["ours"], seconds["bare"]))
    ratios = [mine / theirs - 1 for mine, theirs in pairs]
    low, median, high = statistics.quantiles(ratios, n=4)
    rows = [
        {
            "name": "overhead of core.train over a bare torch loop (median of pairs)",
            "value": median,
            "low": low,
            "high": high,
        },
        {"name": "bare loop, CPU ms per step", "value": statistics.median(theirs for _, theirs in pairs) / STEPS * 1e3},
        {"name": "core.train, CPU ms per step", "value": statistics.median(mine for mine, _ in pairs) / STEPS * 1e3},
    ]
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value"), [(row["name"], f"{row['value']:.4g}") for row in rows])


POOL = [(torch.randn(32, 32), torch.randn(32, 1)) for _ in range(16)]


if __name__ == "__main__":
    main()
