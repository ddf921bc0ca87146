"""Every word that a model reads, and how its replies are read: three prompts (forward, backward, optimise), three parsers.

Sections begin with a line `# Name`; values are indented by one tab, so that no value can pass for a section. What stands
in a backward prompt is the neighbourhood (section 1.1 of the spec):

| level | shows |
|---|---|
| full | the node's instruction, the question, the hints of all predecessors, its output, the feedback; one call |
| self | the same with one hint, under its number; one call for each predecessor |
| bare | one hint, the output, the feedback; neither instruction, question nor number; one call for each predecessor |
| none | there is no backward call, and no feedback stands in any prompt |
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "Example",
    "backward_prompt",
    "context_block",
    "forward_prompt",
    "hints_block",
    "hints_schema",
    "input_blocks",
    "judge_prompt",
    "optimise_prompt",
    "parse_hints",
    "parse_instruction",
    "parse_judgement",
    "parse_output",
    "repaired",
    "task_block",
]

FINISH = "Show your reasoning. Finish with the result alone between <output> and </output>."
ADVISE_ALL = (
    "For each hint, say how it should change so that the output follows the feedback, or that it should stay. "
    'Write one line for each hint, beginning with "Hint" and its number.'
)
ADVISE_ONE = (
    "Say how the hint should change so that the output follows the feedback, or that it should stay. "
    'Write one line, beginning with "Hint{number}".'
)
PURPOSE = "An instruction steers one part of a larger system. The part received the inputs below and did not do well."
IMPROVE = (
    "Write a better instruction for this part. Show your reasoning. The instruction must hold for other inputs too: "
    "it mentions neither the examples nor the feedback. Put it alone between <prompt> and </prompt>."
)

REPAIR = 'An earlier reply to this had no line for {missing}. Begin each line with "Hint" and its number.'
JUDGE = "Say how well the output meets the criterion, and how it should change. Show your reasoning. Finish with two lines:"
JUDGE_LINES = "Score: a number from 0 to 1\nFeedback: one sentence on how the output should change"


class Example(NamedTuple):
    """What the optimiser sees of one sample at one node: the input blocks, the node's output, feedback on it (or none)."""

    inputs: str
    output: str
    feedback: tuple[str, ...]


def input_blocks(queries: Mapping[str, str], hints: Sequence[str]) -> str:
    """The sections Context and Hints: what a node receives.

    Args:
        queries: values of query variables by name.
        hints: values of the node's predecessors, in the order of its inputs.
    """
    return "\n\n".join(block for block in (context_block(queries), hints_block(hints)) if block)


def context_block(queries: Mapping[str, str]) -> str:
    """The section Context; empty without query variables."""
    if not queries:
        return ""
    return "# Context\n" + "\n".join([f"{_title(name)}:\n{_indented(text)}" for name, text in queries.items()])


def hints_block(hints: Sequence[str]) -> str:
    """The section Hints; empty without hints."""
    if not hints:
        return ""
    return "# Hints\n" + "\n".join([f"Hint {i}:\n{_indented(text)}" for i, text in enumerate(hints, start=1)])


def task_block(instruction: str, output_format: str = "") -> str:
    """The end of a forward prompt: the instruction, and how to finish."""
    return f"# Task\n{_indented(instruction)}\n\n{f'{FINISH} {output_format}'.strip()}"


def forward_prompt(instruction: str, queries: Mapping[str, str], hints: Sequence[str], output_format: str = "") -> str:
    """The prompt of a node's own job."""
    blocks = (context_block(queries), hints_block(hints), task_block(instruction, output_format))
    return "\n\n".join([block for block in blocks if block])


def backward_prompt(
    level: str,
    instruction: str,
    queries: Mapping[str, str],
    hints: Mapping[int, str],
    output: str,
    feedback: Sequence[str],
) -> str:
    """The prompt that asks how a node's hints should change.

    Args:
        level: "full", "self" or "bare".
        instruction: of the node.
        queries: of the node, by name.
        hints: shown hints by number (1, 2, ...): all for "full", one for "self" and "bare".
        output: the node's value.
        feedback: on the node's value, one or more.
    """
    blocks = []
    if level != "bare":
        blocks.append(f"# Task\n{_indented(instruction)}")
        if queries:
            blocks.append(context_block(queries))
    named = [(f"Hint {number}" if level != "bare" else "Hint", text) for number, text in hints.items()]
    blocks.append("# Hints\n" + "\n".join(f"{name}:\n{_indented(text)}" for name, text in named))
    blocks.append(f"# Output\n{_indented(output)}")
    blocks.append("# Feedback\n" + _numbered(feedback))
    number = "" if level == "bare" else f" {next(iter(hints))}"
    blocks.append(ADVISE_ALL if level == "full" else ADVISE_ONE.format(number=number))
    return "\n\n".join(blocks)


def optimise_prompt(instruction: str, examples: Sequence[Example]) -> str:
    """The prompt that asks for a better instruction of a node."""
    blocks = [PURPOSE, f"# Instruction\n{_indented(instruction)}"]
    for number, example in enumerate(examples, start=1):
        parts = [f"# Example {number}\nInput:\n{_indented(example.inputs)}\nOutput:\n{_indented(example.output)}"]
        if example.feedback:
            parts.append("Feedback:\n" + _indented(_numbered(example.feedback, indent="")))
        blocks.append("\n".join(parts))
    return "\n\n".join([*blocks, IMPROVE])


