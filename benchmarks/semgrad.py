"""The graph runtime: wall time against the bare client, large graphs, memory over steps, engine calls a second.

Wall time. A server in a process of its own (so that its CPU does not count) answers every call after 50 ms. The graph has
two hints and an answer; 64 samples make 192 calls, at most 32 at once. The floor is (calls / concurrency) x latency =
192 / 32 x 50 ms = 0.30 s; no client gets below it. The peer is the bare AsyncOpenAI client, which sends the very same 192
bodies at the same concurrency, without waiting for hints. Both open their connections anew each time; five rounds,
interleaved, medians. Where they are installed, DSPy (32 threads, a client of its own) sends as many calls for the same
graph and samples in the same rounds, and TextGrad once (one call after the other: its floor is 192 x 50 ms = 9.6 s).

    python benchmarks/semgrad.py --json [--quick]
"""

import argparse
import asyncio
import importlib.util
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # TextGrad and DSPy load litellm, which would fetch a table

import psutil
from stub_process import served

from tenfold.core.console import table
from tenfold.llm.client import Client
from tenfold.llm.types import Reply, Request
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.optimiser import optimise
from tenfold.semgrad.prompts import forward_prompt
from tenfold.semgrad.runtime import run

SAMPLES, CONCURRENCY, LATENCY = 64, 32, 0.05
ROUNDS = 5
HINTS = {"first": "Work out the left half.", "second": "Work out the right half."}
ANSWER = "Add the hints."


def small_graph() -> Graph:
    """Two hints and an answer; every node sees the question."""
    graph = Graph()
    for name, instruction in HINTS.items():
        graph.node(name, instruction, inputs=["question"])
    graph.node("answer", ANSWER, inputs=["question", *HINTS], output=True)
    return graph


def questions() -> list[dict[str, str]]:
    return [{"question": f"What is {i} + {i + 1}?", "target": str(2 * i + 1)} for i in range(SAMPLES)]


class Recorder(Client):
    """A client that keeps what it was asked, so that others can ask the very same."""

    def __init__(self, model: str, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        return await super().complete(request)


def ours(model: str) -> tuple[float, list[Request]]:
    """Seconds of our runtime, and the requests that it made."""
    client = Recorder(model, concurrency=CONCURRENCY)
    started = time.perf_counter()
    run(small_graph(), questions(), client, concurrency=CONCURRENCY)
    return time.perf_counter() - started, client.requests


def bare(url: str, requests: list[Request]) -> float:
    """Seconds of AsyncOpenAI for the same requests."""
    from openai import AsyncOpenAI

    async def send_all() -> None:
        slots = asyncio.Semaphore(CONCURRENCY)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def send(request: Request) -> None:
                async with slots:
                    messages: Any = [{"role": m.role, "content": m.text} for m in request.messages]
                    await client.chat.completions.create(model="stub", messages=messages, temperature=0, max_tokens=1024)

            await asyncio.gather(*(send(request) for request in requests))

    started = time.perf_counter()
    asyncio.run(send_all())
    return time.perf_counter() - started


def textgrad_seconds(url: str) -> float:
    """Seconds of TextGrad for the same graph and samples: its engine asks one call after the other."""
    from openai import OpenAI

    os.environ.setdefault("TEXTGRAD_LOG_DIR", tempfile.mkdtemp())
    engines = importlib.import_module("textgrad.engine.local_model_openai_api")
    engine = engines.ChatExternalClient(client=OpenAI(base_url=url, api_key="none"), model_string="stub")
    engine.cache.clear()
    started = time.perf_counter()
    for sample in questions():
        hints = [engine.generate(forward_prompt(text, {"question": sample["question"]}, [])) for text in HINTS.values()]
        engine.generate(forward_prompt(ANSWER, {"question": sample["question"]}, hints))
    return time.perf_counter() - started


def dspy_seconds(url: str) -> float:
    """Seconds of DSPy for the same graph and samples, with 32 threads and without its caches."""
    os.environ.setdefault("DSPY_CACHEDIR", tempfile.mkdtemp())
    dspy = importlib.import_module("dspy")
    lm = dspy.LM("openai/stub", api_base=url, api_key="none", cache=False, temperature=0, max_tokens=1024)

    def whole(sample: Any) -> str:
        hints = [lm(forward_prompt(text, {"question": sample.question}, []))[0] for text in HINTS.values()]
        return lm(forward_prompt(ANSWER, {"question": sample.question}, hints))[0]

    examples = [dspy.Example(question=row["question"]).with_inputs("question") for row in questions()]
    workers = dspy.Parallel(num_threads=CONCURRENCY, disable_progress_bar=True)
    started = time.perf_counter()
    workers([(whole, (example,)) for example in examples])
    return time.perf_counter() - started


def wall_rows(rounds: int) -> list[dict[str, Any]]:
    """Wall time of the same 192 calls, ours and others'."""
    with served(LATENCY) as url:
        model = f"{url}#stub"
        _, requests = ours(model)  # also warms imports and the server up
        assert len(requests) == 3 * SAMPLES
        bare(url, requests)
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: ours(model)[0],
            "bare AsyncOpenAI": lambda: bare(url, requests),
        }
        if importlib.util.find_spec("dspy") is not None:
            dspy_seconds(url)
            ways["DSPy"] = lambda: dspy_seconds(url)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                seconds[name].append(way())
        found = {name: statistics.median(values) for name, values in seconds.items()}
        if importlib.util.find_spec("textgrad") is not None:
            found["TextGrad"] = textgrad_seconds(url)
    rows: list[dict[str, Any]] = [
        {"name": f"64 samples, 192 calls of 50 ms, 32 at once: {name}, s", "value": value} for name, value in found.items()
    ]
    for name in ("bare AsyncOpenAI", "DSPy", "TextGrad"):
        if name in found:
            rows.append({"name": f"wall ratio, ours / {name}", "value": found["ours"] / found[name]})
        else:
            rows.append({"name": f"wall ratio, ours / {name} (not installed: extra peers)", "value": None})
    return rows


