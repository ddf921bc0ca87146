"""The seeded-fault suite: its tasks, its operators, its labels."""

import ast
import io
import json
import re
import subprocess
import sys
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from tenfold.core.errors import BadInput
from tenfold.judge.faults import (
    OPERATORS,
    Case,
    Fault,
    artefacts,
    code,
    edits,
    faults_of,
    generate,
    keeping,
    ladders,
    pack,
    tasks,
)
from tenfold.judge.faults.cases import draws
from tenfold.judge.faults.reference import SUITE

NAMES = [task.name for task in tasks()]
PROGRAM = '''"""Sums."""
import math
from pathlib import Path


def double(number):
    result = number * 2
    return result


def roots(numbers):
    """Square roots."""
    found = [math.sqrt(one) for one in numbers]
    return found


def main():
    total = sum(roots([4, 9, double(8)]))
    Path("total.txt").write_text(f"{total}")
    print(total)


if __name__ == "__main__":
    main()
'''


def named(name):
    return next(task for task in tasks() if task.name == name)


@cache
def singles():
    return [(task, fault) for task in tasks() for fault in faults_of(task)]


def test_the_suite_is_as_large_as_promised():
    held_out = tasks("held-out")
    assert len(tasks()) >= 12
    assert len(held_out) >= 4
    assert {task.name for task in held_out}.isdisjoint(task.name for task in tasks("tune"))
    assert any(path.endswith(".mjs") for task in held_out for path in task.files)
    assert any(path.endswith(".ipynb") for task in held_out for path in task.files)
    assert len({fault.operator for _, fault in singles()}) >= 25
    assert sum(len(case.labels) for case in generate()) >= 3000
    assert sum(file.stat().st_size for file in SUITE.iterdir()) <= 4 << 20


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_workspace_holds_every_path_that_its_criteria_name(name):
    task = named(name)
    assert 6 <= len(task.requirements) <= 10
    for number, item in enumerate(task.requirements):
        assert all(int(other) < number for other in item.prerequisites)
        assert item.category
        for path in re.findall(r"`([^`]+)`", item.criteria):
            inside = [
                content for file, content in task.files.items() if file == path or file.startswith(path.rstrip("/") + "/")
            ]
            assert any(inside), path
    assert all(path in task.files for path in task.table["files"])


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_made_false_by_some_fault(name):
    task = named(name)
    assert set().union(*(fault.breaks for fault in faults_of(task))) == set(task.requirements.by_id)


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_changes_what_it_says_it_touches_and_nothing_else(name):
    task = named(name)
    before = dict(task.files)
    for fault in faults_of(task):
        after = fault.apply(task.files)
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert changed, fault
        places = {*fault.touches, *(f"old_{path}" for path in fault.touches)}
        places |= {str(Path(path).with_name(f"{Path(path).stem}_v2{Path(path).suffix}")) for path in fault.touches}
        strange = {path for path in changed if not any(path == one or path.startswith(f"{one}/") for one in places)}
        assert not strange, fault
    assert task.files == before


def test_faults_written_by_hand_leave_programs_that_parse():
    seen = 0
    for task, fault in singles():
        if fault.operator in edits.KINDS and fault.path.endswith(".py"):
            ast.parse(fault.apply(task.files)[fault.path].decode())
            seen += 1
        if fault.operator in edits.KINDS and fault.path.endswith(".ipynb"):
            nbformat.validate(nbformat.reads(fault.apply(task.files)[fault.path].decode(), as_version=4))
            seen += 1
    assert seen > 50


def test_javascript_with_a_fault_parses_unless_the_fault_is_a_syntax_error():
    javascript = pytest.importorskip("tree_sitter_javascript")
    from tree_sitter import Language, Parser

    parser = Parser(Language(javascript.language()))
    for task, fault in singles():
        if fault.path.endswith((".js", ".mjs")) and fault.operator not in (
            "file-deleted",
            "file-renamed",
            "prose-instead",
            "claimed-only",
        ):
            tree = parser.parse(fault.apply(task.files)[fault.path])
            assert tree.root_node.has_error == (fault.operator == "syntax-error"), fault


def test_a_syntax_error_is_one_and_other_faults_of_python_are_none():
    for task, fault in singles():
        if fault.operator == "syntax-error" and fault.path.endswith(".py"):
            with pytest.raises(SyntaxError):
                ast.parse(fault.apply(task.files)[fault.path])
        elif fault.operator in (
            "stub",
            "body-removed",
            "pass-through",
            "not-implemented",
            "unreachable",
            "skeleton",
            "commented-out",
        ):
            content = fault.apply(task.files)[fault.path]
            if fault.path.endswith(".py"):
                ast.parse(content)


