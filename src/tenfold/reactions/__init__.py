"""Reaction prediction and retrosynthesis from SMILES to SMILES, many times faster by speculative decoding, with no loss.

Andronov et al. 2025, "Accelerating the inference of string generation-based chemical reaction models for industrial
applications", J. Cheminform. 17, arXiv 2407.09685. A product shares long substrings with its reactants, so pieces of the
query are drafts that one call of the decoder verifies together. Greedy speculation and the exact n-best search give the
same strings as plain decoding; the paper's speculative beam search is approximate, and is called so.

| file | holds |
|---|---|
| `tokens.py` | `tokenize`, `Vocabulary`: strict SMILES tokens |
| `molecules.py` | RDKit: parsing with named errors, canonical form, atom maps, salts, reaction strings |
| `alignment.py` | root-aligned pairs: the target written along the source, from atom maps or without |
| `mapped.py` | atom maps that stand in reaction SMILES |
| `corpus.py` | reactions from the data sets and from users' files, as the model is given them |
| `network.py` | `TransformerConfig`, `Transformer`, presets, the published code's weights |
| `training.py` | `train`: token-budget batches, Noam schedule, averaging, on `core.train` |
| `weights.py` | a model's folder: int8 or float16 weights, vocabulary, draft table, card |
| `conversion.py` | checkpoints of the published code as a model's folder |
| `ctranslate.py` | export to CTranslate2 |
| `tree.py` | `PrefixTree`: what of a query's outputs is verified, drafts and beams in one tree |
| `linear.py` | linear layers laid out for few rows |
| `encoding.py` | the encoder laid out for one query |
| `cached.py` | the decoder with a key-value cache: ragged rows, draft trees, roll-back |
| `uncached.py` | the paper's way: every call computes whole prefixes again |
| `batching.py` | many queries through one decoder, a new one as soon as one ends |
| `windows.py` | `make_drafts`: the paper's drafts, all windows of the query |
| `drafting.py` | our drafts: longest-suffix matches of the query, and one of n-grams |
| `rings.py` | ring digits as what they do, so that a ring is copied whatever its number |
| `ngrams.py` | `NgramTable`: what usually follows, counted in training targets or in a user's known reactions |
| `greedy.py` | greedy decoding: plain, and speculative with any drafts |
| `pace.py` | how many drafts a call verifies, and how long they are |
| `beam.py` | beam search, and its exact replay by speculation |
| `sbs.py` | the paper's speculative beam search |
| `decoding.py` | `decode`: token ids in, token ids out, by any of these |
| `bounded.py` | the best answers within a time limit |
| `oracle.py` | `replay`: how many calls a drafter needs if the model is always right |
| `model.py` | `load`, `Model`, `Prediction`: SMILES in, SMILES out |
| `equality.py` | when two answers are the same molecules |
| `confidence.py` | probabilities that mean something: calibration, merging of equal molecules |
| `copying.py` | which spans of an answer were copied from where in the query |
| `scoring.py` | `evaluate`: top-k, invalid, empty, duplicates, MaxFrag, round trip |
| `verifying.py` | `verify`: the same strings on the user's own file? |
| `comparing.py` | decoders side by side on the same queries: answers, calls, time, with intervals |
| `tables.py` | user's files: .smi, CSV, TSV, JSON lines, .rxn, gz, in; tables out |
| `streaming.py` | files of any length through a model, in constant memory, resumable, over processes |
| `expansion.py` | a model's answers as planners want them |
| `syntheseus_plugin.py`, `aizynth_plugin.py` | the models inside planners |
| `planning.py` | molecules solved within a time limit, speculative against plain |
| `textbook.py` | a dozen textbook reactions of ours |
| `example.py` | the stop on the tour |
| `experiment.py`, `findings.py` | the headline experiment, and its rows as tables and pictures |
| `commands.py`, `making.py`, `options.py` | command line: what answers files, what makes models, what both share |
| `page.py` | the page; `visit.py`: what a visitor asked, call by call; `views.py`: how it looks |
| `sketcher.py`, `sketcher.js` | the editor in which molecules are drawn |
| `colouring.py` | copied spans in the same colours as text and as atoms |
| `pictures.py` | drawings of molecules as SVG; Plotly pictures of what speculation saves |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.reactions.confidence import Calibration, calibrate
    from tenfold.reactions.copying import copied_spans
    from tenfold.reactions.corpus import Reaction
    from tenfold.reactions.decoding import Decoded, decode
    from tenfold.reactions.drafting import Drafter, RowDrafts, SuffixDrafter
    from tenfold.reactions.model import Model, Prediction, load
    from tenfold.reactions.network import Transformer, TransformerConfig
    from tenfold.reactions.ngrams import NgramTable
    from tenfold.reactions.oracle import Replay, replay
    from tenfold.reactions.planning import plan, read_stock
    from tenfold.reactions.scoring import Evaluation, evaluate
    from tenfold.reactions.streaming import stream
    from tenfold.reactions.tokens import Vocabulary, tokenize
    from tenfold.reactions.training import train
    from tenfold.reactions.verifying import verify
    from tenfold.reactions.windows import make_drafts

__all__ = [
    "Calibration",
    "Decoded",
    "Drafter",
    "Evaluation",
    "Model",
    "NgramTable",
    "Prediction",
    "Reaction",
    "Replay",
    "RowDrafts",
    "SuffixDrafter",
    "Transformer",
    "TransformerConfig",
    "Vocabulary",
    "calibrate",
    "copied_spans",
    "decode",
    "evaluate",
    "load",
    "make_drafts",
    "plan",
    "read_stock",
    "replay",
    "stream",
    "tokenize",
    "train",
    "verify",
]

# No file bears the name of a public function: an imported sub-module would take its place here.
_HOME = {
    "Calibration": "confidence",
    "Decoded": "decoding",
    "Drafter": "drafting",
    "Evaluation": "scoring",
    "Model": "model",
    "Prediction": "model",
    "Reaction": "corpus",
    "NgramTable": "ngrams",
    "Replay": "oracle",
    "RowDrafts": "drafting",
    "SuffixDrafter": "drafting",
    "Transformer": "network",
    "TransformerConfig": "network",
    "Vocabulary": "tokens",
    "calibrate": "confidence",
    "copied_spans": "copying",
    "decode": "decoding",
    "evaluate": "scoring",
    "load": "model",
    "make_drafts": "windows",
    "plan": "planning",
    "read_stock": "planning",
    "stream": "streaming",
    "replay": "oracle",
    "tokenize": "tokens",
    "train": "training",
    "verify": "verifying",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tenfold.reactions.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
