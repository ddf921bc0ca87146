"""Train a small model in a run folder; killed by the tests.

Arguments: FOLDER STEPS DEVICES ACCUMULATE DROPOUT.
"""

import os
import signal
import sys

import torch
from torch import nn

from tenfold.core.runs import Run
from tenfold.core.train import TrainConfig, fit

folder, steps, devices, accumulate, dropout = sys.argv[1], *map(float, sys.argv[2:6])
torch.set_num_threads(1)
torch.manual_seed(0)
module = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Dropout(dropout), nn.Linear(32, 1))
kill_at = int(os.environ.get("KILL_AT", "-1"))


def batches(seed, step):
    if step == kill_at and not os.environ.get("KILL_IN_SAVE"):
        os.kill(os.getpid(), signal.SIGKILL)
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(seed * 1_000_003 + step), dtype=torch.float32)
    return {"x": x, "y": x.sum(1, keepdim=True)}


if os.environ.get("KILL_IN_SAVE"):
    real, count = os.replace, 0

    def replace(source, target):
        global count
        if str(target).endswith("checkpoint.safetensors"):
            count += 1
            if count == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)

    os.replace = replace

config = TrainConfig(
    steps=int(steps),
    device="cpu",
    devices=int(devices),
    strategy="ddp" if devices > 1 else "auto",
    clip=1.0,
    ema=0.9 if dropout else None,
    schedule="cosine",
    warmup=3,
    accumulate=int(accumulate),
    checkpoint_every=4,
    log_every=1,
)
with Run.open(folder, system="test", config={"steps": config.steps}) as run:
    result = fit(
        module,
        lambda net, batch: nn.functional.mse_loss(net(batch["x"]), batch["y"]),
        batches,
        lambda weights: torch.optim.AdamW(weights, lr=1e-2),
        config,
        run,
    )
    run.finish({"loss": result.loss, "step": result.step})
