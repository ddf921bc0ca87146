"""Files that a criterion names: results, folders of results, a notebook, and sources that must be live."""

import re
from collections.abc import Iterator

from tenfold.judge.artefact_texts import LEAST_WORDS
from tenfold.judge.criterion import Criterion, Target
from tenfold.judge.facts import Facts
from tenfold.judge.injection import without_criteria
from tenfold.judge.lexicon import MEASURES
from tenfold.judge.scene import Part, Scene, absent
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import ABSENT, EMPTY, FLOOR, UNDECIDED, probability

__all__ = ["notebook", "result", "source"]


def result(scene: Scene, criterion: Criterion, target: Target) -> Part:
    if target.kind == "folder":
        return _folder(scene, criterion, target)
    if target.path not in scene.workspace.files:
        return absent(scene, target.path)
    facts = scene.known[target.path]
    if facts.artefact.empty:
        return Part(
            EMPTY, (scene.about(target.path, False, f"{target.path} is there, and {facts.artefact.why}.", 0.85, "empty"),)
        )
    if facts.artefact.valid is None:
        why = f"{target.path} is there; {facts.artefact.why}."
        return Part(UNDECIDED, (scene.about(target.path, True, why, 0.1, "exists"),), f"Someone must open {target.path}.")
    evidence = [*_validity(scene, target.path, facts), *_shown(scene, criterion, target.path, facts)]
    evidence += _writers(scene, target.path)
    return Part(probability(evidence), tuple(evidence))


def notebook(scene: Scene, criterion: Criterion) -> Part:
    books = [path for path, info in scene.workspace.files.items() if info.kind == "notebook"]
    if not books:
        return Part(ABSENT, (Evidence(False, "There is no notebook.", 0.9, kind="missing"),))
    best = max(books, key=lambda path: (bool(scene.known[path].artefact.valid), path))
    facts = scene.known[best]
    if facts.artefact.empty:
        return Part(EMPTY, (scene.about(best, False, f"{best} is empty.", 0.85, "empty"),))
    evidence = tuple(_validity(scene, best, facts))
    return Part(probability(evidence), evidence)


def source(scene: Scene, path: str, criterion: Criterion) -> Part | None:
    """What is wrong with a source file that must be there, or None if it is live."""
    if path not in scene.workspace.files:
        return absent(scene, path)
    facts = scene.known[path]
    code = facts.code
    if facts.artefact.empty or code is None or (not code.error and not code.names and not code.calls and not code.imports):
        return Part(EMPTY, (scene.about(path, False, f"{path} holds no code.", 0.85, "empty"),))
    if code.error:
        evidence = (scene.about(path, False, f"{path}: {code.error}.", 0.8, "syntax", code.error_line),)
        return Part(FLOOR, evidence)
    if not code.is_live and not criterion.imports:
        evidence = (
            scene.about(path, False, f"Nothing in {path} does anything: its functions only return or print.", 0.85, "stub"),
        )
        return Part(FLOOR, evidence)
    return None


def _validity(scene: Scene, path: str, facts: Facts) -> Iterator[Evidence]:
    artefact = facts.artefact
    if artefact.valid and artefact.text and _only_repeats(scene, path, artefact.text):
        yield scene.about(path, False, f"{path} only repeats what was asked for.", 0.85, "artefact")
    elif artefact.valid:
        yield scene.about(path, True, f"{path} is there and valid: {artefact.why}.", 0.75, "artefact")
    else:
        yield scene.about(path, False, f"{path} is no such result: {artefact.why}.", 0.85, "artefact")


def _only_repeats(scene: Scene, path: str, text: str) -> bool:
    """Without the sentences of the criteria, too little is left."""
    rest = without_criteria(text, scene.criteria)
    least = LEAST_WORDS.get(scene.workspace.files[path].kind, 0)
    return rest != text and len(re.findall(r"\w{2,}|\d", rest)) < max(2, least)


_NUMERIC = re.compile(r"(?i)statistic|metric|return|score|value|number|importance|coefficient|result|error|accuracy|rmse")


