"""Generated questions: right, different, repeatable."""

import pytest

from tenfold.core.errors import BadInput
from tenfold.llm import engine
from tenfold.semgrad import prompts
from tenfold.semgrad.questions import FAMILIES, generate
from tenfold.semgrad.tasks import TASKS


def answer(task: str, question: str) -> str:
    """What the two-leaf graph answers with the right instructions."""
    right, shown = TASKS[task].right, {"question": question}
    hints = [
        prompts.parse_output(engine.reply(prompts.forward_prompt(right[name], shown, ()))) for name in ("first", "second")
    ]
    return prompts.parse_output(engine.reply(prompts.forward_prompt(right["answer"], shown, hints)))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_right_instructions_answer_every_generated_question(family: str) -> None:
    assert [answer(family, row["question"]) for row in generate(family, 400, 3)] == [
        row["target"] for row in generate(family, 400, 3)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_are_different_and_the_same_seed_gives_the_same(family: str) -> None:
    made = generate(family, 300, 1)
    assert len({row["question"] for row in made}) == 300
    assert made == generate(family, 300, 1) != generate(family, 300, 2)
    assert generate(family, 100, 1) == made[:100]


@pytest.mark.parametrize(("family", "share"), [("navigate", 0.35), ("boolean", 0.35)])
def test_yes_and_no_are_balanced(family: str, share: float) -> None:
    targets = [row["target"] for row in generate(family, 1000, 5)]
    assert share < sum(target in ("Yes", "True") for target in targets) / 1000 < 1 - share


def test_unknown_families_and_numbers_are_refused() -> None:
    with pytest.raises(BadInput, match="no family"):
        generate("poetry", 3)
    with pytest.raises(BadInput, match="can't be made"):
        generate("navigate", -1)
    with pytest.raises(BadInput, match="can't be made"):
        generate("boolean", 1_000_000)


@pytest.mark.data
@pytest.mark.parametrize("task", TASKS)
def test_the_right_instructions_answer_the_real_questions(task: str, data) -> None:
    from tenfold.semgrad.tasks import load

    train, test = load(TASKS[task], data)
    rows = train + test
    assert sum(answer(task, row["question"]) == row["target"] for row in rows) >= 0.98 * len(rows)