def repaired(prompt: str, missing: Sequence[int]) -> str:
    """A backward prompt once more, after a reply that lacked hints."""
    return f"{prompt}\n\n{REPAIR.format(missing=', '.join(f'Hint {number}' for number in missing))}"


def judge_prompt(criterion: str, queries: Mapping[str, str], output: str, target: str = "") -> str:
    """The prompt that asks for a score of an answer."""
    blocks = [input_blocks(queries, ()), f"# Criterion\n{_indented(criterion)}", f"# Output\n{_indented(output)}"]
    if target:
        blocks.append(f"# Target\n{_indented(target)}")
    return "\n\n".join([*(block for block in blocks if block), f"{JUDGE}\n{JUDGE_LINES}"])


def hints_schema(numbers: Sequence[int]) -> dict[str, Any]:
    """JSON schema of a backward reply, for servers that can keep to one: {"Hint 1": "...", ...}."""
    names = [f"Hint {number}" for number in numbers]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
        "additionalProperties": False,
    }


def parse_output(reply: str) -> str:
    """The value in a forward reply: the text in the first pair of output tags, else the whole reply."""
    found = _OUTPUT.search(reply)
    return (found[1] if found else reply).strip()


def parse_hints(reply: str, numbers: Sequence[int]) -> dict[int, str]:
    """Advice by hint number in a backward reply; hints without a line are absent. Never raises.

    Reads JSON of `hints_schema`, else lines that begin with "Hint" and a number, in any decoration (bullets, bold,
    colon); what follows such a line up to the next one belongs to it. Of two lines for a hint the last counts. When one
    hint was asked for, a line without a number, or a reply without any such line, is its advice.
    """
    found = _from_json(reply, numbers)
    if found:
        return found
    current: int | None = None
    lines: dict[int, list[str]] = {}
    for line in reply.splitlines():
        match = _HINT_LINE.match(line)
        if match and (match[1] or len(numbers) == 1):
            current = int(match[1]) if match[1] else numbers[0]
            lines[current] = [match[2].strip()]
        elif current is not None:
            lines[current].append(line.strip())
    found = {number: " ".join(part for part in lines.get(number, ()) if part) for number in numbers}
    found = {number: text for number, text in found.items() if text}
    if not lines and len(numbers) == 1 and reply.strip():
        return {numbers[0]: " ".join(reply.split())}
    return found


def parse_instruction(reply: str) -> str | None:
    """The instruction in an optimiser's reply: the text in the last pair of prompt tags; None if there is none."""
    found = re.findall(r"<prompt>(.*?)</prompt>", reply, re.DOTALL | re.IGNORECASE)
    text = found[-1].strip() if found else ""
    return text or None


def parse_judgement(reply: str) -> tuple[float | None, str]:
    """Score in [0, 1] (or None) and feedback in a judge's reply: the last lines that begin so. Never raises."""
    scores = re.findall(r"(?im)^[\s*_#-]*score[\s*_]*:[\s*_]*(\d{1,9}(?:\.\d{1,9})?)(?:\s*/\s*(\d{1,6}))?", reply)
    words = re.findall(r"(?im)^[\s*_#-]*feedback[\s*_]*:[\s*_]*(.*)$", reply)
    feedback = words[-1].strip() if words else ""
    if not scores:
        return None, feedback
    value = float(scores[-1][0]) / float(scores[-1][1] or 1) if float(scores[-1][1] or 1) else -1.0
    return (value if 0 <= value <= 1 else None), feedback


_OUTPUT = re.compile(r"<output(?: statement)?>(.*?)(?:</output(?: statement)?>|\Z)", re.DOTALL | re.IGNORECASE)
# Up to six digits: a longer number is no hint, and int() of a huge one would be slow.
_HINT_LINE = re.compile(r"^[\s>*_#\-•`\"]*hint\b[\s#]*(\d{1,6})?[\s*_`\"]*[:.)\-–—]*[\s*_`\"]*(.*)$", re.IGNORECASE)


def _from_json(reply: str, numbers: Sequence[int]) -> dict[int, str]:
    start, end = reply.find("{"), reply.rfind("}")
    if start < 0 or end <= start:
        return {}
    try:
        made = json.loads(reply[start : end + 1])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(made, dict):
        return {}
    named = {" ".join(str(key).lower().split()): value for key, value in made.items()}
    found = {number: named.get(f"hint {number}") for number in numbers}
    return {number: " ".join(text.split()) for number, text in found.items() if isinstance(text, str) and text.strip()}


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return "Question" if words == "input" else words[:1].upper() + words[1:]


def _indented(text: str) -> str:
    if text.isprintable() and text:  # one line, which no kind of line break divides
        return "\t" + text
    return "\n".join(f"\t{line}" for line in text.splitlines()) or "\t"


def _numbered(items: Sequence[str], indent: str = "\t") -> str:
    return "\n".join(f"{indent}{number}. {' '.join(item.split())}" for number, item in enumerate(items, start=1))
