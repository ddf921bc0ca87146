"""The commands: what they print, write and refuse, and with which exit code."""

import csv
import json

import pytest
from typer.testing import CliRunner

from tenfold.core.errors import TenfoldError
from tenfold.reactions import commands, weights
from tenfold.reactions import model as models
from tenfold.reactions.batching import Answer, Hypothesis
from tests.reactions.conftest import whole_beam

load = models.load
pytest.importorskip("rdkit", reason="extra reactions is not installed")


@pytest.fixture(autouse=True)
def one_model(monkeypatch, model):
    """Every name loads the tiny network; the reading of folders is tested with the folders."""
    monkeypatch.setattr(models, "load", lambda name, **how: model if name in ("forward", "retro") else load(name, **how))


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


def test_an_option_or_a_file_that_is_refused_prints_no_table(tmp_path):
    for arguments, words in ((("CCO", "--n", 0), "n is 0"), ((tmp_path / "none.smi",), "does not exist")):
        out, _, error = call("predict", *arguments)
        assert error is not None
        assert words in error.message
        assert out == ""


def test_the_input_is_not_overwritten_by_its_answers(tmp_path):
    path = tmp_path / "same.csv"
    path.write_text("smiles\nCCO.CN\n")
    _, _, error = call("predict", path, "-o", path)
    assert error is not None
    assert "is the input itself" in error.message
    assert path.read_text() == "smiles\nCCO.CN\n"


def test_a_file_that_is_refused_whole_leaves_nothing_beside_the_output(tmp_path):
    (tmp_path / "in.csv").write_text("a,b\nCCO,CN\n")
    _, _, error = call("predict", tmp_path / "in.csv", "--column", "none", "-o", tmp_path / "out.csv")
    assert error is not None
    assert [one.name for one in tmp_path.iterdir()] == ["in.csv"]


def test_rows_that_cannot_be_verified_are_named(tmp_path):
    (tmp_path / "in.smi").write_text("CCO.CN\nC1CC\n")
    _, said, error = call("verify", tmp_path / "in.smi", "--max-length", 8)
    assert error is not None
    assert error.message == "1 of 2 rows failed; they are named above."
    assert "row 2: Ring 1 is opened but never closed" in said


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
        (["predict", "CCO.CN", "--time-limit", -1], "time_limit is -1.0; it must be a number of seconds above 0"),
        (["bench", "CCO.CN", "--batch-sizes", "x"], "holds no numbers above 0"),
        (["evaluate", "none.tsv"], "none.tsv does not exist, and no data set has that name"),
        (["replay", "none.rsmi"], "does not exist"),
        (["plan", "CCO", "--stock", "none.smi"], "The stock none.smi cannot be read"),
        (["plan", "CCO", "--stock", "none.smi", "--seconds", "soon"], "holds no numbers above 0"),
        (["round-trip", "C1CC"], "None of the 1 rows can be scored. Row 1: the target 'C1CC'"),
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


KNOWN = "reactants\tproduct\treagents\nCCO.CC(=O)Cl\tCCOC(C)=O\t\nCN.CO\tCNC\t[Na+].[OH-]\n"


@pytest.fixture
def folder(tmp_path, stored):
    """A model in a folder of the user's."""
    weights.write(tmp_path / "model", weights.Stored(stored.network, stored.vocabulary, {"task": "forward"}))
    return tmp_path / "model"


@pytest.fixture
def known(tmp_path):
    path = tmp_path / "known.tsv"
    path.write_text(KNOWN)
    return path


def test_a_table_of_reactions_is_read_as_the_task_reads_it(known):
    out, _, error = call("predict", known, "--max-length", 8, "--json")
    assert error is None
    assert [row["input"] for row in json.loads(out)["rows"]] == ["CCO.CC(=O)Cl>>CCOC(C)=O", "CN.CO>[Na+].[OH-]>CNC"]


