"""The page of reactions: paste or draw, watch the calls, see what was copied, break molecules down, answer a file."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from tenfold.core.keeping import private_folder
from tenfold.core.sentences import sentences

__all__ = ["build"]

TASKS = [("Products of these reactants", "forward"), ("Reactants of this product", "retro")]
DECODERS = [
    ("speculative: no loss, fewest calls", "ours"),
    ("plain: one call for each token", "plain"),
    ("the paper's: approximate for several", "paper"),
]
MEDICINES = {"paracetamol": "CC(=O)Nc1ccc(O)cc1", "procaine": "CCN(CC)CCOC(=O)c1ccc(N)cc1"}
ENDINGS = [".smi", ".smiles", ".txt", ".rsmi", ".csv", ".tsv", ".jsonl", ".rxn", ".gz"]
ON_CLICK = """element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-molecule]");
  if (button) trigger("click", { molecule: button.dataset.molecule, rank: button.dataset.rank ?? "" });
});"""
WELCOME = "<p>Paste a SMILES, choose an example or draw molecules, then press Predict: everything is computed here.</p>"
QUIET: dict[str, Any] = {"show_progress": "hidden"}


def build() -> None:
    """Lay out the page; call inside a Gradio block."""
    from tenfold.core.extras import require
    from tenfold.reactions.views import STYLE

    require("rdkit", "reactions")
    gr.HTML(STYLE)
    with gr.Tab("A reaction"):
        _reaction()
    with gr.Tab("A file"):
        _file()


def _reaction() -> None:
    from tenfold.reactions import sketcher

    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            task = gr.Radio(TASKS, value="forward", label="What is wanted")
            box = gr.Textbox(label="SMILES or reaction SMILES; dots join molecules", lines=2, max_length=5000)
            example = gr.Dropdown(list(_examples()), value=None, label="Examples")
            with gr.Accordion("Draw it", open=False):
                drawing = gr.HTML(
                    "", html_template=sketcher.TEMPLATE, css_template=sketcher.STYLE, js_on_load=sketcher.script(),
                    apply_default_css=False, elem_id="sketcher",
                )  # fmt: skip
                edit = gr.Button("Draw what the box holds", size="sm")
            n = gr.Slider(1, 20, value=1, step=1, label="Number of answers")
            decoder = gr.Dropdown(DECODERS, value="ours", label="Decoder")
            salts = gr.Checkbox(False, label="Leave counter-ions out")
            with gr.Row():
                run = gr.Button("Predict", variant="primary")
                stop = gr.Button("Stop")
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(WELCOME, elem_id="rx-status")
            check = gr.Button("Check: decode plainly too", size="sm", visible=False)
            checked = gr.HTML("")
            route = gr.HTML("", js_on_load=ON_CLICK)
            answers = gr.HTML("", js_on_load=ON_CLICK, elem_id="rx-answers")
    # Not gr.State, which keeps every visitor's value for an hour and a connection open.
    word = gr.Textbox("", visible=False)

    views = [word, status, answers, route, check, checked, task, box]
    once: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 4}
    asked = [box, task, n, decoder, salts]
    running: list[Any] = [
        run.click(sentences(_predicted), asked, views, **once),
        box.submit(sentences(_predicted), asked, views, **once),
        answers.click(sentences(_onward), [word, n, decoder], views, **once),
        route.click(sentences(_onward), [word, n, decoder], views, **once),
    ]
    stop.click(None, cancels=running)
    check.click(sentences(_checked), word, checked, show_progress="minimal", concurrency_limit=2)
    example.input(_example, example, [task, box, n], **QUIET)
    task.input(_usual_number, task, n, **QUIET)
    drawing.submit(sentences(_drawn), drawing, box, **QUIET)
    edit.click(sentences(_edited), [box, task], drawing, **QUIET)


def _file() -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            file = gr.File(label="SMILES, table or .rxn (also .gz)", file_types=ENDINGS)
            column = gr.Textbox("", max_length=100, label="Column (a table's, if it is not called smiles)")
            task = gr.Radio(TASKS, value="forward", label="What is wanted in each row")
            n = gr.Slider(1, 20, value=1, step=1, label="Number of answers to each row")
            decoder = gr.Dropdown(DECODERS, value="ours", label="Decoder")
            with gr.Row():
                run = gr.Button("Answer the file", variant="primary")
                stop = gr.Button("Stop")
        with gr.Column(scale=3, min_width=320):
            status = gr.Markdown("", elem_id="rx-file-status")
            table = gr.DownloadButton("Download the table (CSV)", interactive=False)
            shown = gr.HTML("")
    once: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 2}
    running: Any = run.click(sentences(_filed), [file, column, task, n, decoder], [status, table, shown], **once)
    stop.click(None, cancels=[running])


def _predicted(text: str, task: str, n: float, decoder: str, salts: bool) -> Iterator[list[Any]]:
    from tenfold.reactions.visit import start

    yield from _live(lambda tell: start(text, task, int(n), decoder, tell, strip_salts=salts))


def _onward(word: str, n: float, decoder: str, event: gr.EventData) -> Iterator[list[Any]]:
    """A click on a molecule of an answer or of the route: what is it made of?"""
    from tenfold.reactions.visit import kept, onward

    visit, rank = kept(word), str(event.rank)
    place = int(rank) if rank.isdecimal() else None
    yield from _live(lambda tell: onward(visit, str(event.molecule), place, int(n), decoder, tell), is_new=False)


def _live(work: Any, is_new: bool = True) -> Iterator[list[Any]]:
    """The views after each call of the decoder, and at the end; a question that is not the box's goes into it."""
    from tenfold.core.watching import Finished, watched
    from tenfold.reactions.views import calling_html

    yield ["", "", "", gr.skip(), gr.update(visible=False), "", gr.skip(), gr.skip()]
    for item in watched(work):
        if isinstance(item, Finished):
            yield [*_finished(item.result), gr.skip() if is_new else item.result.answered.query]
        else:
            yield [gr.skip(), calling_html(item), *[gr.skip()] * 6]


