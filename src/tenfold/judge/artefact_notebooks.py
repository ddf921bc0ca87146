"""Notebooks: their cells, and whether these were run."""

import json
from typing import Any

from tenfold.judge.artefact_texts import MOST_TEXT, WORD
from tenfold.judge.facts import Artefact

__all__ = ["cell_sources", "notebook", "notebook_cells"]


def notebook(data: bytes, size: int) -> Artefact:
    cells = notebook_cells(data)
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    outputs = sum(bool(cell.get("outputs")) for cell in code)
    failed = any(
        out.get("output_type") == "error" for cell in code for out in cell.get("outputs") or [] if isinstance(out, dict)
    )
    text = "\n".join(_joined(cell.get("source")) for cell in cells if cell.get("cell_type") == "markdown")
    details = {"cells": len(cells), "code": len(code), "outputs": outputs, "failed": failed}
    found = {"words": len(WORD.findall(text)), "text": text[:MOST_TEXT], "details": details}
    if not cells:
        return Artefact(False, "it has no cells", empty=True)
    if not outputs:
        return Artefact(False, f"none of its {len(code)} code cells has an output", **found)
    return Artefact(True, f"{len(cells)} cells, {outputs} of {len(code)} code cells with outputs", **found)


def notebook_cells(data: bytes) -> list[dict[str, Any]]:
    """The cells of a notebook (nbformat 3 or 4), as JSON.

    Raises:
        ValueError: it is no notebook.
    """
    found = json.loads(data.decode("utf-8", errors="replace"))
    if not isinstance(found, dict):
        raise ValueError("no notebook")
    sheets = found.get("worksheets")
    cells = found.get("cells") if not sheets else [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise ValueError("no notebook")
    return [cell for cell in cells if isinstance(cell, dict)]


def cell_sources(data: bytes) -> list[str]:
    """The source of every code cell."""
    cells = [cell for cell in notebook_cells(data) if cell.get("cell_type") == "code"]
    return [_joined(cell.get("source", cell.get("input"))) for cell in cells]


def _joined(source: Any) -> str:
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source or "")
