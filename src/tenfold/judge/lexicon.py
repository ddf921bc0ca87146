"""What criteria call things, and what code calls them: methods, libraries, measures.

`lexicon.json` holds the methods. Of each: `says`, how criteria name it; `symbols`, what libraries call it (last part of a
dotted name, as a whole); `names`, what people call it in code of their own; `hand`, groups of names that code of their own
has all of; `calls`, functions that do it among other things; `modules`, libraries that are it; `family`, of which another
member in its place speaks against it; `figure`, something that is drawn or reported and not run.
"""

import importlib.resources
import json
import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["LIBRARIES", "MEASURES", "Concept", "Library", "concepts"]

_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Concept:
    """One method (see the module's docstring)."""

    name: str
    says: re.Pattern[str]
    symbols: re.Pattern[str]
    names: re.Pattern[str]
    calls: re.Pattern[str]
    hand: tuple[re.Pattern[str], ...]
    modules: frozenset[str]
    family: str
    figure: bool


@dataclass(frozen=True)
class Library:
    """A library: how criteria name it, and the modules, packages or addresses that bring it."""

    name: str
    says: re.Pattern[str]
    modules: re.Pattern[str]


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """All methods of the lexicon."""
    text = (importlib.resources.files("tenfold.judge") / "lexicon.json").read_text("utf-8")
    return tuple(_concept(entry) for entry in json.loads(text))


def _concept(entry: dict) -> Concept:
    names = "|".join(part for part in (entry.get("names"), entry.get("keyword")) if part)
    return Concept(
        entry["name"],
        re.compile(entry["says"], re.I),
        _whole(entry.get("symbols")),
        _whole(names, re.I),
        _whole(entry.get("calls")),
        tuple(_whole(group, re.I) for group in entry.get("hand", ())),
        frozenset(filter(None, entry.get("modules", "").split("|"))),
        entry.get("family", ""),
        bool(entry.get("figure")),
    )


def _whole(pattern: str | None, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", flags) if pattern else _NEVER


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
    "precision": r"precision|\bprec\b",
    "recall": r"recall|sensitivity",
    "f1": r"f1|f-1|f score|f-score|f_score",
    "accuracy": r"accura|\bacc\b",
    "mse": r"\bmse\b|mean[ _-]?squared[ _-]?error",
    "rmse": r"\brmse\b|root[ _-]?mean[ _-]?squared?",
    "mae": r"\bmae\b|mean[ _-]?absolute[ _-]?error",
    "r2": r"\br[\^_ -]?2\b|\br²|r[ _-]?squared|\br2",
    "auc": r"\bauc\b|\broc\b",
    "silhouette": r"silhouette",
    "dice": r"dice",
    "inertia": r"inertia|wcss",
}
"""Measures: how criteria and reports alike write them."""
