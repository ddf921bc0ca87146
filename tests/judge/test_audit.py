"""A hostile workspace, judged under an audit hook in a child process: nothing of it is run, nothing outside touched."""

import json
import os
import pickle
import subprocess
import sys
import textwrap

from judge.sample import REQUIREMENTS, finished, picture

_CHILD = textwrap.dedent('''
    """Judges argv[1] with the cache argv[2] and prints what was done, event by event."""
    import json, os, sys
    from judge.sample import REQUIREMENTS
    from tenfold.judge import code_graph, embedded, injection, workspace
''')

_BODY = textwrap.dedent("""
    root, cache = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    # What is imported late is imported now.
    embedded.judge(workspace.Workspace.open(sys.argv[3]), REQUIREMENTS, cache)
    injection.flags(workspace.Workspace.open(sys.argv[3]), REQUIREMENTS, "")
    code_graph.code_graph(workspace.Workspace.open(sys.argv[3]), "")
    seen, on = [], True
    here = os.path.realpath(sys.prefix), os.path.realpath(os.path.dirname(os.__file__)), os.path.realpath(sys.base_prefix)

    def hook(event, arguments):
        if not on:
            return
        name = event.split(".")[0]
        if event == "exec":
            if arguments[0].co_filename.startswith(root) or arguments[0].co_filename in ("<unknown>", "<string>"):
                seen.append([event, arguments[0].co_filename])
        elif event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            path = os.path.realpath(os.fsdecode(path)) if os.path.isabs(os.fsdecode(path)) else os.fsdecode(path)
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
            inside = path.startswith(root) or not os.path.isabs(path)
            if (writes and not path.startswith(cache)) or not (inside or path.startswith((cache, *here))):
                seen.append([event, path])
        elif event.startswith(("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess", "pty")):
            seen.append([event, str(arguments)[:200]])
        elif name in ("socket", "pickle", "marshal", "urllib", "http", "ftplib", "smtplib", "shutil", "webbrowser"):
            seen.append([event, str(arguments)[:200]])
        elif event in ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.truncate"):
            if not str(arguments[0]).startswith(cache):
                seen.append([event, str(arguments)[:200]])

    sys.addaudithook(hook)
    work = workspace.Workspace.open(root)
    found = embedded.judge(work, REQUIREMENTS, cache)
    flags = injection.flags(work, REQUIREMENTS, cache)
    graph = code_graph.code_graph(work, cache)
    on = False
    for name, one in sys.modules.items():
        if str(getattr(one, "__file__", "")).startswith(root):
            seen.append(["import", name])
    verdicts = [one.verdict for one in found]
    print(json.dumps({"seen": seen, "verdicts": verdicts, "nodes": len(graph.nodes), "notes": work.notes}))
""")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch BOOM",)


def hostile(folder, boom):
    """The finished workspace, with code in it that would leave a mark if it ever ran."""
    mark = f"import os\nos.system('touch {boom}')\nopen({str(boom)!r}, 'w').write('ran')\n"
    mark += f"__import__('os').system('touch {boom}')\n"
    bomb = pickle.dumps(Bomb())
    files = finished()
    files |= {path: mark.encode() + data for path, data in files.items() if path.endswith(".py")}
    files |= {
        name: mark.encode()
        for name in (
            "sitecustomize.py",
            "conftest.py",
            "setup.py",
            "json.py",
            "os.py",
            "__init__.py",
            "src/__init__.py",
            "numpy.py",
        )
    }
    files |= {
        "models/saved_models/bomb.pkl": bomb,
        "models/saved_models/svm.joblib": bomb * 20,
        "results/array.npy": b"\x93NUMPY\x01\x00v\x00{'descr': __import__('os').system('touch x'), 'shape': (1,)}",
        "results/figures/other.png": picture(),
        "results/x.xml": b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "pyproject.toml": b"[tool.pytest.ini_options]\n",
        "app.js": b"require('child_process').execSync('touch boom')",
    }
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "results" / "link.txt").symlink_to("/etc/passwd")
    (folder / "outside").symlink_to("/etc")


def test_a_hostile_workspace_is_judged_without_running_writing_or_leaving_it(tmp_path):
    root, plain, cache, boom = tmp_path / "work", tmp_path / "plain", tmp_path / "cache", tmp_path / "boom"
    hostile(root, boom)
    for path, data in finished().items():
        (plain / path).parent.mkdir(parents=True, exist_ok=True)
        (plain / path).write_bytes(data)
    (plain / "app.js").write_text("f(1)")
    cache.mkdir()
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    sources = os.pathsep.join(
        [*(path for path in sys.path if path.endswith(("src", "tests"))), os.path.dirname(os.path.dirname(__file__))]
    )
    environment = {**os.environ, "PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-c", _CHILD + _BODY, str(root), str(cache), str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seen"] == []
    assert not boom.exists()
    assert len(found["verdicts"]) == len(REQUIREMENTS)
    assert found["nodes"] > 0
    assert sum("is a link" in note for note in found["notes"]) == 2
    after = {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert after == before
