"""Reports written: JSON (and read back), Markdown, JUnit XML, SARIF; HTML is in `report_page`.

Text of judged files and of models is quoted as data: escaped for the form, and cut of characters that the form forbids.
"""

import functools
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tenfold.core.errors import BadInput
from tenfold.core.files import jsonable, read_json, write_atomic
from tenfold.judge.report_page import to_html
from tenfold.judge.requirements import load_requirements
from tenfold.judge.types import Evidence, Judgement, Report, Requirement, Requirements

__all__ = [
    "FORMAT",
    "from_dict",
    "inline",
    "place_of",
    "read_report",
    "report_path",
    "to_dict",
    "to_html",
    "to_json",
    "to_junit",
    "to_markdown",
    "to_sarif",
    "write_report",
]

FORMAT = "tenfold.judge.report/1"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = {"satisfied": "✅", "unsatisfied": "❌", "undecided": "❔"}


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain JSON values; shares in [0, 1], `summary` for scripts, the rest enough for `from_dict`."""
    rewards = report.rewards()
    return {
        "format": FORMAT,
        "workspace": report.workspace,
        "summary": _summary(report),
        "requirements": {
            "name": report.requirements.name,
            "query": report.requirements.query,
            "items": [_plain(item) for item in report.requirements],
        },
        "judgements": [
            {
                "id": one.requirement.id,
                "criteria": one.requirement.criteria,
                **{key: value for key, value in _plain(one).items() if key not in ("requirement", "evidence")},
                "reward": rewards[one.requirement.id],
                "evidence": [_plain(fact) for fact in one.evidence],
            }
            for one in report
        ],
        "flags": [jsonable(flag) for flag in report.flags],
        "settings": jsonable(report.settings),
        "notes": list(report.notes),
    }


def to_json(report: Report) -> str:
    """The report as JSON; the same report gives the same bytes."""
    return json.dumps(jsonable(to_dict(report)), indent=2, allow_nan=False) + "\n"


def from_dict(value: Any, where: str = "The report") -> Report:
    """A report from the values of `to_dict`.

    Raises:
        BadInput: it is not in that form (the first place that is wrong is named), or its prerequisites are no DAG.
    """
    from pydantic import ValidationError

    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise BadInput(f"{where} is not a report of `tenfold judge run`.", f"Its field format should be {FORMAT}.")
    try:
        table = value["requirements"]
        items = _adapter(tuple[Requirement, ...]).validate_python(table["items"])
        requirements = Requirements(str(table["name"]), items, str(table["query"]))
        by_id = requirements.by_id
        fields = [name for name in Judgement.__dataclass_fields__ if name not in ("requirement", "evidence")]
        evidence, judgement = _adapter(tuple[Evidence, ...]), _adapter(Judgement)
        judgements = tuple(
            judgement.validate_python(
                {
                    **{name: row[name] for name in fields},
                    "requirement": by_id[row["id"]],
                    "evidence": evidence.validate_python(row["evidence"]),
                }
            )
            for row in value["judgements"]
        )
        flags = _adapter(tuple[dict[str, Any], ...]).validate_python(value["flags"])
        settings = _adapter(dict[str, Any]).validate_python(value["settings"])
        notes = _adapter(tuple[str, ...]).validate_python(value["notes"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where} is damaged at {place or 'a field'}: {first['msg']}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{where} is damaged: {error!r:.120}.") from error
    if [one.requirement.id for one in judgements] != [item.id for item in items]:
        raise BadInput(f"{where} is damaged: its judgements are not those of its requirements.")
    if not all(0.0 <= share <= 1.0 for one in judgements for share in (one.confidence, one.probability)):
        raise BadInput(f"{where} is damaged: a confidence or probability is not in [0, 1].")
    load_requirements(requirements)
    return Report(str(value["workspace"]), requirements, judgements, flags, settings, notes)


def read_report(path: str | os.PathLike[str]) -> Report:
    """A report from a JSON file.

    Raises:
        BadInput: unreadable, or no report.
    """
    return from_dict(read_json(path), str(path))


def to_markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown: a table, then each requirement's evidence."""
    total = _summary(report)
    counts = ", ".join(f"{total[name]} {name}" for name in ("satisfied", "unsatisfied", "undecided"))
    lines = [
        f"# {inline(report.workspace)}: {inline(report.requirements.name)}",
        "",
        f"{counts}; {total['met']:.1%} met, {total['met_dependent']:.1%} with prerequisites, reward {total['reward']:.3f}.",
        "",
        "| id | verdict | confidence | requirement |",
        "|---|---|---|---|",
        *(
            f"| {inline(one.requirement.id)} | {_MARKS[one.verdict]} {one.verdict} | {one.confidence:.2f} "
            f"| {inline(one.requirement.criteria)} |"
            for one in report
        ),
    ]
    for one in report:
        if one.evidence or one.missing:
            lines += ["", f"## {inline(one.requirement.id)}: {one.verdict}", ""]
            lines += [
                f"- {'for' if fact.supports else 'against'}: {inline(fact.words)}{_place(fact)}" for fact in one.evidence
            ]
            lines += [f"- to decide: {inline(one.missing)}"] if one.missing else []
    if report.flags:
        lines += ["", "## Text that addresses the judge", ""]
        lines += ["- " + inline(f"{one.get('file')}:{one.get('line')}: {one.get('text')}") for one in report.flags]
    lines += ["", *(f"Note: {inline(note)}" for note in report.notes)] if report.notes else []
    return "\n".join(lines) + "\n"