def test_a_folder_of_weights_and_a_vocabulary_that_do_not_belong_together_is_refused_with_both_sizes(folder, stored):
    (folder / "vocabulary.json").write_text(json.dumps([*stored.vocabulary.tokens, "[Xe]"]))
    error = call("predict", "CCO.CN", "--model", folder)[2]
    size = len(stored.vocabulary)
    assert f"The vocabulary has {size + 1} tokens, the network {size}." in str(error)
    assert error is not None
    assert error.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_damaged_weights_are_refused(folder, content):
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    error = call("predict", "CCO.CN", "--model", folder)[2]
    assert error is not None
    assert (error.exit_code, "weights.safetensors" in str(error)) == (2, True)


def test_a_device_that_is_not_here_is_refused(folder, monkeypatch):
    monkeypatch.setattr(models, "load", load)
    error = call("predict", "CCO.CN", "--model", folder, "--device", "cuda:99")[2]
    assert "--device cuda:99: this machine has no such CUDA device." in str(error)


def test_where_the_memory_does_not_suffice_the_batch_is_halved_and_it_is_said(monkeypatch, stored):
    def narrow(network, sources, *, batch_size, **options):
        if min(batch_size, len(sources)) > 2:
            raise MemoryError
        return whole_beam(network, sources, **{**options, "max_length": 6})

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=narrow))
    out, said, error = call("predict", "-", "--batch-size", 8, text="CO.CN\nCO.CC\nCO.CCN\nCO.CCC\nCO.CCCN\n")
    assert error is None
    assert "Not enough memory for 5 queries at once: going on with 2." in said
    assert len(out.splitlines()) == 6


def test_several_products_to_retro_and_one_reactant_to_forward_are_noted_and_salts_are_stripped_on_request(stored):
    assert "This is one molecule" in call("predict", "CCO", "--max-length", 6)[0]
    out = call("predict", "CCO.CN.[Na+].[OH-]", "--max-length", 6, "--strip-salts")[0]
    assert "Left out: [Na+], [OH-]." in out


def test_an_unknown_token_is_kept_with_a_note_if_so_asked():
    out, _, error = call("predict", "CCO.[Xe]", "--max-length", 6, "--unknown", "keep")
    assert error is None
    assert "Unknown to the model: [Xe]." in out


def test_drafts_of_own_reactions_are_written_into_a_file_or_a_copy_and_answers_stay_the_same(folder, known, tmp_path):
    def answer(*options):
        out, _, error = call("predict", "CCO.CC(=O)Cl", "--max-length", 12, *options, "--json")
        assert error is None
        return json.loads(out)["rows"][0]["smiles"]

    plain = answer("--model", folder)
    table, copy = tmp_path / "mine.npz", tmp_path / "copy"
    assert call("drafts", known, "-o", table, "--model", folder, "--json")[2] is None
    assert answer("--model", folder, "--drafts", table) == plain
    assert call("drafts", known, "-o", copy, "--model", folder)[2] is None
    assert sorted(path.name for path in copy.iterdir()) == ["drafts.npz", "vocabulary.json", "weights.safetensors"]
    assert answer("--model", copy) == plain


def test_a_file_that_is_no_draft_table_is_refused(folder, tmp_path):
    (tmp_path / "mine.npz").write_text("hello")
    error = call("predict", "CCO.CN", "--model", folder, "--drafts", tmp_path / "mine.npz")[2]
    assert error is not None
    assert "mine.npz" in str(error)


def test_a_model_that_ships_is_not_changed_by_a_calibration(known):
    error = call("calibrate", known, "--model", "retro")[2]
    assert str(error) == "retro is part of tenfold and stays as it is. Give --out FOLDER for a copy, and use that."


def test_a_model_calibrates_itself_on_reactions_that_it_gets_right_and_wrong(folder, tmp_path, monkeypatch, stored):
    right = stored.vocabulary.encode("CCO")

    def sometimes(network, sources, *, n, **_):
        ids = [[1, *(right if len(source) % 4 < 2 else right[:1]), 2] for source in sources]
        return [Answer([Hypothesis(one, -0.1 * len(one), True)], 2, 3, [], False) for one in ids], 2

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=sometimes))
    rows = "".join(f"{'C' * length}O.CC(=O)Cl>>CCO\n" for length in range(1, 13))
    (tmp_path / "known.rsmi").write_text(rows)
    out, _, error = call("calibrate", tmp_path / "known.rsmi", "--model", folder, "--n", 1, "--json")
    assert error is None
    assert json.loads(out)["calibration"]["cases"] == 12
    assert (folder / "calibration.json").is_file()


