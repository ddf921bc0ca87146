"""The page of facts: a table's series, their forecasts with intervals, and a memory that does not care about order."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from tenfold.core.keeping import private_folder
from tenfold.core.sentences import sentences

__all__ = ["build"]

ENDINGS = [".csv", ".tsv", ".txt", ".gz", ".parquet", ".npz"]
FILLS = [
    ("refuse, and say where", "refuse"),
    ("the last value again", "forward"),
    ("a line", "linear"),
    ("hide them", "mask"),
]
WELCOME = "The made-up town's meters are forecast by the model that comes along. Upload a table to fit one of your own."


def build() -> None:
    """Lay out the page; call inside a Gradio block."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            town = gr.Button("Forecast the made-up town", variant="secondary")
            file = gr.File(label="Table: a column of times, a column a series (or unique_id, ds, y)", file_types=ENDINGS)
            columns = gr.Dropdown([], value=[], multiselect=True, label="Series (none: all)")
            horizon = gr.Slider(1, 336, value=24, step=1, label="Steps to forecast")
            look_back = gr.Slider(8, 336, value=96, step=1, label="Steps to look back")
            minutes = gr.Slider(0.1, 2, value=0.5, step=0.1, label="Minutes of training at most")
            fill = gr.Dropdown(FILLS, value="refuse", label="Missing values")
            with gr.Row():
                run = gr.Button("Fit and forecast", variant="primary")
                stop = gr.Button("That will do")
        with gr.Column(scale=3, min_width=320):
            status = gr.Markdown(WELCOME, elem_id="facts-status")
            with gr.Tab("Forecast"):
                series = gr.Dropdown([], label="Series")
                forecast = gr.Plot(label="Forecast")
                table = gr.DownloadButton("Download the forecast (CSV)", interactive=False)
            with gr.Tab("Who feeds which slot"):
                routing = gr.Plot(label="Router")
            with gr.Tab("Shuffle"):
                shuffle = gr.Button("Shuffle the rows that the memory reads")
                changes = gr.Markdown("", elem_id="facts-shuffle")
            with gr.Tab("Stream"):
                stream = gr.Button("Give it one frame after the other")
                live = gr.Markdown("", elem_id="facts-stream")
                memory = gr.Plot(label="Slots")
    # Not gr.State, which keeps every visitor's value for an hour and a connection open.
    word = gr.Textbox("", visible=False)
    seed = gr.Number(0, visible=False)
    quiet: dict[str, Any] = {"show_progress": "hidden"}
    once: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 2}
    shown = [word, status, series, forecast, table, routing]
    file.upload(sentences(_columns), [file], columns, **quiet)
    town.click(sentences(_town), None, shown, **once)
    run.click(sentences(_fitted), [file, columns, horizon, look_back, minutes, fill], shown, **once)
    stop.click(sentences(_ended), word, None, **quiet)
    series.input(sentences(_picture), [word, series], forecast, **quiet)
    shuffle.click(sentences(_shuffled), [word, seed], [changes, seed], **once)
    stream.click(sentences(_streamed), word, [live, memory], **once)


def _columns(path: str) -> Any:
    from tenfold.facts.visit import columns_of

    return gr.update(choices=list(columns_of(path)), value=[])


def _town() -> list[Any]:
    from tenfold.facts.visit import made_up

    return _shown(made_up())


def _fitted(
    path: str | None, columns: list[str], horizon: float, look_back: float, minutes: float, fill: Any
) -> Iterator[list[Any]]:
    from tenfold.facts.visit import begin

    for word, step in begin(path, columns, int(horizon), int(look_back), float(minutes), fill):
        if step is None:
            yield _shown(word)
        else:
            left = f", {step.seconds_left:.0f} s left" if step.seconds_left == step.seconds_left else ""
            words = f"Step {step.step} of {step.steps}: validation error {step.validation:.4f}{left}"
            yield [word, words, *[gr.skip()] * 4]


def _ended(word: str) -> None:
    from tenfold.facts.visit import end

    end(word)


def _shown(word: str) -> list[Any]:
    from tenfold.core.files import write_atomic
    from tenfold.facts.visit import kept, picture, routes

    visit = kept(word)
    names = list(visit.model.roles.targets)
    went, forecast = visit.model.training, visit.forecast
    assert forecast is not None
    saved = write_atomic(private_folder() / "forecast.csv", forecast.to_csv(index=False).encode())
    notes = "".join(f"\n\n{note}" for note in (*visit.series.notes, *visit.model.notes))
    words = (
        f"**{len(forecast)} steps of {len(names)} series.** Validation error {went.mse:.4f}, of the linear part alone "
        f"{went.linear_mse:.4f}; the slots add {went.gate:.0%} of what they learned.{notes}"
    )
    return [
        word, words, gr.update(choices=names, value=names[0]), picture(visit, names[0]),
        gr.update(value=str(saved), interactive=True), routes(visit),
    ]  # fmt: skip


def _picture(word: str, name: str) -> Any:
    from tenfold.facts.visit import kept, picture

    return picture(kept(word), name)


def _shuffled(word: str, seed: float) -> list[Any]:
    from tenfold.facts.visit import kept, shuffled

    found = shuffled(kept(word), int(seed))
    words = (
        "Largest change of the output, of its scale:\n\n| | rows shuffled once | in each frame |\n|---|---|---|\n"
        f"| this model | {found['fixed']:.1e} | {found['per_frame']:.1e} |\n"
        f"| an untrained GRU over rows side by side | {found['rival_fixed']:.2f} | {found['rival_per_frame']:.2f} |"
    )
    return [words, seed + 1]


def _streamed(word: str) -> Iterator[list[Any]]:
    from tenfold.facts.pictures import slots_figure
    from tenfold.facts.visit import kept, streamed

    for frame in streamed(kept(word)):
        words = (
            f"Frame {frame.number} of {frame.frames}: {frame.milliseconds:.2f} ms a frame, a state of constant size; "
            f"largest difference from all frames at once {frame.gap:.1e}"
        )
        yield [words, slots_figure(frame.slots)]
