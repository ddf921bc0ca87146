"""CPU time of starting: `import tenfold` above bare Python, `tenfold --help`, `tenfold list`; user + system, best of 5.

python benchmarks/startup.py --json
"""

import argparse
import json
import resource
import subprocess
import sys

from tenfold.core.console import table


def best(*command: str) -> float:
    found = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    python = (sys.executable, "-c")
    bare = best(*python, "pass")
    rows = [
        {"name": "import tenfold, s CPU above bare Python", "value": best(*python, "import tenfold") - bare},
        {"name": "tenfold --help, s CPU", "value": best(sys.executable, "-m", "tenfold", "--help")},
        {"name": "tenfold list, s CPU", "value": best(sys.executable, "-m", "tenfold", "list")},
    ]
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value"), [(row["name"], f"{row['value']:.3f}") for row in rows])


if __name__ == "__main__":
    main()
