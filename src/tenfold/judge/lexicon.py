"""What criteria call things, and what code calls them: methods, libraries, measures.

`lexicon.json` holds the methods. Of each: `says`, how criteria name it; `symbols`, what libraries call it (last part of a
dotted name, as a whole); `names`, what people call it in code of their own; `hand`, groups of names that code of their own
has all of; `calls`, functions that do it among other things; `modules`, libraries that are it; `family`, of which another
member in its place speaks against it; `figure`, something that is drawn or reported and not run.
"""

import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = ["CONCEPTS", "LIBRARIES", "MEASURES", "Concept", "Library", "module_library"]

_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Concept:
    """One method (see the module's docstring). Of its patterns only `says` is made before it is asked for."""

    name: str
    says: re.Pattern[str]
    entry: Mapping[str, Any]

    @cached_property
    def symbols(self) -> re.Pattern[str]:
        """What libraries call it."""
        return _whole(self.entry.get("symbols"))

    @cached_property
    def names(self) -> re.Pattern[str]:
        """What people call it in code of their own."""
        return _whole(self._names, re.I)

    @cached_property
    def any_symbol(self) -> re.Pattern[str]:
        """Finds a symbol among names on lines of their own."""
        return _line(self.entry.get("symbols"))

    @cached_property
    def any_name(self) -> re.Pattern[str]:
        """Finds a name among names on lines of their own."""
        return _line(self._names, re.I)

    @cached_property
    def calls(self) -> re.Pattern[str]:
        """Functions that do it among other things."""
        return _whole(self.entry.get("calls"))

    @cached_property
    def hand(self) -> tuple[re.Pattern[str], ...]:
        """Groups of names; code that has one of each does it by hand."""
        return tuple(_line(group, re.I) for group in self.entry.get("hand", ()))

    @property
    def modules(self) -> frozenset[str]:
        """Libraries that are it."""
        return frozenset(filter(None, self.entry.get("modules", "").split("|")))

    @property
    def family(self) -> str:
        """Of which another member in its place speaks against it, or empty."""
        return self.entry.get("family", "")

    @property
    def figure(self) -> bool:
        """It is drawn or reported, and not run."""
        return bool(self.entry.get("figure"))

    @property
    def _names(self) -> str:
        return "|".join(part for part in (self.entry.get("names"), self.entry.get("keyword")) if part)


@dataclass(frozen=True)
class Library:
    """A library: how criteria name it, and the modules, packages or addresses that bring it."""

    name: str
    says: re.Pattern[str]
    modules: re.Pattern[str]


