"""Documents of an office: PDF, Word, PowerPoint, Excel."""

import io
import re
from dataclasses import replace
from typing import Any

from tenfold.judge.artefact_texts import LEAST_WORDS, MOST_TEXT, PLACEHOLDER, prose
from tenfold.judge.facts import Artefact
from tenfold.judge.zips import zip_names, zip_part

__all__ = ["docx", "pdf", "pptx", "xlsx"]


def pdf(data: bytes, size: int) -> Artefact:
    if not data[:1024].lstrip().startswith(b"%PDF"):
        return Artefact(False, "it is no PDF")
    import logging

    from tenfold.core.extras import require

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = require("pypdf", "judge").PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        return Artefact(None, "it is encrypted and was not read")
    pages = len(reader.pages)
    text, pictures = "", 0
    for page in list(reader.pages[:30]):
        text += page.extract_text() + "\n"
        pictures += _pictures(page)
        if len(text) > MOST_TEXT:
            break
    found = prose(text, LEAST_WORDS["pdf"], pages=pages, pictures=pictures)
    if not found.valid and pictures and not PLACEHOLDER.search(text):
        return replace(found, valid=True, empty=False, why=f"{pages} pages with {pictures} pictures")
    return replace(found, why=f"{pages} pages; {found.why}")


def docx(data: bytes, size: int) -> Artefact:
    return prose("\n".join(_office(data, "word/document.xml", "p")), LEAST_WORDS["docx"])


def pptx(data: bytes, size: int) -> Artefact:
    slides = sorted(name for name in zip_names(data) if re.fullmatch(r"ppt/slides/slide\d+\.xml", name))
    text = "\n".join(line for name in slides[:100] for line in _office(data, name, "p"))
    return prose(text, 10, slides=len(slides))


def xlsx(data: bytes, size: int) -> Artefact:
    names = zip_names(data)
    sheets = [name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)]
    rows = zip_part(data, sheets[0]).count(b"<row")
    return Artefact(rows >= 2, f"{len(sheets)} sheets, the first with {rows} rows", rows == 0, details={"rows": rows})


def _pictures(page: Any) -> int:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    return 0 if objects is None else len(objects.get_object())


def _office(data: bytes, part: str, paragraph: str) -> list[str]:
    from tenfold.core.extras import require

    parser = require("defusedxml.ElementTree", "judge")
    root = parser.fromstring(zip_part(data, part))
    lines = []
    for node in root.iter():
        if node.tag.rsplit("}", 1)[-1] == paragraph:
            lines.append("".join(one.text or "" for one in node.iter() if one.tag.rsplit("}", 1)[-1] == "t"))
    return lines
