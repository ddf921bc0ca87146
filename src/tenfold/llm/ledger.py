"""What a run spent, call by call, and what one would spend.

The ledger is a SQLite file, `ledger.sqlite` in a run's folder. A resumed run starts from what stands in it.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.llm.budget import Claim, Spent
from tenfold.llm.database import Database
from tenfold.llm.prices import Prices
from tenfold.llm.types import Reply, Request, Usage

__all__ = ["Expected", "Ledger", "forecast", "print_rows", "summary"]

_KIND = 0x7F_11_ED_01
_SCHEMA = """CREATE TABLE IF NOT EXISTS calls (
    time REAL, tag TEXT, role TEXT, node TEXT, model TEXT, source TEXT, is_hit INTEGER, prompt INTEGER, completion INTEGER,
    cached INTEGER, is_estimated INTEGER, usd REAL, latency REAL, request_key TEXT)"""
_FREE = ("engine:", "script:", "hf:", "cassette:")


class Expected(NamedTuple):
    """What a run is expected to ask of one role: calls, and the tokens of all of them together."""

    role: str
    model: str
    calls: int
    prompt: int
    completion: int


class Ledger:
    """The ledger of a run, open for writing; several clients and processes may use one.

    Args:
        path: made if absent.

    Raises:
        BadInput: the file is something else, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _KIND, _SCHEMA, "ledger")

    def add(self, request: Request, reply: Reply, *, is_hit: bool = False) -> None:
        """Book a reply; it is on disk when this returns.

        Args:
            request: what was asked; its tag says role and node.
            reply: what came.
            is_hit: whether it cost nothing: from cache, cassette or an equal request in flight.
        """
        role, _, node = request.tag.partition(":")
        usage = reply.usage
        counted = (usage.prompt, usage.completion, usage.cached, int(usage.estimated))
        row = (request.tag, role, node, reply.model, reply.source, int(is_hit), *counted)
        values = (time.time(), *row, reply.cost, reply.latency, reply.request_key)
        self._database.write(f"INSERT INTO calls VALUES ({','.join('?' * len(values))})", values)

    def add_lost(self, request: Request, model: str, claim: Claim) -> None:
        """Book a try whose answer was lost and that may have been billed, at its worst case."""
        usage = Usage(claim.prompt, claim.completion, 0, True)
        self.add(request, Reply((), (), usage, claim.usd, 0.0, "lost", "", (), model))

    def spent(self) -> dict[str, Spent]:
        """What was spent so far, by role. Hits are counted, not their tokens."""
        rows = self._database.read(
            "SELECT role, sum(1 - is_hit), sum(prompt * (1 - is_hit)), sum(completion * (1 - is_hit)),"
            " sum(usd * (1 - is_hit)), sum(usd IS NULL), sum(is_hit) FROM calls GROUP BY role ORDER BY role"
        )
        return {
            role: Spent(calls, prompt, completion, None if unknown else usd or 0.0, hits)
            for role, calls, prompt, completion, usd, unknown, hits in rows
        }

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def summary(path: Path) -> list[dict[str, Any]]:
    """Spending by role, with a last row "all".

    Args:
        path: a ledger, or a run's folder that holds one.

    Raises:
        BadInput: there is none.
    """
    if path.is_dir() and not (path / "ledger.sqlite").is_file():
        raise BadInput(f"{path} holds no ledger.", "A run keeps one unless it only asks engine:rules, which costs nothing.")
    path = path / "ledger.sqlite" if path.is_dir() else path
    if not path.is_file():
        raise BadInput(f"{path} does not exist.", "Name a run's folder or its ledger.sqlite.")
    ledger = Ledger(path)
    try:
        spent = ledger.spent()
    finally:
        ledger.close()
    rows = [{"role": role or "(none)", **row._asdict()} for role, row in spent.items()]
    return [*rows, _total(rows, ("calls", "prompt", "completion", "usd", "hits"))]


def forecast(expected: Iterable[Expected], prices: Prices | None = None) -> list[dict[str, Any]]:
    """Calls, tokens and dollars by role, with a last row "all"; usd is None where a price is unknown.

    Args:
        expected: what each role will ask.
        prices: None = the usual list.
    """
    rows = []
    for item in expected:
        rows.append({**item._asdict(), "usd": _expected_usd(item, prices)})
    return [*rows, _total(rows, ("calls", "prompt", "completion", "usd"))]


def print_rows(rows: Iterable[dict[str, Any]], title: str) -> None:
    """Print rows of `summary` or `forecast` as a table on stdout."""
    from tenfold.core.console import table

    rows = list(rows)
    columns = [name for name in ("role", "model", "calls", "prompt", "completion", "usd", "hits") if name in rows[0]]
    table(columns, ([_cell(row.get(name, ""), name) for name in columns] for row in rows), title)


def _expected_usd(item: Expected, prices: Prices | None) -> float | None:
    if item.model.startswith(_FREE):
        return 0.0
    name = item.model.partition("#")[2] or item.model.partition(":")[2] or item.model
    price = (prices or Prices.load()).of(name)
    return price.worst(item.prompt, item.completion) if price else None


def _total(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    total: dict[str, Any] = {"role": "all"}
    for name in names:
        values = [row[name] for row in rows]
        total[name] = None if None in values else sum(values)
    return total


def _cell(value: Any, name: str) -> str:
    if value is None:
        return "unknown"
    if name == "usd":
        return f"${value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
