"""What a run will cost, before anything is spent: calls in closed form (section 6.7 of the spec), tokens estimated.

With T training samples, k errors, N steps and E test samples, a graph of V prompts costs V T (N + 1) + V E forward calls,
N k B backward calls and N P calls of the optimiser, where B is one sample's backward calls and P the parameters that move.
For the paper's graph of two hints and an answer: 3T(N + 1) + N(k + 3) + 3E.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tenfold.llm.tokens import estimate
from tenfold.semgrad.backward import backward_calls
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.losses import Judge, loss_named
from tenfold.semgrad.samples import Sample, prepare

__all__ = ["ForecastRow", "forecast", "forecast_calls"]

# Tokens of one reply, as a guess: real ones depend on the model.
REPLY_TOKENS = 200


class ForecastRow(NamedTuple):
    """Forecast of one role; usd is None where the price is unknown."""

    role: str
    calls: int
    tokens: int
    usd: float | None


def forecast(
    graph: Graph,
    train: Any,
    *,
    steps: int = 12,
    errors: int = 2,
    test: Any = None,
    neighbourhood: str = "full",
    update: str = "full",
    evaluations: int | None = None,
    metric: Any = "exact",
    models: Any = "engine:rules",
    prices: Any = None,
) -> list[ForecastRow]:
    """Calls, tokens and money by role, and in total: exact with memo and coalescing off when nothing stops early.

    The calls are a ceiling otherwise: equal requests are asked once, races stop, and a subset moves fewer parameters.
    The tokens assume 200 for a reply, and of a prompt what is known of it now.

    Raises:
        BadInput: the graph or the rows do not hold.
    """
    graph.validate()
    rows = prepare(graph, train, "train")
    others = [] if test is None else prepare(graph, test, "test")
    calls = forecast_calls(
        graph, len(rows), len(others), steps=steps, errors=errors, neighbourhood=neighbourhood, update=update,
        evaluations=evaluations, is_judged=isinstance(loss_named(metric), Judge),
    )  # fmt: skip
    sizes = _prompt_tokens(graph, rows)
    costs = _costs(models, prices)
    found = []
    for role, count in calls.items():
        prompt = count * sizes[role]
        reply = count * REPLY_TOKENS
        price = costs[role]
        usd = None if price is None else price(prompt, reply)
        found.append(ForecastRow(role, count, prompt + reply, usd))
    known = all(row.usd is not None for row in found)
    total = sum(row.usd or 0.0 for row in found) if known else None
    return [*found, ForecastRow("total", sum(r.calls for r in found), sum(r.tokens for r in found), total)]


def forecast_calls(
    graph: Graph,
    train: int,
    test: int = 0,
    *,
    steps: int,
    errors: int,
    neighbourhood: str = "full",
    update: str = "full",
    evaluations: int | None = None,
    is_judged: bool = False,
) -> dict[str, int]:
    """Calls by role for numbers of samples."""
    prompts = sum(node.function is None for node in graph.nodes.values())
    passes = steps + 1 if evaluations is None else evaluations if update == "auto" else min(steps + 1, evaluations)
    rounds = passes - 1
    moved = 1 if update in ("one", "bandit") else len(graph.trainable)
    backward = 0 if neighbourhood == "none" else backward_calls(graph, neighbourhood)
    found = {
        "forward": prompts * (train * passes + test),
        "backward": rounds * min(errors, train) * backward,
        "optimise": rounds * moved,
    }
    if is_judged:
        found["judge"] = train * passes + test
    return found


def _prompt_tokens(graph: Graph, rows: Sequence[Sample]) -> dict[str, int]:
    """Mean tokens of a prompt by role; a hint counts as short, an example as an input with its output and feedback."""
    question = sum(estimate(text) for row in rows for text in row.queries.values()) // len(rows)
    instruction = sum(estimate(text) for text in graph.instructions.values()) // max(1, len(graph.instructions))
    forward = question + instruction + 60
    return {"forward": forward, "backward": forward + 80, "optimise": 2 * forward + 200, "judge": question + 100}


def _costs(models: Any, prices: Any) -> Mapping[str, Any]:
    from tenfold.llm.models import open_backend
    from tenfold.llm.prices import Prices
    from tenfold.llm.types import Usage
    from tenfold.semgrad.roles import roles

    found = {}
    for role, model in roles(models).items():
        if not isinstance(model, str):
            found[role] = None
            continue
        backend = open_backend(model)
        price = None if backend.is_free else Prices.load(prices).of(backend.model)
        if backend.is_free:
            found[role] = lambda prompt, reply: 0.0
        else:
            found[role] = None if price is None else lambda prompt, reply, price=price: price.cost(Usage(prompt, reply))
    return found
