"""A scripted model that adds right where its last instruction says "carefully", and proposes that in anyone's format.

It reads the prompts of tenfold, TextGrad, OptoPrime, COPRO and GEPA by what they ask for.
"""

import json
import re

from tenfold.llm import Request

BETTER = "Add the numbers carefully."


def reply(request: Request) -> str:
    """A reply to any of the prompts."""
    return answer([(message.role, message.text) for message in request.messages])


def answer(messages: list[tuple[str, str]]) -> str:
    """A reply to messages of (role, text)."""
    system = "\n".join(text for role, text in messages if role == "system")
    prompt = messages[-1][1]
    if "# Task" in prompt and not system:
        return f"I add. <output>{_sum(prompt)}</output>"
    if "IMPROVED_VARIABLE" in system:
        return f"<IMPROVED_VARIABLE>{BETTER}</IMPROVED_VARIABLE>"
    if "#Instruction" in prompt:
        names = re.findall(r"\(str\) (instruction_\w+)=", prompt)
        return json.dumps({"reasoning": "care", "answer": "", "suggestion": dict.fromkeys(names, BETTER)})
    if "proposed_instruction" in system + prompt:
        fields = {"proposed_instruction": BETTER, "proposed_prefix_for_output_field": "Sum:"}
        return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items()) + "\n\n[[ ## completed ## ]]"
    return f"More care would help.\n```\n{BETTER}\n```"


def _sum(prompt: str) -> int:
    task = prompt.split("# Task")[1].split("\n\n")[0]
    first, second = re.findall(r"(\d+) plus (\d+)", prompt)[0]
    return int(first) + int(second) if "carefully" in task else 0


QUESTIONS = [{"id": str(i), "question": f"What is {i} plus {i + 1}?", "target": str(2 * i + 1)} for i in range(8)]
