"""Semantic backpropagation and semantic gradient descent on graphs of language-model calls.

Wang et al. 2024, "How to Correctly do Semantic Backpropagation on Language-based Agentic Systems", arXiv 2412.03624.
A graph's nodes are prompts (or plain Python functions); feedback on its answer is carried back to every node, where what
is shown beside a node's value (its neighbourhood) is a choice; instructions are rewritten and kept if they score.

| file | holds |
|---|---|
| `graph.py` | `Graph`, `Node`: any DAG, text parameters, checks, JSON and YAML |
| `prompts.py` | every word that a model reads, and the parsers of replies |
| `runtime.py` | `run`: the graph on many samples at once, no barriers; memo; `Trace` |
| `backward.py` | `backpropagate`: text (full, self, bare, none) and numeric (equals autograd) |
| `losses.py` | exact, numeric, regex, f1, judge, callable: output -> (score, feedback) |
| `policies.py` | which parameters move in a step: full, subset, one, bandit, auto |
| `gates.py` | which candidates are kept: strict, ties, none, paired; racing |
| `optimiser.py` | `optimise`: semantic gradient descent, `Result`, resume |
| `attribution.py` | `attribute`: swap a hint for its target, run the successor again |
| `questions.py` | our generator of questions (arithmetic, navigation, counting, shuffled objects, boolean) |
| `tasks.py` | the five offline tasks: graph, right and random instructions, questions |
| `datasets.py` | BIG-Bench Hard, GSM8K, LIAR from the user's data folder; disjoint splits |
| `protocols.py`, `runners.py` | the paper's graphs and ablations; its experiments with their forecasts of calls |
| `compare.py` | modes or packages x seeds, with intervals |
| `liar_offline.py` | a negative result: LIAR with the rules engine |
| `peers/` | TextGrad, OptoPrime, COPRO, GEPA on the same model, split and budget |
| `config.py` | the file of `tenfold semgrad run` |
| `pictures.py` | graph, curves, prompt differences |
| `commands.py`, `page.py`, `example.py`, `experiment.py` | command line, web page, tour stop, headline experiment |
"""
