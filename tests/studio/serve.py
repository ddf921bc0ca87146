"""Start the studio in a child process with the sample system; look-ups of names are written to a file.

Arguments: PORT LOOKUPS_FILE [AUTH_FILE].
"""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
port, lookups, auth = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None
real = socket.getaddrinfo


def recorded(host, *args, **kwargs):
    with lookups.open("a") as file:
        file.write(f"{host!s}\n")
    return real(host, *args, **kwargs)


socket.getaddrinfo = recorded
from tenfold import registry  # noqa: E402
from tenfold.studio import serve  # noqa: E402

sample = registry.System("sample", "Doubling", "Doubles numbers.", "nobody 1999", "sample", True, "sample_system")
broken = registry.System("broken", "Broken", "Does not build.", "nobody 1999", "broken", True, "sample_system.broken")
registry.SYSTEMS = {**registry.SYSTEMS, "sample": sample, "broken": broken}
serve("127.0.0.1", port, auth)
