"""What every section of the settings is made of: a strict class, and kinds of values."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return date.fromisoformat(value)
    raise ValueError('must be a day that exists, written like "2025-06-30"')


Day = Annotated[date, BeforeValidator(_day)]
Positive = Annotated[float, Field(gt=0)]
Values = dict[str, Annotated[list[str], Field(min_length=1)]]  # a column of the log -> values in it


class Section(BaseModel):
    """Keys that belong together; unknown keys, wrong types and nonsense are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
