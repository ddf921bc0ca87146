"""GEPA: a pool of candidates on a Pareto front; one instruction at a time is rewritten by reflection."""

from collections.abc import Mapping, Sequence
from typing import Any

from tenfold.core.extras import require
from tenfold.semgrad.peers.bench import Answer, Bench

__all__ = ["improve"]


def improve(bench: Bench) -> None:
    """GEPA's own loop on the training samples, which serve as its validation set too, until the calls are spent."""
    gepa = require("gepa", "peers")

    def reflect(prompt: Any) -> str:
        text = prompt if isinstance(prompt, str) else "\n\n".join(str(message["content"]) for message in prompt)
        return bench.ask(text, role="optimise")

    gepa.optimize(
        seed_candidate=dict(bench.graph.instructions),
        trainset=list(bench.train),
        valset=list(bench.train),
        adapter=_Adapter(bench, gepa.EvaluationBatch),
        reflection_lm=reflect,
        skip_perfect_score=True,
        reflection_minibatch_size=min(3, len(bench.train)),
        stop_callbacks=lambda _: bench.is_spent or bench.best_score >= 1,
        max_metric_calls=1_000_000,
        logger=_Silent(),
        seed=bench.seed,
        raise_on_exception=True,
    )


class _Silent:
    def log(self, message: str) -> None:
        pass


class _Adapter:
    """How GEPA runs and scores the graph, and what its reflection reads of a node."""

    propose_new_texts = None

    def __init__(self, bench: Bench, batch: Any) -> None:
        self._bench, self._batch = bench, batch

    def evaluate(self, batch: list[Any], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        found = self._bench.answers(candidate, batch)
        scores = [answer.score for answer in found]
        if len(batch) == len(self._bench.train):
            self._bench.note(candidate, sum(scores) / len(scores))
        output = self._bench.graph.output.name
        return self._batch(
            outputs=[answer.values[output] for answer in found],
            scores=scores,
            trajectories=found if capture_traces else None,
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return {name: [self._record(name, answer) for answer in eval_batch.trajectories] for name in components_to_update}

    def _record(self, name: str, answer: Answer) -> dict[str, Any]:
        """GEPA assigns no credit: every node reads the feedback on the system's answer."""
        graph = self._bench.graph
        return {
            "Inputs": {item: answer.values[item] for item in graph.nodes[name].inputs},
            "Generated Outputs": answer.values[name],
            "Feedback": f"The system's answer was {answer.values[graph.output.name]}. "
            + (answer.feedback if answer.score < 1 else "It is right."),
        }
