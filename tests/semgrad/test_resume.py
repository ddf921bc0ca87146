"""Killed at any moment and given again: the same result, and no reply that had arrived is paid for twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tenfold import semgrad as sg
from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Budget
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.store import Replies
from tests.semgrad.build import questions, two_leaves
from tests.semgrad.scripted import read_calls

ROOT = Path(__file__).parents[2]
MODEL = "script:tests.semgrad.scripted:noted"


def begin(folder: Path, calls: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "SEMGRAD_CALLS": str(calls)}
    command = [sys.executable, str(ROOT / "tests" / "semgrad" / "killed_run.py"), str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(folder: Path) -> int:
    """Replies that had arrived."""
    path = folder / "replies.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_somewhere(process: subprocess.Popen, folder: Path, more: int, pause: float) -> bool:
    """Kill it when so many more replies have arrived; whether it was still running."""
    goal, deadline = kept(folder) + more, time.monotonic() + 60
    while process.poll() is None and kept(folder) < goal and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(pause)
    was_running = process.poll() is None
    process.kill()
    process.communicate()
    return was_running


def finish(folder: Path, calls: Path) -> dict:
    process = begin(folder, calls)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run: its result and its number of calls."""
    folder = tmp_path_factory.mktemp("whole")
    made = finish(folder / "run", folder / "calls")
    return made, len(read_calls(folder / "calls"))


def trial(tmp_path: Path, whole, seed: int, kills: int) -> None:
    """Kill a run a few times, then let it end; after each kill, what is kept by then is never asked for again."""
    expected, count = whole
    rng, folder, calls = Random(seed), tmp_path / f"run{seed}", tmp_path / f"calls{seed}"
    for _ in range(kills):
        arrived, before = kept_keys(folder), len(read_calls(calls))
        kill_somewhere(begin(folder, calls), folder, rng.randrange(1, max(2, count // kills)), rng.random() * 0.004)
        assert not set(read_calls(calls)[before:]) & arrived
    arrived, before = kept_keys(folder), len(read_calls(calls))
    assert arrived
    assert finish(folder, calls) == expected
    assert not set(read_calls(calls)[before:]) & arrived
    assert len(read_calls(calls)) <= count + 6 * kills  # those in flight at a kill, at most


def kept_keys(folder: Path) -> set[str]:
    """Keys of the replies that are kept; a torn last line is none."""
    path = folder / "replies.jsonl"
    return {json.loads(line)["key"] for line in path.read_text().split("\n")[:-1] if line} if path.exists() else set()


# TENFOLD_KILLS=20 makes twenty trials; two keep the suite short.
@pytest.mark.parametrize("seed", range(int(os.environ.get("TENFOLD_KILLS", "2"))))
def test_a_killed_run_ends_as_one_that_was_not_and_pays_for_nothing_twice(tmp_path, whole, seed) -> None:
    trial(tmp_path, whole, seed, kills=1 + seed % 2)


def test_an_interrupt_from_the_keyboard_loses_nothing(tmp_path, whole) -> None:
    folder, calls = tmp_path / "run", tmp_path / "calls"
    process = begin(folder, calls)
    deadline = time.monotonic() + 60
    while kept(folder) < 20 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    arrived, before = kept_keys(folder), len(read_calls(calls))
    assert len(arrived) >= 20
    assert sg.Graph.load(folder / "best.json")
    assert finish(folder, calls) == whole[0]
    assert not set(read_calls(calls)[before:]) & arrived


def test_a_finished_run_is_read_back_without_a_call(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEMGRAD_CALLS", str(tmp_path / "calls"))
    settings = {"models": MODEL, "steps": 2, "run_dir": tmp_path / "run"}
    first = sg.optimise(two_leaves(), questions(8), **settings)
    count = len(read_calls(tmp_path / "calls"))
    again = sg.optimise(two_leaves(), questions(8), **settings)
    assert len(read_calls(tmp_path / "calls")) == count
    for found in (again, sg.Result.load(tmp_path / "run")):
        assert found.to_dict() == first.to_dict()
        assert found.history == first.history
        assert found.best.to_dict() == first.best.to_dict()


def test_more_steps_go_on_from_a_finished_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEMGRAD_CALLS", str(tmp_path / "calls"))
    settings = {"models": MODEL, "update": "full", "gate": "strict"}
    first = sg.optimise(two_leaves(), questions(8), steps=2, run_dir=tmp_path / "run", **settings)
    count = len(read_calls(tmp_path / "calls"))
    longer = sg.optimise(two_leaves(), questions(8), steps=4, run_dir=tmp_path / "run", **settings)
    assert longer.history[:2] == first.history
    calls = read_calls(tmp_path / "calls")
    assert not set(calls[count:]) & set(calls[:count])


def test_another_question_or_setting_is_another_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEMGRAD_CALLS", str(tmp_path / "calls"))
    sg.optimise(two_leaves(), questions(8), models=MODEL, steps=1, run_dir=tmp_path / "run")
    for change in ({"train": questions(9)}, {"gate": "strict"}, {"seed": 2}):
        with pytest.raises(BadInput, match="holds a run with"):
            sg.optimise(
                two_leaves(), **{"train": questions(8), "models": MODEL, "steps": 1, "run_dir": tmp_path / "run", **change}
            )


def test_what_was_spent_before_counts_against_the_budget(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEMGRAD_CALLS", str(tmp_path / "calls"))
    settings = {"models": MODEL, "update": "full", "gate": "strict", "steps": 20, "run_dir": tmp_path / "run"}
    for _ in range(2):
        with pytest.raises(BudgetReached):
            sg.optimise(two_leaves(), questions(12), budget=Budget(calls=90), **settings)
        assert len(read_calls(tmp_path / "calls")) == 90
    with pytest.raises(BudgetReached):
        sg.optimise(two_leaves(), questions(12), budget=Budget(calls=120), **settings)
    assert len(read_calls(tmp_path / "calls")) == 120
    assert len(set(read_calls(tmp_path / "calls"))) == 120


def test_equal_requests_are_replayed_as_often_as_they_were_answered(tmp_path) -> None:
    store, request = Replies(tmp_path / "r.jsonl"), Request.of("x")
    for text in ("one", "two"):
        store.record("k", request, Reply((text,)))
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write('{"key": "k", "reply": {"texts": ["torn')
    store = Replies(tmp_path / "r.jsonl")
    assert len(store) == 2
    assert [getattr(store.replay("k"), "text", None) for _ in range(3)] == ["one", "two", None]
    assert store.replay("other") is None


def test_the_folder_holds_what_it_says(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEMGRAD_CALLS", str(tmp_path / "calls"))
    sg.optimise(two_leaves(), questions(8), models=MODEL, steps=2, run_dir=tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.json", "manifest.json", "replies.jsonl", "ledger.sqlite", "history.jsonl", "best.json", "result.json",
            "report.html"} <= names  # fmt: skip
    assert "time" not in (tmp_path / "run" / "history.jsonl").read_text()


def test_a_report_made_with_the_engine_says_so_first(tmp_path) -> None:
    rows = [{"question": f"What is (({i} + 2) + (3 * 4)) =", "target": str(i + 14)} for i in range(6)]
    sg.optimise(two_leaves(), rows, steps=1, run_dir=tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.index("not a language model") < page.index("Scores")
