"""The headline experiment: its rows, and its claims' rules on rows made by hand."""

import pytest

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Row, decide
from tenfold.llm.engine import NOTICE
from tenfold.semgrad.experiment import COUPLED, EXPERIMENT, LADDER


@pytest.fixture(scope="module")
def smoke() -> list[Row]:
    return [row for task in EXPERIMENT.tasks("smoke", 0, "cpu") for row in task.run()]


def test_the_smoke_scale_makes_rows_with_intervals_and_decides_every_claim(smoke: list[Row]) -> None:
    verdicts = {entry["id"]: entry["verdict"] for entry in decide(EXPERIMENT, smoke)}
    assert verdicts["semgrad-1"] == "shown"
    assert verdicts["semgrad-3"] == verdicts["semgrad-4"] == "not decidable here"
    full = next(row for row in smoke if row.method == "full" and row.condition.startswith("arithmetic, leaf start"))
    assert full.seeds == 2
    assert full.low <= full.value <= full.high
    assert {f"full - {name}" for name in list(LADDER)[1:]} <= {row.method for row in smoke}
    assert len(EXPERIMENT.figures(smoke)) == 1


def test_the_report_says_first_that_the_engine_is_not_a_language_model() -> None:
    assert EXPERIMENT.lead.startswith(NOTICE)


def test_the_table_by_coupling_class_takes_the_largest_scale_and_signs_differences(smoke: list[Row]) -> None:
    smoke = [row.model_copy(update={"scale": "smoke"}) for row in smoke]
    large = [
        Row(method=method, metric="test accuracy", value=value, low=value - 0.1, high=value + 0.1, scale="laptop",
            condition="tracking, leaf start, 2 errors a step, real questions", command="tenfold reproduce semgrad")
        for method, value in (("full", 0.75), ("full - bare", 0.25), ("full - self", -0.001))
    ]  # fmt: skip
    shadow = [row.model_copy(update={"scale": "smoke", "value": 0.5}) for row in large]
    (found,) = EXPERIMENT.tables([*smoke, *shadow, *large])
    rows = {row[0]: dict(zip(found.columns, row, strict=True)) for row in found.rows}
    assert list(rows) == ["arithmetic", "tracking"]
    assert rows["tracking"]["how the leaves work together"].startswith("composition")
    assert rows["tracking"]["full"] == "0.75 (0.65 to 0.85)"
    assert rows["tracking"]["full - bare"] == "+0.25 (+0.15 to +0.35)"
    assert rows["tracking"]["full - self"] == "+0.00 (-0.10 to +0.10)"
    assert rows["tracking"]["none"] == ""
    assert all(rows["arithmetic"][name] for name in found.columns)
    assert found.command == "tenfold reproduce semgrad"
    assert EXPERIMENT.tables([]) == []


def differences(bare: float, self_: float) -> list[Row]:
    return [
        Row(method=f"full - {other}", metric="test accuracy", value=gain, low=gain - 0.1, high=gain + 0.1, condition=task)
        for name in COUPLED
        for task in [f"{name}, leaf start, 2 errors a step, generated questions"]
        for other, gain in (("bare", bare), ("self", self_))
    ]


@pytest.mark.parametrize(
    ("bare", "self_", "verdict"),
    [(0.3, 0.3, "shown"), (0.3, 0.0, "partly"), (0.0, 0.3, "not shown"), (0.05, 0.05, "not shown")],
)
def test_claim_2_takes_intervals_above_0_against_bare_and_self_on_every_coupled_task(bare, self_, verdict) -> None:
    decided = {entry["id"]: entry for entry in decide(EXPERIMENT, differences(bare, self_))}
    assert decided["semgrad-2"]["verdict"] == verdict


def test_claims_without_rows_are_not_decided() -> None:
    assert {entry["verdict"] for entry in decide(EXPERIMENT, [])} == {"not decidable here"}


@pytest.mark.data
def test_the_gpu_scale_runs_three_tasks_with_the_users_model(data, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TENFOLD_MODEL", "script:tests.semgrad.half_right:reply")
    tasks = list(EXPERIMENT.tasks("gpu", 0, "cpu"))
    assert [task.key for task in tasks] == ["bbh multistep_arithmetic_two", "bbh navigate", "bbh object_counting"]
    rows = tasks[1].run()
    assert [(row.metric, row.seeds) for row in rows] == [("training accuracy", 1), ("test accuracy", 1)]
    assert "40 questions, seed 0" in rows[1].condition


def test_scales_that_need_a_model_say_how_to_name_it(monkeypatch) -> None:
    monkeypatch.delenv("TENFOLD_MODEL", raising=False)
    with pytest.raises(BadInput, match="TENFOLD_MODEL"):
        list(EXPERIMENT.tasks("paper", 0, "cpu"))


@pytest.mark.parametrize(("other", "verdict"), [(0.4, "shown"), (0.6, "not shown")])
def test_claim_4_takes_liar_with_a_model_on_three_seeds(other, verdict) -> None:
    rows = [
        Row(method=method, metric="training accuracy", value=value, seeds=1, condition=f"LIAR, 50 samples, seed {seed}")
        for seed in range(3)
        for method, value in (("full", 0.6), ("no gradient", other), ("no gate", other))
    ]
    decided = {entry["id"]: entry["verdict"] for entry in decide(EXPERIMENT, rows)}
    assert decided["semgrad-4"] == verdict
