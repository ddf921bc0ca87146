"""The page of reactions in a real browser: draw, predict, compare, break down, answer a file; by mouse, keys, at 400 px."""

import csv
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("rdkit", reason="extra reactions is not installed")

from tenfold.reactions import weights
from tests.studio.uploads import upload

pytestmark = pytest.mark.browser
needs_models = pytest.mark.skipif(len(weights.shipped()) < 2, reason="no trained models are part of this checkout")
BOX = "SMILES or reaction SMILES; dots join molecules"


def opened(studio, page, *, drawing=False):
    page.goto(f"{studio.url}/reactions")
    page.get_by_role("button", name="Predict", exact=True).wait_for()
    if drawing:
        page.get_by_text("Draw it").click()
        page.locator("#sketcher svg").scroll_into_view_if_needed()


def drawn(page):
    """What the drawing becomes in the box."""
    page.get_by_label(BOX).fill("")
    page.get_by_role("button", name="Put it into the box").click()
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(box => box.value.length > 0)")
    return page.get_by_label(BOX).input_value()


def middle(page, shape):
    box = page.locator(f"#sketcher svg {shape}").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, begin, end):
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def test_a_molecule_is_drawn_with_the_mouse_on_a_narrow_screen(studio, page):
    page.set_viewport_size({"width": 400, "height": 900})
    opened(studio, page, drawing=True)
    canvas = page.locator("#sketcher svg")
    page.get_by_role("button", name="Benzene ring").click()
    canvas.click(position={"x": 100, "y": 80})
    assert drawn(page) == "c1ccccc1"
    page.get_by_role("button", name="Draw O", exact=True).click()
    x, y = middle(page, "circle.corner >> nth=0")
    drag(page, (x, y), (x - 30, y + 17))
    assert drawn(page) == "Oc1ccccc1"
    page.get_by_role("button", name="Draw C", exact=True).click()
    canvas.click(position={"x": 200, "y": 80})
    x, y = middle(page, "text >> nth=-1")
    drag(page, (x, y), (x + 40, y))
    page.mouse.click(*middle(page, "line >> nth=-1"))
    assert drawn(page) == "C=C.Oc1ccccc1"
    page.get_by_role("button", name="Undo").click()
    assert drawn(page) == "CC.Oc1ccccc1"
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Put it into the box").click()
    page.get_by_text("Nothing is drawn yet. Click into the canvas to place an atom.").first.wait_for()


def test_a_molecule_is_drawn_with_keys_alone(studio, page):
    opened(studio, page, drawing=True)
    page.locator("#sketcher svg").focus()
    for key in ("Enter", "a", "a", "2", "o", "ArrowDown", "a", "n", "+", "Delete", "Control+z"):
        page.keyboard.press(key)
    assert "atom" in page.locator("#sketcher [aria-live]").inner_text()
    assert re.fullmatch(r"[CNO=\[\]H0-9+()]+", drawn(page))
    assert sorted(re.findall("[CNO]", drawn(page))) == ["C", "C", "N", "O"]


def test_what_the_box_holds_is_drawn_and_comes_back_with_its_stereo(studio, page):
    opened(studio, page, drawing=True)
    page.get_by_label(BOX).fill("C[C@H](N)C(=O)O.[Na+].[OH-]")
    page.get_by_role("button", name="Draw what the box holds").click()
    page.locator("#sketcher svg text", has_text="Na").wait_for()
    assert drawn(page) == "C[C@H](N)C(=O)O.[Na+].[OH-]"


@needs_models
def test_a_prediction_counts_its_calls_and_equals_plain_decoding(studio, page, tmp_path):
    folder = Path(os.environ.get("TENFOLD_SCREENSHOTS", tmp_path))
    opened(studio, page)
    page.get_by_label("Examples").click()
    page.get_by_role("option", name="Suzuki coupling").click()
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(box => box.value.includes('Br'))")
    page.get_by_role("button", name="Predict", exact=True).click()
    status = page.locator("#rx-status")
    status.get_by_text("instead of").wait_for()
    calls, plain = map(int, re.search(r"(\d+) model calls? instead of (\d+)", status.inner_text()).groups())
    assert calls <= plain
    assert page.locator("#rx-answers svg").count() >= 6
    page.get_by_role("button", name="Check: decode plainly too").click()
    page.get_by_text("Both give the same answers in the same order.").wait_for()
    cells = page.locator("td").all_inner_texts()
    assert cells[:2] + cells[3:5] == ["greedy", str(plain), "speculative", str(calls)]
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), width
        page.screenshot(path=folder / f"reactions-run-{width}.png", full_page=True)
    assert [url for url in page.requests if not url.startswith((studio.url, "data:", "blob:"))] == []


@needs_models
def test_a_molecule_of_an_answer_is_broken_down_by_keyboard(studio, page):
    opened(studio, page)
    page.get_by_label(BOX).fill("CCN(CC)CCOC(=O)c1ccc(N)cc1")
    page.get_by_label("Reactants of this product").first.check()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#rx-status").get_by_text("instead of").wait_for()
    # An answer's own button, whatever the model answered.
    page.evaluate(
        """document.querySelector('#rx-answers .rx').insertAdjacentHTML('beforeend',
        '<button data-molecule="CCN(CC)CCO" data-rank="">Break this one down, too</button>')"""
    )
    page.get_by_role("button", name="Break this one down, too").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(box => box.value === 'CCN(CC)CCO')")
    page.locator("#rx-status").get_by_text("instead of").wait_for()


@needs_models
def test_bad_input_is_the_same_sentence_as_on_the_command_line(studio, page):
    opened(studio, page)
    for text, words in (("", "The line is empty."), ("C1CC", "Ring 1 is opened but never closed in 'C1CC'.")):
        page.get_by_label(BOX).fill(text)
        page.get_by_role("button", name="Predict", exact=True).click()
        page.get_by_text(words).first.wait_for()
    assert "Traceback" not in page.content()


@needs_models
def test_a_file_is_answered_and_its_table_downloaded(studio, page, tmp_path):
    (tmp_path / "mine.csv").write_text("name,smiles\na,CCO.CC(=O)Cl\nb,C1CC\n")
    opened(studio, page)
    page.get_by_role("tab", name="A file").click()
    upload(page, "SMILES, table or .rxn", tmp_path / "mine.csv")
    page.get_by_role("button", name="Answer the file").click()
    page.get_by_text("row 2: Ring 1 is opened but never closed in 'C1CC'.").wait_for()
    assert "2 of 2 rows, 1 failed" in page.locator("#rx-file-status").inner_text()
    with page.expect_download() as download:
        page.get_by_text("Download the table (CSV)").click()
    with Path(download.value.path()).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["input"] for row in rows] == ["CCO.CC(=O)Cl", "C1CC"]
    assert rows[0]["rank"] == "1"
