"""The headline experiment: its rows, and its claims' rules on rows made by hand."""

import pytest

from tenfold.core.claims import ledger
from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.experiment import Row, decide
from tenfold.reactions import experiment
from tenfold.reactions.experiment import (
    AGREE,
    APART,
    CALLS,
    CELLS,
    DROP,
    EQUAL,
    EXPERIMENT,
    FAST,
    FAST_LIST,
    FEWER,
    GREEDY_ATTACKS,
    NO_CACHE,
    PAPERS_LIST,
    PLAIN,
    SPENT,
    Cell,
)
from tenfold.reactions.textbook import textbook


@pytest.fixture(scope="module")
def smoke() -> list[Row]:
    return [row for task in EXPERIMENT.tasks("smoke", 0, "cpu") for row in task.run()]


def verdicts(rows):
    return {entry["id"]: entry["verdict"] for entry in decide(EXPERIMENT, rows)}


def test_every_claim_of_the_ledger_has_its_rule():
    wanted = [entry.id for entry in ledger() if entry.system == "reactions"]
    assert [claim.id for claim in EXPERIMENT.claims] == wanted


def test_the_smoke_scale_makes_rows_with_intervals_and_speculation_changes_nothing(smoke):
    spent = {row.method: row for row in smoke if row.metric == SPENT and row.condition.startswith("forward, n = 1, B = 1")}
    assert list(spent) == [PLAIN, FAST, NO_CACHE, "no-cache windows 23x10"]
    assert all(row.low <= row.value <= row.high and row.seeds == 3 for row in spent.values())
    assert [row.value for row in smoke if row.metric == APART] == [0.0] * 12
    assert {row.method for row in smoke if row.metric == EQUAL} >= {FAST, FAST_LIST, PAPERS_LIST, NO_CACHE}
    calls = {row.method: row.value for row in smoke if row.metric == CALLS and row.condition.startswith("retro, n = 5")}
    assert calls[FAST_LIST] <= calls["cached beam"]
    assert {row.metric for row in smoke if row.method == FAST_LIST} >= {"top-1", "top-3", "top-5", DROP.format(k=5), FEWER}


def test_reactions_of_ours_decide_no_claim(smoke):
    assert set(verdicts(smoke).values()) == {"not decidable here"}
    assert set(verdicts([]).values()) == {"not decidable here"}


def test_tables_and_pictures_hold_what_the_rows_say(smoke):
    drafters, sides, accuracy, attacks = EXPERIMENT.tables(smoke)
    assert drafters.rows[0][:3] == ("no drafts", drafters.rows[0][1], "1")
    assert {row[1] for row in sides.rows} >= {PLAIN, FAST, NO_CACHE, FAST_LIST, PAPERS_LIST}
    tried = {f"{FAST}, {k} x {d}" for k, d in GREEDY_ATTACKS}
    assert {row[1] for row in attacks.rows} == {PLAIN, FAST, *tried}
    assert ("retro, n = 5, B = 1", FAST_LIST) in {row[:2] for row in accuracy.rows}
    assert len(EXPERIMENT.figures(smoke)) == 3
    assert EXPERIMENT.tables([]) == []
    assert EXPERIMENT.figures([]) == []


def test_samples_are_disjoint_and_a_larger_one_holds_the_smaller():
    small, words = experiment._samples("forward", 2, 5, textbook=True)
    large, _ = experiment._samples("forward", 4, 5, textbook=True)
    assert words == "textbook reactions"
    assert [pairs[:2] for pairs in large] == small
    assert len({pair for pairs in large for pair in pairs}) == 12


@pytest.mark.parametrize("scale", CELLS)
def test_slow_decoders_get_whole_batches_of_every_sample(scale):
    for cell in CELLS[scale]:
        assert cell.slow <= cell.rows
        assert cell.slow % cell.batch_size == 0 or cell.slow == cell.rows or cell.attacks


def row(
    metric, value, method=FAST, condition="forward, n = 1, B = 1, USPTO-MIT test: 72 reactions", low=None, scale="laptop"
):
    low = value if low is None else low
    return Row(method=method, metric=metric, value=value, low=low, high=value, condition=condition, scale=scale)


