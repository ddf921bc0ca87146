"""An agreement as a table in words, for the terminal, a page or a report."""

from typing import TYPE_CHECKING

from tenfold.judge.devai import PAPER_COSTS
from tenfold.judge.labels import unmatched_words

if TYPE_CHECKING:
    from tenfold.judge.alignment import Agreement

__all__ = ["agreement_markdown"]


def agreement_markdown(found: "Agreement") -> str:
    """The agreement as a table: the judge, both floors, the paper's costs beside ours."""
    n, human, judge, shift = found.total, found.human, found.judged, found.shift
    rows = [
        ("aligned with people", f"{found.aligned}/{n} = {found.aligned / n:.2%}", _span(found, "alignment")),
        ("floor: always the same verdict", _share(found.floor.constant_aligned, n), _span(found, "constant")),
        ("floor: the words of the criteria alone", _share(found.floor.text_aligned, n), _span(found, "text_only")),
        ("above the better floor", _above(found), _span(found, _better_floor(found))),
        ("Cohen's kappa", _number(found.kappa), _span(found, "kappa", "{:.3f}")),
        ("met (I): people / judge", f"{human.met} / {judge.met}", f"shift {shift['met']:.2%}"),
        ("met (D): people / judge", f"{human.met_dependent} / {judge.met_dependent}", f"shift {shift['met_dependent']:.2%}"),
        ("met (D-transitive)", f"{human.met_transitive} / {judge.met_transitive}", f"shift {shift['met_transitive']:.2%}"),
        (
            "tasks solved: people / judge",
            f"{human.solved} / {judge.solved} of {found.tasks}",
            f"shift {shift['solved']:.2%}",
        ),
        ("undecided", f"{found.undecided}", f"{found.decided_aligned} of {n - found.undecided} decided are aligned"),
        ("average precision", _number(found.average_precision), ""),
        ("AUROC of confidence", _number(found.confidence_auroc), ""),
        ("calibration error, decided", _number(found.calibration_error), ""),
    ]
    if found.self_terminated is not None:
        rows.append(
            ("ended by itself", f"{found.self_terminated} of {found.tasks}", f"{found.self_terminated / found.tasks:.2%}")
        )
    confusion = " ".join(f"{name} {count}" for name, count in zip(("TP", "FP", "FN", "TN"), found.confusion, strict=True))
    rows.append(("confusion", confusion, ""))
    rows += [("cost, here", _money(found.cost.minutes, found.cost.usd), f"{found.cost.calls} calls")] if found.cost else []
    rows += [(f"cost, {name}", _money(*cost), "the paper's, for 165 workspaces") for name, cost in PAPER_COSTS.items()]
    head = [
        f"Agreement of {found.judge} with people on {n} requirements of {found.tasks} task{'s' if found.tasks > 1 else ''}",
        "",
    ]
    body = ["| | value | 95 % interval, or note |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    words = unmatched_words(found.unmatched, n + len(found.unmatched))
    words += f" {found.left_out} labels are of what was not judged." if found.left_out else ""
    return "\n".join([*head, *body, *(["", words.strip()] if words else [])]) + "\n"


def _better_floor(found: "Agreement") -> str:
    return "above_text_only" if found.floor.text_aligned > found.floor.constant_aligned else "above_constant"


def _above(found: "Agreement") -> str:
    best = max(found.floor.text_aligned, found.floor.constant_aligned)
    return f"{(found.aligned - best) / found.total:+.2%}"


def _share(count: int, total: int) -> str:
    return f"{count}/{total} = {count / total:.2%}"


def _span(found: "Agreement", name: str, form: str = "{:.1%}") -> str:
    interval = found.intervals.get(name)
    return f"{form.format(interval.low)} to {form.format(interval.high)}" if interval else "one task"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _money(minutes: float, usd: float | None) -> str:
    return f"{minutes:,.2f} min, {'unknown' if usd is None else f'${usd:,.2f}'}"
