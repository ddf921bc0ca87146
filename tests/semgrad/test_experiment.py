"""The headline experiment: its rows, and its claims' rules on rows made by hand."""

import pytest

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
