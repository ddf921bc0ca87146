"""Agent-as-a-Judge: a workspace that an agent produced, judged requirement by requirement, with evidence to click on.

Zhuge et al. 2024, "Agent-as-a-Judge: Evaluate Agents with Agents", arXiv 2410.10934, and its benchmark DevAI. Without a
model the embedded engine decides what files and code can decide, and says "undecided" to the rest; with one, the paper's
agent judges, or only what the engine leaves open (hybrid). No file of a workspace is ever imported, run, unpickled or
written.

| file | holds |
|---|---|
| `types.py` | `Requirement`, `Requirements`, `Evidence`, `Judgement`, `Report` |
| `forms.py`, `rubric.py`, `requirements.py` | DevAI JSON, plain text, YAML, weighted rubric trees; read and checked |
| `linting.py` | what is wrong or vague in requirements |
| `devai.py` | the 55 tasks and how runs of them ended, by name of data set |
| `labels.py` | people's verdicts: read, joined by the criterion's words, overridden, saved |
| `workspace.py`, `archives.py`, `zips.py` | reading a folder safely; archives unpacked in memory; entries of a zip |
| `kinds.py`, `facts.py`, `known.py` | what kind a file is; what is known of it; that kept by the hash of its content |
| `artefacts.py` | what a file that is no code turned out to be, by its kind's reader: |
| `artefact_texts.py`, `artefact_documents.py`, `artefact_tables.py` | prose, markdown, HTML; PDF and office; CSV and JSON |
| `artefact_pictures.py`, `artefact_notebooks.py` | pictures, videos, sound; notebooks and their cells |
| `artefact_models.py`, `artefact_arrays.py` | checkpoints by header, listing and opcodes; NumPy arrays |
| `python_code.py`, `other_code.py`, `code_graph.py` | facts of code: ast, tree-sitter; definitions, references, calls |
| `collector.py` | no collection of cycles while a large tree is made |
| `criterion.py`, `lexicon.py` | what a criterion asks for; what methods, libraries and measures are called |
| `embedded.py`, `checks.py`, `scene.py` | the embedded engine; all checks of a criterion; where they look |
| `check_files.py`, `check_data.py`, `check_libraries.py` | files that must be there and be valid; data sets; libraries |
| `check_methods.py`, `check_words.py` | methods by symbol, name or hand; sources by the criterion's words |
| `calls.py`, `data_names.py`, `wording.py` | what a call's name, a data set's name and an identifier's parts say |
| `weighing.py` | evidence as a probability, a verdict and a confidence |
| `injection.py`, `addressing.py` | text in files that addresses the judge: where; what it looks like |
| `trajectory.py`, `trajectory_formats.py` | what the agent did: readers of several formats |
| `prompts.py`, `asking.py`, `accounting.py` | words for a model and its replies; votes; what every call cost |
| `locate.py`, `reading.py`, `code_search.py`, `planning.py` | the paper's modules: files, their content, search, plans |
| `agent.py`, `hybrid.py`, `single.py`, `questions.py` | the paper's agent; facts first; one call each; free questions |
| `runner.py`, `money.py`, `benchmark_folder.py` | `run`: any engine, one workspace or many; budgets; a folder of them |
| `writers.py`, `report_page.py`, `dag.py` | reports as files; as a page; the picture of prerequisites |
| `verdicts.py`, `metrics.py`, `floors.py` | verdicts beside labels; kappa, AUROC, ...; what needs no workspace |
| `alignment.py`, `agreement_table.py` | agreement with labels: the paper's table, with floors and intervals |
| `calibration.py`, `comparison.py`, `scoring.py` | confidence from the user's labels; two reports; the judge as a reward |
| `collecting.py`, `sandbox.py`, `launch.py` | run an agent over tasks in a sandbox |
| `faults/` | the seeded-fault suite: reference workspaces, fault operators, labels |
| `bench.py`, `bench_rows.py`, `bench_rewards.py`, `bench_traps.py` | any judge on seeded faults, on traps; its rewards |
| `bench_devai.py`, `bench_engines.py` | agents by their labels, DevAI by one command; our engines as judges |
| `baselines.py` | judges that know next to nothing |
| `drafting.py`, `quotes.py` | a skeleton of requirements by rule; source lines around a fact |
| `pictures.py`, `visit.py`, `guest.py` | Plotly pictures; a visit to the page, and what a visitor may use |
| `commands.py`, `page.py`, `example.py`, `experiment.py` | command line, web page, tour stop, headline experiment |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.judge.alignment import Agreement, agreement
    from tenfold.judge.benchmark_folder import judge_folder, ladder
    from tenfold.judge.calibration import Calibration, calibrate, read_calibration
    from tenfold.judge.collecting import Collected, collect
    from tenfold.judge.comparison import Comparison, compare
    from tenfold.judge.devai import Instance
    from tenfold.judge.labels import Label, override, read_labels, report_labels, save_labels
    from tenfold.judge.linting import lint
    from tenfold.judge.questions import ask_anything
    from tenfold.judge.requirements import load_requirements, load_rubric, load_tasks
    from tenfold.judge.rubric import Rubric
    from tenfold.judge.runner import Case, run, run_many
    from tenfold.judge.scoring import score_report, scorer
    from tenfold.judge.types import Evidence, Judgement, Report, Requirement, Requirements
    from tenfold.judge.workspace import Workspace
    from tenfold.judge.writers import read_report, write_report

# No file bears the name of a public function: an imported sub-module would take its place here.
_HOME = {
    "Agreement": "alignment",
    "Calibration": "calibration",
    "Case": "runner",
    "Collected": "collecting",
    "Comparison": "comparison",
    "Evidence": "types",
    "Instance": "devai",
    "Judgement": "types",
    "Label": "labels",
    "Report": "types",
    "Requirement": "types",
    "Requirements": "types",
    "Rubric": "rubric",
    "Workspace": "workspace",
    "agreement": "alignment",
    "ask_anything": "questions",
    "calibrate": "calibration",
    "collect": "collecting",
    "compare": "comparison",
    "judge_folder": "benchmark_folder",
    "ladder": "benchmark_folder",
    "lint": "linting",
    "load_requirements": "requirements",
    "load_rubric": "requirements",
    "load_tasks": "requirements",
    "override": "labels",
    "read_calibration": "calibration",
    "read_labels": "labels",
    "read_report": "writers",
    "report_labels": "labels",
    "run": "runner",
    "run_many": "runner",
    "save_labels": "labels",
    "score_report": "scoring",
    "scorer": "scoring",
    "write_report": "writers",
}

__all__ = [
    "Agreement",
    "Calibration",
    "Case",
    "Collected",
    "Comparison",
    "Evidence",
    "Instance",
    "Judgement",
    "Label",
    "Report",
    "Requirement",
    "Requirements",
    "Rubric",
    "Workspace",
    "agreement",
    "ask_anything",
    "calibrate",
    "collect",
    "compare",
    "judge_folder",
    "ladder",
    "lint",
    "load_requirements",
    "load_rubric",
    "load_tasks",
    "override",
    "read_calibration",
    "read_labels",
    "read_report",
    "report_labels",
    "run",
    "run_many",
    "save_labels",
    "score_report",
    "scorer",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    return getattr(import_module(home if "." in home else f"tenfold.judge.{home}"), name)


def __dir__() -> list[str]:
    return __all__
