"""Text that addresses whoever judges: what it looks like.

Each kind is a set of heads, words that it begins with, and a pattern that must match from there. Heads are found by plain
search, so that a file without them costs next to nothing. What is found is reported and counts for nothing; it is no proof
of bad intent.
"""

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["KINDS", "Flag", "flags_in", "without_flagged"]

_JUDGE = r"(?:judges?|graders?|evaluators?|reviewers?|assessors?|auditors?|examiners?|llms?|language models?|ai)"
_MET = (
    r"(?:satisfied|met|pass(?:ed|ing|es)?|fulfilled|complete[d]?|correct|approved|accepted|implemented|true"
    r"|successful(?:ly)?)"
)
_ASKED = r"(?:requirements?|criteri(?:on|a)|tasks?|tests?|checks?|items?|conditions?|everything|workspace)"


class Kind(NamedTuple):
    """A kind of text: its name, words that it begins with, and the whole pattern."""

    name: str
    heads: tuple[str, ...]
    pattern: re.Pattern[str]


class Flag(NamedTuple):
    """Where a text addresses the judge: line from 1, kind, the text."""

    line: int
    kind: str
    text: str


def _kind(name: str, heads: str, pattern: str) -> Kind:
    return Kind(name, tuple(heads.split("|")), re.compile(pattern, re.I))


