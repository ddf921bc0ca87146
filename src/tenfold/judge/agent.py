"""The paper's agent: for each requirement it gathers evidence from a workspace and asks a model for the verdict.

Efficient plan, for requirement r: E = list of files; P = located files, at most five; E += content of P; gray-box:
E += what the log says about r; verdict v_i = ask(r, E), i = 1..k (section 1.3 of the spec). What all requirements share
(list of files, located paths, descriptions of images) is made once; the rest runs at the same time, as far as the client
lets it. Verdicts on other requirements are only shown to those that build on them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from tenfold.judge.accounting import Asker, Books, Call, shares
from tenfold.judge.asking import ask, check_votes, each, judgement_of, undecided
from tenfold.judge.code_search import CodeSearch
from tenfold.judge.locate import Finder, listing, locate
from tenfold.judge.planning import Plan, Setting, actions_of, check_plan, settle
from tenfold.judge.prompts import Block, retrieve_messages
from tenfold.judge.reading import Reader, fit
from tenfold.judge.trajectory import CHARS_PER_TOKEN, Trajectory, flatten
from tenfold.judge.types import Judgement, Requirement, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm import background
from tenfold.llm.client import Client

__all__ = ["EVIDENCE_TOKENS", "judge", "judge_async", "priced"]

EVIDENCE_TOKENS = 10_000


def judge(workspace: Workspace, requirements: Requirements, client: Client, **options: Any) -> tuple[Judgement, ...]:
    """Judge every requirement by asking a model; options as of `judge_async`."""
    return background.run(judge_async(workspace, requirements, client, **options))


async def judge_async(
    workspace: Workspace,
    requirements: Requirements,
    client: Client,
    *,
    plan: Plan = "efficient",
    setting: Setting = "auto",
    trajectory: Any = None,
    votes: int = 1,
    books: Books | None = None,
) -> tuple[Judgement, ...]:
    """Judge every requirement by asking a model, for code with an event loop.

    Args:
        workspace: what was made.
        requirements: what was asked for.
        client: the model.
        plan: efficient = list of files, locate, read, log; comprehensive = also the task, code search and verdicts on
            prerequisites; planning = a model picks the actions for each requirement; or a tuple of actions (see `LADDER`).
        setting: black = workspace only, gray = with the trajectory, auto = gray if there is one.
        trajectory: a file or value that `trajectory.load` takes, or None. It is never asked about when there is none.
        votes: k, odd; with k > 1 each is a draw at a temperature of 0.7.
        books: get every call, and whether the budget was reached.

    Returns:
        Judgements in the order of the requirements; one that the budget did not reach is undecided and says so.

    Raises:
        BadInput: an option that cannot be used, or gray without a trajectory.
        ModelError: the model does not answer at all.
    """
    check_plan(plan)
    check_votes(votes)
    _, log = settle(setting, trajectory)
    asker = Asker(client, books)
    return priced(await _Case(workspace, requirements, asker, plan, log, votes).judgements(), asker.books.calls)


def priced(judgements: Sequence[Judgement], calls: Sequence[Call]) -> tuple[Judgement, ...]:
    """Judgements with what each took of the calls."""
    took = shares(calls, [one.requirement.id for one in judgements])
    made = []
    for one in judgements:
        share = took[one.requirement.id]
        made.append(replace(one, calls=share.calls, usd=share.usd, seconds=share.seconds))
    return tuple(made)


class _Case:
    """One workspace under judgement, and what its requirements share."""

    def __init__(
        self, workspace: Workspace, requirements: Requirements, asker: Asker, plan: Plan, log: Trajectory | None, votes: int
    ) -> None:
        self.workspace, self.requirements, self.asker = workspace, requirements, asker
        self.plan: Plan = plan
        self.log, self.votes = log, votes
        self.reader, self.finder = Reader(asker, workspace), Finder(workspace)
        self._located: asyncio.Task[dict[str, list[str]]] | None = None
        self._tasks: dict[str, asyncio.Future[Judgement]] = {}

    async def judgements(self) -> list[Judgement]:
        for item in self.requirements:
            self._tasks[item.id] = asyncio.get_running_loop().create_future()
        try:
            return await each(self.requirements.items, self._judge, self._give_up, self.asker.books)
        finally:
            if self._located is not None:
                self._located.cancel()

    async def _judge(self, requirement: Requirement) -> Judgement:
        blocks = await self._evidence(requirement)
        answer = await ask(self.asker, requirement, blocks, self.votes)
        return self._done(judgement_of(requirement, answer, self.workspace, blocks))

    def _give_up(self, requirement: Requirement, why: str) -> Judgement:
        return self._done(undecided(requirement, why))

    def _done(self, judgement: Judgement) -> Judgement:
        self._tasks[judgement.requirement.id].set_result(judgement)
        return judgement

    async def _evidence(self, requirement: Requirement) -> list[Block]:
        """What all share first, in the same order for every requirement, so that servers can keep the prefix."""
        actions = await actions_of(self.asker, self.plan, requirement, self.log is not None)
        first = []
        if "user_query" in actions and self.requirements.query:
            first.append(Block("TASK", self.requirements.query))
        if "workspace" in actions:
            first.append(Block("FILES", self._listing))
        wanted = [action for action in _ORDER if action in actions]
        found = await asyncio.gather(*(self._gather(action, requirement, "locate" in actions) for action in wanted))
        left = EVIDENCE_TOKENS - sum(len(block.text) for block in first) / CHARS_PER_TOKEN
        return [*first, *fit([block for blocks in found for block in blocks], left)]

    async def _gather(self, action: str, requirement: Requirement, is_located: bool) -> list[Block]:
        if action == "read":
            paths = await self._paths(requirement) if is_located else self.finder.by_words(requirement)
            return await self.reader.blocks(paths)
        if action == "search":
            found = self._search.top(requirement.criteria)
            return [Block("CODE", f"line {one.line}:\n{one.text}", False, one.file) for one in found]
        if action == "history":
            return await self._history(requirement)
        return await self._retrieve(requirement)

    async def _paths(self, requirement: Requirement) -> list[str]:
        if self._located is None:
            self._located = asyncio.create_task(locate(self.asker, self.finder, self.requirements.items))
        # A requirement that is given up must not take the paths from the others.
        return (await asyncio.shield(self._located))[requirement.id]

    async def _history(self, requirement: Requirement) -> list[Block]:
        """Verdicts on what the requirement builds on; prerequisites form no cycle, so waiting for them ends."""
        needed = self.requirements.ancestors(requirement.id)
        earlier = [await self._tasks[item.id] for item in self.requirements if item.id in needed]
        lines = [f"{one.requirement.id}: {one.verdict}. {one.requirement.criteria}" for one in earlier]
        return [Block("VERDICTS", "\n".join(lines), False)] if lines else []

    async def _retrieve(self, requirement: Requirement) -> list[Block]:
        messages = retrieve_messages(self._log_text, requirement.criteria)
        return [Block("LOG", await self.asker.ask(messages, "retrieve", requirement.id, max_tokens=300), False)]

    @cached_property
    def _listing(self) -> str:
        named = [path for item in self.requirements for path in self.finder.by_words(item)]
        return listing(self.workspace, first=named)

    @cached_property
    def _search(self) -> CodeSearch:
        return CodeSearch(self.workspace)

    @cached_property
    def _log_text(self) -> str:
        assert self.log is not None, "actions_of drops the action where there is no log"
        return flatten(self.log)


_ORDER = ("read", "search", "history", "trajectory")
