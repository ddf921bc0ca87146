"""Our models as Syntheseus' reaction models, in the real package."""

import math

import pytest

from tests.reactions.planners import ROUTES, STOCK, TARGET, TableModel

pytest.importorskip("syntheseus", reason="extra syntheseus is not installed")

from syntheseus import Bag, Molecule
from syntheseus.search.algorithms.best_first.retro_star import RetroStarSearch
from syntheseus.search.mol_inventory import SmilesListInventory
from syntheseus.search.node_evaluation.common import ConstantNodeEvaluator, ReactionModelLogProbCost

from tenfold.reactions.syntheseus_plugin import TenfoldBackwardModel, TenfoldForwardModel


def test_precursors_come_as_reactions_with_their_probability() -> None:
    ((first, second),) = TenfoldBackwardModel(TableModel())([Molecule(TARGET)], num_results=5)
    assert first.product == Molecule(TARGET)
    assert first.reactants == Bag([Molecule("CC(=O)Nc1ccc(O)cc1"), Molecule("CC(=O)Cl")])
    assert first.metadata["probability"] == pytest.approx(0.3)
    assert first.metadata["log_probability"] == pytest.approx(math.log(0.3))
    assert second.metadata["probability"] == pytest.approx(0.1)


def test_precursors_written_in_two_ways_are_one_reaction_with_the_sum() -> None:
    (found,) = TenfoldBackwardModel(TableModel())([Molecule("CC(=O)Nc1ccc(O)cc1")])
    assert [one.metadata["probability"] for one in found] == [pytest.approx(0.6)]


def test_a_molecule_that_the_model_refuses_has_no_reactions_and_spares_its_batch() -> None:
    refused, known = TenfoldBackwardModel(TableModel())([Molecule("C[Si](C)(C)C"), Molecule(TARGET)])
    assert (list(refused), len(known)) == ([], 2)


def test_the_cache_of_syntheseus_asks_once() -> None:
    inner = TableModel()
    model = TenfoldBackwardModel(inner, use_cache=True)
    model([Molecule(TARGET)])
    model([Molecule(TARGET)])
    assert inner.asked == [TARGET]
    assert model.num_calls() == 1


def test_products_of_a_bag_of_reactants_come_as_reactions() -> None:
    inner = TableModel({"CCO.Cl": [("CCCl", 0.8), ("O.CCCl", 0.1)]})
    ((first, second),) = TenfoldForwardModel(inner)([Bag([Molecule("Cl"), Molecule("OCC")])])
    assert first.products_str == "CCCl"
    assert second.products_str == "CCCl.O"
    assert first.reactants_str == "CCO.Cl"
    assert TenfoldForwardModel(inner).is_forward()


def test_retro_star_finds_the_route_in_stock() -> None:
    search = RetroStarSearch(
        reaction_model=TenfoldBackwardModel(TableModel(), use_cache=True),
        mol_inventory=SmilesListInventory(list(STOCK)),
        and_node_cost_fn=ReactionModelLogProbCost(),
        value_function=ConstantNodeEvaluator(0.0),
        limit_iterations=20,
    )
    graph, _ = search.run_from_mol(Molecule(TARGET))
    assert graph.root_node.has_solution
    assert {node.mol.smiles for node in graph.nodes() if hasattr(node, "mol")} >= {*STOCK, TARGET, *list(ROUTES)[:2]}


def test_the_search_asked_for_reaches_the_model() -> None:
    inner = TableModel()
    TenfoldBackwardModel(inner, search="sbs")([Molecule(TARGET)])
    assert inner.searches == ["sbs"]
