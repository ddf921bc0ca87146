"""Users' files in every form, and what is wrong with them."""

import gzip
import io
import json
import sys

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions.tables import COLUMNS, Row, header, read_rows, write_rows, writing_form

TWO = [Row(1, "CCO"), Row(2, "CN")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.smi", "CCO ethanol\nCN\tmethylamine\n"),
        ("a.smi", "\ufeffCCO\r\nCN\r\n"),
        ("a.txt", "CCO\nCN"),
        ("a.csv", "name,smiles\nethanol,CCO\nx,CN\n"),
        ("a.csv", '\ufeff"smiles","name"\r\n"CCO","a ""quoted"", name"\r\n"CN",\r\n'),
        ("a.csv", 'id,Smiles\n"a\nb",CCO\n2,CN\n'),
        ("a.tsv", "smiles\tname\nCCO\ta\nCN\tb\n"),
        ("a.jsonl", '{"smiles": "CCO"}\n"CN"\n'),
    ],
)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_each_form_gives_its_rows(tmp_path, name, content, is_zipped):
    path = tmp_path / (name + ".gz" * is_zipped)
    path.write_bytes(gzip.compress(content.encode()) if is_zipped else content.encode())
    assert list(read_rows(path)) == TWO


def test_a_column_is_chosen_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("smiles,other\nC,CCO\nC,CN\n")
    assert list(read_rows(path, "other")) == TWO


@pytest.mark.parametrize("column", ["nothing", None])
def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path, column):
    path = tmp_path / "a.csv"
    path.write_text("first,second\nC,CCO\n")
    with pytest.raises(BadInput, match="first, second"):
        list(read_rows(path, column))


def test_the_standard_input_is_read_as_smi(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeffCCO\r\nCN\n".encode())))
    assert list(read_rows("-")) == TWO


def test_a_reaction_file_gives_its_reaction(tmp_path):
    from rdkit.Chem import rdChemReactions

    reaction = rdChemReactions.ReactionFromSmarts("CCO.CC(=O)Cl>>CCOC(C)=O", useSmiles=True)
    path = tmp_path / "a.rxn"
    path.write_text(rdChemReactions.ReactionToRxnBlock(reaction))
    (row,) = read_rows(path)
    assert row.text.count(">") == 2
    path.write_text("$RXN\n nonsense")
    with pytest.raises(BadInput, match=r"\.rxn|no reaction"):
        list(read_rows(path))


def test_a_bad_row_has_its_number_and_reason_and_the_others_go_on(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("CCO\n\nCN\n")
    assert list(read_rows(path)) == [Row(1, "CCO"), Row(2, "", "The line is empty."), Row(3, "CN")]
    path = tmp_path / "a.jsonl"
    path.write_text('{"smiles": "CCO"}\n{oops\n{"smiles": 3}\n')
    assert [row.error for row in read_rows(path)] == ["", "The line is not valid JSON.", "The object has no text 'smiles'."]
    path = tmp_path / "a.csv"
    path.write_text("name,smiles\nx,CCO\ny\n")
    assert list(read_rows(path))[1] == Row(2, "", "The row has no column 'smiles'.")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.smi", b"\xff\xfeC\x00", "not text in UTF-8"),
        ("a.smi", b"C\x00C\n", "zero byte"),
        ("a.smi", b"C" * (2 << 20), "longer than"),
        ("a.csv", b"smiles\n" + b'"' + b"C" * 200_000 + b'"\n', "line 2"),
        ("a.smi.gz", gzip.compress(b"CCO\n" * 1000, mtime=0)[:-9], "cut short"),
        ("a.smi.gz", b"CCO\n", "damaged"),
        ("a.pdf", b"CCO\n", "ending"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        list(read_rows(path))


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        list(read_rows(tmp_path / "none.smi"))
    (tmp_path / "a.smi").mkdir()
    with pytest.raises(BadInput, match="is not a file"):
        list(read_rows(tmp_path / "a.smi"))


def test_what_is_written_is_read_again(tmp_path):
    row = ("CCO", 1, "CC=O", -0.25, 0.75, True, 3, 1.5, 'a "note", with a comma')
    for form in ("csv", "tsv"):
        path = tmp_path / f"out.{form}"
        path.write_text(header(form) + write_rows([row], form))
        assert [one.text for one in read_rows(path, "note")] == [row[-1]]
        assert [one.text for one in read_rows(path, "valid")] == ["true"]
    assert json.loads(write_rows([row], "jsonl")) == dict(zip(COLUMNS, row, strict=True))


def test_the_form_of_an_output_is_its_ending(tmp_path):
    assert writing_form("a.csv.gz") == "csv"
    with pytest.raises(BadInput, match="ending"):
        writing_form("a.xlsx")
