"""Semantic gradient descent: what is kept, what is counted, what is refused before anything is spent."""

import json
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import semgrad as sg
from tenfold.core.errors import BadInput, BudgetReached
from tenfold.llm.budget import Budget
from tenfold.llm.client import Client
from tenfold.llm.errors import KeyRefused
from tenfold.semgrad.costs import forecast
from tenfold.semgrad.policies import Errors, Record, choose
from tests.semgrad.build import Slow, pure, questions, slow, two_leaves
from tests.semgrad.scripted import half_right

NAMES = ("first", "second", "answer")


def arithmetic(count: int, start: int = 0) -> list[dict]:
    rows = []
    for i in range(start, start + count):
        rng = Random(i)
        a, b, c, d, e, f = (rng.randint(1, 9) for _ in range(6))
        left, right = f"({a} + {b} * {c})", f"({d} * {e} - {f})"
        rows.append({"input": f"({left} + {right}) =", "target": str(a + b * c + d * e - f)})
    return rows


def brackets() -> sg.Graph:
    leaves = [f"Evaluate bracket {number}, from left to right." for number in (1, 2)]
    return two_leaves(*leaves, "Combine the hints with the operator between the brackets.")


@pytest.mark.parametrize("update", ["auto", "full", "subset", "one", "bandit"])
def test_every_policy_improves_instructions_with_the_engine(update) -> None:
    train = arithmetic(20)
    result = sg.optimise(two_leaves("Report the first number.", "Report the last number.", "Add the hints."), train,
                         update=update, gate="ties", models={"forward": "engine:rules"}, seed=1)  # fmt: skip
    assert result.score >= result.start_score
    assert result.notice.startswith("Made with engine:rules")
    assert sg.run(result.best, train, metric="exact").score == result.score


@pytest.mark.parametrize(
    ("gate", "update"), [("strict", "full"), ("ties", "subset"), ("ties", "auto"), ("paired", "one"), ("racing", "full")]
)
def test_the_kept_score_never_falls_and_the_best_saved_is_the_best(gate, update, tmp_path) -> None:
    settings_ = {"gate": gate, "update": update, "steps": 5, "run_dir": tmp_path / "run"}
    result = sg.optimise(two_leaves(), questions(12), models="script:tests.semgrad.scripted:half_right", **settings_)
    scores = [result.start_score] + [step.score for step in result.history]
    assert scores == sorted(scores)
    evaluated = [item.score for step in result.history for item in step.rounds if item.score is not None]
    assert result.score == max([result.start_score, *evaluated])
    saved = sg.Graph.load(tmp_path / "run" / "best.json")
    assert saved.to_dict() == result.best.to_dict()
    assert sg.run(saved, questions(12), pure(half_right), metric="exact").score == pytest.approx(result.score)


def test_without_a_gate_every_candidate_is_kept_and_the_best_is_kept_apart() -> None:
    result = sg.optimise(two_leaves(), questions(12), models=pure(half_right), gate="none", update="full", steps=6)
    assert all(step.accepted for step in result.history)
    assert result.kept_score == result.history[-1].score <= result.score


@pytest.mark.parametrize("level", ["full", "self", "bare", "none"])
@pytest.mark.parametrize("update", ["full", "one"])
def test_the_number_of_calls_equals_the_forecast_when_nothing_stops_early(level, update) -> None:
    """3T(N+1) + N(k+3) + 3E for the paper's graph at the level full."""
    client = Client("x", backend=Slow(half_right, lambda r: 0), coalesce=False)  # pyright: ignore[reportArgumentType]
    train, test = questions(9), questions(5, start=100)
    result = sg.optimise(two_leaves(), train, test, models=client, steps=3, errors=2, neighbourhood=level, update=update,
                         gate="strict", memo=False)  # fmt: skip
    assert not any(item.dropped for step in result.history for item in step.rounds)
    rows = {
        row.role: row.calls
        for row in forecast(two_leaves(), train, test=test, steps=3, errors=2, neighbourhood=level, update=update)
    }
    if (level, update) == ("full", "full"):
        assert rows["total"] == 3 * 9 * 4 + 3 * (2 + 3) + 3 * 5
    assert {role: spent.calls for role, spent in client.account.by_role.items()} == {
        role: calls for role, calls in rows.items() if calls and role != "total"
    }


