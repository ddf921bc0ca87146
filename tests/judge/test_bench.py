"""Benchmarks that any judge can be run on."""

import base64
import csv
import gzip
import json
from functools import partial
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput, TenfoldError
from tenfold.judge import bench
from tenfold.judge.baselines import all_satisfied, path_and_keyword, path_check
from tenfold.judge.bench_rows import CaseResult, Row, reported, scored
from tenfold.judge.faults import Case, generate, tasks
from tenfold.judge.types import Judgement, Report


def never_sure(folder, requirements):
    return dict.fromkeys(requirements.by_id)


def compares(folder, requirements):
    """A judge that knows the reference workspace: false is what hangs on a file that differs from it."""
    task = next(one for one in tasks() if one.name == folder.name)
    false = set()
    for path, row in task.table["files"].items():
        place = folder / path
        if not place.is_file() or place.read_bytes() != task.files[path]:
            false.update(map(str, row["breaks"] if isinstance(row, dict) else row))
    return {item.id: item.id not in false for item in requirements}


def rejects_licences(folder, requirements):
    return dict.fromkeys(requirements.by_id, not (folder / "LICENSE").exists())


def fails(folder, requirements):
    raise OSError("no such judge")


def case_result(*rows):
    return CaseResult(Case("digits_svm", "reference"), tuple(Row(str(i), *row) for i, row in enumerate(rows)), 0.0, 0.0, 0.0)


def test_the_measures_are_those_of_a_hand_count():
    scores = scored(
        [
            case_result((True, "satisfied", 0.9, 0.9), (False, "unsatisfied", 0.9, 0.1), (False, "satisfied", 0.7, 0.7)),
            case_result((True, "undecided", 0.5, 0.5), (False, "undecided", 0.5, 0.45), (True, "unsatisfied", 0.7, 0.3)),
        ]
    )
    assert (scores.workspaces, scores.labels, scores.false) == (2, 6, 3)
    assert scores.agreement == 2 / 4
    assert scores.coverage == 4 / 6
    assert scores.found == 1 / 3
    assert scores.alarms == 1 / 3
    assert scores.accuracy == 3 / 6
    assert scores.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.7)
    assert scores.auroc == pytest.approx(6 / 9)
    assert scores.intervals["coverage"].low == pytest.approx(1 / 3)
    assert scores.intervals["coverage"].high == 1.0


def test_a_judge_that_decides_nothing_has_no_agreement():
    scores = scored([case_result((True, "undecided", 0.5, 0.5))])
    assert (scores.agreement, scores.ece, scores.found, scores.coverage) == (None, None, None, 0.0)
    with pytest.raises(BadInput, match="no verdict"):
        scored([])


def test_baselines_stand_beside_the_judge_and_the_better_ones_find_more():
    found = bench.faults(compares, "held-out", limit=60, workers=1)
    floors = found.baselines
    assert floors["all satisfied"].found == 0.0
    assert floors["all satisfied"].agreement == pytest.approx(1 - found.scores.false / found.scores.labels)
    assert 0.3 < floors["path check"].found <= floors["path and keyword"].found < found.scores.found
    assert found.by_operator["file-deleted"].found == found.by_operator["file-deleted"].false > 0
    assert set(found.by_task) == {task.name for task in tasks("held-out")}
    assert "path check" in found.table()
    assert json.loads(json.dumps(found.to_json()))["judge"]["labels"] == found.scores.labels


@pytest.mark.parametrize("form", ["truths", "verdicts", "judgements", "report"])
def test_a_judge_may_speak_in_any_form(form):
    requirements = tasks("tune")[0].requirements
    given = {
        "truths": {item.id: item.id != "1" for item in requirements},
        "verdicts": {item.id: "unsatisfied" if item.id == "1" else "satisfied" for item in requirements},
    }
    judgements = tuple(
        Judgement(item, "unsatisfied" if item.id == "1" else "satisfied", 1.0, float(item.id != "1"))
        for item in requirements
    )
    given["judgements"] = judgements
    given["report"] = Report("x", requirements, judgements)
    report = reported("x", requirements, given[form])
    assert [one.verdict == "unsatisfied" for one in report] == [item.id == "1" for item in requirements]
    assert report["1"].probability == 0.0
    assert report["0"].confidence == 1.0


