"""The embedded engine as a whole, and what must hold of every judgement."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judge.sample import LOADER, REQUIREMENTS, finished, picture
from tenfold.judge import embedded
from tenfold.judge.types import Judgement, Requirement, Requirements
from tenfold.judge.workspace import Workspace

CASES = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
CODE = ("src/data_loader.py", "src/model.py", "src/train.py")
TARGETS = {
    "0": "src/data_loader.py", "1": "src/data_loader.py", "2": "src/model.py", "3": "src/train.py",
    "4": "results/metrics/accuracy.txt", "5": "results/figures/confusion_matrix.png", "6": "models/saved_models/svm.joblib",
    "7": "results/report.md", "8": "results/summary.pdf",
}  # fmt: skip


def judged(files: dict[str, bytes], requirements: Requirements = REQUIREMENTS) -> dict[str, Judgement]:
    found = embedded.judge(Workspace.of("w", files), requirements, "")
    return {one.requirement.id: one for one in found}


def one(files: dict[str, bytes], criteria: str, category: str = "") -> Judgement:
    return judged(files, Requirements("one", (Requirement("0", criteria, (), category),)))["0"]


def outcome(found: dict[str, Judgement]) -> dict[str, tuple[str, float, float]]:
    return {key: (one.verdict, one.probability, one.confidence) for key, one in found.items()}


def test_a_finished_workspace_is_satisfied_throughout_with_evidence_by_file_and_line():
    found = judged(finished())
    assert {key: one.verdict for key, one in found.items()} == dict.fromkeys(found, "satisfied")
    first = found["2"].evidence[0]
    assert first.supports
    assert (first.file, first.line, len(first.sha256)) == ("src/model.py", 1, 64)


@pytest.mark.parametrize("number", sorted(TARGETS))
def test_without_its_file_a_requirement_is_never_satisfied_and_not_likelier(number):
    files = finished()
    before = judged(files)[number].probability
    emptied = judged({**files, TARGETS[number]: b""})[number]
    del files[TARGETS[number]]
    gone = judged(files)[number]
    assert gone.verdict == emptied.verdict == "unsatisfied"
    assert gone.probability <= emptied.probability <= before


@CASES
@given(
    number=st.sampled_from(sorted(TARGETS)),
    broken=st.dictionaries(
        st.sampled_from(sorted(set(TARGETS.values()))), st.sampled_from(["gone", "empty", "bad"]), max_size=4
    ),
)
def test_deleting_or_emptying_a_target_never_raises_p_whatever_else_is_broken(number, broken):
    files = finished()
    for path, how in broken.items():
        if how == "gone":
            del files[path]
        else:
            files[path] = b"" if how == "empty" else b"placeholder"
    target = TARGETS[number]
    if len(files) < 2:
        return
    before = judged(files)[number].probability
    assert judged({**files, target: b""})[number].probability <= before or target not in files
    files.pop(target, None)
    assert judged(files)[number].probability <= before


def pasted(text: str, how: str) -> str:
    if how == "comment":
        return "".join(f"# {line}\n" for line in text.splitlines())
    if how == "docstring":
        return f'"""{text}"""\n'
    if how == "name":
        return f"NOTES = {text!r}\n"
    if how == "list":
        return f"REQUIREMENT_CRITERIA = [{text!r}, {text!r}]\n"
    return f"def notes():\n    {text!r}\n    return {text!r}\n"


@CASES
@given(
    st.sampled_from(CODE),
    st.sampled_from([item.criteria for item in REQUIREMENTS]),
    st.sampled_from(["comment", "docstring", "name", "list", "function"]),
    st.booleans(),
    st.booleans(),
)
def test_pasting_a_criterion_into_strings_comments_and_docstrings_never_raises_p(path, text, how, whole, replaced):
    files = finished()
    body = "" if replaced else files[path].decode()
    before = judged({**files, path: (body or "x = 1\n").encode()})
    extra = pasted(text, how)
    after = judged({**files, path: (extra + body if whole else body + "\n" + extra).encode()})
    for key, found in after.items():
        assert found.probability <= before[key].probability + 1e-12, (key, found.evidence)


@CASES
@given(
    st.permutations(sorted(finished())),
    st.text("abc.-", min_size=1, max_size=8),
    st.lists(st.binary(max_size=60), max_size=3),
)
def test_the_order_of_files_the_name_of_the_folder_and_irrelevant_files_change_nothing(order, name, extra):
    files = finished()
    shuffled = {path: files[path] for path in order} | {f"notes/{n}.bin": data for n, data in enumerate(extra)}
    found = embedded.judge(Workspace.of(name, shuffled), REQUIREMENTS, "")
    assert outcome({one.requirement.id: one for one in found}) == outcome(judged(files))


def test_comments_and_docstrings_change_nothing():
    files = finished()
    more = {path: b"# a comment\n" + files[path] + b'\n\n"""A last word."""\n' for path in CODE}
    assert outcome(judged(files | more)) == outcome(judged(files))


def test_cached_facts_give_the_same_judgements_as_new_ones(tmp_path):
    folder = tmp_path / "work"
    for path, data in finished().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    workspace = Workspace.open(folder)

    def found(cache: str) -> list[tuple]:
        return [
            (one.verdict, one.probability, one.evidence, one.missing)
            for one in embedded.judge(workspace, REQUIREMENTS, cache)
        ]

    new = found("")
    cache = str(tmp_path / "cache")
    assert found(cache) == new
    assert found(cache) == new
    (folder / "src/model.py").write_text("def build():\n    pass\n")
    workspace = Workspace.open(folder)
    assert {row[0] for row in found(cache)} == {"satisfied", "unsatisfied"}


def test_shuffled_requirements_keep_their_judgements():
    backwards = Requirements("iris", tuple(reversed(REQUIREMENTS.items)))
    assert outcome(judged(finished(), backwards)) == outcome(judged(finished()))


def test_a_method_that_may_be_written_by_hand_is_undecided_and_says_what_would_decide():
    code = b"import numpy as np\n\ndef solve(a):\n    for row in a:\n        np.dot(row, row)\n    return a\n"
    found = one({"src/model.py": code}, 'The "Q-learning" algorithm is implemented in `src/model.py`.')
    assert found.verdict == "undecided"
    assert "src/model.py" in found.missing
    assert found.confidence == 0.5


def test_hand_written_q_learning_is_confirmed_by_the_names_that_it_needs():
    code = b"""import numpy as np

