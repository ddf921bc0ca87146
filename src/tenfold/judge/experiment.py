"""The headline experiment: does the judge find faults, agree with people, and reward what is right? Claims judge-1 to 5.

Without a model the embedded engine judges our own seeded faults (held-out tasks, which no weight was fitted on) and the
traps, beside judges that know next to nothing; the paper's own table is recomputed from people's labels where they are at
hand. The scales `gpu` and `paper` take the user's model from TENFOLD_MODEL. TENFOLD_DEVAI names a folder with more of the
benchmark: labels_AGENT.csv (and task_flags_AGENT.csv) of agents whose labels are not a data set, read at every scale, and
for `paper` the workspaces as AGENT/TASK: then every engine is measured against people.
"""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.experiment import Claim, Decision, Experiment, Row, Task

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tenfold.judge.alignment import Agreement
    from tenfold.judge.bench_rows import Judge, Scores

__all__ = ["EXPERIMENT", "NOTICE"]

NOTICE = "Judged by the embedded engine, which is no language model, unless a method names another."
EMBEDDED = "embedded engine"
ENGINES = ("llm-single", "llm", "hybrid")
AGENTS = ("MetaGPT", "GPT-Pilot", "OpenHands")
STAGED = ("MetaGPT", "OpenHands")
SPEARMAN, CHOSEN_OVER = 0.9, 0.0
TRULY_RISING = "repairs in which true D rose each round"
FAULTS, REWARDS, TRAPS = "seeded faults, held-out tasks", "seeded faults, rewards", "traps"
# What claims.md asks of faults found, and of agreement among what was decided.
FOUND, AGREED = 0.92, 0.95
# 641 prerequisites are published; two of them name the requirement itself and are left out when read.
COUNTS = {"tasks": 55, "requirements": 365, "preferences": 125, "prerequisites": 639}


def _faults(limit: int | None, seed: int, judge: "tuple[str, Judge] | None" = None) -> list[Row]:
    """A judge on the seeded faults, beside the baselines; and whether its evidence names the file with the fault."""
    from tenfold.judge import bench

    name, said = judge or (EMBEDDED, bench.embedded_judge)
    found = bench.faults(said, "held-out", limit=limit, seed=seed, workers=1)
    rows = _score_rows(name, found.scores)
    for other, scores in found.baselines.items():
        rows += _score_rows(other, scores)
    moved = len(found.moved)
    return [*rows, Row(method=name, metric="edits of no effect that moved a verdict", value=moved, condition=FAULTS)]


def _score_rows(method: str, scores: "Scores") -> list[Row]:
    condition = f"{FAULTS}: {scores.workspaces} workspaces, {scores.labels} labels"
    rows = []
    for name, words in (("agreement", "agreement, decided"), ("coverage", "share decided"), ("found", "faults found")):
        value, span = getattr(scores, name), scores.intervals.get(name)
        low, high = (None, None) if span is None else (span.low, span.high)
        rows.append(Row(method=method, metric=words, value=value, low=low, high=high, seeds=1, condition=condition))
    for name, words in (("alarms", "false alarms"), ("ece", "calibration error"), ("auroc", "AUROC")):
        rows.append(Row(method=method, metric=words, value=getattr(scores, name), condition=condition))
    return rows


def _located(limit: int, seed: int) -> list[Row]:
    """Of single faults that were found: how often the evidence against names the file or folder that the fault changed."""
    from tenfold.core.experiment import bootstrap_interval
    from tenfold.judge.bench import embedded_judge
    from tenfold.judge.bench_rows import judged_report
    from tenfold.judge.faults import generate

    cases = [case for case in generate("held-out", seed=seed) if case.kind == "single"][:limit]
    hits, everything = [], []
    for case in cases:
        report, fault = judged_report(embedded_judge, case), case.faults[0]
        for identity in fault.breaks:
            one = report[identity]
            against = [fact for fact in one.evidence if not fact.supports]
            everything.append(float(bool(one.evidence or one.missing)))
            if one.verdict == "unsatisfied":
                hits.append(float(any(_names(fact, fault.touches) for fact in against)))
    condition = f"{len(cases)} single faults, held-out tasks"
    found = bootstrap_interval(hits)
    share = sum(everything) / len(everything)
    return [
        Row(
            method=EMBEDDED, metric="found faults whose evidence names the file", value=found.mean, low=found.low,
            high=found.high, seeds=1, condition=condition,
        ),
        Row(method=EMBEDDED, metric="verdicts with evidence or what is missing", value=share, condition=condition),
    ]  # fmt: skip


