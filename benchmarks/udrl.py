"""The exact engine: CPU time of one update, one thread, beside the plain form of the same operator in the same run.

The peer is the operator as it is written down (spec 01, section 1.3), vectorised with numpy: it builds the array of cross
values, S N^2 G^2 A numbers, and sums over it. The authors' code has no licence and is not run here; it does the same work
in Python loops (24 ms for the tiny grid and 69 ms for the history grid, measured by others on a similar machine).

What an update must do on the 8x8 grid (S = 64, N = 16, G = 64 commanded and observed goals, K <= 5 successors, P <= 20
predecessors): N(N+1)/2 = 136 pairs of commanded and observed time, each with a step of 2 S K G^2 = 2.6 MFLOP (done as a
dense product of 2 S^2 G^2 = 34 MFLOP, which is faster up to about 96 states) and a gathering of 2 S P G^2 = 10 MFLOP: 6.0
GFLOP in all, 0.1 to 0.2 s at the 30 to 60 GFLOP/s of one core. Memory traffic is 136 slabs of 2 MB, read twice: 0.1 s.

    python benchmarks/udrl.py --json [--large]
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import resource
import time
from typing import Any

import numpy as np

from tenfold import udrl
from tenfold.core.console import table
from tenfold.udrl import environments
from tenfold.udrl.operator import fit


def plain_update(mdp: udrl.MDP, policy: np.ndarray) -> np.ndarray:
    """One update through the whole array of cross values."""
    visits = udrl.visitation(mdp, policy)
    weights = np.einsum("scg,scga,scgahk->shka", visits, policy, udrl.cross_values(mdp, policy), optimize=False)
    return fit(weights, 0.0)[0]


def update_seconds(mdp: udrl.MDP, updates: int, **options: Any) -> float:
    """CPU seconds of one update: (iterate(n) - iterate(1)) / (n - 1)."""
    seconds = []
    for n in (1, updates):
        started = time.process_time()
        udrl.iterate(mdp, updates=n, **options)
        seconds.append(time.process_time() - started)
    return (seconds[1] - seconds[0]) / (updates - 1)


def plain_seconds(mdp: udrl.MDP, repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        plain_update(mdp, mdp.uniform_policy())
    return (time.process_time() - started) / repeats


def measure(quick: bool) -> list[dict[str, Any]]:
    rounds = 50 if quick else 300
    history = udrl.history_mdp(environments.tiny_grid("det", 0.1), length=3)
    small = {"tiny grid, all goals": environments.tiny_grid("all", 0.1), "history-3 grid, det": history}
    small["4x4 grid, N=8"] = environments.grid(["...."] * 4, horizon=8, noise=0.1)
    udrl.iterate(history, 2, path="dense")  # imports torch
    rows = []
    for name, mdp in small.items():
        assert (
            np.abs(plain_update(mdp, mdp.uniform_policy()) - udrl.apply_operator(mdp, mdp.uniform_policy())[0]).max() < 1e-12
        )
        ours, plain = update_seconds(mdp, rounds if mdp.goals < 10 else 10), plain_seconds(mdp, 3)
        rows.append({"name": f"{name}: one update, ms CPU", "value": ours * 1e3})
        rows.append({"name": f"{name}: times faster than the plain form", "value": plain / ours})
        rows.append(
            {"name": f"{name}: one update, dense path, ms CPU", "value": update_seconds(mdp, 50, path="dense") * 1e3}
        )
    started = time.process_time()
    udrl.iterate_many([history] * 20, updates=10)
    rows.append(
        {"name": "history-3 grid, batch of 20: one update, ms CPU", "value": (time.process_time() - started) / 200 * 1e3}
    )
    for noise in (0.0, 0.1):
        mdp = environments.grid(["." * 8] * 8, horizon=16, noise=noise)
        rows.append(
            {"name": f"8x8 grid, noise {noise:g}, 64 goals, N=16: one update, s CPU", "value": update_seconds(mdp, 3)}
        )
    return rows


def measure_large() -> list[dict[str, Any]]:
    mdp = environments.grid(["." * 20] * 20, horizon=20, noise=0.1)
    started = time.process_time()
    udrl.iterate(mdp, updates=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        {"name": "20x20 grid, 400 goals, N=20: one update, s CPU", "value": time.process_time() - started},
        {"name": "20x20 grid: peak memory, GiB", "value": peak},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--large", action="store_true", help="the 20x20 grid too, about two minutes")
    arguments = parser.parse_args()
    rows = measure(arguments.quick) + (measure_large() if arguments.large else [])
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        table(("what", "value"), [(row["name"], f"{row['value']:.4g}") for row in rows])


if __name__ == "__main__":
    main()
