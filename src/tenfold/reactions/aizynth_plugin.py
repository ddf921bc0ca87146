"""Our models inside AiZynthFinder (Genheden et al. 2020), as an expansion strategy. In its configuration file:

    expansion:
      tenfold:
        type: tenfold.reactions.aizynth_plugin.TenfoldExpansionStrategy
        model: retro
        n: 10

AiZynthFinder 4.4.1 asks for numpy 1 and RDKit 2023, tenfold for numpy 2, so no installer puts both into one environment by
itself, and there is no extra. It works with numpy 2.4 and RDKit 2026.9 all the same, as test_aizynth_plugin.py shows. In an
environment of its own:

    pip install 'tenfold[reactions]' apted dask deprecated importlib-metadata lazy-importer 'networkx<4' onnxruntime
    pip install paretoset 'pandas<3' pyarrow rdchiral requests seaborn swifter tables 'wrapt-timeout-decorator<2' xxhash
    pip install --no-deps aizynthfinder==4.4.1 reaction-utils==1.9.4
"""

import os
from collections.abc import Sequence
from typing import Any

from tenfold.core.errors import ExtraMissing
from tenfold.core.extras import require
from tenfold.reactions.expansion import Step, expand
from tenfold.reactions.scoring import NBest

__all__ = ["TenfoldExpansionStrategy"]


def _theirs(module: str) -> Any:
    """A module of AiZynthFinder, or where its installation is described: there is no extra for it."""
    try:
        return require(module, "reactions")
    except ExtraMissing as error:
        raise ExtraMissing(error.message, "How to install it: pydoc tenfold.reactions.aizynth_plugin") from error


_strategies: Any = _theirs("aizynthfinder.context.policy.expansion_strategies")
_reactions: Any = _theirs("aizynthfinder.chem")


class TenfoldExpansionStrategy(_strategies.ExpansionStrategy):
    """Precursors of molecules by a retrosynthesis model; each molecule is asked for once, until the cache is reset."""

    _required_kwargs = ("model",)

    def __init__(
        self,
        key: str,
        config: Any,
        *,
        model: NBest | str | os.PathLike[str],
        n: int = 10,
        search: str = "exact",
        batch_size: int = 32,
    ) -> None:
        """Set up.

        Args:
            key: AiZynthFinder's name of the strategy.
            config: of the search, by AiZynthFinder.
            model: a model, the name "retro", or a model's folder.
            n: candidates for each molecule.
            search: "exact", "beam" (the same lists, slower) or "sbs" (approximate).
            batch_size: molecules at once.
        """
        super().__init__(key, config, model=model)
        if isinstance(model, str | os.PathLike):
            from tenfold import reactions

            model = reactions.load(model)
        self.model: Any = model
        self.n, self.search, self.batch_size = int(n), search, int(batch_size)
        self._known: dict[str, list[Step]] = {}

    def get_actions(
        self, molecules: Sequence[Any], cache_molecules: Sequence[Any] | None = None
    ) -> tuple[list[Any], list[float]]:
        """Retro reactions of the molecules, and their probabilities as priors.

        Args:
            molecules: AiZynthFinder's, to expand.
            cache_molecules: its guesses at what comes next, expanded in the same batch.
        """
        self._learn([one.smiles for one in (*molecules, *(cache_molecules or ()))])
        actions, priors = [], []
        for molecule in molecules:
            for rank, step in enumerate(self._known[molecule.smiles]):
                facts = {"policy_probability": step.probability, "policy_probability_rank": rank, "policy_name": self.key}
                actions.append(_reactions.SmilesBasedRetroReaction(molecule, metadata=facts, reactants_str=step.smiles))
                priors.append(step.probability)
        return actions, priors

    def reset_cache(self) -> None:
        """Forget all molecules."""
        self._known.clear()

    def _learn(self, smiles: Sequence[str]) -> None:
        new = [one for one in dict.fromkeys(smiles) if one not in self._known]
        found = expand(self.model, new, self.n, search=self.search, batch_size=self.batch_size)
        self._known.update(zip(new, found, strict=True))
