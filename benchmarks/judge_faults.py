"""The embedded judge on the seeded faults, with the judges that know next to nothing beside it on the same workspaces.

Agreement on decided verdicts, coverage, false requirements called unsatisfied, expected calibration error; then what its
reward is worth: rank correlation with the number of faults, best of eight against a random one, a scripted repair. With
TENFOLD_DATA the traps too, beside the recorded replies of six language models. Nothing was tuned on the held-out tasks.

    python benchmarks/judge_faults.py --json                      # held-out tasks, about three minutes on one core
    python benchmarks/judge_faults.py --split tune --limit 200    # quicker
"""

import argparse
import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from tenfold.core.console import table
from tenfold.judge import bench
from tenfold.judge.bench_rows import Scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--split", choices=("held-out", "tune"), default="held-out")
    parser.add_argument("--limit", type=int, help="at most so many workspaces")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as known:
        rows = measured(partial(bench.embedded_judge, cache=known), arguments)
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value", "95 %"), [(row["name"], _number(row["value"]), _between(row)) for row in rows])


def measured(judge: bench.Judge, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    started = time.perf_counter()
    settings = {"seed": arguments.seed, "workers": arguments.workers}
    found = bench.faults(judge, arguments.split, limit=arguments.limit, **settings)
    rows = scores("embedded", found.scores)
    for name, one in found.baselines.items():
        rows += scores(name, one)
    rows.append({"name": "edits that moved a verdict", "value": len(found.moved)})
    rows += [{"name": f"found of {name}", "value": one.found / one.false} for name, one in found.by_operator.items()]
    rows += rewards(bench.rewards(judge, arguments.split, **settings))
    if os.environ.get("TENFOLD_DATA"):
        rows += traps(bench.traps(judge, Path(os.environ["TENFOLD_DATA"]) / "judge", workers=arguments.workers))
    return [*rows, {"name": "seconds", "value": time.perf_counter() - started}]


def scores(name: str, one: Scores) -> list[dict[str, Any]]:
    values = one._asdict()
    kept = ("workspaces", "labels", "false", "agreement", "coverage", "found", "alarms", "accuracy", "ece", "auroc", "ap")
    return [{"name": f"{name}: {what}", "value": values[what], "interval": one.intervals.get(what)} for what in kept]


def rewards(one: bench.RewardBench) -> list[dict[str, Any]]:
    return [
        {"name": "reward: Spearman with faults, pooled", "value": one.spearman},
        {"name": "reward: Spearman with faults, within a ladder", "value": one.within.mean, "interval": one.within[1:]},
        {"name": "reward: true share of the best of eight", "value": one.chosen.mean, "interval": one.chosen[1:]},
        {"name": "reward: true share of a random one", "value": one.random.mean, "interval": one.random[1:]},
        {"name": "reward: gain of choosing", "value": one.gain.mean, "interval": one.gain[1:]},
        {"name": "reward: repairs in which D as judged rose each round", "value": one.rising},
        {"name": "reward: repairs in which D as labelled rose each round", "value": one.truly_rising},
        {"name": "reward: faults whose requirements were called satisfied to the end", "value": one.unreported},
        *({"name": f"reward: D as judged after round {number}", "value": value} for number, value in enumerate(one.rounds)),
        *(
            {"name": f"reward: D as labelled after round {number}", "value": value}
            for number, value in enumerate(one.true_rounds)
        ),
    ]


def traps(one: bench.TrapBench) -> list[dict[str, Any]]:
    return [
        {"name": "traps: called satisfied", "value": one.fooled},
        {"name": "traps: called satisfied, literally true ones aside", "value": one.fooled_beyond_literal},
        {"name": "traps: satisfied though all strong runs reject", "value": len(one.rejected_but_satisfied)},
        {"name": "traps: literally true and unsatisfied", "value": len(one.literal_but_unsatisfied)},
        *({"name": f"traps: called satisfied by {name}", "value": share} for name, share in sorted(one.recorded.items())),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _between(row: dict[str, Any]) -> str:
    low_high = row.get("interval")
    return f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""


if __name__ == "__main__":
    main()
