import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import llm
from tenfold.core.errors import BadInput

_text = st.text(st.characters(codec="utf-8"), max_size=40)
_calls = st.builds(llm.ToolCall, _text, _text, _text)
_parts = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, _text),
        st.just({"type": "image", "url": "data:image/png;base64,AAAA"}),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_messages = st.builds(
    llm.Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.one_of(_text, _parts),
    st.lists(_calls, max_size=2).map(tuple),
    _text,
)
_schemas = st.none() | st.dictionaries(_text, st.integers() | _text | st.lists(_text, max_size=2), min_size=1, max_size=4)
_tools = st.builds(llm.Tool, _text, _text, st.dictionaries(_text, _text, max_size=3))
_requests = st.builds(
    llm.Request,
    st.lists(_messages, min_size=1, max_size=3).map(tuple),
    st.none() | _text,
    st.floats(0, 2),
    st.floats(0.01, 1),
    st.integers(1, 9999),
    st.none() | st.integers(0, 99),
    st.lists(_text, max_size=2).map(tuple),
    st.integers(1, 3),
    _schemas,
    st.lists(_tools, max_size=2).map(tuple),
    _text,
    st.integers(0, 5),
)
_replies = st.builds(
    llm.Reply,
    st.lists(_text, min_size=1, max_size=3).map(tuple),
    st.just(("stop",)),
    st.builds(llm.Usage, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.booleans()),
    st.none() | st.floats(0, 9),
    st.floats(0, 9),
    st.sampled_from(["live", "cache", "cassette", "engine"]),
    _text,
    st.lists(_calls, max_size=2).map(tuple),
    _text,
)


@settings(max_examples=40)
@given(_requests)
def test_a_request_survives_json(request):
    again = llm.Request.from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request
    assert again.key("x") == request.key("x")


@settings(max_examples=40)
@given(_replies)
def test_a_reply_survives_json(reply):
    assert llm.Reply.from_dict(json.loads(json.dumps(reply.to_dict()))) == reply


@settings(max_examples=40)
@given(_requests, st.integers(0, 99))
def test_a_key_depends_on_no_order_of_dictionaries(request, seed):
    def shuffled(value):
        if isinstance(value, dict):
            items = list(value.items())
            random.Random(seed).shuffle(items)
            return {name: shuffled(item) for name, item in items}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    assert llm.Request.from_dict(shuffled(request.to_dict())).key("x") == request.key("x")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_tokens": 7},
        {"seed": 1},
        {"stop": ("x",)},
        {"n": 2},
        {"json_schema": {"type": "object"}},
        {"tools": (llm.Tool("f"),)},
        {"sample": 1},
        {"messages": (llm.Message("user", "other"),)},
    ],
)
def test_everything_that_a_reply_depends_on_changes_the_key(change):
    request = llm.Request.of("hello")
    assert request.with_(**change).key("x") != request.key("x")
    assert request.key("y") != request.key("x")
    assert request.with_(tag="forward:a").key("x") == request.key("x")


def test_messages_may_be_written_as_openai_writes_them():
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    request = llm.Request(messages=({"role": "user", "content": parts},))
    assert request.prompt == "see"
    assert request.messages[0].content[1] == {"type": "image", "url": "data:image/png;base64,AA=="}


def test_half_a_character_in_a_reply_is_a_question_mark_and_all_else_stays():
    assert llm.Reply(("lone \ud800 surrogate", "🎉")).texts == ("lone ? surrogate", "🎉")


def test_a_message_can_be_read_as_an_object_as_items_and_as_a_dictionary():
    message = llm.Request.of("see").messages[0]
    assert message.content == message["content"] == message.get("content") == "see"
    assert dict(message) == {**message} == {"role": "user", "content": "see", "tool_calls": (), "tool_call_id": ""}
    assert "role" in message
    assert "colour" not in message
    with pytest.raises(KeyError):
        message["colour"]


@pytest.mark.parametrize(
    "messages",
    [[], None, "x", [{"content": "x"}], [{"role": "wizard", "content": "x"}], ["x"], [{"role": "user", "content": 5}]],
)
def test_messages_that_are_none_are_refused_in_words(messages):
    with pytest.raises(BadInput):
        llm.Request(messages=messages)
