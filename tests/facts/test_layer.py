import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts import FACTS, LayerState, check_invariance

CASES = ("soft_mk", "soft_res_slim", "soft_long", "self_init", "given_z")


class Golden:
    """A layer of the published code, with its numbers."""

    def __init__(self, folder, case, scan):
        self.stored, self.case = np.load(folder / "facts" / "golden_layer.npz"), case
        config = json.loads(str(self.stored["meta_json"]))[case]["cfg"]
        first = config.get("init_method", "learnable")
        self.layer = FACTS(
            config["in_features"], config["in_factors"], config["num_factors"], config["slot_size"],
            heads=config["num_heads"], output_parameters=True, slim=config.get("slim_mode", False),
            init="given" if first == "none" else first, dt_bias=config.get("dt_bias", 0.0),
            expand=config.get("expand", 2), d_conv=config.get("d_conv"), scan=scan,
        )  # fmt: skip
        names = [name for name in self.stored.files if name.startswith(f"{case}/weights/")]
        self.weights = {name.split("/weights/")[1]: torch.from_numpy(self.stored[name]) for name in names}
        self.layer.load_reference_state_dict(self.weights)
        self.x = torch.from_numpy(self["x"])
        self.state = torch.from_numpy(self["z_in"]) if f"{case}/z_in" in self.stored.files else None

    def __getitem__(self, name):
        return self.stored[f"{self.case}/{name}"]


@pytest.fixture(params=CASES)
def exact(request, golden):
    return Golden(golden, request.param, "exact")


@pytest.fixture(params=CASES)
def reference(request, golden):
    return Golden(golden, request.param, "reference")


@pytest.mark.data
def test_with_the_published_weights_it_gives_the_intended_recurrence(exact):
    found = exact.layer(exact.x, state=exact.state)
    for ours, name in zip(found, ("y_exact_f64", "z_exact_f64"), strict=True):
        assert np.abs(ours.detach().numpy() - exact[name]).max() <= 1e-5 * np.abs(exact[name]).max()


@pytest.mark.data
def test_reference_mode_gives_the_published_outputs_and_gradients(reference):
    x = reference.x.requires_grad_()
    y, z = reference.layer(x, state=reference.state)
    assert np.abs(y.detach().numpy() - reference["y_reference_cpu"]).max() <= 1e-5
    assert np.abs(z.detach().numpy() - reference["z_reference_cpu"]).max() <= 1e-5
    if f"{reference.case}/grad_x_reference_cpu" not in reference.stored.files:
        return
    (y * torch.from_numpy(reference["loss_w"])).sum().backward()
    pairs = [(x, "grad_x_reference_cpu")]
    own = dict(reference.layer.named_parameters())
    names = reference.layer._reference_names()
    pairs += [(own[ours], f"grad_reference_cpu/{theirs}") for ours, theirs in names.items()]
    for ours, name in pairs:
        wanted = reference[name]
        assert np.abs(ours.grad.numpy().reshape(wanted.shape) - wanted).max() <= 1e-4 * np.abs(wanted).max(), name


