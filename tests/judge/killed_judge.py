"""A judge that a test kills: `python -m tests.judge.killed_judge ADDRESS FOLDER WORKSPACE`."""

import sys

from tenfold.judge.runner import run


def judged(address, folder, workspace):
    """Three votes on twelve requirements, and one call that locates: 37 replies."""
    asked = [f"Thing {i} is in `a.py`." for i in range(12)]
    return run(workspace, asked, model=f"{address}#stub", engine="llm", votes=3, folder=folder, concurrency=2, cache="")


if __name__ == "__main__":
    judged(*sys.argv[1:4])
