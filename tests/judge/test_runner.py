"""`run` and `run_many`: engines, settings, budgets, many workspaces, resuming after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput
from tenfold.core.parallel import Failure
from tenfold.judge.money import budget_of
from tenfold.judge.runner import Case, run, run_many
from tenfold.llm.budget import Budget
from tests.judge.killed_judge import judged
from tests.judge.models import Model, made, wanted
from tests.llm.stub_server import StubServer

FILES = {"a.py": "import json\n\ndef load(path):\n    return json.loads(open(path).read())\n", "r/out.txt": "accuracy 0.9\n"}
ASKED = ["`load` is in `a.py`.", "`r/missing.png` is saved.", "It is well written."]
YES = "<SATISFIED> yes"


@pytest.fixture
def folder(tmp_path):
    space = tmp_path / "space"
    for path, text in FILES.items():
        (space / path).parent.mkdir(parents=True, exist_ok=True)
        (space / path).write_text(text)
    return space


def test_without_a_model_the_embedded_engine_judges_and_sends_nothing(folder):
    report = run(folder, ASKED, cache="")
    assert report.settings["engine"] == "embedded"
    assert report["1"].verdict == "unsatisfied"
    assert all(one.calls == 0 for one in report)
    assert report.workspace == "space"


def test_with_a_model_the_engine_is_hybrid_unless_named():
    model = Model(ask=YES)
    report = run(made(FILES), ASKED, client=model.client(), cache="")
    assert report.settings["engine"] == "hybrid"
    assert report["1"].engine == "embedded"
    assert report["2"].engine == "hybrid"
    assert report.settings["calls"] == len(model.requests)
    for engine in ("llm", "llm-single"):
        report = run(made(FILES), ASKED, client=Model(ask=YES).client(), engine=engine, cache="")
        assert [one.engine for one in report] == [engine] * 3
        assert report.met() == 1.0


def test_the_report_says_what_was_asked_and_spent():
    prices = {"stub": {"prompt": 10.0, "completion": 30.0}}
    with StubServer(answer=lambda body: YES) as server, llm.Client(f"{server.url}#stub", prices=prices) as client:
        report = run(made(FILES), ASKED, client=client, engine="llm", cache="")
        assert report.settings["calls_by_module"] == {"locate": 1, "ask": 3}
        assert report.settings["usd"] == pytest.approx(client.account.usd)
        assert sum(one.usd for one in report) == pytest.approx(client.account.usd)
        assert report.settings["prompt_tokens"] == client.account.total.prompt
        assert report.settings["asked_again"] == report.settings["without_verdict"] == 0
        assert report.settings["stopped"] == ""


def test_replies_without_verdict_and_made_up_steps_are_counted():
    model = Model(ask=lambda request: {"ask:0": "Hm.", "ask:1": "<SATISFIED> Step 3 did it.", "ask:2": YES}[request.tag])
    report = run(made(FILES), ASKED, client=model.client(), engine="llm", cache="")
    assert (report["0"].verdict, report.settings["asked_again"], report.settings["without_verdict"]) == ("undecided", 1, 1)
    assert report.settings["invented_steps"] == 1


def test_a_locate_reply_without_paths_falls_back_to_the_criterion():
    model = Model(locate=YES, ask=YES)  # a server that answers everything alike
    run(made(FILES), ASKED, client=model.client(), engine="llm", cache="")
    prompts = {request.tag: request.prompt for request in model.of("ask")}
    assert "def load" in prompts["ask:0"]


@pytest.mark.parametrize("engine", ["llm", "hybrid", "llm-single"])
def test_an_engine_that_needs_a_model_says_so(engine):
    with pytest.raises(BadInput, match="no model is set") as raised:
        run(made(FILES), ASKED, engine=engine)
    assert "--engine embedded" in raised.value.hint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "magic"}, "no engine 'magic'"),
        ({"setting": "white"}, "no setting 'white'"),
        ({"setting": "gray"}, "needs a trajectory"),
        ({"votes": 2}, "votes is 2"),
        ({"plan": "lazy"}, "no plan 'lazy'"),
        ({"budget": "0usd"}, "not above 0"),
        ({"budget": -1}, "not above 0"),
        ({"budget": "a lot"}, "is no budget"),
        ({"trajectory": "/nowhere/t.json"}, "does not exist"),
        ({"workspace": "/nowhere"}, "does not exist"),
    ],
)
def test_bad_options_are_told_in_a_sentence(options, words):
    given = {"workspace": made(FILES), "requirements": ASKED, "cache": "", **options}
    with pytest.raises(BadInput, match=words):
        run(**given)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("2usd", Budget(usd=2.0)),
        ("2.50USD", Budget(usd=2.5)),
        ("$3", Budget(usd=3.0)),
        (1.5, Budget(usd=1.5)),
        ("100calls", Budget(calls=100)),
        ("5000 tokens", Budget(tokens=5000)),
        ("90s", Budget(seconds=90.0)),
        ("10m", Budget(seconds=600.0)),
        ("1h", Budget(seconds=3600.0)),
    ],
)
def test_budgets_are_read_as_people_write_them(text, budget):
    assert budget_of(text) == budget


def test_a_reached_budget_leaves_a_partial_report_that_says_so():
    client = Model(ask=YES).client(budget=llm.Budget(calls=3), concurrency=1)
    report = run(made(FILES), wanted(*ASKED), client=client, engine="llm", cache="")
    assert "budget of 3 calls" in report.settings["stopped"]
    assert report.notes[-1] == report.settings["stopped"]
    assert [one.verdict for one in report].count("satisfied") == 2
    assert [one.verdict for one in report].count("undecided") == 1


def test_many_workspaces_are_judged_at_once_and_a_bad_one_is_named(tmp_path):
    with (
        StubServer(answer=lambda body: YES, latency=0.4) as server,
        llm.Client(f"{server.url}#stub", concurrency=16) as client,
    ):
        cases = [Case(made({**FILES, f"n{i}.txt": "n"}, f"w{i}"), ASKED) for i in range(8)]  # equal ones would share calls
        seen = []
        found = run_many(
            [*cases, Case(tmp_path / "none", ASKED)], client=client, engine="llm", cache="", on_error="collect",
            on_report=lambda index, report: seen.append(index),
        )  # fmt: skip
        assert [one.workspace for one in found[:8]] == [f"w{i}" for i in range(8)]
        assert isinstance(found[8], Failure)
        assert "does not exist" in found[8].error
        assert sorted(seen) == list(range(8))
        assert server.most_in_flight > 8


def test_the_embedded_engine_judges_many_in_processes(folder, tmp_path):
    cases = [Case(folder, ASKED), Case(tmp_path / "none", ASKED), Case(folder, ASKED)]
    found = run_many(cases, cache="", jobs=2, on_error="collect")
    assert isinstance(found[1], Failure)
    assert found[0].judgements[1].verdict == found[2].judgements[1].verdict == "unsatisfied"


def test_a_killed_run_goes_on_and_pays_no_reply_twice(folder, tmp_path):
    with StubServer(answer=lambda body: YES, latency=0.05) as server:
        given = (server.url, str(tmp_path / "run"), str(folder))
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
        process = subprocess.Popen([sys.executable, "-m", "tests.judge.killed_judge", *given], cwd=root, env=environment)
        deadline = time.monotonic() + 60
        while server.answered < 9 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = server.answered
        assert 9 <= before < 37
        again = judged(*given)
        assert again.met() == 1.0
        # What was in flight at the kill (two requests) had not reached the disk.
        assert server.count <= 37 + 2
        assert again.settings["hits"] >= before - 2
        third = judged(*given)
        assert third.settings["hits"] == third.settings["calls"] == 37
        assert third.settings["usd"] is None or third.settings["usd"] == 0.0


def test_a_full_run_of_exact_calls_over_a_server_needs_no_more_than_the_paper():
    with StubServer(answer=lambda body: YES) as server, llm.Client(f"{server.url}#stub") as client:
        log = [{"role": "assistant", "content": "Done."}]
        run(made(FILES), ASKED, "gray", log, client=client, engine="llm", votes=3, cache="")
        assert server.count == 1 + 3 + 3 * 3
        run(made(FILES), ASKED, client=client, engine="llm-single", cache="")
        assert server.count == 13 + 3


def test_what_was_recorded_is_replayed_without_a_server_to_the_same_verdicts(tmp_path):
    tape = tmp_path / "tape.jsonl"
    with StubServer(answer=lambda body: "<UNSATISFIED> a.py:4 reads any file.") as server:
        given = {"model": f"{server.url}#stub", "engine": "llm", "votes": 3, "cassette": tape, "cache": ""}
        first = run(made(FILES), ASKED, mode="record", **given)
        sent = server.count
    again = run(made(FILES), ASKED, mode="replay", **given)
    assert sent == server.count == 1 + 9
    assert [(one.verdict, one.probability, one.evidence) for one in again] == [
        (one.verdict, one.probability, one.evidence) for one in first
    ]
    changed = {**FILES, "a.py": FILES["a.py"] + "# changed\n"}
    with pytest.raises(llm.CassetteMiss):
        run(made(changed), ASKED, mode="replay", **given)


def test_the_embedded_engine_says_that_it_does_not_read_a_given_trajectory():
    log = [{"role": "assistant", "content": "Done."}]
    report = run(made(FILES), ASKED, "gray", log, cache="")
    assert report.settings["setting"] == "gray"
    assert "does not read trajectories" in report.notes[-1]
