"""Files through a model: order, failures, and what is kept when the process is killed."""

import csv
import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions.model import Asked
from tenfold.reactions.streaming import answered, stream
from tenfold.reactions.tables import COLUMNS, Row

pytest.importorskip("rdkit", reason="extra reactions is not installed")
ASKED = Asked("greedy", max_length=8)
TEXTS = ["CCO.CC(=O)Cl", "CCO.N#CC=C", "OB(O)c1ccccc1.c1ccccc1Br", "CO.CC", "CO.C", "C1CC", ""]
ROWS = [Row(number + 1, TEXTS[number % len(TEXTS)]) for number in range(40)]


class Killed(BaseException):
    pass


def killing(rows, after):
    for row in rows:
        if row.number > after:
            raise Killed
        yield row


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "ms"} for row in rows]


def test_rows_are_written_in_the_order_of_the_input_and_failed_ones_are_counted(model, tmp_path, capsys):
    done = stream(ROWS, tmp_path / "out.csv", model, ASKED, chunk=9)
    found = read(tmp_path / "out.csv")
    assert tuple(found[0]) == COLUMNS
    assert [row["input"] for row in found] == [row.text for row in ROWS]
    assert (done.rows, done.failed, done.resumed) == (40, 10, 0)
    assert "opened but never closed" in found[5]["note"]
    assert "row 6: Ring 1 is opened but never closed in 'C1CC'." in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz"])
@pytest.mark.parametrize("after", [0, 8, 9, 25, 39])
def test_stopped_anywhere_the_same_command_writes_what_an_unstopped_one_does(model, tmp_path, name, after):
    stream(ROWS, tmp_path / f"whole_{name}", model, ASKED, chunk=9)
    with pytest.raises(Killed):
        stream(killing(ROWS, after), tmp_path / name, model, ASKED, chunk=9)
    assert not (tmp_path / name).exists()
    done = stream(ROWS, tmp_path / name, model, ASKED, chunk=9)
    assert (done.rows, done.failed, done.resumed) == (40, 10, after // 9 * 9)
    opens = gzip.open if name.endswith("gz") else open
    with opens(tmp_path / name, "rb") as one, opens(tmp_path / f"whole_{name}", "rb") as other:
        assert one.read() == other.read()


def test_what_was_written_after_the_last_finished_chunk_is_cut_off(model, tmp_path):
    with pytest.raises(Killed):
        stream(killing(ROWS, 20), tmp_path / "out.csv", model, ASKED, chunk=9)
    with (tmp_path / "out.csv.part").open("a") as file:
        file.write("half a li")
    with (tmp_path / "out.csv.journal").open("a") as file:
        file.write('{"rows": 9, "dig')
    stream(ROWS, tmp_path / "out.csv", model, ASKED, chunk=9)
    assert [row["input"] for row in read(tmp_path / "out.csv")] == [row.text for row in ROWS]


def test_another_model_option_or_input_does_not_go_on_with_what_is_there(model, tmp_path):
    with pytest.raises(Killed):
        stream(killing(ROWS, 20), tmp_path / "out.csv", model, ASKED, chunk=9)
    with pytest.raises(BadInput, match="another model or other options"):
        stream(ROWS, tmp_path / "out.csv", model, Asked("greedy", max_length=9), chunk=9)
    changed = [row._replace(text="CN.CO") if row.number == 12 else row for row in ROWS]
    with pytest.raises(BadInput, match=r"not the one .* was begun with \(row 10\)"):
        stream(changed, tmp_path / "out.csv", model, ASKED, chunk=9)


@pytest.mark.parametrize("option", ["batch_size", "workers", "chunk"])
def test_an_option_below_one_is_refused(model, tmp_path, option):
    with pytest.raises(BadInput, match=f"{option} is 0; it must be at least 1"):
        stream(ROWS, tmp_path / "out.csv", model, ASKED, **{option: 0})


def test_a_model_made_in_memory_is_not_spread_over_processes(model, tmp_path):
    with pytest.raises(BadInput, match="answers in one process"):
        stream(ROWS, tmp_path / "out.csv", model, ASKED, workers=2)


def test_without_a_file_rows_come_one_batch_at_a_time(model):
    asked = []

    def rows():
        for row in ROWS:
            asked.append(row.number)
            yield row

    found = answered(rows(), model, ASKED, batch_size=4)
    assert next(found)[1] == ""
    assert len(asked) == 4
    assert sum(error != "" for _, error in found) == 10


WHOLE = """
import sys, torch
from pathlib import Path
from tests.reactions.conftest import Stored, whole_beam, made
from tenfold.reactions.model import Asked, Model
from tenfold.reactions.streaming import stream
from tenfold.reactions.tables import read_rows
model, asked = Model(made(), decoder=whole_beam), Asked("greedy", max_length=4)
done = stream(read_rows(sys.argv[1]), Path(sys.argv[2]), model, asked, chunk=1000)
print(done.rows, done.resumed)
"""


def run(*arguments):
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "src")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WHOLE, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)


def write_repeated(path, rows):
    distinct = ["C" * length + "O.CC(=O)Cl" for length in range(1, 11)]
    path.write_text("".join(distinct[number % 10] + "\n" for number in range(rows)))


def test_killed_with_sigkill_the_same_command_loses_and_repeats_nothing(tmp_path):
    write_repeated(tmp_path / "in.smi", 20_000)
    first = run(tmp_path / "in.smi", tmp_path / "out.csv")
    journal = tmp_path / "out.csv.journal"
    while first.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 2):
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "out.csv").exists(), "it had ended before it was killed"
    second = run(tmp_path / "in.smi", tmp_path / "out.csv")
    rows, resumed = map(int, second.communicate()[0].split())
    assert (rows, second.returncode) == (20_000, 0)
    assert resumed >= 2000
    assert [row["input"] for row in read(tmp_path / "out.csv")] == (tmp_path / "in.smi").read_text().split()
