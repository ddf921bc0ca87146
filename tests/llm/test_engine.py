"""The rules engine: exact sentences, exact inference, and nothing but the prompt."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.llm import engine
from tenfold.llm.engine import advice, language
from tenfold.llm.engine.forms import Context, Form
from tenfold.semgrad import prompts

ARITHMETIC = "((2 + 3 * -4 - 1) * (5 - 2 + 1 * 2)) ="
ROUTE = "Do you return? Take 3 steps. Turn left. Take 2 steps. Turn around. Take 5 steps backward."
LIST = "I have a lamp, two chairs, a fridge, three beds, and an oven. How many objects do I have?"
STORY = (
    "Al, Bo, and Cy play: Al has a red ball, Bo has a blue ball, and Cy has a green ball.\n"
    "First, Al and Bo swap balls. Then, Bo and Cy swap balls. Finally, Al and Cy swap balls. At the end, Cy has the\n"
    "Options:\n(A) red ball\n(B) blue ball\n(C) green ball"
)
LOGIC = "not True or False and ( True or False ) is"


def carry_out(instruction: str, question: str, *hints: str) -> str:
    return prompts.parse_output(engine.reply(prompts.forward_prompt(instruction, {"question": question}, hints)))


def advise(level: str, instruction: str, question: str, hints: dict[int, str], output: str, target: str) -> dict[int, str]:
    made = prompts.backward_prompt(
        level, instruction, {"question": question}, hints, output, [f"The output should be {target}."]
    )
    return prompts.parse_hints(engine.reply(made), list(hints))


def improve(instruction: str, *examples: prompts.Example) -> str | None:
    return prompts.parse_instruction(engine.reply(prompts.optimise_prompt(instruction, examples)))


def leaf_example(question: str, output: str, *feedback: str) -> prompts.Example:
    return prompts.Example(prompts.input_blocks({"question": question}, ()), output, feedback)


@pytest.mark.parametrize(
    ("instruction", "question", "value"),
    [
        ("Evaluate bracket 1, multiplying first.", ARITHMETIC, "-11"),
        ("Evaluate bracket 1, adding and subtracting first.", ARITHMETIC, "-25"),
        ("Evaluate bracket 1, left to right.", ARITHMETIC, "-21"),
        ("Evaluate bracket 1, right to left.", ARITHMETIC, "-13"),
        ("evaluate  bracket 2,\n multiplying first", ARITHMETIC, "unknown"),  # a line break ends a sentence
        ("EVALUATE bracket 2,  multiplying first", ARITHMETIC, "5"),
        ("Report the smallest number.", ARITHMETIC, "-4"),
        ("Walk the route obeying the turns and report the forward distance.", ROUTE, "3"),
        ("Walk the route obeying the turns and report the sideways distance.", ROUTE, "-7"),
        ("Walk the route ignoring the turns and report the forward distance.", ROUTE, "0"),
        ("Walk the route ignoring the turns and report the total distance.", ROUTE, "10"),
        ("Count the things in the first half of the list, with their quantities.", LIST, "4"),
        ("Count the things in the second half of the list, with their quantities.", LIST, "4"),
        ("Count the things in the whole of the list, one for each entry.", LIST, "5"),
        (
            "Follow the first half of the swaps and report who has what.",
            STORY,
            "Al: blue ball, Bo: red ball, Cy: green ball",
        ),
        ("Trace the asked person back through the second half of the swaps and report the name.", STORY, "Al"),
        ("Evaluate the part before the main operator, and before or.", LOGIC, "False"),
        ("Evaluate the part before the main operator, ignoring every not.", LOGIC, "True"),
        ("Evaluate the whole expression, and before or.", LOGIC, "False"),
        ('For "chairs", add 2. For "oven", add 3. For "hair", add 9. Negate the result.', LIST, "-5"),
        ('For "lamp", add 2. Answer Yes if the result is more than 1, else No.', LIST, "Yes"),
    ],
)
def test_a_sentence_means_exactly_this(instruction: str, question: str, value: str) -> None:
    assert carry_out(instruction, question) == value


@pytest.mark.parametrize(
    ("instruction", "question", "hints", "value"),
    [
        ("Combine the hints with the operator between the brackets.", ARITHMETIC, ("-11", "5"), "-55"),
        ("Add the hints.", "", ("1,200", "-3", "4"), "1201"),
        ("Subtract hint 2 from hint 1.", "", ("5", "7"), "-2"),
        ("Subtract hint 1 from hint 2.", "", ("5", "7"), "2"),
        ("Report hint 3.", "", ("a", "b", "c d"), "c d"),
        ("Answer Yes if all hints are 0, else No.", "", ("0", "0"), "Yes"),
        ("Answer Yes if all hints are 0, else No.", "", ("0", "1"), "No"),
        ("Answer Yes if the hints sum to more than -3, else No.", "", ("-1", "-1"), "Yes"),
        ("Answer True if exactly one hint is True, else False.", "", ("True", "True"), "False"),
        ("Report the option that hint 2 has in hint 1.", STORY, ("Al: red ball, Bo: green ball", "Bo"), "(C)"),
        ("Combine the hints with the main operator.", LOGIC, ("False", "True"), "True"),
        ("Add the hints.", "", ("one", "2"), "unknown"),
    ],
)
def test_a_combining_sentence_means_exactly_this(
    instruction: str, question: str, hints: tuple[str, ...], value: str
) -> None:
    assert carry_out(instruction, question, *hints) == value


def test_what_cannot_be_followed_is_named() -> None:
    reply = engine.reply(prompts.forward_prompt("Think hard. Report the last number.", {"question": ARITHMETIC}, ()))
    assert "I could not follow: Think hard" in reply
    assert prompts.parse_output(reply) == "2"
    assert carry_out("Be brilliant.", ARITHMETIC) == "unknown"


def test_a_prompt_of_no_known_kind_gets_an_honest_answer() -> None:
    assert "not a language model" in engine.reply("Who wrote Faust?")


def test_full_advice_finds_the_values_that_explain_the_answer() -> None:
    combine = "Combine the hints with the operator between the brackets."
    found = advise("full", combine, ARITHMETIC, {1: "-21", 2: "-4"}, "84", "-55")
    assert advice.wish(found[1]).wanted == (True, frozenset({"-11"}))
    assert advice.wish(found[2]).wanted == (True, frozenset({"5"}))


def test_advice_keeps_a_hint_that_need_not_change() -> None:
    combine = "Combine the hints with the operator between the brackets."
    found = advise("full", combine, ARITHMETIC, {1: "-21", 2: "5"}, "-105", "-55")
    assert advice.wish(found[1]).of("-11") > 0.5
    assert "stay 5" in found[2]


def test_a_hidden_sibling_is_inferred_from_the_output_where_it_can_be() -> None:
    combine = "Combine the hints with the operator between the brackets."
    found = advise("self", combine, ARITHMETIC, {1: "-21"}, "-105", "-55")
    assert advice.wish(found[1]).of("-11") > 0.5


def test_advice_from_a_hint_alone_is_the_difference_or_a_ban() -> None:
    assert advise("bare", "", "", {1: "4"}, "7", "9")[1] == "should be 6."
    assert advise("bare", "", "", {1: "4"}, "No", "Yes")[1] == "should not be 4."


def test_without_a_known_explanation_the_combination_is_inverted() -> None:
    found = advise("full", "Add the hints.", "no numbers here", {1: "4", 2: "5"}, "9", "20")
    assert advice.wish(found[1]).of("15") == pytest.approx(0.5)
    assert advice.wish(found[2]).of("16") == pytest.approx(0.5)


def test_the_instruction_that_explains_the_feedback_is_proposed() -> None:
    examples = [
        leaf_example(ARITHMETIC, "-21", "should be -11."),
        leaf_example("((1 + 2 * 3 - 4) + (5 + 6)) =", "5", "should be 3."),
    ]
    assert improve("Evaluate bracket 1, left to right.", *examples) == "Evaluate bracket 1, multiplying first."


def test_an_instruction_that_explains_the_feedback_is_kept_as_it_was_written() -> None:
    told = "evaluate bracket 1, multiplying first"
    assert improve(told, leaf_example(ARITHMETIC, "-11", "should stay -11.")) == told


def test_without_feedback_a_sentence_that_applies_is_drawn() -> None:
    drawn = improve("Report the last number.", leaf_example(LIST, "unknown"))
    assert drawn is not None
    assert drawn.startswith("Count the things")


def test_many_hints_and_examples_are_borne() -> None:
    hints = [str(number) for number in range(1500)]
    example = prompts.Example(prompts.input_blocks({"question": ARITHMETIC}, hints), "5", ("1. The output should be 7.",))
    assert improve("Add the hints.", *[example] * 3)
    shown = dict(enumerate(hints[:60], start=1))
    assert len(advise("full", "Add the hints.", ARITHMETIC, shown, "5", "7")) == 60
    assert len(advise("full", "Add the hints.", ARITHMETIC, dict(list(shown.items())[:8]), "5", "7")) == 8


def test_a_rule_for_a_word_is_learnt() -> None:
    made = improve(
        'For "dog", add 1.', leaf_example("The cat sat.", "0", "should be 1."), leaf_example("A cat!", "0", "should be 1.")
    )
    assert made is not None
    assert '"cat", add 1' in made


@given(st.dictionaries(st.text(max_size=12), st.floats(0.03, 1), min_size=1, max_size=6), st.text(max_size=12))
def test_advice_is_read_as_it_was_written(shares: dict[str, float], now: str) -> None:
    shares = {advice.normal(value): share / sum(shares.values()) for value, share in shares.items()}
    read = advice.wish(advice.words(shares, now))
    for value, share in shares.items():
        if advice.LEAST <= share < 1 - advice.LEAST:
            assert read.of(value) == pytest.approx(share, abs=0.006)


def test_feedback_of_an_exact_loss_is_read_whole() -> None:
    assert advice.wish("1. The output should be San Francisco or Rome.").wanted == (
        True,
        frozenset({"San Francisco or Rome"}),
    )
    assert advice.wish("1. The output should be -25.").wanted == (True, frozenset({"-25"}))
    assert advice.wish("Well done.").is_empty


PIECES = st.sampled_from(
    ["# Task\n", "# Context\nQuestion:\n", "# Hints\n", "Hint 1:\n", "Hint 999999999999:\n", "# Output\n", "# Feedback\n",
     "\t", "# Instruction\n", "# Example 1\n", "Input:\n", "Feedback:\n", "\n", "\n\n", "Add the hints.",
     ARITHMETIC, LIST, STORY, LOGIC, ROUTE, "1. should be 4 (30 %) or stay 5", "Evaluate bracket 2, left to right.", "((((",
     "For each hint, say", "Hint 7:\n", "# Hints\nHint 2:\n\t3", "# Feedback\n\t1. should be 7.", "# Task\n\tAdd the hints.",
     'For "x", add 1.',
     "9" * 400, "\r\0\x85"]
)  # fmt: skip


@settings(max_examples=300, deadline=2000)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=25).map("".join))
def test_any_text_gives_a_text_in_time(prompt: str) -> None:
    assert isinstance(engine.reply(prompt, noise=0.5), str)
    assert engine.reply(prompt)


@pytest.mark.parametrize(
    "question",
    ["(" * 50_000, "(" + "1 * 9 + " * 20_000 + "1)", "not " * 50_000 + "True", "I have " + "a b, " * 20_000 + ". How many",
     "Take 999999999 steps. " * 20_000, "Options:\n" + "(A) x\n" * 20_000, "a and b swap " * 20_000, '"' * 50_000],
    ids=["brackets", "product", "not", "list", "route", "options", "swaps", "quotes"],
)  # fmt: skip
def test_a_huge_question_is_answered(question: str) -> None:
    for step in language.library("leaf"):
        step.apply(None, Context(question), ())
    assert engine.reply(prompts.forward_prompt(question, {"question": question}, [question]))


def _prompts() -> list[str]:
    made = [prompts.forward_prompt("Report the last number.", {"question": ARITHMETIC}, ())]
    for level, hints in (("full", {1: "3", 2: "4"}), ("self", {2: "4"}), ("bare", {1: "3"})):
        made.append(
            prompts.backward_prompt(
                level, "Add the hints.", {"question": ARITHMETIC}, hints, "7", ["The output should be 9."]
            )
        )
    made.append(prompts.optimise_prompt("Report the last number.", [leaf_example(ARITHMETIC, "2", "should be 3.")]))
    made.append(prompts.optimise_prompt("Report the last number.", [leaf_example(ARITHMETIC, "2")]))
    return made


def test_replies_depend_on_the_prompt_alone_in_any_order_and_any_process() -> None:
    made = _prompts()
    here = [engine.reply(prompt) for prompt in made]
    shuffled = list(range(len(made)))
    random.Random(1).shuffle(shuffled)
    code = f"from tenfold.llm import engine\nfor i in {shuffled!r}: print(repr(engine.reply({made!r}[i])))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.splitlines() == [repr(here[i]) for i in shuffled]


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_noise_is_repeatable_and_spoils_only_advice() -> None:
    made = _prompts()
    assert engine.reply(made[0], noise=1.0) == engine.reply(made[0])
    assert engine.reply(made[1], noise=1.0) == engine.reply(made[1], noise=1.0)
    assert engine.reply(made[1], noise=1.0) != engine.reply(made[1])


def test_a_package_can_add_a_sentence_and_the_engine_says_that_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_ADDED", [])
    form = Form(
        "Report the length of the question.",
        "leaf",
        "Characters.",
        lambda: lambda context: len(context.text),
        proposed=False,
    )
    before = engine.identity()
    try:
        engine.register(form)
        engine.register(form)
        assert carry_out("Report the length of the question.", "abcd") == "4"
        assert engine.identity() != before == engine.VERSION
        with pytest.raises(BadInput, match="already has"):
            engine.register(Form("Add the hints.", "combine", "", lambda: lambda context, hints: 0))
    finally:
        language._ADDED.clear()
        for cached in (language._closed, language._open, language.program):
            cached.cache_clear()


def test_reading_skills_find_and_check() -> None:
    shown = {"question": "When did the mill burn down?", "text": "The mill stood by the river. It burnt in 1871, they say. "
             "The mill did burn down twice: again in 1902."}  # fmt: skip
    told = "Find the sentence of the text that answers the question. Answer with the first number in it."
    assert prompts.parse_output(engine.reply(prompts.forward_prompt(told, shown, ()))) == "1902"
    files = {
        "files": "src/train.py\nresults/metrics.json",
        "requirement": "Save scores to `results/metrics.json` by train.py.",
    }
    check = "Answer Yes if every file that the requirement names is in the files, else No."
    assert prompts.parse_output(engine.reply(prompts.forward_prompt(check, files, ()))) == "Yes"
    files["files"] = "train.py"
    assert prompts.parse_output(engine.reply(prompts.forward_prompt(check, files, ()))) == "No"


def test_the_documentation_lists_every_sentence_with_its_meaning() -> None:
    text = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
    for form in language.forms():
        assert f"`{form.pattern}`" in text
        assert " ".join(form.meaning.split()) in text
        for choices in form.slots.values():
            assert all(choice in text for choice in choices)


def test_the_engine_knows_no_system() -> None:
    folder = Path(engine.__file__).parent
    assert not any(
        "import tenfold.semgrad" in file.read_text() or "from tenfold.semgrad" in file.read_text()
        for file in folder.glob("*.py")
    )
