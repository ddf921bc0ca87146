"""One map, two engines: results in order, failures named, killed workers forgiven."""

import os
import signal
from pathlib import Path

import pytest

from tenfold.core.errors import BadInput, ExtraMissing, TenfoldError
from tenfold.core.parallel import Failure, parallel_map


def square(x):
    return x * x


def fussy(x):
    if x % 3 == 0:
        raise ValueError(f"no {x}")
    return x


def dies_once(job):
    number, marker = job
    if number == 2 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 10


def dies(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    assert parallel_map(square, range(20), workers=workers) == [x * x for x in range(20)]
    assert parallel_map(square, []) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_named_and_the_others_are_kept(workers):
    kept = {}
    with pytest.raises(TenfoldError, match=r"2 of 4 failed: zero, three\. The first said: ValueError: no 0"):
        parallel_map(fussy, [0, 1, 2, 3], workers=workers, names=["zero", "one", "two", "three"], on_result=kept.__setitem__)
    assert kept == {1: 1, 2: 2}
    found = parallel_map(fussy, [0, 1], workers=workers, on_error="collect")
    assert found == [Failure("0", "ValueError: no 0"), 1]


def test_a_killed_worker_costs_only_what_was_unfinished(tmp_path):
    jobs = [(number, str(tmp_path / "marker")) for number in range(6)]
    assert parallel_map(dies_once, jobs, workers=2) == [0, 10, 20, 30, 40, 50]
    with pytest.raises(TenfoldError, match="died 2 times"):
        parallel_map(dies, [1, 2], workers=2, retries=1)


def test_an_unknown_engine_and_a_missing_one_are_named(monkeypatch):
    import sys

    with pytest.raises(BadInput, match="local or ray"):
        parallel_map(square, [1], engine="dask")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraMissing, match=r"tenfold\[cluster\]"):
        parallel_map(square, [1], engine="ray")


@pytest.mark.cluster
@pytest.mark.slow
def test_ray_gives_the_same_results_in_order_and_recovers(tmp_path):
    ray = pytest.importorskip("ray", reason="the extra cluster is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    try:
        items = list(range(12))
        assert parallel_map(square, items, engine="ray") == parallel_map(square, items, workers=2)
        jobs = [(number, str(tmp_path / "marker")) for number in range(6)]
        assert parallel_map(dies_once, jobs, engine="ray") == [0, 10, 20, 30, 40, 50]
        with pytest.raises(TenfoldError, match="1 of 2 failed: b"):
            parallel_map(fussy, [1, 3], engine="ray", names=["a", "b"])
    finally:
        ray.shutdown()