def _names(fact: Any, touched: Sequence[str]) -> bool:
    """Whether a fact is about one of the changed files, or about what lies in, or should lie in, a changed folder."""
    return any(fact.file == path or fact.file.startswith(f"{path}/") or path in fact.words for path in touched)


def _rewards(ladders: int, groups: int, seed: int) -> list[Row]:
    from tenfold.judge import bench

    found = bench.rewards(bench.embedded_judge, "held-out", ladder_count=ladders, groups=groups, seed=seed, workers=1)
    spans = {
        "Spearman of faults and lost reward, within a task": found.within,
        "true share, best of 8 by reward": found.chosen,
        "true share, random of 8": found.random,
        "best of 8 minus random": found.gain,
    }
    rows = [
        Row(method=EMBEDDED, metric=name, value=one.mean, low=one.low, high=one.high, seeds=1, condition=REWARDS)
        for name, one in spans.items()
    ]
    rows.append(Row(method=EMBEDDED, metric="Spearman, pooled over tasks", value=found.spearman, condition=REWARDS))
    rows.append(
        Row(method=EMBEDDED, metric="repairs in which D as judged rose each round", value=found.rising, condition=REWARDS)
    )
    rows.append(Row(method=EMBEDDED, metric=TRULY_RISING, value=found.truly_rising, condition=REWARDS))
    rows += [
        Row(method=EMBEDDED, metric="true D", value=value, condition=f"{REWARDS}, repaired", x=float(number))
        for number, value in enumerate(found.true_rounds)
    ]
    rows += [
        Row(method=EMBEDDED, metric="reward", value=value, condition=f"{REWARDS}, {number} faults", x=float(number))
        for number, value in enumerate(found.curve)
    ]
    return rows


def _traps() -> list[Row]:
    from tenfold.judge import bench

    found = bench.traps(bench.embedded_judge, workers=1)
    condition = f"{TRAPS}: {len(found.verdicts)} requirements"
    rows = [Row(method=EMBEDDED, metric="placeholders called satisfied", value=found.fooled, condition=condition)]
    for model, share in sorted(found.recorded.items(), key=lambda pair: pair[1]):
        words = f"{model}, recorded replies"
        rows.append(Row(method=words, metric="placeholders called satisfied", value=share, condition=condition))
    wrong = len(found.rejected_but_satisfied)
    return [*rows, Row(method=EMBEDDED, metric="satisfied though all strong runs reject", value=wrong, condition=condition)]


def _counts() -> list[Row]:
    from tenfold.judge import devai

    instances = devai.instances().values()
    found = {
        "tasks": len(instances),
        "requirements": sum(len(one.requirements) for one in instances),
        "preferences": sum(len(one.preferences) for one in instances),
        "prerequisites": sum(len(item.prerequisites) for one in instances for item in one.requirements),
    }
    return [Row(method="DevAI", metric=name, value=value, condition="DevAI") for name, value in found.items()]


def _labels_of(agent: str) -> str | None:
    """The file of an agent's labels in the user's folder, or the name of a data set's; None = neither is here."""
    path = Path(os.environ.get("TENFOLD_DEVAI", "")) / f"labels_{agent}.csv"
    if path.is_file():
        return str(path)
    return agent if agent in STAGED and _has(f"labels_{agent}.csv") else None


def _labels(agent: str, labels: str) -> list[Row]:
    from tenfold.judge.bench_devai import system_agreements

    (found,) = system_agreements([labels]).values()
    return _agreement_rows("the paper's recorded judge", agent, found)


