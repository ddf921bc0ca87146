"""The terms of a comparison: one graph, one set of questions, one model, one budget, counted call by call."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Budget
from tenfold.llm.client import Client
from tenfold.llm.types import Request
from tenfold.semgrad.graph import Graph, Node
from tenfold.semgrad.losses import Judge, feedback_of, loss_named, score_of
from tenfold.semgrad.prompts import forward_prompt, parse_output

__all__ = ["Answer", "Bench"]

Sample = Mapping[str, Any]


class Answer(NamedTuple):
    """A sample's values by node, the score of its answer in [0, 1], and feedback on it."""

    sample: Sample
    values: dict[str, str]
    score: float
    feedback: str


class Bench:
    """What every package gets: a way to ask the model, to run the graph, and to score it. Use as a context manager.

    Attributes:
        graph: the start.
        train: training samples.
        errors: wrong answers to show in a step.
        seed: for the package's own choices.
        concurrency: calls at once.
        best: instructions with the highest training score so far (of equal ones the latest).
        best_score: theirs, in [0, 1].
        is_spent: the budget's end was met.
    """

    def __init__(
        self,
        graph: Graph,
        train: Sequence[Sample],
        model: str,
        *,
        calls: int,
        metric: Any,
        errors: int,
        seed: int,
        concurrency: int,
    ) -> None:
        for node in graph.validate().nodes.values():
            if node.function is not None or node.template is not None or node.parameters:
                raise BadInput(
                    f"Node {node.name!r} has a function, a template or slots, which other optimisers cannot take."
                )
        self.graph, self.train, self.errors, self.seed, self.concurrency = graph, list(train), errors, seed, concurrency
        self.best, self.best_score = dict(graph.instructions), -1.0
        self.is_spent = False
        self._budget, self._draws = calls, 0
        self._client = Client(model, budget=Budget(calls=calls), coalesce=False, concurrency=concurrency)
        loss = loss_named(metric)
        if isinstance(loss, Judge):
            raise BadInput("Other optimisers are scored by a metric that asks no model.", "Use exact, numeric, regex, f1.")
        self._loss = loss
        self._lock = threading.Lock()

    @property
    def calls(self) -> dict[str, int]:
        """Calls by role so far: forward, and what the package asked for itself (backward, optimise)."""
        return {role: spent.calls for role, spent in self._client.account.by_role.items() if spent.calls}

    @property
    def calls_left(self) -> int:
        """Calls that may still be made."""
        return self._budget - self._client.account.calls

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, prompt: str, *, system: str = "", role: str, temperature: float = 0.0, max_tokens: int = 1024) -> str:
        """One call of the model. Safe in several threads.

        Raises:
            BudgetReached: no call is left; nothing was sent.
        """
        if self.is_spent:
            raise BudgetReached("The calls of this comparison are spent.")
        settings: dict[str, Any] = {"tag": f"{role}:peer", "max_tokens": max_tokens}
        if temperature > 0:
            with self._lock:
                self._draws += 1
                settings.update(temperature=temperature, sample=self._draws)
        try:
            return self._client.complete_sync(Request.of(prompt, system=system, **settings)).text
        except BudgetReached:
            self.is_spent = True
            raise

    def value(self, node: Node, instruction: str, inputs: Mapping[str, str]) -> str:
        """A node's value: its prompt with an instruction and the values of its inputs, asked and parsed."""
        nodes = self.graph.nodes
        queries = {name: inputs[name] for name in node.inputs if name not in nodes}
        hints = [inputs[name] for name in node.inputs if name in nodes]
        return parse_output(self.ask(forward_prompt(instruction, queries, hints, node.output_format), role="forward"))

    def answer(self, instructions: Mapping[str, str], sample: Sample) -> Answer:
        """The graph on one sample."""
        values = {name: str(sample[name]) for name in self.graph.queries}
        for name in self.graph.structure.order:
            values[name] = self.value(self.graph.nodes[name], instructions[name], values)
        score, feedback = self.score(sample, values[self.graph.output.name])
        return Answer(sample, values, score, feedback)

    def answers(self, instructions: Mapping[str, str], samples: Sequence[Sample]) -> list[Answer]:
        """The graph on several samples, some at once, in their order.

        Raises:
            BudgetReached: the calls did not suffice.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(self.concurrency, max(1, len(samples)))) as pool:
            return list(pool.map(lambda sample: self.answer(instructions, sample), samples))

    def score(self, sample: Sample, output: str) -> tuple[float, str]:
        """Score and feedback of an answer; the feedback is never empty."""
        score, feedback = score_of(self._loss, sample, output)
        return score, feedback_of(sample, output, feedback)

    def evaluate(self, instructions: Mapping[str, str]) -> list[Answer]:
        """The graph on all training samples; the score is noted."""
        found = self.answers(instructions, self.train)
        self.note(instructions, sum(answer.score for answer in found) / len(found))
        return found

    def note(self, instructions: Mapping[str, str], score: float) -> bool:
        """Keep instructions if their training score is not below the best; says whether they were kept."""
        with self._lock:
            if score < self.best_score:
                return False
            self.best, self.best_score = dict(instructions), score
            return True

    def climb(self, propose: Callable[[dict[str, str], list[Answer]], Mapping[str, str]]) -> None:
        """The loop for packages that bring a step alone: show wrong answers, take the proposal, keep it if not worse.

        Ends when the budget is spent, all answers are right, or ten proposals in a row change nothing.
        """
        rng = random.Random(self.seed)
        current, found, idle = dict(self.best), self.evaluate(self.best), 0
        while idle < 10:
            wrong = [answer for answer in found if answer.score < 1]
            if not wrong:
                return
            shown = rng.sample(wrong, min(self.errors, len(wrong)))
            proposed = propose(current, shown)
            if self.is_spent:  # perhaps in the middle of a proposal
                return
            proposal = {**current, **{name: text for name, text in proposed.items() if text.strip()}}
            idle = idle + 1 if proposal == current else 0
            if proposal != current:
                tried = self.evaluate(proposal)
                if proposal == self.best:
                    current, found = proposal, tried
