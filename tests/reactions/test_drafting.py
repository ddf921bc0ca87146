"""Drafts: what every drafter must keep to, rings, and the table of n-grams."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenfold.core.errors import BadInput
from tenfold.reactions.drafting import SuffixDrafter, distinct
from tenfold.reactions.ngrams import NgramTable
from tenfold.reactions.rings import RingSymbols
from tenfold.reactions.tokens import BOS, EOS, Vocabulary

PRODUCTS = [
    "CC(=O)Nc1ccccc1", "CC(=O)Nc1ccc(Cl)cc1", "COc1ccc2ccccc2c1", "O=C(O)c1ccccc1", "CC(=O)NCc1ccccc1",
    "COC(=O)c1ccc(Cl)cc1", "CCOC(=O)c1ccccc1", "C1CC2CCC1CC2",
]  # fmt: skip
VOCABULARY = Vocabulary.of([*PRODUCTS, "c1cc2c(cc1)ccc1c2cccc1.C3CC3.C%10CC%10"])
TABLE = NgramTable.build([VOCABULARY.encode(product) for product in [*PRODUCTS, *PRODUCTS]], VOCABULARY)
DRAFTERS = {
    "ids alone": SuffixDrafter(),
    "vocabulary": SuffixDrafter(VOCABULARY),
    "vocabulary and table": SuffixDrafter(VOCABULARY, TABLE),
}
tokens = st.lists(st.integers(4, len(VOCABULARY) - 1), max_size=40)


def ids(smiles: str) -> list[int]:
    return VOCABULARY.encode(smiles)


@pytest.mark.parametrize("name", DRAFTERS)
@settings(deadline=None)
@given(source=tokens, prefix=tokens, width=st.integers(0, 7), length=st.integers(0, 9))
def test_drafts_are_no_more_and_no_longer_than_asked_not_empty_and_none_begins_another(name, source, prefix, width, length):
    drafts = DRAFTERS[name].start(source).propose([BOS, *prefix], width, length)
    assert len(drafts) <= width
    assert all(1 <= len(draft) <= length for draft in drafts)
    assert all(set(draft) <= {EOS, *range(4, len(VOCABULARY))} for draft in drafts)
    assert not any(one is not other and other[: len(one)] == one for one in drafts for other in drafts)


@pytest.mark.parametrize("name", DRAFTERS)
@settings(deadline=None)
@given(source=tokens, prefixes=st.lists(tokens, min_size=1, max_size=4))
def test_drafts_of_a_prefix_do_not_depend_on_the_prefixes_asked_before(name, source, prefixes):
    drafter = DRAFTERS[name]
    used = drafter.start(source)
    for prefix in prefixes:
        for stop in (len(prefix) // 2, len(prefix)):
            asked = [BOS, *prefix[:stop]]
            assert used.propose(asked, 4, 12) == drafter.start(source).propose(asked, 4, 12)


@settings(deadline=None)
@given(source=tokens)
def test_begin_end_and_padding_of_the_query_change_nothing(source):
    bare, dressed = (SuffixDrafter(VOCABULARY).start(query) for query in (source, [BOS, *source, EOS, 0, 0]))
    assert bare.propose([BOS], 3, 10) == dressed.propose([BOS], 3, 10)


def test_an_output_that_copies_the_query_is_drafted_to_its_end():
    row = SuffixDrafter(VOCABULARY).start(ids("CCOC(=O)c1ccccc1"))
    assert row.propose([BOS, *ids("CCO")], 1, 40) == [[*ids("C(=O)c1ccccc1"), EOS]]


def test_a_first_draft_is_the_longest_molecule_and_ends_with_it():
    row = SuffixDrafter(VOCABULARY).start(ids("CCO.COc1ccccc1.Cl"))
    assert row.propose([BOS], 1, 40) == [[*ids("COc1ccccc1"), EOS]]


def test_a_copied_ring_takes_the_number_that_is_free_in_the_output():
    row = SuffixDrafter(VOCABULARY).start(ids("Nc1ccccc1"))
    assert row.propose([BOS, *ids("C1CC(N")], 1, 40) == [[*ids("c2ccccc2"), EOS]]
    as_ids = SuffixDrafter().start(ids("Nc1ccccc1"))
    assert as_ids.propose([BOS, *ids("C1CC(N")], 1, 40) == [[*ids("c1ccccc1"), EOS]]


def test_of_two_equal_matches_the_one_where_copying_left_off_comes_first():
    query = ids("NC(=O)CCNC(=O)O")
    row = SuffixDrafter(VOCABULARY).start(query)
    first = row.propose([BOS, *ids("NC(=O)CCNC(=O)")], 1, 40)
    assert first == [[*ids("O"), EOS]]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["c1ccccc1", "C1CC2CCC1CC2", "c1cc2c(cc1)ccc1c2cccc1", "C", "O"]), max_size=6))
def test_ring_symbols_written_back_are_the_tokens_where_rings_take_the_lowest_free_number(parts):
    rings = RingSymbols(VOCABULARY)
    text = ids("".join(parts))
    assert rings.write(rings.read(text, []), []) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from([VOCABULARY.numbers[token] for token in ("1", "2", "3", "%10", "C")]), max_size=30))
def test_ring_symbols_of_any_digits_can_be_written(text):
    rings = RingSymbols(VOCABULARY)
    written = rings.write(rings.read(text, []), [])
    assert rings.read(written, []) == rings.read(text, [])[: len(written)]


def test_a_ring_that_is_not_open_ends_what_is_written():
    rings = RingSymbols(VOCABULARY)
    carbon = ids("C")[0]
    assert rings.write([carbon, rings.opening + 1, carbon], []) == [carbon]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=4), max_size=8), st.integers(0, 4))
def test_distinct_keeps_the_order_and_drops_only_what_another_says(drafts, width):
    kept = distinct(drafts, width)
    assert len(kept) <= width
    wanted = [draft for draft in drafts if draft]
    assert all(any(one[: len(draft)] == draft for one in kept) for draft in wanted) or len(kept) == width
    if wanted and width:
        assert kept[0][: len(wanted[0])] == wanted[0]
    assert not any(one is not other and other[: len(one)] == one for one in kept for other in kept)


def test_a_table_continues_a_known_output_whatever_its_ring_numbers_are():
    row = SuffixDrafter(VOCABULARY, TABLE).start(ids("Cl"))
    drafts = row.propose([BOS, *ids("C1CC(CC(=O)Nc")], 2, 10)
    assert ids("2ccc") in [draft[:4] for draft in drafts]


def test_the_table_says_what_the_counts_say():
    vocabulary = Vocabulary.of(["CNO", "CNF"])
    table = NgramTable.build([vocabulary.encode(text) for text in ("CNO", "CNO", "CNO", "CNF")], vocabulary)
    row = SuffixDrafter(vocabulary, table).start([])
    assert row.propose([BOS, *vocabulary.encode("CN")], 1, 5) == [[*vocabulary.encode("O"), EOS]]


def test_a_rare_continuation_is_no_draft():
    texts = [f"CC{atom}" for atom in "NOSPFI"] * 2
    vocabulary = Vocabulary.of(texts)
    table = NgramTable.build([vocabulary.encode(text) for text in texts], vocabulary)
    assert SuffixDrafter(vocabulary, table).start([]).propose([BOS, *vocabulary.encode("CC")], 1, 5) in ([], [[EOS]])


def test_a_users_reactions_go_before_the_shipped_table():
    vocabulary = Vocabulary.of(["CNO", "CNF"])
    general = NgramTable.build([vocabulary.encode("CNO")] * 9, vocabulary)
    own = NgramTable.build([vocabulary.encode("CNF")] * 2, vocabulary)
    prefix = [BOS, *vocabulary.encode("CN")]
    for table, following in ((general, "O"), (own, "F"), (own.over(general), "F"), (general.over(own), "O")):
        assert SuffixDrafter(vocabulary, table).start([]).propose(prefix, 1, 1) == [vocabulary.encode(following)]


def test_a_table_serves_another_vocabulary():
    other = Vocabulary((*VOCABULARY.tokens[:4], *reversed(VOCABULARY.tokens[4:]), "[Xe]"))
    texts = [
        [vocabulary.decode(draft) for draft in SuffixDrafter(vocabulary, TABLE).start([]).propose(
            [BOS, *vocabulary.encode("CC(=O)N")], 2, 12)]
        for vocabulary in (VOCABULARY, other)
    ]  # fmt: skip
    assert texts[0] == texts[1] != []


def test_a_saved_table_is_the_same(tmp_path: Path):
    found = NgramTable.load(TABLE.save(tmp_path / "drafts.npz"))
    assert found.tokens == TABLE.tokens
    for name in ("keys", "following", "share"):
        assert np.array_equal(getattr(found, name), getattr(TABLE, name))


def test_a_table_keeps_the_most_frequent_contexts_if_it_may_not_keep_all():
    small = NgramTable.build([ids(product) for product in PRODUCTS] * 2, VOCABULARY, entries=10)
    assert len(small.keys) == 10
    assert set(small.keys) < set(TABLE.keys)


def test_a_table_of_nothing_is_refused():
    with pytest.raises(BadInput, match="no target"):
        NgramTable.build([], VOCABULARY)
    with pytest.raises(BadInput, match="vocabulary"):
        SuffixDrafter(None, TABLE)


def _saved(**changed: object) -> bytes:
    with io.BytesIO() as file:
        arrays = {"tokens": np.frombuffer(b'["C"]', np.uint8), "following": np.zeros(2, np.uint16)}
        arrays |= {"share": np.zeros(2, np.uint8), **{f"step{byte}": np.ones(2, np.uint8) for byte in range(4)}}
        np.savez(file, **{**arrays, **changed})
        return file.getvalue()


HOSTILE = {
    "objects": _saved(tokens=np.array([{"a": 1}], object)),
    "no JSON": _saved(tokens=np.frombuffer(b"(C", np.uint8)),
    "deep JSON": _saved(tokens=np.frombuffer(b"[" * 100_000, np.uint8)),
    "no texts": _saved(tokens=np.frombuffer(b"[1, 2]", np.uint8)),
    "number beyond the tokens": _saved(following=np.full(2, 9, np.uint16)),
    "other type": _saved(share=np.zeros(2)),
    "other shape": _saved(step0=np.ones((2, 2), np.uint8)),
    "other length": _saved(share=np.zeros(3, np.uint8)),
    "no archive": b"PK\x03\x04 not really",
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_is_refused_with_a_sentence(name, tmp_path: Path):
    (tmp_path / "drafts.npz").write_bytes(HOSTILE[name])
    with pytest.raises(BadInput):
        NgramTable.load(tmp_path / "drafts.npz")


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.integers(0, 60)), hnp.arrays(np.uint16, st.just(3), elements=st.integers(0, 1)))
def test_a_table_of_any_numbers_only_makes_drafts(noise, following):
    table = NgramTable(("C", "<ring 40>"), np.array([1, 2, 3], np.uint32), following, np.full(3, 255, np.uint8))
    row = SuffixDrafter(VOCABULARY, table).start([])
    prefix = [BOS, *(4 + int(value) % (len(VOCABULARY) - 4) for value in noise)]
    assert all(1 <= len(draft) <= 5 for draft in row.propose(prefix, 2, 5))


@pytest.mark.parametrize("name", DRAFTERS)
def test_whatever_is_drafted_the_decoder_writes_the_same(name):
    import torch

    from tenfold.reactions.decoding import decode
    from tenfold.reactions.network import Transformer, TransformerConfig

    torch.manual_seed(3)
    config = TransformerConfig(
        vocabulary_size=len(VOCABULARY), d_model=16, heads=2, encoder_layers=1, decoder_layers=1, feedforward=32
    )
    network = Transformer(config).eval()
    sources = torch.nn.utils.rnn.pad_sequence([torch.tensor([BOS, *ids(text), EOS]) for text in PRODUCTS], True)
    plain = decode(network, sources, "greedy", max_length=30)
    drafted = decode(network, sources, "speculative", max_length=30, draft_count=4, drafter=DRAFTERS[name])
    assert torch.equal(plain.ids, drafted.ids)
