"""Whole runs against a real HTTP server on loopback: counts, faults, keys, resumption."""

import pytest

from tenfold import semgrad as sg
from tenfold.core.errors import TenfoldError
from tenfold.llm.types import Request
from tests.llm.stub_server import StubServer
from tests.semgrad.build import questions, two_leaves
from tests.semgrad.scripted import half_right


def answered(body) -> str:
    """As `half_right`; the stub sees no tags, so the role is read off the prompt."""
    prompt = body["messages"][-1]["content"]
    role = "backward" if "# Feedback" in prompt else "optimise" if "# Instruction" in prompt else "forward"
    return half_right(Request.of(prompt, tag=f"{role}:x"))


SETTINGS = {"steps": 2, "update": "full", "gate": "strict"}


@pytest.mark.parametrize("schema", [True, False])
def test_the_server_counts_what_the_forecast_says(schema) -> None:
    with StubServer(answer=answered, schema=schema) as server:
        train, test = questions(6), questions(3, 50)
        result = sg.optimise(two_leaves(), train, test, models=f"{server.url}#stub", memo=False, backoff=0.01, **SETTINGS)
        total = sg.forecast(two_leaves(), train, test=test, steps=2)[-1]
        assert result.account.calls == total.calls == 3 * 6 * 3 + 2 * (2 + 3) + 3 * 3
        assert server.answered == total.calls
        assert result.account.usd is None
        assert result.tally.missing == 0


def test_faults_of_the_server_change_nothing_and_a_finished_run_costs_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-1234567890")
    with StubServer(answer=answered) as calm:
        expected = sg.optimise(two_leaves(), questions(6), models=f"{calm.url}#stub", **SETTINGS)
    with StubServer(["429", "500", "normal", "429", "normal", "500"], answer=answered) as server:
        arguments = {"models": f"{server.url}#stub", "run_dir": tmp_path / "run", "backoff": 0.01, **SETTINGS}
        found = sg.optimise(two_leaves(), questions(6), **arguments)
        assert found.history == expected.history
        count = server.count
        assert sg.optimise(two_leaves(), questions(6), **arguments).history == expected.history
        assert server.count == count
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or b"very-secret" not in path.read_bytes()


def test_a_refused_key_ends_the_run_at_once() -> None:
    with StubServer(answer=answered, key="right") as server, pytest.raises(TenfoldError) as caught:
        sg.optimise(two_leaves(), questions(50), models=f"{server.url}#stub", concurrency=2, **SETTINGS)
    assert caught.value.exit_code == 2
    assert len(server.headers) <= 8
