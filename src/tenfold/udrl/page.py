"""The page of udrl: choose or upload an environment, see what relabel-and-fit learning reaches on it."""

import functools
from pathlib import Path
from typing import Any

import gradio as gr

from tenfold.core.keeping import private_folder
from tenfold.core.sentences import sentences

__all__ = ["build"]

LAKE, LARGE_LAKE, CLIFF = "FrozenLake 4x4", "FrozenLake 8x8", "CliffWalking"
GRID, BANDIT, CYCLE, LINE, FILE = "Grid (draw it)", "Bandit", "Cycle", "Line", "My file (.npz)"
CHOICES = [GRID, LAKE, LARGE_LAKE, CLIFF, BANDIT, CYCLE, LINE, FILE]
SEGMENTS = [
    ("all segments (eUDRL, GCSL, ODT)", "all"),
    ("suffixes of episodes", "trailing"),
    ("matched segments (ours)", "diagonal"),
]
# Bytes that an uploaded file may unpack to; as float64 it may take eight times as much.
LARGEST_FILE = 128 << 20


def build() -> None:
    """Lay out the page; call inside a Gradio block."""
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            place = gr.Dropdown(CHOICES, value=GRID, label="Environment")
            rows = gr.Textbox("...\n..#\n...", lines=3, label="Grid: # is a wall, . is free", visible=True)
            file = gr.File(label="kernel, goal_map, start, horizon", file_types=[".npz"], visible=False)
            noise = gr.Slider(0, 0.9, value=0.1, step=0.01, label="Noise p (1 - success rate)")
            horizon = gr.Slider(1, 20, value=4, step=1, label="Horizon N: longest command")
            updates = gr.Slider(1, 50, value=15, step=1, label="Updates n")
            epsilon = gr.Slider(0, 0.9, value=0.0, step=0.01, label="Regularisation epsilon")
            segments = gr.Dropdown(SEGMENTS, value="all", label="Which segments are relabelled")
        with gr.Column(scale=2, min_width=320):
            curve = gr.Plot(label="What it reaches")
            with gr.Row():
                goal = gr.Slider(0, 7, value=2, step=1, label="Commanded goal")
                steps = gr.Slider(1, 4, value=4, step=1, label="Steps left h")
                after = gr.Slider(0, 15, value=15, step=1, label="Policy after n updates")
            arrows = gr.Plot(label="Policy")
            report = gr.Markdown(label="Stability report", show_label=True, container=True, elem_id="udrl-report")
            page = gr.DownloadButton("Download the report (HTML)", interactive=False)
    settings = [place, rows, file, noise, horizon, updates, epsilon, segments]
    command = [goal, steps, after]
    outputs = [curve, arrows, report, page, goal, steps, after]
    place.change(_fields, place, [rows, file, noise], show_progress="hidden")
    show = {"fn": sentences(_show), "inputs": [*settings, *command], "outputs": outputs, "show_progress": "hidden"}
    for control in (noise, horizon, updates, epsilon):
        control.release(**show)
    for control in (place, segments, rows):
        control.change(**show)
    file.upload(**show)
    for control in command:
        control.release(sentences(_draw), [*settings, *command], arrows, show_progress="hidden")
    gr.on(None, **show)


def _fields(place: str) -> list[Any]:
    return [
        gr.update(visible=place == GRID),
        gr.update(visible=place == FILE),
        gr.update(visible=place not in (CLIFF, FILE)),
    ]


