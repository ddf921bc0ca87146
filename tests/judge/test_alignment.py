"""Agreement with people: the paper's table to the last count, floors, intervals, and every form of verdicts."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.made import VERDICTS, report, reports, requirements
from tenfold.core.errors import BadInput
from tenfold.judge import embedded
from tenfold.judge.alignment import agreement
from tenfold.judge.devai import PAPER_COSTS, TaskFlags
from tenfold.judge.floors import _RIDGE, PART, _groups, _words, floors, text_prior
from tenfold.judge.labels import Label, report_labels, save_labels
from tenfold.judge.requirements import load_requirements
from tenfold.judge.types import Report, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.judge.writers import write_report

ENDED = TaskFlags(True, False, False)
COUNTS = ("met", "met_dependent", "met_transitive")


def labels(human: Sequence[bool], needs: Sequence[Sequence[int]], task: str = "task") -> list[Label]:
    asked = requirements(needs, task)
    return [
        Label(task, one.id, one.criteria, met, one.prerequisites, "Other") for one, met in zip(asked, human, strict=True)
    ]


@pytest.mark.data
@pytest.mark.parametrize(
    ("agent", "aligned", "kappa", "ended", "human", "judge", "confusion"),
    [
        ("MetaGPT", 337, 0.775, 23, (81, 24, 18), (86, 22), (69, 17, 12, 268)),
        ("OpenHands", 330, 0.800, 30, (157, 105, 95), (159, 103), (140, 19, 17, 190)),
    ],
)
def test_the_papers_table_comes_out_of_the_labels(data: Path, agent, aligned, kappa, ended, human, judge, confusion) -> None:
    folder = data / "judge"
    found = agreement(None, folder / f"labels_{agent}.csv", flags=folder / f"task_flags_{agent}.csv")
    plain = json.loads(json.dumps(found.to_dict()))
    assert (plain["aligned"], plain["total"], plain["self_terminated"]) == (aligned, 366, ended)
    assert plain["kappa"] == pytest.approx(kappa, abs=5e-4)
    assert tuple(plain["human"][name] for name in COUNTS) == human
    assert tuple(plain["judge"][name] for name in COUNTS[:2]) == judge
    assert tuple(found.confusion) == confusion
    assert found.confidence_auroc == 0.5
    assert found.tasks == 55
    low, high = found.intervals["alignment"]
    assert low < aligned / 366 < high
    assert plain["floors"]["constant"] == {"verdict": "unsatisfied", "aligned": 366 - human[0]}
    assert found.floor.text_aligned < aligned
    assert f"{aligned}/366" in found.to_markdown()
    assert "the paper's" in found.to_markdown()


@pytest.mark.data
def test_the_one_public_workspace_is_judged_written_read_and_agrees_with_people(data: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(data / "judge" / "workspace_OpenHands_39_Drug_Response_Prediction_SVM_GDSC_ML.json.gz")
    asked = load_requirements(data / "judge" / "devai_instances.jsonl", task="39")
    judged = Report(workspace.name, asked, embedded.judge(workspace, asked))
    path = write_report(judged, tmp_path / "39.json")
    found = agreement(path, data / "judge" / "labels_OpenHands.csv", flags=data / "judge" / "task_flags_OpenHands.csv")
    assert (found.total, found.tasks, found.left_out, found.self_terminated) == (7, 1, 359, 1)
    assert found.aligned >= 6
    assert found.to_dict() == agreement(judged, data / "judge" / "labels_OpenHands.csv", flags={asked.name: ENDED}).to_dict()


@pytest.mark.data
def test_the_published_intervals_come_out_of_the_bootstrap(data: Path) -> None:
    low, high = agreement(None, data / "judge" / "labels_MetaGPT.csv", draws=5000).intervals["alignment"]
    assert (low, high) == pytest.approx((0.891, 0.949), abs=0.004)


def test_a_third_labels_file_and_another_column_work_the_same(tmp_path: Path) -> None:
    rows = ["task,requirement_id,prerequisites,human,other,criteria_as_judged"]
    rows += [f"t{i % 3},{i},,{i % 2},{int(i % 4 == 1)},Save number {i}." for i in range(12)]
    (tmp_path / "third.csv").write_text("\n".join(rows))
    found = agreement(None, str(tmp_path / "third.csv"), column="other")
    assert (found.aligned, found.total, found.judge) == (9, 12, "other")
    with pytest.raises(BadInput, match=r"no column 'aaaj_gray_box'.*other"):
        agreement(None, tmp_path / "third.csv")


def test_reports_are_joined_by_the_words_of_their_criteria(tmp_path: Path) -> None:
    judged = {
        name: report(requirements([[], [0], [1]], name), ["satisfied", "undecided", "unsatisfied"], name)
        for name in ("a", "b")
    }
    people = [*labels([True, True, False], [[], [0], [1]], "a"), *labels([True, False, False], [[], [0], [1]], "b")]
    folder = tmp_path / "reports"
    for name, one in judged.items():
        write_report(one, folder / f"{name}.json")
    found = [agreement(verdicts, people) for verdicts in (judged, list(judged.values()), folder)]
    assert found[0].to_dict() == found[1].to_dict() == found[2].to_dict()
    assert (found[0].aligned, found[0].total, found[0].undecided, found[0].decided_aligned) == (5, 6, 2, 4)
    assert found[0].judge == "embedded"
    assert found[0].cost is not None
    assert found[0].cost.minutes == pytest.approx(6 * 0.25 / 60)
    assert found[0].calibration_error is not None
    alone = agreement(judged["a"], people)
    assert alone.intervals == {}
    assert (alone.total, alone.left_out) == (3, 3)
    assert "3 labels are of what was not judged" in alone.to_markdown()


def test_a_report_on_a_file_of_another_name_is_matched_when_there_is_one_task() -> None:
    judged = report(requirements([[], []], "my_file"), ["satisfied", "satisfied"])
    assert agreement(judged, labels([True, False], [[], []], "01_Task")).aligned == 1


def test_bare_verdicts_go_by_the_labels_own_ids() -> None:
    people = labels([True, False], [[], [0]])
    one = agreement({"0": True, "1": "undecided"}, people)
    assert (one.aligned, one.undecided, one.judge) == (2, 1, "verdicts")
    assert agreement({"task": {"0": True, "1": "undecided"}}, people).to_dict() == one.to_dict()
    with pytest.raises(BadInput, match="'perhaps' of task 'task' is no verdict"):
        agreement({"0": "perhaps"}, people)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="No verdict has a label's task and id"):
        agreement({"7": True}, people)


def test_labels_that_match_no_criterion_are_counted_with_the_nearest() -> None:
    judged = report(requirements([[], []]), ["satisfied", "satisfied"])
    people = labels([True, True], [[], []])
    old = Label("task", "9", "The result 1 is kept in `results/1.txt`.", True)
    found = agreement(judged, [*people, old])
    assert found.total == 2
    assert found.to_dict()["unmatched"][0]["nearest"]["id"] == "1"
    assert "1 of 3 labels match no criterion" in found.to_markdown()
    with pytest.raises(BadInput, match=r"No label is about what was judged.*match no criterion"):
        agreement(judged, [old])


def test_labels_of_two_agents_do_not_fit_one_judge() -> None:
    people = [Label("task", "0", "a", True, agent=agent) for agent in ("x", "y")]
    with pytest.raises(BadInput, match="2 agents"):
        agreement({"0": True}, people)


def test_several_judges_give_disagreement_and_a_majority(tmp_path: Path) -> None:
    rows = ["task,requirement_id,human,a,b,c", "t,0,1,1,1,0", "t,1,0,0,1,0", "t,2,1,0,0,1", "t,3,0,0,0,0"]
    (tmp_path / "l.csv").write_text("\n".join(rows))
    found = agreement(None, tmp_path / "l.csv", column="a")
    assert found.disagreement["a", "b"] == 0.25
    assert found.disagreement["human", "c"] == 0.5 - 0.25
    assert found.majority_aligned == 3


def test_self_termination_counts_the_labelled_tasks_and_foreign_flags_are_refused() -> None:
    people = labels([True], [[]])
    flags = {"task": TaskFlags(True, False, False), "other": TaskFlags(True, False, False)}
    assert agreement({"0": True}, people, flags=flags).self_terminated == 1
    with pytest.raises(BadInput, match="none of the labelled tasks"):
        agreement({"0": True}, people, flags={"other": flags["other"]})


def test_an_empty_list_and_no_draws_are_refused() -> None:
    with pytest.raises(BadInput, match="no labels"):
        agreement({"0": True}, [])
    with pytest.raises(BadInput, match="draws is 0"):
        agreement({"0": True}, labels([True], [[]]), draws=0)


def test_the_papers_costs_are_labelled_as_the_papers() -> None:
    assert PAPER_COSTS["three people"] == (86.5 * 60, 1297.50)
    table = agreement({"0": True}, labels([True], [[]])).to_markdown()
    assert "| cost, three people | 5,190.00 min, $1,297.50 | the paper's, for 165 workspaces |" in table


def test_the_text_prior_learns_from_other_tasks_and_never_from_its_own() -> None:
    learnable = [
        Label(f"t{i}", str(k), f"{'Save' if k else 'Train'} thing {i} in `{i}.txt`.", bool(k))
        for i in range(8)
        for k in range(2)
    ]
    assert text_prior(learnable) == [label.human for label in learnable]
    # A word that stands in one task alone says nothing of it: flipping that task's labels leaves its verdicts as they are.
    flipped = [Label(one.task, one.id, one.criteria, not one.human if one.task == "t3" else one.human) for one in learnable]
    assert text_prior(flipped)[6:8] == text_prior(learnable)[6:8]
    found = floors(learnable)
    assert (found.constant, found.constant_aligned, found.text_aligned) == (False, 8, 16)


def test_leaving_a_task_out_in_closed_form_is_fitting_without_it() -> None:
    chance = np.random.default_rng(4)
    words = ["save", "train", "plot", "load", "model", "report"]
    some = [
        Label(f"t{i % 6}", str(i), " ".join(chance.choice(words, 3)), bool(chance.integers(2)), (), words[i % 3])
        for i in range(40)
    ]
    features = np.hstack([_words([one.criteria for one in some]), _groups(some)])
    target = np.array([1.0 if one.human else -1.0 for one in some])
    tasks = np.array([one.task for one in some])
    for task in set(tasks.tolist()):
        rest, here = features[tasks != task], features[tasks == task]
        weights = np.linalg.solve(rest.T @ rest + _RIDGE * np.eye(features.shape[1]), rest.T @ target[tasks != task])
        assert [verdict for verdict, one in zip(text_prior(some), some, strict=True) if one.task == task] == (
            here @ weights > 0
        ).tolist()


def test_many_labels_are_predicted_in_parts() -> None:
    many = [
        Label(f"t{i}", str(k), f"{'Save' if k % 2 else 'Train'} thing {k}.", k % 2 == 1)
        for i in range(700)
        for k in range(4)
    ]
    assert len(many) > PART
    assert text_prior(many) == [label.human for label in many]


@settings(max_examples=60)
@given(reports(), st.randoms(use_true_random=False))
def test_d_is_at_most_i_and_the_counts_of_a_report_are_those_of_its_agreement(judged: Report, chance) -> None:
    assert judged.met("transitive") <= judged.met(True) <= judged.met() <= 1.0
    people = [
        Label("task", one.id, one.criteria, chance.random() < 0.5, one.prerequisites, "Other") for one in judged.requirements
    ]
    found = agreement(judged, people, draws=5)
    size = len(people)
    assert found.judged.met == round(judged.met() * size)
    assert found.judged.met_dependent == round(judged.met(True) * size)
    assert found.judged.met_transitive == round(judged.met("transitive") * size)
    assert found.human.met_transitive <= found.human.met_dependent <= found.human.met


@settings(max_examples=60)
@given(reports(), st.data())
def test_adding_a_prerequisite_never_raises_d(judged: Report, data) -> None:
    items = list(judged.requirements)
    late = data.draw(st.integers(0, len(items) - 1))
    new = data.draw(st.sets(st.sampled_from([one.id for one in items[:late]]))) if late else set()
    items[late] = replace(items[late], prerequisites=tuple({*items[late].prerequisites, *new}))
    more = report(Requirements("task", tuple(items)), [one.verdict for one in judged])
    assert more.met(True) <= judged.met(True)
    assert more.met("transitive") <= judged.met("transitive")
    assert more.reward() <= judged.reward() + 1e-12
    assert more.met() == judged.met()


@settings(max_examples=40)
@given(reports(), st.randoms(use_true_random=False))
def test_the_order_of_requirements_and_labels_changes_nothing(judged: Report, chance) -> None:
    people = [Label("task", one.id, one.criteria, chance.random() < 0.5, one.prerequisites) for one in judged.requirements]
    order = list(range(len(people)))
    chance.shuffle(order)
    items, verdicts = list(judged.requirements), [one.verdict for one in judged]
    shuffled = report(Requirements("task", tuple(items[i] for i in order)), [verdicts[i] for i in order])
    assert (shuffled.met(True), shuffled.met("transitive"), shuffled.reward()) == pytest.approx(
        (judged.met(True), judged.met("transitive"), judged.reward())
    )
    first, second = agreement(judged, people, draws=20), agreement(shuffled, [people[i] for i in order], draws=20)
    assert (first.aligned, first.human, first.judged, first.kappa) == (
        second.aligned,
        second.human,
        second.judged,
        second.kappa,
    )
    for name, interval in first.intervals.items():
        assert interval == pytest.approx(second.intervals[name])


def test_verdicts_and_overrides_make_a_labels_file_that_agree_reads(tmp_path: Path) -> None:
    judged = report(requirements([[], [0]]), [VERDICTS[0], VERDICTS[1]])
    path = save_labels(tmp_path / "labels.csv", report_labels(judged, {"0": True, "1": True}))
    found = agreement(None, path, column="judge")
    assert (found.aligned, found.total) == (1, 2)
    assert agreement(judged, path).aligned == 1
