"""The page of semgrad in a real browser."""

import json
import os
from pathlib import Path

import pytest

from tests.semgrad import pipeline
from tests.studio.uploads import upload

pytestmark = pytest.mark.browser


def test_a_run_shows_curve_graph_advice_and_changes_and_fits_a_telephone(studio, page, tmp_path):
    folder = Path(os.environ.get("TENFOLD_SCREENSHOTS", tmp_path))
    page.goto(f"{studio.url}/semgrad")
    page.get_by_role("button", name="Optimise", exact=True).click()
    page.get_by_text("Held-out score of the best").wait_for()
    assert "not a language model" in page.locator("#semgrad-status").inner_text().splitlines()[0]
    page.locator(".semgrad del").first.wait_for()
    page.locator(".js-plotly-plot").nth(2).wait_for()
    page.get_by_text("answer to first", exact=True).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download best.json").or_(
            page.get_by_role("button", name="Download best.json")
        ).click()
    assert json.loads(Path(download.value.path()).read_text())["nodes"]
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), width
        page.screenshot(path=folder / f"semgrad-run-{width}.png", full_page=True)
    assert [url for url in page.requests if not url.startswith((studio.url, "data:", "blob:"))] == []


def test_an_edited_instruction_runs_one_sample_again_by_keyboard(studio, page):
    page.goto(f"{studio.url}/semgrad")
    page.get_by_role("button", name="Optimise", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("answer to first", exact=True).wait_for()
    page.get_by_role("textbox", name="Instruction", exact=True).fill("Do something that nobody can follow.")
    page.get_by_role("button", name="Run this sample again").focus()
    page.keyboard.press("Enter")
    page.locator(".semgrad td", has_text="unknown").first.wait_for()


def test_bad_uploads_are_the_same_sentences_as_on_the_command_line(studio, page, tmp_path):
    loop = [{**pipeline.NODES[0], "inputs": ["question", "answer"]}, *pipeline.NODES[1:]]
    (tmp_path / "graph.json").write_text(json.dumps({"nodes": loop}))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pipeline.questions(8)))
    page.goto(f"{studio.url}/semgrad")
    page.get_by_label("Task").click()
    page.get_by_role("option", name="My graph and questions").click()
    page.get_by_role("button", name="Optimise", exact=True).click()
    page.get_by_text("Upload a graph.").first.wait_for()
    upload(page, "Questions (JSON lines)", tmp_path / "rows.jsonl")
    upload(page, "Graph (JSON or YAML)", tmp_path / "graph.json")
    page.get_by_role("button", name="Optimise", exact=True).click()
    page.get_by_text("The graph has a cycle").first.wait_for()
    assert "Traceback" not in page.content()
