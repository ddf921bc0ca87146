"""Labels: read, joined by words, overridden, saved and read again."""

from pathlib import Path

import pytest

from judge.made import report, requirements
from tenfold.core.errors import BadInput
from tenfold.judge.labels import join_labels, override, read_labels, report_labels, save_labels, unmatched_words
from tenfold.judge.types import Requirement, Requirements

HEADER = "task,requirement_id,prerequisites,human,mine,criteria_as_judged\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def test_verdicts_are_read_in_several_spellings_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    rows = "t,0,,1,undecided,a\nt,1,0,False,1,b\nt,2,0 1,satisfied,,c\nt,3,,,1,d\n"
    labels = read_labels(write(tmp_path, HEADER + rows))
    assert [(one.id, one.human, one.recorded["mine"], one.prerequisites) for one in labels] == [
        ("0", True, "undecided", ()),
        ("1", False, "satisfied", ("0",)),
        ("2", True, None, ("0", "1")),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no column task"),
        ("task,human\nt,1\n", "no column requirement_id"),
        (HEADER + "t,0,,maybe,1,a\n", "line 2: the human verdict is 'maybe'"),
        (HEADER + "t,0,,undecided,1,a\n", "line 2: the human verdict is 'undecided'"),
        (HEADER + ",0,,1,1,a\n", "line 2: there is no task"),
        (HEADER + "t,0,,1,1,a\nt,0,,1,1,b\n", "lines 2 and 3: requirement 0 of task t stands twice"),
        (HEADER, "no human verdict"),
        ("", "no column task"),
        (HEADER + 't,0,,1,1,"' + "a" * 140_000 + '"\n', "not valid CSV at line"),
    ],
)
def test_a_bad_labels_file_is_said_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_labels(write(tmp_path, text))


def test_labels_join_by_words_and_never_by_index(tmp_path: Path) -> None:
    items = ('Save "a" in `x.txt`.', "Load the data.", "Load the data.", "Train the model for ten rounds.")
    now = {"t": Requirements("t", tuple(Requirement(str(i), text) for i, text in enumerate(items)))}
    rows = "t,7,,1,1,Save a in x.txt\nt,2,,0,1,Load the data.\nt,1,,1,1,Train the model for nine rounds.\nu,0,,1,1,Else.\n"
    join = join_labels(read_labels(write(tmp_path, HEADER + rows)), now)
    assert [(label.id, item.id) for label, item in join.matched] == [("7", "0"), ("2", "2")]
    near, elsewhere = join.unmatched
    assert near.nearest is not None
    assert near.nearest.id == "3"
    assert near.similarity > 0.9
    assert elsewhere.nearest is None
    words = unmatched_words(join.unmatched, 4)
    assert words.startswith("2 of 4 labels match no criterion")
    assert "ten rounds" in words


def test_a_label_without_text_goes_by_its_id(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "task,requirement_id,human\nt,1,1\nt,9,0\n"))
    join = join_labels(labels, {"t": requirements([[], []], "t")})
    assert [item.id for _, item in join.matched] == ["1"]
    assert len(join.unmatched) == 1


def test_a_persons_verdicts_are_saved_and_read_again(tmp_path: Path) -> None:
    judged = report(requirements([[], [0], [0, 1]], "t"), ["satisfied", "undecided", "unsatisfied"])
    labels = report_labels(judged, {"0": "unsatisfied", "1": True}, agent="me")
    path = save_labels(tmp_path / "deep" / "labels.csv", labels)
    again = read_labels(path)
    assert [(one.id, one.human, one.prerequisites, one.recorded, one.agent) for one in again] == [
        ("0", False, (), {"judge": "satisfied"}, "me"),
        ("1", True, ("0",), {"judge": "undecided"}, "me"),
    ]
    assert again[0].criteria == judged["0"].requirement.criteria


def test_an_override_takes_the_verdict_and_keeps_the_evidence() -> None:
    judged = report(requirements([[], [0]]), ["satisfied", "undecided"])
    changed = override(judged, {"1": True, "0": "unsatisfied"})
    assert [(one.verdict, one.engine, one.confidence, one.probability) for one in changed] == [
        ("unsatisfied", "human", 1.0, 0.0),
        ("satisfied", "human", 1.0, 1.0),
    ]
    assert changed["1"].evidence == judged["1"].evidence
    assert changed["1"].missing == ""
    assert judged["0"].verdict == "satisfied"
    for verdicts, words in (({"7": True}, "no requirement '7'"), ({"0": "perhaps"}, "'perhaps' is no verdict")):
        with pytest.raises(BadInput, match=words):
            override(judged, verdicts)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="undecided"):
        report_labels(judged, {"0": "undecided"})


def test_a_labels_file_that_is_not_there_is_not_spoken_of_as_requirements(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(BadInput) as caught:
            read_labels(path)
        assert "requirements" not in f"{caught.value.message} {caught.value.hint}".lower()
