"""The pages in a real browser: what a person sees, and that nothing leaves the machine."""

import os
from pathlib import Path

import numpy as np
import pytest

from tenfold.udrl import environments

pytestmark = pytest.mark.browser


def test_no_request_leaves_the_machine_and_no_name_is_looked_up(studio, page, tmp_path):
    folder = Path(os.environ.get("TENFOLD_SCREENSHOTS", tmp_path))
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        for name in ("", "udrl", "semgrad", "judge", "reactions", "facts", "sample"):
            page.goto(f"{studio.url}/{name}")
            page.get_by_role("heading", level=1).wait_for()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), (name, width)
            page.screenshot(path=folder / f"{name or 'home'}-{width}.png", full_page=True)
    assert len(page.requests) > 20
    assert [url for url in page.requests if not url.startswith((studio.url, "data:", "blob:"))] == []
    names = {name for name in studio.lookups.read_text().split() if name not in ("127.0.0.1", "localhost", "None", "::1")}
    assert names == set()


def test_home_has_ten_cards_and_a_broken_page_does_not_take_it_down(studio, page):
    page.goto(studio.url)
    page.locator(".card").first.wait_for()
    assert page.locator(".card").count() == 12
    assert page.locator("a.card").count() == 6
    broken = page.locator(".card", has_text="a_package_that_nobody_has").inner_text()
    assert "pip install 'tenfold[broken]'" in broken
    page.locator("a.card", has_text="upside-down").click()
    page.get_by_role("heading", name="Convergence of upside-down RL").wait_for()


def test_bad_input_is_the_same_sentence_as_on_the_command_line(studio, page):
    page.goto(f"{studio.url}/sample")
    page.get_by_label("Number").fill("two")
    page.get_by_role("button", name="Double").click()
    page.get_by_text("'two' is not a number. Write digits.").wait_for()
    page.get_by_label("Number").fill("4")
    page.get_by_role("button", name="Double").click()
    page.wait_for_function("[...document.querySelectorAll('textarea, input')].some(e => e.value === '8.0')")


def test_udrl_computes_draws_and_takes_a_file(studio, page, tmp_path):
    page.goto(f"{studio.url}/udrl")
    page.get_by_text("Not safe here").wait_for()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    page.get_by_label("Environment").click()
    page.get_by_role("option", name="Bandit").click()
    page.get_by_text("Bandit, horizon 1").wait_for()
    page.get_by_label("Environment").click()
    page.get_by_role("option", name="My file (.npz)").click()
    environments.cycle(3, 2, 0.0).save(tmp_path / "my cycle.npz")
    page.locator("input[type=file]").set_input_files(tmp_path / "my cycle.npz")
    page.get_by_text("The kernel is deterministic: the method reaches the optimum.").wait_for()
    page.get_by_label("Remove").or_(page.get_by_label("Clear")).first.click()
    np.savez(tmp_path / "bad.npz", kernel=np.ones((2, 2, 2)), goal_map=[0, 1], start=np.ones((2, 1, 2)) / 4, horizon=1)
    page.locator("input[type=file]").set_input_files(tmp_path / "bad.npz")
    page.get_by_text("bad.npz: E[s=0,a=0] sums to 2, not 1.").first.wait_for()
    assert "Traceback" not in page.content()
