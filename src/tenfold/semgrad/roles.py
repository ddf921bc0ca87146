"""Who answers: the roles forward, backward, optimise and judge, each by a model string or a client."""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenfold.core.errors import BadInput
from tenfold.llm.budget import Account, Budget
from tenfold.llm.client import Client
from tenfold.llm.models import open_backend
from tenfold.semgrad.calls import Calls
from tenfold.semgrad.graph import Graph
from tenfold.semgrad.store import Recorded, Replies

__all__ = ["ROLES", "engine_notice", "open_calls", "roles", "unfollowable"]

ROLES = ("forward", "backward", "optimise", "judge")


def roles(models: Any) -> dict[str, Any]:
    """A model string, a client, or either by role, as {role: string or client}; roles without one use forward's.

    Raises:
        BadInput: no model for forward, or an unknown role.
    """
    if not isinstance(models, Mapping):
        models = {"forward": models}
    found = {"optimise" if role == "optimiser" else role: model for role, model in models.items()}
    unknown = [role for role in found if role not in ROLES]
    if unknown:
        raise BadInput(f"The role {unknown[0]!r} is unknown.", f"Roles are: {', '.join(ROLES)}.")
    if "forward" not in found:
        raise BadInput("models names no model for the role forward.", 'For example models={"forward": "engine:rules"}.')
    for role, model in found.items():
        if not isinstance(model, str) and not (hasattr(model, "try_now") and hasattr(model, "complete")):
            raise BadInput(f"The model of the role {role} is {str(model)[:40]!r}, neither a model string nor a client.")
    return {role: found.get(role, found["forward"]) for role in ROLES}


def engine_notice(models: Any) -> str:
    """The sentence that every result made with the rules engine begins with; empty for language models alone."""
    names = [model if isinstance(model, str) else model.identity for model in roles(models).values()]
    if not any(name.startswith("engine:rules") for name in names):
        return ""
    from tenfold.llm.engine import NOTICE

    return NOTICE


def unfollowable(graph: Graph) -> list[str]:
    """A sentence for each text of which the rules engine cannot follow a part, with what is near in its language."""
    from tenfold.llm.engine.language import library, program

    known = [step.text for kind in ("leaf", "combine") for step in library(kind)]
    found = []
    for name, text in graph.instructions.items():
        unknown = program(text).unknown
        if unknown:
            near = difflib.get_close_matches(unknown[0], known, 2, 0.3)
            like = f" Near are: {' '.join(near)}" if near else ""
            found.append(f"engine:rules cannot follow in {name!r}: {' '.join(unknown)}{like}")
    return found


@contextmanager
def open_calls(
    models: Any,
    *,
    concurrency: int = 32,
    budget: Budget | Account | None = None,
    folder: Path | None = None,
    **settings: Any,
) -> Iterator[Calls]:
    """Clients for all roles, closed at the end; `Calls` that are open already are used and stay open.

    Args:
        models: see `roles`.
        concurrency: most requests in flight, of all roles together.
        budget: shared by all roles whose model is a string; a client keeps its own.
        folder: where paid replies and the ledger are kept, for a run that may be resumed; None = nowhere.
        **settings: of `llm.Client`, for roles whose model is a string.
    """
    if isinstance(models, Calls):
        yield models
        return
    named = roles(models)
    store = None if folder is None else Replies(folder / "replies.jsonl")
    account = budget if isinstance(budget, Account) else Account(budget, None if folder is None else _spent(folder))
    opened: dict[str, Client] = {}
    for model in {model for model in named.values() if isinstance(model, str)}:
        opened[model] = _client(model, account, concurrency, store, folder, settings)
    clients = {role: opened[model] if isinstance(model, str) else model for role, model in named.items()}
    recorded = [role for role, model in named.items() if isinstance(model, str)]
    calls = Calls(clients, concurrency=concurrency, store=store, owned=list(opened.values()), recorded=recorded)
    try:
        yield calls
    finally:
        calls.close()


def _client(
    model: str, account: Account, concurrency: int, store: Replies | None, folder: Path | None, settings: Mapping[str, Any]
) -> Client:
    names = ("timeout", "key_file", "base_url", "reply_limit")
    places = {name: settings[name] for name in names if settings.get(name) is not None}
    backend: Any = open_backend(model, **places)
    if settings.get("cassette") is None and settings.get("cache") is None:  # a role that answers later must not fail then
        getattr(backend, "require_key", lambda: None)()
    # An engine's replies cost nothing and are made again faster than they are read.
    is_pure = getattr(backend, "answer", None) is not None
    if store is not None and not is_pure:
        backend = Recorded(backend, store)
    ledger = None if folder is None or is_pure else folder / "ledger.sqlite"
    return Client(model, budget=account, concurrency=concurrency, ledger=ledger, backend=backend, **settings)


def _spent(folder: Path) -> Any:
    path = folder / "ledger.sqlite"
    if not path.exists():
        return None
    from tenfold.llm.ledger import Ledger

    ledger = Ledger(path)
    try:
        return ledger.spent()
    finally:
        ledger.close()