@pytest.mark.data
def test_the_router_gives_the_published_drive_and_parameters(golden):
    for case in CASES:
        one = Golden(golden, case, "exact")
        layer = one.layer.double()
        x = one.x.double()
        padded = torch.cat((x.new_zeros(len(x), layer.d_conv - 1, *x.shape[2:]), x), 1)
        memory = x if layer.init == "self" else (layer.memory[:, None] if one.state is None else one.state.double())
        routed = layer.router(layer.projection(padded)[0], memory)
        np.testing.assert_allclose(routed[..., 0, :].detach(), one["router_u_f64"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(routed[..., 1:, :].flatten(-2).detach(), one["router_params_f64"], rtol=0, atol=1e-5)


@pytest.mark.data
def test_published_weights_come_back_as_they_were(exact):
    back = exact.layer.reference_state_dict()
    assert back.keys() == exact.weights.keys()
    assert all(torch.equal(back[name], exact.weights[name]) for name in back)
    with pytest.raises(BadInput, match="lack"):
        exact.layer.load_reference_state_dict({})


SHAPES = [
    {},
    {"router": "inverted", "heads": 2},
    {"conditioning": "chunk", "chunk_size": 3},
    {"conditioning": "step", "output_parameters": True},
    {"init": "spherical"},
    {"init": "uniform", "d_conv": 3},
    {"init": "self", "num_factors": 5, "in_features": 8},
    {"init": "first_frame", "num_factors": 5, "in_features": 8, "conditioning": "chunk", "chunk_size": 4},
    {"num_factors": 5, "slim": True, "heads": 4},
    {"invariant": True},
]


def made(seed=0, **options):
    torch.manual_seed(seed)
    return FACTS(**{"in_features": 6, "in_factors": 5, "num_factors": 3, "slot_size": 8, **options}).eval()


def frames(layer, batch=2, time=10, seed=1):
    return torch.randn(batch, time, 5, layer.in_features, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_frame_by_frame_and_in_two_parts_it_gives_what_it_gives_at_once(options):
    layer = made(**options)
    x = frames(layer)
    with torch.no_grad():
        y, z = layer(x)
        state, stepped = layer.initial_state(2), []
        for frame in x.unbind(1):
            out, state = layer.step(frame, state)
            stepped.append(out)
        first, _, between = layer.run(x[:, :7])
        second, last, _ = layer.run(x[:, 7:], between)
    torch.testing.assert_close(torch.stack(stepped, 1), y, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.cat((first, second), 1), y, rtol=0, atol=1e-5)
    torch.testing.assert_close(last[:, -1], z[:, -1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_later_frames_and_other_sequences_change_nothing(options):
    layer = made(**options)
    x = frames(layer)
    later, other = x.clone(), x.clone()
    later[:, 6:] += 1
    other[1] += 1
    with torch.no_grad():
        assert torch.equal(layer(x).y[:, :6], layer(later).y[:, :6])
        torch.testing.assert_close(layer(x).y[0], layer(other).y[0], rtol=0, atol=1e-6)


@given(st.integers(0, 50), st.sampled_from(["softmax", "inverted"]), st.integers(1, 2), st.booleans())
def test_an_invariant_layer_does_not_see_the_order_of_rows_not_even_one_that_changes(seed, router, heads, reads_out):
    layer = made(seed, router=router, heads=heads, output_parameters=reads_out, invariant=True)
    found = check_invariance(layer, frames(layer, seed=seed), seed=seed)
    assert max(found) <= 1e-5


def test_what_is_not_made_invariant_is_measured_as_such():
    gated, looking_back = made(num_factors=5), made(d_conv=2)
    assert check_invariance(gated, frames(gated)).fixed > 1e-3
    back = check_invariance(looking_back, frames(looking_back))
    assert back.fixed <= 1e-5
    assert back.per_frame > 1e-3
    with pytest.raises(BadInput, match="at least 2 rows"):
        check_invariance(gated, torch.zeros(1, 3, 1, 6))


def test_slots_in_another_order_give_the_same_in_that_order():
    layer = made(heads=2)
    x, order = frames(layer), torch.tensor([2, 0, 1])
    with torch.no_grad():
        plain = layer(x).y
        layer.memory.copy_(layer.memory[:, order])
        torch.testing.assert_close(layer(x).y, plain[:, :, order], rtol=0, atol=1e-6)


@pytest.mark.parametrize("router", ["softmax", "inverted"])
@pytest.mark.parametrize("heads", [1, 2])
def test_hidden_rows_are_as_rows_that_are_not_there_even_if_they_hold_nan(router, heads):
    layer = made(in_factors=None, router=router, heads=heads)
    x = frames(layer)
    hidden = x.clone()
    hidden[:, :, 3:] = torch.nan
    mask = torch.zeros(2, 1, 5)
    mask[..., 3:] = -torch.inf
    with torch.no_grad():
        torch.testing.assert_close(layer(hidden, mask).y, layer(x[:, :, :3]).y, rtol=0, atol=1e-5)
        by_frame = mask[:, None].repeat(1, 10, 1, 1)
        torch.testing.assert_close(layer(hidden, by_frame).y, layer(x[:, :, :3]).y, rtol=0, atol=1e-5)
        assert float(layer.routing(hidden, mask)[..., 3:].abs().max()) == 0


@pytest.mark.parametrize("router", ["softmax", "inverted"])
def test_a_slot_that_sees_nothing_is_driven_by_nothing(router):
    layer = made(in_factors=None, router=router, output_parameters=False)
    mask = torch.zeros(2, 3, 5)
    mask[:, 1] = -torch.inf
    x = frames(layer)
    with torch.no_grad():
        routed = layer.router(layer.projection(torch.cat((x[:, :1] * 0, x), 1))[0], layer.memory[:, None], mask[:, None])
        z = layer(x, mask).z
    assert float(routed[:, :, 1].abs().max()) == 0
    halves = 0.5 ** torch.arange(1, 11)  # dt = softplus(0) = log 2
    torch.testing.assert_close(z[:, :, 1], layer.memory[:, 1] * halves[None, :, None].expand(2, 10, 1), rtol=1e-5, atol=1e-6)


def test_chunks_are_the_layer_begun_again_with_the_last_memory():
    chunked = made(conditioning="chunk", chunk_size=4, d_conv=1)
    given_memory = made(init="given", d_conv=1)
    weights = {name: value for name, value in chunked.state_dict().items() if name != "memory"}
    given_memory.load_state_dict(weights)
    x = frames(chunked)
    memory = chunked.memory.expand(2, 3, 8)
    parts = []
    with torch.no_grad():
        for start in range(0, 10, 4):
            z = given_memory(x[:, start : start + 4], state=memory[:, None]).z
            memory = z[:, -1]
            parts.append(z)
        torch.testing.assert_close(chunked(x).z, torch.cat(parts, 1), rtol=0, atol=1e-6)
        whole = made(conditioning="chunk", chunk_size=99, d_conv=1)
        torch.testing.assert_close(whole(x).z, made(d_conv=1)(x).z, rtol=0, atol=0)


def test_drawn_memories_are_the_same_in_each_evaluation_and_new_in_training():
    layer = made(init="spherical")
    x = frames(layer)
    assert torch.equal(layer(x).y, layer(x).y)
    layer.train()
    assert not torch.equal(layer(x).y, layer(x).y)


@pytest.mark.parametrize("options", [{}, {"router": "inverted"}], ids=str)
def test_it_trains_in_float64_and_bfloat16(options):
    for dtype, least in ((torch.float64, 0.0), (torch.bfloat16, 0.0)):
        layer = made(**options).to(dtype)
        y, _ = layer(frames(layer).to(dtype))
        assert y.dtype == dtype
        y.square().mean().backward()
        assert all(float(p.grad.abs().sum()) > least for p in layer.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"router": "hard"}, "router 'hard' is unknown"),
        ({"init": "zeros"}, "init 'zeros' is unknown"),
        ({"num_factors": 0}, "num_factors is 0"),
        ({"chunk_size": 0, "conditioning": "chunk"}, "chunk_size is 0"),
        ({"slim": True, "heads": 3}, "multiple of heads"),
        ({"init": "self"}, "makes slots of the input rows"),
        ({"residual": True}, "pairs each slot with one input row"),
        ({"residual": True, "num_factors": 5, "invariant": True}, "pairs each slot"),
        ({"invariant": True, "d_conv": 2}, "invariant needs d_conv 1"),
        ({"invariant": True, "init": "first_frame", "num_factors": 5, "in_features": 8}, "invariant needs"),
        ({"conditioning": "chunk"}, "chunk_size goes with"),
        ({"chunk_size": 4}, "chunk_size goes with"),
        ({"init": "self", "num_factors": 5, "in_features": 8, "conditioning": "step"}, "asks with each frame"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(options, words):
    with pytest.raises(BadInput, match=words):
        made(**options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: (x[:, :, :4],), "4 rows, the layer was made for 5"),
        (lambda x: (x[..., :3],), "must be .batch, time, rows, 6"),
        (lambda x: (x[:, :0],), "none of them 0"),
        (lambda x: (x.long(),), "must be floating"),
        (lambda x: (x * torch.nan,), "NaN or infinity"),
        (lambda x: (x, torch.zeros(2, 4, 5)), "mask has shape"),
        (lambda x: (x, torch.full((2, 3, 5), torch.nan)), "never NaN"),
        (lambda x: (x, None, torch.zeros(2, 1, 3, 8)), "only with init 'given'"),
    ],
)
def test_input_that_does_not_fit_is_refused_by_name(change, words):
    layer = made()
    with pytest.raises(BadInput, match=words):
        layer(*change(frames(layer)))


def test_a_given_memory_must_be_given_in_its_shape():
    layer = made(init="given")
    with pytest.raises(BadInput, match="needs the first memory"):
        layer(frames(layer))
    with pytest.raises(BadInput, match=r"must be \(2, 1, 3, 8\)"):
        layer(frames(layer), state=torch.zeros(2, 3, 8))
    assert isinstance(layer.initial_state(2, torch.zeros(2, 1, 3, 8)), LayerState)
