"""What a judging model gets to see of a file: its text with numbered lines, an image's description, or bare facts.

What is not shown is said to be not shown: a file of an unknown kind never passes for a good one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.judge.accounting import Asker
from tenfold.judge.artefacts import artefact_facts
from tenfold.judge.facts import Artefact
from tenfold.judge.prompts import Block, describe_messages
from tenfold.judge.trajectory import CHARS_PER_TOKEN, middle_dropped
from tenfold.judge.workspace import Workspace
from tenfold.llm.errors import CassetteMiss, RequestRefused
from tenfold.llm.types import image

__all__ = ["Reader", "fit"]

FILE_TOKENS = 2_000
_PLAIN = frozenset(
    {"python", "javascript", "typescript", "tsx", "html", "css", "shell", "code", "text", "markdown", "tex", "svg"}
    | {"csv", "tsv", "json", "jsonl", "yaml", "toml", "xml"}
)
_LARGEST_IMAGE = 8_000_000


class Reader:
    """Reads the files of one workspace for a model; every image is described once, however many requirements ask for it.

    Args:
        asker: sends images to the model.
        workspace: the files.
        describes: whether the model is asked what images show; else they are known by bare facts.
    """

    def __init__(self, asker: Asker, workspace: Workspace, describes: bool = True) -> None:
        self._asker, self._workspace = asker, workspace
        self._described: dict[str, asyncio.Task[str]] = {}
        self._is_blind = not describes

    async def blocks(self, paths: Iterable[str], tokens: int = FILE_TOKENS) -> list[Block]:
        """Key evidence of files, in the order of their paths, each of at most about `tokens` tokens."""
        return list(await asyncio.gather(*(self._block(path, tokens) for path in sorted(paths))))

    async def _block(self, path: str, tokens: int) -> Block:
        kind = self._workspace.files[path].kind
        if kind == "image":
            return Block("IMAGE", await self._image(path), file=path)
        text = self._text(path, kind, tokens)
        return Block("FILE", text or self._unseen(path), file=path)

    def _text(self, path: str, kind: str, tokens: int) -> str:
        """The text of a file, or "" where it has none that can be shown."""
        if kind in _PLAIN:
            text = self._workspace.read_text(path)
            return middle_dropped(_numbered(text), tokens) if text.strip() else "(The file is empty.)"
        artefact = self._artefact(path)
        return middle_dropped(f"({kind}: {artefact.why})\n{artefact.text}", tokens) if artefact.text else ""

    def _unseen(self, path: str) -> str:
        info, artefact = self._workspace.files[path], self._artefact(path)
        known = [f"{name}: {_short(value)}" for name, value in artefact.details.items()]
        return "\n".join([f"({info.kind} file of {info.size} bytes; its content is not shown; {artefact.why})", *known])

    def _artefact(self, path: str) -> Artefact:
        info = self._workspace.files[path]
        return artefact_facts(info.kind, self._workspace.read_bytes(path), info.size)

    async def _image(self, path: str) -> str:
        digest = self._workspace.files[path].sha256
        if digest not in self._described:
            self._described[digest] = asyncio.create_task(self._describe(path))
        # A requirement that is given up must not take the description from the others.
        described = await asyncio.shield(self._described[digest])
        return f"{self._unseen(path)}\nDescription by a model that saw it:\n{described}" if described else self._unseen(path)

    async def _describe(self, path: str) -> str:
        """What an image shows, or "" where the model takes no such image."""
        if self._is_blind or self._workspace.files[path].size > _LARGEST_IMAGE:
            return ""
        try:
            messages = describe_messages(image(self._workspace.read_bytes(path)))
            return await self._asker.ask(messages, "read", max_tokens=300)
        except BadInput:  # no PNG, JPEG, GIF or WebP
            return ""
        except CassetteMiss:  # a refusal is not recorded; whatever else changed, the question itself will miss
            return ""
        except RequestRefused as error:
            if error.ends_run:
                raise
            self._is_blind = True
            return ""


def fit(blocks: Sequence[Block], tokens: float) -> list[Block]:
    """Blocks that together have at most about `tokens` tokens: the longest lose their middle first."""
    left, most = tokens * CHARS_PER_TOKEN, float("inf")
    lengths = sorted(len(block.text) for block in blocks)
    for index, length in enumerate(lengths):
        share = left / (len(lengths) - index)
        if length > share:
            most = share
            break
        left -= length
    if most == float("inf"):
        return list(blocks)
    return [block._replace(text=middle_dropped(block.text, most / CHARS_PER_TOKEN)) for block in blocks]


def _numbered(text: str) -> str:
    return "\n".join(f"{number}| {line}" for number, line in enumerate(text.splitlines(), start=1))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."
