"""Mistakes on purpose, to study how much a method bears: lines of advice dropped, swapped or spoiled."""

import hashlib
import random
import re
from collections.abc import Sequence

__all__ = ["spoiled"]


def spoiled(lines: Sequence[str], prompt: str, noise: float) -> list[str]:
    """Lines of advice, each with probability `noise` (by the hash of the prompt) dropped, given another hint's text, or
    with its first number changed (without one: turned into a ban on nothing)."""
    seed = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    draw = random.Random(seed)
    kept = []
    for place, line in enumerate(lines):
        if draw.random() >= noise:
            kept.append(line)
            continue
        kind = draw.choice(("drop", "swap", "spoil"))
        name, _, text = line.partition(": ")
        if kind == "swap":
            text = lines[(place + 1) % len(lines)].partition(": ")[2]
        if kind == "spoil":
            shift = draw.choice((-3, -2, -1, 1, 2, 3))
            changed = re.sub(r"-?\d{1,15}", lambda match: str(int(match[0]) + shift), text, count=1)  # noqa: B023 - used at once
            text = changed if changed != text else "the feedback does not say."
        if kind != "drop":
            kept.append(f"{name}: {text}")
    return kept
