"""BM25 against its formula, and the hybrid against its parts."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.llm import BM25, Encoder, Hybrid
from tenfold.llm.search import passages
from tenfold.llm.words import stem, words

TEXT = st.lists(st.sampled_from(["oak", "elm", "fir", "ash", "box", "yew"]), max_size=12).map(" ".join)


def formula(texts: list[str], query: str, k1: float, b: float) -> list[float]:
    """The published formula, word by word."""
    counts = [Counter(text.split()) for text in texts]
    mean = sum(sum(c.values()) for c in counts) / len(texts) or 1.0
    found = []
    for c in counts:
        score = 0.0
        for word in query.split():
            if not c[word]:
                continue  # with b = 1, an empty document would be 0 / 0
            df = sum(word in other for other in counts)
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            score += idf * c[word] * (k1 + 1) / (c[word] + k1 * (1 - b + b * sum(c.values()) / mean))
        found.append(score)
    return found


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=8), TEXT, st.floats(0.1, 3), st.floats(0, 1))
def test_bm25_equals_its_formula(texts: list[str], query: str, k1: float, b: float) -> None:
    np.testing.assert_allclose(BM25(texts, k1=k1, b=b).scores(query), formula(texts, query, k1, b), rtol=1e-5, atol=1e-6)


@settings(max_examples=40)
@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(0, 8), TEXT)
def test_texts_that_are_added_later_count_as_if_given_at_once(texts: list[str], cut: int, query: str) -> None:
    grown = BM25(texts[:cut])
    grown.scores(query)
    grown.add(texts[cut:])
    np.testing.assert_array_equal(grown.scores(query), BM25(texts).scores(query))


@settings(max_examples=40)
@given(st.lists(TEXT, min_size=1, max_size=12), TEXT, st.integers(1, 15))
def test_top_is_the_head_of_a_full_sort_and_leaves_out_what_shares_no_word(texts: list[str], query: str, k: int) -> None:
    found = BM25(texts)
    scores = found.scores(query)
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] > 0][:k]
    assert [hit.document for hit in found.top(query, k)] == order


def test_many_ties_keep_their_order() -> None:
    assert [hit.document for hit in BM25(["same words"] * 500).top("words", 3)] == [0, 1, 2]


@pytest.mark.parametrize(("settings_", "said"), [({"k1": 0.0}, "k1 > 0"), ({"b": 1.5}, "b <= 1")])
def test_settings_out_of_range_are_refused(settings_: dict[str, float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        BM25(["a"], **settings_)


def test_asking_for_no_result_is_refused() -> None:
    with pytest.raises(BadInput, match="k = 0"):
        BM25(["a"]).top("a", 0)


def test_an_empty_index_finds_nothing() -> None:
    assert BM25().top("anything") == []


def test_endings_do_not_hide_a_word_and_other_scripts_are_words_too() -> None:
    assert len({stem(word) for word in ("walk", "walks", "walked", "walking", "walk's")}) == 1
    assert stem("stopped") == stem("stops") == stem("stop")
    assert stem("cities") == stem("city")
    assert stem("glass") == "glass"
    assert words("Ünïcode, don’t 3.5 東京!") == ["ünïcode", "don't", "3", "5", "東京"]


def test_coverage_is_the_share_of_the_query_that_stands_in_a_document() -> None:
    found = BM25(["red fox", "red hen", "blue whale"]).coverage("red fox")
    assert found[0] == pytest.approx(1.0)
    assert 0 < found[1] < 0.5, "the common word tells less than the rare one"
    assert found[2] == 0


def test_passages_are_lines_and_sentences() -> None:
    assert passages("One. Two!\n\n Three? four") == ["One.", "Two!", "Three?", "four"]


def blind(texts: list[str]) -> np.ndarray:
    """Vectors that know nothing: random, but the same for the same text."""
    return np.stack([np.random.default_rng(sum(text.encode())).normal(size=16) for text in texts])


def told(meanings: dict[str, int]) -> Encoder:
    """An encoder that knows each text's meaning by heart."""
    return Encoder("told", lambda texts: np.eye(len(meanings) + 1)[[meanings.get(text, len(meanings)) for text in texts]])


def test_a_quotation_is_found_by_its_words_however_bad_the_encoder() -> None:
    made = random.Random(0)
    lines = [" ".join(made.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(300)]
    documents = ["\n".join(lines[i : i + 5]) for i in range(0, 300, 5)]
    found = Hybrid(documents, Encoder("blind", blind))
    by_words = BM25(lines)
    for number in range(0, 300, 7):
        query = " ".join(lines[number].split()[1:6])
        best_line = by_words.top(query, 1)[0].document
        assert found.top(query, 1)[0].document == best_line // 5
        assert found.evidence(query).coverage == pytest.approx(1.0)


def test_a_paraphrase_is_found_by_its_meaning_when_no_word_is_shared() -> None:
    documents = ["the cat sleeps", "prices fell sharply", "a ship sank at night"]
    meanings = {text: number for number, text in enumerate(documents)} | {"a feline naps": 0, "vessel lost": 2}
    found = Hybrid(documents, told(meanings))
    assert found.evidence("vessel lost").coverage == 0
    assert found.top("vessel lost", 1)[0].document == 2
    assert found.top("a feline naps", 3)[0].document == 0  # "a" stands in another document: a common word decides little


def test_the_order_of_the_documents_does_not_matter() -> None:
    documents = ["one fish two fish", "red fish", "blue whale song", "green eggs and ham"]
    forward, backward = Hybrid(documents, "hashed"), Hybrid(documents[::-1], "hashed")
    np.testing.assert_allclose(forward.scores("red whale"), backward.scores("red whale")[::-1], atol=1e-6)


def test_one_document_and_empty_documents_are_no_special_case() -> None:
    assert Hybrid(["only one"], "hashed").top("anything", 5)[0].document == 0
    assert len(Hybrid(["", "word", " \n "], "hashed").top("word", 3)) == 3
    assert Hybrid(["", "word"], "hashed").top("word", 1)[0].document == 1


def test_nothing_to_search_in_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing to search in"):
        Hybrid([], "hashed")


@pytest.mark.data
def test_on_real_queries_and_real_dialogue_the_hybrid_is_not_below_the_better_of_its_parts(data) -> None:
    from benchmarks.retrieval_data import half_lines, last_sentences

    for documents, queries in (half_lines(data, questions=40), last_sentences(data, 200)):
        found = Hybrid(documents, "hashed")
        right = Counter[str]()
        for query, gold in queries:
            evidence = found.evidence(query)
            for name, scores in (("words", evidence.words), ("meanings", evidence.meanings), ("hybrid", evidence.scores)):
                right[name] += int(np.argmax(scores)) == gold
        assert right["hybrid"] >= max(right["words"], right["meanings"]) - 0.03 * len(queries), dict(right)
