"""Our models inside Syntheseus (Maziarz et al. 2023): its backward and forward reaction models.

    from tenfold.reactions.syntheseus_plugin import TenfoldBackwardModel
    model = TenfoldBackwardModel("retro", use_cache=True)
    model([Molecule("CC(=O)Nc1ccccc1")], num_results=10)

Install: `pip install 'tenfold[syntheseus]'`. Its search algorithms take the backward model as they take their own.
"""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from tenfold.core.extras import require
from tenfold.reactions.expansion import Step, expand
from tenfold.reactions.scoring import NBest

__all__ = ["TenfoldBackwardModel", "TenfoldForwardModel"]

# Their classes are known only where the extra is installed.
_interface: Any = require("syntheseus.interface.models", "syntheseus")
_molecules: Any = require("syntheseus.interface.molecule", "syntheseus")
_reaction: Any = require("syntheseus.interface.reaction", "syntheseus")
_bag: Any = require("syntheseus.interface.bag", "syntheseus")


class _Held:
    """A model of ours, held by a class of theirs."""

    def __init__(
        self,
        model: NBest | str | os.PathLike[str],
        *,
        search: str = "exact",
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        """Hold a model.

        Args:
            model: a model, a name ("retro", "forward"), or a model's folder.
            search: "exact", "beam" (the same lists, slower) or "sbs" (approximate).
            batch_size: molecules at once.
            options: of the Syntheseus class, such as `use_cache`; `default_num_results` is 10 if it is not given.
        """
        super().__init__(**{"default_num_results": 10, **options})
        self.model: Any = _loaded(model)
        self.search, self.batch_size = search, batch_size

    def get_parameters(self) -> Iterator[Any]:
        """The network's parameters, for Syntheseus' count of them."""
        network = getattr(self.model, "network", None)
        return network.parameters() if isinstance(network, nn.Module) else iter(())

    def _expand(self, queries: Sequence[str], num_results: int) -> list[list[Step]]:
        return expand(self.model, queries, num_results, search=self.search, batch_size=self.batch_size)


class TenfoldBackwardModel(_Held, _interface.BackwardReactionModel):
    """Precursors of a molecule. Arguments as of `_Held`; calls as of Syntheseus' `BackwardReactionModel`."""

    def _get_reactions(self, inputs: list[Any], num_results: int) -> list[list[Any]]:
        found = self._expand([molecule.smiles for molecule in inputs], num_results)
        return [
            [
                _reaction.SingleProductReaction(product=product, reactants=_as_bag(step.smiles), metadata=_metadata(step))
                for step in steps
            ]
            for product, steps in zip(inputs, found, strict=True)
        ]


class TenfoldForwardModel(_Held, _interface.ForwardReactionModel):
    """Products of molecules. Arguments as of `_Held`; calls as of Syntheseus' `ForwardReactionModel`."""

    def _get_reactions(self, inputs: list[Any], num_results: int) -> list[list[Any]]:
        found = self._expand([_molecules.molecule_bag_to_smiles(reactants) for reactants in inputs], num_results)
        return [
            [
                _reaction.Reaction(reactants=reactants, products=_as_bag(step.smiles), metadata=_metadata(step))
                for step in steps
            ]
            for reactants, steps in zip(inputs, found, strict=True)
        ]


def _loaded(model: NBest | str | os.PathLike[str]) -> Any:
    if isinstance(model, str | os.PathLike):
        from tenfold import reactions

        return reactions.load(model)
    return model


def _as_bag(smiles: str) -> Any:
    return _bag.Bag([_molecules.Molecule(part) for part in smiles.split(".")])


def _metadata(step: Step) -> dict[str, float]:
    return {"probability": step.probability, "log_probability": math.log(max(step.probability, 1e-300))}
