from tenfold.core.keeping import Keeper


def test_what_was_not_used_for_longest_is_forgotten_first():
    keeper = Keeper[str](2)
    first, second = keeper.keep("first"), keeper.keep("second")
    assert keeper.find(first) == "first"
    third = keeper.keep("third")
    assert [keeper.find(word) for word in (first, second, third)] == ["first", None, "third"]


def test_a_value_is_found_by_its_own_word_and_by_nothing_else():
    keeper = Keeper[str](2)
    words = {keeper.keep("a"), keeper.keep("a")}
    assert len(words) == 2
    assert min(map(len, words)) >= 32
    assert [keeper.find(word) for word in (None, "", "guess")] == [None, None, None]
