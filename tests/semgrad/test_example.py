import ast

from tenfold.semgrad.example import run
from tenfold.semgrad.graph import Graph


def test_the_stop_says_first_that_the_engine_is_no_language_model_and_shows_what_it_did(tmp_path):
    stop = run(tmp_path, 0)
    first, _, _ = stop.lead.partition(". ")
    assert "engine:rules" in first
    assert "not a language model" in first
    assert stop.numbers["held-out score, full"] > stop.numbers["held-out score at the start"]
    assert stop.numbers["full - bare"] == stop.numbers["held-out score, full"] - stop.numbers["held-out score, bare"]
    assert "not a language model" in stop.numbers["answered by"]
    # A negative result: here the question beside the hint is enough.
    assert stop.numbers["full - self"] == stop.numbers["held-out score, full"] - stop.numbers["held-out score, self"]
    assert len(stop.figures) == 5
    assert any("advice" in str(trace.name) for trace in stop.figures[3].data)
    assert all(count is not None and count > 60 for count in stop.figures[4].data[0].x)  # full reached it, for every seed
    best = Graph.load(tmp_path / "best.json").instructions
    last = {row[1]: row[3] for row in stop.tables[1].rows}
    assert last
    assert all(best[name] == text for name, text in last.items())
    ast.parse((tmp_path / "program.py").read_text())
