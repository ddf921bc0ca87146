"""A run that the tests of resumption kill: python killed_run.py FOLDER."""

import json
import sys

from tenfold import semgrad as sg
from tests.semgrad.build import questions, two_leaves


def main(folder: str) -> None:
    result = sg.optimise(two_leaves(), questions(10), questions(5, start=50), steps=3, update="auto", gate="ties", seed=5,
                         models="script:tests.semgrad.scripted:noted", concurrency=6, run_dir=folder)  # fmt: skip
    print(json.dumps({"result": result.to_dict(), "history": [step.to_dict() for step in result.history]}, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
