"""Copied spans: what they say is in both texts, and is what the decoder accepted."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.reactions.copying import Span, character_span, common_spans, copied_spans
from tenfold.reactions.tokens import tokenize

texts = st.lists(st.sampled_from(["C", "N", "Cl", "(", ")"]), max_size=25)
accepted = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=5)


@settings(deadline=None)
@given(texts, texts, accepted)
def test_a_span_is_the_same_in_both_texts_within_what_was_accepted_and_overlaps_no_other(source, target, accepted):
    spans = copied_spans(source, target, accepted)
    allowed = {place for start, length in accepted for place in range(start, start + length)}
    place = 0
    for span in spans:
        assert span.target_start >= place
        assert span.length >= 2
        place = span.target_start + span.length
        copied = target[span.target_start : place]
        assert len(copied) == span.length
        assert source[span.source_start : span.source_start + span.length] == copied
        assert allowed >= set(range(span.target_start, place))


@settings(deadline=None)
@given(texts.filter(lambda text: len(text) >= 2))
def test_a_text_is_one_copy_of_itself(text):
    assert common_spans(text, text) == [Span(0, 0, len(text))]


@settings(deadline=None)
@given(texts, texts)
def test_characters_of_a_span_are_its_tokens(source, target):
    for span in common_spans(source, target):
        inside = character_span(span, source, target)
        copied = "".join(target[span.target_start : span.target_start + span.length])
        assert "".join(target)[inside.target_start : inside.target_start + inside.length] == copied
        assert "".join(source)[inside.source_start : inside.source_start + inside.length] == copied


def test_two_accepted_drafts_that_go_on_with_one_another_are_one_copy():
    text = tokenize("CCOC(=O)c1ccccc1")
    assert copied_spans(text, text, [(0, 5), (5, 4)]) == [Span(0, 0, 9)]


def test_tokens_that_the_model_wrote_itself_are_no_copy():
    source, target = tokenize("CC(=O)Cl.NCc1ccccc1"), tokenize("CC(=O)NCc1ccccc1")
    spans = copied_spans(source, target, [(0, 6), (7, 20)])
    assert [target[s.target_start : s.target_start + s.length] for s in spans] == [tokenize("CC(=O)"), tokenize("Cc1ccccc1")]
    assert common_spans(source, target) == [Span(0, 0, 6), Span(8, 6, 10)]


def test_a_repeated_part_is_copied_from_where_copying_left_off():
    source, target = tokenize("CCN.CCO"), tokenize("O.CCO")
    assert common_spans(source, target) == [Span(3, 1, 4)]
    assert copied_spans(tokenize("CCNCCO"), tokenize("CCNCC"), [(0, 3), (3, 2)]) == [Span(0, 0, 5)]
