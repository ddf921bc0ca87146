"""A free question about a workspace: answered from located files and code search; without a model, the search alone."""

from tenfold.core.errors import BadInput
from tenfold.judge.accounting import Asker, Books
from tenfold.judge.agent import EVIDENCE_TOKENS
from tenfold.judge.code_search import CodeSearch
from tenfold.judge.locate import Finder, listing, locate
from tenfold.judge.prompts import Block, question_messages
from tenfold.judge.reading import Reader, fit
from tenfold.judge.trajectory import CHARS_PER_TOKEN
from tenfold.judge.types import Requirement
from tenfold.judge.workspace import Workspace
from tenfold.llm import background
from tenfold.llm.client import Client

__all__ = ["ask_anything", "passages"]


def ask_anything(workspace: Workspace, question: str, client: Client, books: Books | None = None) -> str:
    """A model's answer to a question, from the files of a workspace.

    Raises:
        BadInput: the question is empty.
        BudgetReached, ModelError: as the client.
    """
    return background.run(_answer(workspace, _checked(question), Asker(client, books)))


def passages(workspace: Workspace, question: str, k: int = 5) -> list[tuple[str, int, str]]:
    """Where in the workspace's code the words of a question stand, best first: (file, line from 1, text). Needs no model.

    Raises:
        BadInput: the question is empty.
    """
    return [(one.file, one.line, one.text) for one in CodeSearch(workspace).top(_checked(question), k)]


async def _answer(workspace: Workspace, question: str, asker: Asker) -> str:
    finder = Finder(workspace)
    wanted = Requirement("question", question)
    paths = (await locate(asker, finder, (wanted,)))[wanted.id]
    files = await Reader(asker, workspace).blocks(paths)
    code = [Block("CODE", f"line {one.line}:\n{one.text}", False, one.file) for one in CodeSearch(workspace).top(question)]
    tree = Block("FILES", listing(workspace, first=paths))
    blocks = [tree, *fit([*files, *code], EVIDENCE_TOKENS - len(tree.text) / CHARS_PER_TOKEN)]
    return await asker.ask(question_messages(blocks, question), "answer", wanted.id, max_tokens=1_000)


def _checked(question: str) -> str:
    if not question.strip():
        raise BadInput("The question is empty.")
    return question
