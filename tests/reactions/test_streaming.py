"""Files through a model: order, failures, and what is kept when the process is killed."""

import csv
import gzip
import multiprocessing
import os
import random
import signal
import sys
import time

import pytest

from tenfold.core.errors import BadInput
from tenfold.core.progress import Meter
from tenfold.reactions import weights
from tenfold.reactions.model import Asked, Model, load
from tenfold.reactions.ngrams import NgramTable
from tenfold.reactions.streaming import answered, stream
from tenfold.reactions.tables import COLUMNS, Row, read_rows
from tests.reactions.conftest import made, whole_beam

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


def said(path):
    """What must not depend on who answered: the last digits of sums, and calls, depend on who shared a batch."""
    return [(row["input"], row["rank"], row["smiles"], row["valid"], row["note"]) for row in read(path)]


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


def write_repeated(path, rows):
    distinct = ["C" * length + "O.CC(=O)Cl" for length in range(1, 11)]
    path.write_text("".join(distinct[number % 10] + "\n" for number in range(rows)))


def answer_file(source, out):
    """What a process does until it is killed."""
    with open(os.devnull, "w") as sys.stderr:
        stream(read_rows(source), out, Model(made(), decoder=whole_beam), Asked("greedy", max_length=4), chunk=200)


@pytest.mark.slow
def test_killed_with_sigkill_at_six_moments_nothing_is_lost_and_nothing_repeated(tmp_path):
    source, out, journal = tmp_path / "in.smi", tmp_path / "out.csv", tmp_path / "out.csv.journal"
    write_repeated(source, 20_000)
    draw = random.Random(0)
    processes = multiprocessing.get_context("forkserver")  # each process is new, torch is imported once
    processes.set_forkserver_preload(["rdkit.Chem", "tenfold.reactions.decoding", "tenfold.reactions.streaming"])

    def lines():
        return journal.read_text().count("\n") if journal.exists() else 0

    for _ in range(6):
        process, before = processes.Process(target=answer_file, args=(source, out)), lines()
        process.start()
        while process.is_alive() and lines() <= before + draw.randrange(1, 12):
            time.sleep(0.001)
        time.sleep(draw.random() / 100)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it had ended before it was killed"
        assert lines() > before
        assert not out.exists()
    done = stream(read_rows(source), out, Model(made(), decoder=whole_beam), Asked("greedy", max_length=4), chunk=200)
    assert done.resumed >= 6 * 200
    assert (done.rows, done.failed) == (20_000, 0)
    assert [row["input"] for row in read(out)] == source.read_text().split()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.smi", "out.csv"]


@pytest.fixture
def folder(stored, tmp_path):
    """A model in a folder, as workers load it."""
    weights.write(tmp_path / "model", weights.Stored(stored.network, stored.vocabulary, stored.card))
    return tmp_path / "model"


def test_many_processes_write_what_one_does(folder, tmp_path):
    asked = Asked(max_length=8)
    stream(ROWS, tmp_path / "one.csv", load(folder), asked, chunk=5)
    done = stream(ROWS, tmp_path / "two.csv", load(folder), asked, chunk=5, workers=2)
    assert (done.rows, done.failed) == (40, 10)
    assert said(tmp_path / "two.csv") == said(tmp_path / "one.csv")


@pytest.mark.cluster
def test_a_ray_cluster_writes_what_one_process_does(folder, tmp_path):
    pytest.importorskip("ray", reason="extra cluster is not installed")
    asked = Asked(max_length=8)
    stream(ROWS, tmp_path / "one.csv", load(folder), asked, chunk=5)
    stream(ROWS, tmp_path / "two.csv", load(folder), asked, chunk=5, workers=2, engine="ray")
    assert said(tmp_path / "two.csv") == said(tmp_path / "one.csv")


def test_the_rows_of_a_file_are_estimated_from_the_bytes_that_were_read(model, tmp_path, monkeypatch):
    write_repeated(tmp_path / "in.smi", 20_000)
    totals = []

    def update(self, done, note="", total=None):
        totals.append(total)

    monkeypatch.setattr(Meter, "update", update)
    stream(read_rows(tmp_path / "in.smi"), tmp_path / "out.csv", model, Asked("greedy", max_length=4), chunk=2000)
    assert totals[0] is None
    assert all(14_000 < total < 26_000 for total in totals[1:])  # the file is read some kilobytes ahead
    assert abs(totals[-1] - 20_000) < 1000


def test_own_drafts_go_to_the_workers_and_change_no_answer(folder, tmp_path):
    model = load(folder)
    table = NgramTable.build([model.numbers("CCO.CC(=O)Cl")] * 3, model.vocabulary)
    drafts = table.save(tmp_path / "mine.npz")
    stream(ROWS, tmp_path / "one.csv", model, Asked(max_length=8), chunk=5)
    stream(ROWS, tmp_path / "two.csv", load(folder, drafts=drafts), Asked(max_length=8), chunk=5, workers=2)
    assert said(tmp_path / "two.csv") == said(tmp_path / "one.csv")
