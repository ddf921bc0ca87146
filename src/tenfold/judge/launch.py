"""Runs inside the sandbox, as a script of its own: sets limits, wakes the loopback device, becomes the command.

    python -I launch.py '{"memory": 8000000000, "file": 1000000000, "cpu": 1800}' COMMAND ARGUMENT ...

It imports nothing of tenfold, and runs no shell.
"""

import contextlib
import json
import os
import resource
import sys

__all__ = ["main"]

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_LIMITS = {"memory": resource.RLIMIT_AS, "file": resource.RLIMIT_FSIZE, "cpu": resource.RLIMIT_CPU}


def main(arguments: list[str]) -> None:
    """Become the command; its exit code is that of the process.

    Args:
        arguments: limits as JSON (null = none), then the command and its arguments.
    """
    for name, amount in json.loads(arguments[0]).items():
        hard = resource.getrlimit(_LIMITS[name])[1]
        if amount is not None and (hard == resource.RLIM_INFINITY or amount < hard):
            resource.setrlimit(_LIMITS[name], (amount, amount))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # in a network of its own only; elsewhere it is up, or not ours to change
        _wake_loopback()
    try:
        os.execvp(arguments[1], arguments[1:])
    except OSError as error:
        sys.stderr.write(f"{arguments[1]} cannot be started: {error.strerror}\n")
        sys.exit(127)


def _wake_loopback() -> None:
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        asked = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(device, _GET_FLAGS, asked))[1]
        fcntl.ioctl(device, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


if __name__ == "__main__":
    main(sys.argv[1:])
