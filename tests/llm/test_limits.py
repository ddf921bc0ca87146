import asyncio
import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold import llm
from tenfold.llm.budget import Claim
from tenfold.llm.limits import Bucket, Limits
from tenfold.llm.types import Usage
from tests.llm.stub_server import StubServer


@settings(max_examples=60)
@given(st.sampled_from([1, 7, 60, 90, 600, 6000]), st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_no_minute_lets_through_more_than_the_limit(limit, gaps):
    bucket, now, starts = Bucket(limit), 1000.0, []
    for gap in gaps:
        now += gap
        starts.append(now + bucket.take(1, now))
    assert starts == sorted(starts)
    for index, start in enumerate(starts):
        # Half-open, and a hair short: the last of a minute may coincide with the first of the next.
        assert sum(start <= other < start + 60 - 1e-6 for other in starts[index:]) <= limit


def test_a_bucket_lets_a_burst_through_and_then_the_rate():
    bucket = Bucket(600)
    waits = [bucket.take(1, 5.0) for _ in range(30)]
    assert waits[:10] == [0.0] * 10
    assert waits[-1] == pytest.approx(20 * 60 / 590, rel=1e-6)


def test_one_large_request_goes_through_and_the_next_waits_the_longer():
    bucket = Bucket(60_000)
    assert bucket.take(5000, 10.0) == 0.0
    assert bucket.take(1000, 10.0) == pytest.approx(5000 / (59_000 / 60))


def test_tokens_that_were_not_needed_are_given_back():
    limits = Limits(None, Bucket(60_000))

    async def scene():
        for _ in range(50):
            claim = Claim(100, 5000, 0.0)
            await asyncio.wait_for(limits.wait(claim), 1)
            limits.settle(claim, Usage(5, 5))

    asyncio.run(scene())


def test_clients_of_one_endpoint_share_limits_and_the_lowest_holds():
    first = Limits.of("http://shared", 600, None)
    second = Limits.of("http://shared", 60, None)
    assert first._rpm is second._rpm
    assert first._rpm.limit == 60
    assert Limits.of("http://other", 600, None)._rpm is not first._rpm
    del first, second
    gc.collect()
    assert Limits.of("http://shared", 600, None)._rpm.limit == 600


def test_requests_are_spaced_on_the_wire():
    with StubServer() as server:
        started = time.monotonic()
        llm.Client(f"{server.url}#stub", rpm=1200).complete_many_sync([llm.Request.of(str(i)) for i in range(30)])
        # Twenty at once, then 19.7 a second.
        assert max(server.times) - started >= 10 / 19.7
