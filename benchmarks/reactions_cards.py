"""Write the card of the shipped models: evaluate them on held-out rows and fill in `reactions_cards.md`.

Each model is evaluated on its own, resumably, so two of these may run side by side; the card is written as soon as both are
done. Candidates are plain beam search's, in batches, which is the list of the exact search and here sooner done.
With --header the held-out numbers go into the header of the weights too, where `reactions.load(NAME).card` finds them.

    TENFOLD_DATA=... python benchmarks/reactions_cards.py --only forward --out runs/cards     # five minutes on one core
    TENFOLD_DATA=... python benchmarks/reactions_cards.py --only retro --out runs/cards --header
"""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from tenfold import __version__, reactions
from tenfold.core import checkpoint
from tenfold.core.console import say
from tenfold.core.files import read_json, write_atomic, write_json
from tenfold.core.runs import hardware
from tenfold.reactions import weights
from tenfold.reactions.comparing import ratio, share, trial
from tenfold.reactions.corpus import Pair, plain_pair, read_reactions
from tenfold.reactions.model import Asked, Model
from tenfold.reactions.scoring import score

N = 10
TESTS = {"forward": "reactions/uspto_mit_test38k.tsv.gz", "retro": "reactions/uspto_50k_test.tsv.gz"}
HELD_OUT = "held_out"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(TESTS), help="evaluate this model; default: both, one after the other")
    parser.add_argument("--out", type=Path, default=Path("runs/reactions-cards"), help="keeps what is done")
    parser.add_argument("--rows", type=int, default=1000, help="test rows of forward; retro gets half as many")
    parser.add_argument("--timed", type=int, default=100, help="rows that are timed")
    parser.add_argument("--batch", type=int, default=16, help="queries at once where nothing is timed")
    parser.add_argument("--header", action="store_true", help="write the numbers into the weights' header too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in [arguments.only] if arguments.only else list(TESTS):
        found = measured(name, arguments)
        write_json(arguments.out / f"{name}.json", found)
        if arguments.header:
            write_header(name, found)
        say(f"{name}: {json.dumps(found['accuracy'])}")
    done = {name: arguments.out / f"{name}.json" for name in TESTS}
    missing = [name for name, path in done.items() if not path.exists()]
    if missing:
        say(f"The card is written when {' and '.join(missing)} is evaluated too.")
        return
    card = filled({name: read_json(path) for name, path in done.items()})
    say(f"Written: {write_atomic(weights.find('forward').parent / 'README.md', card)}")


def measured(name: str, arguments: Any) -> dict[str, Any]:
    """Everything that the card says of a model."""
    model = reactions.load(name, remember=0)
    model.card = {key: value for key, value in model.card.items() if key != HELD_OUT}
    rows = list(read_reactions(TESTS[name]))
    count = arguments.rows if name == "forward" else arguments.rows // 2
    chosen = rows[:: max(1, len(rows) // count)][:count]
    asked = {"with reagents": chosen, "without reagents": [row._replace(reagents="") for row in chosen]}
    ways = {"": chosen} if name == "retro" else asked
    pairs = {way: [plain_pair(row, model.task) for row in some] for way, some in ways.items()}  # pyright: ignore[reportArgumentType]
    accuracy = {
        way: scored(model, some, arguments.out / f"{name} {way}".strip().replace(" ", "-"), arguments.batch)
        for way, some in pairs.items()
    }
    return {
        **described(model, name),
        "accuracy": accuracy,
        "speed": timed(model, next(iter(pairs.values()))[: arguments.timed]),
    }


def described(model: Model, name: str) -> dict[str, Any]:
    folder = weights.find(name)
    return {
        "parameters": sum(weight.numel() for weight in model.network.parameters()),
        "shape": model.network.config.model_dump(),
        "bytes": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        "vocabulary": len(model.vocabulary),
        "calibrated": model.calibration is not None,
        "card": dict(model.card),
    }


def scored(model: Model, pairs: list[Pair], folder: Path, batch: int) -> dict[str, Any]:
    """Top-k and the rest, as JSON values."""
    found = [one for one in score(model, pairs, N, search="beam", batch_size=batch, folder=folder) if not one.error]
    kinds = "".join(one.kinds for one in found)
    return {
        "rows": len(found),
        "failed": len(pairs) - len(found),
        "top": {str(k): list(share([0 < one.rank <= k for one in found])) for k in (1, 3, 5, 10)},
        "max_fragment": list(share([one.fragment_rank == 1 for one in found])),
        "invalid": list(share([one.kinds[0] in "ie" for one in found])),
        "duplicates": kinds.count("d") / len(kinds),
    }


def timed(model: Model, pairs: list[Pair]) -> dict[str, Any]:
    """Plain beside speculative decoding."""
    texts = [pair.source for pair in pairs]
    plain, fast = (trial(model, texts, Asked(decoding, keep_unknown=True)) for decoding in ("greedy", "speculative"))
    same = [a[0].smiles == b[0].smiles for a, b in zip(plain.answers, fast.answers, strict=True)]
    calls = [[answers[0].calls for answers in one.answers] for one in (plain, fast)]
    return {
        "rows": len(texts),
        "equal": list(share(same)),
        "calls": [sum(some) / len(some) for some in calls],
        "fewer": list(ratio(*calls)),
        "milliseconds": [1000 * sum(one.seconds()) / len(texts) for one in (plain, fast)],
        "faster": list(ratio(plain.seconds(), fast.seconds())),
    }


def write_header(name: str, found: dict[str, Any]) -> None:
    """Put the numbers into the card in the weights' header; the weights stay as they are, bit for bit."""
    path = weights.find(name) / weights.WEIGHTS
    stored = checkpoint.load(path, system="reactions")
    card = {**(stored.meta.get("card") or {}), HELD_OUT: {"accuracy": found["accuracy"], "speed": found["speed"]}}
    checkpoint.save(path, stored.tensors, {**stored.meta, "card": card}, system="reactions")


def filled(found: dict[str, dict[str, Any]]) -> str:
    """The template with the numbers put in."""
    fields = {"n": N, "hardware": hardware(), "date": datetime.now(UTC).date(), "tenfold": __version__}
    for name, one in found.items():
        shape = one["shape"]
        layers = f"{shape['encoder_layers']} + {shape['decoder_layers']} layers, width {shape['d_model']}"
        fields |= {
            f"{name}_parameters": f"{one['parameters']:,}",
            f"{name}_shape": f"{layers}, {shape['heads']} heads, feed-forward {shape['feedforward']}, {shape['norm']}-norm",
            f"{name}_bytes": f"{one['bytes'] / 1e6:.1f} MB",
            f"{name}_vocabulary": one["vocabulary"],
            f"{name}_calibrated": "yes" if one["calibrated"] else "no",
        }
    fields |= {"making": making(found), "accuracy": accuracy_table(found), "speed": speed_table(found)}
    return Path(__file__).with_suffix(".md").read_text(encoding="utf-8").format(**fields)


def making(found: dict[str, dict[str, Any]]) -> str:
    keys = dict.fromkeys(key for one in found.values() for key in one["card"])
    lines = [f"| {key} | {' | '.join(str(one['card'].get(key, '')) for one in found.values())} |" for key in keys]
    return "\n".join([f"| | {' | '.join(found)} |", f"|{'---|' * (len(found) + 1)}", *lines])


def accuracy_table(found: dict[str, dict[str, Any]]) -> str:
    head = "| | rows | top-1 | top-3 | top-5 | top-10 | MaxFrag top-1 | invalid first | duplicates among 10 |"
    lines = [head, f"|{'---|' * 9}"]
    for name, one in found.items():
        for way, some in one["accuracy"].items():
            tops = " | ".join(interval(some["top"][str(k)]) for k in (1, 3, 5, 10))
            rest = f"{interval(some['max_fragment'])} | {interval(some['invalid'])} | {some['duplicates']:.1%}"
            lines.append(f"| {f'{name} {way}'.strip()} | {some['rows']} | {tops} | {rest} |")
    return "\n".join(lines)


def speed_table(found: dict[str, dict[str, Any]]) -> str:
    lines = ["| | rows | equal strings | calls | times fewer | ms of processor | times faster |", f"|{'---|' * 7}"]
    for name, one in found.items():
        speed = one["speed"]
        calls, spent = (" to ".join(f"{value:.1f}" for value in speed[key]) for key in ("calls", "milliseconds"))
        fewer, faster = ("{:.2f} ({:.2f} to {:.2f})".format(*speed[key]) for key in ("fewer", "faster"))
        lines.append(f"| {name} | {speed['rows']} | {interval(speed['equal'])} | {calls} | {fewer} | {spent} | {faster} |")
    return "\n".join(lines)


def interval(found: list[float]) -> str:
    mean, low, high = found
    return f"{mean:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
