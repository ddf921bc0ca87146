"""How fast is the embedded judge, and what is its confidence worth?

Speed, each in a new process with imports not counted: one workspace of DevAI's size with and without known facts; 165 of
them; a repository of about 400,000 lines (the installed scikit-learn) cold and warm, with its peak memory. Floors beside
them: reading and hashing the same bytes once, and parsing the same Python files once with `ast`.

Two shared cores, other work beside (load 5 to 9), seconds of processor time of all processes in brackets:

| | seconds | floor |
|---|---|---|
| DevAI workspace, warm | 0.014 | |
| 165 of them, warm, one process | 1.36 | |
| 381,000 lines, cold | 18.5 (11.0) | 5.1 of processor time to parse, 0.14 to read and hash |
| 381,000 lines, warm | 0.68 (0.46) | |

The collector of cycles took half of a first reading: a parse makes millions of objects that form no cycle (`collector.py`).

`--fit-confidence` judges the tune half of the seeded faults and writes the shares of right verdicts by probability to
`confidence.json` of the package; the held-out half is never looked at.

    python benchmarks/judge.py --json              # about a minute
    python benchmarks/judge.py --fit-confidence    # about two minutes
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tenfold.core.console import table
from tenfold.core.files import write_json

EDGES = (0.0, 0.025, 0.04, 0.1, 0.4, 0.6, 0.78, 0.83, 0.85, 0.91, 0.93, 1.0)
DEVAI, COPIES = "maze_qlearning", 165

_CHILD = """
import json, os, resource, sys, time
from pathlib import Path
import ast, hashlib, sqlite3
from tenfold.judge import artefacts, embedded, python_code, workspace
from tenfold.judge.types import Requirement, Requirements
from tenfold.llm import database
import PIL.Image
folders, criteria, cache, what = json.loads(sys.argv[1])
asked = Requirements("benchmark", tuple(Requirement(str(n), text) for n, text in enumerate(criteria)))
started, before = time.perf_counter(), time.process_time()
if what == "judge":
    for folder in folders:
        embedded.judge(workspace.Workspace.open(folder), asked, cache)
elif what == "read":
    for path in Path(folders[0]).rglob("*"):
        if path.is_file():
            hashlib.sha256(path.read_bytes())
else:
    for path in Path(folders[0]).rglob("*.py"):
        ast.parse(path.read_bytes())
seconds = time.perf_counter() - started
if "joblib" in sys.modules:  # the workers are counted once they have ended
    from joblib.externals.loky import get_reusable_executor
    get_reusable_executor().shutdown(wait=True)
own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = sum(one.ru_utime + one.ru_stime for one in (own, workers)) - before
print(json.dumps([seconds, cpu, (own.ru_maxrss + os.cpu_count() * workers.ru_maxrss) / 1024]))
"""


class Spent(NamedTuple):
    """Seconds, seconds of processor time, and peak MB of all processes together, as if they shared nothing."""

    seconds: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--fit-confidence", action="store_true", help="fit and write confidence.json")
    arguments = parser.parse_args()
    if arguments.fit_confidence:
        fit_confidence()
        return
    rows = speed()
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value"), [(str(row["name"]), f"{row['value']:.4g}") for row in rows])


def speed() -> list[dict[str, object]]:
    """Rows of name and value."""
    import sklearn

    from tenfold.judge.faults import tasks

    task = next(one for one in tasks() if one.name == DEVAI)
    criteria = [item.criteria for item in task.requirements]
    with tempfile.TemporaryDirectory() as place:
        folders = [_written(Path(place) / f"w{number}", dict(task.files)) for number in range(COPIES)]
        cache, one = str(Path(place) / "cache"), folders[:1]
        rows = [
            row("DevAI workspace, cold, ms", 1e3 * measured(one, criteria, cache, "judge").seconds),
            row("DevAI workspace, warm, ms", 1e3 * min(measured(one, criteria, cache, "judge").seconds for _ in range(5))),
            row(f"{COPIES} DevAI workspaces, warm, one process, s", measured(folders, criteria, cache, "judge").seconds),
        ]
        large, asked = [str(Path(sklearn.__file__).parent)], [*criteria, "Cross-validation is used.", '"Streamlit" is used.']
        cache = str(Path(place) / "large")
        cold, warm = measured(large, asked, cache, "judge"), measured(large, asked, cache, "judge")
        rows += [
            row("400k-line repository, cold, s", cold.seconds),
            row("400k-line repository, cold, s of processor time", cold.cpu),
            row("400k-line repository, warm, s", warm.seconds),
            row("400k-line repository, warm, s of processor time", warm.cpu),
            row("400k-line repository, peak of all processes, MB", max(cold.peak, warm.peak)),
            row("floor: read and hash it, s of processor time", measured(large, asked, cache, "read").cpu),
            row("floor: parse its Python, s of processor time", measured(large, asked, cache, "parse").cpu),
        ]
    return rows


def row(name: str, value: float) -> dict[str, object]:
    return {"name": name, "value": value}


def measured(folders: list[str], criteria: list[str], cache: str, what: str) -> Spent:
    """What a new process took."""
    command = [sys.executable, "-c", _CHILD, json.dumps([folders, criteria, cache, what])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return Spent(*json.loads(done.stdout.splitlines()[-1]))


def fit_confidence() -> None:
    """Write the share of right verdicts by probability on the tune half, with one right and one wrong added to each bin."""
    from tenfold.judge import weighing
    from tenfold.judge.bench import embedded_judge, faults

    found = faults(embedded_judge, "tune", baselines={}).results
    pairs = [
        (one.probability, one.verdict == ("satisfied" if one.label else "unsatisfied"), one.verdict)
        for r in found
        for one in r.rows
    ]
    rows = []
    for low, high in pairwise(EDGES):
        right = [ok for p, ok, said in pairs if low <= p < high + (high == 1.0) and said != "undecided"]
        share = (sum(right) + 1) / (len(right) + 2)
        rows.append({"from": low, "to": high, "right": round(share, 4), "verdicts": len(right)})
    text = "python benchmarks/judge.py --fit-confidence"
    target = Path(weighing.__file__).with_name("confidence.json")
    write_json(target, {"made_by": text, "from": "the tune half of the seeded faults", "rows": rows})
    table(("from", "to", "right", "verdicts"), [tuple(str(value) for value in one.values()) for one in rows])


def _written(folder: Path, files: dict[str, bytes]) -> str:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return str(folder)


if __name__ == "__main__":
    main()
