"""The embedded engine first; a model is asked only where that is undecided or weak, with its facts as key evidence.

No call is spent on locating files: those that the embedded engine looked at, and those that the criterion names, are shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tenfold.judge.accounting import Asker, Books
from tenfold.judge.agent import EVIDENCE_TOKENS, priced
from tenfold.judge.asking import ask, check_votes, each, judgement_of
from tenfold.judge.locate import MOST, Finder, listing
from tenfold.judge.planning import Setting, settle
from tenfold.judge.prompts import Block
from tenfold.judge.reading import Reader, fit
from tenfold.judge.trajectory import CHARS_PER_TOKEN, Trajectory, flatten
from tenfold.judge.types import Judgement, Requirement, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm import background
from tenfold.llm.client import Client

__all__ = ["WEAK", "is_open", "judge", "judge_async"]

WEAK = 0.7
"""A verdict with less confidence than this is asked about."""
_LOG_TOKENS = 2_000


def judge(
    workspace: Workspace, requirements: Requirements, client: Client, embedded: Sequence[Judgement], **options: Any
) -> tuple[Judgement, ...]:
    """Ask where the embedded engine's judgements are undecided or weak; options as of `judge_async`."""
    return background.run(judge_async(workspace, requirements, client, embedded, **options))


async def judge_async(
    workspace: Workspace,
    requirements: Requirements,
    client: Client,
    embedded: Sequence[Judgement],
    *,
    setting: Setting = "auto",
    trajectory: Any = None,
    votes: int = 1,
    weak: float = WEAK,
    books: Books | None = None,
) -> tuple[Judgement, ...]:
    """The embedded judgements, and the model's in place of those that are undecided or weak.

    Args:
        workspace: what was made.
        requirements: what was asked for.
        client: the model.
        embedded: the embedded engine's judgements, in the order of the requirements.
        setting: black, gray or auto; gray adds the end of the log as reference, without a call of its own.
        trajectory: or None.
        votes: k, odd.
        weak: confidence, in [0, 1], below which a decided verdict is asked about.
        books: as of the agent.

    Returns:
        Judgements in the order of the requirements. Where the budget or the model refuses, the embedded one stays.

    Raises:
        BadInput, ModelError: as the agent.
    """
    check_votes(votes)
    _, log = settle(setting, trajectory)
    asker = Asker(client, books)
    before = {one.requirement.id: one for one in embedded}
    reader, finder = Reader(asker, workspace), Finder(workspace)
    open_ones = [item for item in requirements if is_open(before[item.id], weak)]
    tree = Block("FILES", listing(workspace, first=[path for item in open_ones for path in finder.by_words(item)]))

    async def one(requirement: Requirement) -> Judgement:
        found = before[requirement.id]
        files = await reader.blocks(_files(found, finder))
        blocks = [tree, *_fitted(tree, [*files, _facts(found), *_log(log)])]
        answer = await ask(asker, requirement, blocks, votes)
        made = judgement_of(requirement, answer, workspace, blocks, prior=found.probability, engine="hybrid")
        return replace(made, evidence=(*made.evidence, *found.evidence))

    def give_up(requirement: Requirement, why: str) -> Judgement:
        found = before[requirement.id]
        return replace(found, missing=f"{found.missing} {why}".strip())

    asked = priced(await each(open_ones, one, give_up, asker.books), asker.books.calls)
    after = before | {judgement.requirement.id: judgement for judgement in asked}
    return tuple(after[item.id] for item in requirements)


def is_open(judgement: Judgement, weak: float = WEAK) -> bool:
    """Whether a model is asked about an embedded judgement."""
    return judgement.verdict == "undecided" or judgement.confidence < weak


def _files(found: Judgement, finder: Finder) -> list[str]:
    looked_at = [fact.file for fact in found.evidence if fact.file in finder.workspace.files]
    return list(dict.fromkeys([*looked_at, *finder.by_words(found.requirement)]))[:MOST]


def _facts(found: Judgement) -> Block:
    facts = [("for" if fact.supports else "against", _place(fact.file, fact.line), fact.words) for fact in found.evidence]
    lines = [f"{side}: {place}{words}" for side, place, words in facts]
    return Block("FACTS", "\n".join(lines) or "No fact of the files bears on it.")


def _place(file: str, line: int) -> str:
    return f"{file}:{line}: " if file and line else f"{file}: " if file else ""


def _log(log: Trajectory | None) -> list[Block]:
    return [Block("LOG", flatten(log, _LOG_TOKENS), False)] if log is not None else []


def _fitted(tree: Block, blocks: Sequence[Block]) -> list[Block]:
    return fit(blocks, EVIDENCE_TOKENS - len(tree.text) / CHARS_PER_TOKEN)
