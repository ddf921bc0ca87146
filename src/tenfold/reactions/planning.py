"""How many molecules a planner solves within a time limit, with speculative and with plain decoding.

The planner is Syntheseus' Retro* (Chen et al. 2020): a reaction costs -ln of its probability, a molecule of the stock
nothing. Exact speculation gives the same candidates as plain beam search, so both planners grow the same tree, one of them
sooner. A target is solved when every leaf of some route is in stock; the target itself never counts as in stock.
"""

import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.experiment import Interval, bootstrap_interval
from tenfold.core.extras import require
from tenfold.core.progress import track
from tenfold.core.runs import Run
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.scoring import NBest

__all__ = ["Planned", "Plans", "SolvedWithin", "Stock", "plan", "read_stock"]

SEARCHES = ("exact", "beam", "sbs")
_DEEPEST = 12  # reactions in a row; a route that needs more is of no use


class Stock(NamedTuple):
    """Molecules that need not be made.

    Attributes:
        molecules: canonical SMILES.
        skipped: lines that held no molecule.
    """

    molecules: frozenset[str]
    skipped: int


@dataclass(frozen=True)
class Planned:
    """What became of one target with one way of decoding.

    Attributes:
        target: as given.
        search: "exact", "beam" or "sbs".
        solved: a route was found before the last limit.
        seconds: until the first route, or until the search ended without one.
        expansions: molecules that the model was asked for.
        calls: of its decoder.
        route: the reactions of the best route, as SMILES, the target's first.
        error: why there was no search, or empty.
    """

    target: str
    search: str
    solved: bool = False
    seconds: float = 0.0
    expansions: int = 0
    calls: int = 0
    route: tuple[str, ...] = ()
    error: str = ""


class SolvedWithin(NamedTuple):
    """The share of targets that one way of decoding solved within a limit, in seconds."""

    search: str
    limit: float
    solved: int
    share: Interval


@dataclass(frozen=True)
class Plans:
    """Outcomes of all targets, and the table of how many were solved."""

    planned: tuple[Planned, ...]
    table: tuple[SolvedWithin, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        table = [{**row._asdict(), "share": row.share._asdict()} for row in self.table]
        return {"table": table, "planned": [asdict(one) for one in self.planned]}


def read_stock(path: str | os.PathLike[str]) -> Stock:
    """Read a stock: one SMILES a line, what follows it on the line is not read; .gz too.

    Raises:
        BadInput: the file cannot be read, or holds no molecule.
    """
    path = Path(path)
    molecules, skipped = set(), 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for line in lines:
                words = line.split(maxsplit=1)
                form = canonical_form(words[0]) if words else ""
                molecules.add(form)
                skipped += bool(words) and not form
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"The stock {path} cannot be read: {error}.", "It holds one SMILES a line.") from error
    molecules.discard("")
    if not molecules:
        raise BadInput(f"The stock {path} holds no molecule.", "It holds one SMILES a line.")
    return Stock(frozenset(molecules), skipped)


def plan(
    model: NBest,
    targets: Sequence[str],
    stock: Stock,
    *,
    limits: Sequence[float] = (5.0, 15.0),
    searches: Sequence[str] = ("exact", "beam"),
    n: int = 10,
    folder: str | os.PathLike[str] | None = None,
) -> Plans:
    """Search a route for each target, once with each way of decoding, until the last limit.

    The ways take turns in going first. A search may end later than its limit, for it does not stop inside a call of the
    model; what is found late is not counted.

    Args:
        model: for retrosynthesis; anything with `nbest` whose answers have a `probability`.
        targets: SMILES.
        stock: of `read_stock`.
        limits: seconds, each a row of the table.
        searches: "exact", "beam", "sbs": ways of decoding to compare.
        n: candidates for each molecule.
        folder: of the run: each target is kept there, and the same call goes on where it stopped.

    Raises:
        BadInput: no targets, a limit that is not positive, or an unknown search.
        ExtraMissing: syntheseus is not installed.
    """
    if not targets:
        raise BadInput("There are no targets to plan for.")
    if not limits or min(limits) <= 0:
        raise BadInput(f"limits are {list(limits)}; give one or more numbers of seconds above 0.")
    for name in searches:
        if name not in SEARCHES:
            raise BadInput(f"search {name!r} is unknown.", f"Use some of: {', '.join(SEARCHES)}.")
    jobs = [(target, name) for place, target in enumerate(targets) for name in _turned(searches, place)]
    if folder is None:
        planned = [_search(model, *job, stock, max(limits), n) for job in track(jobs, "Planning")]
        return _table(planned, limits, searches)
    config = _config(model, targets, stock, limits, searches, n)
    with closing(Run.open(folder, system="reactions", config=config)) as run:
        planned = [_read(line) for line in run.metrics()]
        for job in track(jobs[len(planned) :], "Planning"):
            planned.append(_search(model, *job, stock, max(limits), n))
            run.log(asdict(planned[-1]))
        found = _table(planned, limits, searches)
        run.finish(found.to_dict())
    return found


