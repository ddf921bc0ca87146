"""The training loop: exact resume after a real SIGKILL, DDP equal to one process, every way to stop."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tenfold.core import checkpoint
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.runs import Run
from tenfold.core.train import TrainConfig, fit

SCRIPT = Path(__file__).parent / "scripts" / "train_run.py"


def child(folder, steps=20, devices=1, accumulate=1, dropout=0.0, **env):
    command = [sys.executable, str(SCRIPT), str(folder), *map(str, (steps, devices, accumulate, dropout))]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    done = subprocess.run(command, env={**clean, **env}, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stderr


def tensors(folder):
    return checkpoint.load(folder / "checkpoint.safetensors", system="test").tensors


def metrics(folder):
    with Run.open(folder, system="test", config={}, free=("steps",)) as run:
        return run.metrics()


@pytest.mark.slow
@pytest.mark.timeout(900)  # seven processes that each load torch: minutes on a machine that others use too
def test_a_run_killed_at_any_step_and_resumed_ends_bit_equal(tmp_path):
    options = {"accumulate": 2, "dropout": 0.3}
    assert child(tmp_path / "whole", **options)[0] == 0
    whole = tensors(tmp_path / "whole")
    for kill_at in ("2", "9", "16"):
        folder = tmp_path / kill_at
        assert child(folder, KILL_AT=kill_at, **options)[0] == -signal.SIGKILL
        code, err = child(folder, **options)
        assert code == 0, err
        resumed = tensors(folder)
        assert resumed.keys() == whole.keys()
        assert any(name.startswith("ema.") for name in whole)
        assert all(torch.equal(resumed[name], whole[name]) for name in whole)
        assert [row["step"] for row in metrics(folder)] == list(range(1, 21))
        strip = lambda rows: [(row["step"], row["loss"], row["lr"]) for row in rows]  # noqa: E731
        assert strip(metrics(folder)) == strip(metrics(tmp_path / "whole"))


@pytest.mark.slow
def test_a_kill_while_the_checkpoint_is_written_keeps_the_one_before(tmp_path):
    assert child(tmp_path / "r", KILL_IN_SAVE="1")[0] == -signal.SIGKILL
    assert checkpoint.load(tmp_path / "r" / "checkpoint.safetensors", system="test").meta["step"] == 4
    assert child(tmp_path / "r")[0] == 0
    assert child(tmp_path / "whole")[0] == 0
    assert all(torch.equal(v, tensors(tmp_path / "whole")[k]) for k, v in tensors(tmp_path / "r").items())


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one_with_the_doubled_batch(tmp_path):
    env = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    assert child(tmp_path / "one")[0] == 0
    code, err = child(tmp_path / "two", devices=2, **env)
    assert code == 0, err
    one, two = ([row["loss"] for row in metrics(tmp_path / name)] for name in ("one", "two"))
    assert len(one) == len(two) == 20
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-5


def data(seed, step):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    return x, x.sum(1, keepdim=True)


def mse(module, batch):
    return nn.functional.mse_loss(module(batch[0]), batch[1])


def sgd(weights):
    return torch.optim.SGD(weights, lr=0.05)


def small():
    torch.manual_seed(1)
    return nn.Linear(4, 1)


def run_of(path, **config):
    return Run.open(path, system="test", config=config)


def test_accumulation_equals_the_whole_batch():
    one, four = small(), small()
    fit(one, mse, data, sgd, TrainConfig(steps=10, device="cpu"))
    fit(four, mse, data, sgd, TrainConfig(steps=10, device="cpu", accumulate=4))
    assert torch.allclose(one.weight, four.weight, atol=1e-6)
    with pytest.raises(BadInput, match="16 cannot be shared"):
        fit(small(), mse, data, sgd, TrainConfig(steps=1, device="cpu", accumulate=3))


def test_the_moving_average_is_the_closed_form():
    module, seen = small(), []
    seen.append(module.weight.detach().clone())
    result = fit(
        module,
        mse,
        data,
        sgd,
        TrainConfig(steps=5, device="cpu", ema=0.8),
        on_step=lambda m, s: seen.append(m.weight.detach().clone()),
    )
    wanted = seen[0]
    for weight in [*seen[2:], module.weight.detach()]:
        wanted = 0.8 * wanted + 0.2 * weight
    assert torch.allclose(result.ema["weight"], wanted, atol=1e-6)


def test_warmup_then_cosine_and_the_metrics_say_so(tmp_path):
    with run_of(tmp_path / "r") as run:
        fit(small(), mse, data, sgd, TrainConfig(steps=10, device="cpu", schedule="cosine", warmup=4, log_every=1), run)
        rates = [row["lr"] / 0.05 for row in run.metrics()]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4:] == pytest.approx([0.5 * (1 + math.cos(math.pi * i / 6)) for i in range(6)])


def test_clipping_bounds_the_step():
    module = small()
    before = module.weight.detach().clone()
    fit(module, mse, data, lambda w: torch.optim.SGD(w, lr=1.0), TrainConfig(steps=1, device="cpu", clip=1e-3))
    assert (module.weight - before).norm() <= 1.001e-3


def test_it_stops_early_and_remembers_how_long_it_waited(tmp_path):
    losses = iter([3.0, 2.0, 2.5, 2.6, 1.0])
    config = TrainConfig(steps=100, device="cpu", evaluate_every=2, patience=2)
    with run_of(tmp_path / "r") as run:
        result = fit(small(), mse, data, sgd, config, run, evaluate=lambda module, step: {"loss": next(losses)})
    assert (result.stopped, result.step, result.best) == ("early stop", 8, 2.0)
    assert checkpoint.load(tmp_path / "r" / "checkpoint.safetensors", system="test").meta["misses"] == 2


def test_the_time_budget_is_summed_over_resumptions(tmp_path):
    def slow(seed, step):
        threading_event.wait(0.02)
        return data(seed, step)

    import threading

    threading_event = threading.Event()
    config = TrainConfig(steps=10_000, device="cpu", minutes=0.1 / 60)
    with run_of(tmp_path / "r") as run:
        first = fit(small(), mse, slow, sgd, config, run)
        second = fit(small(), mse, slow, sgd, config, run)
    assert first.stopped == second.stopped == "budget"
    assert 1 <= first.step < 100
    assert second.step == first.step


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    def poisoned(seed, step):
        x, y = data(seed, step)
        return (x * math.nan if step == 7 else x), y

    with run_of(tmp_path / "r") as run, pytest.raises(TenfoldError, match="nan at step 8"):
        fit(small(), mse, poisoned, sgd, TrainConfig(steps=20, device="cpu", log_every=1, checkpoint_every=3), run)
    assert checkpoint.load(tmp_path / "r" / "checkpoint.safetensors", system="test").meta["step"] == 6


@pytest.fixture
def heard():
    """Ctrl-C as in the foreground: a suite that was started in the background inherits it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_waits_for_the_step_saves_and_then_ends(tmp_path, number, kind, heard):
    def batches(seed, step):
        if step == 5:
            os.kill(os.getpid(), number)
        return data(seed, step)

    interrupted, whole = small(), small()
    config = TrainConfig(steps=9, device="cpu")
    with run_of(tmp_path / "r") as run:
        with pytest.raises(kind):
            fit(interrupted, mse, batches, sgd, config, run)
        assert checkpoint.load(run.checkpoint_path, system="test").meta["step"] == 6
        fit(interrupted, mse, data, sgd, config, run)
    fit(whole, mse, data, sgd, config)
    assert torch.equal(interrupted.weight, whole.weight)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored(heard):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fit(small(), mse, lambda seed, step: os.kill(os.getpid(), signal.SIGINT) or data(seed, step), sgd, TrainConfig(steps=2))
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_checkpoint_of_another_model_is_refused_and_tied_weights_survive(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x)).sum(1, keepdim=True)

    with run_of(tmp_path / "r") as run:
        config = TrainConfig(steps=4, device="cpu")
        torch.manual_seed(0)
        first = Tied()
        fit(first, mse, data, sgd, config, run)
        second = Tied()
        fit(second, mse, data, sgd, config, run)
        assert torch.equal(first.a.weight, second.a.weight)
        assert second.a.weight is second.b.weight
        with pytest.raises(BadInput, match=r"a\.weight|lacks"):
            fit(small(), mse, data, sgd, config, run)