def _agreement_rows(method: str, agent: str, found: "Agreement") -> list[Row]:
    condition = f"people's labels of {agent}"
    spans: list[tuple[str, str, float, str]] = [
        (method, "alignment", found.aligned / found.total, "alignment"),
        ("floor: always the same", "alignment", found.floor.constant_aligned / found.total, "constant"),
        ("floor: words of the criteria", "alignment", found.floor.text_aligned / found.total, "text_only"),
    ]
    rows = []
    for name, metric, value, key in spans:
        span = found.intervals.get(key)
        low, high = (None, None) if span is None else (span.low, span.high)
        rows.append(Row(method=name, metric=metric, value=value, low=low, high=high, seeds=1, condition=condition))
    counts = {
        "requirements met (I)": found.human.met,
        "requirements met (D)": found.human.met_dependent,
        "tasks solved": found.human.solved,
    }
    rows += [Row(method="people", metric=name, value=value, condition=condition) for name, value in counts.items()]
    if found.self_terminated is not None:
        ended = found.self_terminated
        rows.append(Row(method=agent, metric="runs that ended by themselves", value=ended, condition=condition))
    return [*rows, Row(method=method, metric="Cohen's kappa", value=found.kappa, condition=condition)]


def _with_people(agent: str, engine: str, model: str | None, folder: str) -> list[Row]:
    """One engine on an agent's real workspaces, beside people's labels."""
    from tenfold.judge.bench_devai import judge_devai

    place = Path(folder) / agent
    trajectories = Path(folder) / f"{agent}-trajectories"
    gray = trajectories if trajectories.is_dir() else None
    labels = _labels_of(agent)
    if labels is None:
        raise BadInput(f"There are no labels of {agent}.", f"Put labels_{agent}.csv into {folder}.")
    found = judge_devai(place, labels=labels, trajectories=gray, engine=engine, model=model, folder=_kept(agent, engine))
    if found.agreement is None:
        raise BadInput(f"No workspace of {agent} in {place} could be judged.", found.failed[0].error if found.failed else "")
    return _agreement_rows(engine, agent, found.agreement)


def _kept(agent: str, engine: str) -> str:
    """Where replies of a model are kept, so that none is paid twice."""
    import platformdirs

    return str(Path(platformdirs.user_cache_dir("tenfold")) / "replies" / f"judge-{agent}-{engine}")


def _model() -> str:
    model = os.environ.get("TENFOLD_MODEL", "")
    if not model:
        raise BadInput("This scale needs a model, and TENFOLD_MODEL names none.", "Set it, e.g. TENFOLD_MODEL=hf:/folder.")
    return model


def _with_model(engine: str, model: str, limit: int, seed: int) -> list[Row]:
    """One engine with the user's model on the seeded faults."""
    from tenfold.judge.bench_engines import judge_of

    return _faults(limit, seed, (engine, judge_of(engine, model, folder=_kept("faults", engine))))


def _has(name: str) -> bool:
    from tenfold.core import data

    try:
        data.where(f"judge/{name}")
    except DataMissing:
        return False
    return True


def _tasks(scale: str, seed: int, device: str) -> Iterable[Task]:
    if scale in ("gpu", "paper"):
        yield from _tasks_with_model(scale, seed)
        return
    smoke = scale == "smoke"
    yield Task("faults", partial(_faults, 12 if smoke else None, seed))
    yield Task("located", partial(_located, 12 if smoke else 200, seed))
    yield Task("rewards", partial(_rewards, 1 if smoke else 4, 1 if smoke else 12, seed))
    if smoke:
        return
    if _has("devai_instances.jsonl"):
        yield Task("counts", _counts)
    for agent in AGENTS:
        labels = _labels_of(agent)
        if labels is not None:
            yield Task(f"labels {agent}", partial(_labels, agent, labels))
    if _has("stub_workspaces_01-35.json.gz"):
        yield Task("traps", _traps)


