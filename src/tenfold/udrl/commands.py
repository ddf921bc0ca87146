"""The `tenfold udrl` commands: parse, call, print."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tenfold.core.console import Device, Json, Out, Seed, emit, say, torch_device
from tenfold.core.errors import BadInput, BudgetReached, CheckFailed

app = typer.Typer(
    no_args_is_help=True,
    help="Upside-down RL, goal-conditioned supervised learning, Online Decision Transformers: what they reach, exactly.",
)
train_app = typer.Typer(no_args_is_help=True, help="Train a learner; its exact objective stands beside.")
app.add_typer(train_app, name="train")

Environment = Annotated[
    str,
    typer.Argument(metavar="ENV", help="A gymnasium id, an .npz file, or bandit, cycle, line, grid, tiny-grid."),
]
Horizon = Annotated[int | None, typer.Option(min=1, help="Longest command N. Default: 10, or the environment's own.")]
SuccessRate = Annotated[float | None, typer.Option(min=0, max=1, help="FrozenLake's probability of going as meant.")]
Noise = Annotated[float | None, typer.Option(min=0, max=1, help="Noise of bandit, cycle, line, grid, tiny-grid.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option for gymnasium.make.")]
Updates = Annotated[int, typer.Option(min=0, help="Updates n.")]
Epsilon = Annotated[float, typer.Option(help="Regularisation in [0, 1), as in Online Decision Transformers.")]
Segments = Annotated[str, typer.Option(help="all, trailing or diagonal.")]


@app.command()
def report(
    env: Environment,
    horizon: Horizon = None,
    success_rate: SuccessRate = None,
    noise: Noise = None,
    options: Set = None,
    updates: Updates = 15,
    epsilon: Epsilon = 0.0,
    segments: Segments = "all",
    max_loss: Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 1 if the loss is above this.")] = None,
    device: Device = "cpu",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Is this kind of learning safe on ENV? What it reaches, what it loses, when to stop."""
    from tenfold.core.files import write_atomic
    from tenfold.core.progress import meter
    from tenfold.udrl.stability import stability_report

    mdp = _load(env, horizon, success_rate, noise, options)
    with meter(env, updates) as live:
        found = stability_report(
            mdp,
            updates,
            epsilon,
            segments,
            device=torch_device(device),
            name=_name(env, mdp, success_rate, noise),
            on_update=lambda n, j: live.update(n, f"J {j:.4f}"),
        )
    emit(found.to_dict(), as_json, str(found))
    if out is not None:
        write_atomic(out / "index.html" if out.is_dir() else out, found.to_html())
        say(f"Report: {out}")
    if max_loss is not None and found.loss > max_loss:
        raise CheckFailed(f"The loss is {found.loss:.4f}, above --max-loss {max_loss:g}.")


