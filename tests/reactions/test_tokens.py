import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import BadInput
from tenfold.reactions import Vocabulary, tokenize
from tenfold.reactions.corpus import read_reactions
from tenfold.reactions.tokens import BOS, EOS, PAD, UNKNOWN

PIECES = [
    "C",
    "Cl",
    "Br",
    "B",
    "c",
    "n",
    "[nH]",
    "[C@@H]",
    "[13C]",
    "%12",
    "1",
    "(",
    ")",
    "=",
    "#",
    "/",
    "\\",
    ".",
    ">",
    "*",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_tokens_joined_are_the_text_again(pieces):
    text = "".join(pieces)
    assert "".join(tokenize(text)) == text


@given(st.text(max_size=12))
def test_any_text_is_either_whole_or_refused(text):
    with contextlib.suppress(BadInput):
        assert "".join(tokenize(text)) == text


@pytest.mark.parametrize(
    ("smiles", "character", "place"), [("Cse1", "e", 3), ("CC%(100)", "%", 3), ("C C", " ", 2), ("C[Na", "[", 2)]
)
def test_a_character_of_no_token_is_named_with_its_place(smiles, character, place):
    with pytest.raises(BadInput, match=re.escape(f"Character {character!r} at place {place}")):
        tokenize(smiles)


def test_an_unknown_token_is_an_error_or_kept_as_unknown_but_never_dropped():
    vocabulary = Vocabulary.of(["CCO", "c1ccccc1"])
    with pytest.raises(BadInput, match=r"'\[Uuo\]' is not in this model's vocabulary \(8 tokens\)"):
        vocabulary.encode("C[Uuo]")
    assert vocabulary.encode("C[Uuo]C", keep_unknown=True) == [vocabulary.numbers["C"], UNKNOWN, vocabulary.numbers["C"]]


def test_more_frequent_tokens_have_lower_numbers_and_decoding_stops_at_the_end():
    vocabulary = Vocabulary.of(["CCO"])
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "?", "C", "O")
    assert vocabulary.decode([BOS, 4, 4, 5, EOS, 4, PAD]) == "CCO"


@pytest.mark.data
@pytest.mark.parametrize("name", ["uspto_mit_test38k", "uspto_50k_train"])
def test_every_staged_reaction_survives_tokenizing(data, name):
    for row in read_reactions(data / "reactions" / f"{name}.tsv.gz"):
        for text in (row.reactants, row.reagents, row.product):
            assert "".join(tokenize(text)) == text
