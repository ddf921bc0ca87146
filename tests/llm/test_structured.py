import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from tenfold import llm
from tenfold.core.errors import BadInput
from tenfold.llm.script import Rules
from tenfold.llm.structured import parse
from tests.llm.stub_server import StubServer


class Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    fits: bool
    reason: str


GOOD = '{"fits": true, "reason": "it does"}'
WRONG = '{"fits": "perhaps"}'


def ask(text="does it fit?"):
    return llm.Request.of(text)


def server_of(*texts, **options):
    left = list(texts)
    return StubServer(answer=lambda body: left.pop(0) if len(left) > 1 else left[0], **options)


def test_a_server_is_held_to_the_schema():
    with server_of(GOOD) as server:
        client = llm.Client(f"{server.url}#stub")
        assert client.takes_schema is None
        assert client.structured_sync(ask(), Verdict) == Verdict(fits=True, reason="it does")
        assert client.takes_schema is True
    sent = server.bodies[0]["response_format"]["json_schema"]
    assert sent["strict"] is True
    assert set(sent["schema"]["properties"]) == {"fits", "reason"}
    assert "schema" not in server.bodies[0]["messages"][-1]["content"]


def test_a_schema_that_strict_mode_refuses_is_sent_without_it():
    class Loose(BaseModel):
        reason: str = "none"

    with server_of("{}") as server:
        assert llm.Client(f"{server.url}#stub").structured_sync(ask(), Loose) == Loose()
    assert server.bodies[0]["response_format"]["json_schema"]["strict"] is False


def test_a_server_that_takes_no_schema_gets_it_in_the_prompt_and_is_asked_once():
    with server_of(GOOD, schema=False) as server:
        client = llm.Client(f"{server.url}#stub")
        for number in range(3):
            assert client.structured_sync(ask(str(number)), Verdict).fits
        assert client.takes_schema is False
        assert server.count == 4
        assert client.account.calls == 3
    assert "JSON schema" in server.bodies[-1]["messages"][-1]["content"]


def test_many_first_requests_to_a_server_that_takes_no_schema_all_come_through():
    with server_of(GOOD, schema=False, latency=0.05) as server:
        client = llm.Client(f"{server.url}#stub")
        requests = [ask(str(i)).with_(json_schema=Verdict.model_json_schema()) for i in range(20)]
        assert [reply.text for reply in client.complete_many_sync(requests)] == [GOOD] * 20


def test_a_reply_that_does_not_fit_is_repaired_once():
    with server_of(WRONG, GOOD) as server:
        client = llm.Client(f"{server.url}#stub")
        assert client.structured_sync(ask(), Verdict).fits
        assert server.count == client.account.calls == 2
    repair = server.bodies[1]["messages"]
    assert repair[-2] == {"role": "assistant", "content": WRONG}
    assert "reason" in repair[-1]["content"]
    assert "JSON schema" in repair[-1]["content"]


@pytest.mark.parametrize("text", [WRONG, "no JSON here", "", "null", "[" * 5000, '{"fits": true}'])
def test_two_replies_that_do_not_fit_are_an_error_with_the_text(text):
    with server_of(text) as server:
        with pytest.raises(llm.StructuredOutputError) as caught:
            llm.Client(f"{server.url}#stub").structured_sync(ask(), Verdict)
        assert caught.value.raw == text
        assert server.count == 2


def test_an_engine_that_knows_no_schema_is_shown_it_in_the_repair():
    def answer(prompt):
        return GOOD if "JSON schema" in prompt else "Yes."

    assert llm.Client(backend=Rules(answer, "engine:x")).structured_sync(ask(), Verdict).fits


@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "Surely: {} Good?", "```\n{}\n``` and more", "\n\n{}"])
def test_json_is_found_between_words(form):
    assert parse(form.replace("{}", GOOD), Verdict) == (Verdict(fits=True, reason="it does"), "")


@settings(max_examples=60)
@given(st.text() | st.from_regex(r'[\[\]{}",:0-9a-z\s`]*', fullmatch=True))
def test_no_text_makes_the_parser_raise(text):
    made, wrong = parse(text, Verdict)
    assert (made is None) == bool(wrong)


def test_what_is_no_model_is_refused():
    with pytest.raises(BadInput, match="pydantic"):
        llm.Client(backend=Rules(str, "e")).structured_sync(ask(), dict)


def test_structured_replies_are_cached_like_others(tmp_path):
    with server_of(WRONG, GOOD) as server:
        for _ in range(2):
            with llm.Client(f"{server.url}#stub", cache=tmp_path / "c.sqlite") as client:
                assert client.structured_sync(ask(), Verdict).fits
        assert server.count == 2
        assert json.loads(GOOD)["fits"]