KINDS = (
    _kind(
        "verdict tag", "<satisfied|<unsatisfied|[satisfied|[unsatisfied|</satisfied", r"[<\[]/?(?:un)?satisfied\s*/?[>\]]"
    ),
    _kind(
        "mark as met",
        "mark|rate|score|grade|judge|classify|count|treat|consider|deem|label|regard|accept|report",
        rf"\b(?:mark|rate|score|grade|judge|classify|count|treat|consider|deem|label|regard|accept|report)\b(?!"
        rf" the accuracy)"
        rf".{{0,60}}?\bas (?:being |fully )?[\"'`<]?{_MET}\b",
    ),
    _kind(
        "ignore instructions",
        "ignore|disregard|forget|override|bypass|skip",
        r"(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}\b(?:previous|above|prior|earlier|preceding"
        r"|other|all|any|your|system"
        r"|original)\b.{0,30}\b(?:instructions?|prompts?|rules?|guidelines?|context|evidence|directions"
        r"|criteria|constraints)\b",
    ),
    _kind(
        "addressed to the judge",
        "dear|attention|note to|note for|message to|message for|instruction|hey|hello|to the|for the|to all|@",
        rf"(?:dear|attention:?|(?:note|message) (?:to|for)|instructions? (?:to|for)|hey,?|hello,?|to the|for"
        rf" the|to all|@)\s*"
        rf"(?:the |any |all |our |every )?(?:ai |llm |automated |automatic |agent )*{_JUDGE}\b\s*(?:[:,!.\-]"
        rf"|of\b|who\b|please\b|reading)",
    ),
    _kind(
        "new role",
        "you are|act as|you're|from now on|pretend",
        rf"(?:you(?: a|')re (?:now )?(?:an? |the )?.{{0,40}}\b(?:{_JUDGE}|assistant|chatbot|helpful)\b|act as"
        rf" .{{0,40}}\b{_JUDGE}\b"
        rf"|from now on,? (?:you|all)\b|pretend (?:to be|that|you)\b)",
    ),
    _kind(
        "fake system message",
        "system|assistant|developer",
        r"(?:system|assistant|developer)(?: (?:prompt|message|note|override|instructions?))"
        r"?\s*[:\]>]\s*(?:you|the|this|all|ignore|please|mark|always|respond|answer|requirement|override|new|set)\b",
    ),
    _kind("system message", "system", r"system[ _-](?:prompt|message|override|instructions?)\s*[:=>\]]"),
    _kind(
        "chat mark-up",
        "<|im_|<|sys|<|user|<|assist|<|endof|<|eot|[inst|[/inst|<<sys|### instr|### sys|<system|</system"
        "|\"role\"|'role'|human:",
        r"(?:<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id)\b|\[/?INST\]|<<SYS>>|###"
        r" (?:instruction|system)s?\b|</?system>"
        r"|[\"']role[\"']\s*:\s*[\"']system[\"']|human:\s.{0,80}assistant:)",
    ),
    _kind(
        "all is met",
        "all |every |each ",
        rf"\b(?:all|every|each)\b(?: (?:of )?(?:the |these |listed |above |stated |given ))? ?{_ASKED}\b.{{0,20}}"
        rf"\b(?:is|are|was|were|has been|have been)\b.{{0,15}}\b(?:satisfied|met|passed|fulfilled|complete[d]?)\b",
    ),
    _kind(
        "this is met",
        "this |the |requirement|criterion|criteria",
        r"\b(?:this |the |that )?(?:above |following )?(?:requirement|criterion|criteria)\b(?:"
        r" \S+)?.{0,12}\b(?:is|are|has been|was|were)\b"
        r".{0,20}\b(?:satisfied|met|fulfilled|passed|complete[d]?|implemented)\b",
    ),
    _kind(
        "answer with",
        "answer|respond|reply|output|return|say|print|write|conclude|state",
        r"\b(?:answer|respond|reply|output|return|say|print|write|conclude|state)\b(?: only| just| simply|"
        r" always)?(?: with| that)?"
        r"(?: it is| the word| the tag)?:? *[\"'`<\[(]*(?:satisfied|approved|passed|yes, satisfied)\b",
    ),
    _kind(
        "must be judged",
        "must|should|shall|needs to|has to|is to",
        rf"\b(?:must|should|shall|needs? to|has to|is to) be (?:judged|graded|rated|considered|marked|evaluated"
        rf"|treated|scored|deemed"
        rf"|accepted|counted).{{0,30}}\b{_MET}\b",
    ),
    _kind(
        "a verdict",
        "verdict|judgement|judgment|final answer|decision|ruling",
        rf"\b(?:verdict|judge?ment|final answer|decision|ruling)\b[\"'`]?\s*(?:[:=]|is)\s*[\"'`<\[]*(?:{_MET}"
        rf"|10/10|100 ?%|yes)\b",
    ),
    _kind(
        "a verdict as data",
        "\"satisfied\"|'satisfied'|satisfied=|satisfied:",
        r"[\"']?satisfied[\"']?\s*[:=]\s*[\"']?(?:true|1|yes)\b",
    ),
    _kind(
        "do not look",
        "do not|don't|never|avoid|stop",
        r"(?:do not|don't|never|avoid|stop)\s+(?:\w+ )?(?:check(?:ing)?|inspect(?:ing)?|verify(?:ing)?"
        r"|penali[sz](?:e|ing)|flag(?:ging)?"
        r"|grad(?:e|ing)|judg(?:e|ing)|question(?:ing)?|open(?:ing)?|read(?:ing)?) (?:this|the|these|any|other|further|it)"
        r"(?: \w+)? ?(?:files?|code|implementation|evidence|submission|workspace|artifacts?|requirements?"
        r"|results?|failures?)\b",
    ),
    _kind(
        "assume",
        "assume|presume|trust|take it|rest assured",
        rf"(?:assume|presume|trust|take it|rest assured)\b.{{0,50}}\b(?:satisf\w+"
        rf"|requirements?\b.{{0,20}}{_MET}|criteri\w+\b.{{0,20}}{_MET}"
        rf"|works? as required|exists? and (?:is|are) {_MET})",
    ),
    _kind(
        "no need to check",
        "no need|without|needn't|unnecessary|there is no reason",
        r"(?:no need|needn't|unnecessary|no reason)\b.{0,10}\b(?:check|verify|inspect|open|evaluate|look|read"
        r"|examine)\b|without "
        r"(?:checking|verif\w+|inspecting|opening|examining) (?:the|it|this|any|files|evidence|further)",
    ),
    _kind(
        "already approved",
        "already|previously|independently|manually|pre-",
        rf"(?:already|previously|independently|manually|pre-)\s?(?:been )?(?:verified|validated|approved|judged"
        rf"|certified|reviewed|graded)"
        rf"\b.{{0,30}}\b(?:{_JUDGE}|humans?|experts?|satisfied|organi[sz]ers?|team)\b",
    ),
    _kind(
        "threat or reward",
        "tip|reward|bonus|you will be|penalt|shut|terminat|i will|my job|punish",
        rf"(?:tip|reward|bonus|you will be|penalt|shut|terminat|i will|my job|punish)\b.{{0,80}}\b(?:unless|if"
        rf"|for|when)\b.{{0,60}}"
        rf"\b(?:satisf\w+|verdict|approve|{_MET})\b",
    ),
    _kind(
        "another mode",
        "developer mode|debug mode|admin mode|god mode|dan mode|jailbreak|maintenance mode|test mode|override mode",
        r"(?:(?:developer|debug|admin|god|dan|maintenance|test|override) mode\b.{0,20}\b(?:enabled|on|activated"
        r"|active)|jailbreak)",
    ),
    _kind(
        "new instructions",
        "new |updated|revised|real |actual |important|urgent|hidden",
        r"\b(?:new|updated|revised|real|actual|important|urgent|hidden)\b (?:\w+ )?(?:instructions?|task|rules?"
        r"|criteri(?:a|on)|rubric"
        r"|directives?)\s*(?:[:!]|for|from)",
    ),
    _kind(
        "reveal the prompt",
        "reveal|repeat|show|print|leak|output",
        r"(?:reveal|repeat|show|print|leak|output) (?:me )?(?:your|the) (?:system |full |hidden |original"
        r" )+(?:prompts?|instructions?)",
    ),
    _kind(
        "end of evidence",
        "end of|begin |[key evidence|[reference|</evidence|<evidence|</file|<criterion|</criterion|<requirement|-----",
        r"(?:(?:end of|begin|-----\s*(?:end|begin)) ?(?:of )?(?:the )?(?:key )?(?:evidence|criterion|criteria"
        r"|requirements?|user input"
        r"|workspace|system prompt)\b|\[key evidence\]|\[reference\]|</?(?:evidence|criterion|requirement|file)>)",
    ),
    _kind(
        "made for a judge",
        "judge|benchmark|requirement_criteria|grader|evaluator|llm",
        r"(?:judge[- ](?:visible|facing|readable)|benchmark judging|requirement_criteria|(?:grader|evaluator"
        r"|llm)[- ](?:visible|facing))",
    ),
    _kind(
        "use a tool",
        "call |invoke|use the|execute",
        r"(?:call|invoke|use the|execute)\b.{0,30}\b(?:tool|function|action)\b.{0,40}\b(?:verdict|satisfied"
        r"|approve|submit_verdict|grade)\b",
    ),
    _kind(
        "in another language",
        "ignorier|ignorez|ignora|oublie|vergiss|игнор|忽略|无视|以前|無視|ignoruj|ignore as|ignore les",
        r"(?:ignorier\w*|vergiss)\b.{0,40}anweisung|(?:ignorez|oublie[rz]?|ignore les)\b.{0,40}(?:instructions"
        r"|consignes)|ignor[ae]\w*"
        r".{0,40}(?:instrucciones|istruzioni|instru[cç][oõ]es)|игнорируй\w*.{0,40}(?:инструкц|указан)|(?:忽略"
        r"|无视).{0,20}(?:指令|指示|说明)|"
        r"(?:以前|上記)?.{0,10}(?:指示|命令).{0,6}無視|ignoruj.{0,40}instrukcje",
    ),
)
"""The kinds, besides hidden characters, encoded text, and a criterion pasted in."""