def _show(*values: Any) -> list[Any]:
    from tenfold.core.files import write_atomic
    from tenfold.udrl.pictures import objective_figure
    from tenfold.udrl.stability import describe

    settings, (goal, steps, after) = _key(*values[:8]), values[8:]
    if settings[0] == FILE and not settings[2]:
        return [None, None, "Upload a file.", gr.update(interactive=False), gr.skip(), gr.skip(), gr.skip()]
    mdp, result = _solve(*settings)
    updates = len(result.objective) - 1
    goal, steps, after = min(goal, mdp.goals - 1), min(steps, mdp.horizon), min(after, updates)
    report = describe(mdp, result, epsilon=settings[6], name=f"{settings[0]}, horizon {mdp.horizon}")
    saved = write_atomic(private_folder() / "stability.html", report.to_html())
    return [
        objective_figure({"relabel and fit, exact": result.objective.tolist()}, result.optimum.objective),
        _arrows(mdp, result, goal, steps, after),
        report.to_markdown(),
        gr.update(value=str(saved), interactive=True),
        _range(goal, 0, mdp.goals - 1),
        _range(steps, 1, mdp.horizon),
        _range(after, 0, updates),
    ]


def _range(value: float, least: int, most: int) -> Any:
    """An update of a slider; with a single value it is shown and cannot be moved (Gradio wants two)."""
    return gr.update(maximum=max(most, least + 1), value=value, interactive=most > least)


def _draw(*values: Any) -> Any:
    settings, (goal, steps, after) = _key(*values[:8]), values[8:]
    if settings[0] == FILE and not settings[2]:
        return None
    mdp, result = _solve(*settings)
    return _arrows(mdp, result, min(goal, mdp.goals - 1), min(steps, mdp.horizon), min(after, len(result.policies) - 1))


def _arrows(mdp: Any, result: Any, goal: int, steps: int, after: int) -> Any:
    from tenfold.udrl.pictures import policy_figure

    return policy_figure(mdp, result.policies[after], result.optimum, int(steps), int(goal))


def _key(
    place: str, rows: str, file: str | None, noise: float, horizon: float, updates: float, epsilon: float, segments: str
) -> tuple[Any, ...]:
    """What the result depends on, with the rest blanked, so that it is computed once."""
    own_rows = rows if place == GRID else ""
    own_file = file if place == FILE else None
    return (place, own_rows, own_file, float(noise), int(horizon), int(updates), float(epsilon), segments)


@functools.lru_cache(maxsize=8)
def _solve(
    place: str, rows: str, file: str | None, noise: float, horizon: int, updates: int, epsilon: float, segments: str
) -> tuple[Any, Any]:
    from tenfold import udrl
    from tenfold.core.errors import BadInput

    lake = {"horizon": horizon, "success_rate": 1 - noise}
    makers: dict[str, Any] = {
        GRID: lambda: udrl.environments.grid(_grid_rows(rows), horizon=horizon, noise=noise),
        LAKE: lambda: udrl.MDP.from_gymnasium("FrozenLake-v1", **lake),
        LARGE_LAKE: lambda: udrl.MDP.from_gymnasium("FrozenLake-v1", map_name="8x8", **lake),
        CLIFF: lambda: udrl.MDP.from_gymnasium("CliffWalking-v1", horizon=horizon),
        BANDIT: lambda: udrl.environments.bandit(noise),
        CYCLE: lambda: udrl.environments.cycle(3, horizon, noise),
        LINE: lambda: udrl.environments.line(5, horizon, noise),
        FILE: lambda: _uploaded(file or ""),
    }
    mdp = makers[place]()
    work = mdp.horizon**2 * mdp.states * mdp.goals**2 * mdp.actions * updates
    if work > 2e10:
        raise BadInput("This environment is too large for the page.", "Use the command: tenfold udrl report")
    return mdp, udrl.iterate(mdp, updates=updates, epsilon=epsilon, segments=segments)


def _uploaded(file: str) -> Any:
    """The user's own file, named in errors as the user named it."""
    from tenfold import udrl
    from tenfold.core.errors import BadInput

    try:
        return udrl.MDP.from_file(file, LARGEST_FILE)
    except BadInput as error:
        raise BadInput(error.message.replace(file, Path(file).name), error.hint) from error


def _grid_rows(text: str) -> list[str]:
    from tenfold.core.errors import BadInput

    rows = [row.strip() for row in text.splitlines() if row.strip()]
    if sum(map(len, rows)) > 100:
        raise BadInput("The page takes grids of at most 100 cells.", "Use udrl.environments.grid in Python for larger ones.")
    return rows
