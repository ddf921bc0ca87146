from tenfold.judge.example import run


def test_the_stop_says_that_no_language_model_judged_finds_faults_and_flags_what_addresses_the_judge(tmp_path):
    stop = run(tmp_path, 0)
    first, _, _ = stop.lead.partition(". ")
    assert "no language model" in first
    assert stop.numbers["met, with faults"] < stop.numbers["met, as it ran"]
    assert stop.numbers["reward, with faults"] < stop.numbers["reward, as it ran"]
    found, _, false = stop.numbers["false requirements found"].partition(" of ")
    assert int(found) > 0
    assert int(found) <= int(false)
    assert stop.numbers["lines flagged that address the judge"] >= 1
    assert stop.numbers["verdicts that they moved"] == 0
    assert any(row[0] == "NOTES.txt" for row in stop.tables[1].rows)
    assert any("unsatisfied" in row for row in stop.tables[0].rows)
    marks = {trace.name: len(trace.x) for trace in stop.figures[1].data if trace.name}
    assert sum(marks.values()) == len(stop.tables[0].rows)
    assert (tmp_path / "faulty.html").read_text().count("<section") > 5


def test_the_faults_follow_from_the_seed(tmp_path):
    assert run(tmp_path / "a", 3).lead == run(tmp_path / "b", 3).lead
