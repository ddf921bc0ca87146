"""Seven defects of the published code, each with a test that fails on its behaviour."""

import pytest

from tenfold import llm
from tenfold.core.errors import BadInput
from tenfold.judge import agent
from tenfold.judge.accounting import Books
from tenfold.judge.workspace import Workspace
from tests.judge.models import Model, made, png, wanted
from tests.llm.stub_server import StubServer


def test_judged_code_is_not_executed(tmp_path):
    """Building the code graph there passes import lines of the judged file to exec."""
    marker, space = tmp_path / "executed", tmp_path / "work"
    (space / "src").mkdir(parents=True)
    evil = f"import os; open({str(marker)!r}, 'w').write('x')\nfrom os import path\n\ndef fit():\n    pass\n"
    (space / "src" / "model.py").write_text(evil)
    (space / "sitecustomize.py").write_text(evil)
    model = Model(locate="1: src/model.py | sitecustomize.py")
    agent.judge(Workspace.open(space), wanted("`fit` is in `src/model.py`."), model.client(), plan="comprehensive")
    assert "def fit" in model.of("ask")[0].prompt
    assert not marker.exists()


def test_evidence_is_plain_text_and_the_cost_of_looking_at_images_is_kept():
    """There a file's text reaches the judge as the printed form of a pair, newlines escaped, and image costs are lost."""
    model, books = Model(locate="1: src/a.py | plot.png", read="A line plot."), Books()
    space = made({"src/a.py": 'name = "x"\nprint(name)\n', "plot.png": png()})
    agent.judge(space, wanted("A plot."), model.client(), books=books)
    prompt = model.of("ask")[0].prompt
    assert 'src/a.py\n\n1| name = "x"\n2| print(name)\n' in prompt
    assert "\\n" not in prompt
    assert "('" not in prompt
    assert [call.module for call in books.calls] == ["locate", "read", "ask"]


def test_the_cost_of_a_requirement_is_the_sum_of_its_calls():
    """There the numbers of a requirement are those of its last call."""
    prices = {"stub": {"prompt": 10.0, "completion": 30.0}}
    with (
        StubServer(answer=lambda body: "<SATISFIED> yes") as server,
        llm.Client(f"{server.url}#stub", prices=prices) as client,
    ):
        log = [{"role": "user", "content": "Make it."}, {"role": "assistant", "content": "Done."}]
        books = Books()
        found = agent.judge(made({"a.py": "x = 1"}), wanted("An x.", "A y."), client, votes=3, trajectory=log, books=books)
        assert len(books.calls) == 1 + 2 + 6
        assert sum(one.usd for one in found) == pytest.approx(client.account.usd)
        assert sum(one.calls for one in found) == client.account.calls == server.count
        assert all(one.usd > 3 * books.calls[-1].usd for one in found)


def test_a_file_of_unknown_type_does_not_pass():
    """There the judge is told to assume that a file which cannot be read is satisfactory."""

    def literal(request):
        prompt = request.messages[0].text + request.prompt
        is_assumed = "assume" in prompt.replace("never assume", "") or "weights.xyz" not in request.prompt
        return "<SATISFIED>" if is_assumed or "is not shown" not in request.prompt else "<UNSATISFIED> It was not shown."

    model = Model(locate="1: weights.xyz", ask=literal)
    found = agent.judge(made({"weights.xyz": b"\x00\xff" * 500}), wanted("The weights are saved."), model.client())
    assert found[0].verdict == "unsatisfied"
    assert "unknown file of 1000 bytes; its content is not shown" in model.of("ask")[0].prompt


def test_no_trajectory_is_invented():
    """There a model is asked about an empty log, and answers with steps that never were."""
    model = Model(retrieve="In step 12 the agent ran the tests.", ask="<SATISFIED> Step 12 shows it.")
    found = agent.judge(made({"a.py": "x = 1"}), wanted("Tests ran."), model.client(), plan="comprehensive")
    assert model.of("retrieve") == []
    assert "LOG" not in model.of("ask")[0].prompt
    assert found[0].evidence[0].kind == "invented"
    with pytest.raises(BadInput, match="needs a trajectory"):
        agent.judge(made({"a.py": "x = 1"}), wanted("Tests ran."), model.client(), setting="gray")


def test_located_paths_are_taken_when_relative_and_never_lead_outside(tmp_path):
    """There relative paths are lost, and an absolute path outside of the workspace is read."""
    space = tmp_path / "work"
    (space / "src").mkdir(parents=True)
    (space / "src" / "model.py").write_text("inside = 1\n")
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP-SECRET")
    (space / "link.txt").symlink_to(secret)
    reply = f"1: {secret} | ../secret.txt | link.txt | src/../../secret.txt | src/model.py"
    model = Model(locate=reply)
    agent.judge(Workspace.open(space), wanted("Something."), model.client())
    prompt = model.of("ask")[0].prompt
    assert "inside = 1" in prompt
    assert "TOP-SECRET" not in "".join(message.text for request in model.requests for message in request.messages)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("<UNSATISFIED>: it is not <SATISFIED>.", "unsatisfied"),
        ("I cannot say whether it is <SATISFIED>.", "undecided"),
        ("The evidence is thin.", "undecided"),
        ("<SATISFIED>", "satisfied"),
    ],
)
def test_the_verdict_is_the_tag_that_leads_and_none_is_no_verdict(reply, verdict):
    """There any mention of the tag is a yes, and a reply without one is silently a no."""
    assert agent.judge(made({"a.py": "x = 1"}), wanted("An x."), Model(ask=reply).client())[0].verdict == verdict