def test_the_same_seed_writes_the_same_history_in_any_order_of_replies() -> None:
    def history(client, seed):
        result = sg.optimise(two_leaves(), questions(10), models=client, steps=4, seed=seed, gate="ties", update="auto")
        return json.dumps(result.history)

    expected = history(pure(half_right), 3)
    for seed in range(3):
        rng = Random(seed)
        assert history(slow(half_right, lambda r, rng=rng: rng.choice([0, 0.001])), 3) == expected
    assert history(pure(half_right), 4) != expected


@pytest.mark.parametrize("gate", ["strict", "ties"])
def test_racing_keeps_the_same_candidates_for_fewer_calls(gate) -> None:
    def run(racing):
        client = pure(half_right)
        result = sg.optimise(two_leaves(), questions(30), models=client, gate=gate, update="full", steps=6, racing=racing)
        return [step.instructions for step in result.history], client.account.calls

    (slow_texts, all_calls), (fast_texts, fewer_calls) = run(False), run(True)
    assert fast_texts == slow_texts
    assert fewer_calls < all_calls


def test_the_limit_of_evaluations_is_hard() -> None:
    for update in ("auto", "full"):
        for limit in (1, 4):
            result = sg.optimise(
                two_leaves(), questions(9), models=pure(half_right), update=update, evaluations=limit, steps=30
            )
            assert result.evaluations <= limit
            assert result.stopped == "evaluations"
    assert sg.optimise(two_leaves(), questions(9), models=pure(half_right), update="auto").evaluations <= 40


def test_all_right_at_the_start_is_nothing_to_learn() -> None:
    rows = [{"question": f"q{i}", "target": "yes"} for i in range(3)]
    result = sg.optimise(two_leaves(), rows, models=pure(lambda r: "Yes."))
    assert (result.score, result.stopped, result.evaluations, result.history) == (1, "all right", 1, [])
    assert "Nothing to learn" in result.tally.notes[0]


def test_when_nothing_is_right_the_first_outputs_are_shown() -> None:
    result = sg.optimise(two_leaves(), questions(3), models=pure(lambda r: "gibberish"), steps=1)
    assert "gibberish" in result.tally.notes[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [("I would not change it.", "no tags"), ("<prompt> </prompt>", "no tags"), ("<prompt>SAME</prompt>", "identical"),
     ("<prompt>" + "x" * 5000 + "</prompt>", "too long")],
)  # fmt: skip
def test_proposals_that_cannot_be_used_are_dropped_and_counted(reply, reason) -> None:
    def answer(request):
        if request.role != "optimise":
            return half_right(request)
        return reply.replace("SAME", "\n".join(re.findall(r"# Instruction\n\t(.*)", request.prompt)))

    result = sg.optimise(two_leaves(), questions(6), models=pure(answer), steps=3, update="full")
    assert result.tally.dropped == {reason: 9}
    assert result.tally.stalled == 3
    assert result.best.instructions == two_leaves().instructions
    assert result.evaluations == 1


def test_after_a_stall_other_errors_are_drawn() -> None:
    def answer(request):
        return "no tags" if request.role == "optimise" else half_right(request)

    result = sg.optimise(two_leaves(), questions(12), models=pure(answer), steps=6, update="full")
    drawn = [tuple(item.samples) for step in result.history for item in step.rounds]
    assert len(set(drawn)) == len(drawn) == 6


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True),
    st.sampled_from(["errors", "mixed", "hard"]),
    st.integers(1, 4),
)
def test_draws_hold_wrong_samples_and_never_one_twice(wrong, pick, count) -> None:
    errors, right = Errors(pick, count), list(range(40, 50))
    for number in range(12):
        drawn = errors.draw(wrong, right, Random(number))
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) & set(wrong)
        assert set(drawn) <= {*wrong, *right}


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_policies_move_what_they_say(seed) -> None:
    rng, record = Random(seed), Record()
    assert choose("full", NAMES, ("answer",), 0, record, rng).parameters == NAMES
    assert 1 <= len(choose("subset", NAMES, ("answer",), 0, record, rng).parameters) <= 3
    assert [choose("one", NAMES, (), i, record, rng).parameters[0] for i in range(4)] == [
        "first",
        "second",
        "answer",
        "first",
    ]
    record.book(("first",), 0.0, False)
    record.book(("second",), 0.4, True)
    record.book(("answer",), 0.0, False)
    assert choose("bandit", NAMES, ("answer",), 0, record, rng).parameters == ("second",)
    record.stalled = 3
    assert choose("auto", NAMES, ("answer",), 0, record, rng).parameters == ("answer",)
    record.stalled = 4
    assert choose("auto", NAMES, ("answer",), 0, record, rng).jump