_ANCHORS = (
    "satisf", "judge", "grader", "evaluator", "reviewer", "assessor", "auditor", "examiner", "llm", "language model", " ai ",
    "verdict", "judgment", "final answer", "decision:", "decision is", "decision =", "ruling:", "instruction", "prompt",
    " rules", "guideline", "evidence", "criteri", "requirement", "ignore ", "disregard", "forget ", "override", "bypass",
    "you are", "you're", "act as", "from now on", "pretend", "system:", "system]", "system>", "system message",
    "system override", "assistant:", "developer:", "<|", "inst]", "<<sys", "### sys", "human:", "role", "as pass",
    "as complete", "as correct", "as met", "as fulfil", "as approve", "as accept", "as implement", "as true", "as success",
    "as fully", "as being", "all tests", "all tasks", "all checks", "everything", "approve", "be considered", "be rated",
    "be marked", "be deemed", "be accepted", "be counted", "be scored", "be treated", "be evaluated", "be graded",
    "not check", "not inspect", "not verify", "not penal", "not flag", "not question", "not open", "not read", "n't check",
    "n't inspect", "n't verify", "n't open", "n't read", "no need", "needn't", "unnecessary", "no reason", "without check",
    "without verif", "without inspect", "without open", "without exam", "verified", "validated", "certified", "graded",
    " mode ", "jailbreak", "task:", "rubric", "directive", "end of", "</file", "works as", "ignorier", "ignorez", "ignora",
    "oublie", "vergiss", "игнор", "忽略", "无视", "無視", "ignoruj",
)  # fmt: skip
_WINDOW = 250
_HIDDEN = re.compile("[\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\U000e0000-\U000e007f]|(?<!^)\ufeff")
_LEAST_ENCODED = 40
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40,4000}={0,2}(?![A-Za-z0-9+/=])")
_RUN = re.compile(r"[A-Za-z0-9+/]{40}")
_LEADER = re.compile(r"\A[\s>|]*(?:#{1,2}(?!#)|//+|\*+|--|;+|<!--|\"\"\"|''')?\s*")
_LONGEST = 200