@pytest.mark.parametrize(
    ("said", "words"), [({}, "said nothing of requirement 0"), ({"0": "maybe"}, "'maybe' is no verdict")]
)
def test_a_judge_that_leaves_out_a_requirement_or_mumbles_is_refused(said, words):
    requirements = tasks("tune")[0].requirements
    with pytest.raises(BadInput, match=words):
        reported("x", requirements, {**dict.fromkeys(requirements.by_id, True), **said} if said else said)


def test_a_judge_that_fails_is_named_with_its_case():
    with pytest.raises(TenfoldError, match="cancer_report"):
        bench.faults(fails, "held-out", limit=2, workers=1)


def test_an_edit_that_should_move_nothing_and_does_is_listed():
    cases = [case.name for case in generate("tune") if case.keeping == "files-added" and not case.faults]
    found = bench.faults(rejects_licences, "tune", workers=1, baselines={}, kinds=("reference", "keeping"))
    assert sorted(name for name, _ in found.moved) == sorted(cases)


def test_two_workers_find_what_one_finds():
    one, two = (bench.faults(path_check, "held-out", limit=14, workers=count, baselines={}) for count in (1, 2))
    assert one == two


def test_a_reward_that_knows_falls_with_each_fault_picks_better_and_guides_a_repair():
    found = bench.rewards(compares, "held-out", ladder_count=1, groups=2, workers=1)
    assert found.within.mean >= 0.9
    assert found.curve[0] == 1.0
    assert list(found.curve) == sorted(found.curve, reverse=True)
    assert found.gain.low > 0
    assert found.chosen.mean > found.random.mean
    assert found.rising >= 0.8
    assert list(found.rounds) == sorted(found.rounds)
    assert found.rounds[-1] == 1.0
    assert found.truly_rising == 1.0
    assert list(found.true_rounds) == sorted(found.true_rounds)
    assert found.true_rounds[-1] == 1.0
    assert found.unreported == 0.0
    assert "Spearman" in found.table()
    assert json.loads(json.dumps(found.to_json()))["rising"] == found.rising


def test_a_constant_reward_is_worth_nothing():
    found = bench.rewards(all_satisfied, "held-out", ladder_count=1, groups=2, workers=1)
    assert found.spearman == 0.0
    assert found.gain.mean == pytest.approx(0.0)
    assert found.rising == 0.0
    assert found.unreported == 1.0
    assert all(one.left > 0 for one in found.repairs)


def test_a_repair_is_led_by_what_is_undecided_too_and_the_truth_of_its_rounds_does_not_hang_on_the_judge():
    found = bench.rewards(never_sure, "held-out", ladder_count=1, groups=1, workers=1)
    assert found.unreported == 0.0
    assert found.rounds[-1] == 0.0
    assert found.true_rounds[-1] == 1.0
    assert found.truly_rising > found.rising == 0.0


def test_no_edit_that_changes_no_label_moves_a_verdict_of_the_embedded_engine(tmp_path):
    judge = partial(bench.embedded_judge, cache=str(tmp_path / "known"))
    cases = [case for case in generate("held-out") if case.kind in ("reference", "keeping")]
    plain = {}
    for case in cases:
        said = {
            one.requirement.id: one.verdict
            for one in judge(case.write(tmp_path / case.kind / case.keeping), case.requirements)
        }
        if case.kind == "reference":
            plain[case.task] = said
        else:
            assert said == plain[case.task], case.name


def test_the_embedded_engine_finds_more_faults_than_a_path_check(tmp_path):
    judge = partial(bench.embedded_judge, cache=str(tmp_path / "known"))
    found = bench.faults(judge, "tune", limit=45, workers=1, baselines={"path check": path_check})
    assert found.scores.found > found.baselines["path check"].found + 0.15
    assert found.scores.agreement > found.baselines["path check"].agreement


