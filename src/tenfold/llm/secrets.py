"""Keys of servers: from the environment or a file, sent to the server, and nowhere else.

| where | for |
|---|---|
| `key_file=` (or `openai:` and `http:` clients given `file:`) | that client |
| TENFOLD_KEY_HOST, e.g. TENFOLD_KEY_LLM_EXAMPLE_ORG | servers at llm.example.org |
| OPENAI_API_KEY | `openai:` models, and servers on this machine; never sent to another host |

Every key that was found is remembered, so that `scrub` takes it out of whatever a server answers.
"""

import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from tenfold.core.errors import BadInput

__all__ = ["find_key", "host_variable", "is_loopback", "scrub"]

_known: set[str] = set()


def find_key(address: str, key_file: str | os.PathLike[str] | None = None, *, is_openai: bool = False) -> str | None:
    """The key for a server, or None if there is none.

    Args:
        address: of the server.
        key_file: holds the key and nothing else; others on this machine must not be able to read it.
        is_openai: whether the user named the server by `openai:`.

    Raises:
        BadInput: the file cannot be read, is readable by everyone, or holds no key.
    """
    if key_file is not None:
        return _remembered(_from_file(Path(str(key_file).removeprefix("file:"))), str(key_file))
    names = [host_variable(address)]
    if is_openai or is_loopback(address):
        names.append("OPENAI_API_KEY")
    for name in names:
        value = os.environ.get(name, "").strip()
        if value.startswith("file:"):
            value = _from_file(Path(value.removeprefix("file:")))
        if value:
            return _remembered(value, name)
    return None


def host_variable(address: str) -> str:
    """The environment variable that may hold the key of a server."""
    return "TENFOLD_KEY_" + re.sub(r"[^A-Z0-9]", "_", (urlsplit(address).hostname or "").upper())


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine."""
    import ipaddress

    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def scrub(text: str) -> str:
    """The text without any key that this process found."""
    for key in _known:
        text = text.replace(key, "[key]")
    return text


def _from_file(path: Path) -> str:
    try:
        found = path.stat()
        if os.name == "posix" and found.st_mode & stat.S_IROTH:
            raise BadInput(f"Everyone on this machine can read the key file {path}.", f"Run: chmod 600 {path}")
        if not stat.S_ISREG(found.st_mode) or found.st_size > 16384:
            raise BadInput(f"{path} is no key file.", "It must hold the key and nothing else.")
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The key file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _remembered(key: str, place: str) -> str:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput(f"{place} holds no key.", "A key is one line of printable characters without spaces.")
    _known.add(key)
    return key
