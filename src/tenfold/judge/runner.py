"""One workspace, or many, judged by any engine.

| engine | needs | does |
|---|---|---|
| embedded | nothing | facts of files and code alone; undecided where they do not suffice |
| hybrid | a model | the embedded engine, and the model where that is undecided or weak |
| llm | a model | the paper's agent |
| llm-single | a model | LLM-as-a-Judge: one call for each requirement, no choice of evidence |
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.core.parallel import Failure, parallel_map
from tenfold.core.progress import meter
from tenfold.judge.accounting import Books, totals
from tenfold.judge.asking import check_votes
from tenfold.judge.money import budget_of
from tenfold.judge.planning import Plan, Setting, check_plan, settle
from tenfold.judge.types import Judgement, Report, Requirements
from tenfold.judge.workspace import Workspace
from tenfold.llm import background
from tenfold.llm.budget import Account, Budget
from tenfold.llm.client import Client, Mode

__all__ = ["ENGINES", "Case", "Engine", "run", "run_many"]

Engine = Literal["embedded", "hybrid", "llm", "llm-single"]
ENGINES = ("embedded", "hybrid", "llm", "llm-single")
PathLike = str | os.PathLike[str]


class Case(NamedTuple):
    """What is judged: a workspace, its requirements, and the trajectory if there is one."""

    workspace: PathLike | Workspace
    requirements: Any
    trajectory: Any = None


def run(
    workspace: PathLike | Workspace,
    requirements: Any,
    setting: Setting = "auto",
    trajectory: Any = None,
    model: str | None = None,
    budget: Budget | Account | str | float | None = None,
    engine: Engine | None = None,
    votes: int = 1,
    *,
    plan: Plan = "efficient",
    client: Client | None = None,
    folder: PathLike | None = None,
    cassette: PathLike | None = None,
    mode: Mode = "replay",
    cache: PathLike | None = None,
    concurrency: int = 32,
) -> Report:
    """Judge a workspace.

    Args:
        workspace: a folder, an archive, a JSON file of files, or a `Workspace`.
        requirements: a file or value that `load_requirements` takes, or `Requirements`.
        setting: black = the workspace alone, gray = with the trajectory, auto = gray if there is one.
        trajectory: a file or value that `trajectory.load` takes. Only a model reads it.
        model: model string (see `tenfold.llm`); None = no model.
        budget: "2usd", "100calls", "50000tokens", "10m", dollars as a number, or a `Budget`.
        engine: see the module's table; None = embedded without a model, hybrid with one.
        votes: of a model on each requirement, odd.
        plan: of the agent.
        client: asks instead of one made from `model`; its own budget, cache and concurrency hold.
        folder: of the run: replies and spending are kept there, so that a killed run pays nothing twice.
        cassette: file of recorded replies, and its `mode`: record, replay (nothing is sent), or replay-then-live.
        cache: folder of facts of files that were seen before; None = the user's, "" = none.
        concurrency: requests in flight at once.

    Returns:
        The report. Where the budget was reached, `settings["stopped"]` says so and the rest is undecided.

    Raises:
        BadInput: something given cannot be used.
        ModelError: the model does not answer at all.
    """
    case = Case(workspace, requirements, trajectory)
    found = run_many(
        [case], setting, model, budget, engine, votes, plan=plan, client=client, folder=folder, cassette=cassette, mode=mode,
        cache=cache, concurrency=concurrency,
    )  # fmt: skip
    assert isinstance(found[0], Report)
    return found[0]


def run_many(
    cases: Sequence[Case],
    setting: Setting = "auto",
    model: str | None = None,
    budget: Budget | Account | str | float | None = None,
    engine: Engine | None = None,
    votes: int = 1,
    *,
    plan: Plan = "efficient",
    client: Client | None = None,
    folder: PathLike | None = None,
    cassette: PathLike | None = None,
    mode: Mode = "replay",
    cache: PathLike | None = None,
    concurrency: int = 32,
    jobs: int = 1,
    on_error: Literal["raise", "collect"] = "raise",
    on_report: Callable[[int, Report], None] | None = None,
    on_judgement: Callable[[int, str], None] | None = None,
) -> list[Report | Failure]:
    """Judge many workspaces: the embedded engine in `jobs` processes, a model's requests all at once as the client allows.

    Args:
        cases: what is judged.
        jobs: processes of the embedded engine.
        on_error: "raise" the first error, or "collect" a `Failure` in the place of a workspace that cannot be judged. What
            ends the run for all (a model that does not answer, an option that cannot be used) is always raised.
        on_report: called with (index, report) as each is made.
        on_judgement: called with the number of requirements that a model's engine has judged in all, and the calls and
            money spent so far in words.

    The other arguments are those of `run`.
    """
    name = _engine(engine, model, client)
    check_votes(votes)
    check_plan(plan)
    if setting not in ("auto", "black", "gray"):
        settle(setting, None)
    limit, known = budget_of(budget), None if cache is None else str(cache)
    if name == "embedded":
        work = _Embedded(setting, known)
        return _each_in_processes(cases, work, jobs, on_error, on_report)
    tape = {"cassette": cassette, "mode": mode}
    with _client(model, client, limit, folder, tape, concurrency) as asked:
        options = {"setting": setting, "votes": votes, **({"plan": plan} if name == "llm" else {})}
        many = _Many(cases, name, asked, options, known, on_error, on_report)
        with meter("Judging", None) as live:
            tellers = [live.update, *([on_judgement] if on_judgement else [])]
            many.watch = lambda done: [tell(done, _spent(asked)) for tell in tellers]
            return background.run(many.reports())


class _Embedded:
    """The embedded engine on one case; goes to other processes."""

    def __init__(self, setting: str, cache: str | None) -> None:
        self._setting, self._cache = setting, cache

    def __call__(self, case: Case) -> Report:
        workspace, requirements = _opened(case)
        found, _ = settle(self._setting, case.trajectory)
        judgements = _facts_alone(workspace, requirements, self._cache)
        notes = ("The embedded engine does not read trajectories.",) if found == "gray" else ()
        settings = {"engine": "embedded", "setting": found}
        return _report(workspace, requirements, judgements, settings, notes, self._cache)


class _Many:
    """Many cases with a model, at the same time, on one event loop."""

    def __init__(
        self,
        cases: Sequence[Case],
        engine: str,
        client: Client,
        options: Mapping[str, Any],
        cache: str | None,
        on_error: str,
        on_report: Callable[[int, Report], None] | None,
    ) -> None:
        self.cases, self.engine, self.client, self.options = cases, engine, client, options
        self.cache, self.on_error, self.on_report = cache, on_error, on_report
        self.watch: Callable[[int], object] = lambda done: None
        self._done = 0

    async def reports(self) -> list[Report | Failure]:
        tasks = [asyncio.create_task(self._guarded(index, case)) for index, case in enumerate(self.cases)]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _guarded(self, index: int, case: Case) -> Report | Failure:
        try:
            report = await self._one(case)
        except BadInput as error:
            if self.on_error == "raise":
                raise
            return Failure(str(case.workspace), str(error))
        if self.on_report is not None:
            self.on_report(index, report)
        return report

    async def _one(self, case: Case) -> Report:
        workspace, requirements = _opened(case)
        books = Books(watch=self._judged)
        setting, log = settle(self.options["setting"], case.trajectory)
        options = {**self.options, "setting": setting, "trajectory": log, "books": books}
        judgements = await self._judgements(workspace, requirements, options)
        settings = {"engine": self.engine, "model": self.client.model, **self.options, "setting": setting}
        notes = (books.stopped,) if books.stopped else ()
        spent = {**totals(books.calls), "stopped": books.stopped, **_counts(books, judgements, self.options["votes"])}
        return _report(workspace, requirements, judgements, {**settings, **spent}, notes, self.cache)

    async def _judgements(
        self, workspace: Workspace, requirements: Requirements, options: dict[str, Any]
    ) -> tuple[Judgement, ...]:
        from tenfold.judge import agent, hybrid, single

        if self.engine == "hybrid":
            embedded = await asyncio.to_thread(_facts_alone, workspace, requirements, self.cache)
            return await hybrid.judge_async(workspace, requirements, self.client, embedded, **options)
        judge = agent.judge_async if self.engine == "llm" else single.judge_async
        return await judge(workspace, requirements, self.client, **options)

    def _judged(self, judgement: Judgement) -> None:
        self._done += 1
        self.watch(self._done)


def _counts(books: Books, judgements: Sequence[Judgement], votes: int) -> dict[str, Any]:
    asked = [call.requirement for call in books.calls if call.module == "ask"]
    modules = dict.fromkeys(call.module for call in books.calls)
    return {
        "calls_by_module": {name: sum(call.module == name for call in books.calls) for name in modules},
        "asked_again": sum(max(0, asked.count(identity) - votes) for identity in set(asked)),
        "without_verdict": sum(fact.kind == "ask" and not fact.weight for one in judgements for fact in one.evidence),
        "invented_steps": sum(fact.kind == "invented" for one in judgements for fact in one.evidence),
    }


def _facts_alone(workspace: Workspace, requirements: Requirements, cache: str | None) -> tuple[Judgement, ...]:
    from tenfold.judge import embedded

    return embedded.judge(workspace, requirements, cache)


def _report(
    workspace: Workspace,
    requirements: Requirements,
    judgements: Sequence[Judgement],
    settings: Mapping[str, Any],
    notes: Sequence[str],
    cache: str | None,
) -> Report:
    from tenfold.judge import injection

    flags = injection.flags(workspace, requirements, cache)
    return Report(workspace.name, requirements, tuple(judgements), flags, dict(settings), (*workspace.notes, *notes))


def _opened(case: Case) -> tuple[Workspace, Requirements]:
    from tenfold.judge.requirements import load_requirements

    wanted = case.requirements if isinstance(case.requirements, Requirements) else load_requirements(case.requirements)
    found = case.workspace if isinstance(case.workspace, Workspace) else Workspace.open(case.workspace)
    return found, wanted


def _each_in_processes(
    cases: Sequence[Case],
    work: _Embedded,
    jobs: int,
    on_error: Literal["raise", "collect"],
    on_report: Callable[[int, Report], None] | None,
) -> list[Report | Failure]:
    if on_error == "raise" and jobs == 1:  # here an error keeps its kind and words
        made: list[Report | Failure] = []
        for index, case in enumerate(cases):
            made.append(report := work(case))
            if on_report is not None:
                on_report(index, report)
        return made
    names = [str(getattr(case.workspace, "name", case.workspace)) for case in cases]
    return parallel_map(work, cases, workers=jobs, names=names, on_error=on_error, title="Judging", on_result=on_report)


@contextmanager
def _client(
    model: str | None,
    client: Client | None,
    budget: Budget | Account | None,
    folder: PathLike | None,
    tape: Mapping[str, Any],
    concurrency: int,
) -> Iterator[Client]:
    if client is not None:
        if budget is not None or folder is not None or tape["cassette"] is not None:
            raise BadInput("A client was given, and a budget, folder or cassette too.", "Set them on the client.")
        yield client
        return
    assert model is not None
    kept = None if folder is None else Path(folder)
    made = Client(
        model,
        budget=budget,
        cache=None if kept is None else kept / "replies.sqlite",
        ledger=None if kept is None else kept / "ledger.sqlite",
        cache_sampled=True,
        **tape,
        concurrency=concurrency,
        timeout=120.0,
    )
    try:
        yield made
    finally:
        made.close()


def _engine(engine: str | None, model: str | None, client: Client | None) -> str:
    has_model = model is not None or client is not None
    name = engine or ("hybrid" if has_model else "embedded")
    if name not in ENGINES:
        raise BadInput(f"There is no engine {name!r}.", f"There are: {', '.join(ENGINES)}.")
    if name != "embedded" and not has_model:
        hint = "Use --engine embedded, or name one with --model, e.g. openai:gpt-4o-mini or http://host:port/v1#MODEL."
        raise BadInput(f"The engine {name} asks a model, and no model is set.", hint)
    return name


def _spent(client: Client) -> str:
    usd = client.account.usd
    return f"{client.account.calls} calls" + (f", ${usd:.2f}" if usd else "")
