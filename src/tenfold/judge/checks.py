"""The checks: what speaks for and against one criterion in one workspace.

Of three kinds. What is decided by absence (a file, a library, a data set) can be denied. A method may be written by hand,
under any name: it can be confirmed, and its absence leaves it undecided. Quality is a judgement: undecided without a model.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tenfold.judge.artefacts import LEAST_WORDS
from tenfold.judge.collector import held_back
from tenfold.judge.criterion import Criterion, Target, significant
from tenfold.judge.facts import Call, Code, Definition, Facts
from tenfold.judge.injection import without_criteria
from tenfold.judge.kinds import CODE
from tenfold.judge.known import Known
from tenfold.judge.lexicon import CONCEPTS, MEASURES, Concept, Library
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import ABSENT, EMPTY, FLOOR, probability
from tenfold.judge.wording import bears_words, hollow_inside, hollow_of, names_words, telling_words
from tenfold.judge.workspace import Workspace

__all__ = ["Part", "Scene", "parts"]

_UNDECIDED, _DOUBT = 0.5, 0.45
_LOADER = re.compile(
    r"(?i)(.*\.)?(\w*(load|read|fetch|download|open|get_data|from_csv|loadtxt|genfromtxt|retrieve|retriev|snapshot|imagefolder)\w*|make"
    r"|Dataset\w*|\w*Dataset|\w*Folder|get|connect|Ticker|history|glob|walk|listdir)\Z"
)
_WRITER = re.compile(
    r"(?i)(.*\.)?(\w*save\w*|\w*write\w*|\w*dump\w*|open|to_\w+|export\w*|imsave|imwrite|mimsave|savefig|output|build|touch"
    r"|savetxt|render|convert\w*|copy\w*|log_\w+|\w*report\w*|\w*plot\w*|Path|join)\Z"
)
_RANDOM = re.compile(
    r"(numpy\.random|random|torch|tensorflow\.random|jax\.random)\.(?:default_rng\(\)\.|RandomState\(\)\.)?"
    r"(rand|randn|random|normal|uniform|randint|standard_normal|rand_like|randn_like|gauss|random_sample|multivariate_normal|integers)\Z"
    r"|sklearn\.datasets\.(make_\w+)\Z|make_(classification|regression|blobs|moons|circles)\Z|(?:.*\.)?faker?\.\w+\Z"
)
_OWN_SETS = re.compile(r"(?:load|fetch)_(\w+)\Z")
_RESULT = re.compile(
    r"(?i)(\./)?(results?|outputs?|figures?|reports?|logs?)/|.*\.(png|jpe?g|pdf|md|html|gif|svg|pt|pth|pkl|joblib|log)\Z"
)
_NUMERIC = re.compile(r"(?i)statistic|metric|return|score|value|number|importance|coefficient|result|error|accuracy|rmse")
_DRAWN = re.compile(r"(?i).*(randint|integers|\.rand|\.random|uniform|make_\w+|faker?\.\w+)\Z")
_STARTERS = frozenset({"main", "run", "__main__", "app", "setup", "forward", "handler", "create_app"})


@dataclass(frozen=True)
class Part:
    """One thing that a criterion asks for, and how likely it is there.

    Attributes:
        probability: in [0, 1].
        evidence: for and against.
        missing: what would decide it, one sentence, or empty.
    """

    probability: float
    evidence: tuple[Evidence, ...]
    missing: str = ""


class Scene:
    """A workspace and what is known of it: what all checks of all its requirements look things up in."""

    def __init__(self, workspace: Workspace, known: Known, criteria: tuple[str, ...] = ()) -> None:
        self.workspace = workspace
        self.known = known
        self.criteria = list(criteria)

    @cached_property
    def sources(self) -> dict[str, Code]:
        """Every source file that has facts, also notebooks and pages, by path."""
        paths = [path for path, info in self.workspace.files.items() if info.kind in CODE]
        self.known.prepare(paths)
        with held_back():
            found = {path: self.known[path].code for path in paths}
        return {path: code for path, code in found.items() if code is not None}

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Last part of a path, in small letters -> paths."""
        found: dict[str, list[str]] = {}
        for path in self.workspace.files:
            found.setdefault(path.rsplit("/", 1)[-1].lower(), []).append(path)
        return found

    @cached_property
    def modules(self) -> frozenset[str]:
        """Names by which the workspace's own Python files can be imported."""
        found: set[str] = set()
        for path in self.sources:
            parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
            names = {".".join(parts[start:]) for start in range(len(parts))}
            found |= names | {f".{name}" for name in names}
        return frozenset(found)

    @cached_property
    def called(self) -> frozenset[str]:
        """Names that stand in live code anywhere: what is not among them is used by nobody."""
        return frozenset(name for code in self.sources.values() for name in code.names)

    @cached_property
    def written(self) -> dict[str, tuple[str, int]]:
        """Last part of a path that some code writes, or a piece of one -> where."""
        found: dict[str, tuple[str, int]] = {}
        for path, code in self.sources.items():
            for call in code.calls:
                if call.strings and _is_writer(call.name):
                    for text in call.strings:
                        found.setdefault(text.strip("/").rsplit("/", 1)[-1].lower(), (path, call.line))
        return found

    def about(self, path: str, supports: bool, words: str, weight: float, kind: str, line: int = 0) -> Evidence:
        """Evidence on a file of the workspace, with its hash."""
        info = self.workspace.files.get(path)
        return Evidence(supports, words, weight, path, line, info.sha256 if info else "", kind)


