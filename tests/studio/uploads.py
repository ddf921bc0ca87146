"""Giving a file to an upload box of a page."""

from pathlib import Path
from typing import Any


def upload(page: Any, label: str, file: Path) -> None:
    """Put a file into the box with this label, and wait until the box holds it.

    While a file travels the box shows its whole name; once there, stem and ending are two elements beside a link.
    """
    box = page.locator(".block", has=page.locator("label", has_text=label)).last
    box.locator("input[type=file]").set_input_files(file)
    box.locator(".file-preview", has_text=file.stem).wait_for()
