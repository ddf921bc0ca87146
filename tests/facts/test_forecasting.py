import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.facts import Forecaster, check_invariance, forecasting
from tenfold.facts.series import read_series, series_of
from tenfold.facts.synthetic import town_meters

SMALL = {"horizon": 6, "look_back": 24, "steps": 30, "slots": 4, "slot_size": 8, "heads": 2}
TOWN = town_meters(700)
NAMES = list(TOWN.columns[1:])


@pytest.fixture(scope="module")
def fitted():
    """With slots that have a say, as after a longer training."""
    model = Forecaster(**SMALL).fit(TOWN[:500], TOWN[500:600])
    network = model.trained.network
    network.gate.fill_(1.0)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.branch.decoder.outer.weight, std=0.3)
    return model


@pytest.fixture
def windows():
    return np.stack([TOWN[NAMES].to_numpy()[start : start + 24] for start in range(0, 120, 20)])


def test_a_forecast_has_the_times_that_follow_the_tables_columns_and_nested_intervals(fitted):
    found = fitted.predict(TOWN)
    assert list(found["time"]) == list(pd.date_range(TOWN["time"].iloc[-1], periods=7, freq="h")[1:])
    ends = [f"{name}-{end}-{level}" for name in NAMES for level in (80, 95) for end in ("lo", "hi")]
    assert set(found.columns) == {"time", *NAMES, *ends}
    for name in NAMES:
        rising = found[[f"{name}-lo-95", f"{name}-lo-80", name, f"{name}-hi-80", f"{name}-hi-95"]].to_numpy()
        assert (np.diff(rising, axis=1) >= 0).all()
    assert len(fitted.predict(TOWN, horizon=2)) == 2


def test_windows_are_forecast_in_the_units_of_the_data_as_tables_are(fitted, windows):
    found = fitted.forecast_windows(windows)
    assert found.shape == (6, 6, 7)
    for place, start in enumerate(range(0, 120, 20)):
        table = fitted.predict(TOWN[start : start + 24])
        np.testing.assert_allclose(found[place], table[NAMES], rtol=1e-5, atol=1e-4)
    with pytest.raises(BadInput, match=r"shape \(6, 24, 6\); they must be \(windows, 24 steps, 7 series\)"):
        fitted.forecast_windows(windows[..., :6])


def test_a_loaded_forecaster_gives_the_same_bits(fitted, windows, tmp_path):
    fitted.save(tmp_path / "model")
    assert {file.name for file in (tmp_path / "model").iterdir()} == {"forecaster.json", "weights.safetensors"}
    loaded = Forecaster.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.forecast_windows(windows), fitted.forecast_windows(windows))
    pd.testing.assert_frame_equal(loaded.predict(TOWN), fitted.predict(TOWN), check_exact=True)
    assert (loaded.roles, loaded.training, loaded.notes) == (fitted.roles, fitted.training, fitted.notes)


def _without_description(folder):
    (folder / "forecaster.json").unlink()


def _of_another_system(folder):
    stored = json.loads((folder / "forecaster.json").read_text())
    (folder / "forecaster.json").write_text(json.dumps({**stored, "system": "udrl"}))


def _with_an_impossible_setting(folder):
    stored = json.loads((folder / "forecaster.json").read_text())
    stored["settings"]["horizon"] = 0
    (folder / "forecaster.json").write_text(json.dumps(stored))


def _cut_off(folder):
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: len(content) // 2])


def _with_one_bit_changed(folder):
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(content))


def _that_is_no_json(folder):
    (folder / "forecaster.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_without_description, "holds no forecaster"),
        (_of_another_system, "system is wrong"),
        (_with_an_impossible_setting, r"settings\.horizon is wrong"),
        (_cut_off, "is not a whole safetensors checkpoint"),
        (_with_one_bit_changed, "does not belong to the forecaster.json"),
        (_that_is_no_json, "is not valid JSON"),
    ],
)
def test_a_foreign_or_damaged_folder_is_refused_in_one_sentence(fitted, tmp_path, damage, why):
    fitted.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadInput, match=why):
        Forecaster.load(tmp_path)


