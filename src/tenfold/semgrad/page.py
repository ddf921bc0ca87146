"""The page of semgrad: choose a task or upload a graph, optimise its instructions, look at every value, advice and edit."""

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from tenfold.core.keeping import private_folder
from tenfold.core.sentences import sentences

__all__ = ["build"]

OWN = "own"
TASKS = [
    ("Arithmetic in two brackets", "arithmetic"),
    ("Navigation: back at the start?", "navigate"),
    ("Counting objects in a list", "counting"),
    ("Tracking shuffled objects", "tracking"),
    ("Boolean expressions", "boolean"),
    ("My graph and questions", OWN),
]
LEVELS = [
    ("full: all hints, question, answer", "full"),
    ("self: one hint, question, answer", "self"),
    ("bare: one hint and the answer (TextGrad's rule)", "bare"),
    ("none: no feedback", "none"),
]
POLICIES = [
    ("auto", "auto"),
    ("full: every instruction at once", "full"),
    ("subset: a random half", "subset"),
    ("one: in turn", "one"),
    ("bandit: what has paid off", "bandit"),
]
GATES = [
    ("ties: not worse", "ties"),
    ("strict: better", "strict"),
    ("paired: significantly better", "paired"),
    ("none: always", "none"),
]
STYLE = """<style>
.semgrad ins { background: rgba(0,158,115,.22); text-decoration: none; border-bottom: 2px solid #009E73 }
.semgrad del + ins { margin-left: .25em }
.semgrad del { background: rgba(213,94,0,.16); text-decoration: line-through }
.semgrad table { border-collapse: collapse; width: 100%; table-layout: fixed; font-size: .92rem }
.semgrad th, .semgrad td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
 border-bottom: 1px solid var(--border-color-primary); overflow-wrap: anywhere; white-space: pre-wrap }
.semgrad th { font-weight: 600 } .semgrad th:first-child { width: 7.5rem }
.semgrad p { margin: .5rem 0 .1rem }
</style>"""


