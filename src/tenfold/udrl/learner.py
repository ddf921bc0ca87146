"""Neural goal-conditioned supervised learning, with the exact objective of every policy beside (section 1.6 of the spec).

One update: collect episodes with the current policy, relabel segments with the goal that they reached, fit the first
action by cross-entropy. Episodes are drawn from the environment's own transition table.

Segments are drawn so that every (start time, length) pair of every episode is equally likely, as in the theory's segment
distribution (section 1.2), not by drawing start and then length: only so is the exact recursion this learner's limit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tenfold.core.errors import BadInput
from tenfold.core.runs import Run
from tenfold.core.train import TrainConfig, TrainResult, fit
from tenfold.udrl.evaluation import objective, values
from tenfold.udrl.mdp import MDP
from tenfold.udrl.recursion import iterate

__all__ = [
    "Episodes",
    "GoalConditionedPolicy",
    "Learned",
    "learn",
    "sample_episodes",
    "sample_segments",
    "settings",
    "train",
]

BATCH, WIDTH, STEPS_PER_UPDATE, LEARNING_RATE = 512, 128, 300, 3e-3


class Learned(NamedTuple):
    """What a learner found; index k = after k updates, 0 = the uniform policy.

    Attributes:
        policies: `policies[k][s, h-1, g, a]`.
        objective: exact J of each, in [0, 1]; no sampling.
        limit: J of the exact recursion after k updates: what infinite data and a perfect fit would give.
        training: how the training ended.
    """

    policies: list[Float[np.ndarray, "state horizon goal action"]]
    objective: Float[np.ndarray, " updates"]
    limit: Float[np.ndarray, " updates"]
    training: TrainResult


class Episodes(NamedTuple):
    """Episodes of the command-extended process: states [m, N+1], actions [m, N], and the commanded h of each, [m]."""

    states: np.ndarray
    actions: np.ndarray
    lengths: np.ndarray


def learn(
    mdp: MDP,
    learner: str = "mlp",
    updates: int = 6,
    episodes: int = 2000,
    seed: int = 0,
    *,
    device: str = "cpu",
    run: Run | None = None,
) -> Learned:
    """Run a sample-based learner and evaluate every policy exactly.

    Args:
        mdp: environment and commands; also the simulator.
        learner: "mlp", a network with two hidden layers of 128.
        updates: rounds of collecting and fitting, >= 1.
        episodes: collected in each round, >= 1.
        seed: of everything.
        device: "cpu", "cuda" or "auto".
        run: folder to keep the state in; the same call on the same run goes on.

    Raises:
        BadInput: an unknown learner, or a number out of range.
    """
    if learner != "mlp":
        raise BadInput(f"learner {learner!r} is unknown.", "There is: mlp.")
    if updates < 1 or episodes < 1:
        raise BadInput(f"updates = {updates} and episodes = {episodes} must both be at least 1.")
    return train(mdp, updates * STEPS_PER_UPDATE, episodes, seed, device=device, run=run)


def train(
    mdp: MDP,
    steps: int,
    episodes: int = 2000,
    seed: int = 0,
    *,
    device: str = "cpu",
    minutes: float | None = None,
    run: Run | None = None,
) -> Learned:
    """`learn` with the number of gradient steps given; an update begins every 300 steps."""
    if steps < 1:
        raise BadInput(f"steps is {steps}; it must be at least 1.")
    updates = -(-steps // STEPS_PER_UPDATE)
    torch.manual_seed(seed)
    module = GoalConditionedPolicy(mdp, updates)
    config = TrainConfig(steps=steps, seed=seed, device=device, minutes=minutes, checkpoint_every=100, log_every=50)
    result = fit(
        module,
        lambda network, batch: nn.functional.cross_entropy(network(batch[:, :3]), batch[:, 3]),
        _Batches(mdp, module, episodes),
        lambda weights: torch.optim.Adam(weights, lr=LEARNING_RATE),
        config,
        run,
        on_step=_begin_update,
        title="GCSL",
    )
    module = module.to("cpu")
    made = -(-result.step // STEPS_PER_UPDATE)
    policies = [mdp.uniform_policy(), *(module.past_table(k) for k in range(1, made)), module.table()]
    curve = [objective(mdp, values(mdp, policy).V) for policy in policies]
    return Learned(policies, np.array(curve), iterate(mdp, updates=made).objective, result)


def settings(steps: int, episodes: int, seed: int, environment: dict[str, Any]) -> dict[str, Any]:
    """What decides whether a run in a folder is the same run."""
    return {"learner": "gcsl", "policy": "mlp", "steps": steps, "episodes": episodes, "seed": seed, **environment}


class GoalConditionedPolicy(nn.Module):
    """Logits of the first action given state, steps left and goal; keeps the policies of past updates with its weights.

    The three inputs are looked up and summed, which is a linear layer on their one-hot codes.
    """

    weights_of_updates: Tensor

    def __init__(self, mdp: MDP, updates: int, width: int = WIDTH) -> None:
        super().__init__()
        self.shape = (mdp.states, mdp.horizon, mdp.goals, mdp.actions)
        self.inputs = nn.ModuleList(nn.Embedding(size, width) for size in self.shape[:3])
        self.layers = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, mdp.actions))
        count = sum(parameter.numel() for parameter in self.parameters())
        # Row k: the weights after update k. The data of an update are a function of it, so resumption is exact.
        self.register_buffer("weights_of_updates", torch.zeros(updates, count))

    def forward(self, situation: Tensor) -> Tensor:
        """Logits [batch, action] of situation [batch, (state, h-1, goal)]."""
        return self.layers(sum(table(situation[:, i]) for i, table in enumerate(self.inputs)))

    @torch.no_grad()
    def table(self) -> Float[np.ndarray, "state horizon goal action"]:
        """The policy as a table, float64, rows sum to 1."""
        device = next(self.parameters()).device
        axes = [torch.arange(size, device=device) for size in self.shape[:3]]
        logits = [self(part).double() for part in torch.cartesian_prod(*axes).split(1 << 16)]
        return torch.softmax(torch.cat(logits), dim=1).cpu().numpy().reshape(self.shape)

    def remember(self, update: int) -> None:
        """Keep the weights as they are now, after `update` updates."""
        flat = [parameter.detach().reshape(-1) for parameter in self.parameters()]
        self.weights_of_updates[update] = torch.cat(flat)

    def past_table(self, update: int) -> np.ndarray:
        """The policy after `update` updates; uniform before the first."""
        if update == 0:
            return np.full(self.shape, 1 / self.shape[3])
        now = [parameter.detach().clone() for parameter in self.parameters()]
        try:
            torch.nn.utils.vector_to_parameters(self.weights_of_updates[update].clone(), self.parameters())
            return self.table()
        finally:
            for parameter, value in zip(self.parameters(), now, strict=True):
                parameter.data = value


def sample_episodes(mdp: MDP, policy: np.ndarray, count: int, generator: np.random.Generator) -> Episodes:
    """Follow commands drawn from `mdp.start` to their end, all episodes at once.

    Args:
        mdp: the simulator.
        policy: pi[s, h-1, g, a].
        count: number of episodes m.
        generator: source of random numbers.
    """
    start = generator.choice(mdp.start.size, size=count, p=mdp.start.ravel())
    state, h, goal = np.unravel_index(start, mdp.start.shape)
    states, actions = np.zeros((count, mdp.horizon + 1), dtype=np.int64), np.zeros((count, mdp.horizon), dtype=np.int64)
    states[:, 0] = state
    for t in range(mdp.horizon):
        action = _draw(policy[state, np.maximum(h - t, 0), goal], generator)
        state = _draw(mdp.kernel[state, action], generator)
        actions[:, t], states[:, t + 1] = action, state
    return Episodes(states, actions, h + 1)


def sample_segments(mdp: MDP, episodes: Episodes, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw segments, all (episode, start, length) with equal probability, and relabel them with what they reached.

    Returns:
        [count, (state, length-1, reached goal, first action)], integers.
    """
    pairs = episodes.lengths * (episodes.lengths + 1) // 2
    episode = np.searchsorted(np.cumsum(pairs), generator.integers(pairs.sum(), size=count), side="right")
    length = episodes.lengths[episode]
    # Two different points of 0..length are as likely as any other two: they are start and end.
    first = generator.integers(length + 1)
    second = generator.integers(length)
    second += second >= first
    begin, end = np.minimum(first, second), np.maximum(first, second)
    reached = mdp.goal_map[episodes.states[episode, end]]
    return np.stack([episodes.states[episode, begin], end - begin - 1, reached, episodes.actions[episode, begin]], axis=1)


