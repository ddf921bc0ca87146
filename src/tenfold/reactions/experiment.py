"""The headline experiment: how much sooner, and is it the same? Claims reactions-1 to reactions-3.

Three parts, all on held-out rows (USPTO-MIT's test, mixed, and USPTO-50K's), three disjoint samples drawn by the seed:

- replay: how many calls each drafter needs if the model is always right; no network, so it needs no trained model;
- side by side: the shipped models with each decoder, what they answer, with how many calls, in what time;
- attacks: what would have to hold for the side of a claim that fails, tried on the clock.

Where the data sets are missing the models answer our textbook reactions instead, which decide no claim; where the models
are missing only the replay is made. The scales `gpu` and `paper` train the paper's shapes first; `paper` takes USPTO-MIT's
training rows, which are too large to be a data set here, from the folder that TENFOLD_REACTIONS names. What `full-cpu` and
the larger scales have done is kept query by query until the task is finished.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tenfold.core.errors import BadInput, DataMissing
from tenfold.core.experiment import SCALES, Claim, Decision, Experiment, Interval, Row, Task, bootstrap_interval

if TYPE_CHECKING:
    from tenfold.reactions.comparing import Trial
    from tenfold.reactions.corpus import Pair, Reaction
    from tenfold.reactions.corpus import Task as Aim
    from tenfold.reactions.model import Asked, Model

__all__ = ["CELLS", "EXPERIMENT", "MORE_THAN", "Cell"]

MORE_THAN = 3.0  # reactions-2: "more than 3x"
SAMPLES = 3
TESTS: "dict[Aim, tuple[str, str]]" = {
    "forward": ("reactions/uspto_mit_test38k.tsv.gz", "USPTO-MIT test, mixed"),
    "retro": ("reactions/uspto_50k_test.tsv.gz", "USPTO-50K test"),
}
TRAINING: "dict[Aim, tuple[str, ...]]" = {
    "forward": ("uspto_full_train", "uspto_mit_valid30k"),
    "retro": ("uspto_full_train", "uspto_mit_valid30k", "uspto_50k_train"),
}
TEXTBOOK = "textbook reactions"
CALLS, FEWER, POSITIONS = "calls a reaction", "times fewer calls", "token positions a call"
SPENT, WAITED, SAVED = "ms of processor a reaction", "ms a reaction", "share of tokens without a call of their own"
EQUAL, APART = "answers equal to plain decoding's", "answers that differ by more than a float tie"
AGREE, INVALID, DROP = "share of beam search's list found", "invalid first answers", "top-{k} minus plain decoding's"
TOP = (1, 3, 5, 10)
PLAIN, PLAIN_LIST = "cached greedy", "cached beam"
FAST, FAST_LIST, PAPERS_LIST = "speculative", "exact", "sbs"
NO_CACHE, NO_CACHE_LIST = "no-cache greedy", "no-cache beam"
# Drafts and their length that the published grid search found best for greedy decoding; from 8 on its entry for 16.
WINDOWS = {1: (23, 10), 2: (23, 10), 4: (15, 14), 8: (7, 7), 16: (7, 7), 32: (3, 5)}
# Drafts and their length that are tried on the clock: more of them, longer ones.
GREEDY_ATTACKS, LIST_ATTACKS = ((1, 20), (2, 12), (4, 20)), ((1, 12), (2, 6), (3, 12))
DRAFTERS: dict[str, dict[str, Any]] = {
    "no drafts": {"decoding": "greedy"},
    **{
        f"windows {count}x{length}": {"decoding": "speculative-windows", "draft_count": count, "draft_length": length}
        for count, length in ((3, 5), (23, 4), (23, 10), (23, 17))
    },
    "suffix, 1": {"drafts": 1, "table": None},
    "suffix, 3": {"drafts": 3, "table": None},
    "suffix or n-gram, 1": {"drafts": 1},
    "suffix + n-gram, 2": {"drafts": 2},
    "suffix + n-gram, 4": {"drafts": 4},
}


class Cell(NamedTuple):
    """One comparison.

    Attributes:
        aim: "forward" or "retro".
        n: answers to a query.
        batch_size: queries at once.
        rows: queries of each sample.
        slow: of these, how many the decoders without a cache get.
        attacks: whether our drafts are varied, in place of the paper's decoders.
    """

    aim: "Aim"
    n: int
    batch_size: int
    rows: int
    slow: int = 0
    attacks: bool = False

    @property
    def name(self) -> str:
        """For a task and a condition."""
        return f"{'attacks: ' if self.attacks else ''}{self.aim}, n = {self.n}, B = {self.batch_size}"


_SIZES = (1, 2, 4, 8, 16, 32)
_BOTH: "tuple[Aim, Aim]" = ("forward", "retro")
CELLS: dict[str, tuple[Cell, ...]] = {
    "smoke": (
        Cell("forward", 1, 1, 4, 2), Cell("retro", 1, 4, 4, 4), Cell("retro", 5, 1, 2, 1),
        Cell("forward", 1, 1, 2, attacks=True),
    ),
    "laptop": (
        *(Cell(aim, 1, 32, 32, 32) for aim in _BOTH),
        *(Cell(aim, 1, 1, 24, 6) for aim in _BOTH),
        *(Cell("retro", n, 1, 8, 2) for n in (5, 10)),
        Cell("forward", 5, 1, 8, 2),
        Cell("forward", 1, 1, 10, attacks=True),
        Cell("retro", 5, 1, 4, attacks=True),
    ),
    "full-cpu": (
        *(Cell(aim, 1, size, 192, 64) for aim in _BOTH for size in _SIZES),
        *(Cell("retro", n, 1, 160, 16) for n in (5, 10, 15, 20)),
        *(Cell("retro", 10, size, 32, 32) for size in (8, 32)),
        *(Cell("forward", n, 1, 160, 16) for n in (5, 10)),
        *(Cell(aim, n, 1, 64, attacks=True) for aim in _BOTH for n in (1, 5)),
    ),
    "gpu": (
        *(Cell(aim, 1, size, max(192, size), max(32, size)) for aim in _BOTH for size in (*_SIZES, 64, 128, 256)),
        *(Cell(aim, n, 1, 160, 16) for aim in _BOTH for n in (5, 10)),
    ),
    "paper": (
        *(Cell(aim, 1, size, 1024, 128) for aim in _BOTH for size in (1, 4, 16, 32)),
        *(Cell(aim, n, 1, 1024, 64) for aim in _BOTH for n in (5, 10, 15, 20)),
    ),
}  # fmt: skip
REPLAYED = {"smoke": 12, "laptop": 2400, "full-cpu": 4500, "gpu": 4500, "paper": 4500}
SHAPES: "dict[Aim, str]" = {"forward": "product", "retro": "retro"}
# Minutes of training, and pairs for each reaction with an atom map.
TRAINED: dict[str, tuple[float, dict[str, int]]] = {
    "gpu": (10, {"forward": 1, "retro": 5}), "paper": (300, {"forward": 1, "retro": 20}),
}  # fmt: skip


def _tasks(scale: str, seed: int, device: str) -> Iterable[Task]:
    from tenfold.reactions import weights

    smoke = scale == "smoke"
    with_data: list[Aim] = [aim for aim in _BOTH if not smoke and _has(TESTS[aim][0])]
    models: list[Aim] = list(_BOTH) if smoke else [aim for aim in _BOTH if aim in weights.shipped()]
    if scale in TRAINED:
        models = []
        _training_files(scale)  # what is missing is said before anything is run
    elif not with_data and not models:
        raise DataMissing(
            "Neither a shipped model nor the data set of reactions is here.", "`tenfold data list` says where to put it."
        )
    for aim in list(_BOTH) if smoke else with_data:
        yield Task(f"replay {aim}", partial(_replay, aim, REPLAYED[scale], seed, smoke))
    for cell in CELLS[scale]:
        if cell.aim in models:
            yield Task(cell.name, partial(_side_by_side, cell, scale, seed, device))
    if scale in TRAINED:
        yield Task("train, then compare", partial(_trained, scale, seed, device))


def _has(name: str) -> bool:
    from tenfold.core import data

    try:
        data.where(name)
    except DataMissing:
        return False
    return True


@lru_cache(maxsize=4)
def _held_out(aim: "Aim", textbook: bool = False) -> "tuple[list[Pair], str]":
    """Queries with their answers, and what they are: test rows, or our own reactions where these are missing."""
    from tenfold.reactions.corpus import plain_pair, read_reactions
    from tenfold.reactions.textbook import textbook as ours

    name, words = TESTS[aim]
    if textbook or not _has(name):
        return [plain_pair(reaction, aim) for reaction in ours()], TEXTBOOK
    return [plain_pair(reaction, aim) for reaction in read_reactions(name)], words


def _samples(aim: "Aim", count: int, seed: int, textbook: bool = False) -> "tuple[list[list[Pair]], str]":
    """Disjoint samples of at most `count` pairs; a larger sample of the same seed holds the smaller one."""
    import numpy as np

    pairs, words = _held_out(aim, textbook)
    order = np.random.default_rng(seed).permutation(len(pairs))
    return [[pairs[i] for i in order[sample::SAMPLES][:count]] for sample in range(SAMPLES)], words


def _replay(aim: "Aim", count: int, seed: int, textbook: bool) -> list[Row]:
    """The drafter table: calls if the model always writes the true answer (spec section 6 (a))."""
    from tenfold.reactions.comparing import ratio
    from tenfold.reactions.drafting import SuffixDrafter
    from tenfold.reactions.ngrams import NgramTable
    from tenfold.reactions.oracle import replay
    from tenfold.reactions.tokens import Vocabulary

    samples, words = _samples(aim, -(-count // SAMPLES), seed, textbook)
    vocabulary = Vocabulary.of(text for pairs in samples for pair in pairs for text in pair)
    shipped = SuffixDrafter(vocabulary, NgramTable.shipped(aim))
    copies = SuffixDrafter(vocabulary)
    condition = f"replay, {aim}, {words}: {sum(map(len, samples))} reactions"
    plain: list[float] = []
    rows: list[Row] = []
    for name, options in DRAFTERS.items():
        drafter = copies if "table" in options else shipped
        how = {key: value for key, value in options.items() if key != "table"}
        found = [
            replay(
                [one.source for one in pairs], [one.target for one in pairs], vocabulary=vocabulary, drafter=drafter, **how
            )
            for pairs in samples
        ]
        calls, positions = [one.calls for one in found], [one.tokens_per_call for one in found]
        plain = plain or calls
        rows.append(_row(name, CALLS, bootstrap_interval(calls), condition))
        rows.append(_row(name, POSITIONS, bootstrap_interval(positions), condition))
        rows.append(_row(name, FEWER, ratio(plain, calls), condition))
    return rows


def _side_by_side(cell: Cell, scale: str, seed: int, device: str, model: "Model | None" = None) -> list[Row]:
    """Each decoder on the same queries."""
    import torch

    from tenfold.reactions.comparing import trial

    torch.set_num_threads(1)  # as many processes as cores
    smoke = scale == "smoke"
    model = model or _model(cell.aim, device, smoke)
    pairs, words = _in_batches(cell, seed, smoke)
    folder = None if scale in ("smoke", "laptop") else _kept(model, f"{cell.name} {seed} {device}")
    texts = [pair.source for pair in pairs]
    trials = {
        name: trial(
            model, texts if asked.cache else texts[: SAMPLES * cell.slow], asked, cell.batch_size,
            folder=None if folder is None else folder / name,
        )
        for name, asked in _decoders(cell).items()
    }  # fmt: skip
    rows = [row for name in trials for row in _findings(cell, name, trials, model, pairs, words)]
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _in_batches(cell: Cell, seed: int, textbook: bool) -> "tuple[list[Pair], str]":
    """The samples' rows, a batch of each in turn: so the beginning, which slow decoders get, is of all samples."""
    samples, words = _samples(cell.aim, cell.rows, seed, textbook)
    size = cell.batch_size
    return [pair for start in range(0, cell.rows, size) for one in samples for pair in one[start : start + size]], words


