"""A visit with a network of random weights: the calls that are told were made, routes grow, and files are bounded."""

import csv
import gzip
from functools import partial

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions import visit
from tenfold.reactions.decoding import decode_rows
from tenfold.reactions.model import Asked, Model, Prediction
from tenfold.reactions.tokens import BOS, EOS
from tenfold.reactions.views import answers_html, calling_html, check_html, counted_html, file_html, filing, route_html
from tenfold.reactions.visit import Answered, Call, FileStep, Visit

from .conftest import made

pytest.importorskip("rdkit", reason="extra reactions is not installed")
QUERY = "CCO.CC(=O)Cl"


@pytest.fixture(autouse=True)
def model(monkeypatch):
    """One for both tasks in place of those that ship; what it writes has no end, so the limit is short."""
    found = Model(made(), remember=0)
    monkeypatch.setattr(visit, "Asked", partial(Asked, max_length=25))
    monkeypatch.setattr(visit, "_model", lambda task: found)
    return found


def asked(n, decoder, text=QUERY, **options):
    calls = []
    return visit.start(text, "forward", n, decoder, calls.append, **options).answered, calls


@pytest.mark.parametrize("decoding", ["greedy", "speculative", "speculative-windows", "beam", "exact", "sbs"])
def test_every_call_of_every_query_is_told_with_its_answer_so_far(model, decoding):
    sources = [[BOS, *model.vocabulary.encode(text), EOS] for text in ("CCO", "c1ccccc1Br", "CC")]
    heard = []
    options = {"n": 3 if decoding in ("beam", "exact", "sbs") else 1, "max_length": 12}
    answers, _ = decode_rows(model.network, sources, decoding, **options, tell=lambda *told: heard.append(told))
    for number, answer in enumerate(answers):
        told = [one for which, one in heard if which == number]
        assert [one.calls for one in told] == list(range(1, answer.calls + 1))
        assert told[-1].hypotheses == answer.hypotheses
    assert answers == decode_rows(model.network, sources, decoding, **options)[0]


@pytest.mark.parametrize(("n", "plain"), [(1, "greedy"), (4, "beam")])
def test_the_calls_that_plain_decoding_needs_are_those_that_it_makes(model, n, plain):
    fast, heard = asked(n, "ours")
    slow, _ = asked(n, "plain")
    assert slow.asked.decoding == plain
    assert fast.plain_calls == slow.plain_calls == slow.calls
    assert [one.smiles for one in fast.predictions] == [one.smiles for one in slow.predictions]
    assert [call.number for call in heard] == list(range(1, fast.calls + 1))
    assert heard[-1].text == fast.predictions[0].smiles


def test_a_question_is_asked_anew_each_time_so_that_every_shown_call_was_made():
    assert asked(1, "ours")[1] == asked(1, "ours")[1] != []


def test_the_papers_search_promises_no_number_of_plain_calls():
    found, _ = asked(3, "paper")
    assert found.asked.decoding == "sbs"
    assert found.plain_calls is None
    assert "instead of" not in counted_html(found)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, "The line is empty"),
        ("C1CC", {}, "Ring 1 is opened but never closed"),
        ("[Uuo]", {}, "is not in this model's vocabulary"),
        (QUERY, {"n": 21}, "n is 21; it must be from 1 to 20"),
        (QUERY, {"n": 0}, "n is 0; it must be from 1 to 20"),
        (QUERY, {"decoder": "fast"}, "decoder 'fast' is unknown"),
    ],
)
def test_bad_input_is_the_command_lines_sentence(text, options, words):
    with pytest.raises(BadInput, match=words.replace("(", r"\(")):
        asked(**{"n": 1, "decoder": "ours", "text": text, **options})


def test_a_check_decodes_both_ways_and_shows_both():
    found = visit.checked(asked(2, "ours")[0])
    assert (found.plain, found.fast, found.is_equal) == ("beam", "exact", True)
    shown = check_html(found)
    assert "Equal." in shown
    assert f"<td>{found.plain_calls:.0f}</td>" in shown


def answered(task="retro", query="CCOC(C)=O", answers=("CCO.CC(=O)Cl", "CC(>"), **changed):
    predictions = tuple(
        Prediction(text, 0.5, -1.0, 8, (), valid=rank == 0, truncated=rank == 1) for rank, text in enumerate(answers)
    )
    return Answered(query, task, Asked("exact", 2), predictions, 50, 12.0, False, **changed)


