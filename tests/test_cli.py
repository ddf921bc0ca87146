"""The command: exit codes, JSON on stdout alone, short errors, lazy loading."""

import json
import os
import resource
import subprocess
import sys

import pytest

from tenfold import cli, registry

PYTHON = [sys.executable, "-m", "tenfold"]


def call(capsys, *arguments):
    code = cli.run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_list_names_ten_systems_and_says_which_are_ready(capsys):
    code, out, _ = call(capsys, "list", "--json")
    rows = json.loads(out)["systems"]
    assert code == 0
    assert [row["system"] for row in rows] == list(registry.SYSTEMS)
    assert [row["system"] for row in rows if row["status"] == "ready"] == ["udrl", "semgrad", "facts", "judge", "reactions"]
    assert len(call(capsys, "list")[1].splitlines()) == 10


@pytest.mark.parametrize(
    "arguments", [["list"], ["version"], ["doctor"], ["claims", "udrl"], ["data", "list"], ["data", "where"]]
)
def test_json_is_one_document_on_stdout_and_nothing_else(capsys, arguments):
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 0
    assert isinstance(json.loads(out), dict)
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("check", 1, "The check failed."),
        ("budget", 3, "The budget is used up."),
        ("extra", 2, "pip install 'tenfold[sample]'"),
        ("interrupt", 130, "goes on from there"),
        ("crash", 70, "a defect in tenfold"),
    ],
)
def test_every_end_has_its_exit_code_and_at_most_two_lines(capsys, sample_system, how, code, words):
    found, out, err = call(capsys, "sample", "fail", how)
    assert (found, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err


def test_a_bad_row_is_named_the_others_go_on_and_the_code_is_2(capsys, sample_system):
    code, out, err = call(capsys, "sample", "double", "1", "two", "3", "--seed", "7", "--json")
    assert code == 2
    assert json.loads(out) == {"doubled": [2.0, 6.0], "seed": 7}
    assert "value two: 'two' is not a number." in err
    assert "1 of 3 failed" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["lits"],
        ["album"],
        ["album", "order", "x"],
        ["tour", "--seed", "x"],
        ["tour", "nosuch"],
        ["tour", "album"],
        ["claims", "nosuch"],
        ["reproduce", "udrl", "--scale", "huge"],
        ["reproduce", "udrl", "--engine", "slurm"],
        ["reproduce", "udrl", "--device", "tpu"],
        ["data", "fetch", "../secret"],
        ["data", "where", "/etc/passwd"],
        ["studio", "--host", "0.0.0.0"],
        ["studio", "--port", "99999"],
        ["udrl", "report"],
        ["udrl", "report", "FrozenLake-v1", "--horizon", "0"],
        ["udrl", "report", "FrozenLake-v1", "--horizon", "1000000000"],
        ["udrl", "report", "Taxi-v3"],
        ["udrl", "train", "gcsl", "bandit", "--out", "/dev/null/run"],
        ["reproduce", "udrl", "--scale", "gpu"],
    ],
)
def test_usage_errors_are_at_most_two_lines_and_exit_2(capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert 1 <= len(err.splitlines()) <= 2, err
    assert err.startswith("Error: ")


def child_cpu(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_and_list_load_neither_torch_nor_gradio_nor_numpy():
    for words in (["--help"], ["list"], ["udrl", "--help"], ["semgrad", "--help"], ["judge", "--help"]):
        script = f"import sys\nfrom tenfold import cli\ncli.run({words!r})\nprint(sorted(sys.modules), file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for heavy in ("torch", "gradio", "plotly", "ray", "scipy"):
            assert f"'{heavy}'" not in done.stderr, (words, heavy)


def test_import_of_tenfold_loads_only_the_standard_library():
    script = "import sys\nold = set(sys.modules)\nimport tenfold, tenfold.udrl\nprint(*sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    foreign = [name for name in done.stdout.split() if name.split(".")[0] not in {*sys.stdlib_module_names, "tenfold"}]
    assert foreign == []


def test_shell_completion_offers_commands_and_systems():
    env = {**os.environ, "_TENFOLD_COMPLETE": "complete_bash", "COMP_WORDS": "tenfold ", "COMP_CWORD": "1"}
    script = [sys.executable, "-c", "from tenfold.cli import main; main()"]
    done = subprocess.run(script, capture_output=True, text=True, env=env, check=False)
    assert {"list", "tour", "udrl"} <= set(done.stdout.split())


def test_a_closed_pipe_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PYTHON, "list"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""


def test_every_public_command_has_help(capsys):
    for words in (
        ["tour"],
        ["reproduce"],
        ["claims"],
        ["studio"],
        ["data", "fetch"],
        ["udrl", "report"],
        ["udrl", "train", "gcsl"],
    ):
        code, out, _ = call(capsys, *words, "--help")
        assert code == 0
        assert "Usage: tenfold" in out


def test_a_full_disk_under_the_output_is_a_sentence():
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    cases = [
        (words, env)
        for words in (["list"], ["list", "--json"], ["--help"])
        for env in (bare, {**bare, "PYTHONUNBUFFERED": "1"})
    ]
    with open("/dev/full", "w") as full:
        for words, env in cases:
            done = subprocess.run([*PYTHON, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env)
            assert (done.returncode, done.stderr) == (2, "Error: There is no space left to write the output.\n")


def test_an_allocation_that_is_refused_is_a_sentence(capsys, monkeypatch):
    def refused():
        raise MemoryError("Unable to allocate 191. GiB")

    monkeypatch.setattr("tenfold.doctor.examine", refused)
    assert call(capsys, "doctor") == (
        2,
        "",
        "Error: There is not enough memory. Unable to allocate 191. GiB. Make the problem smaller.\n",
    )


def test_names_outside_the_terminals_encoding_are_no_defect(tmp_path):
    from tenfold.udrl import environments

    environments.bandit().save(tmp_path / "ü.npz")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for flag, read in (([], str), (["--json"], json.loads)):
        done = subprocess.run(
            [*PYTHON, "udrl", "iterate", str(tmp_path / "ü.npz"), *flag], capture_output=True, env=env, check=True
        )
        assert read(done.stdout.decode("ascii"))
