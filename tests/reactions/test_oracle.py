"""Replay: counted by brute force on small strings, and the numbers of the specification on real reactions."""

import random
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions.corpus import mixed, read_reactions
from tenfold.reactions.drafting import SuffixDrafter
from tenfold.reactions.ngrams import NgramTable
from tenfold.reactions.oracle import replay
from tenfold.reactions.tokens import BOS, EOS

rows = st.lists(st.integers(4, 7), min_size=1, max_size=12)


class _Fixed:
    """Proposes drafts made in advance for each place."""

    def __init__(self, drafts: list[list[list[int]]]) -> None:
        self.drafts = drafts

    def start(self, source):
        return self

    def propose(self, prefix, width, length):
        return [draft[:length] for draft in self.drafts[len(prefix) % len(self.drafts)][:width]]


@settings(deadline=None)
@given(rows, st.lists(st.lists(st.lists(st.integers(2, 7), min_size=1, max_size=5), max_size=3), min_size=1, max_size=5))
def test_calls_and_tokens_are_those_of_a_decoder_that_knows_the_answer(target, drafts):
    drafter, answer = _Fixed(drafts), [*target, EOS]
    written: list[int] = []
    calls = tokens = 0
    while len(written) < len(answer):
        proposed = drafter.propose([BOS, *written], 3, 40)
        tree = {tuple(draft[:stop]) for draft in proposed for stop in range(len(draft) + 1)} | {()}
        calls, tokens = calls + 1, tokens + len(tree)
        right = max(len(node) for node in tree if tuple(answer[len(written) : len(written) + len(node)]) == node)
        written += answer[len(written) : len(written) + right + 1]
    found = replay([[4]], [target], drafts=3, drafter=drafter)
    assert found == (calls, pytest.approx(tokens / calls))


@settings(deadline=None)
@given(rows, rows, st.integers(1, 6), st.integers(1, 6))
def test_windows_are_counted_like_drafts_that_never_change(source, target, count, length):
    from tenfold.reactions.windows import Windows

    found = replay([source], [target], "speculative-windows", draft_count=count, draft_length=length)
    by_drafter = replay([source], [target], draft_count=count, draft_length=length, drafter=Windows(length, count))
    assert found.calls == by_drafter.calls
    assert found.tokens_per_call == count * (length + 1)


@settings(deadline=None)
@given(st.lists(st.tuples(rows, rows), min_size=1, max_size=5))
def test_no_decoding_needs_more_calls_than_greedy(pairs):
    sources, targets = zip(*pairs, strict=True)
    greedy = replay(sources, targets, "greedy")
    assert greedy == (pytest.approx(sum(len(target) + 1 for target in targets) / len(targets)), 1.0)
    assert replay(sources, targets).calls <= greedy.calls
    assert replay(sources, targets, "speculative-windows").calls <= greedy.calls


def test_smiles_and_their_ids_without_begin_and_end_are_the_same():
    assert replay(["CCO"], ["CCO"], "greedy") == replay([[4, 4, 5]], [[4, 4, 5]], "greedy") == (4.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"targets": []}, "as many"),
        ({"decoding": "beam"}, "unknown"),
        ({"drafts": 0}, "drafts is 0"),
        ({"draft_length": -1}, "draft_length is -1"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, says):
    with pytest.raises(BadInput, match=says):
        replay(**{"sources": ["CCO"], "targets": ["CCO"], **arguments})


@pytest.fixture(scope="module")
def reactions() -> tuple[list[str], list[str]]:
    """2,000 of the USPTO-MIT test rows, mixed."""
    import os

    folder = os.environ.get("TENFOLD_DATA")
    if not folder:
        pytest.skip("TENFOLD_DATA is not set")
    found = list(read_reactions(Path(folder) / "reactions" / "uspto_mit_test38k.tsv.gz"))
    chosen = random.Random(0).sample(found, 2000)
    return [mixed(one) for one in chosen], [one.product for one in chosen]


@pytest.mark.data
@pytest.mark.parametrize(("length", "calls"), [(10, 10.5), (17, 9.4)])
def test_the_papers_windows_need_the_calls_of_specification_6a(reactions, length, calls):
    found = replay(*reactions, decoding="speculative-windows", draft_count=23, draft_length=length)
    assert found.calls == pytest.approx(calls, rel=0.03)


@pytest.mark.data
def test_three_copies_and_one_ngram_need_fewer_calls_than_the_bar(reactions):
    found = replay(*reactions, drafts=4)
    assert found.calls <= 5.2
    assert found.tokens_per_call <= 65


@pytest.mark.data
def test_one_draft_alone_needs_fewer_calls_than_the_papers_best(reactions):
    found = replay(*reactions, drafts=1)
    assert found.calls <= 8
    assert found.tokens_per_call <= 25


@pytest.mark.data
def test_the_shipped_retro_table_serves_retrosynthesis(data):
    found = list(read_reactions(data / "reactions" / "uspto_50k_test.tsv.gz"))[:1000]
    sides = [one.product for one in found], [one.reactants for one in found]
    with_table = replay(*sides, drafts=4, table=NgramTable.shipped("retro"))
    assert with_table.calls <= 7
    assert with_table.calls < replay(*sides, drafts=4, table=NgramTable.shipped("forward")).calls


@pytest.mark.data
def test_rings_by_what_they_do_save_calls(reactions):
    from tenfold.reactions.tokens import Vocabulary

    pairs = [list(islice(side, 300)) for side in reactions]
    vocabulary = Vocabulary.of([text for side in pairs for text in side])
    by_number, by_role = (replay(*pairs, drafts=3, vocabulary=vocabulary, drafter=SuffixDrafter(known)).calls
                          for known in (None, vocabulary))  # fmt: skip
    assert by_role < 0.9 * by_number