def test_a_description_of_a_larger_model_than_its_weights_is_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    stored = json.loads((tmp_path / "forecaster.json").read_text())
    stored["settings"]["slots"] = 5
    (tmp_path / "forecaster.json").write_text(json.dumps(stored))
    with pytest.raises(BadInput, match="memory has shape"):
        Forecaster.load(tmp_path)


def test_the_order_of_the_series_does_not_matter_and_who_is_who_does(fitted, windows):
    assert max(check_invariance(fitted, windows)) <= 1e-5
    forecast, rows = fitted.over_rows(windows)
    plain = forecast(rows)
    swapped = windows[..., [1, 0, 2, 3, 4, 5, 6]]  # other meters under the same names
    assert (fitted.over_rows(swapped)[0](fitted.over_rows(swapped)[1]) - plain).abs().max() > 1e-2 * plain.abs().max()


def test_slots_that_get_frame_after_frame_are_those_of_all_at_once(fitted, windows):
    assert fitted.streaming_gap(windows) <= 1e-5


def test_columns_may_come_in_another_order_be_fewer_or_new_if_that_is_allowed(fitted):
    plain = fitted.predict(TOWN)
    turned = fitted.predict(TOWN[["time", *NAMES[::-1]]], any_columns=True)
    np.testing.assert_allclose(turned[NAMES], plain[NAMES], rtol=1e-4, atol=1e-4)
    fewer = fitted.predict(TOWN[["time", "river", "heat_new"]], any_columns=True)
    assert list(fewer.columns[[1, 6]]) == ["river", "heat_new"]
    assert np.isfinite(fewer.iloc[:, 1:]).all().all()
    assert np.abs(fewer["heat_new"] - plain["heat_new"]).max() > 1e-4  # the slots no longer see the temperature
    new = fitted.predict(TOWN[:24].assign(twice=2 * TOWN["sun"] + 5), any_columns=True)
    alone = fitted.predict(TOWN[["time", "sun"]][:24].rename(columns={"sun": "unknown"}), any_columns=True)
    np.testing.assert_allclose(new["twice"], 2 * alone["unknown"] + 5, rtol=1e-4)
    with pytest.raises(BadInput, match="lacks 'sun', 'river' and adds 'other'"):
        fitted.predict(TOWN.drop(columns=["river", "sun"]).assign(other=1.0, time=TOWN["time"]))


def test_what_is_asked_for_too_early_or_beyond_the_model_is_refused(fitted):
    with pytest.raises(BadInput, match="The horizon is 7; the model forecasts 1 to 6 steps"):
        fitted.predict(TOWN, horizon=7)
    with pytest.raises(BadInput, match="has 23 rows; the model looks back 24"):
        fitted.predict(TOWN[:23])
    with pytest.raises(BadInput, match="was not fitted yet"):
        Forecaster().predict(TOWN)
    with pytest.raises(BadInput, match="35 rows are too few: look-back 24, horizon 6 and as much to validate need 36"):
        Forecaster(**SMALL).fit(TOWN[:35])
    with pytest.raises(BadInput, match="29 rows, and 6 to validate, are too few"):
        Forecaster(**SMALL).fit(TOWN[:29], TOWN[29:35])
    with pytest.raises(BadInput, match=r"The second table begins at .*; the first ends at"):
        Forecaster(**SMALL).fit(TOWN[:500], TOWN[501:600])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"horizon": 0}, "horizon is wrong"),
        ({"slot": 3}, "slot is wrong"),
        ({"device": "gpu9"}, "is not a device"),
        ({"fill": "zero"}, "fill is wrong"),
        ({"levels": (0.9, 0.8)}, r"Levels \(0.9, 0.8\) must rise"),
        ({"slot_size": 10, "heads": 4}, "multiple of heads"),
    ],
)
def test_settings_that_make_no_forecaster_are_named(settings, why):
    with pytest.raises(BadInput, match=why):
        Forecaster(**{**SMALL, **settings}).fit(TOWN[:100])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(BadInput, match="this machine has no such CUDA device"):
        Forecaster(device="cuda")


