"""Whether a path, an address or an identifier names a data set."""

import re
from functools import lru_cache

from tenfold.judge.criterion import significant

__all__ = ["is_data", "is_named"]

_RESULT = re.compile(
    r"(?i)(\./)?(results?|outputs?|figures?|reports?|logs?)/|.*\.(png|jpe?g|pdf|md|html|gif|svg|pt|pth|pkl|joblib|log)\Z"
)
_NO_LETTER = re.compile(r"[^a-z0-9]")
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


def is_data(text: str) -> bool:
    """Whether a literal may name data: no result, and no blank to be filled in."""
    return not _RESULT.match(text) and not re.match(r"(?i)(/?path[_/]to|your[_/]|<)", text)


@lru_cache(maxsize=100_000)
def is_named(text: str, name: str) -> bool:
    """Whether a path, an address or an identifier names a data set."""
    whole, words, aliases = _telling(name)
    plain = _NO_LETTER.sub("", text.lower())
    if not plain or text.count(" ") > 2:
        return False
    if (len(whole) >= 3 and whole in plain) or any(alias in plain for alias in aliases):
        return True
    held = [word for word in words if word in plain]
    return len(held) >= max(1, (len(words) + 1) // 2) and max(map(len, held)) >= 3


@lru_cache(maxsize=1024)
def _telling(name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Of a data set's name: all of it as letters, its telling words, what else it is called."""
    outside = re.sub(r"\(.*?\)", "", name)
    whole = _NO_LETTER.sub("", outside.lower().replace("dataset", ""))
    words = significant(outside) + significant(" ".join(re.findall(r"\((.*?)\)", name)))
    return whole, words, _ALIASES.get(whole, ())