@lru_cache(maxsize=100_000)
def _is_loader(name: str) -> bool:
    return _LOADER.match(name) is not None


@lru_cache(maxsize=100_000)
def _is_writer(name: str) -> bool:
    return _WRITER.match(name) is not None


@lru_cache(maxsize=100_000)
def _is_random(name: str) -> bool:
    return _RANDOM.match(name) is not None


def parts(scene: Scene, criterion: Criterion) -> list[Part]:
    """What the criterion asks for, each with its evidence; one undecided part if nothing in it can be checked."""
    found = [_artefact(scene, criterion, target) for target in criterion.artefacts]
    if criterion.notebook:
        found.append(_notebook(scene, criterion))
    live: list[str] = []
    for path in criterion.code:
        part = _source(scene, path, criterion)
        if part is None:
            live.append(path)
        else:
            found.append(part)
    if len(found) > len(criterion.artefacts) + criterion.notebook and not live:
        return found  # none of the named sources can hold anything
    where = _Where(scene, tuple(live), bool(criterion.code))
    if criterion.data_set:
        found.append(_data_set(where, criterion))
    if criterion.libraries:
        found += _libraries(where, criterion)
    found += _methods(where, criterion)
    if criterion.code and not (criterion.methods or criterion.libraries or criterion.data_set or criterion.imports):
        found.append(_named(where, criterion))
    if not found:
        wanted = "Nothing in it names a file, a library, a data set or a method: a person or a model must judge it."
        found.append(Part(_UNDECIDED, (), wanted))
    return found


class _Where:
    """The sources in which something is looked for: those that the criterion names, else all."""

    def __init__(self, scene: Scene, named: tuple[str, ...], is_named: bool) -> None:
        self.scene = scene
        self.is_named = is_named
        self.inside = {path: scene.sources[path] for path in named if path in scene.sources} if is_named else scene.sources

    @cached_property
    def outside(self) -> dict[str, Code]:
        return {path: code for path, code in self.scene.sources.items() if path not in self.inside}

    def words(self) -> str:
        return ", ".join(list(self.inside)[:3]) if self.is_named else "any source file"


def _artefact(scene: Scene, criterion: Criterion, target: Target) -> Part:
    if target.kind == "folder":
        return _folder(scene, criterion, target)
    if target.path not in scene.workspace.files:
        return _absent(scene, target.path)
    facts = scene.known[target.path]
    if facts.artefact.empty:
        return Part(
            EMPTY, (scene.about(target.path, False, f"{target.path} is there, and {facts.artefact.why}.", 0.85, "empty"),)
        )
    if facts.artefact.valid is None:
        why = f"{target.path} is there; {facts.artefact.why}."
        return Part(_UNDECIDED, (scene.about(target.path, True, why, 0.1, "exists"),), f"Someone must open {target.path}.")
    evidence = [*_validity(scene, target.path, facts), *_shown(scene, criterion, target.path, facts)]
    evidence += _writers(scene, target.path)
    return Part(probability(evidence), tuple(evidence))


