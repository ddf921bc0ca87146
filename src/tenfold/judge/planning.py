"""What is done for a requirement: a fixed list of actions, or one that a model picks."""

from collections.abc import Mapping
from typing import Any, Literal

from tenfold.core.errors import BadInput
from tenfold.judge.accounting import Asker
from tenfold.judge.prompts import ACTIONS, parse_plan, plan_messages
from tenfold.judge.trajectory import Trajectory, load
from tenfold.judge.types import Requirement

__all__ = ["LADDER", "PLANS", "Plan", "Setting", "actions_of", "check_plan", "settle"]

Plan = Literal["efficient", "comprehensive", "planning"] | tuple[str, ...]
Setting = Literal["auto", "black", "gray"]

PLANS: Mapping[str, tuple[str, ...]] = {
    "efficient": ("workspace", "locate", "read", "trajectory"),
    "comprehensive": ("user_query", "workspace", "locate", "read", "search", "history", "trajectory"),
    "planning": (),
}
LADDER: Mapping[str, tuple[str, ...]] = {
    "ask": (),
    "+graph": ("workspace", "search"),
    "+read": ("workspace", "search", "read"),
    "+locate": ("workspace", "search", "locate", "read"),
    "+retrieve": ("workspace", "search", "locate", "read", "trajectory"),
}
"""The paper's ablation (section 1.5 of the spec), one module more each time; without locate, files are found by words."""


def check_plan(plan: Plan) -> None:
    """Raises: BadInput: there is no such plan, or no such action in it."""
    if isinstance(plan, str) and plan not in PLANS:
        raise BadInput(f"There is no plan {plan!r}.", f"There are: {', '.join(PLANS)}; or a tuple of actions.")
    unknown = [] if isinstance(plan, str) else [action for action in plan if action not in ACTIONS]
    if unknown:
        raise BadInput(f"A plan has no action {unknown[0]!r}.", f"There are: {', '.join(ACTIONS)}.")


def settle(setting: str, trajectory: Any) -> tuple[Literal["black", "gray"], Trajectory | None]:
    """Black-box or gray-box, and the trajectory if it is used ("auto": gray where there is one).

    Raises:
        BadInput: unknown setting, gray without a trajectory, or a trajectory that cannot be read.
    """
    if setting not in ("auto", "black", "gray"):
        raise BadInput(f"There is no setting {setting!r}.", "There are: auto, black, gray.")
    if setting == "gray" and trajectory is None:
        raise BadInput("The gray-box setting needs a trajectory, and none was given.", "Give one, or use the setting black.")
    if setting == "black" or trajectory is None:
        return "black", None
    return "gray", load(trajectory)


async def actions_of(asker: Asker, plan: Plan, requirement: Requirement, is_gray: bool) -> tuple[str, ...]:
    """The actions for a requirement. A planning reply that names none falls back to the efficient plan.

    Of a planning reply, `locate` and `read` go together: a model that names one means both. No log is asked about where
    there is none.
    """
    actions = PLANS[plan] if isinstance(plan, str) else plan
    if plan == "planning":
        reply = await asker.ask(plan_messages(requirement.criteria), "plan", requirement.id, max_tokens=100)
        actions = parse_plan(reply) or PLANS["efficient"]
        if "read" in actions or "locate" in actions:
            actions = (*actions, "locate", "read")
    return tuple(dict.fromkeys(action for action in actions if action != "trajectory" or is_gray))
