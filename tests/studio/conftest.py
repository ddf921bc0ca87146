"""A studio in a child process, once for all tests of a worker; and a browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("gradio", reason="the extra studio is not installed")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
]


class Studio(NamedTuple):
    """Where it answers, its process, where it keeps files, and which names it looked up."""

    url: str
    process: subprocess.Popen
    temporary: Path
    lookups: Path


def start(folder: Path, *arguments: str) -> Studio:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lookups, temporary = folder / "lookups.txt", folder / "tmp"
    temporary.mkdir()
    lookups.touch()
    env = {**os.environ, "TMPDIR": str(temporary), "HOME": str(folder)}
    script = Path(__file__).with_name("serve.py")
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, str(script), str(port), str(lookups), *arguments], env=env, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return Studio(url, process, temporary, lookups)
        except urllib.error.HTTPError:
            return Studio(url, process, temporary, lookups)
        except OSError:
            assert process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.1)
    raise AssertionError((folder / "log.txt").read_text())


def stop(studio: Studio) -> None:
    studio.process.send_signal(signal.SIGTERM)
    studio.process.wait(timeout=30)


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    found = start(tmp_path_factory.mktemp("studio"))
    yield found
    if found.process.poll() is None:
        stop(found)


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page of its own browser context; `requests` lists the addresses that it asked for."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.requests = []
    found.on("request", lambda request: found.requests.append(request.url))
    yield found
    context.close()