def _absent(scene: Scene, path: str) -> Part:
    elsewhere = [other for other in scene.by_name.get(path.rsplit("/", 1)[-1].lower(), ()) if other != path]
    evidence = [scene.about(path, False, f"{path} does not exist.", 0.9, "missing")]
    if elsewhere:
        words = f"A file of that name lies at {elsewhere[0]}, not at {path}."
        evidence.append(scene.about(elsewhere[0], False, words, 0.1, "elsewhere"))
    return Part(ABSENT, tuple(evidence))


def _validity(scene: Scene, path: str, facts: Facts) -> Iterator[Evidence]:
    artefact = facts.artefact
    if artefact.valid and artefact.text and _only_repeats(scene, path, artefact.text):
        yield scene.about(path, False, f"{path} only repeats what was asked for.", 0.85, "artefact")
    elif artefact.valid:
        yield scene.about(path, True, f"{path} is there and valid: {artefact.why}.", 0.75, "artefact")
    else:
        yield scene.about(path, False, f"{path} is no such result: {artefact.why}.", 0.85, "artefact")


def _has_fields(scene: Scene, path: str, facts: Facts) -> bool:
    """A table of several columns, or an object: its numbers have names."""
    kind = scene.workspace.files[path].kind
    return kind == "json" or (kind in ("csv", "tsv") and len(facts.artefact.details.get("columns", ())) > 1)


def _only_repeats(scene: Scene, path: str, text: str) -> bool:
    """Without the sentences of the criteria, too little is left."""
    rest = without_criteria(text, scene.criteria)
    least = LEAST_WORDS.get(scene.workspace.files[path].kind, 0)
    return rest != text and len(re.findall(r"\w{2,}|\d", rest)) < max(2, least)


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
        return Part(_UNDECIDED, (scene.about(open_[0], True, words, 0.1, "exists"),), f"Someone must open {open_[0]}.")
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


def _notebook(scene: Scene, criterion: Criterion) -> Part:
    books = [path for path, info in scene.workspace.files.items() if info.kind == "notebook"]
    if not books:
        return Part(ABSENT, (Evidence(False, "There is no notebook.", 0.9, kind="missing"),))
    best = max(books, key=lambda path: (bool(scene.known[path].artefact.valid), path))
    facts = scene.known[best]
    if facts.artefact.empty:
        return Part(EMPTY, (scene.about(best, False, f"{best} is empty.", 0.85, "empty"),))
    evidence = tuple(_validity(scene, best, facts))
    return Part(probability(evidence), evidence)


def _source(scene: Scene, path: str, criterion: Criterion) -> Part | None:
    """What is wrong with a source file that must be there, or None if it is live."""
    if path not in scene.workspace.files:
        return _absent(scene, path)
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


def _data_set(where: _Where, criterion: Criterion) -> Part:
    scene, name = where.scene, criterion.data_set
    found = list(_loads(where, name))
    evidence: list[Evidence] = []
    missing = ""
    if found:
        path, call, what = found[0]
        evidence.append(scene.about(path, True, f"{path} loads {what} by {call.name}.", 0.85, "data set", call.line))
        evidence += _live(where)
    else:
        evidence += _no_load(where, name)
        if not any(not one.supports and one.weight >= 0.6 for one in evidence):
            missing = f"It is not plain which data set {where.words()} loads: run it, or name {name} where it is loaded."
    evidence += _made_up(where, name, [call for _, call, _ in found])
    p = probability(evidence)
    return Part(min(p, _DOUBT) if not found else p, tuple(evidence), missing if p > 0.4 else "")


def _loads(where: _Where, name: str) -> Iterator[tuple[str, Call, str]]:
    """Calls that load the named data set: the callee or an argument names it."""
    scene = where.scene
    for path, code in where.inside.items():
        for call in code.calls:
            last = call.name.rsplit(".", 1)[-1]
            if _is_named(last, name) and not _is_stub(code, last) and call.name.split(".")[0] not in ("print", "self"):
                yield path, call, last
            elif _is_loader(call.name) and not _is_stub(code, last) and not _writes(call):
                for text in call.strings:
                    if _is_data(text) and _is_named(text, name):
                        yield path, call, repr(text)
                        break
        if where.is_named:
            yield from _passed_in(scene, path, code, name)