def _shown(scene: Scene, criterion: Criterion, path: str, facts: Facts) -> Iterator[Evidence]:
    """What a text result must show: the named measures, and numbers where numbers are the result."""
    artefact = facts.artefact
    if not artefact.valid or scene.workspace.files[path].kind not in (
        "text",
        "markdown",
        "csv",
        "tsv",
        "json",
        "pdf",
        "html",
        "docx",
    ):
        return
    if scene.workspace.files[path].kind in ("csv", "tsv") and artefact.numbers == 0 and _NUMERIC.search(criterion.text):
        yield scene.about(path, False, f"{path} shows no number.", 0.85, "measures")
    if criterion.measures and (artefact.text or artefact.words):
        text = artefact.text.lower()
        lacking = [name for name in criterion.measures if not MEASURES[name].search(text)]
        quoted = any(MEASURES[name].search(" ".join(criterion.names)) for name in criterion.measures)
        if artefact.numbers == 0:
            yield scene.about(path, False, f"{path} shows no number.", 0.85, "measures")
        elif lacking and (quoted or len(criterion.measures) > 1 or _has_fields(scene, path, facts)):
            weight = 0.85 if len(lacking) == len(criterion.measures) else 0.75
            yield scene.about(path, False, f"{path} does not name {', '.join(lacking)}.", weight, "measures")
        elif not lacking:
            yield scene.about(path, True, f"{path} shows {', '.join(criterion.measures)}.", 0.2, "measures")


def _has_fields(scene: Scene, path: str, facts: Facts) -> bool:
    """A table of several columns, or an object: its numbers have names."""
    kind = scene.workspace.files[path].kind
    return kind == "json" or (kind in ("csv", "tsv") and len(facts.artefact.details.get("columns", ())) > 1)


def _writers(scene: Scene, path: str) -> Iterator[Evidence]:
    name = path.rsplit("/", 1)[-1].lower()
    found = scene.written.get(name)
    if found:
        yield scene.about(found[0], True, f"{found[0]} writes {name}.", 0.2, "written", found[1])
    elif scene.sources:
        yield Evidence(False, f"No code writes {name}.", 0.25, kind="written")


_WANTED_KINDS = (
    (re.compile(r"(?i)figures?|images?|plots?|visuali|pictures?"), frozenset({"image", "svg", "html", "pdf", "video"})),
    (re.compile(r"(?i)videos?"), frozenset({"video", "image"})),
    (re.compile(r"(?i)models?|checkpoints?|weights"), frozenset()),
    (re.compile(r"(?i)metrics?"), frozenset()),
)
_MODEL_KINDS = frozenset({"torch", "safetensors", "hdf5", "pickle", "onnx", "npy", "npz", "tensorflow", "gguf", "archive"})


def _folder(scene: Scene, criterion: Criterion, target: Target) -> Part:
    files = scene.workspace.folder(target.path)
    if not files:
        words = f"There is no folder {target.path}/, or nothing in it."
        return Part(ABSENT, (Evidence(False, words, 0.9, target.path, kind="missing"),))
    wanted = _wanted(target.path)
    fitting = [path for path in files if not wanted or scene.workspace.files[path].kind in wanted | {"unknown"}]
    facts = {path: scene.known[path] for path in fitting[:200]}
    good = [path for path, one in facts.items() if one.artefact.valid or (one.code is not None and one.code.is_live)]
    open_ = [path for path, one in facts.items() if one.artefact.valid is None and one.code is None]
    if good:
        evidence = [
            scene.about(good[0], True, f"{target.path}/ holds {good[0]}: {facts[good[0]].artefact.why}.", 0.75, "artefact")
        ]
        evidence += _folder_writers(scene, target.path, good)
        return Part(probability(evidence), tuple(evidence))
    if open_:
        words = f"{target.path}/ holds {open_[0]}, which is not judged."
        return Part(UNDECIDED, (scene.about(open_[0], True, words, 0.1, "exists"),), f"Someone must open {open_[0]}.")
    if all(scene.known[path].artefact.empty for path in files[:200]):
        return Part(EMPTY, (Evidence(False, f"All files in {target.path}/ are empty.", 0.85, target.path, kind="empty"),))
    first = next(iter(facts), files[0])
    why = facts[first].artefact.why if first in facts else "nothing of the kind that it should hold"
    return Part(FLOOR, (scene.about(first, False, f"{target.path}/ holds no such result: {why}.", 0.85, "artefact"),))


def _wanted(folder: str) -> frozenset[str]:
    last = folder.rsplit("/", 1)[-1]
    if re.search(r"(?i)model|checkpoint|weights", last):
        return _MODEL_KINDS | {"json", "text"} if re.search("(?i)metrics", last) else _MODEL_KINDS
    return next((kinds for says, kinds in _WANTED_KINDS if says.search(last)), frozenset())


def _folder_writers(scene: Scene, folder: str, files: list[str]) -> Iterator[Evidence]:
    for path in files:
        found = scene.written.get(path.rsplit("/", 1)[-1].lower()) or scene.written.get(folder.rsplit("/", 1)[-1].lower())
        if found:
            yield scene.about(found[0], True, f"{found[0]} writes to {folder}/.", 0.2, "written", found[1])
            return
    if scene.sources:
        yield Evidence(False, f"No code writes to {folder}/.", 0.25, kind="written")
