"""The commands as a shell calls them: results, exit codes, and that bad input costs nothing and takes two lines."""

import ast
import copy
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tenfold import cli
from tenfold.llm import engine
from tests.llm.stub_server import StubServer
from tests.semgrad import pipeline


def call(capsys, *arguments):
    code = cli.run(["semgrad", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def says_no_language_model(line):
    return "engine:rules" in line and "not a language model" in line


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """A finished run, and its configuration beside it."""
    folder = tmp_path_factory.mktemp("finished")
    assert cli.run(["semgrad", "run", str(pipeline.write(folder)), "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def finished(run_once, tmp_path):
    """The folder of a finished run; the test may spoil it."""
    shutil.copytree(run_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_run_improves_the_wrong_instruction_and_its_json_has_all_that_counts(tmp_path, capsys):
    config = pipeline.write(tmp_path)
    code, out, _ = call(capsys, "run", config, "--out", tmp_path / "run", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["score"], found["test_score"]) == (1.0, 1.0)
    assert found["start_score"] < 0.5
    assert found["best"]["first"] == "Evaluate bracket 1, multiplying first."
    assert found["calls"] > 50
    assert found["usd"] == 0.0
    assert found["run"] == str(tmp_path / "run")
    assert set(found["by_role"]) == {"forward", "backward", "optimise"}
    again = json.loads(call(capsys, "run", config, "--out", tmp_path / "run", "--json")[1])
    assert again == found  # a finished run is read back, with what it cost


def test_every_report_made_with_the_engine_says_so_in_its_first_line(finished, capsys):
    config = finished.parent / "pipeline.json"
    assert says_no_language_model(call(capsys, "run", config, "--out", finished)[1].splitlines()[0])
    assert says_no_language_model(call(capsys, "show", finished)[1].splitlines()[0])
    page = (finished / "report.html").read_text()
    lead = page[page.index("</h1>") :][:200]
    assert says_no_language_model(lead)
    assert page.count('class="plotly-graph-div"') >= 4


def test_show_prints_curve_decisions_and_each_changed_word(finished, capsys):
    code, out, _ = call(capsys, "show", finished)
    assert code == 0
    assert "1.00" in out
    assert "[-left-]" in out
    assert "{+multiplying+}" in out
    found = json.loads(call(capsys, "show", finished, "--json")[1])
    assert found["curve"][-1] == 1.0
    assert found["change_counts"] == {"first": 1, "second": 0, "answer": 0}
    assert {"kept"} <= {item["decision"] for item in found["decisions"]}


def test_an_unfinished_run_can_be_looked_at_too(finished, capsys):
    (finished / "result.json").unlink()
    code, out, _ = call(capsys, "show", finished)
    assert code == 0
    assert "not finished" in out


def test_attribute_follows_each_advice_by_itself_and_says_whether_it_helps(finished, capsys, tmp_path):
    config = pipeline.write(tmp_path)
    code, out, err = call(capsys, "attribute", config, "--samples", 3, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert len(found["tried"]) == 3
    swaps = [swap for item in found["tried"] for swap in item["swaps"]]
    assert {swap["node"] for swap in swaps if swap["after"] > swap["before"]} >= {"first"}  # the one that begins wrong
    for item in found["tried"]:
        assert item["answer"] != item["target"]
        assert all((swap["answer"] == item["target"]) == (swap["after"] == 1.0) for swap in item["swaps"])
    code, out, _ = call(capsys, "attribute", config, "--samples", 3)
    assert says_no_language_model(out.splitlines()[0])
    assert re.search(r"first .* yes *$", out, re.MULTILINE)
    code, out, _ = call(capsys, "attribute", config, "--run", finished)
    assert (code, out.splitlines()[1]) == (0, "Nothing to try: every answer is right.")


def test_a_level_that_gives_no_advice_is_refused(tmp_path, capsys):
    code, out, err = call(capsys, "attribute", pipeline.write(tmp_path, neighbourhood="none"))
    assert (code, out) == (2, "")
    assert "no advice" in err


@pytest.mark.parametrize("form", ["json", "yaml", "dspy"])
def test_export_gives_the_best_instructions_to_other_programs(finished, capsys, form, tmp_path):
    code, out, _ = call(capsys, "export", finished, "--to", form)
    assert code == 0
    assert "Evaluate bracket 1, multiplying first." in out
    {"json": json.loads, "yaml": yaml.safe_load, "dspy": ast.parse}[form](out)
    assert call(capsys, "export", finished, "--to", form, "--out", tmp_path / "made")[1].strip() == ""
    assert (tmp_path / "made").read_text() == out


def test_forecast_is_the_number_of_calls_of_the_closed_form_and_sends_nothing(tmp_path, capsys):
    config = pipeline.write(tmp_path, update="full", gate="strict", steps=4, models="script:nosuch_module:answer")
    code, _, err = call(capsys, "forecast", config)
    assert (code, "nosuch_module" in err) == (2, True)  # a model that is not there is said now
    config = pipeline.write(tmp_path, update="full", gate="strict", steps=4)
    rows = {row["role"]: row for row in json.loads(call(capsys, "forecast", config, "--json")[1])["rows"]}
    train, steps, errors, test = 10, 4, 2, 14
    assert rows["total"]["calls"] == 3 * train * (steps + 1) + steps * (errors + 3) + 3 * test
    assert rows["total"]["usd"] == 0.0


def test_a_cassette_replays_without_a_server(tmp_path, capsys):
    with StubServer(answer=lambda body: engine.reply(body["messages"][-1]["content"])) as server:
        config = pipeline.write(tmp_path, models=f"{server.url}#stub")
        cassette = tmp_path / "replies.jsonl.gz"
        words = ("record", config, "--cassette", cassette, "--out", tmp_path / "run", "--yes", "--json")
        code, out, err = call(capsys, *words)
        assert code == 0, err
        recorded, sent = json.loads(out), server.count
    assert sent > 50
    assert recorded["calls"] == sent
    code, out, err = call(capsys, "replay", config, "--cassette", cassette, "--json")
    assert code == 0, err
    replayed = json.loads(out)
    assert replayed["calls"] == 0
    same = ("score", "test_score", "best", "evaluations", "tally")
    assert {name: replayed[name] for name in same} == {name: recorded[name] for name in same}
    code, out, err = call(capsys, "replay", config, "--cassette", cassette, "--seed", 3)
    if code:  # another seed draws other errors, whose requests are not in the cassette
        assert "nearest" in err
        assert len(err.splitlines()) <= 2


def test_a_paper_protocol_runs_with_models_of_ones_own(tmp_path, capsys):
    rows = [{"task": "navigate", "index": i, "input": f"{i} + 1", "target": "Yes" if i % 2 else "No"} for i in range(30)]
    (tmp_path / "bbh.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with StubServer(
        answer=lambda body: "<output>Yes</output> <prompt>Answer Yes.</prompt> Hint 1: stay. Hint 2: stay."
    ) as server:
        words = ["paper", "bbh", "--data", tmp_path / "bbh.jsonl", "--tasks", "navigate", "--out", tmp_path / "runs"]
        model = f"{server.url}#stub"
        code, out, err = call(capsys, *words, "--forward", model, "--backward", model, "--yes", "--json")
    assert code == 0, err
    assert "keep its questions out of training corpora" in err
    found = json.loads(out)
    assert found["notice"] == ""
    assert {row["metric"] for row in found["rows"]} == {"training accuracy", "test accuracy"}
    assert (tmp_path / "runs" / "navigate" / "best.json").exists()


def test_nothing_to_learn_and_what_the_engine_cannot_follow_are_said(tmp_path, capsys):
    right = [
        {**node, "instruction": node["instruction"].replace("left to right", "multiplying first")} for node in pipeline.NODES
    ]
    code, out, _ = call(capsys, "run", pipeline.write(tmp_path, right), "--out", tmp_path / "right")
    assert code == 0
    assert "Nothing to learn" in out
    sung = [{**pipeline.NODES[0], "instruction": "Sing a song."}, *pipeline.NODES[1:]]
    code, out, _ = call(capsys, "run", pipeline.write(tmp_path, sung), "--out", tmp_path / "sung")
    assert code == 0
    assert "Sing a song" in out
    assert "cannot follow" in out


def test_a_folder_in_the_place_of_a_runs_file_is_named_before_anything_is_asked(finished, capsys):
    (finished / "report.html").unlink()
    (finished / "report.html").mkdir()
    code, out, err = call(capsys, "run", finished.parent / "pipeline.json", "--out", finished)
    assert (code, out) == (2, "")
    assert "report.html is a folder" in err


def test_nothing_is_recorded_over_a_finished_run(finished, capsys):
    config = finished.parent / "pipeline.json"
    code, _, err = call(capsys, "record", config, "--cassette", finished.parent / "new.jsonl", "--out", finished)
    assert code == 2
    assert "nothing would be recorded" in err


def test_a_budget_ends_the_run_with_3_and_keeps_what_was_reached(tmp_path, capsys):
    config = pipeline.write(tmp_path, budget={"calls": 90}, memo=False, update="full")
    code, out, err = call(capsys, "run", config, "--out", tmp_path / "run", "--json")
    assert code == 3
    assert "budget" in err.lower()
    assert json.loads(out)["stopped"] == "budget"
    assert json.loads(out)["calls"] <= 90
    assert (tmp_path / "run" / "best.json").exists()


def test_money_is_asked_for_where_nobody_answers_is_refused(tmp_path, capsys, monkeypatch):
    prices = tmp_path / "prices.yaml"
    prices.write_text("date: 2026-01-01\nmodels: {dear: {prompt: 1000.0, completion: 1000.0}}\n")
    monkeypatch.setenv("TENFOLD_PRICES", str(prices))
    with StubServer() as server:
        for model, words in (("dear", "may cost $"), ("nameless", "unknown amount")):
            config = pipeline.write(tmp_path, models=f"{server.url}#{model}")
            code, out, err = call(capsys, "run", config, "--out", tmp_path / model)
            assert (code, out) == (2, "")
            assert words in err
            assert "--yes" in err
            assert len(err.splitlines()) == 2
        assert server.count == 0


CYCLE = [
    {**pipeline.NODES[0], "inputs": ["question", "second"]},
    {**pipeline.NODES[1], "inputs": ["first"]},
    pipeline.NODES[2],
]
TWO_OUTPUTS = [{**node, "output": True} for node in pipeline.NODES]
LOOSE = [*pipeline.NODES, {"name": "loose", "instruction": "Report 1.", "inputs": ["question"]}]
ROWS = pipeline.questions(24)


def answer_node(**changes):
    nodes = copy.deepcopy(pipeline.NODES)
    nodes[2].update(changes)
    return nodes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nodes": CYCLE}, ["cycle", "first", "second"]),
        ({"nodes": TWO_OUTPUTS}, ["3 outputs"]),
        ({"nodes": [{**node, "output": False} for node in pipeline.NODES]}, ["No node", "output"]),
        ({"nodes": LOOSE}, ["loose"]),
        ({"nodes": answer_node(template="{instruction} {question} {first} {second} {third}")}, ["answer", "{third}"]),
        ({"nodes": answer_node(template="{instruction} {question} {first}")}, ["answer", "second"]),
        ({"train": []}, ["train", "empty"]),
        ({"train": ROWS[:10], "test": ROWS[8:]}, ["2 of 16", "train"]),
        ({"train": [{**row, "id": "a"} for row in ROWS[:3]]}, ["1 ids", "a"]),
        ({"train": [{"question": "(1 + 1) ="}, *ROWS[:3]]}, ["1 of 4", "target"]),
        ({"train": [{"question": "x", "target": float("nan")}]}, ["target"]),
        ({"train": [{"other": "x", "target": "1"}]}, ["question"]),
        ({"models": "nosuch:thing"}, ["nosuch"]),
        ({"models": "script:counted:nosuch"}, ["nosuch"]),
        ({"models": {"backward": "engine:rules"}}, ["forward"]),
        ({"budget": {"calls": 5}}, ["5 calls", "one step"]),
        ({"budget": {"dollars": 5}}, ["dollars"]),
        ({"metric": "exakt"}, ["exakt"]),
        ({"neighbourhood": "near"}, ["near", "full"]),
        ({"update": "some"}, ["some"]),
        ({"gate": "open"}, ["open"]),
        ({"setps": 3}, ["setps", "steps"]),
        ({"steps": "many"}, ["steps"]),
    ],
)
def test_bad_input_is_two_lines_and_exit_2_and_nothing_is_spent(tmp_path, capsys, monkeypatch, changes, words):
    (tmp_path / "counted.py").write_text(
        "from pathlib import Path\n\n\ndef answer(request):\n"
        "    Path(__file__).with_name('calls').open('a').write('x')\n    return 'no'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = pipeline.write(tmp_path, **{"models": "script:counted:answer", **changes})
    code, out, err = call(capsys, "run", config, "--out", tmp_path / "run", "--json")
    assert (code, out) == (2, ""), err
    assert 1 <= len(err.splitlines()) <= 2, err
    assert err.startswith("Error: ")
    for word in words:
        assert word in err
    assert not (tmp_path / "calls").exists()


def test_files_that_are_no_configuration_are_refused_in_words(tmp_path, capsys):
    (tmp_path / "latin.yaml").write_bytes("graph: {nodes: []}\ntrain: café".encode("latin-1"))
    (tmp_path / "broken.yaml").write_text("graph: [")
    (tmp_path / "list.json").write_text("[1]")
    for name, word in (("latin.yaml", "UTF-8"), ("broken.yaml", "YAML"), ("list.json", "table"), ("none.yaml", "exist")):
        code, out, err = call(capsys, "run", tmp_path / name)
        assert (code, out) == (2, "")
        assert word in err
        assert len(err.splitlines()) <= 2


def test_a_server_that_is_not_there_is_named(tmp_path, capsys):
    config = pipeline.write(tmp_path, models="http://127.0.0.1:9/v1#nobody", tries=1)
    code, _, err = call(capsys, "run", config, "--out", tmp_path / "run", "--yes")
    assert code == 2
    assert "127.0.0.1:9" in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "."],
        ["export", ".", "--to", "json"],
        ["replay", "pipeline.json", "--cassette", "nosuch.jsonl"],
        ["forecast", "liar"],
        ["forecast", "bbh", "--tasks", "nosuch", "--data", "."],
        ["compare", "--task", "nosuch"],
        ["compare", "--modes", "nosuch"],
        ["compare", "--start", "nosuch"],
        ["compare", "--against", "nosuch"],
        ["compare", "--seeds", "0"],
        ["demo", "--tasks", "nosuch"],
        ["nosuch"],
    ],
)
def test_every_command_refuses_nonsense_in_two_lines(tmp_path, capsys, monkeypatch, arguments):
    pipeline.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert 1 <= len(err.splitlines()) <= 2, err


def test_compare_gives_every_mode_with_its_interval_and_paired_differences(capsys):
    words = ["compare", "--task", "arithmetic", "--modes", "full,bare,none", "--seeds", 2, "--evaluations", 3]
    code, out, err = call(capsys, *words, "--workers", 1, "--json")
    assert code == 0, err
    found = json.loads(out)
    rows = {row["method"]: row for row in found["rows"]}
    assert {"full", "bare", "none", "full - bare", "full - none"} <= set(rows)
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows.values())
    assert says_no_language_model(found["notice"])
    code, out, _ = call(capsys, *words, "--workers", 1)
    assert says_no_language_model(out.splitlines()[0])


def test_the_demo_says_first_what_it_is(capsys):
    code, out, _ = call(capsys, "demo", "--seeds", 1, "--tasks", "arithmetic")
    assert code == 0
    assert says_no_language_model(out.splitlines()[0])
    assert "full - bare" in out


DOCS = Path(__file__).parents[2] / "docs" / "semgrad.md"


def test_the_tutorials_configuration_can_be_used_as_it_stands(tmp_path, capsys):
    text = DOCS.read_text(encoding="utf-8")
    block = text.partition("```yaml\n")[2].partition("```")[0]
    pipeline.write(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(block)
    code, out, err = call(capsys, "forecast", tmp_path / "pipeline.yaml")
    assert code == 0, err
    assert "unknown" not in out  # the models of the tutorial have prices
    assert "$0.0000" not in out


def test_the_tutorial_names_commands_and_options_that_there_are(capsys):
    for line in re.findall(r"tenfold semgrad [a-z].*", DOCS.read_text(encoding="utf-8")):
        words = line.partition("#")[0].strip().strip("`").split()[2:]
        assert cli.run(["semgrad", words[0], "--help"]) == 0, line
        shown = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", " ".join(words)):
            assert option in shown, line
