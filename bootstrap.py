"""Make the virtual environment, install tenfold, run a target. Needs nothing but Python's standard library.

Usage: python3 bootstrap.py setup | demo | test | check | docs | clean [ARGUMENTS]
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "tenfold-installed.json"
EXTRAS = ".[all,dev]"


def main(arguments: list[str]) -> int:
    targets = {"setup": setup, "demo": demo, "test": test, "check": check, "docs": docs, "clean": clean}
    if not arguments or arguments[0] not in targets:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return targets[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        return 130


def setup(_: list[str]) -> int:
    """Make .venv and install; skipped when nothing that the install depends on has changed."""
    if sys.version_info < (3, 11):
        return fail(f"tenfold needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    wanted = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return 0
    started = time.monotonic()
    if not is_made():
        if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
            return fail("Python's venv module is missing.", "Install it (Debian: apt-get install python3-venv).")
        print("Making .venv ...", file=sys.stderr)
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]):
            return fail("The virtual environment could not be made.")
    say_size_of_torch()
    print("Installing tenfold and what it needs (about 3 GB unpacked, 1 to 4 minutes) ...", file=sys.stderr)
    if code := subprocess.call(installer(), cwd=ROOT, env=environment()):
        return fail("The installation failed; the lines above say why.", "Mend that and repeat the command.") or code
    STAMP.write_text(wanted)
    print(f"Installed in {time.monotonic() - started:.0f} s.", file=sys.stderr)
    return 0


def is_made() -> bool:
    """Whether .venv was made to its end. pip comes in last; uv needs none."""
    last = "python" if shutil.which("uv") else "pip"
    return (BIN / last).exists() or (BIN / f"{last}.exe").exists()


def installer() -> list[str]:
    """pip, or uv where it is on the path (it resolves and unpacks about three times as fast)."""
    command = ["install", "--quiet", "--editable", EXTRAS, "--constraint", "constraints.txt"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", *command, "--python", str(BIN / "python"), "--torch-backend=auto"]
    return [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", *command, "--prefer-binary"]


def environment() -> dict[str, str]:
    found = dict(os.environ)
    if "PIP_FIND_LINKS" in found:
        found.setdefault("UV_FIND_LINKS", found["PIP_FIND_LINKS"])
    return found


def say_size_of_torch() -> None:
    """Where only the CUDA build of torch can be had, say how large it is before it comes down."""
    if any(VENV.glob("lib/python*/site-packages/torch/version.py")):
        return
    addresses = torch_downloads()
    if not any("nvidia" in address or "cuda" in address for address in addresses):
        return
    size = sum(content_length(address) for address in addresses)
    print(f"Only the CUDA build of torch is offered here: {size / 1e9:.1f} GB to download.", file=sys.stderr)
    print("For the small CPU build let PIP_FIND_LINKS name a folder that holds its wheel.", file=sys.stderr)


def torch_downloads() -> list[str]:
    """What pip would fetch for torch, by its own dry run; nothing is downloaded but metadata."""
    pip = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--dry-run", "--quiet"]
    command = [*pip, "--report", "-", "torch", "--constraint", "constraints.txt"]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return [entry["download_info"]["url"] for entry in json.loads(report.stdout)["install"]]
    except (ValueError, KeyError):
        return []


def content_length(address: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5) as answer:
            return int(answer.headers["Content-Length"] or 0)
    except (OSError, ValueError, TypeError):
        return 0


def fingerprint() -> str:
    """What the install depends on: the project file, the pins, the interpreter, the place."""
    content = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return json.dumps({"files": hashlib.sha256(content).hexdigest(), "python": sys.version, "place": str(ROOT)})


def demo(arguments: list[str]) -> int:
    """Install, then the tour: every ready system's real job on bundled input."""
    return setup([]) or call("tenfold", "tour", *arguments)


def test(arguments: list[str]) -> int:
    """Install, then the whole suite."""
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]
    return setup([]) or call("python", "-m", "pytest", *workers, *arguments, threads=1)


def check(_: list[str]) -> int:
    """Lint, format, who may import whom, types. All four run, so that one call shows every finding."""
    if code := setup([]):
        return code
    codes = [
        call("ruff", "check", "."),
        call("ruff", "format", "--check", "."),
        call("lint-imports"),
        call("basedpyright"),
    ]
    return max(codes)


def docs(arguments: list[str]) -> int:
    """Install, then build the documentation into site/; a broken link or reference fails."""
    return setup([]) or call("mkdocs", "build", "--strict", *arguments)


def clean(_: list[str]) -> int:
    """Remove .venv."""
    shutil.rmtree(VENV, ignore_errors=True)
    return 0


def call(program: str, *arguments: str, threads: int | None = None) -> int:
    """Run a program of the virtual environment in the project's folder."""
    env = dict(os.environ, PATH=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}", VIRTUAL_ENV=str(VENV))
    if threads:  # several test processes share the cores: more threads each would only fight
        env.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    return subprocess.call([str(BIN / program), *arguments], cwd=ROOT, env=env)


def fail(message: str, hint: str = "") -> int:
    print(f"Error: {message}" + (f"\n{hint}" if hint else ""), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
