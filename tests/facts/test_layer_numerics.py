"""What the layer and the scan hold to in other types, lengths and shapes, and compiled."""

import math
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts import FACTS, check_invariance, scan


def made(seed=0, **options):
    torch.manual_seed(seed)
    return FACTS(**{"in_features": 6, "in_factors": 5, "num_factors": 3, "slot_size": 8, **options}).eval()


def frames(layer, batch=2, time=10, rows=5, seed=1):
    return torch.randn(batch, time, rows, layer.in_features, generator=torch.Generator().manual_seed(seed))


def gradients(run, *inputs):
    out = run(*inputs)
    return out, torch.autograd.grad(out.square().sum(), [part for part in inputs if part.requires_grad])


def scan_inputs(time=12):
    draw = torch.Generator().manual_seed(0)
    decay, drive = (torch.randn(2, time, 3, 8, generator=draw) for _ in range(2))
    return (-decay.abs()).requires_grad_(), drive.requires_grad_(), torch.randn(2, 3, 8, generator=draw).requires_grad_()


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_compiled_scan_gives_the_same_states_and_gradients(backend):
    if backend == "inductor" and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no compiler")
    inputs = scan_inputs()
    compiled = torch.compile(lambda *parts: scan(*parts) * 2, backend=backend, fullgraph=True)
    for left, right in zip(gradients(compiled, *inputs), gradients(lambda *parts: scan(*parts) * 2, *inputs), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


def test_a_compiled_layer_gives_the_same_output_and_gradients():
    layer = made()
    x = frames(layer).requires_grad_()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    left, right = gradients(lambda x: compiled(x).y, x), gradients(lambda x: layer(x).y, x)
    torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


def test_bfloat16_input_is_scanned_with_a_float32_state_within_two_percent_of_the_scale():
    parts = [part.detach() for part in scan_inputs(300)]
    half = scan(*(part.bfloat16() for part in parts))
    exact = scan(*(part.bfloat16().double() for part in parts))
    assert half.dtype == torch.bfloat16
    assert float((half.double() - exact).abs().max() / exact.abs().max()) <= 2e-2
    layer = made()
    x = frames(layer, time=200)
    plain = layer(x).y
    error = (layer.bfloat16()(x.bfloat16()).y.float() - plain).abs().max() / plain.abs().max()
    assert float(error.detach()) <= 2e-2


@pytest.mark.parametrize("time", [1, 65_536])
def test_one_frame_and_65536_frames_end_as_they_do_in_parts(time):
    layer = made(slot_size=4, num_factors=2)
    x = frames(layer, batch=1, time=time)
    with torch.no_grad():
        y, _ = layer(x)
        early, _, state = layer.run(x[:, : time // 2]) if time > 1 else (None, None, None)
        late, _, _ = layer.run(x[:, time // 2 :], state)
        first, _ = layer.step(x[:, 0], layer.initial_state(1))
    torch.testing.assert_close(first, y[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(y if early is None else torch.cat((early, late), 1), y, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dt_bias", [-1e4, 1e4])
def test_steps_of_ten_thousand_and_of_nothing_stay_finite_with_their_gradients(dt_bias):
    layer = made(dt_bias=dt_bias)
    y, _ = layer(frames(layer))
    y.square().mean().backward()
    assert bool(y.isfinite().all())
    assert all(bool(weight.grad.isfinite().all()) for weight in layer.parameters() if weight.grad is not None)


def test_chunks_of_one_frame_are_the_recurrent_network_that_asks_with_its_last_memory():
    layer, one = made(conditioning="chunk", chunk_size=1, d_conv=1), made(init="given", d_conv=1)
    one.load_state_dict({name: value for name, value in layer.state_dict().items() if name != "memory"})
    x = frames(layer)
    memory = layer.memory.expand(2, 3, 8)
    with torch.no_grad():
        found = layer(x).z
        for place in range(x.shape[1]):
            memory = one(x[:, place : place + 1], state=memory[:, None]).z[:, 0]
            torch.testing.assert_close(found[:, place], memory, rtol=0, atol=1e-5)
        stepwise = made(conditioning="step", d_conv=1)
        torch.testing.assert_close(stepwise(x).z, found, rtol=0, atol=0)


SIZES = {
    "batch": st.integers(1, 3), "time": st.integers(1, 9), "rows": st.integers(2, 7), "slots": st.integers(1, 5),
    "heads": st.integers(1, 3), "router": st.sampled_from(["softmax", "inverted"]), "seed": st.integers(0, 99),
}  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(**SIZES)
def test_in_any_shape_the_order_of_rows_changes_nothing_and_slots_move_together(
    batch, time, rows, slots, heads, router, seed
):
    layer = made(seed, in_factors=None, num_factors=slots, heads=heads, router=router, invariant=True)
    x = frames(layer, batch, time, rows, seed)
    assert max(check_invariance(layer, x, seed=seed)) <= 1e-5
    order = torch.randperm(slots, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        plain = layer(x).y
        layer.memory.copy_(layer.memory[:, order])
        torch.testing.assert_close(layer(x).y, plain[:, :, order], rtol=0, atol=1e-6 * max(1.0, float(plain.abs().max())))


@settings(max_examples=30, deadline=None)
@given(**SIZES, d_conv=st.integers(1, 3), cut=st.floats(0, 1))
def test_in_any_shape_later_frames_and_other_sequences_change_nothing(
    batch, time, rows, slots, heads, router, seed, d_conv, cut
):
    layer = made(seed, in_factors=None, num_factors=slots, heads=heads, router=router, d_conv=d_conv)
    x = frames(layer, batch, time, rows, seed)
    place = math.floor(cut * time)
    later = x.clone()
    later[:, place:] += 1
    with torch.no_grad():
        y = layer(x).y
        assert torch.equal(layer(later).y[:, :place], y[:, :place])
        torch.testing.assert_close(layer(x[:1]).y, y[:1], rtol=1e-5, atol=1e-5)


def test_a_mask_of_other_rows_and_an_integer_mask_are_refused_by_name():
    layer = made()
    with pytest.raises(BadInput, match="mask has shape"):
        layer(frames(layer), torch.zeros(2, 3, 4))
    with pytest.raises(BadInput, match="mask has shape"):
        layer(frames(layer), torch.zeros(2, 3, 5, dtype=torch.long))
    with pytest.raises(BadInput, match="slot_size is 0"):
        made(slot_size=0)