def _decoders(cell: Cell) -> "dict[str, Asked]":
    """By name, the plain one first."""
    from tenfold.reactions.model import Asked

    n = cell.n
    if cell.attacks:
        plain, fast, shapes = (PLAIN, FAST, GREEDY_ATTACKS) if n == 1 else (PLAIN_LIST, FAST_LIST, LIST_ATTACKS)
        tried = {f"{fast}, {k} x {d}": Asked(fast, n, draft_count=k, draft_length=d) for k, d in shapes}
        return {plain: Asked(plain.split()[1], n), fast: Asked(fast, n), **tried}
    if n > 1:
        return {
            PLAIN_LIST: Asked("beam", n), FAST_LIST: Asked("exact", n), PAPERS_LIST: Asked("sbs", n),
            NO_CACHE_LIST: Asked("beam", n, cache=False),
        }  # fmt: skip
    count, length = WINDOWS[min(cell.batch_size, 32)]
    windows = Asked("speculative-windows", cache=False, draft_count=count, draft_length=length)
    return {
        PLAIN: Asked("greedy"), FAST: Asked("speculative"), NO_CACHE: Asked("greedy", cache=False),
        f"no-cache windows {count}x{length}": windows,
    }  # fmt: skip


def _findings(
    cell: Cell, name: str, trials: "Mapping[str, Trial]", model: "Model", pairs: "Sequence[Pair]", words: str
) -> list[Row]:
    """What one decoder did, and how it compares."""
    from tenfold.reactions.comparing import ratio, saved_share

    one, plain = trials[name], next(iter(trials))
    wall = model.device != "cpu"
    x = float(cell.batch_size)
    condition = f"{cell.name}, {words}: {len(one.answers)} reactions"
    firsts = [answers[0] for answers in one.answers]
    spent = [1000 * value for value in one.seconds(wall=wall)]
    rows = [
        _row(name, WAITED if wall else SPENT, bootstrap_interval(spent), condition, x),
        _row(name, CALLS, bootstrap_interval([first.calls for first in firsts]), condition, x),
        _row(name, SAVED, bootstrap_interval([saved_share(answers) for answers in one.answers]), condition, x),
        *_quality(cell, name, trials, pairs, condition),
    ]
    for other in _rivals(name, trials):
        rival = trials[other]
        both = f"{cell.name}, {words}: {min(len(one.answers), len(rival.answers))} reactions"
        found = ratio(rival.seconds(wall=wall), one.seconds(wall=wall))
        rows.append(_row(name, f"times faster than {other}", found, both, x))
        if other == plain:
            found = ratio([answers[0].calls for answers in rival.answers], [first.calls for first in firsts])
            rows.append(_row(name, FEWER, found, both, x))
    return rows if name == plain else [*rows, *_equality(name, trials, model, pairs, condition, x)]


