"""A scripted model that is right on every second question whatever it is told, and always has something to say."""

import hashlib
import re

__all__ = ["answer", "reply", "role"]


def role(prompt: str) -> str:
    """Which of the three jobs a prompt asks for."""
    if prompt.startswith("# ") and "# Feedback" in prompt:
        return "backward"
    return "optimise" if "# Instruction" in prompt else "forward"


def answer(prompt: str) -> str:
    """A reply to any of tenfold's prompts."""
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:8]
    if role(prompt) == "backward":
        return "\n".join(f"{name}: make it {digest}." for name in re.findall(r"^(Hint ?\d*):$", prompt, re.MULTILINE))
    if role(prompt) == "optimise":
        return f"Shorter is better. <prompt>Do it the {digest} way.</prompt>"
    numbers = [int(found) for found in re.findall(r"\d+", prompt.split("# Task")[0])]
    return f"<output>{'Yes' if numbers and sum(numbers) % 2 else digest}</output>"


def reply(request) -> str:
    """The same as `script:tests.semgrad.half_right:reply`."""
    return answer(request.prompt)
