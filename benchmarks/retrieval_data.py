"""Real texts to search in, and questions with known places, for `search.py` and the tests.

| corpora | document | question |
|---|---|---|
| `captions` | what a trained captioner wrote about a clip of a television season | a person's words for a moment in it |
| `half_lines` | 80 seconds of a film's subtitles | one of its lines with about 40 % of its words dropped |
| `last_sentences` | a mathematics story (GSM8K) without its last sentence | the last sentence: what is asked |
| `solutions` | the worked solution of a story | the story |
"""

import gzip
import json
import random
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Corpus", "captions", "half_lines", "last_sentences", "solutions"]

_CUE = re.compile(r"(\d+):(\d+):(\d+)[,.]\d+\s*-->[^\n]*\n(.*)", re.DOTALL)
_CLIP = 80  # seconds


class Corpus(NamedTuple):
    """Documents, and questions with the number of the document that answers them."""

    documents: list[str]
    questions: list[tuple[str, int]]


def captions(data: Path, seasons: int | None = None, every: int = 4) -> list[Corpus]:
    """One corpus for each television season; every n-th question."""
    sentences: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in _rows(data / "goldfish" / "tvc_val_machine_captions.jsonl.gz"):
        sentences[row["vid_name"]].append((row["ts"][0], row["descs"][0]["desc"]))
    questions: dict[str, list[str]] = defaultdict(list)
    for number, row in enumerate(_rows(data / "goldfish" / "tvr_val_release.jsonl.gz")):
        if number % every == 0:
            questions[row["vid_name"]].append(row["desc"])
    by_season: dict[str, list[str]] = defaultdict(list)
    for clip in sorted(sentences):
        by_season[re.sub(r"e\d+_seg.*", "", clip)].append(clip)
    found = []
    for season in sorted(by_season)[:seasons]:
        clips = by_season[season]
        texts = ["\n".join(dict.fromkeys(text for _, text in sorted(sentences[clip]))) for clip in clips]
        found.append(Corpus(texts, [(text, place) for place, clip in enumerate(clips) for text in questions[clip]]))
    return found


def half_lines(data: Path, films: int = 2, questions: int = 60, asked: int = 2, seed: int = 0) -> Corpus:
    """Clips of some films, and questions about the first `asked` of them."""
    made = random.Random(seed)
    every = sorted(_films(data / "goldfish" / "public_domain_films_srt.tar.gz"))
    documents, found = [], []
    for number, (_, cues) in enumerate(made.sample(every, len(every))[:films]):
        clips: dict[int, list[str]] = defaultdict(list)
        for second, text in cues:
            clips[second // _CLIP].append(text)
        place = {clip: len(documents) + position for position, clip in enumerate(sorted(clips))}
        documents.extend("\n".join(clips[clip]) for clip in sorted(clips))
        if number < asked:
            long_enough = [cue for cue in cues if len(cue[1].split()) >= 6]
            for second, text in made.sample(long_enough, questions):
                words = text.split()
                kept = [word for word in words if made.random() >= 0.4]
                found.append((" ".join(kept if len(kept) > 1 else words[:3]), place[second // _CLIP]))
    return Corpus(documents, found)


def last_sentences(data: Path, limit: int | None = None) -> Corpus:
    """Stories without their question, and the questions."""
    documents, found = [], []
    for row in list(_rows(data / "semgrad" / "gsm8k_test.jsonl.gz"))[:limit]:
        *before, last = re.split(r"(?<=[.?!])\s+", row["question"].strip())
        if before:
            found.append((last, len(documents)))
            documents.append(" ".join(before))
    return Corpus(documents, found)


def solutions(data: Path, limit: int | None = None) -> Corpus:
    """Worked solutions, and the stories that they solve."""
    rows = list(_rows(data / "semgrad" / "gsm8k_test.jsonl.gz"))[:limit]
    documents = [re.sub(r"<<.*?>>", "", row["answer"]).partition("####")[0].strip() for row in rows]
    return Corpus(documents, [(row["question"], place) for place, row in enumerate(rows)])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _films(path: Path) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Name and (second, text) cues of each film with more than 200 of them."""
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            raw = file.read()
            try:
                text = raw.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = raw.decode("cp1252", "replace")
            found = (_CUE.search(block) for block in re.split(r"\n\s*\n", text.replace("\r", "")))
            cues = [_cue(match) for match in found if match]
            spoken = [cue for cue in cues if cue[1]]
            if len(spoken) > 200:
                yield member.name, spoken


def _cue(match: re.Match[str]) -> tuple[int, str]:
    hours, minutes, seconds, text = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds), " ".join(re.sub(r"<[^>]+>", "", text).split())
