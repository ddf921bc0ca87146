import threading

import pytest

from tenfold.core.errors import BadInput
from tenfold.core.watching import Finished, Stopped, watched


def test_what_is_told_comes_in_order_and_the_result_last():
    def work(tell):
        tell(1)
        tell(2)
        return 3

    assert list(watched(work)) == [1, 2, Finished(3)]


def test_an_error_of_the_work_is_raised_where_it_is_watched():
    def work(tell):
        tell(1)
        raise BadInput("No.")

    found = watched(work)
    assert next(found) == 1
    with pytest.raises(BadInput, match="No"):
        next(found)


def test_work_that_nobody_watches_any_more_is_stopped():
    ended, go_on = threading.Event(), threading.Event()

    def work(tell):
        try:
            tell(0)
            go_on.wait(10)
            tell(1)
        except Stopped:
            ended.set()

    found = watched(work)
    assert next(found) == 0
    found.close()
    go_on.set()
    assert ended.wait(10)