def train(env, alpha=0.1, gamma=0.9):
    q_table = np.zeros((4, 2))
    for _ in range(10):
        q_table[0, 1] += alpha * (1 + gamma * np.max(q_table[1]) - q_table[0, 1])
    return q_table
"""
    assert one({"src/train.py": code}, 'The "Q-learning" algorithm is used in `src/train.py`.').verdict == "satisfied"


def test_another_estimator_in_place_of_the_one_asked_for_speaks_against_it():
    files = finished() | {
        "src/model.py": b"from sklearn.tree import DecisionTreeClassifier\n\ndef f():\n    return DecisionTreeClassifier()\n"
    }
    found = judged(files)["2"]
    assert found.verdict == "unsatisfied"
    assert found.evidence[0].kind == "instead"


def test_another_data_set_in_place_of_the_one_asked_for_is_unsatisfied():
    files = finished() | {"src/data_loader.py": LOADER.replace("load_iris", "load_wine").encode()}
    found = judged(files)["0"]
    assert found.verdict == "unsatisfied"
    assert any("load_wine" in one.words for one in found.evidence)


def test_random_numbers_in_place_of_a_data_set_are_unsatisfied():
    code = b"import numpy as np\n\ndef load():\n    return np.random.rand(150, 4), np.random.randint(0, 3, 150)\n"
    assert judged(finished() | {"src/data_loader.py": code})["0"].verdict == "unsatisfied"


def test_an_imported_library_that_is_never_used_is_not_used():
    files = {"src/app.py": b"import streamlit as st\n\ndef main():\n    for n in range(3):\n        print(n + 1)\n"}
    assert one(files, 'A page is created in `src/app.py` using "Streamlit".').verdict == "unsatisfied"
    files = {
        "src/app.py": b"import streamlit as st\n\ndef main():\n    st.title('Results')\n    st.write(1 + 1)\n\nmain()\n"
    }
    assert one(files, 'A page is created in `src/app.py` using "Streamlit".').verdict == "satisfied"


def test_one_of_two_libraries_is_enough_where_either_is_asked_for():
    files = {
        "src/report.py": b"from bokeh.plotting import figure, show\n\nplot = figure()\nplot.line([1], [2])\nshow(plot)\n"
    }
    assert one(files, 'An interactive report is created using "Dash" or "Bokeh" in `src/report.py`.').verdict == "satisfied"


def test_a_file_of_unknown_kind_is_left_to_a_person_and_never_passes():
    found = one({"results/model.xyz": b"\x00\x01" * 300}, "The trained model is saved as `results/model.xyz`.")
    assert found.verdict != "satisfied"
    found = one({"results/weights/a.xyz": b"\x00\x01" * 300}, "The weights are saved to `results/weights/`.")
    assert found.verdict == "undecided"


def test_live_code_alone_is_never_enough():
    found = one(finished(), "The user can select a task and see its steps in `src/train.py`.")
    assert found.verdict == "undecided"


def test_blank_pictures_and_placeholders_are_no_results():
    files = finished()
    for bad in (picture(1, 1), picture(plain=True), b"placeholder"):
        assert judged(files | {"results/figures/confusion_matrix.png": bad})["5"].verdict == "unsatisfied"
    assert judged(files | {"results/metrics/accuracy.txt": b"placeholder"})["4"].verdict == "unsatisfied"
    assert judged(files | {"models/saved_models/svm.joblib": b"not a model"})["6"].verdict == "unsatisfied"


def test_a_file_in_another_folder_does_not_satisfy_and_is_named():
    files = finished()
    files["results/accuracy.txt"] = files.pop("results/metrics/accuracy.txt")
    found = judged(files)["4"]
    assert found.verdict == "unsatisfied"
    assert any(one.file == "results/accuracy.txt" for one in found.evidence)
