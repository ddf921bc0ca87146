"""What criteria ask for."""

import json

import pytest

from tenfold.judge.criterion import parse


def roles(text: str, category: str = "") -> dict[str, str]:
    return {one.path: f"{one.kind} {one.role}" for one in parse(text, category).targets}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It is implemented in `src/model.py`.", {"src/model.py": "file code"}),
        (
            "Saved as 'results/a.txt' and \"results/b.png\".",
            {"results/a.txt": "file artefact", "results/b.png": "file artefact"},
        ),
        ("Saved under models/saved_models/.", {"models/saved_models": "folder artefact"}),
        ("Saved as `fashionnet.pt` in `models/saved_models/`.", {"models/saved_models/fashionnet.pt": "file artefact"}),
        (
            'A page in `src/app.py` using "Streamlit" is created to display results saved in `results/figures/`.',
            {"src/app.py": "file code", "results/figures": "folder input"},
        ),
        ("Downloaded from [this link](https://example.org/a/b.csv) and used.", {}),
        ('An interactive graph is created using "D3.js" or "Bokeh".', {}),
        ("`torchvision.transforms` are used.", {}),
        ("A report is saved as `results/report.ipynb`.", {"results/report.ipynb": "file artefact"}),
        ("K-means is applied in `work.ipynb`.", {"work.ipynb": "file code"}),
    ],
)
def test_paths_are_found_with_what_they_are_for(text, wanted):
    assert roles(text) == wanted


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('The "Fashion-MNIST" dataset is loaded in `src/data_loader.py`.', "Fashion-MNIST"),
        ('The "Electronics" subset of the "Amazon Reviews 2023" dataset is loaded.', "Amazon Reviews 2023"),
        ('The "Sentiment140" dataset, available from "Hugging Face," is obtained.', "Sentiment140"),
        ("DeepMind Mathematics dataset is loaded in `src/data_loader.py`.", "DeepMind Mathematics"),
        ("The dataset is cleaned.", ""),
        ('The "SVM classifier" is implemented.', ""),
    ],
)
def test_the_name_of_the_data_set_is_found(text, name):
    assert parse(text, "Dataset or Environment" if name else "").data_set == name


@pytest.mark.parametrize(
    ("text", "decidable"),
    [
        ("The plot is saved as `results/a.png`.", "by absence"),
        ('The page uses "Streamlit" in `src/app.py`.', "by absence"),
        ('"Q-learning" is implemented in `src/train.py`.', "by presence"),
        ("The report is insightful.", "by judgement"),
    ],
)
def test_how_far_files_and_code_can_decide_is_told(text, decidable):
    assert parse(text).decidable == decidable


def test_either_of_two_libraries_is_told_from_both():
    assert parse('It uses "Dash" or "Bokeh".').any_library
    assert not parse('It uses "seaborn" and "matplotlib".').any_library


@pytest.mark.data
def test_of_the_365_requirements_of_devai_few_leave_nothing_to_look_for(data):
    tasks = [json.loads(line) for line in (data / "judge" / "devai_instances.jsonl").read_text().splitlines()]
    found = [parse(row["criteria"], row.get("category", "")) for task in tasks for row in task["requirements"]]
    assert len(found) == 365
    assert sum(one.decidable == "by judgement" for one in found) <= 20
    assert sum(bool(one.targets) for one in found) >= 330
