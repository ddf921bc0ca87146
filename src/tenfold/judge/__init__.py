"""Agent-as-a-Judge: a workspace that an agent produced, judged requirement by requirement, with evidence to click on.

Zhuge et al. 2024, "Agent-as-a-Judge: Evaluate Agents with Agents", arXiv 2410.10934, and its benchmark DevAI. Without a
model the embedded engine decides what files and code can decide, and says "undecided" to the rest; with one, the paper's
agent judges, or only what the engine leaves open (hybrid). No file of a workspace is ever imported, run, unpickled or
written.

| file | holds |
|---|---|
| `types.py` | `Requirement`, `Requirements`, `Evidence`, `Judgement`, `Report` |
| `requirements.py`, `lint.py` | DevAI JSON, plain text, YAML, rubric trees; what is wrong or vague in them |
| `devai.py` | the 55 tasks, the labels, the recorded verdicts, by name of data set |
| `workspace.py` | reading a folder or archive safely; content hashes and their cache |
| `artefacts.py` | images, PDF, notebooks, checkpoints, arrays, tables, archives: what they are, without opening them up |
| `python_code.py`, `other_code.py`, `code_graph.py` | facts of code: ast, tree-sitter; definitions, references, calls |
| `criterion.py` | what a criterion asks for: files, names, methods, verbs |
| `checks.py`, `embedded.py` | checks and their weights; the embedded engine |
| `injection.py` | text in files that addresses the judge |
| `trajectory.py` | what the agent did: readers of several formats |
| `prompts.py`, `agent.py`, `hybrid.py` | the paper's agent with a model: locate, read, search, retrieve, ask, plan; hybrid |
| `runner.py` | `run`: one workspace, any engine |
| `writers.py` | reports as JSON, Markdown, HTML, JUnit XML |
| `alignment.py`, `calibration.py`, `comparison.py` | agreement with labels and its floors; confidence; two reports |
| `collect.py` | run an agent over tasks in a sandbox |
| `faults/` | the seeded-fault suite: reference workspaces, fault operators, labels |
| `bench.py` | traps, faults, DevAI |
| `commands.py`, `page.py`, `example.py`, `experiment.py` | command line, web page, tour stop, headline experiment |
"""
