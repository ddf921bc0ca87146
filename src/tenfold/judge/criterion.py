"""What a criterion asks for: files, folders, methods, libraries, data sets, measures, verbs."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from tenfold.judge.kinds import CODE, kind_of
from tenfold.judge.lexicon import CONCEPTS, LIBRARIES, MEASURES, Concept, Library, module_library

__all__ = ["Criterion", "Target", "parse", "significant"]

Decidable = Literal["by absence", "by presence", "by judgement"]

_URL = re.compile(r"\[([^\]]*)\]\(\s*\S+?\)|https?://\S+")
_QUOTED = re.compile(r"`([^`]{1,120})`|\"([^\"]{1,120})\"|“([^”]{1,120})”|(?<!\w)'([^'\s]{1,120})'(?!\w)")
_PATH = re.compile(
    r"(?<![\w./-])((?:\./)?(?:[\w.-]+/)+(?:[\w.-]*\w)?/?|[\w-]+\.(?:py|ipynb|js|jsx|ts|tsx|html|css|md|txt|csv|json|png|jpe?g|gif|svg"
    r"|pdf|pt|pth|pkl|joblib|npy|npz|h5|ya?ml|xlsx|docx|pptx|db|sqlite|parquet|safetensors|onnx|zip|mp4|wav|sql|sh))(?![\w/])"
)
_ROOTS = {
    "src",
    "results",
    "models",
    "data",
    "output",
    "outputs",
    "docs",
    "notebooks",
    "app",
    "static",
    "templates",
    "public",
    "tests",
}
_MODULE = re.compile(r"[\"`]([a-z]\w+),?[\"`] (?:module|library|package)\b")
_CODE_FOLDERS = ("src/", "app/", "static/", "public/", "templates/")
_VERB = re.compile(
    r"\b(saved?|stored?|written|generated?|created?|implement\w*|used?|utilized|imported?|loaded?|load|performed?|applied|trained"
    r"|displayed|visuali[sz]ed|plotted|evaluated|recorded|printed|defined|included?|handled|obtained|downloaded|tuned|converted"
    r"|instantiated|logged|read)\b",
    re.I,
)
_SHOWN = re.compile(
    r"\b(?:display\w*|showcas\w*|shows?|explor\w*|stored? in|selected? .{0,30}from|read from|using)\b[^.`]*\Z", re.I
)
_SAVES = re.compile(
    r"\b(?:saved?|stor(?:e|ed)|written|generated|created|export\w*|record\w*|plotted|visuali[sz]ed|cached|converted)\b", re.I
)
_DATASET = re.compile(r"\bdata ?sets?\b|\bcorpus\b", re.I)
_UNQUOTED_SET = re.compile(r"(?:^|\bthe )((?:[A-Z][\w-]*)(?: [A-Z][\w-]*)*)(?: [a-z]+)? data ?set\b")
_NO_SET = re.compile(
    r"(?i)hugging ?face|kaggle\Z|uci\Z|openai gym|pytorch|tensorflow|sklearn|scikit-learn|interactive|dataset\Z"
)
_GENERIC = frozenset({
    "the", "a", "an", "of", "in", "for", "and", "from", "data", "dataset", "datasets", "set", "kaggle", "uci", "database",
    "corpus", "machine", "learning", "repository", "classification", "prediction", "network", "subset", "sales", "news",
    "real", "world", "sample", "samples", "csv", "file", "images", "image", "reviews",
})  # fmt: skip


class Target(NamedTuple):
    """A path that a criterion names.

    Attributes:
        path: relative, without a slash at its end.
        kind: "file" or "folder".
        role: "code", "artefact", or "input" of what is asked for.
    """

    path: str
    kind: str
    role: str


@dataclass(frozen=True)
class Criterion:
    """What a criterion asks for.

    Attributes:
        text: as given.
        targets: files and folders, each once.
        names: other quoted names, e.g. "SVM classifier" or `prompt_path`.
        methods: of the lexicon.
        libraries: that must be used; see `any_library`.
        any_library: one of them is enough ("Dash" or "Bokeh").
        data_set: name of the data set that must be loaded, or empty.
        measures: names of measures that a result must show.
        verb: the first one, e.g. "saved".
        imports: it asks for an import and nothing more.
        notebook: it asks for a notebook, wherever it lies.
        decidable: how far files and code can decide it.
    """

    text: str
    targets: tuple[Target, ...] = ()
    names: tuple[str, ...] = ()
    methods: tuple[Concept, ...] = ()
    libraries: tuple[Library, ...] = ()
    any_library: bool = False
    data_set: str = ""
    measures: tuple[str, ...] = ()
    verb: str = ""
    imports: bool = False
    notebook: bool = False
    decidable: Decidable = "by judgement"

    @property
    def code(self) -> tuple[str, ...]:
        """The source files it names."""
        return tuple(one.path for one in self.targets if one.role == "code")

    @property
    def artefacts(self) -> tuple[Target, ...]:
        """The results it names."""
        return tuple(one for one in self.targets if one.role == "artefact")


@lru_cache(maxsize=4096)
def parse(text: str, category: str = "") -> Criterion:
    """Read a criterion.

    Args:
        text: one requirement.
        category: as DevAI has it, e.g. "Dataset or Environment", or empty.
    """
    plain = _URL.sub(lambda found: found.group(1) or " ", text)
    quoted = [(next(filter(None, found.groups())).strip(" ,.;:"), found.start()) for found in _QUOTED.finditer(plain)]
    targets = _targets(plain, quoted)
    paths = {one.path for one in targets}
    names = tuple(dict.fromkeys(name for name, _ in quoted if name.strip("./") not in paths and not _is_path(name)))
    words = _without_paths(plain, paths)
    libraries = tuple(one for one in LIBRARIES if one.says.search(words))
    modules = (found.group(1) for found in _MODULE.finditer(words))
    libraries += tuple(module_library(name) for name in modules if not any(one.says.search(name) for one in libraries))
    data_set = _data_set(words, names, category)
    methods = tuple(one for one in CONCEPTS if one.says.search(words) and not _only_example(one, words))
    measures = tuple(name for name, says in MEASURES.items() if says.search(words)) if _shows_numbers(targets) else ()
    verb = next((found.group().lower() for found in _VERB.finditer(words)), "")
    found = Criterion(
        text=text,
        targets=targets,
        names=names,
        methods=methods,
        libraries=libraries,
        any_library=len(libraries) > 1 and bool(re.search(r"\bor\b", words)),
        data_set=data_set,
        measures=measures,
        verb=verb,
        imports=bool(re.search(r"\bimported\b", words, re.I)),
        notebook=bool(re.search(r"(?i)jupyter notebook", words)) and not any(one.path.endswith(".ipynb") for one in targets),
    )
    return Criterion(**{**vars(found), "decidable": _decidable(found)})


def _decidable(found: Criterion) -> Decidable:
    if found.artefacts or found.libraries or found.data_set or found.imports or found.notebook:
        return "by absence"
    return "by presence" if found.methods or found.code else "by judgement"


def _is_path(name: str) -> bool:
    if " " in name or "(" in name or not name:
        return False
    if name.endswith("/"):
        return True
    root = name.removeprefix("./").split("/")[0]
    return (kind_of(name, b"") != "unknown" and "." in name) or ("/" in name and root in _ROOTS)


def _targets(plain: str, quoted: list[tuple[str, int]]) -> tuple[Target, ...]:
    found: dict[str, int] = {}
    for name, start in quoted:
        if _is_path(name) and not _library_name(name):
            found.setdefault(name, start)
    for match in _PATH.finditer(plain):
        name = match.group(1)
        root = name.removeprefix("./").split("/")[0]
        is_new = not any(name.strip("./") in other for other in found)
        if is_new and _is_path(name) and (root in _ROOTS or "." in name) and not _library_name(name):
            found.setdefault(name, match.start())
    return _roles(plain, _joined(plain, found))


def _library_name(name: str) -> bool:
    return any(one.says.fullmatch(name) for one in LIBRARIES)


def _joined(plain: str, found: dict[str, int]) -> dict[str, int]:
    """A bare file name and one folder: the file lies in the folder ("`model.pt` in `models/`")."""
    bare = [name for name in found if "/" not in name]
    folders = [name for name in found if name.endswith("/")]
    if len(bare) == 1 and len(folders) == 1 and kind_of(bare[0], b"") not in CODE:
        rest = {name: start for name, start in found.items() if name not in (bare[0], folders[0])}
        return {**rest, folders[0] + bare[0]: found[bare[0]]}
    return found


def _roles(plain: str, found: dict[str, int]) -> tuple[Target, ...]:
    targets = []
    has_code = any(kind_of(name, b"") in CODE and not name.endswith((".html", ".ipynb")) for name in found)
    for name, start in sorted(found.items(), key=lambda item: item[1]):
        path = name.removeprefix("./").strip("/")
        kind = "file" if re.search(r"\w\.\w{1,12}\Z", path) and not name.endswith("/") else "folder"
        what = kind_of(path, b"")
        before = plain[:start]
        if kind == "file" and what in CODE and what not in ("html", "notebook"):
            role = "code"
        elif kind == "file" and what in ("html", "notebook"):
            role = "code" if path.startswith(_CODE_FOLDERS) or (what == "notebook" and not _is_made(before)) else "artefact"
        elif (has_code and kind == "folder" and _SHOWN.search(before)) or _is_read(before):
            role = "input"
        else:
            role = "artefact"
        targets.append(Target(path, kind, role))
    return tuple(dict.fromkeys(targets))


def _is_made(before: str) -> bool:
    return bool(_SAVES.search(re.split(r"[.;]\s", before)[-1])) and not re.search(r"\bin\W*\Z", before)


def _is_read(before: str) -> bool:
    """ "read from a file named X", "displays the results in X": X is there before, not made."""
    tail = re.split(r"[.;]\s", before)[-1]
    return bool(
        re.search(r"(?i)\b(provided models?[^,]*|results? and [\w ]*performance) in\b[^,]*\Z", tail)
    ) and not _SAVES.search(tail.rsplit(",", 1)[-1])


def _without_paths(plain: str, paths: set[str]) -> str:
    for path in sorted(paths, key=len, reverse=True):
        plain = plain.replace(path, " ")
    return plain


def _data_set(words: str, names: tuple[str, ...], category: str) -> str:
    """The name of the data set that must be loaded."""
    about = bool(_DATASET.search(words)) or (
        category.startswith("Dataset") and re.search(r"(?i)\bload(ed)?\b", words) is not None
    )
    if not about:
        return ""
    candidates = [
        name
        for name in names
        if not _NO_SET.search(name) and not _library_name(name) and re.fullmatch(r"[\w/&'() .+-]+", name)
    ]
    candidates = [name for name in candidates if "load_dataset" not in name and "import" not in name.split()]
    before = [
        name for name in candidates if re.search(re.escape(name) + r"[\"'`,”]*(?: \(?[\w ]+\)?){0,5} data ?set", words)
    ]
    if before:
        return before[-1]
    if candidates and category.startswith("Dataset"):
        return candidates[0]
    found = _UNQUOTED_SET.search(words)
    return found.group(1) if found and found.group(1) != "The" and not _NO_SET.search(found.group(1)) else ""


def _only_example(concept: Concept, words: str) -> bool:
    """ "(e.g., Logistic Regression)" asks for something like it."""
    return all(re.search(r"\be\.g\.[^)]*\Z", words[: found.start()]) for found in concept.says.finditer(words))


def _shows_numbers(targets: tuple[Target, ...]) -> bool:
    return any(
        one.role == "artefact" and one.path.endswith((".txt", ".csv", ".json", ".md", ".pdf", ".log")) for one in targets
    )


def significant(name: str) -> tuple[str, ...]:
    """The telling words of a data set's name, in small letters: "UCI Heart Disease" -> ("heart", "disease")."""
    parts = [part.lower() for part in re.findall(r"[A-Za-z]+\d*|\d+[A-Za-z]*", name)]
    kept = [part for part in parts if part not in _GENERIC]
    return tuple(kept or parts)