@pytest.mark.parametrize(
    ("operator", "body"),
    [
        (code.stub, "    # TODO: implement\n    pass\n"),
        (code.body_removed, "    return None\n"),
        (code.pass_through, "    return numbers\n"),
        (code.not_implemented, "    raise NotImplementedError\n"),
    ],
)
def test_a_function_loses_its_body_and_keeps_its_docstring(operator, body):
    made = operator({"sums.py": PROGRAM.encode()}, "sums.py", "roots")["sums.py"].decode()
    assert f'"""Square roots."""\n{body}\n\ndef main' in made
    assert made.startswith(PROGRAM[: PROGRAM.index("def roots")])


def test_code_below_an_early_return_stays_and_is_dead():
    made = code.unreachable({"sums.py": PROGRAM.encode()}, "sums.py", "double")["sums.py"].decode()
    assert "def double(number):\n    return None\n    result = number * 2\n" in made


def test_a_method_of_a_javascript_class_is_found_with_its_braces():
    twice = "    twice(x, y) {\n        if (x) { return `${x}${y}` }\n        return x\n    }\n"
    source = f"class A {{\n{twice}    other() {{ return 1 }}\n}}\n"
    made = code.pass_through({"a.mjs": source.encode()}, "a.mjs", "twice")["a.mjs"].decode()
    assert "return x;\n}\n    other() { return 1 }" in made
    assert "${x}" not in made


@pytest.mark.parametrize(("path", "source"), [("a.py", "def f(): return 1\n"), ("a.py", "x = 1\n"), ("a.js", "let x = 1\n")])
def test_a_function_that_is_not_there_or_has_no_lines_is_named(path, source):
    with pytest.raises(BadInput, match="has no function 'f'"):
        code.stub({path: source.encode()}, path, "f")


def test_an_edit_whose_words_are_not_there_is_refused():
    with pytest.raises(BadInput, match="does not hold 'absent'"):
        edits.edited({"a.py": b"x = 1\n"}, "a.py", [("absent", "")], (), "")


def test_broken_pictures_are_broken_as_named():
    files = named("digits_svm").files
    path = "results/figures/confusion_matrix.png"
    size = Image.open(io.BytesIO(files[path])).size
    with pytest.raises(OSError):  # noqa: PT011 - Pillow's own words differ by version
        Image.open(io.BytesIO(artefacts.truncated(files, path)[path])).load()
    assert Image.open(io.BytesIO(artefacts.one_pixel(files, path)[path])).size == (1, 1)
    blank = Image.open(io.BytesIO(artefacts.blank_picture(files, path)[path]))
    assert blank.size == size
    assert blank.getcolors() == [(size[0] * size[1], (255, 255, 255))]


def test_a_title_page_is_a_sound_pdf_with_one_word():
    made = artefacts.one_page_title({}, "report.pdf")["report.pdf"]
    reader = PdfReader(io.BytesIO(made), strict=True)
    assert [page.extract_text().split() for page in reader.pages] == [["Report"]]


def test_a_notebook_without_outputs_or_programs_is_still_a_notebook():
    files = named("kmeans_notebook").files
    for operator in (artefacts.outputs_stripped, artefacts.cells_as_text):
        notebook = nbformat.reads(operator(files, "clustering.ipynb")["clustering.ipynb"].decode(), as_version=4)
        nbformat.validate(notebook)
        assert not any(cell.get("outputs") for cell in notebook.cells)


def test_numbers_and_rows_go_and_names_stay():
    files = {"m.csv": b"name,value\nrmse,56.9\nr,-1e-3\n"}
    assert artefacts.numbers_removed(files, "m.csv")["m.csv"] == b"name,value\nrmse,n/a\nr,n/a\n"
    assert artefacts.header_only(files, "m.csv")["m.csv"] == b"name,value\n"


@pytest.mark.parametrize("name", [*keeping.KEEPING, "helper"])
def test_a_program_does_the_same_after_an_edit_that_changes_no_label(name, tmp_path):
    files = {"main.py": PROGRAM.encode(), "README.md": b"# Sums\n"}
    after = (
        keeping.moved_to_helper(files, "main.py", "roots", "extra.py", "extra")
        if name == "helper"
        else keeping.KEEPING[name](files)
    )
    outputs = []
    for number, one in enumerate((files, after)):
        for path, content in one.items():
            place = tmp_path / str(number) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        run = subprocess.run(
            [sys.executable, "-I", "-c", _RUN], cwd=tmp_path / str(number), capture_output=True, text=True, check=True
        )
        outputs.append((run.stdout, (tmp_path / str(number) / "total.txt").read_text()))
    assert outputs[0] == outputs[1] == ("9.0\n", "9.0")


