"""The result of a run, and its folder.

| file | holds |
|---|---|
| `config.json`, `manifest.json` | what was asked, and where it ran (see `core.runs`) |
| `replies.jsonl` | replies that were paid for; a resumed run reads them instead of asking |
| `ledger.sqlite` | what was spent, by role and node (see `llm.ledger`) |
| `history.jsonl` | one step a line |
| `best.json` | the best graph so far |
| `result.json`, `report.html` | once finished |
| `spent.json` | calls, tokens and dollars of the command that made it |
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.core.files import append_line, read_json, read_lines, read_object, write_atomic
from tenfold.core.report import Section, Table, write_report
from tenfold.semgrad.graph import Graph, without_functions
from tenfold.semgrad.history import Step, Tally

__all__ = ["FILES", "Result"]

FILES = ("replies.jsonl", "ledger.sqlite", "history.jsonl", "best.json", "result.json", "report.html", "spent.json")


@dataclass
class Result:
    """What came of a run.

    Attributes:
        start: the graph that was given.
        best: the graph with the highest score on the training samples.
        score: of `best` on the training samples, in [0, 1].
        start_score: of `start`.
        kept_score: of the graph that was kept last (below `score` only without a gate).
        test_score: of `best` on the test samples, or None.
        test_scores: by test sample.
        history: the steps.
        evaluations: of the training set, the start's included.
        stopped: why the run ended: steps, evaluations, all right, budget.
        tally: what only replies showed, counted.
        account: what was spent (`llm.Account`), or None for a run that was read back.
        notice: the sentence that a result of the rules engine begins with; empty for language models.
        is_finished: whether it came to its end.
    """

    start: Graph
    best: Graph
    score: float = 0.0
    start_score: float = 0.0
    kept_score: float = 0.0
    test_score: float | None = None
    test_scores: Sequence[float] = ()
    history: list[Step] = field(default_factory=list)
    evaluations: int = 0
    stopped: str = ""
    tally: Tally = field(default_factory=Tally)
    account: Any = field(default=None, repr=False)
    notice: str = ""
    is_finished: bool = False
    settings: Any = field(default=None, repr=False)
    samples: Sequence[Any] = field(default=(), repr=False)
    again: "Callable[[Mapping[str, str], int], dict[str, Any]] | None" = field(default=None, repr=False)

    def gradients(self, step: int, sample: int | str) -> dict[str, Any]:
        """The gradients of a training sample in a step.

        A sample that was not drawn then is run and backpropagated now, with the texts that the step began with (or would
        have begun with, after a run that ended early); what that takes counts against the same budget.

        Args:
            step: from 1.
            sample: number or id of the training sample.

        Returns:
            {"nodes": {node: texts}, "edges": [[w, v, text], ...], "missing", "errors", "values": {name: text}}.

        Raises:
            BadInput: there was no such step or sample; in a run that was read back: the sample was not drawn.
        """
        made = next((item for item in self.history if item.step == step), None)
        is_later = self.again is not None and self.settings is not None and len(self.history) < step <= self.settings.steps
        if made is None and not is_later:
            raise BadInput(f"The run has no step {step}.", f"It has {len(self.history)} steps and ended by: {self.stopped}.")
        number = self._number(sample)
        for item in made.rounds if made is not None else ():
            if number in item.samples:
                place = item.samples.index(number)
                return {**item.gradients[place], "values": dict(item.values[place])}
        if self.again is not None and 0 <= number < len(self.samples):
            earlier = self.history[: step - 1]
            return self.again(earlier[-1].instructions if earlier else self.start.instructions, number)
        drawn = sorted({number for item in made.rounds for number in item.samples}) if made is not None else []
        raise BadInput(f"Sample {sample} was not drawn in step {step}.", f"Drawn were: {', '.join(map(str, drawn))}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the history."""
        return {
            "notice": self.notice,
            "score": self.score,
            "start_score": self.start_score,
            "kept_score": self.kept_score,
            "test_score": self.test_score,
            "test_scores": list(self.test_scores),
            "evaluations": self.evaluations,
            "steps": len(self.history),
            "stopped": self.stopped,
            "best": self.best.instructions,
            "tally": asdict(self.tally),
        }

    def improve(self, graph: Graph, score: float, run: Any) -> None:
        """Take a better graph, and save it."""
        self.best, self.score = graph, score
        if run is not None:
            graph.save(run.folder / "best.json")

    def add(self, step: Step, run: Any) -> None:
        """Take a step, and save it."""
        self.history.append(step)
        if run is not None:
            append_line(run.folder / "history.jsonl", step.to_dict())

    def start_saving(self, run: Any) -> None:
        """Begin the history anew: a resumed run goes through its steps again, with kept replies."""
        write_atomic(run.folder / "history.jsonl", "")
        self.best.save(run.folder / "best.json")

    def save(self, run: Any) -> None:
        """Write the best graph, and when the run is finished its result and report."""
        self.best.save(run.folder / "best.json")
        if self.is_finished:
            settings = {"asked": {"steps": self.settings.steps, "evaluations": self.settings.evaluations}}
            self.report(run.folder)
            run.finish({**self.to_dict(), **settings})

    @classmethod
    def of_run(cls, run: Any, start: Graph, steps: int, evaluations: int | None) -> "Result | None":
        """The result of a finished run of the same length, read back; None = there is work to do."""
        found = run.result
        if found is None or found.get("asked") != {"steps": steps, "evaluations": evaluations}:
            return None
        history = [Step.from_dict(row) for row in read_lines(run.folder / "history.jsonl")]
        if len(history) != found["steps"]:
            return None
        return cls._read(found, history, start, start.with_instructions(found["best"]))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Result":
        """Read a finished run's folder; functions of nodes are not needed to look at it.

        Raises:
            BadInput: it is no folder of such a run, or the run is not finished.
        """
        folder = Path(folder)
        config = read_json(folder / "config.json")
        if not isinstance(config, Mapping) or config.get("system") != "semgrad":
            raise BadInput(f"{folder} holds no run of semgrad.")
        if not (folder / "result.json").exists():
            raise BadInput(f"The run in {folder} is not finished.", "Give the same command again to resume it.")
        start = without_functions(config.get("graph"))
        found = read_object(folder / "result.json")
        history = [Step.from_dict(row) for row in read_lines(folder / "history.jsonl")]
        return cls._read(found, history, start, start.with_instructions(found["best"]))

    @classmethod
    def _read(cls, found: Mapping[str, Any], history: list[Step], start: Graph, best: Graph) -> "Result":
        names = ("score", "start_score", "kept_score", "test_score", "test_scores", "evaluations", "stopped", "notice")
        plain = {name: found[name] for name in names}
        return cls(start, best, history=history, tally=Tally(**found["tally"]), is_finished=True, **plain)

    def report(self, folder: Path, figures: Sequence[Any] = ()) -> Path:
        """Write `report.html` into a folder: scores, texts before and after, every step.

        Args:
            folder: where.
            figures: Plotly pictures to show with the scores.
        """
        sections = [
            Section("Scores", self.notice, tables=[self._scores()], figures=figures, notes=self.tally.notes),
            Section("Texts", "Before and after.", tables=[self._texts()]),
            Section("Steps", "What each round proposed, and whether it was kept.", tables=[self._rounds()]),
        ]
        return write_report(folder, "Semantic gradient descent", sections, lead=self.notice, name="report.html")

    def _scores(self) -> Table:
        spent = self.account.total if self.account is not None else None
        rows: list[tuple[str, Any]] = [
            ("training score at the start", self.start_score),
            ("training score of the best", self.score),
            ("test score of the best", "no test" if self.test_score is None else self.test_score),
            ("evaluations of the training set", self.evaluations),
            ("ended by", self.stopped),
        ]
        if spent is not None:
            usd = "unknown" if spent.usd is None else f"${spent.usd:.4f}"
            rows += [("calls", spent.calls), ("tokens", spent.tokens), ("cost", usd)]
        rows += [(f"proposals dropped: {reason}", count) for reason, count in self.tally.dropped.items()]
        rows += [("gradients missing", self.tally.missing), ("samples failed", self.tally.failed)]
        return Table(("", ""), rows)

    def _texts(self) -> Table:
        best = self.best.instructions
        rows = [
            (name, text, best[name] if best[name] != text else "unchanged") for name, text in self.start.instructions.items()
        ]
        return Table(("parameter", "start", "best"), rows)

    def _rounds(self) -> Table:
        rows = []
        for step in self.history:
            for item in step.rounds:
                texts = "; ".join(f"{name}: {text}" for name, text in item.proposals.items()) or "none"
                score = "" if item.score is None else f"{item.score:.3f}"
                rows.append((step.step, texts, score, "kept" if item.accepted else "not kept", item.reason))
        return Table(("step", "proposal", "score", "verdict", "why"), rows)

    def _number(self, sample: int | str) -> int:
        if isinstance(sample, int):
            return sample
        ids = [item.id for item in self.samples]
        if sample not in ids:
            raise BadInput(f"No training sample has the id {sample!r}.")
        return ids.index(sample)