def test_replay_needs_fewer_calls_with_drafts_than_without(known):
    out, _, error = call("replay", known, "--json")
    assert error is None
    rows = json.loads(out)["rows"]
    assert (rows[0]["drafter"], rows[0]["fewer"]) == ("none", 1.0)
    assert all(row["calls"] < rows[0]["calls"] for row in rows[1:])


def test_a_round_trip_says_which_answers_lead_back(monkeypatch, stored):
    answers = {"retro": "CCO.CC(=O)Cl", "forward": "CCOC(C)=O"}

    def knowing(name):
        ids = [1, *stored.vocabulary.encode(answers[name]), 2]
        return lambda network, sources, **_: ([Answer([Hypothesis(ids, -0.1, True)], 2, 3, [], False)] * len(sources), 2)

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=knowing(name)))
    out, said, error = call("round-trip", "-", "--n", 1, "--json", text="CCOC(C)=O\nCCO\nC1CC\n")
    assert "row 3: " in said
    assert str(error) == "1 of 3 rows failed; they are named above."
    assert [row["returned"] for row in json.loads(out)["rows"]] == [[True], [False], []]


def test_evaluate_goes_on_after_bad_rows_names_them_and_ends_in_exit_code_2(tmp_path, monkeypatch, stored):
    def short(network, sources, **options):
        return whole_beam(network, sources, **{**options, "max_length": 8})

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=short))
    path = tmp_path / "known.rsmi"
    path.write_text("CCO.CC(=O)Cl>>CCOC(C)=O\nCCO\nCN.CO>O>CNC\nC1CC.C>>C\n[Xe].C>>CO\n")
    out, said, error = call("evaluate", path, "--n", 2, "--search", "beam", "--batch-sizes", "1,2")
    assert "2 of 3 reactions scored" in out
    assert "B = 2: " in out
    for words in ("row 2: 'CCO' is no reaction", "row 4: Ring 1", "row 5: ", "[Xe]"):
        assert words in said
    assert error is not None
    assert (error.exit_code, error.message) == (2, "3 of 5 rows failed; they are named above.")


def test_evaluate_scores_known_reactions(tmp_path, monkeypatch, stored):
    def short(network, sources, **options):
        return whole_beam(network, sources, **{**options, "max_length": 8})

    monkeypatch.setattr(models, "load", lambda name, **_: models.Model(stored, decoder=short))
    path = tmp_path / "known.tsv"
    path.write_text(KNOWN)
    out, _, error = call("evaluate", path, "--n", 3, "--search", "beam", "--json")
    assert error is None
    assert json.loads(out)["scored"] == 2


def test_a_model_is_trained_on_several_files_with_reagents_of_another(tmp_path):
    head = "reactants\tproduct\treagents\tatom_map\n"
    (tmp_path / "a.tsv").write_text(head + "CCO.CC(=O)O\tCCOC(C)=O\t\t\n")
    (tmp_path / "b.tsv").write_text(head + "CCN.CC(=O)O\tCCNC(C)=O\tO=S(=O)(O)O\t\n")
    again = ("--steps", 2, "--preset", "tiny", "--schedule", "cosine", "--device", "cpu")
    out, _, error = call(
        "train", tmp_path / "a.tsv", "--also", tmp_path / "b.tsv", "--reagents-from", tmp_path / "b.tsv",
        "-o", tmp_path / "made", *again, "--json",
    )  # fmt: skip
    assert error is None
    assert json.loads(out)["rows"] == 2
    assert {"S", "[C]"} & set(weights.read(tmp_path / "made").vocabulary.tokens) == {"S"}
    _, _, error = call("train", tmp_path / "a.tsv", "-o", tmp_path / "x", "--schedule", "linear")
    assert error is not None
    assert "schedule 'linear' is unknown" in error.message
