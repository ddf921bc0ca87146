"""Draw docs/noise.svg: the share of the optimum that eUDRL reaches, by distance to determinism. Exact; about two seconds."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from tenfold import udrl
from tenfold.core.theme import matplotlib_style
from tenfold.udrl.stability import StabilityReport, stability_report

lakes = [
    udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10, success_rate=1 - p)
    for p in (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
]
grids = [udrl.environments.tiny_grid("all", p) for p in (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)]


def points(reports: list[StabilityReport]) -> tuple[list[float], list[float]]:
    return [r.delta for r in reports], [1 - r.loss for r in reports]


mpl.rcParams["svg.hashsalt"] = "tenfold"
with mpl.rc_context(matplotlib_style()):
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for name, mdps in (("FrozenLake 4x4, horizon 10", lakes), ("the paper's 3x3 grid", grids)):
        axes.plot(*points([stability_report(mdp) for mdp in mdps]), marker="o", ms=4, label=f"{name}: eUDRL, GCSL")
    axes.plot(
        *points([stability_report(mdp, 60, segments="diagonal") for mdp in lakes]),
        marker="s",
        ms=4,
        label="FrozenLake: matched segments",
    )
    axes.set(xlabel="distance of the kernel to the nearest deterministic one", ylabel="share of the optimum", ylim=(0, 1.05))
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).with_name("noise.svg"), metadata={"Date": None})
