"""The page of the judge: drop workspaces and requirements, look at every verdict's evidence, put your own in its place."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from tenfold.core.keeping import private_folder
from tenfold.core.sentences import sentences

__all__ = ["build"]

JUDGES = "as the judge said"
STYLE = """<style>
.judge { overflow-wrap: anywhere } .judge h3 { margin: .6rem 0 .3rem } .judge p { margin: .3rem 0 }
.judge .satisfied { color: #009E73 } .judge .unsatisfied { color: #D55E00 } .judge .undecided { color: #8a7a00 }
.dark .judge .undecided { color: #d9c84a }
.judge .pill { border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .6rem; font-size: .85rem;
 font-weight: 400; white-space: nowrap }
.judge .facts { padding: 0 }
.judge .facts li { list-style: none; padding: .15rem 0 .15rem .7rem; border-left: 3px solid; margin: .35rem 0 }
.judge .facts .for { border-color: #009E73 } .judge .facts .against { border-color: #D55E00 }
.judge code { font-size: .85em } .judge pre { overflow-x: auto; padding: .5rem; white-space: pre; font-size: .82rem;
 background: rgba(128,128,128,.12); border-radius: .3rem }
.judge pre b { display: inline-block; min-width: 2.6rem; opacity: .6; font-weight: 400 }
.judge pre .hit { background: rgba(230,159,0,.3) }
.judge figure { display: inline-block; margin: .4rem .8rem .4rem 0; vertical-align: top; max-width: 100% }
.judge img { max-width: 100%; border: 1px solid rgba(128,128,128,.4) } .judge figcaption { font-size: .8rem }
.judge .warn { border: 1px solid #D55E00; border-radius: .5rem; padding: .5rem .8rem; margin: .5rem 0 }
.judge .scroll { overflow-x: auto } .judge table { border-collapse: collapse; font-size: .9rem }
.judge th, .judge td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0;
 border-bottom: 1px solid var(--border-color-primary); min-width: 4.5rem; overflow-wrap: normal; word-break: normal }
</style>"""


def build() -> None:
    """Lay out the page; call inside a Gradio block."""
    from tenfold.judge.guest import ENGINE
    from tenfold.llm.offered import offered

    models = [ENGINE, *offered()]
    gr.HTML(STYLE)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            files = gr.File(
                label="Workspaces (zip or tar; a second one is set beside)",
                file_count="multiple",
                file_types=[".zip", ".tar", ".gz", ".tgz", ".json"],
            )
            requirements = gr.File(
                label="Requirements (DevAI JSON, YAML, text)", file_types=[".json", ".jsonl", ".yaml", ".yml", ".txt"]
            )
            text = gr.Textbox(
                lines=5,
                max_length=100_000,
                label="Or requirements as text, one a line",
                placeholder="A report is saved as `results/report.md`.",
            )
            model = gr.Dropdown(models, value=ENGINE, label="Judge", visible=len(models) > 1)
            judge = gr.Button("Judge", variant="primary")
            show = gr.Button("Show an example")
        with gr.Column(scale=2, min_width=320):
            status = gr.Markdown("Upload a workspace and requirements, or show an example.", elem_id="judge-status")
            which = gr.Radio([], label="Workspace", visible=False)
            summary = gr.HTML()
            dag = gr.Plot(label="Requirements and what they build on")
            report = gr.DownloadButton("Download the report (HTML)", interactive=False)
    gr.Markdown("## Evidence\nWhat speaks for and against a requirement, with the lines of the file, and what is missing.")
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            one = gr.Dropdown([], label="Requirement")
            own = gr.Radio([JUDGES, "satisfied", "unsatisfied"], value=JUDGES, label="Your verdict")
            labels = gr.DownloadButton("Download labels.csv", interactive=False)
        with gr.Column(scale=2, min_width=320):
            evidence = gr.HTML()
    gr.Markdown("## Side by side\nThe first two workspaces, requirement by requirement.")
    beside = gr.HTML()
    gr.Markdown("## Agreement with people\nA labels file: its recorded judge beside the people, and two floors.")
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            file = gr.File(label="Labels (CSV)", file_types=[".csv"])
            column = gr.Textbox("aaaj_gray_box", max_length=100, label="Column of the judge")
            compare = gr.Button("Compare")
        with gr.Column(scale=2, min_width=320):
            table = gr.HTML()
            curve = gr.Plot(label="Precision and recall")
            coverage = gr.Plot(label="Agreement among the most confident")
    # Not gr.State, which keeps every visitor's value for an hour and a connection open.
    word = gr.Textbox("", visible=False)

    views = [word, status, which, summary, dag, report, one, own, labels, evidence, beside]
    quiet: dict[str, Any] = {"show_progress": "hidden"}
    once: dict[str, Any] = {"show_progress": "minimal", "concurrency_limit": 2}
    judge.click(sentences(_judged), [files, requirements, text, model], views, **once)
    show.click(sentences(_example), None, views, **once)
    which.input(sentences(_workspace), [word, which], [summary, dag, report, one, own, evidence], **quiet)
    one.input(sentences(_requirement), [word, which, one], [own, evidence], **quiet)
    own.input(sentences(_own), [word, which, one, own], [summary, dag, report, one, labels, evidence, beside], **quiet)
    compare.click(sentences(_agreement), [file, column], [table, curve, coverage], **once)


def _judged(files: Any, requirements: Any, text: str, model: str) -> Iterator[list[Any]]:
    from tenfold.core.watching import Finished, watched
    from tenfold.judge.visit import judge_uploads

    for item in watched(lambda tell: judge_uploads(files, requirements, text, model, tell)):
        yield _all(item.result) if isinstance(item, Finished) else ["", item, *[gr.skip()] * 9]


def _example() -> list[Any]:
    from tenfold.judge.visit import example

    return _all(example())


def _all(visit: Any) -> list[Any]:
    """Every view of a visit, the first workspace chosen."""
    from tenfold.judge.visit import comparison_html, keep

    names = [(visit.name(place), place) for place in range(len(visit.reports))]
    return [
        keep(visit),
        _status(visit),
        gr.update(choices=names, value=0, visible=len(names) > 1),
        *_views(visit, 0),
        gr.update(value=None, interactive=False),
        _first_evidence(visit, 0),
        comparison_html(visit),
    ]


def _status(visit: Any) -> str:
    engine = visit.reports[0].settings.get("engine")
    if engine == "embedded":
        return "Judged by the embedded engine: files and code alone, **no language model**; nothing was run."
    calls = sum(int(one.settings.get("calls", 0)) for one in visit.reports)
    costs = [judgement.usd for one in visit.reports for judgement in one]
    stopped = next((str(one.settings["stopped"]) for one in visit.reports if one.settings.get("stopped")), "")
    return (
        f"Judged by {engine}: {calls:,} calls, "
        + ("unknown cost" if None in costs else f"${sum(cost or 0.0 for cost in costs):.4f}")
        + (f". {stopped}" if stopped else "")
    )


def _views(visit: Any, place: int) -> list[Any]:
    """Summary, picture, report, requirements and the visitor's verdict on the first."""
    from tenfold.judge.pictures import dag_figure
    from tenfold.judge.visit import choices, report_file, summary_html

    rows = choices(visit, place)
    return [
        summary_html(visit, place),
        dag_figure(visit.report(place)),
        gr.update(value=str(report_file(visit, place, private_folder())), interactive=True),
        gr.update(choices=rows, value=rows[0][1]),
        visit.verdicts.get((place, rows[0][1]), JUDGES),
    ]


def _workspace(word: str, place: int) -> list[Any]:
    from tenfold.judge.visit import kept

    visit = kept(word)
    return [*_views(visit, _place(visit, place)), _first_evidence(visit, _place(visit, place))]


def _requirement(word: str, place: int, identity: str) -> list[Any]:
    from tenfold.judge.visit import evidence_html, kept

    visit = kept(word)
    place = _place(visit, place)
    return [visit.verdicts.get((place, identity), JUDGES), evidence_html(visit, place, identity)]


def _own(word: str, place: int, identity: str, verdict: str) -> list[Any]:
    """The visitor's verdict counts from here on, and becomes a label."""
    from tenfold.judge.visit import choices, comparison_html, evidence_html, kept, labels_file, verdict_set

    visit = kept(word)
    place = _place(visit, place)
    verdict_set(visit, place, identity, verdict)
    path = labels_file(visit, private_folder())
    summary, dag, report, *_ = _views(visit, place)
    return [
        summary,
        dag,
        report,
        gr.update(choices=choices(visit, place), value=identity),
        gr.update(value=None if path is None else str(path), interactive=path is not None),
        evidence_html(visit, place, identity),
        comparison_html(visit),
    ]


def _agreement(file: Any, column: str) -> list[Any]:
    from tenfold.judge.alignment import agreement
    from tenfold.judge.guest import uploaded_labels
    from tenfold.judge.pictures import coverage_figure, curve_figure
    from tenfold.judge.visit import markdown_table_html

    found = agreement(None, uploaded_labels(file), column=column.strip())
    return [markdown_table_html(found.to_markdown()), curve_figure(found), coverage_figure(found)]


def _first_evidence(visit: Any, place: int) -> str:
    """The evidence of the first requirement: the one that the list shows."""
    from tenfold.judge.visit import evidence_html

    return evidence_html(visit, place, visit.reports[place].judgements[0].requirement.id)


def _place(visit: Any, place: Any) -> int:
    """A place that the visit has, whatever the browser sent."""
    return place if isinstance(place, int) and 0 <= place < len(visit.reports) else 0
