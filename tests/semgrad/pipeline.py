"""A pipeline as a user would write it: arithmetic in two brackets, one bracket's instruction wrong; made by code."""

import json
import random
from pathlib import Path

NODES = [
    {"name": "first", "instruction": "Evaluate bracket 1, left to right.", "inputs": ["question"]},
    {"name": "second", "instruction": "Evaluate bracket 2, multiplying first.", "inputs": ["question"]},
    {
        "name": "answer",
        "instruction": "Combine the hints with the operator between the brackets.",
        "inputs": ["question", "first", "second"],
        "output": True,
    },
]


def questions(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Distinct questions whose first bracket must not be read from left to right, with their answers."""
    rng = random.Random(seed)
    found: dict[str, int] = {}
    while len(found) < count:
        a, b, c, d, e, f = (rng.randint(2, 9) for _ in range(6))
        sign = rng.choice("+-*")
        second = e * f - a
        value = {"+": a + b * c - d + second, "-": a + b * c - d - second, "*": (a + b * c - d) * second}[sign]
        found[f"(({a} + {b} * {c} - {d}) {sign} ({e} * {f} - {a})) ="] = value
    return [{"question": question, "target": str(value)} for question, value in found.items()]


def write(folder: Path, nodes=NODES, *, train=None, test=None, **settings) -> Path:
    """CONFIG with its two files; returns its path."""
    rows = questions(24)
    for name, found in (("train", rows[:10] if train is None else train), ("test", rows[10:] if test is None else test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    config = {"graph": {"nodes": nodes}, "train": "train.jsonl", "test": "test.jsonl", "models": "engine:rules", **settings}
    path = folder / "pipeline.json"
    path.write_text(json.dumps(config))
    return path