def _finished(visit: Any) -> list[Any]:
    from tenfold.reactions.views import answers_html, counted_html, route_html
    from tenfold.reactions.visit import keep

    found = visit.answered
    return [
        keep(visit),
        counted_html(found),
        answers_html(found),
        route_html(visit),
        gr.update(visible=True),
        "",
        found.task,
    ]


def _checked(word: str) -> str:
    from tenfold.reactions.views import check_html
    from tenfold.reactions.visit import checked, kept

    return check_html(checked(kept(word).answered))


def _filed(file: str | None, column: str, task: str, n: float, decoder: str) -> Iterator[list[Any]]:
    from tenfold.core.watching import Finished, watched
    from tenfold.reactions.views import file_html, filing
    from tenfold.reactions.visit import answer_file

    yield ["Reading ...", gr.update(value=None, interactive=False), ""]
    out = private_folder() / "predictions.csv"
    for item in watched(lambda tell: answer_file(file, column, task, int(n), decoder, out, tell)):
        if isinstance(item, Finished):
            done = item.result
            yield [filing(done.step), gr.update(value=str(done.path), interactive=True), file_html(done)]
        else:
            yield [filing(item), gr.skip(), gr.skip()]


def _example(name: str | None) -> list[Any]:
    task, text = _examples().get(name or "", ("forward", ""))
    return [task, text, _usual_number(task)]


def _examples() -> dict[str, tuple[str, str]]:
    """Task and text by name: textbook reactions, and medicines to be made."""
    from tenfold.reactions.textbook import TEXTBOOK

    known = {one.name: ("forward", f"{one.reactants}.{one.reagents}".rstrip(".")) for one in TEXTBOOK}
    return {**known, **{f"retrosynthesis of {name}": ("retro", smiles) for name, smiles in MEDICINES.items()}}


def _usual_number(task: str) -> int:
    """A reaction has one main product; a molecule may be made in several ways."""
    return 1 if task == "forward" else 5


def _drawn(drawing: str | None) -> str:
    from tenfold.reactions.sketcher import drawn_smiles

    return drawn_smiles(drawing)


def _edited(text: str, task: str) -> str:
    from tenfold.reactions.molecules import read_query
    from tenfold.reactions.sketcher import molfile

    return molfile(read_query(text, task).smiles)
