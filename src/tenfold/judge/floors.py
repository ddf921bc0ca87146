"""The two floors beside every agreement: what is had without opening a workspace.

The constant says of everything what most labels say. The text-only prior reads the criterion's words and category and
learns from the labels of the other tasks: whoever is not above it has learned nothing from workspaces.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenfold.judge.labels import Label

__all__ = ["Floors", "floors", "text_prior"]

PART = 2000
_RIDGE = 1.0
_WORDS_LIMIT = 5000


class Floors(NamedTuple):
    """Verdicts of the two floors, one for each label.

    Attributes:
        constant: the one verdict, that of most labels.
        constant_aligned: labels that agree with it.
        text: the prior's verdicts, each learned without the task it is about.
        text_aligned: labels that agree with it.
    """

    constant: bool
    constant_aligned: int
    text: tuple[bool, ...]
    text_aligned: int


def floors(labels: Sequence[Label]) -> Floors:
    """Both floors for labels; the constant is chosen with all of them in sight, which favours it."""
    human = np.array([label.human for label in labels], dtype=bool)
    constant = bool(human.sum() * 2 > len(human))
    text = text_prior(labels)
    return Floors(constant, int((human == constant).sum()), tuple(text), int((human == np.array(text, dtype=bool)).sum()))


def text_prior(labels: Sequence[Label]) -> list[bool]:
    """Verdicts from the words alone: ridge regression on tf-idf, category and agent, each task predicted from the others.

    Leaving a group g out of ridge regression has a closed form: with G = (K + a I)^-1, its residuals are
    G_gg^-1 (G y)_g, so one inverse serves all tasks. More than `PART` labels are predicted in parts of whole tasks.
    """
    parts: list[list[int]] = [[]]
    for rows in _by_task(labels):
        if parts[-1] and len(parts[-1]) + len(rows) > PART:
            parts.append([])
        parts[-1] += rows
    found = [False] * len(labels)
    for part in parts:
        for row, verdict in zip(part, _predicted([labels[row] for row in part]), strict=True):
            found[row] = verdict
    return found


def _by_task(labels: Sequence[Label]) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label.task, []).append(row)
    return list(rows.values())


def _predicted(labels: Sequence[Label]) -> list[bool]:
    if len(_by_task(labels)) < 2:
        most = sum(label.human for label in labels) * 2 > len(labels)
        return [most] * len(labels)
    features = np.hstack([_words([label.criteria for label in labels]), _groups(labels)])
    target = np.where([label.human for label in labels], 1.0, -1.0)
    inverse = np.linalg.inv(features @ features.T + _RIDGE * np.eye(len(labels)))
    fitted = inverse @ target
    predicted = np.empty(len(labels))
    for rows in _by_task(labels):
        here = np.array(rows)
        predicted[here] = target[here] - np.linalg.solve(inverse[np.ix_(here, here)], fitted[here])
    return [bool(value > 0) for value in predicted]


def _words(texts: Sequence[str]) -> NDArray[np.float64]:
    """Tf-idf of words and pairs of words that occur in two texts or more; rows of length 1."""
    bags = []
    for text in texts:
        words = re.findall(r"[a-z0-9_.]+", text.lower())
        bags.append(Counter([*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]))
    seen = Counter(word for bag in bags for word in bag)
    common = sorted(word for word, count in seen.most_common(_WORDS_LIMIT) if count > 1)
    column = {word: number for number, word in enumerate(common)}
    table = np.zeros((len(texts), len(column)))
    for row, bag in enumerate(bags):
        for word, count in bag.items():
            if word in column:
                table[row, column[word]] = (1.0 + np.log(count)) * np.log((1 + len(texts)) / (1 + seen[word]))
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.where(length > 0, length, 1.0)


def _groups(labels: Sequence[Label]) -> NDArray[np.float64]:
    """A constant, and one column for each category and each agent."""
    columns = [np.ones(len(labels))]
    for kind in ("category", "agent"):
        values = [getattr(label, kind) for label in labels]
        columns += [np.array([value == one for value in values], dtype=float) for one in dict.fromkeys(values)]
    return np.stack(columns, axis=1)