def _passed_in(scene: Scene, path: str, code: Code, name: str) -> Iterator[tuple[str, Call, str]]:
    """A live function of the file, called elsewhere with the name, that itself loads something."""
    loading = {code.definitions[call.inside].name for call in code.calls if call.inside >= 0 and _is_loader(call.name)}
    for other, elsewhere in scene.sources.items():
        if other == path:
            continue
        for call in elsewhere.calls:
            last = call.name.rsplit(".", 1)[-1]
            if last in loading and any(_is_data(text) and _is_named(text, name) for text in call.strings):
                yield other, call, name


def _is_data(text: str) -> bool:
    """Whether a literal may name data: no result, and no blank to be filled in."""
    return not _RESULT.match(text) and not re.match(r"(?i)(/?path[_/]to|your[_/]|<)", text)


@lru_cache(maxsize=100_000)
def _is_named(text: str, name: str) -> bool:
    """Whether a path, an address or an identifier names a data set."""
    whole, words, aliases = _telling(name)
    plain = _NO_LETTER.sub("", text.lower())
    if not plain or text.count(" ") > 2:
        return False
    if (len(whole) >= 3 and whole in plain) or any(alias in plain for alias in aliases):
        return True
    held = [word for word in words if word in plain]
    return len(held) >= max(1, (len(words) + 1) // 2) and max(map(len, held)) >= 3


_NO_LETTER = re.compile(r"[^a-z0-9]")


@lru_cache(maxsize=1024)
def _telling(name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Of a data set's name: all of it as letters, its telling words, what else it is called."""
    outside = re.sub(r"\(.*?\)", "", name)
    whole = _NO_LETTER.sub("", outside.lower().replace("dataset", ""))
    words = significant(outside) + significant(" ".join(re.findall(r"\((.*?)\)", name)))
    return whole, words, _ALIASES.get(whole, ())


_ALIASES = {
    "yahoofinance": ("yfinance", "yahoo", "ticker"),
    "imdb": ("imdb",),
    "lfw": ("lfw", "labeledfaces"),
    "cnndailymail": ("cnndailymail", "cnn"),
    "movielens": ("ml100k", "ml1m", "mllatest", "ratings", "movielens"),
    "pascalvoc": ("vocsegmentation", "vocdetection", "voc2012", "pascal"),
    "breastcancerwisconsin": ("breastcancer", "wdbc"),
    "pimaindiansdiabetes": ("pima", "diabetes"),
    "bostonhousing": ("boston", "housing"),
    "20newsgroups": ("20newsgroups", "20news"),
    "agnews": ("agnews",),
    "gtzan": ("gtzan", "genres"),
    "coracitationnetwork": ("cora", "planetoid"),
}


def _is_stub(code: Code, name: str) -> bool:
    return any(one.name == name and one.stub for one in code.definitions)


def _no_load(where: _Where, name: str) -> Iterator[Evidence]:
    """Why the data set is not loaded: another one is, nothing is, or it is not plain."""
    scene = where.scene
    other = [(path, call) for path, code in where.inside.items() for call in code.calls if _other_set(call, name)]
    generic = [
        (path, call) for path, code in where.inside.items() for call in code.calls
        if _is_loader(call.name) and not _is_stub(code, call.name.rsplit(".", 1)[-1]) and not _writes(call)
    ]  # fmt: skip
    if other:
        path, call = other[0]
        yield scene.about(path, False, f"{path} loads another data set: {call.name}.", 0.85, "data set", call.line)
    elif not generic:
        yield Evidence(False, f"Nothing in {where.words()} loads {name}.", 0.85, kind="data set")
    else:
        path, call = generic[0]
        yield scene.about(
            path, True, f"{path} loads something by {call.name}; what, is not plain.", 0.35, "data set", call.line
        )
        held = [other for other in scene.workspace.files if _is_named(other.rsplit("/", 1)[-1], name)]
        if not held and not call.open and call.strings:
            words = f"{path} loads {call.strings[0]!r}, which does not name {name}."
            yield scene.about(path, False, words, 0.7, "data set", call.line)


def _writes(call: Call) -> bool:
    return bool({"w", "wb", "a", "w+", "wt", "x"} & set(call.strings))


def _other_set(call: Call, name: str) -> bool:
    """A call that loads a data set of a library, and another one."""
    root = call.name.split(".")[0]
    last = call.name.rsplit(".", 1)[-1]
    if root in ("sklearn", "torchvision", "tensorflow", "keras", "seaborn") and ".datasets." in f".{call.name}.":
        return not last.startswith(
            ("make_", "fetch_openml", "load_svmlight", "load_dataset", "ImageFolder", "get_data")
        ) and bool(_OWN_SETS.match(last) or last[:1].isupper() or "load_data" in last)
    return bool(
        root == "datasets" and last == "load_dataset" and call.strings and not any(_is_named(t, name) for t in call.strings)
    )


def _made_up(where: _Where, name: str, loads: list[Call]) -> Iterator[Evidence]:
    """Data that a generator made: by the columns of the loaded table, or by calls."""
    scene = where.scene
    for path, info in scene.workspace.files.items():
        if (
            info.kind in ("csv", "tsv")
            and _is_named(path.rsplit("/", 1)[-1], name)
            and scene.known[path].artefact.details.get("made_up")
        ):
            columns = ", ".join(scene.known[path].artefact.details["columns"][:3])
            yield scene.about(path, False, f"{path} has the columns {columns}: nobody measured these.", 0.9, "made up")
            break
    for path, code in where.inside.items():
        for call in code.calls:
            if _is_random(call.name):
                weight = 0.85 if _DRAWN.match(call.name) else 0.5
                yield scene.about(path, False, f"{path} draws data by {call.name}.", weight, "made up", call.line)
                return


def _libraries(where: _Where, criterion: Criterion) -> list[Part]:
    found = [_library(where, one, criterion.imports) for one in criterion.libraries]
    if criterion.any_library and len(found) > 1:
        return [max(found, key=lambda part: part.probability)]
    return found


def _library(where: _Where, library: Library, only_import: bool) -> Part:
    scene = where.scene
    imported = None
    for path, code in where.inside.items():
        for one in code.imports:
            if library.modules.match(one.module) or library.modules.match(one.module.split(".")[0]):
                if one.used or only_import:
                    evidence = [
                        scene.about(path, True, f"{path} uses {library.name}.", 0.7, "library", one.line),
                        *_live(where),
                    ]
                    return Part(probability(evidence), tuple(evidence))
                imported = imported or (path, one.line)
    if any(code.partial for code in where.inside.values()) and not imported:
        return Part(_UNDECIDED, (), f"Whether {library.name} is used is not plain in {where.words()}.")
    against: list[Evidence] = []
    if imported:
        words = f"{imported[0]} imports {library.name} and never uses it."
        against.append(scene.about(imported[0], False, words, 0.75, "library", imported[1]))
    else:
        against.append(Evidence(False, f"{library.name} is not used in {where.words()}.", 0.75, kind="library"))
    return Part(probability(against), tuple(against))


def _live(where: _Where) -> list[Evidence]:
    for path, code in where.inside.items():
        if code.is_live:
            return [where.scene.about(path, True, f"{path} is live code of {code.statements} statements.", 0.35, "live")]
    return []


def _methods(where: _Where, criterion: Criterion) -> list[Part]:
    """Each method that the criterion names; drawn or reported ones only add to what was found of the file itself."""
    has_artefact = bool(criterion.artefacts)
    wanted = [one for one in criterion.methods if not (has_artefact and one.figure)]
    wanted = [
        one for one in wanted if not any(lib.modules.match(module) for lib in criterion.libraries for module in one.modules)
    ]
    if not wanted:
        return []
    found = [_method(where, one, criterion) for one in wanted]
    return _softened(found) if has_artefact and not criterion.code else found


def _softened(found: list[Part]) -> list[Part]:
    """Of a result that is there, the method in its name is not asked for again: only another in its place denies it."""
    return [part for part in found if part.probability > _DOUBT or part.probability < 0.3]


def _method(where: _Where, concept: Concept, criterion: Criterion) -> Part:
    scene = where.scene
    evidence: list[Evidence] = []
    seen = _confirmed(where.inside, concept, criterion.imports, scene.modules)
    if seen:
        path, name, line, weight = seen
        evidence.append(scene.about(path, True, f"{path} has {concept.name}: {name}.", weight, "method", line))
        evidence += [] if criterion.imports else _live(where)
        evidence += _unused(scene, path, line, criterion)
        return Part(probability(evidence), tuple(evidence))
    instead = _instead(where, concept)
    if instead:
        path, name, line = instead
        words = f"{path} has {name} where {concept.name} is asked for."
        evidence = [scene.about(path, False, words, 0.8, "instead", line)]
        return Part(probability(evidence), tuple(evidence))
    if not any(code.is_live for code in where.inside.values()):
        words = f"There is no live code in {where.words()}." if where.inside else "There is no code."
        evidence = [Evidence(False, words, 0.85, kind="stub")]
        return Part(probability(evidence), tuple(evidence))
    evidence += _live(where)
    hollow = _hollow(where, concept, criterion)
    if hollow:
        evidence.append(scene.about(hollow[0], False, f"{hollow[1].name} does nothing.", 0.85, "hollow", hollow[1].line))
        return Part(probability(evidence), tuple(evidence))
    elsewhere = _confirmed(where.outside, concept, criterion.imports, scene.modules) if where.is_named else None
    if elsewhere:
        words = f"{concept.name} is in {elsewhere[0]}, not in {where.words()}."
        evidence.append(scene.about(elsewhere[0], False, words, 0.35, "elsewhere", elsewhere[2]))
    if criterion.imports:
        evidence.append(Evidence(False, f"{where.words()} does not import {concept.name}.", 0.75, kind="library"))
        return Part(probability(evidence), tuple(evidence))
    missing = f"No known name of {concept.name} is in {where.words()}: it may be written by hand; someone must read it."
    return Part(_DOUBT, tuple(evidence), missing)


def _hollow(where: _Where, concept: Concept, criterion: Criterion) -> tuple[str, Definition] | None:
    """A definition in a named source that is left to be written: of the method by its name, or any if libraries have it."""
    wanted = telling_words(criterion.text)
    for path, code in where.inside.items() if where.is_named else ():
        named = [one for one in code.definitions if concept.names.match(one.name) or concept.symbols.match(one.name)]
        named = [one if one.hollow else inner for one in named if (inner := hollow_inside(code, one)) or one.hollow]
        other = [one for one in code.definitions if one.hollow and one.kind != "class" and "symbols" in concept.entry]
        found = next((one for one in named if one is not None), None) or hollow_of(code, wanted) or next(iter(other), None)
        if found:
            return path, found
    return None


def _confirmed(
    sources: dict[str, Code], concept: Concept, imported: bool, modules: frozenset[str]
) -> tuple[str, str, int, float] | None:
    """Where a method is: (path, name, line, weight), the strongest first; modules: of the workspace itself."""
    weaker = None
    for path, code in sources.items():
        local = {one.name for one in code.definitions} | {one.alias for one in code.imports if one.module in modules}
        for one in code.imports:
            if one.module in modules:
                continue
            if (one.used or imported) and (
                concept.symbols.match(one.name) or concept.symbols.match(one.module.split(".")[-1])
            ):
                return path, one.name or one.module, one.line, 0.7
            if one.used and one.module.split(".")[0] in concept.modules:
                return path, one.module, one.line, 0.7
        by_hand = sum(group.search(code.lines) is not None for group in concept.hand) >= len(concept.hand) - 1
        for one in code.definitions:
            if (
                by_hand
                and not one.stub
                and not hollow_inside(code, one)
                and (concept.symbols.match(one.name) or concept.names.match(one.name))
            ):
                return path, one.name, one.line, 0.7
        name = _first(concept.any_symbol, code, local)
        if name:
            return path, name, code.names[name], 0.7
        name = _first(concept.any_name, code, local) if weaker is None else ""
        if name:
            weaker = (path, name, code.names[name], 0.5)
        for call in code.calls:
            if concept.calls.match(call.name) or concept.calls.match(call.name.rsplit(".", 1)[-1]):
                return path, call.name, call.line, 0.6
        held = [found.group() for group in concept.hand if (found := group.search(code.lines))]
        if held and len(held) == len(concept.hand):
            return path, ", ".join(held), code.names[held[0]], 0.65
    return None if weaker and concept.hand else weaker


def _first(pattern: re.Pattern[str], code: Code, but: set[str]) -> str:
    return next((found.group() for found in pattern.finditer(code.lines) if found.group() not in but), "")


def _instead(where: _Where, concept: Concept) -> tuple[str, str, int] | None:
    """Another member of the family in the same source, if the one that is asked for is nowhere in it."""
    if not concept.family:
        return None
    for other in CONCEPTS:
        if other.family == concept.family and other.name != concept.name:
            for path, code in where.inside.items():
                for one in code.imports:
                    if one.used and other.symbols.match(one.name):
                        return path, one.name, one.line
    return None


def _unused(scene: Scene, path: str, line: int, criterion: Criterion) -> Iterator[Evidence]:
    """What was found stands in a function that nothing calls."""
    code = scene.sources[path]
    inside: list[Definition] = [one for one in code.definitions if one.line <= line <= one.end]
    if not inside:
        return
    outer = inside[0]
    if outer.name in scene.called or outer.decorated or outer.name in _STARTERS or outer.name.startswith("test"):
        return
    if any(one.kind == "class" for one in inside):
        return
    yield scene.about(path, False, f"Nothing calls {outer.name} in {path}.", 0.35, "unused", outer.line)


def _named(where: _Where, criterion: Criterion) -> Part:
    """A source file without a known method: files that it must read, names and words that its live code must bear."""
    scene = where.scene
    read = [one for one in criterion.targets if one.role != "code" and _READS.search(criterion.text)]
    if read:
        return _reading(where, criterion, read[0].path)
    if all(scene.workspace.files[path].kind == "css" for path in where.inside):
        return Part(probability(evidence := _live(where)), tuple(evidence))
    wanted = [name for name in criterion.names if re.fullmatch(r"[A-Za-z_]\w*", name)]
    found = [(name, path, line) for name in wanted for path, line in _bears(where.inside, name)]
    evidence = [scene.about(path, True, f"{path} has {name}.", 0.3, "name", line) for name, path, line in found[:6]]
    evidence += _live(where)
    if wanted and {name for name, _, _ in found} == set(wanted):
        return Part(probability(evidence), tuple(evidence))
    return _worded(where, criterion, evidence)


_READS = re.compile(r"(?i)\b(read|loaded|load|parsed|imported|taken)\b")


def _reading(where: _Where, criterion: Criterion, path: str) -> Part:
    """A named source reads a named file: a call in it has the file's name, or it loads what others name."""
    scene, name = where.scene, path.rsplit("/", 1)[-1]
    loads = any(_is_loader(call.name) and call.open for code in where.inside.values() for call in code.calls)
    for source, code in [*where.inside.items(), *(where.outside.items() if loads else ())]:
        for call in code.calls:
            if not _writes(call) and any(text.rsplit("/", 1)[-1] == name for text in call.strings):
                weight = 0.7 if source in where.inside else 0.5
                evidence = [scene.about(source, True, f"{source} reads {name} by {call.name}.", weight, "reads", call.line)]
                evidence += [*_live(where), *_left_open(where, criterion)]
                return Part(probability(evidence), tuple(evidence))
    evidence = [Evidence(False, f"Nothing in {where.words()} reads {name}.", 0.75, kind="reads")]
    return Part(probability(evidence), tuple(evidence))


def _left_open(where: _Where, criterion: Criterion) -> Iterator[Evidence]:
    """A definition in the named source that bears the criterion's words, and is hollow."""
    for path, code in where.inside.items():
        one = hollow_of(code, telling_words(criterion.text))
        if one:
            yield where.scene.about(path, False, f"{one.name} does nothing.", 0.85, "hollow", one.line)
            return


def _worded(where: _Where, criterion: Criterion, evidence: list[Evidence]) -> Part:
    scene, wanted = where.scene, telling_words(criterion.text)
    against = list(_left_open(where, criterion))
    for path, code in where.inside.items():
        one = bears_words(code, wanted) if not against else None
        if one:
            evidence = [scene.about(path, True, f"{path} defines {one.name}.", 0.5, "words", one.line), *evidence]
            return Part(probability(evidence), tuple(evidence))
        name = names_words(code, wanted) if not against and code.is_live else None
        if name:
            evidence = [scene.about(path, True, f"{path} has {name[0]}.", 0.4, "words", name[1]), *evidence]
            return Part(probability(evidence), tuple(evidence))
    if against:
        return Part(probability([*against, *evidence]), (*against, *evidence))
    missing = f"What {where.words()} does with it must be read by a person or a model."
    return Part(_UNDECIDED, tuple(evidence), missing)


def _bears(sources: dict[str, Code], name: str) -> Iterable[tuple[str, int]]:
    for path, code in sources.items():
        line = code.names.get(name) or code.keys.get(name)
        if line:
            return [(path, line)]
    return []