def _rivals(name: str, trials: "Mapping[str, Trial]") -> list[str]:
    """Whom a decoder is timed against: ours against all others, the paper's drafts against the paper's plain decoding."""
    plain = next(iter(trials))
    if name in (plain, NO_CACHE, NO_CACHE_LIST):
        return []
    if name.startswith("no-cache"):
        return [NO_CACHE]
    return [other for other in trials if other == plain or other.startswith("no-cache")]


def _quality(cell: Cell, name: str, trials: "Mapping[str, Trial]", pairs: "Sequence[Pair]", condition: str) -> Iterable[Row]:
    """Top-k, invalid first answers, and what plain decoding has more or less of top-k on the same reactions."""
    from tenfold.reactions.comparing import share
    from tenfold.reactions.equality import canonical_form

    targets = [canonical_form(pair.target) for pair in pairs]
    forms = [[canonical_form(made.smiles) for made in answers] for answers in trials[name].answers]
    plain = [[canonical_form(made.smiles) for made in answers] for answers in next(iter(trials.values())).answers]
    x = float(cell.batch_size)
    for k in (k for k in TOP if k <= cell.n):
        hits, before = ([t in found[:k] for t, found in zip(targets, some, strict=False)] for some in (forms, plain))
        yield _row(name, f"top-{k}", share(hits), condition, x)
        if some_differ := [float(a) - float(b) for a, b in zip(hits, before, strict=False)]:
            yield _row(name, DROP.format(k=k), bootstrap_interval(some_differ), condition, x)
    yield _row(name, INVALID, share([not found[0] for found in forms]), condition, x)


