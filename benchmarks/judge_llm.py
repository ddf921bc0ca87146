"""Judging with a model: 55 tasks over a loopback server that answers after two seconds, beside the published call pattern.

Floor: with c requests in flight and latency L, n calls take n / c x L; 55 tasks of DevAI with one locate call each and one
question for each of 365 requirements are 420 calls: 420 / 32 x 2 s = 26 s. The published code asks twice for each
requirement (locate, judge), one after the other: 730 x 2 s = 24 min; that pattern is measured on a few requirements, through
the bare OpenAI client, and multiplied. Where DeepEval is installed, its G-Eval gives as many verdicts on the same server, as
many at once. The server runs in a process of its own. Trap workspaces where they are staged, else one small file for each
path that a criterion names: what is measured is calls and time, not verdicts.

Measured on two cores at a load of 20, 2 s latency, 55 tasks, 365 requirements, beside DeepEval 4.3.1: the agent 49 s and 423
calls, the published pattern 1,522 s (extrapolated from 5 requirements) and 730 calls: 31 times as long. Hybrid 8.4 s and 25
calls, one call each 35 s and 365. Of a verdict, 32 at once: 0.13 s and 13 ms of CPU here, 0.46 s and 88 ms by G-Eval: 3.4
and 6.6 times as much.

    TENFOLD_DATA=... python benchmarks/judge_llm.py --json [--latency 2] [--tasks 55]
"""

import argparse
import asyncio
import base64
import gzip
import importlib.util
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DEEPEVAL_TELEMETRY_OPT_OUT", "YES")
os.environ.setdefault("DEEPEVAL_PER_ATTEMPT_TIMEOUT_SECONDS_OVERRIDE", "300")  # its own limit is short on a busy machine

from stub_process import served

from tenfold.core.console import table
from tenfold.judge.criterion import parse
from tenfold.judge.devai import tasks
from tenfold.judge.runner import Case, run_many
from tenfold.judge.types import Report, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm.client import Client

IN_FLIGHT, SEQUENTIAL, VERDICTS = 32, 5, 64
ANSWER = '<SATISFIED> {"score": 9, "reason": "It is there."}'


def cases(count: int) -> list[Case]:
    """Tasks with a workspace each."""
    folder = Path(os.environ.get("TENFOLD_DATA", ".")) / "judge"
    traps = json.loads(gzip.decompress((folder / "stub_workspaces_01-35.json.gz").read_bytes()))
    found = []
    for name, requirements in list(tasks(folder).items())[:count]:
        files = {path: _content(one) for path, one in traps[name].items()} if name in traps else _named_files(requirements)
        found.append(Case(Workspace.of(name, files), requirements))
    return found


def _content(one: dict[str, str]) -> bytes:
    return one["text"].encode() if "text" in one else base64.b64decode(one["base64"])


def _named_files(requirements: Requirements) -> dict[str, bytes]:
    targets = [target for item in requirements for target in parse(item.criteria).targets if target.kind == "file"]
    return {"README.md": b"# Work\n", **{target.path: f"# {target.path}\nvalue = 1\n".encode() for target in targets}}


def ours(url: str, work: list[Case], engine: Any) -> dict[str, float]:
    """Seconds, CPU seconds and calls of judging all tasks."""
    with Client(f"{url}#stub", concurrency=IN_FLIGHT, timeout=120) as client:
        started, cpu = time.perf_counter(), time.process_time()
        reports = [one for one in run_many(work, client=client, engine=engine, cache="") if isinstance(one, Report)]
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert len(reports) == len(work)
        return {"seconds": seconds, "cpu": cpu, "calls": client.account.calls}


def published(url: str) -> float:
    """Seconds of one requirement in the published pattern: locate, then judge, one call after the other."""
    from openai import AsyncOpenAI  # pyright: ignore[reportMissingImports]

    async def some() -> None:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            for _ in range(SEQUENTIAL):
                for words in ("Which files matter?", "Is it met?"):
                    messages: Any = [{"role": "user", "content": words}]
                    await client.chat.completions.create(model="stub", messages=messages, temperature=0)

    started = time.perf_counter()
    asyncio.run(some())
    return (time.perf_counter() - started) / SEQUENTIAL


def g_eval(url: str) -> dict[str, float]:
    """Seconds and CPU seconds of DeepEval's G-Eval for VERDICTS verdicts, IN_FLIGHT at once."""
    metrics = importlib.import_module("deepeval.metrics")
    cases_ = importlib.import_module("deepeval.test_case")
    models = importlib.import_module("deepeval.models")
    model = models.LocalModel(model="stub", base_url=url, api_key="none")
    fields = getattr(cases_, "SingleTurnParams", None) or cases_.LLMTestCaseParams  # its older name
    parameters = [fields.INPUT, fields.ACTUAL_OUTPUT]

    async def one(slot: asyncio.Semaphore, number: int) -> None:
        async with slot:
            metric = metrics.GEval(
                name="met",
                evaluation_steps=["Say whether it is met."],
                evaluation_params=parameters,
                model=model,
                async_mode=True,
            )
            case = cases_.LLMTestCase(input=f"Requirement {number}", actual_output="value = 1")
            await metric.a_measure(case, _show_indicator=False)

    async def all_() -> None:
        slot = asyncio.Semaphore(IN_FLIGHT)
        await asyncio.gather(*(one(slot, number) for number in range(VERDICTS)))

    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(all_())
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}


def rows(latency: float, count: int) -> list[dict[str, Any]]:
    """Everything that is measured, in one run."""
    work = cases(count)
    asked = sum(len(case.requirements) for case in work)
    with served(latency, ANSWER) as url:
        ours(url, work[:1], "llm-single")  # imports
        found: dict[str, float] = {"requirements": asked}
        for engine in ("llm", "hybrid", "llm-single"):
            found.update({f"{engine}_{name}": value for name, value in ours(url, work, engine).items()})
        one = published(url)
        found["published_pattern_seconds"] = one * asked
        found["published_pattern_calls"] = 2 * asked
        found["times_faster"] = one * asked / found["llm_seconds"]
        found["llm_ms_cpu_per_verdict"] = 1000 * found["llm_cpu"] / asked
        found["hybrid_share_of_calls"] = found["hybrid_calls"] / (2 * asked)
        if importlib.util.find_spec("deepeval") is not None:
            peer = g_eval(url)
            found["g_eval_seconds_per_verdict_at_32"] = peer["seconds"] / VERDICTS
            found["g_eval_ms_cpu_per_verdict"] = 1000 * peer["cpu"] / VERDICTS
            found["llm_seconds_per_verdict_at_32"] = found["llm_seconds"] / asked
    return [{"name": name, "value": value} for name, value in found.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--tasks", type=int, default=55)
    options = parser.parse_args()
    made = rows(options.latency, options.tasks)
    if options.json:
        print(json.dumps({"rows": made}))
    else:
        table(("what", "value"), [(row["name"], f"{row['value']:.3f}") for row in made], "Judging with a model")


if __name__ == "__main__":
    main()
