"""The settings of one run: every key of a params file with its type, unit, range and default."""

import difflib
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from clv import strict_yaml
from clv.errors import InputError

RUN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
RESERVED_NAMES = ("lab", "bench", "sbc")  # folders in outputs/ that are not runs
REQUIRED_COLUMNS = ("customer_id", "date", "amount")
KNOWN_COLUMNS = (*REQUIRED_COLUMNS, "order_id")
FEWEST_WEIGHTED_DRAWS = 1000  # fewer are worth too little for the gate, whatever their weights

# What the two sources that come with the project look like; a file of one's own is described in the YAML.
BUILT_IN_SOURCES: dict[str, dict[str, Any]] = {
    "generate": {
        "columns": {name: name for name in KNOWN_COLUMNS},
        "date_format": "%Y-%m-%d",
        "exclude_pattern": "^TEST",
    },
    "cdnow": {"columns": {"customer_id": "id", "date": "date", "amount": "amount"}, "date_format": "%Y-%m-%d"},
}


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError('must be a day that exists, written like "2025-06-30"')


Day = Annotated[date, BeforeValidator(_day)]
Positive = Annotated[float, Field(gt=0)]


class Params(BaseModel):
    """All settings of one run, checked; unknown keys, wrong types and nonsense are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    source: str = Field(
        default="generate",
        min_length=1,
        description="Where the log comes from: generate, cdnow, or a CSV or Parquet file (or glob), relative to the "
        "project folder. Everybody with customers of their own changes it.",
    )
    columns: dict[str, str] = Field(
        default={},
        description="Which columns of the file hold customer_id, date, amount and (optional) order_id. Changed with "
        "the source; an order_id lets refunds and duplicated rows be recognised.",
    )
    date_format: str | None = Field(
        default=None, description="How text dates are written, like %d/%m/%Y; never guessed. Changed with the source."
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Character between the columns of a CSV; null: found out. Changed if that goes wrong.",
    )
    observation_end: Day | None = Field(
        default=None,
        description="Last day of the log, included; null: the last date in the data. Changed if the last days are "
        "incomplete, or if nobody bought on the true last day.",
    )
    calibration_end: Day | None = Field(
        default=None,
        description="Last day the backtest's forecast may see; null: no backtest. Changed to test on another period.",
    )
    horizon_weeks: int = Field(
        default=52, ge=1, le=520, description="Weeks ahead that are valued. Changed by whoever plans."
    )
    discount_rate_annual: float = Field(
        default=0.10, ge=0, le=1, description="Cost of capital per year, 0.10 is 10 %. Changed by finance."
    )
    gross_margin: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of revenue that is margin; 1.0: value is revenue, and is called so. Changed by finance.",
    )
    currency: str = Field(default="USD", description="Three letters of the log's currency. Changed with the source.")
    interval: float = Field(
        default=0.90, ge=0.5, le=0.99, description="Probability inside every interval. Changed by careful readers."
    )
    method: Literal["nuts", "laplace", "auto"] = Field(
        default="auto",
        description="How the posterior is found: by NUTS, by importance sampling around its mode (laplace), or by NUTS "
        "up to 20,000 distinct histories of repeat buyers and by the other beyond (auto). Changed by those who compare "
        "the two.",
    )
    chains: int = Field(
        default=4, ge=4, le=16, description="Chains of the sampler; convergence is judged on 4. Rarely changed."
    )
    draws: int = Field(
        default=1000, ge=100, le=20000, description="Draws kept per chain. Raised if the gate finds too few."
    )
    tune: int = Field(default=1000, ge=100, le=20000, description="Warm-up draws per chain. Raised on divergences.")
    predictive_draws: int = Field(
        default=1000, ge=100, le=20000, description="Posterior draws used per customer. Lowered if memory runs out."
    )
    seed: int = Field(default=20260101, ge=0, le=2**32 - 1, description="Root of all randomness. Changed to see luck.")
    workers: int = Field(default=2, ge=1, le=256, description="Processor cores used; results do not depend on it.")
    memory_gib: float = Field(
        default=4.0,
        ge=1,
        le=4096,
        description="Memory one notebook may use; results do not depend on it. Raised for more than two million "
        "customers, lowered on a small machine.",
    )
    typical_order_value: Positive | None = Field(
        default=None,
        description="Money in a usual order, the scale of the spend prior; null: geometric mean of repeat buyers' "
        "means. Changed by those who know better than a small log.",
    )
    zero_amounts: Literal["visit", "drop"] = Field(
        default="visit", description="What an order of 0 is: a visit that counts, or nothing. Changed with the source."
    )
    refunds: Literal["net", "drop", "reject"] = Field(
        default="net",
        description="Negative rows: taken off their purchase, left out, or counted as faults. Changed with the source.",
    )
    exclude_pattern: str | None = Field(
        default=None, description="Regular expression on customer_id for test and internal customers, who are left out."
    )
    max_rejected_share: float = Field(
        default=0.10, ge=0, le=1, description="Share of faulty rows above which the log is refused. Lowered by purists."
    )
    generate_customers: int = Field(default=5000, ge=10, le=10_000_000, description="Customers to generate.")
    generate_start: Day = Field(default=date(2024, 1, 1), description="First day on which generated customers come.")
    generate_acquisition_months: int = Field(
        default=24, ge=1, le=240, description="Months during which new generated customers come."
    )
    generate_r: Positive = Field(default=0.8, description="True shape of the purchase rates: small is uneven.")
    generate_alpha_weeks: Positive = Field(
        default=8.0, description="True rate of the purchase rates; r / alpha is the mean of purchases per week."
    )
    generate_a: Positive = Field(default=0.8, description="True dropout: a / (a + b) is the mean after each purchase.")
    generate_b: Positive = Field(default=4.0, description="True dropout: a / (a + b) is the mean after each purchase.")
    generate_p: Positive = Field(default=5.0, description="True shape of one customer's amounts: large is regular.")
    generate_q: float = Field(default=4.0, gt=1, description="True shape of mean spend between customers.")
    generate_v: Positive = Field(
        default=24.0, description="True scale of spend in the currency: p v / (q - 1) is the mean amount."
    )
    generate_mess_share: float = Field(
        default=0.03, ge=0, le=0.2, description="Share of realistic mess in the generated log; cleaning must remove it."
    )

    @model_validator(mode="before")
    @classmethod
    def _describe_built_in_source(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        source = values.get("source", "generate")
        return {**BUILT_IN_SOURCES.get(source, {}), **values} if isinstance(source, str) else dict(values)

    @field_validator("source")
    @classmethod
    def _is_no_address(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("must be generate, cdnow or a file: addresses and connections are not read")
        return value

    @field_validator("columns")
    @classmethod
    def _maps_known_columns(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in value if name not in KNOWN_COLUMNS]
        if unknown:
            raise ValueError(f"maps {unknown[0]}, but only {', '.join(KNOWN_COLUMNS)} can be mapped")
        if len(set(value.values())) < len(value):
            raise ValueError("uses one column of the file twice")
        return value

    @field_validator("currency")
    @classmethod
    def _is_three_letters(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError("must be three capital letters like USD")
        return value

    @field_validator("exclude_pattern")
    @classmethod
    def _is_regular_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        missing = [name for name in REQUIRED_COLUMNS if name not in self.columns]
        if missing:
            raise ValueError(f"columns must say which column of the file holds {', '.join(missing)}")
        end = self.end_if_known
        if self.calibration_end and end and self.calibration_end >= end:
            raise ValueError(f"calibration_end ({self.calibration_end}) must be before observation_end ({end})")
        if self.predictive_draws > self.chains * self.draws:
            kept = self.chains * self.draws
            raise ValueError(f"predictive_draws ({self.predictive_draws}) must not exceed chains x draws ({kept})")
        if self.method == "laplace" and self.chains * self.draws < FEWEST_WEIGHTED_DRAWS:
            kept, needed = self.chains * self.draws, FEWEST_WEIGHTED_DRAWS
            raise ValueError(f"method laplace needs chains x draws of at least {needed}, not {kept}")
        if self.source == "generate":
            self._check_generated_dates()
        return self

    def _check_generated_dates(self) -> None:
        for key, day in (("observation_end", self.observation_end), ("calibration_end", self.calibration_end)):
            if day and day <= self.generate_start:
                raise ValueError(f"{key} ({day}) must be after generate_start ({self.generate_start})")

    @property
    def end_if_known(self) -> date | None:
        """Last day observed as far as the settings tell: for a log of one's own the data may decide."""
        if self.observation_end or self.source != "generate":
            return self.observation_end
        return _months_later(self.generate_start, self.generate_acquisition_months) - timedelta(days=1)

    def as_json(self) -> dict[str, Any]:
        """Return all settings in JSON's types; dates are ISO text."""
        values = self.model_dump(mode="json")
        values["observation_end"] = str(self.end_if_known) if self.end_if_known else None
        return values


