"""A model for the command line: locates nothing, finds everything satisfied."""

from tenfold.llm.types import Request


def reply(request: Request) -> str:
    return "none" if request.role == "locate" else "<SATISFIED> It is there."
