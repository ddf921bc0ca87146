"""The file of `--auth`: a line `user:password` for each user, readable by its owner alone."""

import hmac
from collections.abc import Callable
from pathlib import Path

from tenfold.core.errors import BadInput

__all__ = ["is_loopback", "read_passwords", "verifier"]


def read_passwords(path: Path) -> dict[str, str]:
    """Users and passwords.

    Raises:
        BadInput: the file is missing, readable by others, or has a line that is not user:password.
    """
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--auth {path} cannot be read.", "It holds a line user:password for each user.") from error
    if mode & 0o077:
        raise BadInput(f"--auth {path} can be read by others.", f"Close it: chmod 600 {path}")
    users: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, password = line.partition(":")
        if not colon or not user.strip() or len(password) < 8:
            raise BadInput(f"--auth {path}, line {number}: not user:password with at least 8 characters.")
        users[user.strip()] = password
    if not users:
        raise BadInput(f"--auth {path} names no user.", "It holds a line user:password for each user.")
    return users


def verifier(users: dict[str, str]) -> Callable[[str, str], bool]:
    """A check that takes as long for a wrong user as for a wrong password."""

    def verify(user: str, password: str) -> bool:
        known = users.get(user, "")
        return hmac.compare_digest(known.encode(), password.encode()) and user in users

    return verify


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