def test_breaking_an_answers_molecule_down_makes_the_answer_part_of_the_route():
    first = Visit(answered(), "CCOC(C)=O")
    second = visit.onward(first, "CCO", 0, 2, "ours", lambda call: None)
    assert second.root == "CCOC(C)=O"
    assert second.route == {"CCOC(C)=O": ("CCO", "CC(=O)Cl")}
    assert (second.answered.query, second.answered.task) == ("CCO", "retro")
    shown = route_html(second)
    assert shown.count("data-molecule") == 3
    assert 'class="here">CCO<' in shown
    back = visit.onward(second, "CCOC(C)=O", None, 2, "ours", lambda call: None)
    assert back.route == second.route
    with pytest.raises(BadInput, match="There is no answer 8"):
        visit.onward(first, "CCO", 7, 2, "ours", lambda call: None)


def test_a_predicted_product_is_the_root_of_its_own_route():
    first = Visit(answered("forward", QUERY, ("CCOC(C)=O",)))
    second = visit.onward(first, "CCOC(C)=O", 0, 1, "ours", lambda call: None)
    assert second.root == "CCOC(C)=O"
    assert second.route == {}
    assert route_html(second) == ""


def test_a_route_that_comes_back_to_a_molecule_ends_there():
    route = {"CCO": ("C=O", "C"), "C=O": ("CCO",)}
    assert route_html(Visit(answered(query="CCO"), "CCO", route)).count("<li>") == 4


def test_answers_are_shown_with_flags_buttons_and_escaped_text():
    shown = answers_html(answered())
    assert shown.count("<article>") == 2
    assert shown.count(">Break this one down<") == 2
    assert 'data-molecule="CC(=O)Cl" data-rank="0"' in shown
    assert "invalid" in shown
    assert "truncated" in shown
    assert "CC(&gt;" in shown
    assert "<b>8</b> model calls instead of <b>50</b>" in counted_html(answered())
    assert "<b>5</b> model calls for <b>31</b> tokens" in calling_html(Call(5, 31, "C<"))
    assert "C&lt;" in calling_html(Call(5, 31, "C<"))


def test_a_word_finds_its_visit_and_another_does_not():
    word = visit.keep(Visit(answered()))
    assert visit.kept(word).answered.query == "CCOC(C)=O"
    for other in ("", None, word[:-1]):
        with pytest.raises(BadInput, match="Press Predict"):
            visit.kept(other)


def filed(path, tmp_path, n=1, column=""):
    steps = []
    return visit.answer_file(str(path), column, "forward", n, "ours", tmp_path / "out.csv", steps.append), steps


def test_a_file_is_answered_row_by_row_and_bad_rows_are_named(tmp_path):
    path = tmp_path / "in.smi"
    path.write_text(f"{QUERY}\nC1CC\n\n{QUERY} name\n")
    done, steps = filed(path, tmp_path, n=2)
    assert [step.done for step in steps] == [1, 2, 3, 4]
    assert (done.step.rows, done.step.failed) == (4, 2)
    assert done.errors[0] == "row 2: Ring 1 is opened but never closed in 'C1CC'."
    with done.path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["input"], row["rank"]) for row in rows] == [
        (QUERY, "1"), (QUERY, "2"), ("C1CC", ""), ("", ""), (QUERY, "1"), (QUERY, "2"),
    ]  # fmt: skip
    assert "Ring 1" in file_html(done)
    assert filing(FileStep(2, 4, 1, 2.0)) == "2 of 4 rows, 1 failed, 1.0 rows/s; about 2 s left."


def test_files_are_bounded_and_named_as_their_owner_named_them(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="Upload a file"):
        visit.answer_file(None, "", "forward", 1, "ours", tmp_path / "x", print)
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match=r"^mine\.csv: none of its columns is called smiles"):
        filed(table, tmp_path)
    empty = tmp_path / "empty.smi"
    empty.write_text("")
    with pytest.raises(BadInput, match=r"^empty\.smi has no rows"):
        filed(empty, tmp_path)
    bomb = tmp_path / "bomb.smi.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(12):
            file.write(b"C" * 500_000 + b"\n")
    with pytest.raises(BadInput, match="million characters"):
        filed(bomb, tmp_path)
    monkeypatch.setattr(visit, "MAX_ROWS", 3)
    long = tmp_path / "long.smi"
    long.write_text("CCO\n" * 4)
    with pytest.raises(BadInput, match="at most 3 rows"):
        filed(long, tmp_path)
