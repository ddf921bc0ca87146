"""Faults of what a run leaves behind: pictures, documents, models, tables, metrics, notebooks."""

import io
import json
import re

from tenfold.judge.faults.reference import Files

__all__ = [
    "blank_picture",
    "cells_as_text",
    "header_only",
    "numbers_removed",
    "one_page_title",
    "one_pixel",
    "outputs_stripped",
    "truncated",
]


def truncated(files: Files, path: str) -> Files:
    """Only the first third of the bytes: the run was killed while it wrote."""
    return {**files, path: files[path][: len(files[path]) // 3]}


def one_pixel(files: Files, path: str) -> Files:
    """A picture of one pixel, in the format of its name."""
    return {**files, path: _picture(path, (1, 1))}


def blank_picture(files: Files, path: str) -> Files:
    """A picture as large as the true one, and white."""
    from PIL import Image

    with Image.open(io.BytesIO(files[path])) as picture:
        return {**files, path: _picture(path, picture.size)}


def one_page_title(files: Files, path: str) -> Files:
    """A sound PDF of one page that holds a title and nothing else."""
    return {**files, path: _pdf("Report")}


def numbers_removed(files: Files, path: str) -> Files:
    """The names of the metrics, and n/a where their values should be."""
    text = re.sub(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", "n/a", files[path].decode())
    return {**files, path: text.encode()}


def header_only(files: Files, path: str) -> Files:
    """A table with names of columns and no rows."""
    return {**files, path: files[path].splitlines(keepends=True)[0]}


def outputs_stripped(files: Files, path: str) -> Files:
    """The notebook was never run: no outputs, no numbers of runs."""
    notebook = json.loads(files[path])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return {**files, path: json.dumps(notebook, indent=1).encode()}


def cells_as_text(files: Files, path: str) -> Files:
    """The notebook's programs stand in it as text; there is nothing to run."""
    notebook = json.loads(files[path])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["cell_type"] = "markdown"
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    return {**files, path: json.dumps(notebook, indent=1).encode()}


def _picture(path: str, size: tuple[int, int]) -> bytes:
    from PIL import Image

    kind = {"jpg": "JPEG", "jpeg": "JPEG", "gif": "GIF"}.get(path.rsplit(".", 1)[-1].lower(), "PNG")
    made = io.BytesIO()
    Image.new("RGB", size, (255, 255, 255)).save(made, format=kind)
    return made.getvalue()


def _pdf(title: str) -> bytes:
    """One page of PDF 1.4 with one line of text, its cross-reference table right."""
    stream = f"BT /F1 18 Tf 72 720 Td ({title}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return (text + end + f"startxref\n{len(text)}\n%%EOF\n").encode()