def write_traps(folder: Path):
    workspaces = {
        "01_A": {"src/a.py": {"text": "# the model is imported\n"}, "out.png": {"base64": base64.b64encode(b"x").decode()}},
        "02_B": {"src/b.py": {"text": "import torch\n"}},
    }
    criteria = {
        "01_A": ['The "model" is imported in `src/a.py`.', "A plot is saved as `out.png`."],
        "02_B": ["There is `src/c.py`."],
    }
    (folder / "stub_workspaces_01-35.json.gz").write_bytes(gzip.compress(json.dumps(workspaces).encode()))
    lines = [
        {"name": name, "query": "q", "tags": [], "preferences": [], "requirements": [
            {"requirement_id": i, "prerequisites": [], "criteria": text, "category": "Other", "satisfied": None}
            for i, text in enumerate(texts)
        ]}
        for name, texts in criteria.items()
    ]  # fmt: skip
    (folder / "devai_instances.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    accepted = {("01", "0"), ("01", "1")}
    with gzip.open(folder / "stub_llm_verdicts_01-35.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "run", "task", "requirement_index", "satisfied", "criteria"])
        for model in ("claude-sonnet-4.6", "deepseek-v3.2", "gpt-5.4", "easy"):
            for run in "123":
                for name, texts in criteria.items():
                    for i, text in enumerate(texts):
                        key = (name[:2], str(i))
                        writer.writerow([model, run, *key, int(key in accepted or model == "easy"), text])


def test_traps_count_who_is_fooled_and_where(tmp_path):
    write_traps(tmp_path)
    fooled = bench.traps(all_satisfied, tmp_path, workers=1)
    assert fooled.fooled == 1.0
    assert fooled.rejected_but_satisfied == [("02", "0")]
    assert fooled.literal == {("01", "0")}, "what is accepted by all and about code; the plot is an artefact"
    assert fooled.recorded == {"claude-sonnet-4.6": 2 / 3, "deepseek-v3.2": 2 / 3, "gpt-5.4": 2 / 3, "easy": 1.0}
    strict = bench.traps(path_check, tmp_path, workers=1)
    assert strict.rejected_but_satisfied == []
    assert strict.literal_but_unsatisfied == []
    assert strict.fooled == pytest.approx(2 / 3)
    assert strict.fooled_beyond_literal == 1 / 2
    assert "easy" in strict.table()


def test_traps_that_no_task_knows_or_that_leave_their_folder_are_refused(tmp_path):
    write_traps(tmp_path)
    path = tmp_path / "stub_workspaces_01-35.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"09_X": {}}).encode()))
    with pytest.raises(BadInput, match="lack 09_X"):
        bench.traps(all_satisfied, tmp_path, workers=1)
    path.write_bytes(gzip.compress(json.dumps({"01_A": {"../out": {"text": ""}}}).encode()))
    with pytest.raises(TenfoldError, match="01_A"):
        bench.traps(all_satisfied, tmp_path, workers=1)
    path.write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="cannot be read"):
        bench.traps(all_satisfied, tmp_path, workers=1)


@pytest.mark.data
def test_the_real_traps_fool_a_path_check_and_hardly_the_embedded_engine(data):
    path = bench.traps(path_check, data / "judge", workers=1)
    ours = bench.traps(bench.embedded_judge, data / "judge", workers=1)
    assert len(path.verdicts) == 226
    assert len(path.rejected) == 172
    assert path.literal == {("01", "2"), ("01", "3"), ("02", "1")}
    assert path.fooled > 0.8
    assert ours.fooled_beyond_literal <= 0.01
    assert ours.rejected_but_satisfied == []
    assert ours.literal_but_unsatisfied == []


def test_baselines_read_no_more_than_names_and_words(tmp_path):
    requirements = tasks("tune")[0].requirements
    (tmp_path / "src").mkdir()
    assert set(path_and_keyword(tmp_path, requirements).values()) <= {"satisfied", "unsatisfied"}
