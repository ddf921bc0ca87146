"""LLM-as-a-Judge, the paper's baseline: one call for each requirement over the workspace's text; no evidence is chosen."""

from typing import Any

from tenfold.judge.accounting import Asker, Books
from tenfold.judge.agent import EVIDENCE_TOKENS, priced
from tenfold.judge.asking import ask, check_votes, each, judgement_of, undecided
from tenfold.judge.locate import listing
from tenfold.judge.planning import Setting, settle
from tenfold.judge.prompts import Block
from tenfold.judge.reading import Reader, fit
from tenfold.judge.trajectory import CHARS_PER_TOKEN, flatten
from tenfold.judge.types import Judgement, Requirement, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm import background
from tenfold.llm.client import Client

__all__ = ["judge", "judge_async"]

_LOG_TOKENS = 2_500
_MOST_FILES = 60


def judge(workspace: Workspace, requirements: Requirements, client: Client, **options: Any) -> tuple[Judgement, ...]:
    """Judge with one call (and a vote more for each further k) per requirement; options as of `judge_async`."""
    return background.run(judge_async(workspace, requirements, client, **options))


async def judge_async(
    workspace: Workspace,
    requirements: Requirements,
    client: Client,
    *,
    setting: Setting = "auto",
    trajectory: Any = None,
    votes: int = 1,
    books: Books | None = None,
) -> tuple[Judgement, ...]:
    """Judge every requirement over the same material: list of files, their text in the order of their paths, the log.

    Args:
        workspace: what was made.
        requirements: what was asked for.
        client: the model.
        setting: black, gray or auto, as of the agent.
        trajectory: or None.
        votes: k, odd.
        books: as of the agent.

    Raises:
        BadInput, ModelError: as the agent.
    """
    check_votes(votes)
    _, log = settle(setting, trajectory)
    asker = Asker(client, books)
    files = await Reader(asker, workspace, describes=False).blocks(list(workspace.files)[:_MOST_FILES])
    rest = [Block("LOG", flatten(log, _LOG_TOKENS), False)] if log is not None else []
    tree = Block("FILES", listing(workspace))
    left = EVIDENCE_TOKENS - sum(len(block.text) for block in (tree, *rest)) / CHARS_PER_TOKEN
    material = [tree, *fit(files, left), *rest]

    async def one(requirement: Requirement) -> Judgement:
        answer = await ask(asker, requirement, material, votes)
        return judgement_of(requirement, answer, workspace, material, engine="llm-single")

    def give_up(requirement: Requirement, why: str) -> Judgement:
        return undecided(requirement, why, engine="llm-single")

    found = await each(requirements.items, one, give_up, asker.books)
    return priced(found, asker.books.calls)
