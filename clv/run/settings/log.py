"""The log: where it comes from, how it is written, and which of its rows count."""

import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from clv.run.settings.kinds import Day, Section, Values
from clv.transactions.source import CDNOW_COLUMNS, DATABASE, INSTANTS, ISO_DATE, KNOWN_COLUMNS, NUMBERS, sign_of

_TELLS_THE_DAY = re.compile(r"^spreadsheet_days$|^(?=.*%(-?d|-?j|c|x|D|F|e))(?=.*%(Y|y|-y|c|x|D|F|G))", re.DOTALL)

# What the two sources that come with the project look like; a file of one's own is described in the YAML.
BUILT_IN_SOURCES: dict[str, dict[str, Any]] = {
    "generate": {
        "columns": {name: name for name in ("customer_id", "date", "amount", "order_id")},
        "date_format": ISO_DATE,
        "exclude_pattern": "^TEST",
    },
    "cdnow": {"columns": CDNOW_COLUMNS, "date_format": ISO_DATE},
}
# What the values of a key must do, and how that shows: what tries it returns something, and raises nothing.
_TRIED: dict[str, tuple[str, Callable[[str], object]]] = {
    "source": (
        "be generate, cdnow, postgresql or a file: addresses are not read from params, name the environment variable "
        "that holds one as database_url_env",
        lambda source: "://" not in source,
    ),
    "delimiter": ("be a character that can stand between the fields of a line", lambda mark: mark not in '"\n\r\0'),
    "date_format": (
        "tell day, month and year, like %d/%m/%Y, or be unix_seconds, or spreadsheet_days",
        lambda form: form in INSTANTS or _TELLS_THE_DAY.search(form),
    ),
    "currency": ("be three capital letters like USD", re.compile("[A-Z]{3}").fullmatch),
    "timezone": ("be a time zone like Europe/Berlin or America/New_York", zoneinfo.ZoneInfo),
    "encoding": ("be a text encoding like latin-1, cp1252 or utf-16", lambda name: " ".encode(name).decode(name)),
    **dict.fromkeys(("exclude_pattern", "cancellation_pattern"), ("be a regular expression", re.compile)),
}


