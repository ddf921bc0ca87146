"""The embedded engine: what files and code can decide, without a model and without a network."""

import os

from tenfold.judge.checks import parts
from tenfold.judge.criterion import parse
from tenfold.judge.known import Known
from tenfold.judge.scene import Part, Scene
from tenfold.judge.types import Evidence, Judgement, Requirement, Requirements
from tenfold.judge.weighing import confidence, verdict
from tenfold.judge.workspace import Workspace

__all__ = ["judge"]


def judge(
    workspace: Workspace, requirements: Requirements, cache: str | os.PathLike[str] | Known | None = None
) -> tuple[Judgement, ...]:
    """Judge every requirement by evidence alone.

    Args:
        workspace: see `Workspace.open`.
        requirements: what is asked for.
        cache: folder of known facts, shared by all workspaces and runs; None = the user's cache folder, "" = none; or
            facts that are known already.

    Returns:
        One judgement for each requirement, in their order: satisfied from a probability of 0.6 on, unsatisfied up to 0.4,
        undecided between, with what would decide it in `missing`. The same bytes always give the same judgements.

    Raises:
        BadInput: the cache is damaged, or a file became unreadable since the scan.
        ExtraMissing: a reader of a file's kind is not installed.
    """
    known = cache if isinstance(cache, Known) else Known(workspace, cache)
    try:
        scene = Scene(workspace, known, tuple(item.criteria for item in requirements))
        return tuple(_judgement(scene, item) for item in requirements)
    finally:
        if known is not cache:
            known.close()


def _judgement(scene: Scene, requirement: Requirement) -> Judgement:
    import time

    started = time.perf_counter()
    found = parts(scene, parse(requirement.criteria, requirement.category))
    least = min(found, key=lambda part: part.probability)
    said = verdict(least.probability)
    return Judgement(
        requirement,
        said,
        confidence(least.probability),
        least.probability,
        _ordered(found),
        _missing(found) if said == "undecided" else "",
        "embedded",
        seconds=time.perf_counter() - started,
    )


def _ordered(found: list[Part]) -> tuple[Evidence, ...]:
    evidence = dict.fromkeys(one for part in found for one in part.evidence)
    return tuple(sorted(evidence, key=lambda one: -one.weight))


def _missing(found: list[Part]) -> str:
    open_ = [part.missing for part in found if part.missing and verdict(part.probability) == "undecided"]
    return open_[0] if open_ else "The evidence for and against is of equal weight: a person or a model must judge it."
