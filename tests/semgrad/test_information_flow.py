"""Which values stand in which prompt, at each level, over several updates (section 9 of the spec, property 1)."""

import re

import pytest

from tenfold.semgrad.graph import Graph
from tenfold.semgrad.optimiser import optimise
from tests.semgrad.scripted import Seen


def three_leaves() -> Graph:
    graph = Graph()
    for name in ("first", "second", "third"):
        graph.node(name, f"Start {name}.", inputs=["question"])
    graph.node("middle", "Start middle.", inputs=["question", "first", "second"])
    graph.node("answer", "Start answer.", inputs=["question", "middle", "third"], output=True)
    return graph


def prompts_of(level: str, **settings):
    """All prompts of a run with several accepted updates, by role."""
    Seen.prompts.clear()
    train = [{"question": f"QUESTION-{i}", "target": f"TARGET-{i}-END"} for i in range(4)]
    model = "script:tests.semgrad.scripted:marked"
    settings = {"update": "full", "gate": "none", "steps": 4, **settings}
    result = optimise(three_leaves(), train, neighbourhood=level, models=model, concurrency=4, **settings)
    assert sum(step.accepted for step in result.history) >= 3
    return result, list(Seen.prompts)


def test_every_prompt_belongs_to_one_question_and_no_prompt_ends_in_a_python_word() -> None:
    _, prompts = prompts_of("full")
    for tag, prompt in prompts:
        assert not prompt.rstrip().endswith(("False", "None", "True"))
        if not tag.startswith("optimise"):
            assert len(set(re.findall(r"QUESTION-\d+", prompt))) <= 1


@pytest.mark.parametrize("level", ["full", "self", "bare"])
def test_forward_prompts_hold_the_question_and_all_hints_and_never_the_target(level) -> None:
    _, prompts = prompts_of(level)
    wanted = {"first": set(), "second": set(), "third": set(), "middle": {"first", "second"}, "answer": {"middle", "third"}}
    for tag, prompt in prompts:
        role, _, node = tag.partition(":")
        if role == "forward":
            assert "TARGET" not in prompt
            assert set(re.findall(r"VALUE-([a-z]+)-", prompt)) == wanted[node]


SIBLINGS = {"middle": {"first", "second"}, "answer": {"middle", "third"}}


def test_full_shows_all_hints_of_the_node_in_one_call() -> None:
    _, prompts = prompts_of("full")
    back = [(tag, prompt) for tag, prompt in prompts if tag.startswith("backward")]
    for tag, prompt in back:
        node = tag.partition(":")[2]
        assert set(re.findall(r"VALUE-([a-z]+)-", prompt)) == SIBLINGS[node] | {node}
        assert "QUESTION-" in prompt.split("# Context")[1].split("# Hints")[0]
        assert ("TARGET" in prompt) == (node == "answer")
    assert sum(tag == "backward:answer" for tag, _ in back) == sum(tag == "backward:middle" for tag, _ in back) == 4 * 2


@pytest.mark.parametrize(("level", "shows_question"), [("self", True), ("bare", False)])
def test_self_and_bare_show_one_hint_and_never_a_sibling_after_any_update(level, shows_question) -> None:
    _, prompts = prompts_of(level)
    back = [(tag, prompt) for tag, prompt in prompts if tag.startswith("backward")]
    assert len(back) == 4 * 2 * 4
    for tag, prompt in back:
        node = tag.partition(":")[2]
        shown = set(re.findall(r"VALUE-([a-z]+)-", prompt))
        assert len(shown & SIBLINGS[node]) == 1
        assert shown - SIBLINGS[node] == {node}
        assert ("# Context" in prompt) == shows_question
        assert ("# Task" in prompt) == shows_question
        assert ("TARGET" in prompt) == (node == "answer")


def test_the_level_survives_every_update() -> None:
    """In the reference the ablation switched itself off after the first update."""
    result, prompts = prompts_of("bare", steps=5)
    at = [number for number, (tag, _) in enumerate(prompts) if tag.startswith("optimise")]
    late = [prompt for number, (tag, prompt) in enumerate(prompts) if tag.startswith("backward") and number > at[-1] - 40]
    assert late
    assert all("# Context" not in prompt for prompt in late)
    assert {step.instructions["answer"] for step in result.history} != {"Start answer."}


def test_none_makes_no_backward_call_and_shows_no_target_anywhere() -> None:
    _, prompts = prompts_of("none")
    assert not any(tag.startswith("backward") for tag, _ in prompts)
    assert not any("TARGET" in prompt or "Feedback:" in prompt for _, prompt in prompts)
    assert sum(tag.startswith("optimise") for tag, _ in prompts) == 4 * 5


@pytest.mark.parametrize("level", ["full", "self", "bare"])
def test_the_optimiser_sees_a_nodes_own_input_output_and_feedback(level) -> None:
    _, prompts = prompts_of(level)
    for tag, prompt in prompts:
        role, _, node = tag.partition(":")
        if role == "optimise":
            assert set(re.findall(r"VALUE-([a-z]+)-", prompt)) == SIBLINGS.get(node, set()) | {node}
            assert ("TARGET" in prompt) == (node == "answer")
            assert prompt.count("Feedback:\n") == 2


def test_auto_never_shows_a_sibling_at_bare() -> None:
    _, prompts = prompts_of("bare", update="subset")
    for tag, prompt in prompts:
        if tag.startswith("backward"):
            assert len(set(re.findall(r"VALUE-([a-z]+)-", prompt)) & SIBLINGS[tag.partition(":")[2]]) == 1