def _tasks_with_model(scale: str, seed: int) -> Iterable[Task]:
    model, folder = _model(), os.environ.get("TENFOLD_DEVAI", "")
    if scale == "paper" and not folder:
        hint = "Set it to a folder that holds AGENT/TASK workspaces, e.g. OpenHands/39_Drug_Response_..."
        raise BadInput("This scale needs DevAI's workspaces, and TENFOLD_DEVAI names no folder.", hint)
    if scale == "gpu":
        for engine in ENGINES:
            yield Task(f"faults {engine} {model}", partial(_with_model, engine, model, 60, seed))
        return
    for agent in AGENTS:
        if (Path(folder) / agent).is_dir():
            yield Task(f"people {agent} embedded", partial(_with_people, agent, "embedded", None, folder))
            for engine in ENGINES:
                yield Task(f"people {agent} {engine} {model}", partial(_with_people, agent, engine, model, folder))


def _find(rows: Sequence[Row], metric: str, method: str = EMBEDDED, begins: str = "") -> Row | None:
    found = (r for r in rows if (r.method, r.metric) == (method, metric) and r.condition.startswith(begins))
    return next((row for row in found if row.value is not None), None)


def _decide_1(rows: Sequence[Row]) -> Decision:
    """Shown if every verdict comes with evidence and at least nine of ten found faults are located."""
    located, covered = (
        _find(rows, "found faults whose evidence names the file"),
        _find(rows, "verdicts with evidence or what is missing"),
    )
    if located is None or covered is None:
        return Decision("not decidable here", "not run")
    share = located.value or 0.0
    verdict = "shown" if share >= 0.9 and covered.value == 1.0 else "partly" if share >= 0.5 else "not shown"
    found = _find(rows, "faults found", begins=FAULTS)
    counted = "" if found is None else f"; {found.value:.1%} of all seeded faults are found"
    return Decision(verdict, f"evidence names the faulty file for {share:.1%} of the faults that are found{counted}")


def _decide_2(rows: Sequence[Row]) -> Decision:
    """Shown if the counts are the paper's and the staged labels give its table."""
    counts = {name: _find(rows, name, "DevAI") for name in COUNTS}
    labels = [row for row in rows if row.metric == "alignment" and row.method == "the paper's recorded judge"]
    if any(row is None for row in counts.values()) or not labels:
        return Decision("not decidable here", "DevAI's tasks or labels are not on this machine")
    right = all(row is not None and row.value == COUNTS[name] for name, row in counts.items())
    words = ", ".join(f"{row.condition.rpartition(' ')[2]} {row.value:.2%}" for row in labels)
    count_words = ", ".join(f"{row.value:.0f} {name}" for name, row in counts.items() if row is not None)
    return Decision("shown" if right else "not shown", f"{count_words}; recorded judge and people agree: {words}")


def _decide_3(rows: Sequence[Row]) -> Decision:
    """Shown if the table has three agents; with fewer it is partly here, for the third's labels are by path."""
    met = [row for row in rows if row.metric == "requirements met (I)"]
    if not met:
        return Decision("not decidable here", "no agent's labels are on this machine")
    words = ", ".join(f"{row.condition.rpartition(' ')[2]} {row.value:.0f}" for row in met)
    verdict = "shown" if len(met) >= 3 else "partly"
    return Decision(verdict, f"requirements met of 366 from people's labels: {words} ({len(met)} of 3 agents at hand)")


def _decide_4(rows: Sequence[Row]) -> Decision:
    """Only real workspaces with a model decide: the agent above LLM-as-a-Judge and above both floors by intervals."""
    pairs = []
    for agent in AGENTS:
        where = f"people's labels of {agent}"
        one, other = (_find(rows, "alignment", engine, where) for engine in ("llm", "llm-single"))
        floors = [
            row for row in rows if row.metric == "alignment" and row.method.startswith("floor") and row.condition == where
        ]
        if one is not None and other is not None:
            bar = max([row.value or 0.0 for row in floors] + [other.value or 0.0])
            pairs.append((agent, one.low is not None and one.low > bar, one.value or 0.0, other.value or 0.0))
    if pairs:
        wins = sum(is_above for _, is_above, _, _ in pairs)
        verdict = "shown" if wins == len(pairs) else "partly" if wins else "not shown"
        words = "; ".join(f"{agent}: agent {one:.1%}, single call {other:.1%}" for agent, _, one, other in pairs)
        return Decision(verdict, f"alignment with people: {words}")
    return Decision("not decidable here", _offline(rows) + "it takes the workspaces and a model")


