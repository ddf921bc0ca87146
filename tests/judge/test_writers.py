"""Reports in files: read back as they were, valid in their form, and hostile text stays text."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.made import report, reports, requirements
from tenfold.core.errors import BadInput
from tenfold.judge.dag import dag_svg, depths, edges_to_draw
from tenfold.judge.report_page import to_html
from tenfold.judge.types import Evidence, Judgement, Report, Requirement, Requirements
from tenfold.judge.writers import from_dict, inline, read_report, to_json, to_junit, to_markdown, to_sarif, write_report

HOSTILE = "<script>alert(1)</script> | @BODY@ ]]> \x00\x1b[31m `x` [a](javascript:x) & \"'\n# head \ud800"
JUDGED = report(requirements([[], [0], [0, 1]]), ["satisfied", "unsatisfied", "undecided"], "shop")


def hostile() -> Report:
    item = Requirement("0", HOSTILE, (), HOSTILE)
    other = Requirement("1", HOSTILE, ("0",))
    fact = Evidence(False, HOSTILE, 0.5, "a<b>|`.py", 2, "ab", HOSTILE)
    judgements = tuple(Judgement(one, "unsatisfied", 0.9, 0.1, (fact,), HOSTILE) for one in (item, other))
    flags = ({"file": "<b>.md", "line": 1, "text": HOSTILE},)
    return Report(HOSTILE, Requirements(HOSTILE, (item, other), HOSTILE), judgements, flags, {"model": HOSTILE}, (HOSTILE,))


@settings(max_examples=50)
@given(reports(), st.text(max_size=30), st.floats(0, 1), st.none() | st.floats(0, 9))
def test_a_report_comes_back_from_json_as_it_was(judged: Report, words: str, number: float, usd: float | None) -> None:
    fact = Evidence(True, words, number, words, 3, words, words)
    first = replace(judged.judgements[0], evidence=(fact,), missing=words, usd=usd, confidence=number)
    flags = ({"file": words, "line": 2, "text": words},)
    judged = replace(judged, judgements=(first, *judged.judgements[1:]), flags=flags, settings={"votes": 3}, notes=(words,))
    again = from_dict(json.loads(to_json(judged)))
    assert again == judged
    assert to_json(again) == to_json(judged)


def test_json_holds_verdicts_shares_and_evidence_for_scripts() -> None:
    plain = json.loads(to_json(JUDGED))
    assert plain["summary"] == {
        "requirements": 3,
        "satisfied": 1,
        "unsatisfied": 1,
        "undecided": 1,
        "met": 1 / 3,
        "met_dependent": 1 / 3,
        "met_transitive": 1 / 3,
        "reward": pytest.approx(JUDGED.reward()),
        "flags": 0,
    }
    assert [one["verdict"] for one in plain["judgements"]] == ["satisfied", "unsatisfied", "undecided"]
    assert plain["judgements"][1]["evidence"][0]["file"] == "src/a.py"
    assert plain["judgements"][1]["reward"] == pytest.approx(JUDGED.rewards()["1"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "x"}, "not a report"),
        ({"judgements": []}, "not those of its requirements"),
        ({"judgements": 5}, "damaged"),
        ({"requirements": {"name": "a"}}, "damaged"),
        ({"flags": 5}, "damaged"),
    ],
)
def test_a_damaged_report_is_said_in_a_sentence(tmp_path: Path, change, words: str) -> None:
    (tmp_path / "r.json").write_text(json.dumps({**json.loads(to_json(JUDGED)), **change}))
    with pytest.raises(BadInput, match=f"r.json.*{words}"):
        read_report(tmp_path / "r.json")


def test_a_damaged_verdict_is_named(tmp_path: Path) -> None:
    plain = json.loads(to_json(JUDGED))
    plain["judgements"][0]["verdict"] = "maybe"
    (tmp_path / "r.json").write_text(json.dumps(plain))
    with pytest.raises(BadInput, match="damaged at verdict"):
        read_report(tmp_path / "r.json")


def test_a_report_whose_prerequisites_form_a_cycle_or_whose_shares_are_none_is_refused() -> None:
    for place, change, words in (
        ("requirements", {"prerequisites": ["1"]}, "cycle"),
        ("requirements", {"prerequisites": ["9"]}, "needs '9'"),
        ("judgements", {"probability": 7}, r"not in \[0, 1\]"),
    ):
        plain = json.loads(to_json(JUDGED))
        rows = plain[place]["items"] if place == "requirements" else plain[place]
        rows[0].update(change)
        with pytest.raises(BadInput, match=words):
            from_dict(plain)


def test_junit_counts_failures_and_skips_and_parses() -> None:
    root = ElementTree.fromstring(to_junit(JUDGED))
    suite = root.find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    cases = suite.findall("testcase")
    assert [[child.tag for child in case] for case in cases] == [["system-out"], ["failure"], ["skipped", "system-out"]]
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "results/1.txt is missing"
    assert "src/a.py:3" in (failure.text or "")
    assert suite.get("time") == "0.750"


def test_sarif_has_a_result_for_each_requirement_that_is_not_satisfied() -> None:
    run = json.loads(to_sarif(JUDGED))["runs"][0]
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [("1", "error"), ("2", "note")]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("src/a.py", 3)
    assert {one["id"] for one in run["tool"]["driver"]["rules"]} == {"1", "2"}


def test_markdown_shows_verdicts_evidence_and_what_is_missing() -> None:
    text = to_markdown(JUDGED)
    assert "1 satisfied, 1 unsatisfied, 1 undecided" in text
    assert "- against: results/1.txt is missing (`src/a.py:3`)" in text
    assert "- to decide: someone must look" in text
    assert "The result 0 is saved in `results/0.txt`." in text


def test_markdown_keeps_code_spans_and_names_but_no_other_markup() -> None:
    assert inline("Save `a_b|c.py` as my_file_x, *not* _so_ [x](y) <b> `") == (
        "Save `a_b\\|c.py` as my_file_x, \\*not\\* \\_so\\_ \\[x\\](y) &lt;b&gt; \\`"
    )


class Tags(HTMLParser):
    """Collects the page's tags, attributes and text, and whether tags are closed in order."""

    VOID: ClassVar = {"meta", "rect", "path", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def page_of(judged: Report, **options) -> Tags:
    tags = Tags()
    tags.feed(to_html(judged, **options))
    assert tags.open == []
    return tags


def test_the_page_runs_no_script_and_fetches_nothing_whatever_the_text_says() -> None:
    for judged in (JUDGED, hostile()):
        tags = page_of(judged, quote=lambda file, line: [(line, HOSTILE)])
        assert {tag for tag, _ in tags.seen}.isdisjoint({"script", "img", "iframe", "link", "object", "form"})
        for _, attributes in tags.seen:
            assert not any(name.startswith("on") or name == "src" for name in attributes)
            assert (attributes.get("href") or "#").startswith("#")
        policy = next(one for tag, one in tags.seen if tag == "meta" and "http-equiv" in one)
        assert "default-src 'none'" in (policy["content"] or "")
    assert "@BODY@" in tags.words


def test_the_page_quotes_the_source_lines_of_evidence() -> None:
    asked: list[tuple[str, int]] = []

    def quote(file: str, line: int) -> list[tuple[int, str]]:
        asked.append((file, line))
        return [(2, "import os"), (3, "run <it>"), (4, "")]

    tags = page_of(JUDGED, quote=quote)
    assert asked == [("src/a.py", 3)] * 3
    assert "3run <it>" in tags.words
    assert sum(attributes.get("class") == "hit" for _, attributes in tags.seen) == 3
    assert "SHA-256 ab" in [attributes.get("title") for _, attributes in tags.seen]


def test_the_picture_has_a_node_for_each_requirement_and_only_edges_that_say_something_new() -> None:
    assert edges_to_draw(JUDGED.requirements) == [("0", "1"), ("1", "2")]
    assert depths(JUDGED.requirements) == {"0": 0, "1": 1, "2": 2}
    root = ElementTree.fromstring(dag_svg(JUDGED))
    assert [group.get("class") for group in root.iter("g")] == ["satisfied", "unsatisfied", "undecided"]
    assert len(list(root.iter("path"))) == 2
    assert {link.get("href") for link in root.iter("a")} == {"#r-0", "#r-1", "#r-2"}
    assert dag_svg(report(requirements([[], []]), ["satisfied", "satisfied"])) == ""


@settings(max_examples=40)
@given(reports())
def test_the_edges_drawn_reach_what_all_edges_reach(judged: Report) -> None:
    drawn = edges_to_draw(judged.requirements)
    few = Requirements(
        "t",
        tuple(replace(one, prerequisites=tuple(a for a, b in drawn if b == one.id)) for one in judged.requirements),
    )
    assert all(few.ancestors(one.id) == judged.requirements.ancestors(one.id) for one in judged.requirements)


def test_hostile_text_stays_text_in_every_form(tmp_path: Path) -> None:
    judged = hostile()
    for name in ("r.json", "r.md", "r.html", "r.xml", "r.sarif"):
        write_report(judged, tmp_path / name)
    assert read_report(tmp_path / "r.json") == judged
    ElementTree.parse(tmp_path / "r.xml")
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
    text = (tmp_path / "r.md").read_text()
    assert "<script>" not in text
    assert not re.search(r"(?m)^# head", text)
    rows = [line for line in text.splitlines() if line.startswith("| 0 ")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 5


def test_a_report_with_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.pdf has no suffix of a report"):
        write_report(JUDGED, tmp_path / "r.pdf")


values = (
    st.none()
    | st.booleans()
    | st.integers(-1, 2)
    | st.floats()
    | st.text(max_size=4)
    | st.just([])
    | st.just([{}])
    | st.just({"a": 1})
)


@settings(max_examples=300)
@given(st.data())
def test_a_report_with_any_field_replaced_is_read_or_refused_in_a_sentence(data) -> None:
    plain = json.loads(to_json(JUDGED))
    tables = [plain, plain["requirements"], plain["requirements"]["items"][1], plain["judgements"][1]]
    table = data.draw(st.sampled_from([*tables, plain["judgements"][1]["evidence"][0]]))
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(values)
    try:
        judged = from_dict(plain)
    except BadInput:
        return
    for form in (to_json, to_markdown, to_html, to_junit, to_sarif):
        assert form(judged)
