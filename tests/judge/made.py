"""Requirements and reports made by code."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tenfold.judge.types import Evidence, Judgement, Report, Requirement, Requirements, Verdict

VERDICTS: tuple[Verdict, ...] = ("satisfied", "unsatisfied", "undecided")


def requirements(needs: Sequence[Sequence[int]], name: str = "task") -> Requirements:
    """Requirement i builds on needs[i]."""
    items = tuple(
        Requirement(str(i), f"The result {i} is saved in `results/{i}.txt`.", tuple(map(str, needed)), "Other")
        for i, needed in enumerate(needs)
    )
    return Requirements(name, items, "Do it.")


def report(asked: Requirements, verdicts: Sequence[Verdict], workspace: str = "here", **fields) -> Report:
    """A report with these verdicts, in order, and plain evidence."""
    sure = {"satisfied": 0.9, "unsatisfied": 0.2, "undecided": 0.5}
    judgements = []
    for item, verdict in zip(asked, verdicts, strict=True):
        probability = sure[verdict]
        supports = verdict == "satisfied"
        fact = Evidence(
            supports, f"results/{item.id}.txt is {'there' if supports else 'missing'}", 0.7, "src/a.py", 3, "ab", "file"
        )
        missing = "someone must look" if verdict == "undecided" else ""
        confidence = max(probability, 1 - probability)
        judgements.append(Judgement(item, verdict, confidence, probability, (fact,), missing, "embedded", 0, 0.0, 0.25))
    return Report(workspace, asked, tuple(judgements), **fields)


@st.composite
def reports(draw: st.DrawFn, most: int = 7) -> Report:
    """Any report on a random DAG."""
    size = draw(st.integers(1, most))
    needs = [sorted(draw(st.sets(st.integers(0, i - 1), max_size=i))) if i else [] for i in range(size)]
    verdicts = draw(st.lists(st.sampled_from(VERDICTS), min_size=size, max_size=size))
    return report(requirements(needs), verdicts)