def _equality(
    name: str, trials: "Mapping[str, Trial]", model: "Model", pairs: "Sequence[Pair]", condition: str, x: float
) -> Iterable[Row]:
    """Whether a decoder's answers are plain decoding's, in order and score; how much of them the paper's search found."""
    from tenfold.reactions.comparing import share
    from tenfold.reactions.verifying import TIE, difference

    texts = [pair.source for pair in pairs]
    compared = list(zip(texts, next(iter(trials.values())).answers, trials[name].answers, strict=False))
    same = [[made.smiles for made in a] == [made.smiles for made in b] for _, a, b in compared]
    yield _row(name, EQUAL, share(same), condition, x)
    if name == PAPERS_LIST:
        found = [len({m.smiles for m in a} & {m.smiles for m in b}) / len({m.smiles for m in a}) for _, a, b in compared]
        yield _row(name, AGREE, bootstrap_interval(found), condition, x)
        return
    apart = [difference(model, row, text, a, b) for row, (text, a, b) in enumerate(compared, 1)]
    count = sum(one is not None and one.gap >= TIE for one in apart)
    yield Row(method=name, metric=APART, value=count, condition=condition, x=x, seeds=SAMPLES)


def _row(method: str, metric: str, found: Interval, condition: str, x: float | None = None) -> Row:
    value, low, high = found
    return Row(method=method, metric=metric, value=value, low=low, high=high, seeds=SAMPLES, condition=condition, x=x)