def build() -> None:
    """Lay out the page; call inside a Gradio block."""
    from tenfold.semgrad.guest import ENGINE, models

    offered = list(models())
    gr.HTML(STYLE)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            task = gr.Dropdown(TASKS, value="arithmetic", label="Task")
            start = gr.Radio(
                [("hint nodes", "leaf"), ("every node", "all")], value="leaf", label="Which instructions start wrong"
            )
            graph = gr.File(label="Graph (JSON or YAML)", file_types=[".json", ".yaml", ".yml"], visible=False)
            questions = gr.File(label="Questions (JSON lines)", file_types=[".jsonl", ".json", ".csv"], visible=False)
            metric = gr.Dropdown(["exact", "numeric", "f1"], value="exact", label="Score", visible=False)
            level = gr.Dropdown(LEVELS, value="full", label="Neighbourhood: what a backward call sees")
            policy = gr.Dropdown(POLICIES, value="auto", label="Policy: which instructions move in a step")
            gate = gr.Dropdown(GATES, value="ties", label="Gate: which candidates are kept")
            steps = gr.Slider(1, 40, value=12, step=1, label="Steps")
            seeds = gr.Slider(1, 5, value=1, step=1, label="Seeds (more than 1: with interval)")
            seed = gr.Number(0, precision=0, minimum=0, maximum=2**31 - 1, label="First seed")
            model = gr.Dropdown(offered, value=ENGINE, label="Model", visible=len(offered) > 1)
            with gr.Row():
                run = gr.Button("Optimise", variant="primary")
                stop = gr.Button("Stop")
        with gr.Column(scale=2, min_width=320):
            status = gr.Markdown("Press Optimise.", elem_id="semgrad-status")
            curve = gr.Plot(label="Score over steps")
            strip = gr.Plot(label="What the gate decided, round by round")
            with gr.Row():
                best = gr.DownloadButton("Download best.json", interactive=False)
                report = gr.DownloadButton("Download the report (HTML)", interactive=False)
    gr.Markdown("## One sample\nIts values at every node, and the advice that flowed back over every edge.")
    with gr.Row():
        step = gr.Dropdown([], label="Step", min_width=140)
        sample = gr.Dropdown([], label="Sample", min_width=140)
    with gr.Row():
        with gr.Column(min_width=320):
            picture = gr.Plot(label="The graph")
        with gr.Column(min_width=320):
            flow = gr.HTML(label="Values and advice")
    gr.Markdown(
        "## Edit\nChange an instruction and run the chosen sample again, or follow each piece of advice on it by itself; "
        "a pinned instruction stays as it is."
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            node = gr.Dropdown([], label="Instruction of")
            pinned = gr.CheckboxGroup([], label="Pinned", visible=False)
        with gr.Column(scale=2, min_width=280):
            text = gr.Textbox(lines=3, max_length=20_000, label="Instruction")
            with gr.Row():
                again = gr.Button("Run this sample again")
                follow = gr.Button("Follow its advice")
                onward = gr.Button("Optimise from here")
            tried = gr.HTML()
    gr.Markdown("## Instructions, step by step")
    differences = gr.HTML()
    # Not gr.State, which keeps every visitor's value for an hour and a connection open.
    kept = gr.Textbox("", visible=False)

    asked = [task, start, graph, questions, metric, level, policy, gate, steps, seeds, seed, model]
    views = [kept, status, curve, strip, best, report, step, sample, node, pinned, differences]
    chosen = [kept, step, sample, node]
    task.change(_fields, task, [start, graph, questions, metric], show_progress="hidden")
    quiet: dict[str, Any] = {"show_progress": "hidden"}
    once = {"show_progress": "minimal", "concurrency_limit": 4}
    running: list[Any] = [
        run.click(sentences(_from_start), asked, views, **once),
        onward.click(sentences(_from_here), [*asked, kept, node, text, pinned], views, **once),
    ]
    stop.click(None, cancels=running)
    for event in running:
        event.then(sentences(_look), chosen, [picture, flow, text], **quiet)
    step.input(sentences(_samples), [kept, step], sample, **quiet).then(
        sentences(_look), chosen, [picture, flow, text], **quiet
    )
    sample.input(sentences(_look), chosen, [picture, flow, text], **quiet)
    node.input(sentences(_instruction), [kept, node], text, **quiet)
    again.click(sentences(_again), [*chosen, text], [picture, flow], **once)
    follow.click(sentences(_tried), [kept, sample, node, text], tried, **once)


def _fields(task: str) -> list[Any]:
    own = task == OWN
    return [gr.update(visible=not own), gr.update(visible=own), gr.update(visible=own), gr.update(visible=own)]


def _from_start(*values: Any) -> Iterator[list[Any]]:
    from tenfold.semgrad.visit import asked

    yield from _shown(asked(*values))


def _from_here(*values: Any) -> Iterator[list[Any]]:
    """Optimise on from the best texts so far, with the edited one, the pinned ones fixed."""
    from tenfold.semgrad.visit import asked, kept, onward

    ask = asked(*values[:12])
    word, node, text, pinned = values[12:]
    yield from _shown(onward(ask, kept(word), {node: text} if node else {}, pinned or []))


def _shown(ask: Any) -> Iterator[list[Any]]:
    """The page's views as a run goes on: after each step the pictures, at the end everything."""
    from tenfold.core.watching import Finished, watched
    from tenfold.semgrad.visit import optimise

    nothing = [gr.skip()] * 9
    yield ["", "Running ...", *nothing]
    for item in watched(lambda tell: optimise(ask, tell)):
        if isinstance(item, Finished):
            yield _finished(item.result)
        else:
            yield [gr.skip(), item.status(), *_pictures(item), *[gr.skip()] * 7]


def _pictures(made: Any) -> list[Any]:
    from tenfold.semgrad.pictures import decisions_figure, score_figure
    from tenfold.semgrad.views import decisions

    return [score_figure(made.curves()), decisions_figure(decisions(made.history))]


def _finished(made: Any) -> list[Any]:
    from tenfold.semgrad.visit import keep

    folder = private_folder()
    best = made.best.save(folder / "best.json")
    report = made.report(folder)
    steps = [(f"step {item.step}", item.step) for item in made.history]
    names = list(made.best.trainable) or list(made.best.instructions)
    return [
        keep(made),
        made.status(),
        *_pictures(made),
        gr.update(value=str(best), interactive=True),
        gr.update(value=str(report), interactive=True),
        gr.update(choices=steps, value=steps[0][1] if steps else None),
        _drawn(made, steps[0][1] if steps else None),
        gr.update(choices=names, value=names[0]),
        gr.update(choices=list(made.best.instructions), value=[], visible=len(names) > 1),
        _differences(made),
    ]


def _samples(word: str, step: int | None) -> Any:
    from tenfold.semgrad.visit import kept

    return _drawn(kept(word), step)


def _drawn(made: Any, step: int | None) -> Any:
    seen = made.seen(step) if made is not None and step else []
    choices = [(f"question {item.sample}", item.sample) for item in seen]
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def _look(word: str, step: int | None, sample: int | None, node: str | None) -> list[Any]:
    """The chosen sample as the run saw it, and the chosen instruction."""
    from tenfold.semgrad.visit import kept

    made = kept(word)
    text = made.best.instructions[node] if made is not None and node else ""
    if made is None or step is None or sample is None:
        return [None, _note("No sample was looked at: every answer was right."), text]
    seen = next((item for item in made.seen(step) if item.sample == sample), None)
    if seen is None:
        return [None, "", text]
    return [*_sample(made, seen), text]


def _instruction(word: str, node: str | None) -> str:
    from tenfold.semgrad.visit import kept

    made = kept(word)
    return made.best.instructions.get(node, "") if made is not None and node else ""


def _again(word: str, step: int | None, sample: int | None, node: str | None, text: str) -> list[Any]:
    """The chosen sample once more, now, with the edited instruction."""
    from tenfold.core.errors import BadInput
    from tenfold.semgrad.visit import again, kept

    made = kept(word)
    if made is None or sample is None:
        raise BadInput("There is no sample to run.", "Press Optimise first, then choose a step and a sample.")
    return _sample(made, again(made, sample, {node: text} if node else {}))


def _tried(word: str, sample: int | None, node: str | None, text: str) -> str:
    """Each piece of advice on the chosen sample, followed by itself, with the edited instruction."""
    from tenfold.core.errors import BadInput
    from tenfold.semgrad.visit import kept, tried

    made = kept(word)
    if made is None or sample is None:
        raise BadInput("There is no sample with advice.", "Press Optimise first, then choose a step and a sample.")
    swaps = tried(made, sample, {node: text} if node else {})
    if not swaps:
        return _note("There is no advice to follow: with these instructions the answer is right, or no value is named.")
    words = {True: "which helps", False: "which does not help"}
    rows = [(f"{s.node}: {s.value} becomes {s.candidate}", f"the answer is {s.answer}, {words[s.improves]}") for s in swaps]
    return _table(("advice", "then"), rows)


def _sample(made: Any, seen: Any) -> list[Any]:
    from tenfold.semgrad.views import sample_figure

    graph, target = seen.graph, made.ask.train[seen.sample].get("target", "")
    rows = [(name, seen.values.get(name, "")) for name in (*graph.queries, *graph.structure.order)]
    rows += [("target", str(target)), ("feedback", seen.feedback or "none: the answer is right, or the level is none")]
    rows += [(f"{successor} to {name}", text) for (name, successor), text in seen.advice.items()]
    return [sample_figure(seen), _table(("what", "text"), rows)]


def _differences(made: Any) -> str:
    from tenfold.semgrad.pictures import diff_html
    from tenfold.semgrad.views import kept_changes

    rows = [(f"step {c.step}: {c.parameter}", diff_html(c.before, c.after)) for c in kept_changes(made.start, made.history)]
    if not rows:
        return _note("No instruction was changed.")
    body = "".join(f"<tr><td>{html.escape(name)}</td><td>{marked}</td></tr>" for name, marked in rows)
    return f'<div class="semgrad"><table><tr><th>step</th><th>instruction</th></tr>{body}</table></div>'


def _table(columns: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f'<div class="semgrad"><table><tr>{head}</tr>{body}</table></div>'


def _note(words: str) -> str:
    return f'<div class="semgrad"><p>{html.escape(words)}</p></div>'
