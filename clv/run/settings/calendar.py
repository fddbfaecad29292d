"""The stated calendar: months and spans of days in which all customers buy more or less than usual."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from clv.run.settings.kinds import Day, Section
from clv.transactions.months import ENGLISH

Factor = Annotated[float, Field(ge=0, le=100)]
MONTHS = tuple(name.lower() for name in ENGLISH)


class Span(Section):
    """Days with a factor of their own."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str | None = None
    first: Day = Field(alias="from")
    to: Day
    factor: Factor

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.to < self.first:
            raise ValueError(f"must end (to: {self.to}) no earlier than it starts (from: {self.first})")
        return self


class Calendar(Section):
    """Key `calendar`."""

    months: list[Factor] | None = None
    spans: list[Span] = Field([])
    uncertainty: float = Field(0.15, ge=0, le=1)

    @field_validator("months", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            if isinstance(value, list) and len(value) != len(MONTHS):
                raise ValueError("must hold twelve numbers, from January to December, or months by name")
            return value
        unknown = [name for name in value if name not in MONTHS]
        if unknown:
            raise ValueError(f"names {unknown[0]}, but months are {', '.join(MONTHS)}, or twelve numbers")
        return [value.get(name, 1.0) for name in MONTHS]

    @model_validator(mode="after")
    def _states_something(self) -> Self:
        if not self.months and not self.spans:
            raise ValueError("must state months or spans; without any leave it out")
        if self.months and not any(self.months):
            raise ValueError("has no month in which anybody buys: months are relative to each other")
        return self


class Stated(Section):
    """Keys of what a shop knows of its year."""

    calendar: Calendar | None = None
    """How much more or less than usual all customers buy, past and future. months: an index of January to December,
    relative to each other (or {december: 1.8}, the others 1; {}: all alike); null: what a log of some years shows
    itself. spans: days `from` `to` with a `factor`, 0 for a closure, and perhaps a `name`. uncertainty: standard
    deviation of the logarithm of each stated factor in the future. Stated by whoever knows the shop's year."""