def _offline(rows: Sequence[Row]) -> str:
    found, decided, share = (
        _find(rows, name, begins=FAULTS) for name in ("faults found", "agreement, decided", "share decided")
    )
    trap = _find(rows, "placeholders called satisfied", begins=TRAPS)
    parts = []
    if found is not None and decided is not None and share is not None:
        parts.append(
            f"offline part, embedded engine on seeded faults: {decided.value:.1%} right of the {share.value:.1%} decided, "
            f"{found.value:.1%} of faults found (bars {AGREED:.0%} and {FOUND:.0%})"
        )
    if trap is not None:
        parts.append(f"{trap.value:.1%} of placeholders called satisfied")
    return "; ".join([*parts, ""])


def _decide_5(rows: Sequence[Row]) -> Decision:
    """Shown if reward falls with faults (Spearman >= .9) and the best of eight beats a random one by its interval."""
    within, gain = _find(rows, "Spearman of faults and lost reward, within a task"), _find(rows, "best of 8 minus random")
    if within is None or gain is None or within.value is None or gain.low is None:
        return Decision("not decidable here", "not run")
    falls, pays = within.value >= SPEARMAN, gain.low > CHOSEN_OVER
    verdict = "shown" if falls and pays else "partly" if falls or pays else "not shown"
    pooled, rising = _find(rows, "Spearman, pooled over tasks"), _find(rows, TRULY_RISING)
    more = "" if pooled is None else f" (pooled over tasks of different difficulty {pooled.value:.2f})"
    more += "" if rising is None else f"; true D rose in every round of {rising.value:.0%} of scripted repairs"
    why = f"Spearman {within.value:.2f} within a task{more}; best of 8 minus random {gain.value:+.3f} from {gain.low:+.3f}"
    return Decision(verdict, why)


def _figures(rows: Sequence[Row]) -> "list[go.Figure]":
    from tenfold.judge.pictures import ladder_figure, shares_figure

    figures = []
    for metric, begins, title in (
        ("faults found", FAULTS, "Seeded faults found (undecided is not found)"),
        ("placeholders called satisfied", TRAPS, "Traps: placeholders called satisfied (less is better)"),
    ):
        some = [r for r in rows if r.metric == metric and r.condition.startswith(begins) and r.value is not None]
        if some:
            shares = {r.method: (r.value, *((r.value, r.value) if r.low is None else (r.low, r.high))) for r in some}
            figures.append(shares_figure(shares, title, "share"))
    curve = [row.value for row in rows if row.metric == "reward" and row.value is not None]
    return [*figures, *([ladder_figure(curve, "Reward by number of faults, held-out tasks")] if curve else [])]


EXPERIMENT = Experiment(
    system="judge",
    title="Does the judge find what is wrong, and reward what is right?",
    lead=f"{NOTICE} Seeded faults: fourteen workspaces that we wrote and ran, faults put in by rule, labels by that rule; "
    "only tasks that nothing was tuned on. Traps: workspaces of placeholders with the criteria pasted in, beside recorded "
    "replies of six language models. Labels: people's verdicts on DevAI and the paper's recorded judge, where they are at "
    "hand, with two floors that open no workspace. None of this is an agreement of our engines with people: that takes the "
    "workspaces.",
    tasks=_tasks,
    claims=(
        Claim("judge-1", _decide_1),
        Claim("judge-2", _decide_2, "The data set judge/devai: `tenfold data list` says where to put it."),
        Claim("judge-3", _decide_3, "labels_GPT-Pilot.csv in the folder that TENFOLD_DEVAI names."),
        Claim("judge-4", _decide_4, "DevAI's workspaces and a model: TENFOLD_DEVAI=... TENFOLD_MODEL=... --scale paper."),
        Claim("judge-5", _decide_5),
    ),
    figures=_figures,
    scales=("smoke", "laptop", "gpu", "paper"),
)