def graph_rows(nodes: int = 10_000) -> list[dict[str, Any]]:
    """A large random graph: built, checked, and scheduled with functions for nodes, on one sample."""
    rng = random.Random(0)
    started = time.process_time()
    graph = Graph()
    names: list[str] = []
    for number in range(nodes - 1):
        inputs = ["question", *rng.sample(names[-50:], min(2, len(names)))]
        graph.node(f"n{number}", inputs=inputs, function=_first)
        names.append(f"n{number}")
    followed = {source for node in graph.nodes.values() for source in node.inputs}
    graph.node("last", inputs=[name for name in names if name not in followed], function=_first, output=True)
    graph.validate()
    built = time.process_time() - started
    trace = run(graph, [{"question": "1"}])
    assert trace.answers == ["1"]
    return [
        {"name": "graph of 10,000 nodes: built and checked, s CPU", "value": built},
        {"name": "graph of 10,000 nodes: built, checked and scheduled, s CPU", "value": time.process_time() - started},
    ]


def _first(*values: str) -> str:
    return values[0]


def engine_rows(steps: int) -> list[dict[str, Any]]:
    """Memory over steps and calls a second, with the rules engine; undirected changes, so that it never ends early."""
    from tenfold.semgrad import tasks

    task = tasks.TASKS["arithmetic"]
    train, _ = tasks.load(task, None, 0)
    graph = tasks.graph(task, tasks.start(task, "leaf", 0))
    process, sizes = psutil.Process(), []
    settings: dict[str, Any] = {"steps": steps, "update": "full", "gate": "none", "neighbourhood": "none", "memo": False}
    started = time.process_time()
    made = optimise(graph, train, on_step=lambda step: sizes.append(process.memory_info().rss), **settings)
    seconds = time.process_time() - started
    assert len(made.history) == steps
    calls = made.account.calls
    return [
        {
            "name": f"memory growth from step {steps // 5} to step {steps}, MiB",
            "value": (sizes[-1] - sizes[steps // 5 - 1]) / 2**20,
        },
        {"name": "engine calls a CPU second through optimise", "value": calls / seconds},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="one round, fewer steps")
    arguments = parser.parse_args()
    rows = wall_rows(1 if arguments.quick else ROUNDS) + graph_rows() + engine_rows(20 if arguments.quick else 100)
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        shown = [(row["name"], "-" if row["value"] is None else f"{row['value']:.4g}") for row in rows]
        table(("what", "value"), shown)


if __name__ == "__main__":
    main()
