import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts import recurrence, scan


def step_by_step(log_decay, drive, initial):
    states = []
    for step in range(log_decay.shape[1]):
        initial = log_decay[:, step].exp() * initial + drive[:, step]
        states.append(initial)
    return torch.stack(states, 1)


def drawn(batch, time, slots, dim, *, dtype=torch.float64, seed=0, needs_gradient=False):
    draw = torch.Generator().manual_seed(seed)
    shape = (batch, time, slots, dim)
    parts = (
        -torch.rand(shape, generator=draw, dtype=dtype),
        torch.randn(shape, generator=draw, dtype=dtype),
        torch.randn(batch, slots, dim, generator=draw, dtype=dtype),
    )
    return [part.requires_grad_(needs_gradient) for part in parts]


@pytest.mark.data
@pytest.mark.parametrize("case", ["case0", "case1", "case3"])
@pytest.mark.parametrize(("dtype", "forward", "backward"), [(torch.float32, 1e-5, 1e-4), (torch.float64, 1e-12, 1e-12)])
def test_states_and_gradients_are_the_recurrences_in_float64(golden, case, dtype, forward, backward):
    stored = np.load(golden / "facts" / "golden_scan.npz")
    parts = [torch.from_numpy(stored[f"{case}/{name}"]).to(dtype).requires_grad_() for name in ("dA", "dBu", "z0")]
    states = scan(*parts)
    (states * torch.from_numpy(stored[f"{case}/w"]).to(dtype)).sum().backward()
    pairs = [(states, "z_exact_f64", forward)]
    pairs += [(part.grad, f"grad_{n}_f64", backward) for part, n in zip(parts, ("dA", "dBu", "z0"), strict=True)]
    for ours, name, bar in pairs:
        wanted = stored[f"{case}/{name}"]
        assert np.abs(ours.detach().numpy() - wanted).max() <= bar * np.abs(wanted).max(), name


@pytest.mark.data
@pytest.mark.parametrize("case", ["case0", "case1", "case3"])
def test_reference_mode_gives_the_published_codes_numbers(golden, case):
    stored = np.load(golden / "facts" / "golden_scan.npz")
    parts = [torch.from_numpy(stored[f"{case}/{name}"]) for name in ("dA", "dBu", "z0")]
    assert np.abs(scan(*parts, method="reference").numpy() - stored[f"{case}/z_reference_cpu_eps1e5"]).max() <= 2e-6


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99), st.integers(1, 60))
def test_it_equals_a_loop_in_value_and_gradient_whatever_the_size_of_its_blocks(batch, time, slots, dim, seed, block):
    before, recurrence._BLOCK = recurrence._BLOCK, block
    try:
        ours, plain = (drawn(batch, time, slots, dim, seed=seed, needs_gradient=True) for _ in range(2))
        weight = torch.randn(batch, time, slots, dim, dtype=torch.float64)
        a, b = scan(*ours), step_by_step(*plain)
        (a * weight).sum().backward()
        (b * weight).sum().backward()
    finally:
        recurrence._BLOCK = before
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    for left, right in zip(ours, plain, strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=0, atol=1e-12)


def test_gradients_agree_with_finite_differences_for_all_three_inputs():
    assert torch.autograd.gradcheck(scan, drawn(2, 5, 2, 3, needs_gradient=True))


def test_a_constant_decay_and_drive_give_the_geometric_series():
    decay, steps = 0.8, 50
    states = scan(
        torch.full((1, steps, 1, 1), np.log(decay), dtype=torch.float64),
        torch.ones(1, steps, 1, 1).double(),
        torch.zeros(1, 1, 1).double(),
    )
    wanted = (1 - decay ** torch.arange(1, steps + 1).double()) / (1 - decay)
    torch.testing.assert_close(states.flatten(), wanted, rtol=1e-13, atol=0)


def test_no_decay_keeps_the_first_state_and_a_huge_one_forgets_it_without_overflow():
    log_decay, drive, initial = drawn(1, 4, 2, 2)
    torch.testing.assert_close(scan(torch.zeros_like(log_decay), torch.zeros_like(drive), initial), initial.expand_as(drive))
    torch.testing.assert_close(scan(torch.full_like(log_decay, -1e4), drive, initial), drive)


