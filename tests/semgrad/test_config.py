"""The file of a run: read, and refused with the place of what is wrong."""

import inspect
import json

import pytest
import yaml

from tenfold import semgrad as sg
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.llm.budget import Budget
from tenfold.semgrad.config import _KINDS, _settings_names, read_rows
from tests.semgrad.build import pure, questions, two_leaves
from tests.semgrad.scripted import half_right


def plain(**change) -> dict:
    return {"graph": two_leaves().to_dict(), "train": questions(4), **change}


def written(tmp_path, content, name="run.yaml"):
    path = tmp_path / name
    path.write_text(yaml.safe_dump(content) if name.endswith("yaml") else json.dumps(content))
    return path


@pytest.mark.parametrize("name", ["run.yaml", "run.json"])
def test_a_file_gives_graph_rows_and_settings_that_optimise_takes(tmp_path, name) -> None:
    settings = {"steps": 2, "budget": {"calls": 500}, "run_dir": "out", "gate": "strict", "update": "full", "alpha": 0.1}
    config = sg.read_config(written(tmp_path, plain(test=questions(2, 10), **settings), name))
    assert config.graph.to_dict() == two_leaves().to_dict()
    assert (len(config.train), len(config.test or [])) == (4, 2)
    assert config.settings["budget"] == Budget(calls=500)
    assert config.settings["run_dir"] == str(tmp_path / "out")
    result = sg.optimise(config.graph, config.train, config.test, **{**config.settings, "models": pure(half_right)})
    assert result.test_score is not None
    assert (tmp_path / "out" / "best.json").exists()


def test_files_are_named_relative_to_the_file(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    two_leaves().save(tmp_path / "data" / "graph.yaml")
    (tmp_path / "data" / "train.csv").write_text('id,question,target\nx,"1, 2\n3",5\n\ny,b,6\n', encoding="utf-8")
    (tmp_path / "data" / "test.jsonl").write_text('{"question": "c", "target": 7}\r\n\n{"input": "d", "target": "8"}')
    config = sg.read_config(
        written(tmp_path, {"graph": "data/graph.yaml", "train": "data/train.csv", "test": "data/test.jsonl"})
    )
    assert config.train == [{"id": "x", "question": "1, 2\n3", "target": "5"}, {"id": "y", "question": "b", "target": "6"}]
    assert config.test == [{"question": "c", "target": 7}, {"input": "d", "target": "8"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neighborhood": "full"}, "'neighborhood' is unknown. Did you mean 'neighbourhood'?"),
        ({"on_step": "x"}, "'on_step' is unknown"),
        ({"steps": "many"}, "steps is 'many'; it must be a number"),
        ({"steps": True}, "steps is 'True'"),
        ({"memo": "yes"}, "memo is 'yes'; it must be true or false"),
        ({"budget": 5}, "budget must be a table"),
        ({"budget": {"call": 5}}, "'call' is unknown. Did you mean 'calls'?"),
        ({"budget": {"calls": -5}}, "calls is -5"),
        ({"models": ["x"]}, "models must be a model string"),
        ({"train": 5}, "train must be the path of a file, or a list of rows"),
        ({"train": None}, "has no train"),
        ({"train": "absent.jsonl"}, "absent.jsonl cannot be read"),
        ({"train": "a\0b.jsonl"}, "train is 'a\\x00b.jsonl', which is no name of a file"),
        ({"graph": "a\0b.json"}, "graph is 'a\\x00b.json', which is no name of a file"),
        ({"cassette": "a\0b.jsonl"}, "cassette is 'a\\x00b.jsonl', which is no name of a file"),
        ({"cache": ""}, "cache is '', which is no name of a file"),
        ({"mode": "record"}, "mode is a cassette's, and there is no cassette"),
        ({"train": [{"question": "a", "target": float("nan")}]}, "row 0, column target: nan"),
        ({"graph": {"nodes": [{"name": "a"}]}}, "run.yaml: Node 'a' has no instruction"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message) -> None:
    with pytest.raises(TenfoldError) as caught:
        sg.read_config(written(tmp_path, plain(**change)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b'{"a": 1}\n{"a": ', "t.jsonl, line 2 is not valid JSON"),
        ("t.jsonl", b'{"a": 1}\n[2]', "line 2: '\\[2\\]' is not a table"),
        ("t.jsonl", b'{"a": 1}\n{"a": NaN}', "line 2, column a: nan"),
        ("t.jsonl", b'{"a": "\xff"}', "not UTF-8 text: line 1, byte 8"),
        ("t.json", b'{"a": 1}', "no list of rows"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2: 3 columns; the first line names 2"),
        ("t.csv", b"a,a\n1,2\n", "names of its columns, each once"),
        ("t.csv", b'a,b\n1,"2', "not valid CSV"),
        ("t.pkl", b"", "neither .jsonl"),
        ("t.jsonl", b"[" * 100_000, "not valid JSON"),
        ("t.parquet", b"PAR1", "parquet|pandas"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TenfoldError, match=message):
        read_rows(tmp_path / name)


def test_every_checked_key_is_one_that_optimise_or_a_client_takes() -> None:
    assert set(_KINDS) <= set(_settings_names())
    assert {"steps", "gate", "racing"} <= set(inspect.signature(sg.optimise).parameters)


def test_a_list_is_no_config(tmp_path) -> None:
    with pytest.raises(BadInput, match="not a table"):
        sg.read_config(written(tmp_path, [1]))
