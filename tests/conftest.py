"""Fixtures for all tests; the network is closed but for loopback, and tensor shapes are checked."""

import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

sys.path.insert(0, str(Path(__file__).parent))
install_import_hook(["tenfold.udrl", "tenfold.core.train"], "typecheck.check")

from tenfold import registry  # noqa: E402 - the hook comes first

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-socket stops connections; this stops looking names up, which also tells the world what we do."""
    real = socket.getaddrinfo

    def guarded(host, *args, **kwargs):
        if not _is_here(host):
            raise socket.gaierror(f"a test looked up {host!r}")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


@pytest.fixture
def sample_system(monkeypatch: pytest.MonkeyPatch) -> registry.System:
    """A registry that holds udrl and the sample system."""
    sample = registry.System("sample", "Doubling", "Doubles numbers.", "nobody 1999", "sample", True, "sample_system")
    monkeypatch.setattr(registry, "SYSTEMS", {**registry.SYSTEMS, "sample": sample})
    return sample


@pytest.fixture
def golden() -> Path:
    """The folder of golden numbers, or a skip."""
    folder = os.environ.get("TENFOLD_GOLDEN")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TENFOLD_GOLDEN is not set")
    return Path(folder)


@pytest.fixture
def data() -> Path:
    """The folder of real data, or a skip."""
    folder = os.environ.get("TENFOLD_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TENFOLD_DATA is not set")
    return Path(folder)