@lru_cache(maxsize=2)
def _model(aim: "Aim", device: str, tiny: bool) -> "Model":
    """The shipped model; or one that knows our textbook reactions by heart, made here in seconds."""
    from tenfold.reactions.model import Model, load
    from tenfold.reactions.textbook import textbook
    from tenfold.reactions.training import train
    from tenfold.reactions.weights import Stored

    if not tiny:
        return load(aim, device=device, remember=0)
    made = train(textbook(), aim, steps=40, preset="tiny", align=False, warmup=15, ema=0.8, learning_rate=4e-3, device="cpu")
    return Model(Stored(made.network, made.vocabulary, made.card), remember=0)


def _kept(model: "Model", name: str) -> Path:
    """Where what is done of a task is kept until the task is: another model's is another folder."""
    digest = hashlib.sha256(name.encode())
    for weight in model.network.state_dict().values():
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return _cache() / digest.hexdigest()[:16]


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("tenfold")) / "reactions-experiment"


def _training_files(scale: str) -> "dict[Aim, tuple[str, ...]]":
    """Files of each task's training rows.

    Raises:
        DataMissing: a data set is not here.
        BadInput: the scale `paper` has no file of USPTO-MIT's training rows.
    """
    from tenfold.core import data

    files: dict[Aim, tuple[str, ...]] = {
        aim: tuple(f"reactions/{name}.tsv.gz" for name in names) for aim, names in TRAINING.items()
    }
    for name in (*(name for names in files.values() for name in names), *(name for name, _ in TESTS.values())):
        data.where(name)
    if scale == "paper":
        path = Path(os.environ.get("TENFOLD_REACTIONS", "")) / "uspto_mit_train.tsv.gz"
        if not path.is_file():
            hint = "Put uspto_mit_train.tsv.gz (columns reactants, product, reagents, atom_map) into a folder and name it."
            raise BadInput("This scale trains on USPTO-MIT, and TENFOLD_REACTIONS names no folder with it.", hint)
        files["forward"], files["retro"] = (str(path),), ("reactions/uspto_50k_train.tsv.gz",)
    return files