class Log(Section):
    """Keys of the log, its columns and its rows."""

    source: str = Field("generate", min_length=1)
    """Where the log comes from: generate, cdnow, postgresql, or relative to the project folder a CSV, Parquet, DuckDB
    or SQLite file, a folder or a glob. Everybody with customers of their own changes it."""
    table: str | None = Field(None, min_length=1)
    """Table or view to read from a database. Changed with the source."""
    query: str | None = Field(None, min_length=1)
    """SELECT to read from a database instead of a table."""
    database_url_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the address of the PostgreSQL database; the address itself, with its
    password, stands nowhere. Changed with the source."""
    shape: Literal["transactions", "line_items", "order_totals"] = "transactions"
    """What a row of the log is: a transaction, or a line of an order (needs order_id), whose lines are summed;
    order_totals: a line that repeats its order's total. Changed with the source."""
    columns: dict[str, str | None] = Field({})
    """Which columns of the log hold customer_id, date and amount (or quantity and unit_price; amount: null, if it holds
    no money), and, where there are any, order_id, product, currency, country and refunded_amount. Changed with the
    source; an order_id lets refunds and repeated rows be recognised."""
    date_format: str | None = None
    """How text dates are written, like %d/%m/%Y, or unix_seconds, unix_milliseconds or spreadsheet_days; never guessed.
    Changed with the source."""
    date_language: str | None = Field(None, pattern="^(de|fr|es|it|pt|nl|sv|nb|da|fi|pl|cs|hu|tr|ro|id|ru|uk|el)$")
    """Language of the months' names, like de or fr; null: English, or numbers. Changed with the source."""
    timezone: str | None = None
    """Time zone whose days count, like Europe/Berlin: needed where dates carry an offset; dates without one are taken
    as they stand. Changed with the source."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """Character between the columns of a CSV; null: found out. Changed if that goes wrong."""
    decimal: str | dict[str, str] = "."
    """Decimal sign of text amounts, or {quantity: '.', unit_price: ','}. Changed with the source."""
    thousands: str | dict[str, str] | None = None
    """Sign between thousands in text amounts, or by column; null: none. Changed with the source."""
    minor_units: bool = False
    """Whether amounts count the smallest unit: 4950 for 49.50. Changed with the source."""
    encoding: str | None = None
    """Encoding of CSV files, like latin-1 or cp1252; null: UTF-8, or UTF-16 if its first bytes say so. Changed with the
    source."""
    observation_end: Day | None = None
    """Last day of the log, included; null: the last date in the data. Changed if the last days are incomplete, or if
    nobody bought on the true last day."""
    currency: str = "USD"
    """Three letters of the log's currency. Changed with the source."""
    zero_amounts: Literal["visit", "drop"] = "visit"
    """What an order of 0 is: a visit that counts, or nothing. Changed with the source."""
    refunds: Literal["net", "drop", "reject"] = "net"
    """Negative rows: taken off their purchase, left out, or counted as faults. Changed with the source."""
    cancellation_pattern: str | None = Field(None, min_length=1)
    """Regular expression on order_id for cancellations, like "^C": their rows are refunds, whatever their sign. Changed
    with the source."""
    exclude_ids: list[str] = Field([])
    """Customers who are left out: test, internal or wholesale accounts."""
    exclude_pattern: str | None = Field(None, min_length=1)
    """Regular expression on customer_id for test and internal customers, who are left out."""
    countries: list[str] = Field([])
    """Only rows of these countries are used; empty: all."""
    exclude_countries: list[str] = Field([])
    """Rows of these countries are left out."""
    keep_rows: Values = Field({})
    """Column of the log -> the values with which a row is a purchase or refund, like {Status: [Paid]}; rows with
    another one are left out; "" is a blank cell. Changed with the source."""
    drop_rows: Values = Field({})
    """Column of the log -> values with which a row is left out, like {Event: [view, cart]}."""
    refund_rows: Values = Field({})
    """Column of the log -> values with which a row is a refund, whatever its sign, like {Type: [Refund]}."""
    max_rejected_share: float = Field(0.10, ge=0, le=1)
    """Share of faulty rows above which the log is refused. Lowered by purists."""

    @model_validator(mode="before")
    @classmethod
    def _describe_built_in_source(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        source = values.get("source", "generate")
        return {**BUILT_IN_SOURCES.get(source, {}), **values} if isinstance(source, str) else dict(values)

    @field_validator("columns")
    @classmethod
    def _maps_known_columns(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        unknown = [name for name in value if name not in KNOWN_COLUMNS]
        if unknown:
            raise ValueError(f"maps {unknown[0]}, but only {', '.join(KNOWN_COLUMNS)} can be mapped")
        for name in (name for name, column in value.items() if column is None and name != "amount"):
            raise ValueError(f"must say which column of the log holds {name}, or leave it out")
        if len(set(value.values())) < len(value):
            raise ValueError("uses one column of the log twice")
        return value

    @field_validator("decimal", "thousands", mode="before")
    @classmethod
    def _is_sign(cls, value: object, info: ValidationInfo) -> object:
        allowed = (".", ",") if info.field_name == "decimal" else (".", ",", " ", "'", None)
        known = set(value) <= set(NUMBERS) if isinstance(value, dict) else True
        if not known or any(one not in allowed for one in (value.values() if isinstance(value, dict) else [value])):
            signs = " or ".join(repr(one) for one in allowed if one)
            raise ValueError(f"must be {signs}, or one of them for each of {', '.join(NUMBERS)}")
        return value

    @field_validator(*_TRIED)
    @classmethod
    def _can_be_used(cls, value: str | None, info: ValidationInfo) -> str | None:
        what, tried = _TRIED[info.field_name or ""]
        try:
            if value is None or tried(value):
                return value
        except (LookupError, ValueError, OSError, AttributeError):
            pass
        except re.error as error:
            raise ValueError(f"must {what} ({error})") from error
        raise ValueError(f"must {what}")

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        columns = self.columns
        priced = {"quantity", "unit_price"} & set(columns)
        missing = [name for name in ("customer_id", "date") if name not in columns]
        if "amount" not in columns and len(priced) < 2:
            missing.append("amount, or quantity and unit_price (amount: null, if the log holds no money),")
        if missing:
            raise ValueError(f"columns must say which column of the log holds {', '.join(missing).rstrip(',')}")
        if "amount" in columns and priced:
            raise ValueError(f"columns must map either amount or quantity and unit_price, not amount and {min(priced)}")
        needs = {
            f"shape {self.shape}": ("order_id", self.shape != "transactions"),
            "cancellation_pattern": ("order_id", self.cancellation_pattern is not None),
            "countries and exclude_countries": ("country", bool(self.countries or self.exclude_countries)),
        }
        for what, (column, needed) in needs.items():
            if needed and column not in columns:
                raise ValueError(f"{what} can only be used where columns says which column of the log holds {column}")
        if self.date_format in INSTANTS and self.timezone is None:
            raise ValueError(f"date_format {self.date_format} needs a timezone, whose days count")
        for name in NUMBERS:
            if sign_of(self.thousands, name) == (sign_of(self.decimal, name) or "."):
                raise ValueError(f"thousands and decimal cannot both be {sign_of(self.thousands, name)!r}")
        return self

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
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
        return self
