"""Trajectories: the formats, their errors, and how they are shortened."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.judge.trajectory import CHARS_PER_TOKEN, Step, Trajectory, flatten, load, middle_dropped


def devai(count=3):
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "model": "m",
        "cost": 0.5,
        "llm_inference_time": 1.0,
        "step_execution_time": 2.0,
    }
    return [
        {
            "step": i,
            "user_message": "Build it." if i == 0 else None,
            "agent": {"thought": f"thought {i}", "action": f"run {i}" if i < count - 1 else None, "agent_name": "coder"},
            "environment": f"output {i}" if i < count - 1 else None,
            "step_usage": usage,
            "accumulated_usage": {"accumulated_cost": 0.5 * (i + 1), "accumulated_time": 2.0 * (i + 1)},
        }
        for i in range(count)
    ]


def test_a_devai_trajectory_gives_steps_cost_time_and_self_termination(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(devai()))
    found = load(path)
    assert [step.thought for step in found.steps] == ["thought 0", "thought 1", "thought 2"]
    assert (found.cost, found.seconds, found.self_terminated, found.format) == (1.5, 6.0, True, "devai")
    stopped = load(devai()[:2])
    assert stopped.self_terminated is False


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("agent",), {"action": "x"}, "field agent"),
        (("agent", "thought"), 3, "field agent.thought"),
        (("step_usage", "cost"), "free", "field step_usage.cost"),
        (("accumulated_usage", "accumulated_time"), -1, "field accumulated_usage.accumulated_time"),
        (("step",), "one", "field step"),
    ],
)
def test_a_step_that_breaks_the_schema_is_named_with_its_field(place, value, named):
    rows = json.loads(json.dumps(devai()))
    target = rows[1]
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(BadInput, match="step 1") as raised:
        load(rows)
    assert named in raised.value.message


@pytest.mark.data
def test_the_recorded_trajectory_of_task_39_is_read_whole(data):
    import gzip

    rows = json.loads(gzip.decompress(next((data / "judge").glob("trajectory_OpenHands_39*")).read_bytes()))
    found = load(rows)
    assert len(found.steps) == 34
    assert found.cost == pytest.approx(2.607315)
    assert found.self_terminated is True
    text = flatten(found)
    assert len(text) <= 10_000 * CHARS_PER_TOKEN * 1.01
    assert "Step 33" in text


def test_openhands_events_become_steps():
    events = [
        {"id": 0, "timestamp": "2025-01-01T00:00:00", "source": "user", "action": "message", "args": {"content": "Do it."}},
        {"id": 1, "source": "environment", "observation": "agent_state_changed", "content": "", "extras": {}},
        {"id": 2, "source": "agent", "action": "run", "args": {"command": "ls", "thought": "Look around."}},
        {"id": 3, "source": "agent", "observation": "run", "content": "a.py", "llm_metrics": {"accumulated_cost": 0.25}},
        {"id": 4, "timestamp": "2025-01-01T00:01:30", "source": "agent", "action": "finish", "args": {"thought": "Done."}},
    ]
    found = load(events)
    assert found.format == "openhands"
    assert found.steps[0] == Step(0, "Do it.", "Look around.", "run: ls", "a.py")
    assert (found.cost, found.seconds, found.self_terminated) == (0.25, 90.0, True)


def test_metagpt_and_gpt_pilot_and_swe_agent_are_read():
    storage = [
        {"content": "Write a game", "role": "Human", "cause_by": "metagpt.actions.add_requirement.UserRequirement"},
        {"content": "The design", "role": "Architect", "cause_by": "metagpt.actions.design_api.WriteDesign"},
    ]
    found = load({"env": {"history": {"storage": storage}}, "cost_manager": {"total_cost": 1.25}})
    assert (found.format, found.cost, found.steps[0].user) == ("metagpt", 1.25, "Write a game")
    assert any(step.agent == "Architect" and "WriteDesign" in step.action for step in found.steps)
    rows = [
        {"agent": "dev", "messages": '[{"role": "user", "content": "Code it"}]', "response": "print(1)", "duration": 2.5}
    ]
    found = load(rows)
    assert found.format == "gpt-pilot"
    assert found.steps[0] == Step(0, "Code it", "print(1)", "", "", "dev")
    assert found.seconds == 2.5
    run = {
        "trajectory": [{"thought": "Try", "action": "pytest", "observation": "1 failed"}],
        "info": {"exit_status": "submitted", "model_stats": {"instance_cost": 0.7}},
    }
    found = load(run)
    assert (found.format, found.cost, found.self_terminated, found.steps[0].environment) == (
        "swe-agent",
        0.7,
        True,
        "1 failed",
    )


def test_json_lines_of_coding_agents_are_read_with_their_totals(tmp_path):
    rows = [
        {"type": "user", "message": {"role": "user", "content": "Make a.py"}},
        {
            "type": "assistant",
            "message": {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I write it."},
                    {"type": "tool_use", "name": "Write", "input": {"path": "a.py"}},
                ],
            },
        },
        {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "content": "written"}]}},
        {"type": "result", "subtype": "success", "is_error": False, "total_cost_usd": 0.01, "duration_ms": 1500},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + '\n{"type": "assi')  # the last line was torn by a kill
    found = load(path)
    assert found.steps == (Step(0, "Make a.py", "I write it.", 'Write: {"path": "a.py"}', "written"),)
    assert (found.cost, found.seconds, found.self_terminated) == (0.01, 1.5, True)
    plain = load(
        [
            {"role": "system", "content": "Be good."},
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "ls", "arguments": "{}"}}]},
            {"role": "tool", "content": "a.py"},
        ]
    )
    assert plain.steps == (Step(0, "Go", "", "ls: {}", "a.py"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no steps"),
        ("[]", "has no steps"),
        ("{}", "no known format"),
        ('{"a": 1}', "no known format"),
        ("3", "is no trajectory"),
        ('[{"x": 1}]', "no known format"),
        ('[\n{"step" 1}]', "line 2, column"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_trajectory_is_told_in_a_sentence(tmp_path, content, words):
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=words):
        load(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path, words in ((tmp_path / "none.json", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(BadInput, match=words):
            load(path)


def test_the_last_steps_stay_and_long_parts_lose_their_middle():
    steps = tuple(Step(i, thought="t" * 5000, environment=f"start {i} " + "e" * 5000 + f" end {i}") for i in range(200))
    text = flatten(Trajectory(steps), tokens=1000)
    assert len(text) <= 1000 * CHARS_PER_TOKEN + 100
    assert "Step 199" in text
    assert "Step 3\n" not in text
    assert "earlier steps are left out" in text
    assert "start 199" in text
    assert "end 199" in text


@given(st.text(), st.integers(0, 100))
def test_dropping_the_middle_keeps_the_ends_and_the_limit(text, tokens):
    made = middle_dropped(text, tokens)
    if len(text) <= int(tokens * CHARS_PER_TOKEN):
        assert made == text
    else:
        assert len(made) <= max(tokens * CHARS_PER_TOKEN, 60)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "source", "action", "messages", "cause_by", "step", "agent", "message", "type", "args"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_read_or_told_never_a_traceback(found):
    with contextlib.suppress(BadInput):
        assert load(found if isinstance(found, (list, dict)) else [found]).steps
