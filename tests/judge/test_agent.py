"""The agent with a scripted model: what is asked, how often, what it may see, and what becomes of the replies."""

import json

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput
from tenfold.judge import agent, questions, single
from tenfold.judge.accounting import Books, Call, shares
from tenfold.judge.code_search import CodeSearch
from tenfold.judge.trajectory import Step, Trajectory
from tests.judge.models import Model, made, png, wanted

FILES = {
    "src/model.py": "import sklearn.svm\n\ndef fit(x, y):\n    return sklearn.svm.SVC().fit(x, y)\n",
    "src/train.py": "from model import fit\nfit([[0], [1]], [0, 1])\n",
    "results/plot.png": png(),
    "results/scores.txt": "accuracy: 0.93\n",
    "model.xyz": b"\x00\x01\x02\x03" * 100,
}
LOG = Trajectory((Step(0, "Make it.", "I write the model.", "write src/model.py", "written"),))


def test_one_locate_call_serves_all_requirements_and_each_is_asked_once():
    model = Model(locate="1: src/model.py\n2: results/scores.txt\n3: src/train.py")
    asked = wanted("An SVM is in `src/model.py`.", "The accuracy is reported.", "Training runs.")
    found = agent.judge(made(FILES), asked, model.client())
    assert model.counts() == {"locate": 1, "ask": 3}
    assert [one.verdict for one in found] == ["satisfied"] * 3
    assert "SVC" in model.of("ask")[0].prompt
    by_requirement = {request.tag: request.prompt for request in model.of("ask")}
    assert "accuracy: 0.93" in by_requirement["ask:1"]
    assert "accuracy: 0.93" not in by_requirement["ask:0"]


def test_questions_share_their_beginning_up_to_the_evidence_that_differs():
    model = Model(locate="1: src/model.py\n2: src/model.py")
    agent.judge(made(FILES), wanted("First.", "Second."), model.client())
    one, two = (request.prompt for request in model.of("ask"))
    assert one[: one.index("Requirement:")] == two[: two.index("Requirement:")]
    assert "First." not in one[: one.index("Requirement:")]


def test_an_image_is_described_once_however_many_requirements_need_it():
    model = Model(locate="1: results/plot.png\n2: results/plot.png\n3: results/plot.png", read="A grey texture.")
    agent.judge(made({**FILES, "copy.png": png()}), wanted("A plot.", "A good plot.", "A big plot."), model.client())
    assert model.counts() == {"locate": 1, "read": 1, "ask": 3}
    assert model.of("read")[0].messages[0].content[1]["type"] == "image"
    assert all("A grey texture." in request.prompt for request in model.of("ask"))


def test_a_model_without_eyes_is_shown_bare_facts():
    def refuse(request):
        raise llm.RequestRefused("images are not supported")

    model = Model(locate="1: results/plot.png | a.png", read=refuse)
    found = agent.judge(made({**FILES, "a.png": png(24)}), wanted("A plot.", "Another."), model.client())
    assert [one.verdict for one in found] == ["satisfied"] * 2
    prompts = {request.tag: request.prompt for request in model.of("ask")}
    assert "its content is not shown" in prompts["ask:0"]


def test_a_reply_without_verdict_is_asked_again_once_then_undecided():
    model = Model(ask="It looks good to me. <SATISFIED>")
    books = Books()
    found = agent.judge(made(FILES), wanted("A model."), model.client(), books=books)
    assert model.counts()["ask"] == 2
    assert (found[0].verdict, found[0].confidence) == ("undecided", 0.5)
    assert "no verdict" in found[0].missing
    second = model.of("ask")[1]
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    mended = Model(ask=lambda request: "Hm." if len(request.messages) == 2 else "<UNSATISFIED> No.")
    assert agent.judge(made(FILES), wanted("A model."), mended.client())[0].verdict == "unsatisfied"


def test_k_votes_are_draws_of_their_own_and_their_share_is_the_verdict():
    model = Model(ask=lambda request: "<SATISFIED>" if request.sample != 1 else "<UNSATISFIED>")
    found = agent.judge(made(FILES), wanted("A model."), model.client(), votes=3)[0]
    assert [request.sample for request in model.of("ask")] == [0, 1, 2]
    assert all(request.temperature > 0 for request in model.of("ask"))
    assert (found.verdict, found.probability) == ("satisfied", pytest.approx((2 + 0.5) / 4))
    one = agent.judge(made(FILES), wanted("A model."), Model().client())[0]
    assert one.probability == pytest.approx(0.75)