def day(text: str | None) -> date | None:
    """Return a day that a notebook was given as ISO text, or None."""
    return date.fromisoformat(text) if text else None


def load(path: Path | str) -> Params:
    """Return the settings in the YAML file `path`; refuse anything that is not exactly right, in one sentence."""
    path = Path(path)
    values = strict_yaml.read_mapping(path)
    unknown = [key for key in values if key not in Params.model_fields]
    if unknown:
        raise InputError(f"{path}: {_unknown_key(str(unknown[0]))}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from error


def run_name(path: Path | str) -> str:
    """Return the run's name: the stem of its params file."""
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: a params file must end in .yaml.")
    if not RUN_NAME.fullmatch(path.stem):
        raise InputError(f"{path}: the file's name becomes the run's: use only letters, digits, - and _ (at most 64).")
    if path.stem in RESERVED_NAMES:
        raise InputError(f"{path}: the name {path.stem} is reserved; rename the params file.")
    return path.stem


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1) + timedelta(days=day.day - 1)


def _unknown_key(key: str) -> str:
    near = difflib.get_close_matches(key, Params.model_fields, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(Params.model_fields)}."
    return f"unknown key {key[:60]}; {hint}"


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    rule = re.sub(r"^(Value error, |(Input|String) should )", "", first["msg"])
    rule = re.sub(r"^(be|have|match) ", r"must \1 ", rule)
    if not first["loc"]:
        return f"{rule}."
    key, value = ".".join(str(part) for part in first["loc"]), first["input"]
    shown = "the given text" if "://" in str(value) else repr(value)[:60]
    return f"{key} is {shown}, but {rule}{_hint(value, first['type'])}."


def _hint(value: object, kind: str) -> str:
    if kind not in ("int_type", "float_type") or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    plain = int(number) if number.is_integer() else number
    return f" (YAML reads {value} as text: write {plain!r} without quotes)"