def _trained(scale: str, seed: int, device: str) -> list[Row]:
    """Train the paper's two shapes, one after the other, and compare with each."""
    from tenfold.reactions.corpus import read_reactions
    from tenfold.reactions.model import load
    from tenfold.reactions.training import train

    files = _training_files(scale)
    minutes, copies = TRAINED[scale]
    rows: list[Row] = []
    for aim, preset in SHAPES.items():
        folder = _cache() / f"{scale}-{aim}-{seed}"
        reactions = [reaction for name in files[aim] for reaction in read_reactions(name)]
        made = train(
            _with_reagents(reactions, seed) if aim == "forward" else reactions, aim, minutes=minutes, preset=preset,
            augment=copies[aim], out=folder, tokens=16_000, precision="bf16-mixed", seed=seed, device=device,
        )  # fmt: skip
        spent = Row(method=f"{preset}, {made.card['steps']} steps", metric="minutes of training", value=made.card["minutes"])
        rows.append(spent.model_copy(update={"condition": f"{aim}, {made.card['rows']} pairs", "seeds": 1}))
        model = load(folder, device=device, remember=0)
        rows += [row for cell in CELLS[scale] if cell.aim == aim for row in _side_by_side(cell, scale, seed, device, model)]
    return rows


def _with_reagents(reactions: "Sequence[Reaction]", seed: int) -> "list[Reaction]":
    """Rows that name no reagents get those of rows that do, for the test rows name them."""
    from tenfold.reactions.corpus import with_reagents

    return with_reagents(reactions, [reaction for reaction in reactions if reaction.reagents], seed)


def _decisive(rows: Sequence[Row], *begins: str) -> list[Row]:
    """Rows on held-out reactions whose condition begins so, of the largest scale that has any."""
    found = [row for row in rows if "USPTO" in row.condition and row.condition.startswith(begins) and row.value is not None]
    top = max((SCALES.index(row.scale) for row in found if row.scale in SCALES), default=-1)
    return [row for row in found if row.scale not in SCALES or SCALES.index(row.scale) == top]


def _decide_1(rows: Sequence[Row]) -> Decision:
    """Shown if in both tasks every drafter that only copies the query needs fewer calls, by its interval."""
    found = [
        row for row in _decisive(rows, "replay") if row.metric == FEWER and row.method.startswith(("windows", "suffix"))
    ]
    copies = [row for row in found if "n-gram" not in row.method]
    aims = [aim for aim in _BOTH if any(f"replay, {aim}" in row.condition for row in copies)]
    if not aims:
        return Decision("not decidable here", "not run on held-out reactions")
    fewer = [row for row in copies if row.low is not None and row.low > 1]
    verdict = "not shown" if not fewer else "shown" if len(fewer) == len(copies) and len(aims) == len(_BOTH) else "partly"
    parts = [_range([row for row in copies if f"replay, {aim}" in row.condition], aim) for aim in aims]
    slower = [row for row in _decisive(rows, *_BOTH) if row.method.startswith("no-cache windows") and NO_CACHE in row.metric]
    clock = ""
    if slower:
        least, most = (1 / max(row.value or 0.0, 1e-9) for row in (max(slower, key=_value), min(slower, key=_value)))
        clock = (
            f"; on the clock the paper's own form, without a cache, takes {least:.1f} to {most:.1f} times as long as plain "
            f"decoding without one ({len(slower)} comparisons)"
        )
    return Decision(verdict, f"times fewer calls by copies of the query alone: {'; '.join(parts)}{clock}")


def _value(row: Row) -> float:
    return row.value or 0.0


def _range(rows: Sequence[Row], words: str) -> str:
    """The least and the greatest of some rows."""
    ordered = sorted(rows, key=_value)
    least, most = ordered[0], ordered[-1]
    return f"{words} {least.value:.2f} ({least.method}) to {most.value:.2f} ({most.method})"


