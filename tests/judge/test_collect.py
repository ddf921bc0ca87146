"""Collecting: a scripted agent over tasks, and agents that hang, fork, eat memory, write outside or ask for the network."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tenfold.core.errors import BadInput
from tenfold.judge import sandbox
from tenfold.judge.collecting import collect
from tenfold.judge.types import Requirement, Requirements

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and sandboxes are Linux's")


def tasks(*names: str) -> list[Requirements]:
    return [
        Requirements(name, (Requirement("0", "There is a.py."),), f"Make a.py for {name}.") for name in names or ("one",)
    ]


def script(tmp_path, text: str) -> str:
    path = tmp_path / "agent.py"
    path.write_text("import json, os, sys, time\n" + text)
    return f"{sys.executable} {path}"


GOOD = """
task = json.load(open(sys.argv[1]))
open(os.path.join(sys.argv[2], "a.py"), "w").write("# " + task["query"])
assert "requirements" not in task
print("thinking")
print(json.dumps({"role": "assistant", "content": "I made a.py."}))
print(json.dumps({"type": "result", "subtype": "success", "total_cost_usd": 0.25}))
"""


def test_what_an_agent_made_and_said_is_kept_task_by_task(tmp_path):
    found = collect(script(tmp_path, GOOD) + " {task} {workspace}", tasks("one", "two"), tmp_path / "out", jobs=2)
    assert [item.task for item in found] == ["one", "two"]
    one = found[0]
    assert (one.exit_code, one.timed_out, one.self_terminated, one.cost) == (0, False, True, 0.25)
    assert (tmp_path / "out" / "one" / "workspace" / "a.py").read_text() == "# Make a.py for one."
    assert one.trajectory.endswith("trajectory.jsonl")
    assert "thinking" not in Path(one.trajectory).read_text()
    saved = json.loads((tmp_path / "out" / "one" / "result.json").read_text())
    assert saved["seconds"] > 0
    assert sorted(p.name for p in (tmp_path / "out" / "one").iterdir()) == [
        "result.json", "stderr.log", "stdout.log", "task.json", "trajectory.jsonl", "workspace",
    ]  # fmt: skip


def test_a_second_call_runs_only_what_is_not_done(tmp_path):
    counter = tmp_path / "runs" / "count"
    counter.parent.mkdir()
    text = f"open({str(counter)!r}, 'a').write('x')\n"
    agent = script(tmp_path, text)
    out = tmp_path / "out"
    collect(agent, tasks("one"), out, network=True) if sandbox.choose(True) != "bwrap" else pytest.skip("writes are kept in")
    (out / "half" / "workspace").mkdir(parents=True)
    (out / "half" / "workspace" / "rest.py").write_text("left by a killed run")
    found = collect(agent, tasks("one", "half"), out, network=True)
    assert counter.read_text() == "xx"
    assert [item.task for item in found] == ["one", "half"]
    assert not (out / "half" / "workspace" / "rest.py").exists()
    with pytest.raises(BadInput, match="limit"):
        collect(agent, tasks("one"), out, limit="1m", network=True)


def test_an_agent_that_hangs_is_stopped_and_its_work_kept(tmp_path):
    text = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('a.py', 'w').write('x')\ntime.sleep(60)\n"
    started = time.monotonic()
    found = collect(script(tmp_path, text), tasks(), tmp_path / "out", limit="1s")[0]
    assert time.monotonic() - started < 15
    assert (found.timed_out, found.self_terminated) == (True, False)
    assert "stopped after 1 s" in found.notes[-1]
    assert (tmp_path / "out" / "one" / "workspace" / "a.py").exists()


@pytest.mark.parametrize("network", [False, True])
def test_what_an_agent_leaves_running_is_ended_with_it(tmp_path, network):
    text = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(321)"])
    os._exit(0)
time.sleep(0.3)
"""
    found = collect(script(tmp_path, text), tasks(), tmp_path / "out", network=network)[0]
    assert found.exit_code == 0
    left = [p for p in psutil.process_iter() if "time.sleep(321)" in " ".join(_words(p))]
    assert left == []


