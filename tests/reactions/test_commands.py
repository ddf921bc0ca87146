"""The commands: what they print, write and refuse, and with which exit code."""

import csv
import json

import pytest
from typer.testing import CliRunner

from tenfold.core.errors import TenfoldError
from tenfold.reactions import commands
from tenfold.reactions import model as models
from tests.reactions.conftest import whole_beam

pytest.importorskip("rdkit", reason="extra reactions is not installed")


@pytest.fixture(autouse=True)
def one_model(monkeypatch, model):
    """Every name loads the tiny network; the reading of folders is tested with the folders."""
    monkeypatch.setattr(models, "load", lambda name, **_: model)


def call(*arguments, text=None):
    """Standard output, and what the command refused; `tenfold.cli` prints such an error and exits with its code."""
    result = CliRunner().invoke(commands.app, list(map(str, arguments)), input=text)
    if result.exception is not None and not isinstance(result.exception, (TenfoldError, SystemExit)):
        raise result.exception
    return result.stdout, result.stderr, result.exception if isinstance(result.exception, TenfoldError) else None


def test_one_smiles_is_answered_on_the_terminal_and_as_json():
    out, _, error = call("predict", "CCO.CC(=O)Cl", "--max-length", 8)
    assert error is None
    assert next(csv.DictReader(out.splitlines()))["input"] == "CCO.CC(=O)Cl"
    out, _, error = call("predict", "CCO.CC(=O)Cl", "--max-length", 8, "--json")
    assert [row["rank"] for row in json.loads(out)["rows"]] == [1]


def test_a_list_has_n_answers_by_rank():
    out, _, error = call("retro", "CCO.CC(=O)Cl", "--n", 3, "--search", "beam", "--max-length", 8, "--json")
    assert error is None
    assert [row["rank"] for row in json.loads(out)["rows"]] == [1, 2, 3]


def test_a_file_is_answered_into_a_table_and_bad_rows_end_in_exit_code_2_with_a_count(tmp_path):
    path, out = tmp_path / "in.smi", tmp_path / "out.csv"
    path.write_text("CCO.CN\nCO.CC\nC1CC\n\nCCO.[Uuo]\n*CC.CO\n[Na+].[Cl-]\nCO.CN\n")
    _, said, error = call("predict", path, "-o", out, "--max-length", 8)
    assert error is not None
    assert (error.exit_code, error.message) == (2, "5 of 8 rows failed; they are named above.")
    for words in (
        "row 3: Ring 1 is opened but never closed",
        "row 4: The line is empty.",
        "row 5: Token '[Uuo]' is not in this model's vocabulary (",
        "row 6: A dummy atom",
        "row 7: There is nothing but salts",
    ):
        assert words in said
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["smiles"]) for row in rows] == [True, True, False, False, False, False, False, True]


def test_standard_input_reactions_and_atom_maps_are_read_with_a_note():
    out, _, error = call("predict", "-", "--max-length", 8, text="[CH3:1][OH:2].CN>>CO\r\n")
    assert error is None
    assert "This is a reaction; its left side was used. Atom maps were removed." in out


def test_a_truncated_answer_is_flagged():
    out, _, _ = call("predict", "CCO.CN", "--max-length", 2)
    assert "truncated" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "none.smi"], "does not exist"),
        (["predict", "CCO.CN", "--n", 0], "n is 0; it must be from 1 to"),
        (["predict", "CCO.CN", "--batch-size", 0], "batch_size is 0"),
        (["predict", "CCO.CN", "--unknown", "drop"], "Use refuse or keep"),
        (["predict", "CCO.CN", "--decoding", "best"], "decoding 'best' is unknown"),
        (["predict", "CCO.CN", "-o", "out.xlsx"], "ending"),
        (["predict", "C" * 300 + ".C"], "1 of 1 row failed"),
        (["retro", "CCO", "--search", "best"], "decoding 'best' is unknown"),
        (["bench", "CCO.CN", "--batch-sizes", "x"], "holds no sizes"),
        (["verify", "C1CC"], "None of the 1 queries can be used"),
        (["export", "x", "--format", "onnx"], "format 'onnx' is unknown"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    _, _, error = call(*arguments)
    assert error is not None
    assert words in str(error)
    assert error.exit_code == 2


def test_a_column_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("\ufeffname,smiles\r\nx,CCO.CN\r\n")
    assert call("predict", path, "--max-length", 8)[2] is None
    error = call("predict", path, "--column", "other")[2]
    assert "has no column 'other'. Its columns: name, smiles." in str(error)


def test_verify_and_bench_report_equality_and_time():
    out, _, error = call("verify", "CCO.CN", "--max-length", 8, "--json")
    assert error is None
    assert json.loads(out)["is_equal"] is True
    out, _, error = call("bench", "CCO.CN", "--max-length", 4, "--batch-sizes", "1", "--json")
    assert error is None
    assert [row["decoding"] for row in json.loads(out)["rows"]] == ["greedy", "speculative", "speculative-windows"]


def test_evaluate_scores_known_reactions(tmp_path, monkeypatch, stored):
    def short(network, sources, **options):
        return whole_beam(network, sources, **{**options, "max_length": 8})

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=short))
    path = tmp_path / "known.tsv"
    path.write_text("reactants\tproduct\treagents\nCCO.CC(=O)Cl\tCCOC(C)=O\t\nCN.CO\tCNC\t[Na+].[OH-]\n")
    out, _, error = call("evaluate", path, "--n", 3, "--search", "beam", "--json")
    assert error is None
    assert json.loads(out)["scored"] == 2