def test_gradients_are_found_again_by_step_and_sample() -> None:
    rows = [{**row, "id": f"id{i}"} for i, row in enumerate(questions(8))]
    result = sg.optimise(two_leaves(), rows, models=pure(half_right), steps=3, update="full")
    for sample in range(8):
        found = result.gradients(step=3, sample=sample)
        assert found == result.gradients(step=3, sample=f"id{sample}")
        assert found["values"]["question"] == f"QUESTION-{sample}"
        assert {(w, v) for w, v, _ in found["edges"]} == {("answer", "first"), ("answer", "second")}
    assert result.gradients(step=1, sample=0)["values"]["first"] != ""
    with pytest.raises(BadInput, match="no step 9"):
        result.gradients(step=9, sample=0)
    with pytest.raises(BadInput, match="id 'nobody'"):
        result.gradients(step=1, sample="nobody")


def test_roles_have_their_own_models() -> None:
    clients = {role: pure(half_right) for role in ("forward", "backward", "optimiser")}
    sg.optimise(two_leaves(), questions(8), models=clients, steps=2, update="full")
    for role, client in clients.items():
        assert set(client.account.by_role) == {role.replace("optimiser", "optimise")}


def test_a_text_slot_is_optimised_alone() -> None:
    graph = sg.Graph()
    graph.node("answer", "Solve.", inputs=["question"], parameters={"style": "Be brief."}, output=True)
    result = sg.optimise(graph, questions(9), models=pure(half_right), steps=4, update="one", gate="none")
    assert result.history[1].rounds[0].chosen == ["answer.style"]
    assert result.history[1].instructions["answer.style"] != "Be brief."


