"""The client's own cost: CPU of a call above the bare SDK, replay from cache and cassette, the engine, the import.

Floor: the bare AsyncOpenAI client needs 2 to 5 ms of CPU for a call (pydantic, httpx, TLS-less loopback); a call through
ours adds a key (SHA-256 of the request, 20 us), two reservations, a task, three awaits. A replay is a key, one row of
SQLite or one look-up, and the making of a reply: 30 to 60 us. The server runs in a process of its own, so that its CPU
does not count; both clients send the same requests at the same concurrency in turn, in this run.

    python benchmarks/llm.py --json
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from stub_process import served

from tenfold import llm
from tenfold.core.console import table

CONCURRENCY, CALLS = 32, 640


def prompts(count: int, salt: object) -> list[str]:
    return [f"Question {salt} {number}: " + "how many apples are on the table? " * 8 for number in range(count)]


async def together(send: Callable[[str], Awaitable[Any]], texts: list[str]) -> float:
    """CPU seconds of sending all texts, CONCURRENCY at a time."""
    slot = asyncio.Semaphore(CONCURRENCY)

    async def one(text: str) -> None:
        async with slot:
            await send(text)

    started = time.process_time()
    await asyncio.gather(*map(one, texts))
    return time.process_time() - started


async def overhead(url: str, rounds: int) -> tuple[float, float]:
    """CPU seconds a call: the bare SDK, and ours above it (medians of rounds in turn)."""
    import openai

    bare = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60)
    bare_seconds, extra = [], []
    async with llm.Client(f"{url}#stub", concurrency=CONCURRENCY) as client:

        async def send_bare(text: str) -> None:
            message: Any = {"role": "user", "content": text}
            await bare.chat.completions.create(model="stub", messages=[message], temperature=0.0, max_tokens=1024)

        async def send_ours(text: str) -> None:
            await client.complete(llm.Request.of(text, tag="forward:x"))

        await together(send_bare, prompts(64, "warm"))
        await together(send_ours, prompts(64, "warm"))
        for number in range(rounds):
            first = await together(send_bare, prompts(CALLS, number))
            second = await together(send_ours, prompts(CALLS, number))
            bare_seconds.append(first / CALLS)
            extra.append((second - first) / CALLS)
    await bare.close()
    return statistics.median(bare_seconds), statistics.median(extra)


async def replays(client: llm.Client, count: int) -> float:
    """Replies a wall second that need no server."""
    requests = [llm.Request.of(text) for text in prompts(count, "replay")]
    started = time.perf_counter()
    replies = await client.complete_many(requests)
    elapsed = time.perf_counter() - started
    assert all(reply.source in ("cache", "cassette") for reply in replies)
    return count / elapsed


def recorded(folder: Path, count: int) -> tuple[float, float]:
    """Replays a second from a cache and from a cassette of `count` replies."""
    requests = [llm.Request.of(text) for text in prompts(count, "replay")]
    rates = []
    kinds: list[dict[str, Any]] = [{"cache": folder / "cache.sqlite"}, {"cassette": folder / "tape.jsonl"}]
    for options in kinds:
        recording = {**options, "mode": "record"} if "cassette" in options else options
        with llm.Client("script:benchmark_script:echo", **recording) as client:
            client.complete_many_sync(requests)
        with llm.Client("script:benchmark_script:echo", **options) as client:
            rates.append(max(asyncio.run(replays(client, count)) for _ in range(3)))
    return rates[0], rates[1]


def import_seconds() -> float:
    """CPU seconds of `import tenfold.llm` and its client above a bare Python."""

    def cpu(code: str) -> float:
        timed = f"import time\n{code}\nprint(time.process_time())"
        made = [subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True) for _ in range(5)]
        return min(float(done.stdout) for done in made)

    return cpu("from tenfold.llm import Budget, Client, Request") - cpu("")


def engine_rate() -> float | None:
    """Replies a CPU second of the rules engine over forward prompts of many questions, or None without the engine."""
    try:
        reply = llm.engine.reply
    except ModuleNotFoundError:
        return None
    numbers = [(i % 9 + 1, i % 7 - 3, i % 5 + 1, i % 11 - 5) for i in range(2000)]
    questions = [f"((({a}) * ({b}) - ({c})) + ({d} - {a} * {b})) =" for a, b, c, d in numbers]
    text = "# Context\nQuestion:\n\t{}\n\n# Task\n\tEvaluate bracket 1, left to right.\n\nShow your reasoning."
    asked = [text.format(question) for question in questions]
    started = time.process_time()
    for prompt in asked * 5:
        reply(prompt)
    return 5 * len(asked) / (time.process_time() - started)


def echo(request: llm.Request) -> str:
    return request.prompt


def measure(quick: bool) -> list[dict[str, Any]]:
    sys.modules["benchmark_script"] = sys.modules[__name__]
    with served() as url:
        bare, extra = asyncio.run(overhead(url, 3 if quick else 7))
    with tempfile.TemporaryDirectory() as folder:
        cache, cassette = recorded(Path(folder), 500 if quick else 3000)
    rows = [
        {"name": f"bare AsyncOpenAI, concurrency {CONCURRENCY}: CPU ms a call", "value": bare * 1e3},
        {"name": "client overhead above the SDK: CPU ms a call", "value": extra * 1e3},
        {"name": "cache replay (async): calls/s", "value": cache},
        {"name": "cassette replay (async): calls/s", "value": cassette},
        {"name": "import tenfold.llm above bare Python: CPU s", "value": import_seconds()},
    ]
    rate = engine_rate()
    return rows if rate is None else [*rows, {"name": "llm.engine.reply: calls/s per core", "value": rate}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows = measure(options.quick)
    if options.json:
        print(json.dumps({"rows": rows}))
    else:
        table(["what", "value"], [(row["name"], f"{row['value']:,.3g}") for row in rows])


if __name__ == "__main__":
    main()
