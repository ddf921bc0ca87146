"""What a token costs, by date. A model without a price costs "unknown", never 0."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from tenfold.core.errors import BadInput
from tenfold.llm.types import Usage

__all__ = ["Price", "Prices"]

_LIMIT = 1 << 20


class Price(NamedTuple):
    """US dollars per million tokens."""

    prompt: float
    completion: float
    cached: float

    def cost(self, usage: Usage) -> float:
        """US dollars of one request."""
        fresh = usage.prompt - usage.cached
        return (fresh * self.prompt + usage.cached * self.cached + usage.completion * self.completion) / 1e6

    def worst(self, prompt: int, completion: int) -> float:
        """US dollars of so many tokens if none was cached."""
        return (prompt * max(self.prompt, self.cached) + completion * self.completion) / 1e6


class Prices:
    """A price list.

    Attributes:
        models: price by name; a name that ends in * stands for all that begin so.
        date: when it was noted down, as the list says it.
        place: the file that a user would edit.
    """

    def __init__(self, models: Mapping[str, Price], date: str, place: str) -> None:
        self.models, self.date, self.place = dict(models), date, place

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> "Prices":
        """A list from a file (YAML or JSON) or {model: {prompt, completion, cached}}; else $TENFOLD_PRICES, else ours.

        Raises:
            BadInput: the file cannot be read or has another form.
        """
        if isinstance(source, Mapping):
            return cls(_models(source, "prices"), "", "prices")
        named = source or os.environ.get("TENFOLD_PRICES")
        if not named:
            text = files("tenfold.llm").joinpath("prices.yaml").read_text("utf-8")
            return _parsed(text, "the package's list", "a file of your own that TENFOLD_PRICES names")
        path = Path(named)
        try:
            if path.stat().st_size > _LIMIT:
                raise BadInput(f"{path} is larger than 1 MB: no price list.")
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"The price list {path} cannot be read: {error}.") from error
        return _parsed(text, str(path), str(path))

    def of(self, model: str) -> Price | None:
        """The price of a model, or None if it is unknown."""
        found = self.models.get(model)
        if found is not None:
            return found
        matches = [name for name in self.models if name.endswith("*") and model.startswith(name[:-1])]
        return self.models[max(matches, key=len)] if matches else None


def _parsed(text: str, name: str, place: str) -> Prices:
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise BadInput(f"{name} is no valid YAML{f' at line {mark.line + 1}' if mark else ''}.") from error
    if not isinstance(found, Mapping) or not isinstance(found.get("models"), Mapping):
        raise BadInput(f"{name} is no price list.", "It needs `models:` with lines NAME: {prompt: 1.0, completion: 2.0}.")
    return Prices(_models(found["models"], name), str(found.get("date", "")), place)


def _models(found: Mapping[str, Any], name: str) -> dict[str, Price]:
    return {str(model): _price(row, f"{name}: {model}") for model, row in found.items()}


def _price(row: Any, where: str) -> Price:
    if not isinstance(row, Mapping) or not {"prompt", "completion"} <= set(row):
        raise BadInput(f"{where} has no prompt and completion price.", "Write NAME: {prompt: 1.0, completion: 2.0}.")
    values = [row["prompt"], row["completion"], row.get("cached", row["prompt"])]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise BadInput(f"{where} has the price {value!r}.", "It must be dollars per million tokens, 0 or more.")
    return Price(*map(float, values))
