"""Our models as an expansion strategy of AiZynthFinder, in the real package."""

from pathlib import Path

import pytest

from tests.reactions.planners import STOCK, TARGET, TableModel

pytest.importorskip("aizynthfinder", reason="aizynthfinder is not installed; it needs an environment of its own")

from aizynthfinder.aizynthfinder import AiZynthFinder
from aizynthfinder.chem import TreeMolecule
from aizynthfinder.context.config import Configuration
from aizynthfinder.context.stock.queries import StockQueryMixin

from tenfold.reactions.aizynth_plugin import TenfoldExpansionStrategy


class Shelf(StockQueryMixin):
    """A stock of a few molecules."""

    def __init__(self) -> None:
        self.keys = {TreeMolecule(parent=None, smiles=one).inchi_key for one in STOCK}

    def __contains__(self, molecule: TreeMolecule) -> bool:
        return molecule.inchi_key in self.keys


def finder(model: TableModel, algorithm: str) -> AiZynthFinder:
    found = AiZynthFinder()
    found.stock.load(Shelf(), "shelf")
    found.stock.select("shelf")
    found.expansion_policy.load(TenfoldExpansionStrategy("tenfold", found.config, model=model))
    found.expansion_policy.select("tenfold")
    found.config.search.algorithm = algorithm
    found.config.search.iteration_limit = 20
    return found


@pytest.mark.parametrize("algorithm", ["mcts", "aizynthfinder.search.retrostar.search_tree.SearchTree"])
def test_its_search_finds_the_route_in_stock(algorithm: str) -> None:
    found = finder(TableModel(), algorithm)
    found.target_smiles = TARGET
    found.tree_search()
    found.build_routes()
    assert found.extract_statistics()["is_solved"]
    (best, *_) = found.routes.reaction_trees
    assert {leaf.smiles for leaf in best.leafs()} == set(STOCK)
    assert best.metadata is not None


def test_actions_carry_probability_rank_and_name() -> None:
    strategy = TenfoldExpansionStrategy("ours", Configuration(), model=TableModel())
    actions, priors = strategy.get_actions([TreeMolecule(parent=None, smiles=TARGET)])
    assert priors == [pytest.approx(0.3), pytest.approx(0.1)]
    assert [one.metadata["policy_probability_rank"] for one in actions] == [0, 1]
    assert actions[0].metadata["policy_name"] == "ours"
    assert {one.smiles for one in actions[0].reactants[0]} == {"CC(=O)Nc1ccc(O)cc1", "CC(=O)Cl"}


def test_each_molecule_is_asked_for_once_until_the_cache_is_reset() -> None:
    model = TableModel()
    strategy = TenfoldExpansionStrategy("ours", Configuration(), model=model)
    target, next_one = (TreeMolecule(parent=None, smiles=one) for one in (TARGET, "CC(=O)Nc1ccc(O)cc1"))
    strategy.get_actions([target], cache_molecules=[next_one])
    strategy.get_actions([next_one])
    assert model.asked == [TARGET, "CC(=O)Nc1ccc(O)cc1"]
    strategy.reset_cache()
    strategy.get_actions([target])
    assert model.asked[2:] == [TARGET]


def test_a_molecule_that_the_model_refuses_has_no_actions() -> None:
    strategy = TenfoldExpansionStrategy("ours", Configuration(), model=TableModel())
    assert strategy.get_actions([TreeMolecule(parent=None, smiles="C[Si](C)(C)C")]) == ([], [])


def test_a_configuration_file_names_the_strategy_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenfold import reactions

    monkeypatch.setattr(reactions, "load", lambda name: {"retro": TableModel()}[name], raising=False)
    path = tmp_path / "config.yml"
    path.write_text(
        "expansion:\n  ours:\n    type: tenfold.reactions.aizynth_plugin.TenfoldExpansionStrategy\n"
        "    model: retro\n    n: 1\n"
    )
    found = Configuration.from_file(str(path))
    found.expansion_policy.select("ours")
    actions, _ = found.expansion_policy.get_actions([TreeMolecule(parent=None, smiles="CC(=O)c1ccccc1")])
    assert len(actions) == 1