_RUN = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('main.py', run_name='__main__')"


@pytest.mark.parametrize("name", NAMES)
def test_edits_that_change_no_label_keep_syntax_and_pixels(name):
    files = named(name).files
    for edit in keeping.KEEPING.values():
        after = edit(files)
        assert set(files) <= set(after)
        for path, content in files.items():
            if path.endswith(".py"):
                ast.parse(after[path])
            elif path.endswith(".png"):
                a, b = (Image.open(io.BytesIO(one)) for one in (content, after[path]))
                assert a.tobytes() == b.tobytes()
            elif not path.endswith((".js", ".mjs", ".md")):
                assert after[path] == content, (edit, path)


def test_renaming_changes_names_alone():
    after = keeping.variables_renamed({"main.py": PROGRAM.encode()})["main.py"]
    assert b"found_value" in after
    assert b"found " not in after
    before_nodes, after_nodes = ([type(node) for node in ast.walk(ast.parse(one))] for one in (PROGRAM, after))
    assert before_nodes == after_nodes


def test_the_cases_are_the_same_for_a_seed_and_differ_for_another():
    first, again, other = (list(generate("held-out", seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert {case.name for case in first if case.kind == "single"} == {case.name for case in other if case.kind == "single"}


def test_a_limit_takes_turns_of_the_tasks():
    cases = list(generate("tune", limit=18))
    assert [case.kind for case in cases[:9]] == ["reference"] * 9
    assert len({case.task for case in cases[9:]}) == 9


@pytest.mark.parametrize("wrong", [{"split": "test"}, {"limit": 0}, {"kinds": ["triple"]}])
def test_unknown_splits_and_empty_limits_are_refused(wrong):
    with pytest.raises(BadInput):
        list(generate(**wrong))


@given(st.integers(0, 10**6))
@settings(max_examples=8)
def test_labels_follow_from_the_faults_alone(seed):
    for case in islice(generate(seed=seed), 30, 90):
        false = set().union(*(fault.breaks for fault in case.faults))
        assert {identity for identity, label in case.labels.items() if not label} == false
        unclear = set().union(*(fault.unclear for fault in case.faults)) - false
        assert unclear.isdisjoint(case.labels)
        if case.kind in ("reference", "keeping"):
            assert set(case.labels) == set(case.requirements.by_id)


def test_where_no_program_is_left_only_what_is_false_has_a_label():
    task = named("digits_svm")
    fault = next(one for one in faults_of(task) if (one.operator, one.path) == ("folder-deleted", "src"))
    assert Case(task.name, "single", (fault,)).labels == {"0": False, "1": False, "2": False, "3": False, "8": False}


def test_a_moved_folder_breaks_what_names_it_and_nothing_else():
    task = named("digits_svm")
    fault = next(one for one in faults_of(task) if (one.operator, one.path) == ("folder-moved", "src"))
    assert fault.breaks == {"0", "1", "2", "3"}, "the split of the data names no path"


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_the_rungs_of_a_ladder_break_more_and_more(seed):
    for ladder in ladders(seed=seed, count=1):
        false = [sum(not label for label in ladder.rung(count).labels.values()) for count in range(len(ladder.faults) + 1)]
        assert false[0] == 0
        assert all(a < b for a, b in pairwise(false))
        assert len(ladder.faults) >= 3


def test_eight_drawn_workspaces_differ_in_their_faults():
    drawn = draws(named("maze_qlearning"), seed=1)
    assert len(drawn) == 8
    assert len({len(case.faults) for case in drawn}) > 2
    for case in drawn:
        case.files()


def test_a_case_is_written_as_its_files_and_nothing_more(tmp_path):
    case = next(case for case in generate("tune", seed=1) if case.kind == "pair")
    root = case.write(tmp_path)
    assert root.name == case.task
    assert {
        file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()
    } == case.files()


def test_a_packed_workspace_is_the_same_bytes_each_time_and_comes_back(tmp_path):
    root = tmp_path / "work"
    (root / "deep").mkdir(parents=True)
    (root / "deep/a.txt").write_text("grün\n", encoding="utf-8")
    (root / "b.bin").write_bytes(bytes(range(256)))
    sizes = [pack(root, tmp_path / f"{number}.json.gz") for number in range(2)]
    assert sizes[0] == sizes[1] == (tmp_path / "0.json.gz").stat().st_size
    assert (tmp_path / "0.json.gz").read_bytes() == (tmp_path / "1.json.gz").read_bytes()


def test_every_operator_is_used_and_a_fault_is_small():
    assert {fault.operator for _, fault in singles()} == set(OPERATORS)
    assert all(isinstance(fault, Fault) and len(json.dumps(fault.arguments)) < 4000 for _, fault in singles())
