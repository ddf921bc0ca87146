"""A skeleton of requirements from the text of a task, made by rule: a start for a person, who reads and edits it."""

import re
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.linting import paths_in

__all__ = ["NOTICE", "draft", "draft_yaml"]

NOTICE = "Drafted by rule from the sentences of the task, without understanding them: read, correct and complete it."
LIMIT = 50_000
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\"'`(])|\n+")
_AND = re.compile(r",?\s+and\s+(?=(?:also\s+)?(?:save|store|write|generate|create|plot|report|record|print)\b)")
_MARK = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
# Category, stage (a later stage builds on the last requirement of earlier ones), and the words that name it.
_STAGES = (
    ("Human Computer Interaction", 3, r"interactive|dashboard|web ?page|app\b|gui|user|streamlit|gradio|command.line"),
    ("Visualization", 3, r"plot|figure|chart|visuali[sz]|curve|heat ?map|image|animation|gif\b|histogram|graph of"),
    ("Save Trained Model", 3, r"(?:save|store)\w*\b.*\bmodel|\bmodels?/|checkpoint|weights"),
    ("Performance Metrics", 3, r"accuracy|precision|recall|f1|metric|rmse|\bmae\b|\bmse\b|evaluat|score|return per"),
    ("Machine Learning Method", 2, r"model|classif|regress|train|network|cluster|algorithm|learning|predict|fine-?tun"),
    (
        "Data preprocessing and postprocessing",
        1,
        r"clean|preprocess|normali[sz]|tokeni[sz]|split|scal|augment|feature",
    ),
    ("Dataset or Environment", 0, r"data ?set|load|download|corpus|environment|csv\b|read\b"),
)
_ASKS = re.compile(
    r"\b(save|store|write|generate|create|build|implement|use|using|load|perform|apply|train|display|visuali[sz]e|plot|evaluate|"
    r"report|record|print|define|include|handle|download|tune|convert|log|read|make|add|develop|compare|must|should|please|need)",
    re.IGNORECASE,
)


class _Part(NamedTuple):
    text: str
    category: str
    stage: int


def draft(task: str, name: str = "task") -> dict[str, object]:
    """Requirements in DevAI's form: one for each sentence that asks for something, in its own words.

    A requirement builds on the last one of the nearest earlier stage (data, preparation, method, results) that has one.

    Args:
        task: the text that an agent is given.
        name: of the task.

    Returns:
        {name, query, notice, requirements: [{requirement_id, prerequisites, criteria, category}]}.

    Raises:
        BadInput: the text is empty, too long, or asks for nothing that the rules see.
    """
    if not task.strip():
        raise BadInput("The task is empty.", "Give its text, or the file that holds it.")
    if len(task) > LIMIT:
        raise BadInput(f"The task has {len(task):,} characters; the limit is {LIMIT:,}.")
    parts = [_part(text) for text in _clauses(task) if _ASKS.search(text) or paths_in(text)]
    if not parts:
        raise BadInput("No sentence of the task asks for anything that the rules see.", "Write the requirements by hand.")
    last: dict[int, int] = {}
    rows = []
    for number, part in enumerate(parts):
        before = next((last[stage] for stage in range(part.stage - 1, -1, -1) if stage in last), None)
        needs = [] if before is None else [before]
        rows.append({"requirement_id": number, "prerequisites": needs, "criteria": part.text, "category": part.category})
        last[part.stage] = number
    return {"name": name, "query": task.strip(), "notice": NOTICE, "requirements": rows}


def draft_yaml(found: dict[str, object]) -> str:
    """A draft as YAML that `load_requirements` reads, the notice as a comment on top."""
    import yaml

    body = {name: value for name, value in found.items() if name != "notice"}
    return f"# {NOTICE}\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def _clauses(task: str) -> list[str]:
    """Sentences and list items, cut before each "and" with which a new wish begins."""
    found = []
    for text in _SENTENCE.split(task):
        text = _MARK.sub("", text).strip()
        pieces = re.split(
            r",?\s+and\s+(?=(?:also\s+)?(?:save|store|write|generate|create|plot|report|record|print)\b)", text
        )
        found += [piece[:1].upper() + piece[1:] for piece in pieces if len(piece.split()) >= 2]
    return found


def _part(text: str) -> _Part:
    for category, stage, words in _STAGES:
        if re.search(words, text, re.IGNORECASE):
            return _Part(text, category, stage)
    return _Part(text, "Other", 2)
