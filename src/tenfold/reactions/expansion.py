"""A model's answers as planners want them: molecules, each once, with the probability of being right."""

from collections.abc import Sequence
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.reactions.confidence import merge
from tenfold.reactions.scoring import NBest

__all__ = ["Step", "expand"]


class Step(NamedTuple):
    """One single-step answer: precursors of a product, or products of reactants.

    Attributes:
        smiles: canonical, molecules joined by dots.
        probability: of being right; of molecules that were written in several ways, the sum.
    """

    smiles: str
    probability: float


def expand(model: NBest, queries: Sequence[str], n: int, *, search: str, batch_size: int) -> list[list[Step]]:
    """The valid answers to each query, the likeliest first; none to a query that the model refuses.

    Args:
        model: anything with `nbest`, whose answers have a `probability`.
        queries: SMILES.
        n: candidates of each.
        search: "exact", "beam" or "sbs", handed on to the model.
        batch_size: queries at once, handed on to the model.
    """
    try:
        found = model.nbest(list(queries), n, search, batch_size) if queries else []
    except BadInput:
        # A planner meets molecules with tokens that the model has never seen: it goes on without them.
        if len(queries) == 1:
            return [[]]
        return [steps for query in queries for steps in expand(model, [query], n, search=search, batch_size=1)]
    return [_steps(answers) for answers in found]


def _steps(answers: Sequence) -> list[Step]:
    merged = merge([one.smiles for one in answers], [one.log_probability for one in answers])
    return [Step(one.smiles, min(1.0, sum(answers[rank].probability for rank in one.ranks))) for one in merged]