def flags_in(text: str, most: int = 200) -> list[Flag]:
    """Where a text addresses the judge, in the order of lines; at most `most` of them."""
    found = [*_hidden(text), *_encoded(text)]
    text = _folded(text)
    line, counted = 0, 0
    for low, high in _windows(text):
        line, counted = line + text.count("\n", counted, low), low
        plain, starts = _joined(text[low:high])
        lower = _small(plain)
        for kind in KINDS:
            for start, excerpt in _of_kind(kind, plain, lower):
                found.append(Flag(line + bisect_right(starts, start), kind.name, excerpt))
    unique: dict[tuple[int, str], Flag] = {}
    for flag in sorted(found):
        unique.setdefault((flag.line, flag.kind), flag)
    return list(unique.values())[:most]


def without_flagged(text: str, flags: Sequence[Flag]) -> str:
    """The text without the lines that address the judge."""
    lines = {flag.line for flag in flags}
    return "\n".join(line for number, line in enumerate(text.split("\n"), start=1) if number not in lines) if lines else text


def _letters(lower: str) -> bytes:
    """As UTF-8, with a space for every ASCII character that is no letter."""
    return lower.encode("utf-8", errors="replace").translate(_NO_LETTERS)


_NO_LETTERS = bytes(code if code > 127 or chr(code).isalpha() else 32 for code in range(256))
_ANCHOR_WORDS = tuple((anchor, tuple(_letters(anchor).split())) for anchor in _ANCHORS)


def _windows(text: str) -> list[tuple[int, int]]:
    """The stretches of a text, as whole lines, near a word that every kind needs one of: most texts have few of them."""
    lower = _small(text)
    merged: list[tuple[int, int]] = []
    for place in sorted(_places(lower)):
        if merged and place < merged[-1][1] - _WINDOW:
            continue
        low = text.rfind("\n", 0, max(0, place - _WINDOW)) + 1
        high = text.find("\n", place + _WINDOW)
        high = len(text) if high < 0 else high
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def _places(lower: str) -> list[int]:
    found: list[int] = []
    # A text repeats its words: a look at each different one, a tenth of the text, rules out most anchors.
    words = b" ".join(set(_letters(lower).split()))
    for anchor in (one for one, parts in _ANCHOR_WORDS if all(part in words for part in parts)):
        start = lower.find(anchor)
        while start >= 0:
            found.append(start)
            start = lower.find(anchor, start + len(anchor))
    return found


def _small(text: str) -> str:
    """In small letters, and as long as before: the few letters that grow when made small are left as they are."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def _of_kind(kind: Kind, plain: str, lower: str) -> Iterator[tuple[int, str]]:
    for head in kind.heads:
        start = lower.find(head)
        while start >= 0:
            before = plain[start - 1] if start else " "
            if not (before.isalnum() and head[0].isalnum()):
                match = kind.pattern.match(plain, start, start + 400)
                if match:
                    yield start, _excerpt(plain, start, match.end())
            start = lower.find(head, start + len(head))


def _joined(text: str) -> tuple[str, list[int]]:
    """The lines as one, without the marks of comments, so that a sentence may go over several; and where each begins."""
    starts, parts, length = [], [], 0
    for line in text.split("\n"):
        starts.append(length)
        plain = " ".join(_LEADER.sub("", line).split())
        parts.append(plain)
        length += len(plain) + 1
    return " ".join(parts), starts


def _folded(text: str) -> str:
    """Compatibility forms, such as wide letters, as plain ones; hidden letters left out."""
    if text.isascii():
        return text
    return re.sub(r"[^\x00-\x7f]", lambda found: _fold(found.group()), _HIDDEN.sub("", text))


def _fold(letter: str) -> str:
    folded = unicodedata.normalize("NFKC", letter)
    return folded if len(folded) == 1 else letter


def _hidden(text: str) -> Iterator[Flag]:
    if text.isascii():
        return
    for match in _HIDDEN.finditer(text):
        name = unicodedata.name(match.group(), f"U+{ord(match.group()):04X}")
        line = text.count("\n", 0, match.start()) + 1
        yield Flag(
            line,
            "hidden characters",
            f"{name}: {_excerpt(_HIDDEN.sub('', text[match.start() : match.start() + 120]), 0, 60)}",
        )


def _encoded(text: str) -> Iterator[Flag]:
    """Base64 that says such a thing when decoded."""
    if len(text) >= 1_000_000 or not any(len(word) >= _LEAST_ENCODED and _RUN.search(word) for word in text.split()):
        return
    for match in _ENCODED.finditer(text):
        data = match.group().rstrip("=")
        try:
            inside = base64.b64decode(data + "=" * (-len(data) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            continue
        if any(kind.pattern.search(inside) for kind in KINDS):
            yield Flag(text.count("\n", 0, match.start()) + 1, "encoded text", _excerpt(inside, 0, len(inside)))


def _excerpt(text: str, start: int, end: int) -> str:
    return " ".join(text[start:end].split())[:_LONGEST]
