import json

import numpy as np
import pytest
import torch

from tenfold.core.errors import BadInput
from tenfold.facts import load_reference_forecaster
from tenfold.facts.network import ForecastNetwork, NetworkConfig


@pytest.fixture
def published(golden):
    stored = np.load(golden / "facts" / "golden_forecaster.npz")
    config = json.loads(str(stored["meta_json"]))["mkk"]
    weights = {name.split("/weights/")[1]: torch.from_numpy(stored[name]) for name in stored.files if "/weights/" in name}
    return stored, config, weights


@pytest.mark.data
def test_the_published_forecasters_weights_give_its_forecasts_and_embedding(published):
    stored, config, weights = published
    network = load_reference_forecaster(config, weights)
    x, wanted = torch.from_numpy(stored["mkk/x"]), stored["mkk/y_reference_cpu"]
    with torch.no_grad():
        assert np.abs(network(x).numpy() - wanted).max() <= 1e-5 * np.abs(wanted).max()
        assert np.abs(network.embedding(x).numpy() - stored["mkk/embedding"]).max() <= 1e-5
        exact = load_reference_forecaster(config, weights, scan="exact")(x)
    assert np.abs(exact.numpy() - wanted).max() > 1e-3  # the published scan is wrong at 36 steps


@pytest.mark.data
def test_settings_and_weights_that_do_not_fit_are_named(published):
    _, config, weights = published
    with pytest.raises(BadInput, match="lack 'enc_in'"):
        load_reference_forecaster({name: value for name, value in config.items() if name != "enc_in"}, weights)
    with pytest.raises(BadInput, match=r"lack norm_rep\.weight"):
        load_reference_forecaster(config, {name: value for name, value in weights.items() if name != "norm_rep.weight"})
    with pytest.raises(BadInput, match=r"pred_proj\.bias has shape"):
        load_reference_forecaster(config, {**weights, "pred_proj.bias": torch.zeros(3)})
    with pytest.raises(BadInput, match="look_back is wrong"):
        load_reference_forecaster({**config, "seq_len": 0}, weights)


@pytest.mark.parametrize("stacking", ["mkk", "mmk"])
@pytest.mark.parametrize("embedding", ["shared", "mixing"])
@pytest.mark.parametrize("affine", [True, False])
def test_every_stacking_forecasts_and_learns_in_the_units_of_its_input(stacking, embedding, affine):
    torch.manual_seed(0)
    config = NetworkConfig(
        look_back=12, horizon=5, variates=6, slots=3, slot_size=8, layers=3, stacking=stacking, embedding=embedding,
        affine=affine, heads=2,
    )  # fmt: skip
    network = ForecastNetwork(config)
    x = torch.randn(4, 12, 6)
    out = network(x)
    assert out.shape == (4, 5, 6)
    out.square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    # Another unit and another origin of the data are those of the forecast.
    torch.testing.assert_close(network(1000 * x + 300), 1000 * out + 300, rtol=1e-3, atol=2)