def test_interrupted_it_ends_the_agents_at_once_and_forgets_the_half_done_run(tmp_path):
    agent = script(tmp_path, "open('started', 'w').close()\ntime.sleep(987)\n")
    call = f"""
from tests.judge.test_collect import collect, tasks
collect({agent!r}, tasks("one", "two"), {str(tmp_path / "out")!r}, network=True, jobs=2)
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    process = subprocess.Popen([sys.executable, "-c", call], cwd=root, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out").glob("*/workspace/started"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) != 0
    assert not [p for p in psutil.process_iter() if str(tmp_path / "agent.py") in _words(p)]
    assert list((tmp_path / "out").glob("*/result.json")) == []


def test_without_any_sandbox_too_what_left_the_group_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_works", lambda name: False)
    text = """
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(654)"])
time.sleep(0.3)
"""
    found = collect(script(tmp_path, text), tasks(), tmp_path / "out", network=True)[0]
    assert found.sandbox == "none"
    assert [p for p in psutil.process_iter() if "time.sleep(654)" in " ".join(_words(p))] == []


def _words(process):
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.Error:
        return []


def test_what_is_written_outside_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_works", lambda name: False)
    target = tmp_path / "outside.txt"
    found = collect(script(tmp_path, f"open({str(target)!r}, 'w').write('x')\n"), tasks(), tmp_path / "out", network=True)[0]
    assert found.outside == (str(target),)
    quiet = collect(script(tmp_path, "open('a.py', 'w').write('x')\n"), tasks(), tmp_path / "out2", network=True)[0]
    assert quiet.outside == ()


@pytest.mark.skipif(not sandbox._works("bwrap"), reason="bubblewrap does not work here")
def test_bubblewrap_keeps_writes_inside(tmp_path):
    target = tmp_path / "outside.txt"
    found = collect(script(tmp_path, f"open({str(target)!r}, 'w').write('x')\n"), tasks(), tmp_path / "out")[0]
    assert found.exit_code == 1
    assert not target.exists()


NETWORK = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname())
print([name for _, name in socket.if_nameindex()])
"""


def test_the_network_is_off_unless_asked_and_loopback_still_works(tmp_path):
    if sandbox.choose(True) == "none":
        pytest.skip("nothing here can cut the network off")
    found = collect(script(tmp_path, NETWORK), tasks(), tmp_path / "out")[0]
    assert found.exit_code == 0, (tmp_path / "out" / "one" / "stderr.log").read_text()
    assert (tmp_path / "out" / "one" / "stdout.log").read_text().strip() == "['lo']"
    assert found.network is False


def test_without_a_way_to_cut_the_network_off_it_is_refused_unless_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_works", lambda name: False)
    with pytest.raises(BadInput, match="network cannot be cut off"):
        collect(script(tmp_path, GOOD) + " {task} {workspace}", tasks(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_memory_and_variables_are_limited_to_what_was_given(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("AGENT_KEY", "mine")
    text = "print(json.dumps({'role': 'assistant', 'content': sorted(os.environ)}))\nx = bytearray(3_000_000_000)\n"
    found = collect(script(tmp_path, text), tasks(), tmp_path / "out", memory="1g", pass_env=("AGENT_KEY",))[0]
    assert found.exit_code == 1
    assert not found.self_terminated
    said = (tmp_path / "out" / "one" / "stdout.log").read_text()
    assert "AGENT_KEY" in said
    assert "SECRET_KEY" not in said
    assert "MemoryError" in (tmp_path / "out" / "one" / "stderr.log").read_text()


def test_the_command_is_not_read_by_a_shell(tmp_path):
    text = "open('said', 'w').write(repr(sys.argv[1:]))\n"
    collect(script(tmp_path, text) + " '$(touch x);' {query}", tasks(), tmp_path / "out")
    said = (tmp_path / "out" / "one" / "workspace" / "said").read_text()
    assert "$(touch x);" in said
    assert "Make a.py for one." in said
    assert os.listdir(tmp_path / "out" / "one" / "workspace") == ["said"]


def test_a_trajectory_in_the_workspace_is_moved_out_of_what_is_judged(tmp_path):
    said = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Done"}]
    text = f"json.dump({said!r}, open('trajectory.json', 'w'))\n"
    found = collect(script(tmp_path, text), tasks(), tmp_path / "out")[0]
    assert found.trajectory == str(tmp_path / "out" / "one" / "trajectory.json")
    assert os.listdir(found.workspace) == []
    broken = collect(script(tmp_path, "open('trajectory.json', 'w').write('[{]')\n"), tasks(), tmp_path / "out2")[0]
    assert any("cannot be used" in note for note in broken.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agent": ""}, "command is empty"),
        ({"agent": "'unclosed"}, "cannot be split"),
        ({"agent": "no-such-command-anywhere {task}"}, "not to be found"),
        ({"agent": "python3 --task={task}"}, "not an argument of its own"),
        ({"limit": "soon"}, "limit is 'soon'"),
        ({"limit": "0m"}, "limit is '0m'"),
        ({"memory": "lots"}, "memory is 'lots'"),
        ({"jobs": 0}, "jobs is 0"),
        ({"tasks": []}, "no tasks"),
        ({"tasks": tasks("a/b", "a b")}, "Two tasks have the folder"),
        ({"tasks": [Requirements("quiet", (Requirement("0", "x"),))]}, "has no query"),
    ],
)
def test_options_that_cannot_be_used_are_told(tmp_path, changes, words):
    given = {"agent": f"{sys.executable} -c pass", "tasks": tasks(), "out": tmp_path / "out", **changes}
    with pytest.raises(BadInput, match=words):
        collect(**given)