class _Counted:
    """A model whose decoder calls and queries are counted."""

    def __init__(self, model: NBest) -> None:
        self.model, self.calls, self.queries = model, 0, 0

    def nbest(self, smiles: list[str], n: int, search: str, batch_size: int) -> Sequence[Sequence[Any]]:
        found = self.model.nbest(smiles, n, search, batch_size)
        self.queries += len(found)
        self.calls += sum(answers[0].calls for answers in found if answers)
        return found


def _search(model: NBest, target: str, search: str, stock: Stock, limit: float, n: int) -> Planned:
    from tenfold.reactions.syntheseus_plugin import TenfoldBackwardModel

    form = canonical_form(target)
    if not form or "." in form:
        return Planned(target, search, error="the target is not one molecule that RDKit reads")
    star: Any = require("syntheseus.search.algorithms.best_first.retro_star", "syntheseus")
    costs: Any = require("syntheseus.search.node_evaluation.common", "syntheseus")
    counted = _Counted(model)
    planner = star.RetroStarSearch(
        reaction_model=TenfoldBackwardModel(counted, search=search, default_num_results=n, use_cache=True),
        mol_inventory=_shelf(stock, form),
        and_node_cost_fn=costs.ReactionModelLogProbCost(),
        value_function=costs.ConstantNodeEvaluator(0.0),
        time_limit_s=limit,
        max_expansion_depth=2 * _DEEPEST,  # molecules and reactions take turns
        stop_on_first_solution=True,
        prevent_repeat_mol_in_trees=True,
    )
    molecule = require("syntheseus.interface.molecule", "syntheseus").Molecule(form)
    started = time.perf_counter()
    graph, _ = planner.run_from_mol(molecule)
    seconds = time.perf_counter() - started
    solved = bool(graph.root_node.has_solution) and seconds <= limit
    route = tuple(_route(graph)) if graph.root_node.has_solution else ()
    return Planned(target, search, solved, seconds, counted.queries, counted.calls, route)


def _shelf(stock: Stock, target: str) -> Any:
    """The stock without the target, as Syntheseus asks for it."""
    theirs: Any = require("syntheseus.search.mol_inventory", "syntheseus")

    class Shelf(theirs.BaseMolInventory):
        def is_purchasable(self, mol: Any) -> bool:
            return mol.smiles != target and mol.smiles in stock.molecules

    return Shelf()


def _route(graph: Any) -> Iterator[str]:
    """The reactions of the likeliest route, the target's first."""
    routes: Any = require("syntheseus.search.analysis.route_extraction", "syntheseus")
    for node in graph.nodes():
        node.data["route_cost"] = node.data.get("retro_star_rxn_cost", 0.0)
    for nodes in routes.iter_routes_cost_order(graph, max_routes=1):
        steps = sorted((node for node in nodes if hasattr(node, "reaction")), key=lambda node: node.depth)
        yield from (f"{step.reaction.reactants_str}>>{step.reaction.products_str}" for step in steps)


def _table(planned: Sequence[Planned], limits: Sequence[float], searches: Sequence[str]) -> Plans:
    rows = []
    for search in searches:
        tried = [one for one in planned if one.search == search and not one.error]
        for limit in limits if tried else ():
            hits = [one.solved and one.seconds <= limit for one in tried]
            rows.append(SolvedWithin(search, limit, sum(hits), bootstrap_interval(hits)))
    return Plans(tuple(planned), tuple(rows))


def _turned(searches: Sequence[str], place: int) -> list[str]:
    start = place % len(searches)
    return [*searches[start:], *searches[:start]]


def _config(
    model: NBest, targets: Sequence[str], stock: Stock, limits: Sequence[float], searches: Sequence[str], n: int
) -> dict[str, Any]:
    """What makes two runs the same."""
    shelf = hashlib.sha256("\n".join(sorted(stock.molecules)).encode()).hexdigest()
    asked = hashlib.sha256(json.dumps([str(getattr(model, "card", "")), *targets]).encode()).hexdigest()
    common = {"job": "plan", "asked": asked, "stock": shelf}
    return {**common, "limits": [float(limit) for limit in limits], "searches": list(searches), "n": n}


def _read(line: Mapping[str, Any]) -> Planned:
    try:
        return Planned(**{**line, "route": tuple(line["route"])})
    except (KeyError, TypeError) as error:
        raise BadInput("The folder holds plans that this version cannot read.", "Choose another --out.") from error
