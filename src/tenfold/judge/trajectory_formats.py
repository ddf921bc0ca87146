"""Readers of the trajectory formats: JSON values -> `Trajectory`. Which one takes a file is told by its shape alone."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.trajectory import Step, Trajectory

__all__ = ["DEVAI_SCHEMA", "read"]

_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_AMOUNT: dict[str, Any] = {"type": "number", "minimum": 0}
_USAGE = {
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "model": {"type": "string"},
    "cost": _AMOUNT,
    "llm_inference_time": _AMOUNT,
    "step_execution_time": _AMOUNT,
}
_TOTALS = {"accumulated_cost": _AMOUNT, "accumulated_time": _AMOUNT}
_AGENT = {"thought": {"type": "string"}, "action": _TEXT_OR_NULL, "agent_name": {"type": "string"}}
_STEP = {
    "step": {"type": "integer"},
    "user_message": _TEXT_OR_NULL,
    "agent": {"type": "object", "properties": _AGENT, "required": ["thought", "action"]},
    "environment": _TEXT_OR_NULL,
    "step_usage": {"type": "object", "properties": _USAGE, "required": list(_USAGE)},
    "accumulated_usage": {"type": "object", "properties": _TOTALS, "required": list(_TOTALS)},
}
# One step as DevAI's schema has it; amounts may not be negative.
DEVAI_SCHEMA: dict[str, Any] = {"type": "object", "properties": _STEP, "required": list(_STEP)}
_FINISHED = ("finish", "finished", "submitted", "success")
_KINDS = "a DevAI trajectory, OpenHands events, MetaGPT messages, GPT-Pilot rows, a SWE-agent run, or messages with roles"


class _Part(NamedTuple):
    """A piece of a step: user, thought, action or environment."""

    kind: str
    text: str
    agent: str = ""


def read(found: Any, name: str) -> Trajectory:
    """The trajectory that JSON values hold.

    Args:
        found: a parsed document, or the rows of JSON lines.
        name: of the file, for messages.

    Raises:
        BadInput: no reader knows it, or it breaks its format.
    """
    if isinstance(found, Mapping):
        return _object(found, name)
    if not isinstance(found, Sequence) or isinstance(found, (str, bytes)):
        raise BadInput(f"{name} is no trajectory: it holds {type(found).__name__}.", f"Known are {_KINDS}.")
    rows = [row for row in found if isinstance(row, Mapping)]
    if not rows:
        raise BadInput(f"{name} has no steps.", f"Known are {_KINDS}.")
    keys = {key for row in rows[:50] for key in row}
    if keys & {"step_usage", "accumulated_usage"} or {"user_message", "environment"} <= keys or {"step", "agent"} <= keys:
        return _devai(found, name)
    if keys & {"observation", "action"} and "source" in keys:
        return _openhands(rows)
    if "cause_by" in keys:
        return _metagpt(rows, None)
    if "messages" in keys and keys & {"llm_response", "response"}:
        return _gpt_pilot(rows)
    if keys & {"role", "message", "item", "payload"}:
        return _messages(rows)
    raise _unknown(name, keys)


def _object(found: Mapping[str, Any], name: str) -> Trajectory:
    history = found.get("env", {}).get("history") if isinstance(found.get("env"), Mapping) else None
    if isinstance(history, Mapping) and isinstance(history.get("storage"), list):
        spent = found.get("cost_manager") or found.get("env", {}).get("context", {}).get("cost_manager") or {}
        rows = [row for row in history["storage"] if isinstance(row, Mapping)]
        return _metagpt(rows, _number(spent.get("total_cost")) if isinstance(spent, Mapping) else None)
    if isinstance(found.get("trajectory"), list) and "info" in found:
        return _swe_agent(found)
    for key in ("history", "events", "steps", "messages", "trajectory"):
        if isinstance(found.get(key), list):
            return read(found[key], name)
    raise _unknown(name, found)


def _unknown(name: str, keys: Iterable[Any]) -> BadInput:
    known = ", ".join(sorted(map(str, keys))[:6]) or "nothing"
    return BadInput(f"{name} is of no known format: it holds {known}.", f"Known are {_KINDS}.")


def _devai(rows: Sequence[Any], name: str) -> Trajectory:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(DEVAI_SCHEMA)
    for index, row in enumerate(rows):
        error = next(iter(sorted(validator.iter_errors(row), key=lambda found: list(map(str, found.path)))), None)
        if error is not None:
            field = ".".join(str(part) for part in error.path)
            where = f"step {index}, field {field}" if field else f"step {index}"
            words = error.message if len(error.message) < 160 else f"{error.validator} {error.validator_value}"
            raise BadInput(f"{name} breaks the schema of trajectories at {where}: {words}.")
    steps = tuple(
        Step(
            row["step"],
            row["user_message"] or "",
            row["agent"]["thought"],
            row["agent"]["action"] or "",
            row["environment"] or "",
            row["agent"].get("agent_name", ""),
        )
        for row in rows
    )
    last = rows[-1]["accumulated_usage"]
    # An agent that is done takes no action in its last step; one that was stopped was about to.
    ended = rows[-1]["agent"]["action"] is None or _says_finish(steps[-1].action)
    return Trajectory(steps, float(last["accumulated_cost"]), float(last["accumulated_time"]), ended, "devai")


def _openhands(rows: Sequence[Mapping[str, Any]]) -> Trajectory:
    parts = [part for row in rows for part in _event(row)]
    costs = [_number(_dig(row, "llm_metrics", "accumulated_cost")) for row in rows]
    ended = any(row.get("action") == "finish" for row in rows)
    known = [cost for cost in costs if cost is not None]
    return Trajectory(_steps(parts), max(known) if known else None, _span(rows), ended, "openhands")


def _event(row: Mapping[str, Any]) -> Iterator[_Part]:
    args = row["args"] if isinstance(row.get("args"), Mapping) else {}
    if row.get("observation") not in (None, "null", "agent_state_changed"):
        yield _Part("environment", _text(row.get("content") or row.get("message")))
        return
    action = row.get("action")
    if action in (None, "null", "change_agent_state", "system", "recall"):
        return
    content = _text(args.get("content") or row.get("message"))
    if action == "message":
        yield _Part("user" if row.get("source") == "user" else "thought", content)
        return
    if args.get("thought"):
        yield _Part("thought", _text(args["thought"]))
    wanted = {key: value for key, value in args.items() if key in ("command", "code", "path", "url", "content") and value}
    yield _Part("action", f"{action}: " + ", ".join(_text(value) for value in wanted.values()))


def _metagpt(rows: Sequence[Mapping[str, Any]], cost: float | None) -> Trajectory:
    parts = []
    for row in rows:
        cause, role = str(row.get("cause_by", "")), str(row.get("role") or row.get("sent_from") or "")
        kind = "user" if cause.endswith(("UserRequirement", "BossRequirement")) or role.lower() == "human" else "thought"
        action = cause.rpartition(".")[2]
        parts.append(_Part(kind, _text(row.get("content")), role))
        if kind == "thought" and action:
            parts.append(_Part("action", action, role))
    return Trajectory(_steps(parts), cost, None, None, "metagpt")


def _gpt_pilot(rows: Sequence[Mapping[str, Any]]) -> Trajectory:
    steps = []
    for number, row in enumerate(rows):
        asked = _maybe_json(row.get("messages"))
        asked = [m for m in asked if isinstance(m, Mapping)] if isinstance(asked, list) else []
        answer = _maybe_json(row.get("llm_response", row.get("response")))
        said = answer.get("text") or answer.get("content") if isinstance(answer, Mapping) else answer
        prompt = str(row.get("prompt_path") or "")
        steps.append(
            Step(number, _text(asked[-1].get("content")) if asked else "", _text(said), prompt, "", _text(row.get("agent")))
        )
    seconds = [value for value in (_number(row.get("duration")) for row in rows) if value is not None]
    return Trajectory(tuple(steps), None, sum(seconds) if seconds else None, None, "gpt-pilot")


def _swe_agent(found: Mapping[str, Any]) -> Trajectory:
    rows = [row for row in found["trajectory"] if isinstance(row, Mapping)]
    steps = tuple(
        Step(
            number,
            "",
            _text(row.get("thought") or row.get("response")),
            _text(row.get("action")),
            _text(row.get("observation")),
        )
        for number, row in enumerate(rows)
    )
    status = str(_dig(found, "info", "exit_status") or "")
    cost = _number(_dig(found, "info", "model_stats", "instance_cost"))
    return Trajectory(steps, cost, None, status.lower().startswith("submitted"), "swe-agent")


def _messages(rows: Sequence[Mapping[str, Any]]) -> Trajectory:
    """Messages with roles, bare or wrapped, and a closing row with the totals where the agent prints one."""
    parts: list[_Part] = []
    cost = seconds = None
    ended: bool | None = None
    for row in rows:
        if row.get("type") == "result":
            cost = _number(row.get("total_cost_usd", row.get("cost_usd")))
            took = _number(row.get("duration_ms"))
            seconds = None if took is None else took / 1000
            ended = not row.get("is_error", False) and str(row.get("subtype", "success")).lower() in _FINISHED
            continue
        parts += _message(_unwrapped(row))
    return Trajectory(_steps(parts), cost, seconds, ended, "lines")


def _unwrapped(row: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("message", "payload", "item"):
        if isinstance(row.get(key), Mapping):
            return row[key]
    return row


def _message(row: Mapping[str, Any]) -> Iterator[_Part]:
    role, kind = str(row.get("role", "")), str(row.get("type", ""))
    if kind in ("function_call", "command_execution", "file_change", "mcp_tool_call"):
        yield _Part("action", _call(row))
        if row.get("aggregated_output"):
            yield _Part("environment", _text(row["aggregated_output"]))
        return
    if kind == "function_call_output" or role in ("tool", "function"):
        yield _Part("environment", _text(row.get("output", row.get("content"))))
        return
    if role == "system":
        return
    own = "user" if role in ("user", "human") else "thought"
    content = row.get("content", row.get("text"))
    for block in content if isinstance(content, list) else [content]:
        yield from _block(block, own)
    for call in row.get("tool_calls") or ():
        yield _Part("action", _call(call["function"] if isinstance(call.get("function"), Mapping) else call))


def _block(block: Any, own: str) -> Iterator[_Part]:
    kind = block.get("type") if isinstance(block, Mapping) else ""
    if kind == "tool_use":
        yield _Part("action", _call(block))
    elif kind == "tool_result":
        yield _Part("environment", _text(block.get("content")))
    elif kind in ("thinking", "reasoning"):
        yield _Part("thought", _text(block.get("thinking", block.get("text"))))
    elif block is not None:
        yield _Part(own, _text(block))


def _call(row: Mapping[str, Any]) -> str:
    given = row.get("input", row.get("arguments", row.get("command", row.get("changes", ""))))
    return (
        f"{row.get('name') or row.get('type')}: {given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)}"
    )


def _steps(parts: Sequence[_Part]) -> tuple[Step, ...]:
    """Parts in their order, as steps: each begins with what a person says, or after the environment has answered."""
    order: Callable[[str], int] = ("user", "thought", "action", "environment").index
    steps: list[dict[str, Any]] = []
    last = 3
    for part in parts:
        if not part.text.strip():
            continue
        rank = order(part.kind)
        is_other = bool(steps) and steps[-1]["agent"] != part.agent
        if not steps or is_other or rank < last or (rank == last and part.kind != "environment"):
            steps.append({"number": len(steps), "agent": part.agent})
        one = steps[-1]
        one[part.kind] = f"{one[part.kind]}\n{part.text}" if part.kind in one else part.text
        last = rank
    return tuple(Step(**one) for one in steps)


def _text(value: Any) -> str:
    """Text of a string, of blocks with text, or JSON of anything else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value)
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return value["text"]
    if isinstance(value, Mapping) and value.get("type") in ("image", "image_url", "input_image"):
        return "[image]"
    return json.dumps(value, ensure_ascii=False)


def _maybe_json(value: Any) -> Any:
    """Databases keep JSON as text."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return float(value) if is_number else None


def _dig(row: Any, *keys: str) -> Any:
    for key in keys:
        row = row.get(key) if isinstance(row, Mapping) else None
    return row


def _span(rows: Sequence[Mapping[str, Any]]) -> float | None:
    from datetime import datetime

    try:
        times = [datetime.fromisoformat(str(row["timestamp"])) for row in (rows[0], rows[-1])]
        return max(0.0, (times[1] - times[0]).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _says_finish(action: str) -> bool:
    return action.strip().lower().rstrip(".!") in ("finish", "finished", "done", "exit")
