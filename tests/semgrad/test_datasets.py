"""Published questions: splits that cannot overlap, rows that cannot be used are named, statements of LIAR as they stand."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold import registry
from tenfold.core.errors import BadInput, DataMissing
from tenfold.semgrad import datasets
from tenfold.semgrad.datasets import BBH, bbh, gsm8k, liar, own_questions, split_once


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data catalogue lists the sets of semgrad."""
    known = registry.SYSTEMS["semgrad"]
    made = registry.System(known.name, known.title, known.summary, known.paper, known.extra, True)
    monkeypatch.setattr(registry, "SYSTEMS", {**registry.SYSTEMS, "semgrad": made})


def write_lines(path: Path, rows: list) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


def navigate(count: int) -> list[dict]:
    return [{"task": "navigate", "index": i, "input": f"Walk {i} steps.", "target": "No"} for i in range(count)]


def liar_row(number: int, label: str = "false", statement: str = "", party: str = "none of these", columns: int = 14) -> str:
    row = [f"{number}.json", label, statement or f"Statement {number}", "tax", "who", "Senator", "Texas", party]
    return "\t".join([*row, "0", "0", "0", "0", "0", "a speech"][:columns])


samples = st.lists(st.integers(0, 40), max_size=60).map(
    lambda numbers: [{"id": str(place), "question": f"q {n}", "target": "t"} for place, n in enumerate(numbers)]
)


@given(samples, st.integers(0, 30), st.integers(0, 5))
def test_a_split_never_shares_a_question_and_loses_only_copies(rows, train, seed):
    split = split_once(rows, train, seed)
    learn, test = ({row["question"] for row in part} for part in (split.train, split.test))
    assert not learn & test
    assert learn | test == {row["question"] for row in rows}
    assert len(split.train) == len(learn) == min(train, len({row["question"] for row in rows}))
    assert split_once(rows, train, seed) == split


def test_questions_that_differ_in_blanks_alone_are_copies():
    rows = [{"id": str(i), "question": text, "target": "1"} for i, text in enumerate(["a  b", "a b", "c"])]
    for seed in range(4):
        split = split_once(rows, 1, seed)
        assert {" ".join(row["question"].split()) for row in split.train + split.test} == {"a b", "c"}
        assert len({" ".join(row["question"].split()) for row in split.test}) == 1


def test_the_27_tasks_fall_into_12_of_language_and_15_of_algorithms():
    groups = [task.group for task in BBH.values()]
    assert (groups.count("NLP"), groups.count("algorithmic")) == (12, 15)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_a_task_is_split_20_to_230_as_in_the_paper(tmp_path, name):
    other = [{"task": "snarks", "index": 0, "input": "x", "target": "(A)"}]
    split = bbh("navigate", write_lines(tmp_path / name, navigate(250) + other))
    assert (len(split.train), len(split.test), split.skipped) == (20, 230, ())
    assert split.train[0].keys() == {"id", "question", "target"}


def test_the_published_folder_of_tasks_is_read_as_it_is(tmp_path):
    rows = [{"input": f"Walk {i}.", "target": "Yes"} for i in range(30)]
    (tmp_path / "navigate.json").write_text(json.dumps({"canary": "keep out", "examples": rows}))
    assert len(bbh("navigate", tmp_path).test) == 10
    (tmp_path / "snarks.json").write_text("[1, 2]")
    with pytest.raises(BadInput, match="not a published task file"):
        bbh("snarks", tmp_path)


def test_rows_that_cannot_be_used_are_named_and_the_others_go_on(tmp_path):
    bad = ["not json", {"task": "navigate", "input": "No target here."}, {"task": "navigate", "input": 7.5, "target": ["a"]}]
    split = bbh("navigate", write_lines(tmp_path / "a.jsonl", bad + navigate(25)))
    assert len(split.train) + len(split.test) == 25
    assert split.skipped == (
        "row 1: not a JSON object",
        "row 2, column target: missing",
        "row 3, column target: \"['a']\" is no text",
    )


