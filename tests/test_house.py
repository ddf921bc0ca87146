"""The house as a whole: the sample system goes through every door, the tour and reproduce keep what they made."""

import json
from html.parser import HTMLParser

import pytest

from tenfold import cli
from tenfold.core.claims import ledger
from tenfold.reproduce import claims_table


class Outside(HTMLParser):
    """Collects every address that the page would load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [v for k, v in attributes if k in ("src", "href") and v and not v.startswith(("#", "data:"))]


def loads_of(page):
    parser = Outside()
    parser.feed(page)
    return parser.found


def test_the_tour_writes_a_report_that_loads_nothing_and_escapes(capsys, sample_system, tmp_path):
    assert cli.run(["tour", "sample", "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["stops"][0]["numbers"] == {"doubled": 2.0}
    page = (tmp_path / "index.html").read_text()
    assert loads_of(page) == []
    assert "doubling &lt;b&gt;" in page
    assert "tenfold tour sample" in page


def test_a_stop_that_fails_is_named_and_the_others_go_on(capsys, sample_system, tmp_path, monkeypatch):
    import sample_system.example
    from tenfold import registry

    other = registry.System("other", "Other", "Other.", "nobody", "other", True, "sample_system")
    monkeypatch.setattr(registry, "SYSTEMS", {"sample": sample_system_of(registry), "other": other})
    calls = []
    real = sample_system.example.run
    monkeypatch.setattr(
        sample_system.example,
        "run",
        lambda folder, seed: calls.append(folder.name) or real(folder, 13 if folder.name == "sample" else 0),
    )
    assert cli.run(["tour", "--out", str(tmp_path), "--json"]) == 1
    out, err = capsys.readouterr()
    assert calls == ["sample", "other"]
    assert "Thirteen is not served." in err
    assert [bool(stop.get("error")) for stop in json.loads(out)["stops"]] == [True, False]


def sample_system_of(registry):
    return registry.SYSTEMS["sample"]


def test_reproduce_keeps_finished_rows_and_runs_only_the_rest(capsys, sample_system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["reproduce", "sample", "--scale", "laptop", "--out", "out", "--workers", "1", "--json"]
    assert cli.run(command) == 1
    out, err = capsys.readouterr()
    assert "fragile" in err
    assert "fragile broke" in err
    assert [row["method"] for row in json.loads(out)["systems"][0]["rows"]] == ["steady"]
    (tmp_path / "mended").touch()
    assert cli.run(command) == 0
    entry = json.loads(capsys.readouterr().out)["systems"][0]
    assert [row["method"] for row in entry["rows"]] == ["steady", "fragile"]
    assert entry["claims"] == [{"id": "sample-1", "verdict": "shown", "why": "2 rows", "missing": ""}]
    assert entry["verdict"] == "1 shown"
    assert set(entry["rows"][0]) >= {"method", "metric", "value", "low", "high", "seeds", "seconds", "hardware", "command"}
    assert (tmp_path / "steady.made").read_text() == "x"
    assert (tmp_path / "fragile.made").read_text() == "xx"
    assert loads_of((tmp_path / "out" / "index.html").read_text()) == []


def test_reproduce_shows_an_experiments_tables_everywhere_and_folds_its_rows(capsys, sample_system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["reproduce", "sample", "--scale", "smoke", "--out", "out", "--workers", "1"]
    assert cli.run(command) == 0
    printed = capsys.readouterr().out
    assert printed.index("Doubles") < printed.index("steady  4")
    assert cli.run([*command, "--json"]) == 0
    found = {"caption": "Doubles", "columns": ["method", "double"], "rows": [["steady", "4"]], "command": ""}
    assert json.loads(capsys.readouterr().out)["systems"][0]["tables"] == [found]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<caption>Doubles</caption>" in page
    assert page.index("Doubles") < page.index("<details><summary>Scale smoke: all 1 rows</summary>")


def test_the_ledger_has_every_claim_of_the_ten_papers_once():
    entries = ledger()
    assert len(entries) == len({entry.id for entry in entries}) == 45
    assert {entry.system for entry in entries} == set(cli.registry.SYSTEMS)
    assert all(entry.words and entry.rule and entry.scale for entry in entries)


@pytest.mark.parametrize("system", [system.name for system in cli.registry.ready()])
def test_every_claim_of_a_ready_system_has_its_rule_in_the_experiment(system):
    import importlib

    experiment = importlib.import_module(f"tenfold.{system}.experiment").EXPERIMENT
    assert [claim.id for claim in experiment.claims] == [entry.id for entry in ledger() if entry.system == system]


def test_claims_without_rows_are_not_decidable_and_name_the_command(tmp_path):
    rows = claims_table("goldfish", rows_from=tmp_path)
    assert {row["verdict"] for row in rows} == {"not decidable here"}
    assert {row["missing"] for row in rows} >= {"The system is planned."}
    assert rows[0]["command"] == "tenfold reproduce goldfish --scale laptop"


def test_doctor_names_what_is_missing_and_how_to_get_it(monkeypatch):
    from tenfold import doctor

    monkeypatch.setattr(doctor, "is_installed", lambda module: module != "gradio")
    found = {check.what: check for check in doctor.examine()}
    assert found["extra studio"].state == "missing"
    assert "tenfold[studio]" in found["extra studio"].advice
    monkeypatch.setenv("TENFOLD_DATA", "/nowhere")
    assert {check.state for check in doctor.examine() if check.what == "data"} == {"wrong"}


def test_two_processes_do_not_make_the_same_rows(capsys, sample_system, tmp_path, monkeypatch):
    from tenfold.core.runs import lock_folder

    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "sample").mkdir(parents=True)
    with lock_folder(tmp_path / "out" / "sample"):
        assert cli.run(["reproduce", "sample", "--scale", "smoke", "--out", "out"]) == 1
    assert "is in use by process" in capsys.readouterr().err
    assert not (tmp_path / "steady.made").exists()


def test_rows_of_another_version_are_refused_in_a_sentence(capsys, sample_system, tmp_path):
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "rows.jsonl").write_text('{"key": "steady", "rows": [{"way": "old"}]}\n')
    assert cli.run(["claims", "sample", "--rows", str(tmp_path)]) == 2
    assert "rows that this version cannot read" in capsys.readouterr().err
