"""Routes found by the real Retro* of Syntheseus, over a table of reactions."""

import gzip
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput, ExtraMissing
from tenfold.core.extras import is_installed
from tenfold.reactions.planning import Stock, plan, read_stock
from tests.reactions.planners import STOCK, TARGET, TableModel

pytest.importorskip("rdkit", reason="extra reactions is not installed")

needs_syntheseus = pytest.mark.skipif(not is_installed("syntheseus"), reason="extra syntheseus is not installed")
SHELF = Stock(frozenset(STOCK), 0)


@needs_syntheseus
def test_the_route_names_its_reactions_from_the_target_down() -> None:
    found = plan(TableModel(), [TARGET], SHELF, searches=("exact",)).planned[0]
    assert found.solved
    assert found.route == (
        "CC(=O)Cl.CC(=O)Nc1ccc(O)cc1>>CC(=O)Nc1ccc(OC(C)=O)cc1",
        "CC(=O)OC(C)=O.Nc1ccc(O)cc1>>CC(=O)Nc1ccc(O)cc1",
    )
    assert found.expansions == 2
    assert found.calls == 6


@needs_syntheseus
def test_without_the_last_piece_in_stock_there_is_no_route() -> None:
    found = plan(TableModel(), [TARGET], Stock(frozenset(STOCK[:2]), 0), searches=("exact",))
    assert (found.planned[0].solved, found.planned[0].route) == (False, ())
    assert found.table[0].solved == 0


@needs_syntheseus
def test_the_target_itself_does_not_count_as_in_stock() -> None:
    found = plan(TableModel(), [TARGET], Stock(frozenset((*STOCK, TARGET)), 0), searches=("exact",)).planned[0]
    assert len(found.route) == 2


@needs_syntheseus
def test_what_is_found_after_a_limit_counts_only_for_the_later_one() -> None:
    slow = TableModel(seconds={"beam": 0.2})  # two expansions: 0.4 s with plain decoding
    found = plan(slow, [TARGET], SHELF, limits=(0.3, 10.0))
    assert [(row.search, row.limit, row.solved) for row in found.table] == [
        ("exact", 0.3, 1), ("exact", 10.0, 1), ("beam", 0.3, 0), ("beam", 10.0, 1),
    ]  # fmt: skip
    assert {one.route for one in found.planned} == {found.planned[0].route}


@needs_syntheseus
def test_ways_of_decoding_take_turns_in_going_first() -> None:
    found = plan(TableModel(), [TARGET, "CC(=O)c1ccccc1"], SHELF)
    assert [one.search for one in found.planned] == ["exact", "beam", "beam", "exact"]


@needs_syntheseus
@pytest.mark.parametrize("target", ["C1CC", "", "CC.O"])
def test_a_target_that_is_no_molecule_is_told_and_not_counted(target: str) -> None:
    found = plan(TableModel(), [target, TARGET], SHELF, searches=("exact",))
    assert "not one molecule" in found.planned[0].error
    assert found.table[0].share.mean == 1.0


@needs_syntheseus
def test_a_run_that_goes_on_searches_only_what_is_left(tmp_path: Path) -> None:
    class Stops(TableModel):
        def nbest(self, smiles, n, search, batch_size):
            if search == "beam":
                raise KeyboardInterrupt
            return super().nbest(smiles, n, search, batch_size)

    with pytest.raises(KeyboardInterrupt):
        plan(Stops(), [TARGET], SHELF, folder=tmp_path)
    second = TableModel()
    found = plan(second, [TARGET], SHELF, folder=tmp_path)
    assert set(second.searches) == {"beam"}
    assert [one.search for one in found.planned] == ["exact", "beam"]
    assert plan(TableModel(), [TARGET], SHELF, folder=tmp_path).to_dict() == found.to_dict()


@pytest.mark.parametrize("name", ["stock.smi", "stock.smi.gz"])
def test_a_stock_file_is_read_in_canonical_form_and_bad_lines_are_counted(name: str, tmp_path: Path) -> None:
    text = b"OCC ethanol\n\nC1CC broken\nCCO\nc1ccccc1\tbenzene\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert read_stock(tmp_path / name) == Stock(frozenset(("CCO", "c1ccccc1")), 1)


@pytest.mark.parametrize("content", [b"", b"C1CC\n", b"\xff\xfe\x00"])
def test_a_stock_without_molecules_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "stock.smi").write_bytes(content)
    with pytest.raises(BadInput, match="stock"):
        read_stock(tmp_path / "stock.smi")


def test_a_damaged_archive_and_a_missing_stock_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stock.smi.gz").write_bytes(gzip.compress(b"CCO\n" * 100)[:-12])
    for name in ("stock.smi.gz", "none.smi"):
        with pytest.raises(BadInput, match="cannot be read"):
            read_stock(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"limits": (0.0,)}, "above 0"), ({"limits": ()}, "above 0"), ({"searches": ("fast",)}, "unknown")],
)
def test_impossible_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plan(TableModel(), [TARGET], SHELF, **options)


@pytest.mark.skipif(is_installed("syntheseus"), reason="syntheseus is installed")
def test_without_syntheseus_the_message_says_how_to_install_it() -> None:
    with pytest.raises(ExtraMissing, match=r"tenfold\[syntheseus\]"):
        plan(TableModel(), [TARGET], SHELF)
