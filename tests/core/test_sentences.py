import inspect

import pytest

from tenfold.core.errors import BadInput
from tenfold.core.sentences import sentences

gr = pytest.importorskip("gradio", reason="the extra studio is not installed")


def test_errors_of_callbacks_and_generators_are_the_same_words():
    def plain():
        raise BadInput("It is wrong.", "Mend it.")

    def steps():
        yield 1
        raise BadInput("It is wrong.", "Mend it.")

    with pytest.raises(gr.Error, match=r"It is wrong\. Mend it\."):
        sentences(plain)()
    wrapped = sentences(steps)
    assert inspect.isgeneratorfunction(wrapped)  # so Gradio shows its values one after the other
    found = wrapped()
    assert next(found) == 1
    with pytest.raises(gr.Error, match=r"It is wrong\. Mend it\."):
        next(found)


def test_a_defect_is_named_but_not_shown():
    def broken():
        raise RuntimeError("/secret/path")

    with pytest.raises(gr.Error, match="A defect in tenfold"):
        sentences(broken)()
