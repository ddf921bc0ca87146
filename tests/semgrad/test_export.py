import ast
import json

import pytest
import yaml

from tenfold.core.errors import BadInput
from tenfold.semgrad.export import export
from tenfold.semgrad.graph import Graph


def graph(**instructions):
    g = Graph()
    a = g.node("first", instructions.get("first", "Evaluate bracket 1."), inputs=["question"])
    b = g.node("second hint", instructions.get("second", "Evaluate bracket 2."), inputs=["question"])
    g.node("class", "Combine.", inputs=["question", a, b], output=True, output_format="A number.")
    return g


def test_json_and_yaml_are_read_back_as_the_same_graph():
    g = graph()
    assert Graph.from_dict(json.loads(export(g, "json"))).to_dict() == g.to_dict()
    assert Graph.from_dict(yaml.safe_load(export(g, "yaml"))).to_dict() == g.to_dict()


def test_the_dspy_program_calls_every_node_with_its_inputs():
    text = export(graph(), "dspy")
    tree = ast.parse(text)
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert "question, first, second_hint -> class_" in literals
    assert "Combine. A number." in literals
    assert "class_ = self.class__node(question=question, first=first, second_hint=second_hint).class_" in text
    assert "def forward(self, question):" in text


def test_no_instruction_becomes_code_in_the_dspy_program():
    hostile = '""") or __import__("os").system("true") #\n\'\'\'\\'
    tree = ast.parse(export(graph(first=hostile), "dspy"))
    assert not any(isinstance(node, ast.Name) and node.id == "__import__" for node in ast.walk(tree))
    assert any(isinstance(node, ast.Constant) and node.value == hostile.strip() for node in ast.walk(tree))


def test_what_a_format_cannot_hold_is_said():
    g = Graph()
    g.node("double", function=lambda x: x, inputs=["question"], output=True)
    with pytest.raises(BadInput, match="Node 'double' is a Python function"):
        export(g, "dspy")
    with pytest.raises(BadInput, match="no format 'pickle'"):
        export(graph(), "pickle")
