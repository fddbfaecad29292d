"""The settings of one run: every key of a params file with its type, unit, range and default."""

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from clv.errors import InputError
from clv.run import strict_yaml
from clv.transactions.source import DATABASE, INSTANTS, KNOWN_COLUMNS

RUN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
RESERVED_NAMES = ("lab", "bench", "sbc", "misfit", "decisions", "faults")  # folders in outputs/ that are not runs

# Checks of the gate that a run may accept by name; the others say that the numbers themselves are wrong.
ACKNOWLEDGEABLE = (
    *("repeat purchases", "mean spend", "infinite mean spend", "prior sensitivity", "repeat customers"),
    *("horizon / history", "independence", "energy", "tree depth", "backtest", "one-time buyers"),
)
_TELLS_THE_DAY = re.compile(r"^(?=.*%(-?d|-?j|c|x|D|F|e))(?=.*%(Y|y|-y|c|x|D|F|G))", re.DOTALL)
FEWEST_WEIGHTED_DRAWS = 1000  # fewer are worth too little for the gate, whatever their weights

# What the two sources that come with the project look like; a file of one's own is described in the YAML.
BUILT_IN_SOURCES: dict[str, dict[str, Any]] = {
    "generate": {
        "columns": {name: name for name in ("customer_id", "date", "amount", "order_id")},
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
# What a campaign cannot do without; its budget may be missing: no limit.
CAMPAIGN = tuple(
    f"campaign_{name}" for name in ("cost_per_contact", "effect", "effect_mean", "effect_sd", "response_share")
)
ACQUISITION_PLAN = ("acquisition_cost", "acquisition_per_month", "acquisition_months")


class Params(BaseModel):
    """All settings of one run, checked; unknown keys, wrong types and nonsense are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    source: str = Field(
        default="generate",
        min_length=1,
        description="Where the log comes from: generate, cdnow, postgresql, or relative to the project folder a CSV, "
        "Parquet, DuckDB or SQLite file, a folder or a glob. Everybody with customers of their own changes it.",
    )
    table: str | None = Field(
        default=None, min_length=1, description="Table or view to read from a database. Changed with the source."
    )
    query: str | None = Field(
        default=None, min_length=1, description="SELECT to read from a database instead of a table."
    )
    database_url_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable that holds the address of the PostgreSQL database; the address "
        "itself, with its password, stands nowhere. Changed with the source.",
    )
    shape: Literal["transactions", "line_items"] = Field(
        default="transactions",
        description="What a row of the log is: a transaction, or a line of an order (needs order_id), whose lines are "
        "summed. Changed with the source.",
    )
    columns: dict[str, str] = Field(
        default={},
        description="Which columns of the log hold customer_id, date and amount (or quantity and unit_price), and, "
        "where there are any, order_id, product, currency and country. Changed with the source; an order_id lets "
        "refunds and duplicated rows be recognised.",
    )
    date_format: str | None = Field(
        default=None,
        description="How text dates are written, like %d/%m/%Y, or unix_seconds or unix_milliseconds; never guessed. "
        "Changed with the source.",
    )
    timezone: str | None = Field(
        default=None,
        description="Time zone whose days count, like Europe/Berlin: needed where dates carry an offset; dates without "
        "one are taken as they stand. Changed with the source.",
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Character between the columns of a CSV; null: found out. Changed if that goes wrong.",
    )
    decimal: Literal[".", ","] = Field(
        default=".", description="Decimal sign of text amounts, never guessed. Changed with the source."
    )
    thousands: Literal[".", ",", " ", "'"] | None = Field(
        default=None,
        description="Sign between thousands in text amounts; null: none. Changed with the source.",
    )
    encoding: str | None = Field(
        default=None,
        description="Encoding of CSV files, like latin-1 or cp1252; null: UTF-8, or UTF-16 if the file says so. "
        "Changed with the source.",
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
    acknowledge: list[str] = Field(
        default=[],
        description="Checks of the gate that this run accepts, by name; the report says so. Changed by who has read "
        "what the check says and can answer for it.",
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
    cancellation_pattern: str | None = Field(
        default=None,
        min_length=1,
        description='Regular expression on order_id for cancellations, like "^C": their rows are refunds, whatever '
        "their sign. Changed with the source.",
    )
    exclude_ids: list[str] = Field(
        default=[], description="Customers who are left out: test, internal or wholesale accounts."
    )
    exclude_pattern: str | None = Field(
        default=None,
        min_length=1,
        description="Regular expression on customer_id for test and internal customers, who are left out.",
    )
    countries: list[str] = Field(
        default=[], description="Only rows of these countries are used; empty: all. Changed to look at one market."
    )
    exclude_countries: list[str] = Field(default=[], description="Rows of these countries are left out.")
    max_rejected_share: float = Field(
        default=0.10, ge=0, le=1, description="Share of faulty rows above which the log is refused. Lowered by purists."
    )
    show_customer_ids: bool = Field(
        default=False,
        description="Whether notebooks and pages may name customers by their id; exports always do. Changed if "
        "every reader of the pages may know them.",
    )
    campaign_cost_per_contact: Positive | None = Field(
        default=None,
        description="Money it costs to contact one customer, the offer included; null: no campaign. Changed by whoever "
        "plans a campaign, like the keys after it.",
    )
    campaign_budget: Positive | None = Field(
        default=None, description="Most money that all contacts together may cost; null: no limit."
    )
    campaign_effect: Literal["rate", "survival"] | None = Field(
        default=None,
        description="What a contact changes for who responds, until the horizon: rate, they buy more often; survival, "
        "leavings do not happen, the one that may have happened and those to come.",
    )
    campaign_effect_mean: float | None = Field(
        default=None,
        gt=-1,
        le=10,
        description="Mean of what is believed of the effect: 0.20 is a purchase rate raised by 20 %, or 20 % of the "
        "leavings undone. It has to come from an experiment.",
    )
    campaign_effect_sd: float | None = Field(
        default=None,
        ge=0,
        le=10,
        description="Standard deviation of that belief, the standard error of the experiment; 0: known for sure.",
    )
    campaign_response_share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the contacted who respond; 1.0 if the effect was measured over all who were contacted.",
    )
    acquisition_cost: Positive | None = Field(
        default=None, description="Money it costs to win one new customer; null: not asked. Changed by marketing."
    )
    acquisition_per_month: int | None = Field(
        default=None, ge=1, le=1_000_000, description="New customers to come per month; null: none are planned."
    )
    acquisition_months: int | None = Field(
        default=None, ge=1, le=120, description="Months, from the observation end on, in which they come."
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
            raise ValueError(
                "must be generate, cdnow, postgresql or a file: addresses are not read from params, name the "
                "environment variable that holds one as database_url_env"
            )
        return value

    @field_validator("columns")
    @classmethod
    def _maps_known_columns(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in value if name not in KNOWN_COLUMNS]
        if unknown:
            raise ValueError(f"maps {unknown[0]}, but only {', '.join(KNOWN_COLUMNS)} can be mapped")
        if len(set(value.values())) < len(value):
            raise ValueError("uses one column of the log twice")
        return value

    @field_validator("acknowledge")
    @classmethod
    def _can_be_acknowledged(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in ACKNOWLEDGEABLE]
        if unknown:
            raise ValueError(f"names {unknown[0]}, but only {', '.join(ACKNOWLEDGEABLE)} can be accepted")
        return value

    @field_validator("delimiter")
    @classmethod
    def _can_stand_between_fields(cls, value: str | None) -> str | None:
        if value in ('"', "\n", "\r", "\0"):
            raise ValueError("must be a character that can stand between the fields of a line")
        return value

    @field_validator("date_format")
    @classmethod
    def _tells_the_day(cls, value: str | None) -> str | None:
        if value is not None and value not in INSTANTS and not _TELLS_THE_DAY.search(value):
            raise ValueError("must tell day, month and year, like %d/%m/%Y, or be unix_seconds or unix_milliseconds")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_time_zone(cls, value: str | None) -> str | None:
        try:
            zoneinfo.ZoneInfo(value or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("must be a time zone like Europe/Berlin or America/New_York") from error
        return value

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, value: str | None) -> str | None:
        try:
            " ".encode(value or "utf-8").decode(value or "utf-8")
        except (LookupError, UnicodeError, AttributeError, ValueError) as error:
            raise ValueError("must be a text encoding like latin-1, cp1252 or utf-16") from error
        return value

    @field_validator("currency")
    @classmethod
    def _is_three_letters(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError("must be three capital letters like USD")
        return value

    @field_validator("exclude_pattern", "cancellation_pattern")
    @classmethod
    def _is_regular_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_columns()
        self._check_source()
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
        self._check_campaign()
        self._check_acquisition()
        return self

    def _check_columns(self) -> None:
        columns = self.columns
        priced = {"quantity", "unit_price"} & set(columns)
        missing = [name for name in ("customer_id", "date") if name not in columns]
        if "amount" not in columns and len(priced) < 2:
            missing.append("amount, or quantity and unit_price,")
        if missing:
            raise ValueError(f"columns must say which column of the log holds {', '.join(missing).rstrip(',')}")
        if "amount" in columns and priced:
            raise ValueError(f"columns must map either amount or quantity and unit_price, not amount and {min(priced)}")
        needs = {
            "shape line_items": ("order_id", self.shape == "line_items"),
            "cancellation_pattern": ("order_id", self.cancellation_pattern is not None),
            "countries and exclude_countries": ("country", bool(self.countries or self.exclude_countries)),
        }
        for what, (column, needed) in needs.items():
            if needed and column not in columns:
                raise ValueError(f"{what} can only be used where columns says which column of the log holds {column}")
        if self.date_format in INSTANTS and self.timezone is None:
            raise ValueError(f"date_format {self.date_format} needs a timezone, whose days count")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal cannot both be {self.decimal!r}")

    def _check_source(self) -> None:
        if self.table and self.query:
            raise ValueError("either table or query can be given, not both")
        if self.source == DATABASE:
            if self.database_url_env is None:
                raise ValueError(
                    "source postgresql needs database_url_env, the name of the environment variable with its address"
                )
            if not (self.table or self.query):
                raise ValueError("source postgresql needs the name of a table, or a query")
        elif self.database_url_env:
            raise ValueError("database_url_env is only read for source postgresql")

    def _check_generated_dates(self) -> None:
        for key, day in (("observation_end", self.observation_end), ("calibration_end", self.calibration_end)):
            if day and day <= self.generate_start:
                raise ValueError(f"{key} ({day}) must be after generate_start ({self.generate_start})")

    def _check_campaign(self) -> None:
        missing = [name for name in CAMPAIGN if getattr(self, name) is None]
        if len(missing) == len(CAMPAIGN) and self.campaign_budget is None:
            return
        if missing:
            raise ValueError(f"a campaign needs {', '.join(CAMPAIGN)}; there is no {missing[0]}")
        mean, sd = self.campaign_effect_mean or 0.0, self.campaign_effect_sd or 0.0
        if self.campaign_effect != "survival":
            return
        if not 0 <= mean < 1:
            raise ValueError(f"campaign_effect_mean ({mean:g}) is a share of leavings undone: from 0 to below 1")
        if sd and sd**2 >= mean * (1 - mean):
            raise ValueError(f"campaign_effect_sd ({sd:g}) is too large for a share with mean {mean:g}")

    def _check_acquisition(self) -> None:
        cost, per_month, months = (getattr(self, name) for name in ACQUISITION_PLAN)
        if (per_month is None) != (months is None) or (cost is None and months is not None):
            raise ValueError(f"customers still to come need {', '.join(ACQUISITION_PLAN)}, all three")

    @property
    def end_if_known(self) -> date | None:
        """Last day observed as far as the settings tell: for a log of one's own the data may decide."""
        if self.observation_end or self.source != "generate":
            return self.observation_end
        return _months_later(self.generate_start, self.generate_acquisition_months) - timedelta(days=1)

    def refuse_future_end(self, today: date) -> None:
        """Refuse an end of observation that has not come: everybody would have been silent until then."""
        if self.source != "generate" and self.observation_end and self.observation_end > today:
            raise InputError(
                f"observation_end ({self.observation_end}) lies in the future: state the last day that the log holds."
            )

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
    refuse_secrets(values, path)
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
    if kind == "string_type" and isinstance(value, int | float):
        return f' (YAML reads {value} as a number: write "{value}" in quotes)'
    if kind == "bool_type":
        return " (write true or false)"
    if kind not in ("int_type", "float_type") or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    plain = int(number) if number.is_integer() else number
    return f" (YAML reads {value} as text: write {plain!r} without quotes)"


# Each is the beginning of something that only its owner should know.
SECRETS = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://[^/\s@]*:[^/\s@]+@                      # user:password@ in an address
    | (?:password|passwd|pwd|secret|token|api_?key)\s*[=:]\s*\S  # as in a connection string
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                             # Amazon's access keys
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_ | \bsk-[A-Za-z0-9_-]{20,} | \bxox[abpr]-
    | \beyJ[A-Za-z0-9_-]{10,}\.eyJ                              # a signed web token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    """,
    re.VERBOSE | re.IGNORECASE,
)
SECRET_KEYS = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)


def refuse_secrets(values: Mapping[str, Any], path: Path | str) -> None:
    """Refuse settings of which one looks like a secret; the sentence names the key and never the value."""
    for key, value in values.items():
        if SECRET_KEYS.search(str(key)) or any(SECRETS.search(text) for text in _texts(value)):
            raise InputError(
                f"{path}: {str(key)[:60]} looks like it holds a password or key: keep secrets in the environment and "
                "name the variable as database_url_env."
            )


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in (*value.keys(), *value.values()) for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