def test_lower_precision_and_unknown_devices(tmp_path):
    result = fit(small(), mse, data, sgd, TrainConfig(steps=3, device="cpu", precision="bf16-mixed"))
    assert math.isfinite(result.loss)
    for wrong in ({"device": "tpu"}, {"device": "cpu", "strategy": "nosuch"}, {"device": "cpu", "precision": "7-bit"}):
        with pytest.raises(BadInput):
            fit(small(), mse, data, sgd, TrainConfig(steps=1, **wrong))


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, meta: meta.clear(),
        lambda tensors, meta: meta.update(step="seven"),
        lambda tensors, meta: meta["optimizer"].clear(),
        lambda tensors, meta: tensors.update({"optimizer.x": torch.zeros(1)}),
        lambda tensors, meta: tensors.pop("ema.weight"),
    ],
)
def test_a_checkpoint_that_is_not_of_this_training_is_refused_in_a_sentence(tmp_path, change):
    with run_of(tmp_path / "r") as run:
        fit(small(), mse, data, sgd, TrainConfig(steps=4, device="cpu", ema=0.9), run)
        found = checkpoint.load(run.checkpoint_path, system="test")
        change(found.tensors, found.meta)
        checkpoint.save(run.checkpoint_path, found.tensors, found.meta, system="test")
        with pytest.raises(BadInput, match="not the state of this training"):
            fit(small(), mse, data, sgd, TrainConfig(steps=8, device="cpu", ema=0.9), run)
