"""Asking for a verdict: votes, one more try where a reply has none, and what becomes of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tenfold.core.errors import BadInput, BudgetReached
from tenfold.judge.accounting import Asker, Books
from tenfold.judge.prompts import REASK, Block, ask_messages, parse_verdict, reason
from tenfold.judge.types import Evidence, Judgement, Requirement, Verdict
from tenfold.judge.workspace import Workspace
from tenfold.llm.errors import ModelError
from tenfold.llm.types import Message

__all__ = ["VOTE_TEMPERATURE", "Answer", "ask", "check_votes", "each", "judgement_of", "undecided"]

# At temperature 0 votes are copies of each other.
VOTE_TEMPERATURE = 0.7
_STEP = re.compile(r"\bsteps?\s+#?\d+", re.IGNORECASE)
_LINE = re.compile(r"^(?::|,?\s*\(?lines?\s+)(\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What a model said on one requirement.

    Attributes:
        votes: True, False, or None where a reply had no verdict, not even when asked again.
        replies: their texts.
        reasked: how often it had to be asked again.
    """

    votes: tuple[bool | None, ...]
    replies: tuple[str, ...]
    reasked: int


def check_votes(votes: int) -> None:
    """Raises: BadInput: votes is below 1 or even."""
    if not isinstance(votes, int) or isinstance(votes, bool) or votes < 1 or votes % 2 == 0:
        raise BadInput(f"votes is {votes!r}.", "It must be an odd number, 1 or more, so that no vote is a tie.")


async def ask(asker: Asker, requirement: Requirement, blocks: Sequence[Block], votes: int = 1) -> Answer:
    """Ask k times whether a requirement is met; with k > 1 each vote is a draw of its own at a temperature of 0.7.

    Raises:
        BudgetReached, ModelError: as the client.
    """
    messages = ask_messages(blocks, requirement.criteria)
    temperature = VOTE_TEMPERATURE if votes > 1 else 0.0

    async def one(sample: int) -> tuple[bool | None, str, int]:
        reply = await asker.ask(messages, "ask", requirement.id, sample=sample, temperature=temperature)
        vote = parse_verdict(reply)
        if vote is not None:
            return vote, reply, 0
        again = (*messages, Message("assistant", reply), Message("user", REASK))
        reply = await asker.ask(again, "ask", requirement.id, sample=sample, temperature=temperature)
        return parse_verdict(reply), reply, 1

    found = await asyncio.gather(*(one(sample) for sample in range(votes)))
    return Answer(tuple(f[0] for f in found), tuple(f[1] for f in found), sum(f[2] for f in found))


def judgement_of(
    requirement: Requirement,
    answer: Answer,
    workspace: Workspace,
    shown: Sequence[Block],
    *,
    prior: float = 0.5,
    engine: str = "llm",
) -> Judgement:
    """The judgement that votes amount to.

    r = satisfied / decided votes; satisfied if r > 1/2, unsatisfied if r < 1/2, undecided at a tie or without a decided vote
    (an odd number of votes leaves a tie only where some had no verdict). The probability is that of a vote more which said
    `prior`: (satisfied + prior) / (decided + 1), so that one vote alone is never certain.

    Args:
        requirement: what was judged.
        answer: the votes.
        workspace: whose files the reasons may name.
        shown: the evidence that the model saw.
        prior: probability of "satisfied" before the votes.
        engine: name for the report.
    """
    decided = [vote for vote in answer.votes if vote is not None]
    yes = sum(decided)
    probability = (yes + prior) / (len(decided) + 1)
    said = zip(answer.votes, answer.replies, strict=True)
    evidence = tuple(_evidence(vote, reply, workspace, shown) for vote, reply in said)
    if 2 * yes == len(decided):
        why = f"The votes have no majority: {yes} for, {yes} against." if decided else "The model's replies had no verdict."
        return Judgement(requirement, "undecided", 0.5, probability, evidence, why, engine)
    verdict: Verdict = "satisfied" if 2 * yes > len(decided) else "unsatisfied"
    # A strong prior against a single vote must not make the verdict's own confidence fall below a coin's.
    confidence = max(0.5, probability if verdict == "satisfied" else 1 - probability)
    return Judgement(requirement, verdict, confidence, probability, evidence, "", engine)


def undecided(requirement: Requirement, why: str, prior: float = 0.5, engine: str = "llm") -> Judgement:
    """A requirement that was not judged, and why."""
    return Judgement(requirement, "undecided", 0.5, prior, (), why, engine)


async def each(
    requirements: Sequence[Requirement],
    work: Callable[[Requirement], Awaitable[Judgement]],
    give_up: Callable[[Requirement, str], Judgement],
    books: Books,
) -> list[Judgement]:
    """Judge requirements at the same time; one that the budget or the model refuses is given up, the others go on.

    Raises:
        ModelError: one that every further request would meet too.
    """

    async def one(requirement: Requirement) -> Judgement:
        try:
            made = await work(requirement)
        except BudgetReached as error:
            made = give_up(requirement, f"It was not judged: {error.message}")
        except ModelError as error:
            if error.ends_run:
                raise
            made = give_up(requirement, f"The model refused the question: {error.message}")
        if books.watch is not None:
            books.watch(made)
        return made

    tasks = [asyncio.ensure_future(one(requirement)) for requirement in requirements]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _evidence(vote: bool | None, reply: str, workspace: Workspace, shown: Sequence[Block]) -> Evidence:
    """A reason as evidence, with the shown file and line that it names."""
    words = reason(reply)
    if _STEP.search(words) and not any(block.name == "LOG" for block in shown):
        return Evidence(vote is True, f"(cites steps of a log that was not shown) {words}", 0.0, kind="invented")
    weight = 0.0 if vote is None else 0.5
    for block in shown:
        at = words.find(block.file) if block.file else -1
        if at >= 0:
            line = _LINE.match(words[at + len(block.file) :].lstrip("`'\""))
            number = int(line.group(1)[:7]) if line else 0
            digest = workspace.files[block.file].sha256
            return Evidence(vote is True, words, weight, block.file, number, digest, "ask")
    return Evidence(vote is True, words, weight, kind="ask")
