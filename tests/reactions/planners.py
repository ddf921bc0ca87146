"""A retrosynthesis model that answers from a table, for the tests of planners: no chemistry is learned here."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenfold.core.errors import BadInput

# A two-step route to paracetamol's acetate, with a wrong turn on the way: (precursors, probability).
ROUTES = {
    "CC(=O)Nc1ccc(OC(C)=O)cc1": [("C1CC", 0.5), ("CC(=O)Nc1ccc(O)cc1.CC(=O)Cl", 0.3), ("CC(=O)c1ccccc1.N", 0.1)],
    "CC(=O)Nc1ccc(O)cc1": [("CC(=O)OC(C)=O.Nc1ccc(O)cc1", 0.4), ("Nc1ccc(O)cc1.CC(=O)OC(C)=O", 0.2)],
    "CC(=O)c1ccccc1": [("c1ccccc1.CC(=O)Cl", 0.9)],
}
TARGET = "CC(=O)Nc1ccc(OC(C)=O)cc1"
STOCK = ("CC(=O)Cl", "CC(=O)OC(C)=O", "Nc1ccc(O)cc1")


@dataclass(frozen=True)
class Candidate:
    smiles: str
    probability: float
    calls: int = 3

    @property
    def log_probability(self) -> float:
        return math.log(self.probability)


class TableModel:
    """Answers from a table, refuses silicon, and notes what it was asked, by which search."""

    def __init__(
        self, table: Mapping[str, Sequence[tuple[str, float]]] = ROUTES, seconds: Mapping[str, float] | None = None
    ):
        self.table, self.seconds = table, seconds or {}
        self.asked: list[str] = []
        self.searches: list[str] = []

    def nbest(self, smiles: list[str], n: int, search: str, batch_size: int) -> list[list[Candidate]]:
        if any("Si" in query for query in smiles):
            raise BadInput("Token '[Si]' is not in this model's vocabulary.")
        self.asked += smiles
        self.searches.append(search)
        time.sleep(self.seconds.get(search, 0.0))
        return [[Candidate(*answer) for answer in self.table.get(query, ())][:n] for query in smiles]
