"""Models for tests, as `script:tests.semgrad.scripted:NAME`: they answer the real prompts; some write down what they saw."""

import hashlib
import json
import os
import re
import time
from pathlib import Path

from tenfold.llm.types import Request


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def half_right(request: Request) -> str:
    """Right on some questions, by a hash of its prompt, so that better and worse instructions exist; proposals are new."""
    prompt, role = request.prompt, request.role
    if role == "forward":
        number = int(digest(prompt), 16)
        return f"Some reasoning.\n<output>{number % 3}</output>"
    if role == "backward":
        numbers = re.findall(r"^Hint (\d+):", prompt, re.MULTILINE) or [""]
        return "\n".join(f"Hint {n}: should be {int(digest(prompt + n), 16) % 3}." for n in numbers)
    return f"<prompt>Try {digest(prompt)[:8]}.</prompt>"


def noted(request: Request) -> str:
    """As `half_right`, slowly; writes every call down before it answers (a file named by the environment)."""
    line = json.dumps({"tag": request.tag, "key": request.key("script:tests.semgrad.scripted:noted")})
    descriptor = os.open(os.environ["SEMGRAD_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (line + "\n").encode())
    finally:
        os.close(descriptor)
    time.sleep(0.004)
    return half_right(request)


class Seen:
    """Prompts that `marked` saw."""

    prompts: list[tuple[str, str]] = []  # noqa: RUF012 - one list for all


def marked(request: Request) -> str:
    """Values carry a marker of their node and question; advice and proposals carry none. Prompts are kept in `Seen`."""
    Seen.prompts.append((request.tag, request.prompt))
    if request.role == "forward":
        question = re.findall(r"QUESTION-\d+", request.prompt)[-1]
        return f"<output>VALUE-{request.tag.partition(':')[2]}-{question.partition('-')[2]}-{len(Seen.prompts)}</output>"
    if request.role == "backward":
        numbers = re.findall(r"^Hint (\d+):", request.prompt, re.MULTILINE)
        return "\n".join(f"Hint {n}: should move." for n in numbers) or "Hint: should move."
    return f"<prompt>Instruction number {len(Seen.prompts)}.</prompt>"


def read_calls(path: Path) -> list[str]:
    """Keys of the calls that `noted` wrote down."""
    return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else []