def test_a_budget_that_runs_out_keeps_what_was_reached(tmp_path) -> None:
    with pytest.raises(BudgetReached) as caught:
        sg.optimise(two_leaves(), questions(20), models="script:tests.semgrad.scripted:half_right", budget=Budget(calls=200),
                    steps=50, update="full", gate="strict", run_dir=tmp_path / "run", memo=False)  # fmt: skip
    result = caught.value.result  # pyright: ignore[reportAttributeAccessIssue]
    assert result.account.calls == 200
    assert result.stopped == "budget"
    assert sg.Graph.load(tmp_path / "run" / "best.json").instructions == result.best.instructions
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == len(result.history) >= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": []}, "train is empty"),
        ({"train": [{"question": "a", "target": 1}, {"question": "b"}]}, "1 of 2 rows of train have no target: 1"),
        ({"train": [{"question": "a", "target": float("nan")}]}, "Row 0 of train, column target"),
        ({"test": [{"question": "QUESTION-3", "target": 1, "id": "t9"}]}, "1 of 1 test questions stand in train too: t9"),
        ({"metric": "bleu"}, "metric 'bleu'"),
        ({"update": "most"}, "full, subset, one, bandit, auto"),
        ({"gate": "open"}, "strict, ties, none, paired, racing"),
        ({"pick": "worst"}, "errors, mixed, hard"),
        ({"neighbourhood": "near"}, "full, self, bare, none"),
        ({"steps": -1}, "steps is -1"),
        ({"errors": 0}, "errors is 0"),
        ({"evaluations": 0}, "evaluations is 0"),
        ({"alpha": "x"}, "alpha is 'x'"),
        ({"temperature": -1}, "temperature is -1; it must be 0 or more"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0}, "top_p is 0; it must be above 0, at most 1"),
        ({"top_p": 2}, "top_p is 2"),
        ({"max_tokens": 0}, "max_tokens is 0; it must be a whole number above 0"),
        ({"max_tokens": 1.5}, "max_tokens is 1.5"),
        ({"metric": "numeric", "train": [{"question": "a", "target": "none"}]}, "'none' holds no number"),
        ({"metric": "regex", "train": [{"question": "a", "target": "("}]}, "no regular expression"),
        ({"train": [{"question": "\ud800", "target": "1"}]}, "Row 0 of train, column question, holds half a character"),
        ({"train": [{"question": "a", "target": "\ud800"}]}, "Row 0 of train, column target, holds half a character"),
        ({"train": [{"question": "a", "target": True}]}, "YAML reads Yes and No"),
        ({"budget": {"calls": 500}}, "is no budget"),
        ({"models": "gpt"}, "gpt"),
        ({"models": {"backward": "engine:rules"}}, "no model for the role forward"),
        ({"models": {"forward": "engine:rules", "teacher": "engine:rules"}}, "role 'teacher'"),
        ({"models": {"forward": 3}}, "neither a model string nor a client"),
        ({"budget": Budget(calls=20)}, "20 calls does not last for one step, which takes up to"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_what_can_be_known_before_the_first_call_is_refused_and_costs_nothing(change, message) -> None:
    client = pure(lambda r: pytest.fail("asked"))
    arguments = {"train": questions(8), "models": client, **change}
    with pytest.raises(BadInput, match=message):
        sg.optimise(two_leaves(), **arguments)
    assert client.account.calls == 0


def test_a_role_without_a_key_is_refused_before_another_role_is_asked(monkeypatch) -> None:
    for name in ("OPENAI_API_KEY", "TENFOLD_KEY_API_OPENAI_COM", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    client = pure(lambda r: pytest.fail("asked"))
    with pytest.raises(KeyRefused, match="no key for https"):
        sg.optimise(two_leaves(), questions(3), models={"forward": client, "backward": "openai:gpt-4o-mini"})


def test_half_a_character_in_a_reply_does_not_lose_the_run(tmp_path) -> None:
    def answer(request):
        half = "\ud800"
        return f"<prompt>Do it {half}.</prompt>" if request.role == "optimise" else f"Hint 1: more.\nHint 2: {half}."

    sg.optimise(two_leaves(), questions(3), models=pure(answer), steps=1, gate="none", run_dir=tmp_path / "run")
    assert "Do it ?." in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_what_the_rules_engine_cannot_follow_is_named_with_what_is_near() -> None:
    graph = two_leaves("Evaluate bracket 1, mulitplying first.", "Please think.", "Add the hints.")
    notes = " ".join(sg.optimise(graph, arithmetic(4), steps=1).tally.notes)
    assert "cannot follow in 'first': Evaluate bracket 1, mulitplying first" in notes
    assert "Near are: Evaluate bracket 1, multiplying first." in notes
    assert "cannot follow in 'second': Please think" in notes
    assert "'answer'" not in notes


def test_after_a_run_that_ended_early_gradients_are_those_of_its_last_texts() -> None:
    rows = [{"question": f"q{i}", "target": "yes"} for i in range(3)]

    def answer(request):
        return "Hint 1: should stay.\nHint 2: should stay." if request.role == "backward" else "Yes."

    result = sg.optimise(two_leaves(), rows, models=pure(answer), steps=3)
    assert result.gradients(step=3, sample=2)["nodes"]["first"] == ["should stay."]
    with pytest.raises(BadInput, match="no step 4"):
        result.gradients(step=4, sample=2)


def test_a_graph_without_a_trainable_text_is_refused() -> None:
    graph = sg.Graph()
    graph.node("a", "x", inputs=["question"], trainable=False, output=True)
    with pytest.raises(BadInput, match="No text"):
        sg.optimise(graph, questions(3), models=pure(half_right))


def test_the_leaf_start_of_arithmetic_is_solved_by_auto() -> None:
    train, test = arithmetic(20), arithmetic(60, start=1000)
    result = sg.optimise(brackets(), train, [row for row in test if row["input"] not in {r["input"] for r in train}], seed=0)
    assert result.test_score is not None
    assert result.test_score >= 0.95
