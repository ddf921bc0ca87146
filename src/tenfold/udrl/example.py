"""The tour's stop: the stability report on FrozenLake at several success rates, and one learner beside its limit."""

from pathlib import Path

from tenfold import udrl
from tenfold.core.files import write_atomic
from tenfold.core.report import Stop, Table
from tenfold.udrl.pictures import curve_figure, objective_figure

__all__ = ["run"]

RATES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.6, 1 / 3)


def run(folder: Path, seed: int) -> Stop:
    """Report on FrozenLake 4x4 (horizon 10, every cell a goal); the reports are left in `folder`.

    Args:
        folder: for the HTML reports.
        seed: of the learner.
    """
    reports = {}
    for rate in RATES:
        mdp = udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10, success_rate=rate)
        reports[rate] = udrl.stability_report(mdp, name=f"FrozenLake-v1, success rate {rate:.3g}, horizon 10")
        write_atomic(folder / f"frozenlake-{rate:.3g}.html", reports[rate].to_html())
    noisy = udrl.MDP.from_gymnasium("FrozenLake-v1", horizon=10, success_rate=0.9)
    matched = udrl.iterate(noisy, updates=60, segments="diagonal")
    learned = udrl.learn(noisy, updates=4, seed=seed)
    columns = ("success rate", "distance", "J after 15", "best n", "J at best n", "optimum", "loss")
    rows = [
        (f"{rate:.3g}", r.delta, r.objective[-1], r.best_n, r.objective[r.best_n], r.optimum, f"{r.loss:.1%}")
        for rate, r in reports.items()
    ]
    curves = {
        "exact, infinite data": reports[0.9].objective,
        "neural GCSL, 2000 episodes an update": learned.objective.tolist(),
        "matched segments only (ours)": matched.objective[:16].tolist(),
    }
    losses = [(r.delta, 1 - r.loss) for r in reports.values()]
    return Stop(
        "is relabel-and-fit learning safe on FrozenLake?",
        "Goal-conditioned supervised learning, run exactly on FrozenLake's own transition table at seven success rates, "
        "a neural learner on one of them, and the recursion on matched segments that mends it.",
        {
            "J/J* at success rate 1": reports[1.0].objective[-1] / reports[1.0].optimum,
            "J/J* at success rate 0.9": reports[0.9].objective[-1] / reports[0.9].optimum,
            "J/J* at success rate 0.9, matched segments, 60 updates": float(matched.objective[-1]) / reports[0.9].optimum,
            "J of the neural learner at 0.9 after 4 updates": float(learned.objective[-1]),
            "J of its exact limit": float(learned.limit[-1]),
        },
        [Table(columns, rows, "Stability of FrozenLake 4x4, horizon 10")],
        [
            objective_figure(curves, reports[0.9].optimum, "FrozenLake at success rate 0.9"),
            curve_figure(
                {"eUDRL": losses}, title="What noise costs", x="distance to determinism", y="J/J* after 15 updates"
            ),
        ],
        reports[0.9].advice,
    )
