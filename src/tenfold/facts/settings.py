"""How a forecaster is built and trained, checked when it is asked for."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tenfold.core.errors import BadInput
from tenfold.facts.intervals import LEVELS, check_levels
from tenfold.facts.series import Fill

__all__ = ["Settings", "validated"]

Shape = TypeVar("Shape", bound=BaseModel)


class Settings(BaseModel):
    """How a forecaster is built and trained.

    Attributes:
        horizon: steps to forecast.
        look_back: steps that it sees.
        minutes: time budget of the training; None: 2.5. The number of steps is bounded too.
        steps: of the training at most; 0 leaves the linear part alone.
        seed: of weights and batches.
        past_covariates: columns known up to now that help to forecast the others.
        future_covariates: columns known over the horizon too.
        calendar: whether time of day, week and year are given to the model.
        fill: what becomes of missing values: see `read_series`; "mask" hides them from the model.
        levels: of the intervals.
        quantile_heads: whether intervals begin from learned quantiles instead of the forecast alone.
        slots: K.
        slot_size: D.
        heads: of the router; a divisor of slot_size.
        layers: of the encoder.
        stride: the router reads every so-manieth frame.
        dropout: in training.
        hidden: share of rows that are hidden from the slots in training, so that they can be missing later.
        learning_rate: of the training.
        weight_decay: of the training.
        batch_size: windows a step.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = Field(default=96, ge=1, le=10_000)
    look_back: int = Field(default=96, ge=2, le=100_000)
    minutes: float | None = Field(default=None, gt=0)
    steps: int = Field(default=600, ge=0)
    seed: int = Field(default=0, ge=0)
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    calendar: bool = False
    fill: Fill = "refuse"
    levels: tuple[float, ...] = LEVELS
    quantile_heads: bool = False
    slots: int = Field(default=8, ge=1)
    slot_size: int = Field(default=16, ge=1)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=1, ge=1)
    stride: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    hidden: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=8e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=32, ge=1)
    device: str = "cpu"

    @field_validator("levels")
    @classmethod
    def _rise(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        return check_levels(levels)


def validated(kind: type[Shape], given: Mapping[str, Any], where: str = "") -> Shape:
    """Values in their shape.

    Raises:
        BadInput: one is unknown, missing or out of range; it is named.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "it"
        raise BadInput(f"{where}{name} is wrong: {first['msg']}.") from error
