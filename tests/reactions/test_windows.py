"""The paper's drafts."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reactions.networks import reference_network
from tenfold.core.errors import BadInput
from tenfold.reactions.tokens import BOS, EOS, PAD
from tenfold.reactions.windows import SmartWindows, Windows, make_drafts


@pytest.mark.data
@pytest.mark.parametrize("length", [1, 4, 10, 17])
@pytest.mark.parametrize("count", [1, 3, 7, 23, 50])
def test_windows_are_those_of_the_published_code(golden: Path, length: int, count: int) -> None:
    _, numbers = reference_network(golden)
    made = make_drafts(torch.tensor(numbers["src"])[:, 1:], length, count)
    assert made.tolist() == numbers[f"drafts_D{length}_N{count}"].tolist()


@given(st.lists(st.lists(st.integers(6, 30), max_size=20), min_size=1, max_size=4), st.integers(1, 25), st.integers(1, 25))
def test_every_draft_is_a_window_of_its_row(rows: list[list[int]], length: int, count: int) -> None:
    longest = max(map(len, rows)) + 1
    tokens = torch.tensor([[*row, EOS] + [PAD] * (longest - len(row) - 1) for row in rows])
    made = make_drafts(tokens, length, count)
    assert made.shape == (len(rows), count, length)
    for row, drafts in zip(rows, made.tolist(), strict=True):
        filled = [*row, *[5] * (length + count + longest)]
        windows = [filled[place : place + length] for place in range(len(filled) - length)]
        assert all(draft in windows for draft in drafts)
        if len(row) >= length + count:
            assert all(5 not in draft for draft in drafts)
            assert drafts[0] == row[:length]


@pytest.mark.parametrize(("length", "count"), [(0, 1), (1, 0)])
def test_a_length_or_count_below_one_is_refused(length: int, count: int) -> None:
    with pytest.raises(BadInput, match="at least 1"):
        make_drafts(torch.tensor([[6, EOS]]), length, count)


def test_smart_windows_follow_the_last_token_also_in_queries_shorter_than_a_window() -> None:
    rows = SmartWindows(3, 2).start([BOS, 6, 7, 6, 8, 9, 6, 7, 9, EOS])
    assert rows.propose([BOS, 9, 6], 5, 3) == [[7, 6, 8], [8, 9, 6]]
    assert rows.propose([BOS, 9, 6], 1, 2) == [[7, 6]]
    assert rows.propose([BOS, 10], 5, 3) == [[6, 7, 6]]
    assert SmartWindows(10, 2).start([BOS, 6, EOS]).propose([BOS], 5, 10) == [[6]]


def test_windows_are_the_same_after_every_prefix() -> None:
    rows = Windows(2, 3).start([BOS, 6, 7, 8, 9, EOS])
    assert rows.propose([BOS], 3, 2) == rows.propose([BOS, 9, 9], 3, 2) == [[6, 7], [7, 8], [8, 9]]
    assert rows.propose([BOS], 2, 1) == [[6], [7]]
