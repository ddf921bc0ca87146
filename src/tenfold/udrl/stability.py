"""Is relabel-and-fit safe on this environment? The exact answer: what it reaches, what it loses, when to stop.

Section 1.4 of the spec: eUDRL, goal-conditioned supervised learning and Online Decision Transformers reach the optimum
where the kernel is deterministic, stay near it close by, and lose more the farther the kernel is from determinism.
"""

import html
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tenfold.udrl.mdp import MDP
from tenfold.udrl.recursion import Result, iterate

__all__ = ["StabilityReport", "distance_to_determinism", "stability_report"]

# The ledger's claim udrl-1 calls a policy near-optimal from here on.
NEAR_OPTIMAL = 0.95


@dataclass(frozen=True)
class StabilityReport:
    """What n exact updates do on one environment.

    Attributes:
        delta: distance of the kernel to the nearest deterministic one, max over (s, a) of the L1 norm, in [0, 2].
        delta_mean: the same norm averaged over all (s, a).
        objective: J of the policy after n updates, n = 0, 1, ...; goal-reaching probability in [0, 1].
        best_n: number of updates with the highest J, the first of equals.
        optimum: J of the optimal policy.
        loss: 1 - J/optimum after the last update, in [0, 1]; 0 where the optimum is 0.
        loss_at_best: the same at best_n.
        still_changing: absolute change of J in the last update.
        epsilon: regularisation that was used.
        advice: plain sentences.
    """

    name: str
    delta: float
    delta_mean: float
    objective: tuple[float, ...]
    best_n: int
    optimum: float
    loss: float
    loss_at_best: float
    still_changing: float
    epsilon: float
    advice: tuple[str, ...]

    def __str__(self) -> str:
        """The report as text."""
        last = len(self.objective) - 1
        rows = [
            f"Stability of relabel-and-fit learning: {self.name}",
            f"  distance to the nearest deterministic kernel   {self.delta:.4g} worst, {self.delta_mean:.4g} mean (of 2)",
            f"  optimum J*                                     {self.optimum:.4f}",
            f"  J before any update                            {self.objective[0]:.4f}",
            f"  J at the best n = {self.best_n:<4d}                          {self.objective[self.best_n]:.4f}"
            f"   ({self.loss_at_best:.1%} below the optimum)",
            f"  J after n = {last:<4d}                                {self.objective[-1]:.4f}"
            f"   ({self.loss:.1%} below the optimum)",
        ]
        return "\n".join([*rows, "Advice:", *(f"  - {line}" for line in self.advice)])

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types: delta, objective, best_n, optimum, loss, advice and the rest."""
        found = asdict(self)
        return {**found, "objective": list(self.objective), "advice": list(self.advice)}

    def to_markdown(self) -> str:
        """The report as Markdown: a table and the advice as a list."""
        rows = "\n".join(f"| {name} | {value} |" for name, value in self._figures())
        advice = "\n".join(f"- {line}" for line in self.advice)
        return f"**{self.name}**\n\n| quantity | value |\n|---|---|\n{rows}\n\n{advice}"

    def to_html(self) -> str:
        """The report as one self-contained HTML page: the table, the advice, the curve as an inline SVG picture."""
        rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{value}</td></tr>" for name, value in self._figures())
        advice = "".join(f"<li>{html.escape(line)}</li>" for line in self.advice)
        return _PAGE.format(name=html.escape(self.name), rows=rows, advice=advice, curve=_curve(self))

    def _figures(self) -> list[tuple[str, str]]:
        return [
            (
                "Distance to the nearest deterministic kernel (0 to 2)",
                f"{self.delta:.4g} worst, {self.delta_mean:.4g} mean",
            ),
            ("Optimum J*", f"{self.optimum:.4f}"),
            ("J before any update", f"{self.objective[0]:.4f}"),
            (
                f"J at the best n = {self.best_n}",
                f"{self.objective[self.best_n]:.4f} ({self.loss_at_best:.1%} below J*)",
            ),
            (f"J after n = {len(self.objective) - 1}", f"{self.objective[-1]:.4f} ({self.loss:.1%} below J*)"),
        ]


def stability_report(
    mdp: MDP,
    updates: int = 15,
    epsilon: float = 0.0,
    segments: str = "all",
    *,
    device: str = "cpu",
    name: str = "",
    on_update: Callable[[int, float], None] | None = None,
) -> StabilityReport:
    """Run the exact recursion and say in plain words what it means for a learner on this environment.

    Args:
        mdp: the environment with its commands.
        updates: number of updates n.
        epsilon: regularisation in [0, 1), as in Online Decision Transformers.
        segments: "all", "trailing" or "diagonal".
        device: where to compute.
        name: how to call the environment in the report.
        on_update: called after each update with n and J.

    Raises:
        BadInput: epsilon, updates or segments out of range.
    """
    result = iterate(mdp, updates=updates, epsilon=epsilon, segments=segments, device=device, on_update=on_update)
    return describe(mdp, result, epsilon=epsilon, name=name)


def describe(mdp: MDP, result: Result, *, epsilon: float = 0.0, name: str = "") -> StabilityReport:
    """The report on a recursion that has been run."""
    objective = tuple(float(value) for value in result.objective)
    best = best_update(objective)
    optimum = float(result.optimum.objective)
    deltas = distance_to_determinism(mdp)
    losses = [1 - value / optimum if optimum > 0 else 0.0 for value in (objective[-1], objective[best])]
    report = StabilityReport(
        name=name or f"{mdp.states} states, {mdp.actions} actions, horizon {mdp.horizon}, {mdp.goals} goals",
        delta=float(deltas.max()),
        delta_mean=float(deltas.mean()),
        objective=objective,
        best_n=best,
        optimum=optimum,
        loss=max(0.0, losses[0]),
        loss_at_best=max(0.0, losses[1]),
        still_changing=abs(objective[-1] - objective[-2]) if len(objective) > 1 else 0.0,
        epsilon=epsilon,
        advice=(),
    )
    return StabilityReport(**{**asdict(report), "advice": tuple(_advice(report))})


def distance_to_determinism(mdp: MDP) -> np.ndarray:
    """Distance of every kernel row to the nearest deterministic one, in the L1 norm.

    Moving all mass to the likeliest successor costs 2 (1 - max_s' E[s, a, s']), and no deterministic row is nearer.

    Returns:
        delta[s, a] in [0, 2].
    """
    return 2.0 * (1.0 - np.asarray(mdp.kernel).max(axis=2))


def best_update(objective: tuple[float, ...]) -> int:
    """The first n whose J is within 1e-9 of the highest: later equals cost time and gain nothing."""
    values = np.asarray(objective)
    return int(np.argmax(values >= values.max() - 1e-9))


def _advice(report: StabilityReport) -> list[str]:
    last = len(report.objective) - 1
    if report.optimum <= 0:
        return [
            "No command can be fulfilled from the start states within its horizon: raise the horizon or change the goals."
        ]
    if last == 0:
        return ["No update was made: ask for at least one."]
    lines = [_verdict(report)]
    if report.loss - report.loss_at_best > 0.005:
        lines.append(
            f"Stop after {report.best_n} updates: J falls from {report.objective[report.best_n]:.3f} to "
            f"{report.objective[-1]:.3f} when the loop goes on, so more data and iterations will not help."
        )
    elif report.still_changing > 1e-3:
        lines.append(f"J still moves by {report.still_changing:.2g} an update after n = {last}: run more updates.")
    if report.delta > 0 and report.loss > 1 - NEAR_OPTIMAL:
        lines.append(
            "The loss is systematic: relabelling credits an action with lucky outcomes. Make the environment less noisy, "
            'weight segments by whether they did what was commanded (segments="diagonal"), or use a value-based method.'
        )
    if report.epsilon > 0:
        lines.append(f"epsilon = {report.epsilon:g} keeps exploring at a price in J; compare with epsilon = 0.")
    return lines


def _verdict(report: StabilityReport) -> str:
    if report.delta == 0:
        reached = "reaches the optimum" if report.loss < 1e-9 else f"ends {report.loss:.1%} below the optimum"
        return f"The kernel is deterministic: the method {reached}."
    if report.loss <= 1 - NEAR_OPTIMAL:
        return f"Safe here: the method ends {report.loss:.1%} below the optimum although the kernel is noisy."
    if report.loss_at_best <= 1 - NEAR_OPTIMAL:
        return f"Safe only with early stopping: {report.loss_at_best:.1%} below the optimum at n = {report.best_n}."
    return f"Not safe here: even with unlimited data the method ends {report.loss:.1%} below the optimum."


def _curve(report: StabilityReport) -> str:
    """J against n with the optimum as a dashed line, as SVG that needs no script."""
    width, height, left, bottom = 560, 220, 46, 30
    top_value = max(report.optimum, *report.objective, 1e-12) * 1.05
    steps = max(1, len(report.objective) - 1)

    def at(n: float, value: float) -> tuple[float, float]:
        x = left + n / steps * (width - left - 12)
        return x, (height - bottom) - value / top_value * (height - bottom - 12)

    points = " ".join("{:.1f},{:.1f}".format(*at(n, value)) for n, value in enumerate(report.objective))
    (x0, y0), (x1, _) = at(0, report.optimum), at(steps, report.optimum)
    best_x, best_y = at(report.best_n, report.objective[report.best_n])
    base = height - bottom
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="J against the number of updates">'
        f'<line class="axis" x1="{left}" y1="{base}" x2="{width - 12}" y2="{base}"/>'
        f'<line class="axis" x1="{left}" y1="12" x2="{left}" y2="{base}"/>'
        f'<line class="best" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y0:.1f}"/>'
        f'<polyline points="{points}"/><circle cx="{best_x:.1f}" cy="{best_y:.1f}" r="4"/>'
        f'<text x="4" y="{y0 + 4:.1f}">J* {report.optimum:.2f}</text><text x="{left}" y="{height - 10}">n = 0</text>'
        f'<text x="{width - 12}" y="{height - 10}" text-anchor="end">n = {steps}</text></svg>'
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Stability: {name}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 44rem; margin: 2rem auto; padding: 0 1rem }} table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; font-weight: 400; padding: .3rem .5rem; border-bottom: 1px solid #8884 }}
td {{ text-align: right; font-variant-numeric: tabular-nums }} svg {{ width: 100%; margin-top: 1rem }}
polyline {{ fill: none; stroke: #0072B2; stroke-width: 2.5 }} circle {{ fill: #D55E00 }}
.axis {{ stroke: #888 }} .best {{ stroke: #009E73; stroke-dasharray: 6 4; stroke-width: 2 }}
text {{ font-size: 12px; fill: currentColor }}
</style></head><body><h1>Stability of relabel-and-fit learning</h1><p>{name}</p>
<table>{rows}</table>{curve}<h2>Advice</h2><ul>{advice}</ul></body></html>
"""