def _decide_2(rows: Sequence[Row]) -> Decision:
    """Shown if ours is more than 3x faster than both, by intervals, everywhere; partly if it is so for one of them."""
    ours = [
        row
        for row in _decisive(rows, *_BOTH)
        if row.method in (FAST, FAST_LIST) and row.metric.startswith("times faster") and row.low is not None
    ]
    if {row.condition.split(",")[0] for row in ours} != set(_BOTH):
        return Decision("not decidable here", "not run with models of both tasks on held-out reactions")
    sides = {
        "the paper's decoding without a cache": [row for row in ours if "no-cache" in row.metric],
        "our cached decoding": [row for row in ours if "no-cache" not in row.metric],
    }
    holds = {side: bool(some) and all((row.low or 0.0) > MORE_THAN for row in some) for side, some in sides.items()}
    verdict = "shown" if all(holds.values()) else "partly" if any(holds.values()) else "not shown"
    parts = []
    for side, some in sides.items():
        above = sum((row.low or 0.0) > MORE_THAN for row in some)
        parts.append(f"against {side} {above} of {len(some)} comparisons, {_span(some)}")
    return Decision(verdict, f"more than {MORE_THAN:g}x by the interval's lower end: {'; '.join(parts)}")


def _span(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=_value)
    words = [f"{row.value:.2f} ({row.condition.split(', USPTO')[0]})" for row in (ordered[0], ordered[-1])]
    return f"from {words[0]} to {words[1]}"


def _decide_3(rows: Sequence[Row]) -> Decision:
    """Shown if no string and no list differs by more than a tie, in both tasks, and so no top-k does; partly if one kind."""
    found = _decisive(rows, *_BOTH)
    apart = [row for row in found if row.metric == APART and row.method in (FAST, FAST_LIST)]
    by_kind = {kind: [row for row in apart if row.method == kind] for kind in (FAST, FAST_LIST)}
    aims = {row.condition.split(",")[0] for row in apart}
    if not all(by_kind.values()) or aims != set(_BOTH):
        return Decision("not decidable here", "not run with models of both tasks on held-out reactions")
    drops = [row for row in found if row.metric.endswith("minus plain decoding's")]
    moved = [row for row in drops if row.method in (FAST, FAST_LIST) and row.value]
    lossless = {kind: not any(row.value for row in some) for kind, some in by_kind.items()}
    verdict = "shown" if all(lossless.values()) and not moved else "partly" if any(lossless.values()) else "not shown"
    counts = "; ".join(
        f"{kind}: {sum(row.value or 0 for row in some):.0f} of {sum(map(_reactions, some))} differ by more than a tie"
        for kind, some in by_kind.items()
    )
    papers = [row for row in found if row.method == PAPERS_LIST and row.metric == AGREE]
    lost = [row for row in drops if row.method == PAPERS_LIST]
    approximate = f"; the paper's search finds {_span(papers)} of beam search's list" if papers else ""
    if lost:
        worst = min(lost, key=_value)
        approximate += f", and its {worst.metric} is {worst.value:+.3f} at worst ({worst.low:+.3f} to {worst.high:+.3f})"
    return Decision(verdict, f"{counts}; top-k moved in {len(moved)} comparisons{approximate}")


def _reactions(row: Row) -> int:
    return int(row.condition.rpartition(": ")[2].split()[0])


def _tables(rows: Sequence[Row]) -> Any:
    from tenfold.reactions.findings import tables

    return tables(rows)


def _figures(rows: Sequence[Row]) -> Any:
    from tenfold.reactions.findings import figures

    return figures(rows)


EXPERIMENT = Experiment(
    system="reactions",
    title="How much sooner, and is it the same?",
    lead="Pieces of the query are drafts of the answer, which one call of the network verifies together (Andronov et al. "
    "2025). Replay counts calls with the true answer in place of a model's. Side by side, each decoder answers the same "
    "held-out queries with the same weights in float32, one thread: our lossless decoders with a key-value cache, plain "
    "decoding with it, and the paper's way, which computes whole prefixes again at every call. The shipped models were "
    "trained on a processor for a short time: their accuracy is low, and says nothing about the method.",
    tasks=_tasks,
    claims=(
        Claim("reactions-1", _decide_1),
        Claim("reactions-2", _decide_2),
        Claim("reactions-3", _decide_3),
    ),
    figures=_figures,
    scales=SCALES,
    tables=_tables,
)