def test_a_late_frame_changes_no_earlier_state_by_a_single_bit():
    log_decay, drive, initial = drawn(2, 30, 3, 4, dtype=torch.float32)
    other = log_decay.clone()
    other[:, 20:] -= 1
    assert torch.equal(scan(log_decay, drive, initial)[:, :20], scan(other, drive, initial)[:, :20])
    seen = [scan(one, drive, initial, "reference")[:, :20] for one in (log_decay, other)]
    assert not torch.equal(*seen)  # the published formula does see the future


def test_half_precision_carries_a_float32_state():
    parts = drawn(2, 200, 2, 3, dtype=torch.float32)
    half = scan(*(part.bfloat16() for part in parts))
    assert half.dtype == torch.bfloat16
    exact = scan(*(part.bfloat16().double() for part in parts))
    assert float((half - exact).abs().max() / exact.abs().max()) < 2e-2


def test_strided_views_are_scanned_as_they_are_and_are_not_changed():
    log_decay, drive, initial = drawn(2, 6, 3, 4)
    wide = torch.stack((log_decay, drive), 3)
    kept = wide.clone()
    torch.testing.assert_close(scan(wide[:, :, :, 0], wide[:, :, :, 1], initial), step_by_step(log_decay, drive, initial))
    assert torch.equal(wide, kept)


def test_it_is_an_operator_that_compilers_can_rely_on():
    parts = drawn(1, 4, 2, 3, needs_gradient=True)
    torch.library.opcheck(torch.ops.tenfold.facts_scan.default, (*parts, True))


def test_without_gradients_nothing_is_kept_for_them():
    with torch.no_grad():
        assert recurrence._forward(*drawn(1, 4, 2, 3), False)[1].numel() == 0


def test_65536_steps_are_exact():
    log_decay, drive, initial = drawn(1, 65_536, 1, 2, dtype=torch.float32)
    exact = step_by_step(*(part.double() for part in (log_decay[:, -60:], drive[:, -60:], torch.zeros_like(initial))))
    torch.testing.assert_close(scan(log_decay, drive, initial)[:, -1].double(), exact[:, -1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, b, c: (a[:, :3], b, c), "must be .batch, time, slots, dim"),
        (lambda a, b, c: (a, b, c[:, :1]), "initial"),
        (lambda a, b, c: (a.float(), b, c), "one and the same"),
        (lambda a, b, c: (a.long(), b.long(), c.long()), "floating"),
        (lambda a, b, c: (a, b, c, "fast"), "Use one of: exact, reference"),
    ],
)
def test_what_does_not_fit_is_named(change, words):
    with pytest.raises(BadInput) as error:
        scan(*change(*drawn(2, 5, 2, 3)))
    assert re.search(words, f"{error.value.message} {error.value.hint}")


def test_the_gpu_kernels_run_by_tritons_interpreter_give_the_same_numbers():
    pytest.importorskip("triton", reason="triton is not installed")
    code = """
import torch
from tenfold.facts import recurrence, recurrence_gpu

for dtype in (torch.float32, torch.float64):
    draw = torch.Generator().manual_seed(0)
    log_decay, drive, gradient = (torch.randn(2, 7, 3, 50, generator=draw, dtype=dtype) for _ in range(3))
    initial = torch.randn(2, 3, 50, generator=draw, dtype=dtype)
    log_decay = -log_decay.abs()
    parts = (log_decay, drive, initial, True)
    ours, plain = recurrence_gpu.forward(*parts), recurrence._forward(*parts)
    back = recurrence_gpu.backward(gradient, ours[1], ours[0], initial)
    wanted = recurrence._backward(gradient, plain[1], plain[0], initial)
    for left, right in zip((*ours, *back), (*plain, *wanted), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TRITON_INTERPRET": "1"}, timeout=120)


def test_without_triton_the_loop_runs_and_that_is_said_once(monkeypatch, caplog):
    import sys

    from tenfold import facts
    from tenfold.facts import recurrence

    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "tenfold.facts.recurrence_gpu", raising=False)
    monkeypatch.delattr(facts, "recurrence_gpu", raising=False)
    recurrence._kernels.cache_clear()
    assert recurrence._kernels() is None
    assert recurrence._kernels() is None
    (said,) = caplog.records
    assert said.message.startswith("Triton is not installed")
    recurrence._kernels.cache_clear()