def test_votes_that_are_left_without_a_majority_leave_it_undecided():
    replies = ["<SATISFIED>", "<UNSATISFIED>", "I cannot say."]
    found = agent.judge(made(FILES), wanted("A model."), Model(ask=lambda r: replies[r.sample]).client(), votes=3)[0]
    assert (found.verdict, found.probability) == ("undecided", 0.5)
    assert found.missing == "The votes have no majority: 1 for, 1 against."


@pytest.mark.parametrize("votes", [0, -1, 2, 4, True, 1.5])
def test_votes_that_may_tie_are_refused(votes):
    with pytest.raises(BadInput, match="votes is"):
        agent.judge(made(FILES), wanted("A model."), Model().client(), votes=votes)


def test_gray_box_asks_once_more_for_each_requirement_and_marks_the_log_as_reference():
    model = Model(retrieve="Step 0 wrote the model.")
    agent.judge(made(FILES), wanted("A model.", "An SVM."), model.client(), trajectory=LOG)
    assert model.counts() == {"locate": 1, "retrieve": 2, "ask": 2}
    prompt = model.of("ask")[0].prompt
    assert "For reference only, not decisive:\n<<<LOG" in prompt
    assert "I write the model." in model.of("retrieve")[0].prompt


def test_black_box_leaves_a_given_trajectory_alone():
    model = Model()
    agent.judge(made(FILES), wanted("A model."), model.client(), trajectory=LOG, setting="black")
    assert model.counts() == {"locate": 1, "ask": 1}


def test_the_comprehensive_plan_adds_task_search_and_verdicts_on_what_a_requirement_builds_on():
    model = Model(locate="none", ask=lambda request: "<UNSATISFIED> x" if request.tag == "ask:0" else "<SATISFIED> y")
    asked = wanted("Has `fit`.", "Second.", "Third.", query="Build an SVM.", prerequisites={"2": ("0",)})
    agent.judge(made(FILES), asked, model.client(), plan="comprehensive")
    prompts = {request.tag: request.prompt for request in model.of("ask")}
    assert all("Build an SVM." in prompt for prompt in prompts.values())
    assert "0: unsatisfied. Has `fit`." in prompts["ask:2"]
    assert "VERDICTS" not in prompts["ask:1"]
    assert "<<<CODE" in prompts["ask:0"]
    assert "def fit" in prompts["ask:0"].split("<<<CODE")[1]


def test_the_planning_plan_does_what_the_model_picks():
    model = Model(plan=lambda request: "[workspace]" if request.tag == "plan:0" else "[search] [trajectory]")
    agent.judge(made(FILES), wanted("First.", "Second `fit`."), model.client(), plan="planning")
    assert model.counts() == {"plan": 2, "ask": 2}
    prompts = {request.tag: request.prompt for request in model.of("ask")}
    assert "<<<FILES" in prompts["ask:0"]
    assert "<<<FILES" not in prompts["ask:1"]
    assert "<<<CODE" in prompts["ask:1"]
    vague = Model(plan="I would read it all.")
    agent.judge(made(FILES), wanted("First."), vague.client(), plan="planning")
    assert vague.counts() == {"plan": 1, "locate": 1, "ask": 1}


def test_evidence_stays_within_its_budget_and_long_files_lose_their_middle():
    files = {f"src/f{i}.py": "\n".join(f"x{j} = {j}" for j in range(20_000)) for i in range(5)}
    model = Model(locate="1: " + " | ".join(files))
    agent.judge(made(files), wanted("Code."), model.client())
    prompt = model.of("ask")[0].prompt
    assert len(prompt) < 10_000 * 3.6 + 3_000
    assert "1| x0 = 0" in prompt
    assert "20000| x19999 = 19999" in prompt
    assert "characters left out" in prompt


def test_the_baseline_asks_once_for_each_requirement_over_the_same_material():
    model = Model()
    found = single.judge(made(FILES), wanted("A model.", "A plot."), model.client())
    assert model.counts() == {"ask": 2}
    one, two = (request.prompt for request in model.of("ask"))
    assert one[: one.index("Requirement:")] == two[: two.index("Requirement:")]
    assert "SVC" in one
    assert "0.93" in one
    assert found[0].engine == "llm-single"


def test_a_reason_that_names_a_shown_file_links_to_it():
    model = Model(locate="1: src/model.py", ask="<SATISFIED> See `src/model.py`, line 4: an SVC is fitted.")
    space = made(FILES)
    fact = agent.judge(space, wanted("An SVM."), model.client())[0].evidence[0]
    assert (fact.file, fact.line, fact.supports) == ("src/model.py", 4, True)
    assert fact.sha256 == space.files["src/model.py"].sha256
    elsewhere = Model(locate="1: src/train.py", ask="<SATISFIED> See src/model.py:4.")
    assert agent.judge(space, wanted("An SVM."), elsewhere.client())[0].evidence[0].file == ""