@app.command()
def iterate(
    file: Annotated[Path, typer.Argument(metavar="FILE.npz", help="Arrays kernel, goal_map, start, horizon.")],
    updates: Updates = 15,
    epsilon: Epsilon = 0.0,
    segments: Segments = "all",
    device: Device = "cpu",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run the exact recursion on an environment from a file; --out FILE.npz keeps policies and visits."""
    from tenfold.core.progress import meter
    from tenfold.udrl.mdp import MDP
    from tenfold.udrl.recursion import iterate as run
    from tenfold.udrl.stability import describe

    mdp = MDP.from_file(file)
    with meter(file.name, updates) as live:
        result = run(
            mdp,
            updates,
            epsilon=epsilon,
            segments=segments,
            device=torch_device(device),
            on_update=lambda n, j: live.update(n, f"J {j:.4f}"),
        )
    found = describe(mdp, result, epsilon=epsilon, name=file.name)
    reached = float(result.reached.mean())
    emit(
        {**found.to_dict(), "reached": reached}, as_json, f"{found}\nRows of the policy that data determined: {reached:.1%}"
    )
    if out is not None:
        result.save(out)
        say(f"Policies: {out}")


@train_app.command()
def gcsl(
    env: Environment,
    horizon: Horizon = None,
    success_rate: SuccessRate = None,
    noise: Noise = None,
    options: Set = None,
    steps: Annotated[int, typer.Option(min=1, help="Gradient steps; every 300 a new round of episodes begins.")] = 1800,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes collected in each round.")] = 2000,
    minutes: Annotated[float | None, typer.Option(min=0.001, help="Time budget; the same command goes on.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Neural goal-conditioned supervised learning; the same command on the same --out resumes."""
    from tenfold.core.runs import Run
    from tenfold.udrl.learner import settings, train

    mdp = _load(env, horizon, success_rate, noise, options)
    where = {"env": env, "horizon": mdp.horizon, "success_rate": success_rate, "noise": noise, "set": options or []}
    where["tables"] = mdp.digest()
    folder = out or Path("runs") / f"gcsl-{Path(env).stem}-seed{seed}"
    with Run.open(folder, system="udrl", config=settings(steps, episodes, seed, where), free=("device", "minutes")) as run:
        done = run.result
        if done is None:
            learned = train(mdp, steps, episodes, seed, device=torch_device(device), minutes=minutes, run=run)
            done = {
                "steps": learned.training.step,
                "stopped": learned.training.stopped,
                "objective": learned.objective.tolist(),
                "exact": learned.limit.tolist(),
                "loss": learned.training.loss,
                "seconds": learned.training.seconds,
                "run": str(folder),
            }
            if learned.training.stopped == "steps":
                run.finish(done)
    emit(done, as_json, lambda: _print_training(done))
    if done["stopped"] == "budget":
        message = f"The time budget was reached after {done['steps']} of {steps} steps; the state is in {folder}."
        raise BudgetReached(message, "The same command with more --minutes goes on.")


def _load(env: str, horizon: int | None, success_rate: float | None, noise: float | None, options: list[str] | None) -> Any:
    from tenfold.udrl import environments
    from tenfold.udrl.mdp import MDP

    if env.endswith(".npz"):
        _refuse(env, horizon=horizon, success_rate=success_rate, noise=noise, set=options)
        return MDP.from_file(env)
    ours = {
        "bandit": environments.bandit,
        "cycle": environments.cycle,
        "line": environments.line,
        "grid": environments.grid,
        "tiny-grid": environments.tiny_grid,
    }
    if env in ours:
        fixed = env in ("bandit", "tiny-grid")
        _refuse(env, success_rate=success_rate, set=options, horizon=horizon if fixed else None)
        own: dict[str, Any] = {} if horizon is None else {"horizon": horizon}
        return ours[env](noise=noise or 0.0, **own)
    _refuse(env, noise=noise)
    settings: dict[str, Any] = dict(_key_value(text) for text in options or [])
    if success_rate is not None:
        settings["success_rate"] = success_rate
    return MDP.from_gymnasium(env, horizon=horizon or 10, **settings)


def _refuse(env: str, **given: Any) -> None:
    for name, value in given.items():
        if value not in (None, [], ()):
            raise BadInput(f"{env} does not take --{name.replace('_', '-')}.")


def _key_value(text: str) -> tuple[str, Any]:
    import json

    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise BadInput(f"--set {text!r} is not KEY=VALUE.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _name(env: str, mdp: Any, success_rate: float | None, noise: float | None) -> str:
    level = f", success rate {success_rate:g}" if success_rate is not None else f", noise {noise:g}" if noise else ""
    return f"{env}{level}, horizon {mdp.horizon}, {mdp.states} states, {mdp.goals} goals"


def _print_training(done: dict[str, Any]) -> None:
    from tenfold.core.console import table

    rows = [
        (k, f"{learned:.4f}", f"{exact:.4f}")
        for k, (learned, exact) in enumerate(zip(done["objective"], done["exact"], strict=True))
    ]
    table(("update", "J of the learner (exact)", "J of the exact recursion"), rows)
    print(f"{done['steps']} steps in {done['seconds']:.1f} s; the run is in {done['run']}.")