def _whole(pattern: str | None, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", flags) if pattern else _NEVER


def module_library(name: str) -> Library:
    """A library that a criterion calls by the name of its module ("the \"logging\" module")."""
    return _library(name, re.escape(name))


def _line(pattern: str | None, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"^(?:{pattern})$", flags | re.M) if pattern else _NEVER


def _read() -> tuple[Concept, ...]:
    text = (importlib.resources.files("tenfold.judge") / "lexicon.json").read_text("utf-8")
    return tuple(Concept(entry["name"], re.compile(entry["says"], re.I), entry) for entry in json.loads(text))


CONCEPTS = _read()
"""All methods of the lexicon."""


def _library(name: str, modules: str, says: str = "") -> Library:
    return Library(
        name, re.compile(says or rf"\b{re.escape(name)}\b"), re.compile(rf"(?:.*/)?(?:{modules})(?:[.@/-].*)?\Z", re.I)
    )


LIBRARIES = (
    _library("Streamlit", "streamlit", r"(?i)\bstreamlit\b"),
    _library("Dash", "dash\\w*", r"\bDash\b"),
    _library("Bokeh", "bokeh", r"(?i)\bbokeh\b"),
    _library("Gradio", "gradio", r"(?i)\bgradio\b"),
    _library("Flask", "flask\\w*", r"(?i)\bflask\b"),
    _library("FastAPI", "fastapi", r"(?i)\bfastapi\b"),
    _library("Django", "django", r"(?i)\bdjango\b"),
    _library("Express", "express", r"\bExpress(\.js)?\b"),
    _library("React", "react(-dom)?|next", r"\bReact\b"),
    _library("D3", "d3|d3\\.min|d3\\.v\\d.*", r"\bD3(\.js)?\b"),
    _library("Chart.js", "chart(\\.js|js|\\.umd|\\.min).*", r"(?i)\bchart\.js\b"),
    _library("Tailwind", ".*tailwind.*", r"(?i)\btailwind\b"),
    _library("Plotly", "plotly|plotly-.*", r"(?i)\bplotly\b"),
    _library("seaborn", "seaborn", r"(?i)\bseaborn\b"),
    _library("matplotlib", "matplotlib|pylab", r"(?i)\bmatplotlib\b"),
    _library("tqdm", "tqdm", r"(?i)\btqdm\b"),
    _library("SHAP", "shap", r"\b(SHAP|shap)\b"),
    _library("LIME", "lime", r"\b(LIME|lime)\b"),
    _library("librosa", "librosa", r"(?i)\blibrosa\b"),
    _library("OpenCV", "cv2", r"(?i)\bopencv\b"),
    _library(
        "PyTorch",
        "torch|torchvision|torchaudio|pytorch_lightning|lightning|torch_geometric|facenet_pytorch",
        r"(?i)\bpytorch\b",
    ),
    _library("torchvision.transforms", "torchvision", r"torchvision\.transforms"),
    _library("TensorFlow", "tensorflow|keras", r"(?i)\btensorflow\b"),
    _library("Keras", "keras|tensorflow", r"(?i)\bkeras\b"),
    _library("scikit-learn", "sklearn", r"(?i)\bscikit-learn\b|\bsklearn\b"),
    _library("pandas", "pandas", r"(?i)\bpandas\b"),
    _library("NumPy", "numpy", r"(?i)\bnumpy\b"),
    _library("NetworkX", "networkx", r"(?i)\bnetworkx\b"),
    _library("NLTK", "nltk", r"\bNLTK\b"),
    _library("spaCy", "spacy", r"(?i)\bspacy\b"),
    _library("transformers", "transformers", r"(?i)hugging ?face transformers|\btransformers\b library"),
    _library("PyBullet", "pybullet\\w*", r"(?i)\bpybullet\b"),
    _library("Gym", "gym|gymnasium|stable_baselines3", r"(?i)\bopenai gym\b|\bgymnasium\b|\"gym\""),
    _library("SQLite", "sqlite3|sqlalchemy|better-sqlite3|sql\\.js", r"(?i)\bsqlite3?\b(?! database)"),
    _library("unittest or pytest", "unittest|pytest", r"(?i)\bpytest\b|\bunittest\b"),
    _library("XGBoost", "xgboost", r"(?i)\bxgboost\b"),
)
"""Libraries whose use is decidable: code that does not import one does not use it."""

MEASURES = {
    "precision": re.compile(r"precision|\bprec\b", re.I),
    "recall": re.compile(r"recall|sensitivity", re.I),
    "f1": re.compile(r"f1|f-1|f score|f-score|f_score", re.I),
    "accuracy": re.compile(r"accura|\bacc\b", re.I),
    "mse": re.compile(r"\bmse\b|mean[ _-]?squared[ _-]?error", re.I),
    "rmse": re.compile(r"\brmse\b|root[ _-]?mean[ _-]?squared?", re.I),
    "mae": re.compile(r"\bmae\b|mean[ _-]?absolute[ _-]?error", re.I),
    "r2": re.compile(r"\br[\^_ -]?2\b|\br²|r[ _-]?squared|\br2", re.I),
    "auc": re.compile(r"\bauc\b|\broc\b", re.I),
    "silhouette": re.compile(r"silhouette", re.I),
    "dice": re.compile(r"dice", re.I),
    "inertia": re.compile(r"inertia|wcss", re.I),
}
"""Measures: how criteria and reports alike write them."""
