"""What an agent did while it worked: read from the formats that agents write, and shortened for a model to read.

| format | told by |
|---|---|
| devai | an array of steps under the benchmark's schema (section 1.1 of the spec); a broken field is named |
| openhands | an array or lines of events with `source`, `action` or `observation` |
| metagpt | a team's state with `env.history.storage`, or an array of messages with `cause_by` |
| gpt-pilot | an array of rows with `messages` and `llm_response` or `response` |
| swe-agent | an object with `trajectory` and `info` |
| lines | JSON lines or an array of messages with `role` and `content`, calls and results, as coding agents print |
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput

__all__ = ["Step", "Trajectory", "flatten", "load", "middle_dropped"]

_LIMIT = 64 << 20
_MOST_STEPS = 100_000
# Characters of one token, about, where no tokenizer is at hand (section 4 of the spec).
CHARS_PER_TOKEN = 3.6
# Tokens of one step that are kept, by part; the paper's retrieve module.
_KEPT = {"user": 300, "action": 50, "thought": 100, "environment": 100}


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        number: as the format counts, from 0 where it does not.
        user: what a person said to the agent.
        thought: what the agent said or thought.
        action: what it did: a command, a call, an edit.
        environment: what came back.
        agent: its name, where there are several.
    """

    number: int
    user: str = ""
    thought: str = ""
    action: str = ""
    environment: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Trajectory:
    """An agent's run.

    Attributes:
        steps: in their order.
        cost: US dollars, or None where the format does not say.
        seconds: or None.
        self_terminated: whether the agent ended the run by itself, or None.
        format: which reader took it.
    """

    steps: tuple[Step, ...]
    cost: float | None = None
    seconds: float | None = None
    self_terminated: bool | None = None
    format: str = "devai"


def load(source: "str | os.PathLike[str] | Trajectory | Sequence[Any] | Mapping[str, Any]") -> Trajectory:
    """Read a trajectory.

    Args:
        source: a JSON or JSON-lines file of at most 64 MB, or what such a file holds; a `Trajectory` comes back as it is.

    Raises:
        BadInput: it cannot be read, is empty, is of no known format, or breaks its format (the step and field are named).
    """
    if isinstance(source, Trajectory):
        return source
    name = "The trajectory"
    found: Any = source
    if isinstance(source, (str, os.PathLike)):
        name, found = str(source), _parse(Path(source))
    from tenfold.judge.trajectory_formats import read

    made = read(found, name)
    if not made.steps:
        raise BadInput(f"{name} has no steps.", "Leave the trajectory out to judge the workspace alone.")
    if len(made.steps) > _MOST_STEPS:
        raise BadInput(f"{name} has {len(made.steps):,} steps; the limit is {_MOST_STEPS:,}.")
    return made


def flatten(trajectory: Trajectory, tokens: int = 10_000) -> str:
    """A trajectory as text: long parts lose their middle, and of the whole the last `tokens` tokens stay, in full steps."""
    kept: list[str] = []
    left = tokens * CHARS_PER_TOKEN
    for step in reversed(trajectory.steps):
        text = _step_text(step)
        if len(text) > left and kept:
            break
        kept.append(middle_dropped(text, tokens))
        left -= len(text)
    if len(kept) < len(trajectory.steps):
        kept.append(f"[{len(trajectory.steps) - len(kept)} earlier steps are left out]")
    return "\n\n".join(reversed(kept))


def middle_dropped(text: str, tokens: float) -> str:
    """A text of at most about `tokens` tokens: of a longer one the beginning and the end stay."""
    most = max(0, int(tokens * CHARS_PER_TOKEN))
    if len(text) <= most:
        return text
    mark = f"\n[... {len(text) - most:,} characters left out ...]\n"
    half = max(0, most - len(mark)) // 2
    return text[:half] + mark + (text[-half:] if half else "")


def _step_text(step: Step) -> str:
    agent = f" ({step.agent})" if step.agent else ""
    parts = [f"Step {step.number}{agent}"]
    for name, kept in _KEPT.items():
        text = getattr(step, name).strip()
        if text:
            parts.append(f"{name}: {middle_dropped(text, kept)}")
    return "\n".join(parts)


def _parse(path: Path) -> Any:
    """A JSON document, or the list of a file's JSON lines."""
    if not path.is_file():
        raise BadInput(f"The trajectory {path} does not exist." if not path.exists() else f"{path} is not a file.")
    try:
        if path.stat().st_size > _LIMIT:
            raise BadInput(f"{path} has {path.stat().st_size / 1e6:.0f} MB; the limit is {_LIMIT / 1e6:.0f} MB.")
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise BadInput(f"{path} is nested too deeply.") from error
    except ValueError as error:
        return _lines(path, text, error)


def _lines(path: Path, text: str, whole: ValueError) -> list[Any]:
    rows: list[Any] = []
    numbered = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for number, line in numbered:
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if number == numbered[-1][0] and len(rows) > 1:  # the last line of an agent that was stopped
                break
            where = f"line {whole.lineno}, column {whole.colno}" if isinstance(whole, json.JSONDecodeError) else "the start"
            if rows:
                where = f"line {number}"
            hint = "A trajectory is a JSON array of steps, or JSON lines."
            raise BadInput(f"{path} is not valid JSON at {where}.", hint) from error
    return rows