def replayed(method, value, aim="forward", low=None):
    return row(FEWER, value, method, f"replay, {aim}, USPTO test: 2400 reactions", low)


def test_claim_1_takes_fewer_calls_by_every_copying_drafter_in_both_tasks():
    both = [replayed(name, 3.0, aim) for aim in ("forward", "retro") for name in ("windows 23x10", "suffix, 1")]
    assert verdicts(both)["reactions-1"] == "shown"
    assert verdicts(both[:2])["reactions-1"] == "partly"
    assert verdicts([*both[:3], replayed("suffix, 1", 1.1, "retro", low=0.9)])["reactions-1"] == "partly"
    assert verdicts([replayed("suffix + n-gram, 4", 8.0)])["reactions-1"] == "not decidable here"
    assert verdicts([replayed("windows 3x5", 0.9), replayed("windows 3x5", 0.8, "retro")])["reactions-1"] == "not shown"


def timed(no_cache, cached, aim="retro"):
    where = f"{aim}, n = 1, B = 32, USPTO test: 96 reactions"
    return [
        row("times faster than no-cache greedy", no_cache + 1, condition=where, low=no_cache),
        row("times faster than cached greedy", cached + 1, condition=where, low=cached),
    ]


@pytest.mark.parametrize(
    ("no_cache", "cached", "verdict"),
    [(3.1, 3.1, "shown"), (3.1, 3.0, "partly"), (2.9, 3.1, "partly"), (2.9, 2.9, "not shown")],
)
def test_claim_2_takes_more_than_3x_by_the_lower_end_against_both(no_cache, cached, verdict):
    assert verdicts([*timed(9, 9, "forward"), *timed(no_cache, cached)])["reactions-2"] == verdict


def test_claim_2_needs_both_tasks_and_the_largest_scale_decides():
    assert verdicts(timed(9, 9, "forward"))["reactions-2"] == "not decidable here"
    good = [*timed(9, 9, "forward"), *timed(9, 9)]
    worse = [one.model_copy(update={"scale": "full-cpu", "low": 1.0}) for one in good]
    assert verdicts([*worse, *good])["reactions-2"] == "not shown"


def same(greedy, listed, aim):
    where = f"{aim}, n = 5, B = 1, USPTO test: 30 reactions"
    return [row(APART, greedy, condition=where), row(APART, listed, FAST_LIST, where)]


@pytest.mark.parametrize(
    ("greedy", "listed", "verdict"), [(0, 0, "shown"), (1, 0, "partly"), (0, 2, "partly"), (1, 1, "not shown")]
)
def test_claim_3_takes_no_answer_that_differs_by_more_than_a_tie(greedy, listed, verdict):
    assert verdicts([*same(0, 0, "forward"), *same(greedy, listed, "retro")])["reactions-3"] == verdict


def test_claim_3_says_what_the_papers_search_misses_and_top_k_that_moved_counts():
    rows = [*same(0, 0, "forward"), *same(0, 0, "retro")]
    where = "retro, n = 5, B = 1, USPTO test: 30 reactions"
    rows += [row(AGREE, 0.61, PAPERS_LIST, where), row(DROP.format(k=5), -0.125, PAPERS_LIST, where)]
    (found,) = [one for one in decide(EXPERIMENT, rows) if one["id"] == "reactions-3"]
    assert found["verdict"] == "shown"
    assert "0.61" in found["why"]
    assert "top-5 minus plain decoding's is -0.125" in found["why"]
    assert verdicts([*rows, row(DROP.format(k=1), -0.1, FAST_LIST, where)])["reactions-3"] == "partly"


def test_without_models_only_the_replay_is_made_and_without_data_that_is_said(monkeypatch):
    monkeypatch.setattr("tenfold.reactions.weights.shipped", list)
    monkeypatch.setattr(experiment, "_has", lambda name: True)
    assert [task.key for task in EXPERIMENT.tasks("laptop", 0, "cpu")] == ["replay forward", "replay retro"]
    monkeypatch.setattr(experiment, "_has", lambda name: False)
    with pytest.raises(DataMissing, match="Neither a shipped model nor the data set"):
        list(EXPERIMENT.tasks("laptop", 0, "cpu"))