class _Batches:
    """Relabelled segments of the update that a step belongs to, as a function of (seed, step) and the past policy."""

    def __init__(self, mdp: MDP, module: GoalConditionedPolicy, episodes: int) -> None:
        self.mdp, self.module, self.count = mdp, module, episodes
        self.update, self.episodes = -1, None

    def __call__(self, seed: int, step: int) -> Tensor:
        update = step // STEPS_PER_UPDATE
        if update != self.update or self.episodes is None:
            policy = self.module.past_table(update)
            self.episodes = sample_episodes(self.mdp, policy, self.count, np.random.default_rng([seed, 0, update]))
            self.update = update
        return torch.from_numpy(sample_segments(self.mdp, self.episodes, BATCH, np.random.default_rng([seed, 1, step])))


def _begin_update(module: nn.Module, step: int) -> None:
    if step and step % STEPS_PER_UPDATE == 0:
        remember: Callable[[int], None] = module.remember  # pyright: ignore[reportAssignmentType]
        remember(step // STEPS_PER_UPDATE)


def _draw(probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One index for each row of probabilities [m, k]."""
    cumulative = probabilities.cumsum(axis=1)
    threshold = generator.random(len(probabilities)) * cumulative[:, -1]
    return np.minimum((cumulative <= threshold[:, None]).sum(axis=1), probabilities.shape[1] - 1)