def to_junit(report: Report) -> str:
    """The report as JUnit XML: unsatisfied = failure, undecided = skipped."""
    total = _summary(report)
    attributes = {
        "name": _allowed(report.workspace),
        "tests": str(len(report.judgements)),
        "failures": str(total["unsatisfied"]),
        "errors": "0",
        "skipped": str(total["undecided"]),
        "time": f"{sum(one.seconds for one in report):.3f}",
    }
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", attributes)
    for one in report:
        name = _allowed(f"{one.requirement.id}: {one.requirement.criteria}")
        known = {"name": name, "classname": _allowed(report.requirements.name), "time": f"{one.seconds:.3f}"}
        case = ElementTree.SubElement(suite, "testcase", known)
        facts = "\n".join(f"{_side(fact)}: {fact.words}{place_of(fact)}" for fact in one.evidence)
        if one.verdict == "unsatisfied":
            first = next((fact.words for fact in one.evidence if not fact.supports), "") or one.missing or "unsatisfied"
            failure = ElementTree.SubElement(case, "failure", {"message": _allowed(first), "type": "unsatisfied"})
            failure.text = _allowed(facts)
        else:
            if one.verdict == "undecided":
                ElementTree.SubElement(case, "skipped", {"message": _allowed(one.missing or "undecided")})
            if facts:
                ElementTree.SubElement(case, "system-out").text = _allowed(facts)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def to_sarif(report: Report) -> str:
    """The report as SARIF 2.1.0 for code hosts: one result for each requirement that is not satisfied, at its evidence."""
    rules = [
        {"id": one.requirement.id, "shortDescription": {"text": _allowed(one.requirement.criteria)}}
        for one in report
        if one.verdict != "satisfied"
    ]
    results = [_result(one) for one in report if one.verdict != "satisfied"]
    driver = {"name": "tenfold judge", "rules": rules}
    run = {"tool": {"driver": driver}, "results": results, "properties": _summary(report)}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def write_report(
    report: Report,
    path: str | os.PathLike[str],
    *,
    quote: Callable[[str, int], Any] | None = None,
) -> Path:
    """Write a report, atomically, in the form that the file's name asks for: .json, .md, .html, .xml (JUnit), .sarif.

    Args:
        report: what was judged.
        path: where.
        quote: (file, line) -> [(line number, text), ...]: source lines for HTML.

    Raises:
        BadInput: another suffix.
        TenfoldError: the place cannot be written.
    """
    path = report_path(path)
    forms: dict[str, Callable[[Report], str]] = {
        ".json": to_json,
        ".md": to_markdown,
        ".html": lambda one: to_html(one, quote=quote),
        ".xml": to_junit,
        ".sarif": to_sarif,
    }
    return write_atomic(path, forms[path.suffix.lower()](report).encode("utf-8", "replace"))


def report_path(path: str | os.PathLike[str]) -> Path:
    """The path, if its suffix is one that `write_report` knows: to be asked before anything is judged.

    Raises:
        BadInput: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in (".json", ".md", ".html", ".xml", ".sarif"):
        raise BadInput(f"{path} has no suffix of a report.", "Use .json, .md, .html, .xml (JUnit) or .sarif.")
    return path


def place_of(fact: Evidence) -> str:
    """Where a fact stands, " (file:line)", or nothing."""
    return f" ({fact.file}{f':{fact.line}' if fact.line else ''})" if fact.file else ""


def inline(text: str, code: bool = False) -> str:
    """One line of Markdown in which nothing of the text is markup but code spans; code: it stands between backticks."""
    line = " ".join(_allowed(str(text)).split())
    if code:
        return line.replace("`", "'").replace("|", "\\|")
    parts = re.split(r"(`[^`]+`)", line)
    return "".join(part.replace("|", "\\|") if number % 2 else _escaped(part) for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    text = re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@functools.cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _summary(report: Report) -> dict[str, Any]:
    counts = Counter(one.verdict for one in report)
    return {
        "requirements": len(report.judgements),
        "satisfied": counts["satisfied"],
        "unsatisfied": counts["unsatisfied"],
        "undecided": counts["undecided"],
        "met": report.met(),
        "met_dependent": report.met(dependent=True),
        "met_transitive": report.met(dependent="transitive"),
        "reward": report.reward(),
        "flags": len(report.flags),
    }


def _plain(value: Requirement | Evidence | Judgement) -> dict[str, Any]:
    return {
        name: jsonable(getattr(value, name))
        for name in value.__dataclass_fields__
        if name not in ("requirement", "evidence")
    }


def _result(one: Judgement) -> dict[str, Any]:
    against = [fact for fact in one.evidence if fact.file and not fact.supports] or [f for f in one.evidence if f.file]
    words = next((fact.words for fact in one.evidence if not fact.supports), "") or one.missing
    message = f"{one.verdict}: {one.requirement.criteria} {words}".strip()
    locations = [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(fact.file)},
                **({"region": {"startLine": fact.line}} if fact.line > 0 else {}),
            }
        }
        for fact in against[:5]
    ]
    level = "error" if one.verdict == "unsatisfied" else "note"
    return {"ruleId": one.requirement.id, "level": level, "message": {"text": _allowed(message)}, "locations": locations}


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(_allowed(file))


def _side(fact: Evidence) -> str:
    return "for" if fact.supports else "against"


def _place(fact: Evidence) -> str:
    place = place_of(fact).strip(" ()")
    return f" (`{inline(place, code=True)}`)" if place else ""


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