def test_with_models_and_no_data_the_decoders_answer_our_own_reactions(monkeypatch):
    monkeypatch.setattr("tenfold.reactions.weights.shipped", lambda: ["forward", "retro"])
    monkeypatch.setattr(experiment, "_has", lambda name: False)
    keys = [task.key for task in EXPERIMENT.tasks("laptop", 0, "cpu")]
    assert keys == [cell.name for cell in CELLS["laptop"]]
    experiment._held_out.cache_clear()
    assert experiment._held_out("retro")[1] == "textbook reactions"
    experiment._held_out.cache_clear()


@pytest.mark.data
def test_the_paper_scale_says_which_file_it_lacks(data, monkeypatch, tmp_path):
    monkeypatch.setenv("TENFOLD_REACTIONS", str(tmp_path))
    with pytest.raises(BadInput, match="USPTO-MIT"):
        list(EXPERIMENT.tasks("paper", 0, "cpu"))
    assert [task.key for task in EXPERIMENT.tasks("gpu", 0, "cpu")] == [
        "replay forward",
        "replay retro",
        "train, then compare",
    ]


@pytest.mark.data
def test_replay_on_held_out_rows_needs_as_many_calls_as_the_published_run(data):
    experiment._held_out.cache_clear()
    rows = {(row.method, row.metric): row.value for row in experiment._replay("forward", 450, 0, textbook=False)}
    # Spec section 6 (a): 10.5 and 9.4 calls on 1,500 rows; the authors' own log says 9.3 for 23x17.
    assert rows["windows 23x10", CALLS] == pytest.approx(10.5, rel=0.08)
    assert rows["windows 23x17", CALLS] == pytest.approx(9.4, rel=0.08)
    assert rows["suffix + n-gram, 4", CALLS] < 7.3


def test_the_gpu_scale_trains_both_shapes_compares_with_them_and_goes_on_where_it_was_stopped(monkeypatch, tmp_path):
    lines = ["reactants\tproduct\treagents", *("\t".join(one[:3]) for one in textbook())]
    (tmp_path / "rows.tsv").write_text("\n".join(lines) + "\n")
    files = (str(tmp_path / "rows.tsv"),)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(experiment, "_training_files", lambda scale: {"forward": files, "retro": files})
    monkeypatch.setattr(experiment, "_has", lambda name: False)
    monkeypatch.setattr(experiment, "SHAPES", {"forward": "tiny", "retro": "tiny"})
    monkeypatch.setitem(experiment.TRAINED, "gpu", (0.02, {"forward": 1, "retro": 1}))
    monkeypatch.setitem(experiment.CELLS, "gpu", tuple(Cell(aim, 1, 1, 1, attacks=True) for aim in ("forward", "retro")))
    experiment._held_out.cache_clear()
    (task,) = EXPERIMENT.tasks("gpu", 0, "cpu")
    rows = task.run()
    experiment._held_out.cache_clear()
    minutes = [row for row in rows if row.metric == "minutes of training"]
    assert [row.condition for row in minutes] == ["forward, 12 pairs", "retro, 12 pairs"]
    assert [row.value for row in rows if row.metric == APART] == [0.0] * 8
    kept = sorted(path.name for path in (tmp_path / "tenfold/reactions-experiment").iterdir())
    assert kept == ["gpu-forward-0", "gpu-retro-0"]  # the models; what was compared is in the rows


def test_what_is_kept_is_anothers_if_the_weights_are(stored):
    import torch

    from tenfold.reactions.model import Model

    model = Model(stored, remember=0)
    before = experiment._kept(model, "a")
    assert experiment._kept(model, "b") != before
    with torch.no_grad():
        model.network.classifier.bias[0] += 1
    assert experiment._kept(model, "a") != before