def test_when_the_budget_is_reached_what_was_judged_is_kept_and_the_rest_is_undecided():
    model, books = Model(), Books()
    asked = wanted(*(f"Thing {i}." for i in range(6)))
    found = agent.judge(made(FILES), asked, model.client(budget=llm.Budget(calls=4), concurrency=1), books=books)
    assert len(model.requests) == 4
    assert [one.verdict for one in found].count("satisfied") == 3
    assert [one.verdict for one in found].count("undecided") == 3
    assert "budget of 4 calls" in books.stopped
    assert any("was not judged" in one.missing for one in found)


def test_a_refused_question_costs_its_requirement_and_no_other():
    def answer(request):
        if request.tag == "ask:1":
            raise llm.ContextOverflow("too long")
        return "<SATISFIED> fine"

    found = agent.judge(made(FILES), wanted("One.", "Two.", "Three."), Model(ask=answer).client())
    assert [one.verdict for one in found] == ["satisfied", "undecided", "satisfied"]
    assert "too long" in found[1].missing


def test_a_model_that_is_down_ends_the_run_with_its_error():
    with pytest.raises(llm.EndpointDown):
        agent.judge(made(FILES), wanted("One.", "Two."), llm.Client("http://127.0.0.1:9/v1#m", tries=1))


def test_the_cost_of_requirements_sums_to_the_cost_of_all_calls():
    calls = [
        Call("locate", "", 0.03, 10, 1, 1.0, "live"),
        Call("ask", "0", 0.01, 10, 1, 1.0, "live"),
        Call("ask", "0", 0.02, 10, 1, 2.0, "live"),
        Call("ask", "1", 0.04, 10, 1, 1.0, "live"),
        Call("read", "", 0.01, 10, 1, 1.0, "live"),
    ]
    found = shares(calls, ["0", "1", "2"])
    assert sum(share.usd for share in found.values()) == pytest.approx(0.11)
    assert sum(share.calls for share in found.values()) == 5
    assert found["0"].usd == pytest.approx(0.03 + 0.04 / 3)
    assert sum(share.seconds for share in found.values()) == pytest.approx(6.0)
    unknown = shares([*calls, Call("ask", "2", None, 1, 1, 1.0, "live")], ["0", "1", "2"])
    assert unknown["2"].usd is None
    assert unknown["0"].usd is not None


def test_replies_recorded_once_are_replayed_byte_for_byte(tmp_path):
    def run(**settings):
        model = Model(locate="1: src/model.py", ask="<SATISFIED> src/model.py:4 fits an SVC.")
        found = agent.judge(made(FILES), wanted("An SVM.", "A plot."), model.client(**settings), votes=3)
        return json.dumps([(one.verdict, one.probability, [f.words for f in one.evidence]) for one in found]), model

    tape = tmp_path / "tape.jsonl"
    first, _ = run(cassette=tape, mode="record", cache_sampled=True)
    second, silent = run(cassette=tape, mode="replay")
    assert first == second
    assert silent.requests == []


def test_code_search_finds_definitions_by_quoted_name_and_by_words_in_python_and_javascript():
    space = made(
        {
            "a.py": "class Tree:\n    def grow_branch(self, n):\n        return [n]\n\ndef shrink(x):\n    return x[:-1]\n",
            "b.js": "function drawChart(points) {\n  return points.map(p => p * 2);\n}\n",
            "c.sh": "echo training the network\n",
        }
    )
    search = CodeSearch(space)
    assert search.top("The function `grow_branch` exists.")[0][:3] == ("a.py", 2, "grow_branch")
    assert search.top("`drawChart` draws.")[0][:3] == ("b.js", 1, "drawChart")
    assert search.top("A script for training the network")[0].file == "c.sh"
    assert CodeSearch(made({"r.txt": "x"})).top("anything") == []


def test_a_free_question_is_answered_from_files_and_without_a_model_by_search():
    model = Model(locate="src/model.py", answer="It fits an SVC (src/model.py:4).")
    assert questions.ask_anything(made(FILES), "Which model is fitted?", model.client()).startswith("It fits")
    assert "SVC" in model.of("answer")[0].prompt
    assert model.counts() == {"locate": 1, "answer": 1}
    assert questions.passages(made(FILES), "where is `fit` defined")[0][:2] == ("src/model.py", 3)
    with pytest.raises(BadInput, match="question is empty"):
        questions.passages(made(FILES), " ")
