"""The headline experiment: its rows, and its claims' rules on rows made by hand."""

import pytest

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Row, decide
from tenfold.judge.experiment import COUNTS, EMBEDDED, EXPERIMENT, FAULTS, NOTICE, REWARDS


@pytest.fixture(scope="module")
def smoke() -> list[Row]:
    return [row for task in EXPERIMENT.tasks("smoke", 0, "cpu") for row in task.run()]


def verdicts(rows):
    return {entry["id"]: entry["verdict"] for entry in decide(EXPERIMENT, rows)}


def test_the_smoke_scale_makes_rows_with_intervals_baselines_and_pictures(smoke):
    found = {row.method: row for row in smoke if row.metric == "faults found"}
    assert set(found) == {EMBEDDED, "all satisfied", "path check", "path and keyword"}
    assert found["all satisfied"].value == 0.0
    assert found[EMBEDDED].low <= found[EMBEDDED].value <= found[EMBEDDED].high
    assert found[EMBEDDED].value > found["path check"].value
    assert len(EXPERIMENT.figures(smoke)) == 2
    assert verdicts(smoke)["judge-4"] == "not decidable here"


def test_the_report_says_first_that_the_engine_is_no_language_model():
    assert EXPERIMENT.lead.startswith(NOTICE)
    assert "no language model" in NOTICE


def test_claims_without_rows_are_not_decided():
    assert set(verdicts([]).values()) == {"not decidable here"}


def row(metric, value, method=EMBEDDED, condition=FAULTS, low=None):
    return Row(method=method, metric=metric, value=value, low=low, high=None if low is None else value, condition=condition)


@pytest.mark.parametrize(
    ("share", "covered", "verdict"),
    [(0.95, 1.0, "shown"), (0.95, 0.9, "partly"), (0.6, 1.0, "partly"), (0.2, 1.0, "not shown")],
)
def test_claim_1_takes_located_faults_and_evidence_for_every_verdict(share, covered, verdict):
    rows = [
        row("found faults whose evidence names the file", share),
        row("verdicts with evidence or what is missing", covered),
    ]
    assert verdicts(rows)["judge-1"] == verdict


def test_claim_2_takes_the_papers_counts_and_claim_3_three_agents():
    rows = [row(name, value, "DevAI", "DevAI") for name, value in COUNTS.items()]
    assert verdicts(rows)["judge-2"] == "not decidable here"  # no labels
    for number, agent in enumerate(("MetaGPT", "OpenHands", "GPT-Pilot"), 1):
        rows.append(row("alignment", 0.9, "the paper's recorded judge", f"people's labels of {agent}"))
        rows.append(row("requirements met (I)", 81, "people", f"people's labels of {agent}"))
        assert verdicts(rows)["judge-3"] == ("shown" if number == 3 else "partly")
    assert verdicts(rows)["judge-2"] == "shown"
    assert verdicts([rows[0].model_copy(update={"value": 54}), *rows[1:]])["judge-2"] == "not shown"


@pytest.mark.parametrize(("low", "verdict"), [(0.86, "shown"), (0.7, "not shown")])
def test_claim_4_takes_the_agent_above_single_calls_and_both_floors(low, verdict):
    where = "people's labels of OpenHands"
    rows = [
        row("alignment", 0.9, "llm", where, low),
        row("alignment", 0.6, "llm-single", where),
        row("alignment", 0.71, "floor: words of the criteria", where),
    ]
    assert verdicts(rows)["judge-4"] == verdict


@pytest.mark.parametrize(
    ("spearman", "low", "verdict"),
    [(0.95, 0.1, "shown"), (0.95, -0.1, "partly"), (0.5, 0.1, "partly"), (0.5, -0.1, "not shown")],
)
def test_claim_5_takes_falling_rewards_and_a_best_of_8_above_chance(spearman, low, verdict):
    rows = [
        row("Spearman of faults and lost reward, within a task", spearman, condition=REWARDS),
        row("best of 8 minus random", 0.3, condition=REWARDS, low=low),
    ]
    assert verdicts(rows)["judge-5"] == verdict


@pytest.mark.data
def test_with_the_data_at_hand_the_papers_counts_and_table_are_shown(data):
    tasks = {task.key: task for task in EXPERIMENT.tasks("laptop", 0, "cpu")}
    rows = [found for key in ("counts", "labels MetaGPT", "labels OpenHands") for found in tasks[key].run()]
    found = {(r.condition.rpartition(" ")[2], r.method): r.value for r in rows if r.metric == "alignment"}
    assert found["MetaGPT", "the paper's recorded judge"] == pytest.approx(337 / 366)
    assert found["OpenHands", "floor: always the same"] == pytest.approx(209 / 366)
    assert verdicts(rows)["judge-2"] == "shown"
    assert verdicts(rows)["judge-3"] == "partly"


@pytest.mark.data
def test_a_third_agents_labels_are_read_from_the_users_folder(data, monkeypatch, tmp_path):
    (tmp_path / "labels_GPT-Pilot.csv").write_bytes((data / "judge/labels_MetaGPT.csv").read_bytes())
    monkeypatch.setenv("TENFOLD_DEVAI", str(tmp_path))
    tasks = [task for task in EXPERIMENT.tasks("laptop", 0, "cpu") if task.key.startswith("labels")]
    assert verdicts([found for task in tasks for found in task.run()])["judge-3"] == "shown"


def test_scales_that_need_a_model_or_workspaces_say_how_to_name_them(monkeypatch):
    monkeypatch.delenv("TENFOLD_MODEL", raising=False)
    monkeypatch.delenv("TENFOLD_DEVAI", raising=False)
    with pytest.raises(BadInput, match="TENFOLD_MODEL"):
        list(EXPERIMENT.tasks("gpu", 0, "cpu"))
    monkeypatch.setenv("TENFOLD_MODEL", "hf:/folder")
    with pytest.raises(BadInput, match="TENFOLD_DEVAI"):
        list(EXPERIMENT.tasks("paper", 0, "cpu"))