def test_missing_values_are_refused_or_hidden_and_a_hidden_series_is_as_if_it_were_not_there(fitted):
    holed = TOWN.copy()
    holed.loc[holed.index[100:110], "sun"] = np.nan
    holed.loc[holed.index[-40:], "rain"] = np.nan
    with pytest.raises(BadInput, match="'sun'"):
        Forecaster(**SMALL).fit(holed)
    model = Forecaster(**SMALL, fill="mask").fit(holed[:600])
    model.trained.network.gate.fill_(1.0)
    torch.nn.init.normal_(model.trained.network.branch.decoder.outer.weight, std=0.3)
    found, without = model.predict(holed), model.predict(holed.drop(columns="rain"), any_columns=True)
    others = [name for name in NAMES if name != "rain"]
    np.testing.assert_allclose(found[others], without[others], rtol=1e-4, atol=1e-4)
    assert np.isfinite(found[NAMES]).all().all()


def test_a_constant_column_is_kept_and_said():
    model = Forecaster(**{**SMALL, "steps": 5}).fit(TOWN[:300].assign(rain=3.0))
    assert "Column 'rain' is constant." in model.notes
    np.testing.assert_allclose(model.predict(TOWN[:300].assign(rain=3.0))["rain"], 3.0, atol=0.05)


@given(scale=st.floats(1e-3, 1e4), shift=st.floats(-1e4, 1e4))
@settings(max_examples=10)
def test_data_in_another_unit_are_forecast_in_that_unit(scale, shift):
    plain, turned = TOWN[["heat_old", "power"]][:200], TOWN[["heat_old", "power"]][:200] * scale + shift
    found, wanted = (Forecaster(**{**SMALL, "steps": 0}).fit(table).predict(table) for table in (turned, plain))
    reach = scale * float(np.ptp(plain))
    np.testing.assert_allclose(found.iloc[:, 1:], wanted.iloc[:, 1:] * scale + shift, atol=1e-3 * reach + 1e-6 * abs(shift))


def test_without_steps_the_linear_part_forecasts_alone():
    model = Forecaster(**{**SMALL, "steps": 0}).fit(TOWN[:500])
    assert model.training.gate == 0
    found = model.evaluate(TOWN[500:], context=TOWN[476:500])
    assert found.mse == pytest.approx(found.linear_mse)
    assert found.windows == 195
    assert model.evaluate(TOWN[500:]).windows == 195 - 24


def test_what_is_known_ahead_makes_a_forecast_better():
    draw = np.random.default_rng(0)
    known = draw.standard_normal(900)
    table = pd.DataFrame(
        {"load": known + 0.1 * draw.standard_normal(900), "plan": known, "noise": draw.standard_normal(900)}
    )
    settings = {**SMALL, "horizon": 2, "look_back": 8, "steps": 80, "stride": 1, "hidden": 0.0, "slot_size": 16}
    model = Forecaster(**settings, future_covariates=("plan",), past_covariates=("noise",)).fit(table[:800])
    assert model.training.mse < 0.5 * model.training.linear_mse
    with pytest.raises(BadInput, match="needs 'plan' over the horizon"):
        model.predict(table[:800])
    with pytest.raises(BadInput, match="'plan' is known 1 steps ahead; the horizon is 2"):
        model.predict(table[:800], future=table[800:801])
    found = model.predict(table[:800], future=table[800:802])
    assert list(found.columns[:2]) == ["step", "load"]
    assert list(found["step"]) == [800, 801]


