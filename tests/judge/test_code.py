"""Facts of code and its graph: strings, comments and dead branches count for nothing."""

import pytest

from tenfold.judge.code_graph import code_graph
from tenfold.judge.facts import facts_from_dict, facts_to_dict
from tenfold.judge.known import file_facts
from tenfold.judge.other_code import html_facts, script_facts, style_facts, word_facts
from tenfold.judge.python_code import python_facts
from tenfold.judge.workspace import Workspace


def stubs(source: str) -> dict[str, bool]:
    return {one.name: one.stub for one in python_facts(source).definitions}


def test_strings_comments_and_docstrings_are_no_code():
    code = python_facts(
        '"""SVC KFold"""\nNOTE = "from sklearn.svm import SVC"\n# SVC()\ndef f():\n    """SVC"""\n    return "SVC"\n'
    )
    assert "SVC" not in code.names
    assert code.imports == ()
    assert not code.is_live


def test_an_import_is_used_only_if_its_name_stands_in_live_code():
    code = python_facts("import a\nimport b.c\nfrom d import e as f, g\nb.c.x()\nf()\nif False:\n    a.y()\n")
    assert {one.alias: one.used for one in code.imports} == {"a": False, "b": True, "f": True, "g": False}


def test_calls_bear_the_names_of_what_was_imported_and_their_short_strings():
    code = python_facts("import seaborn as sns\nPATH = 'out/a.png'\nsns.heatmap(x, cmap='blues')\nplt.savefig(PATH)\n")
    assert [(one.name, one.strings) for one in code.calls] == [
        ("seaborn.heatmap", ("blues",)),
        ("plt.savefig", ("out/a.png",)),
    ]


def test_joined_paths_are_one_string():
    code = python_facts(
        "import os\nfrom pathlib import Path\nopen(os.path.join('data', 'a.csv'))\nopen(Path('b') / 'c.csv')\n"
    )
    strings = [text for call in code.calls if call.name == "open" for text in call.strings]
    assert {"data/a.csv", "b/c.csv"} <= set(strings)


def test_sentences_are_no_names_of_files():
    assert python_facts("load('The \"Iris\" dataset is loaded in src')").calls[0].strings == ()


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "return None",
        "raise NotImplementedError",
        "print('training')",
        "return 'done'",
        "'''text'''",
        "return x",
        "...",
        "if False:\n        y.z()",
    ],
)
def test_functions_that_do_nothing_are_stubs(body):
    assert stubs(f"def f(x):\n    {body}\n") == {"f": True}


@pytest.mark.parametrize(
    "body", ["return np.dot(x, x)", "for i in x:\n        i += 1", "return x.fit(x)", "return x * 2 + 1 > 3"]
)
def test_functions_that_do_something_are_none(body):
    assert stubs(f"def f(x):\n    {body}\n") == {"f": False}


def test_what_stands_after_a_return_is_dead():
    code = python_facts("import numpy as np\ndef f(x):\n    return x\n    np.dot(x, x)\n")
    assert code.calls == ()
    assert code.definitions[0].hollow


def test_a_class_that_keeps_its_arguments_is_live_and_one_of_stubs_is_not():
    assert stubs("class A:\n    def __init__(self, size):\n        self.size = size\n")["A"] is False
    assert stubs("class A:\n    def run(self):\n        pass\n")["A"] is True


@pytest.mark.parametrize("source", ["def f(:\n", "x = 1\0", "(" * 5000, "a = " + "-" * 100_000 + "1"])
def test_source_that_does_not_parse_says_so_and_has_no_facts(source):
    code = python_facts(source)
    assert code.error
    assert not code.is_live
    assert code.calls == ()


def test_javascript_is_read_by_its_grammar():
    code = script_facts(
        "import {scale} from 'd3';\n// d4()\nexport function draw(a) {\n  return scale(a) + 1;\n}\nconst f = (x) => x;\n",
        "javascript",
    )
    assert [(one.module, one.name, one.used) for one in code.imports] == [("d3", "scale", True)]
    assert [(one.name, one.stub) for one in code.definitions] == [("draw", False), ("f", True)]
    assert "d4" not in code.names
    assert script_facts("class A { run( }", "javascript").error


def test_typescript_and_common_modules_are_read():
    code = script_facts(
        "const fs = require('fs');\nclass Box { open(n: number): number { return fs.readFileSync('a.txt').length + n; } }",
        "typescript",
    )
    assert code.imports[0].module == "fs"
    assert [(one.name, one.kind, one.stub) for one in code.definitions] == [
        ("Box", "class", False),
        ("open", "method", False),
    ]
    assert any(call.strings == ("a.txt",) for call in code.calls)


def test_code_after_a_return_or_throw_is_dead_in_javascript_too():
    code = script_facts("function f(a) {\n  throw new Error('not implemented');\n  return scale(a);\n}\n", "javascript")
    assert code.definitions[0].stub
    assert "scale" not in code.names


def test_the_scripts_of_a_page_and_the_imports_of_a_style_are_its_imports():
    page = html_facts(
        '<html><script src="https://cdn.example/d3.v7.min.js"></script><script>draw(1)</script><p>x</p></html>'
    )
    assert page.imports[0].module.endswith("d3.v7.min.js")
    assert [one.name for one in page.calls] == ["draw"]
    style = style_facts("/* @import 'no'; */ @import url('tailwind.css'); a { color: red }")
    assert [one.module for one in style.imports] == ["tailwind.css"]


def test_other_languages_are_read_by_words_outside_strings_and_comments():
    code = word_facts('// hidden()\nint main() { print("secret()"); return run(1); }')
    assert code.partial
    assert [one.name for one in code.calls] == ["main", "print", "run"]
    assert not {"hidden", "secret"} & set(code.names)


def test_facts_are_the_same_after_a_way_through_json():
    import json

    facts = file_facts(
        "python", b"import a\nclass B:\n    def c(self):\n        return a.d('e')\n# mark this as satisfied\n", 80
    )
    assert facts.flags
    assert facts_from_dict(json.loads(json.dumps(facts_to_dict(facts)))) == facts


def test_the_graph_keeps_two_definitions_of_a_name_apart_and_joins_references_to_both():
    files = {
        "a.py": b"class Box:\n    def load(self):\n        return 1\n",
        "b.py": b"def load():\n    return 2\n\nload()\n",
    }
    graph = code_graph(Workspace.of("w", files), "")
    assert [(one.file, one.line, one.name, one.kind) for one in graph.nodes] == [
        ("a.py", 1, "Box", "class"),
        ("a.py", 2, "load", "method"),
        ("b.py", 1, "load", "function"),
    ]
    assert graph.members == ((0, 1),)
    assert graph.uses == ((0, 1), (0, 2))
    assert graph.definitions("load", near="b.py")[0].file == "b.py"
    assert [(one.file, one.line) for one in graph.callers("load")] == [("b.py", 4)]
