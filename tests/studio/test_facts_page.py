"""The page of facts in a real browser."""

import os
from pathlib import Path

import pandas as pd
import pytest

from tests.studio.uploads import upload

pytest.importorskip("pandas", reason="the extra facts is not installed")
pytestmark = pytest.mark.browser
FILE = "Table: a column of times, a column a series (or unique_id, ds, y)"


def test_the_made_up_town_is_forecast_shuffled_and_streamed_and_fits_a_telephone(studio, page, tmp_path):
    folder = Path(os.environ.get("TENFOLD_SCREENSHOTS", tmp_path))
    page.goto(f"{studio.url}/facts")
    page.get_by_role("button", name="Forecast the made-up town").click()
    page.get_by_text("24 steps of 7 series.").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), width
        page.screenshot(path=folder / f"facts-run-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the forecast").or_(
            page.get_by_role("button", name="Download the forecast")
        ).click()
    assert len(pd.read_csv(download.value.path())) == 24
    page.get_by_role("tab", name="Shuffle").click()
    page.get_by_role("button", name="Shuffle the rows").click()
    page.locator("#facts-shuffle table").wait_for()
    cells = page.locator("#facts-shuffle td").all_inner_texts()
    assert max(map(float, cells[1:3])) <= 1e-5
    assert min(map(float, cells[4:6])) > 0.1
    page.get_by_role("tab", name="Stream").click()
    page.get_by_role("button", name="Give it one frame").click()
    page.get_by_text("Frame 24 of 24").wait_for()
    page.screenshot(path=folder / "facts-stream-1280.png", full_page=True)
    assert [url for url in page.requests if not url.startswith((studio.url, "data:", "blob:"))] == []


def test_an_own_table_is_fitted_by_keyboard_and_a_bad_one_is_refused_in_a_sentence(studio, page, tmp_path):
    from tenfold.facts import town_meters

    town_meters(400)[["time", "power", "sun"]].to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "bad.csv").write_text("time,a\n2024-01-01,1\n2024-01-02,x\n2024-01-03,2\n")
    page.goto(f"{studio.url}/facts")
    page.get_by_role("button", name="Fit and forecast").focus()
    page.keyboard.press("Enter")
    page.get_by_text("There is no table yet.").first.wait_for()
    upload(page, FILE, tmp_path / "mine.csv")
    page.get_by_role("spinbutton", name="number input for Minutes of training at most").fill("0.1")
    page.get_by_role("button", name="Fit and forecast").focus()
    page.keyboard.press("Enter")
    page.get_by_text("24 steps of 2 series.").wait_for(timeout=90_000)
    page.reload()
    upload(page, FILE, tmp_path / "bad.csv")
    page.get_by_text("row 2, column 'a': 'x' is no number").first.wait_for()
