"""What is done for a requirement: a fixed list of actions, or one that a model picks."""

from typing import Any, Literal

from tenfold.core.errors import BadInput
from tenfold.judge.accounting import Asker
from tenfold.judge.prompts import parse_plan, plan_messages
from tenfold.judge.trajectory import Trajectory, load
from tenfold.judge.types import Requirement

__all__ = ["PLANS", "Plan", "Setting", "actions_of", "check_plan", "settle"]

Plan = Literal["efficient", "comprehensive", "planning"]
Setting = Literal["auto", "black", "gray"]

PLANS: dict[str, tuple[str, ...]] = {
    "efficient": ("workspace", "locate", "read", "trajectory"),
    "comprehensive": ("user_query", "workspace", "locate", "read", "search", "history", "trajectory"),
    "planning": (),
}


def check_plan(plan: str) -> None:
    """Raises: BadInput: there is no such plan."""
    if plan not in PLANS:
        raise BadInput(f"There is no plan {plan!r}.", f"There are: {', '.join(PLANS)}.")


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


async def actions_of(asker: Asker, plan: str, requirement: Requirement, is_gray: bool) -> tuple[str, ...]:
    """The actions for a requirement. A planning reply that names none falls back to the efficient plan.

    `locate` and `read` go together: paths alone show nothing, and files are only read once they are located. No log is asked
    about where there is none.
    """
    actions = PLANS[plan]
    if plan == "planning":
        actions = parse_plan(await asker.ask(plan_messages(requirement.criteria), "plan", requirement.id, max_tokens=100))
        actions = actions or PLANS["efficient"]
    if "read" in actions or "locate" in actions:
        actions = (*actions, "locate", "read")
    return tuple(dict.fromkeys(action for action in actions if action != "trajectory" or is_gray))