def test_ctrl_c_keeps_the_best_so_far():
    reports = []

    def stop(step):
        reports.append(step)
        if len(reports) == 4:
            raise KeyboardInterrupt

    model = Forecaster(**SMALL).fit(TOWN[:500], on_step=stop)
    assert model.training.stopped
    assert 0 < model.training.steps < 30
    assert np.isfinite(model.predict(TOWN)[NAMES]).all().all()
    assert [report.step for report in reports] == [0, 3, 6, 9]
    assert all(report.steps == 30 and np.isfinite(report.validation) for report in reports)
    assert reports[2].seconds_left > 0


def test_a_training_that_crashed_goes_on_to_the_same_bits(tmp_path):
    whole = Forecaster(**SMALL).fit(TOWN[:500], folder=tmp_path / "whole")

    def crash(step):
        if step.step == 15:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        Forecaster(**SMALL).fit(TOWN[:500], folder=tmp_path / "cut", on_step=crash)
    steps = []
    again = Forecaster(**SMALL).fit(TOWN[:500], folder=tmp_path / "cut", on_step=lambda step: steps.append(step.step))
    assert min(step for step in steps if step) > 9
    for name, value in whole.trained.network.state_dict().items():
        torch.testing.assert_close(again.trained.network.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(BadInput, match="holds a run with seed = 0; asked is seed = 1"):
        Forecaster(**SMALL, seed=1).fit(TOWN[:500], folder=tmp_path / "cut")
    with pytest.raises(BadInput, match=r"holds a run with data = .*; asked is data ="):
        Forecaster(**SMALL).fit(TOWN[1:501], folder=tmp_path / "cut")


def test_the_router_says_who_feeds_which_slot(fitted):
    shares = fitted.routing(TOWN)
    assert list(shares.columns) == NAMES
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_a_path_a_frame_and_series_are_the_same_table(fitted, tmp_path):
    TOWN.to_csv(tmp_path / "town.csv", index=False)
    plain = fitted.predict(TOWN)
    for table in (tmp_path / "town.csv", str(tmp_path / "town.csv"), series_of(TOWN), read_series(tmp_path / "town.csv")):
        pd.testing.assert_frame_equal(fitted.predict(table), plain)


@pytest.mark.data
def test_etth1_is_forecast_as_well_as_the_issue_asks(data):
    """Bars: seasonal naive .512 less 20 %, DLinear .383 + 5 %, .386 (iTransformer's). The linear part alone reaches all."""
    series = read_series(data / "facts" / "ETTh1.csv.gz")
    frame = pd.DataFrame(series.values, columns=list(series.names)).assign(date=series.times)
    model = Forecaster(steps=0).fit(frame[:8640], frame[8640:11_520])
    found = model.evaluate(frame[11_520:14_400], context=frame[:11_520])
    assert found.windows == 2785
    assert found.mse <= 0.386
    assert found.naive_mse == pytest.approx(0.512, abs=1e-3)
    assert found.mse == pytest.approx(0.3782, abs=5e-4)
    assert found.coverage[0.8] == pytest.approx(0.83, abs=0.05)
    assert found.coverage[0.95] == pytest.approx(0.95, abs=0.03)


def test_the_shipped_model_forecasts_as_its_card_says_invariantly_and_frame_by_frame():
    folder = Path(forecasting.__file__).parent / "models" / "town"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 2 << 20
    model, town = Forecaster.shipped(), town_meters(14_400)
    assert model.training.gate > 0.5
    found = model.evaluate(town[12_240:], context=town[12_144:12_240])
    card = (folder / "README.md").read_text()
    for number in (found.mse, found.linear_mse, found.naive_mse):
        assert f"| {number:.4f}".replace("0.", ".") in card
    assert f"{100 * found.coverage[0.8]:.1f} %" in card
    assert f"{100 * found.coverage[0.95]:.1f} %" in card
    windows = np.stack([town[NAMES].to_numpy()[start : start + 96] for start in range(13_000, 13_400, 50)])
    assert max(check_invariance(model, windows)) <= 1e-5
    assert model.streaming_gap(windows) <= 1e-5