def test_too_few_questions_say_how_many_there_are_and_why(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", [*navigate(5), "broken"])
    with pytest.raises(BadInput, match=r"holds 5 usable questions; 20 .* row 6: not a JSON object"):
        bbh("navigate", file)


def test_an_unknown_task_lists_the_tasks():
    with pytest.raises(BadInput, match=r"no task 'navigation'.*word_sorting"):
        bbh("navigation")


def test_the_target_of_gsm8k_is_the_last_number_without_separators(tmp_path):
    answers = ["2*3 = <<2*3=6>>6\n#### 6", "#### 1,080", "so #### -3.5", "no mark", "#### twelve"]
    rows = [{"question": f"q{i}", "answer": text} for i, text in enumerate(answers)]
    split = gsm8k(write_lines(tmp_path / "a.jsonl", rows), train=1)
    assert {row["target"] for row in split.train + split.test} == {"6", "1080", "-3.5"}
    assert split.skipped == tuple(f'row {n}, column answer: no number after "####" at its end' for n in (4, 5))


def test_training_questions_of_gsm8k_never_stand_in_its_test(tmp_path):
    rows = [{"question": f"q{i}", "answer": f"#### {i}"} for i in range(140)]
    write_lines(tmp_path / "train.jsonl", rows)
    write_lines(tmp_path / "test.jsonl.gz", [*rows[:140], {"question": "new", "answer": "#### 1"}])
    split = gsm8k(tmp_path)
    assert len(split.train) == 128
    assert len(split.test) == 13
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadInput, match=r"has no train\.jsonl"):
        gsm8k(empty)


def test_liar_keeps_statements_with_quotes_and_colons_apart(tmp_path):
    odd = ['Says "the tax: is high', 'and "another: one', 'third"']
    rows = [liar_row(i, "false" if i % 2 else "true", text) for i, text in enumerate(odd)]
    split = liar(write_lines(tmp_path / "a.tsv", rows), train=1)
    found = {row["statement"]: row["target"] for row in split.train + split.test}
    assert found == {odd[0]: "No", odd[1]: "Yes", odd[2]: "No"}
    assert split.train[0].keys() == {"id", "target", *datasets.LIAR_FIELDS}


def test_liar_takes_two_of_six_labels_and_whole_rows_only(tmp_path):
    rows = [liar_row(1), liar_row(2), liar_row(3, "half-true"), liar_row(4, party="None"), liar_row(5, "wrong")]
    split = liar(write_lines(tmp_path / "a.tsv", [*rows, liar_row(6, columns=13)]), train=1)
    assert {row["id"] for row in split.train + split.test} == {"1.json", "2.json"}
    assert split.skipped == ("row 5, column 2 (label): 'wrong' is no label", "row 6: 13 columns, not 14")


def test_a_row_of_ones_own_that_cannot_be_used_is_a_mistake(tmp_path):
    rows = [{"question": "1 + 1?", "target": "2"}, {"question": "2 + 2?"}, {"question": " ", "target": "4"}]
    with pytest.raises(BadInput, match=r"row 2, column target: missing; row 3, column question: ' ' is no text"):
        own_questions(write_lines(tmp_path / "a.jsonl", rows), train=1)


def test_own_questions_may_be_called_input(tmp_path):
    rows = [{"input": f"{i} + 1?", "target": i + 1} for i in range(4)]
    split = own_questions(write_lines(tmp_path / "a.jsonl", rows), train=3)
    assert {row["target"] for row in split.train + split.test} == {"1", "2", "3", "4"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe broken", "is not UTF-8 text: row 1"),
        (b'{"task": "navigate"}\n\xe9', "is not UTF-8 text: row 2"),
        (None, "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_said_so(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        bbh("navigate", tmp_path / "a.jsonl")


def test_a_damaged_or_huge_archive_is_said_so(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}" * 999)[:-12])
    with pytest.raises(BadInput, match="cannot be read"):
        bbh("navigate", tmp_path / "a.jsonl.gz")
    monkeypatch.setattr(datasets, "LIMIT", 1 << 20)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(BadInput, match="more than 1 MiB"):
        bbh("navigate", tmp_path / "b.jsonl.gz")


def test_a_missing_data_set_says_which_file_to_put_where(tmp_path, monkeypatch, catalogue):
    monkeypatch.setenv("TENFOLD_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DataMissing, match=r"semgrad/bbh\.jsonl\.gz"):
        bbh("navigate")


@pytest.mark.data
def test_the_real_files_hold_what_their_papers_say(data, catalogue):
    for task in BBH:
        split = bbh(task)
        assert len(split.train) == 20
        assert len(split.test) >= 60
        assert not split.skipped
    math = gsm8k()
    assert (len(math.train), len(math.test), math.skipped) == (128, 660, ())
    statements = liar(data / "semgrad" / "liar_train.tsv.gz")
    assert (len(statements.train), len(statements.test), statements.skipped) == (50, 2293, ())
