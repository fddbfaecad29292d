"""Settings of a source: where the log is, and how to read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

KNOWN_COLUMNS = (
    *("customer_id", "date", "amount", "order_id"),
    *("quantity", "unit_price", "product", "currency", "country", "refunded_amount"),
)
NUMBERS = ("amount", "quantity", "unit_price", "refunded_amount")
DATABASE = "postgresql"

# Date formats that count time instead of writing it: how many make a second.
INSTANTS = {"unix_seconds": 1, "unix_milliseconds": 1000, "unix_microseconds": 1_000_000}
SPREADSHEET_DAYS = "spreadsheet_days"  # 45292 or 45292.5: days since 1899-12-30
CDNOW = Path(__file__).parent / "data" / "cdnow.csv"
CDNOW_COLUMNS = {"customer_id": "id", "date": "date", "amount": "amount"}
ISO_DATE = "%Y-%m-%d"
Values = Mapping[str, Sequence[str]]  # a column of the log -> values in it


def sign_of(stated: str | Mapping[str, str] | None, column: str) -> str | None:
    """Return a sign that is stated for all columns, or by column."""
    return stated.get(column) if isinstance(stated, Mapping) else stated


@dataclass(frozen=True)
class SourceSettings:
    """Where the log is, how it is written, and the policies of cleaning: the keys of the params file."""

    path: str | Path
    columns: Mapping[str, str | None] = field(default_factory=dict)
    date_format: str | None = None
    date_language: str | None = None
    timezone: str | None = None
    delimiter: str | None = None
    decimal: str | Mapping[str, str] = "."  # for all numbers, or by column of ours
    thousands: str | Mapping[str, str] | None = None
    encoding: str | None = None
    table: str | None = None
    query: str | None = None
    database_url_env: str | None = None
    shape: str = "transactions"
    observation_end: date | None = None
    zero_amounts: str = "visit"
    refunds: str = "net"
    cancellation_pattern: str | None = None
    exclude_ids: Sequence[str] = ()
    exclude_pattern: str | None = None
    countries: Sequence[str] = ()
    exclude_countries: Sequence[str] = ()
    keep_rows: Values = field(default_factory=dict)
    drop_rows: Values = field(default_factory=dict)
    refund_rows: Values = field(default_factory=dict)
    group_by: Sequence[str] = ()
    currency: str = "USD"
    typical_order_value: float | None = None  # of every purchase, where the log holds no amounts
    minor_units: bool = False
    max_rejected_share: float = 0.10

    def name_of(self, column: str) -> str:
        """Return the name in the source of one of our columns; unmapped ones have our own name."""
        if column == "amount" and self.has("unit_price"):
            return f"{self.name_of('quantity')} × {self.name_of('unit_price')}"
        return " ".join((self.columns.get(column) or column).split())

    def has(self, column: str) -> bool:
        """Return whether the source has one of our columns."""
        return self.columns.get(column) is not None or column in ("customer_id", "date")

    @property
    def has_money(self) -> bool:
        """Return whether the log says what was paid."""
        return self.has("amount") or self.has("unit_price")

    def style_of(self, column: str) -> tuple[str, str | None]:
        """Return the decimal sign of a column's numbers and the sign between their thousands."""
        return sign_of(self.decimal, column) or ".", sign_of(self.thousands, column)

    @property
    def wanted(self) -> dict[str, str]:
        """Columns that the source has, as they are called here and there: ours, and those read for their values."""
        return {column: self.name_of(column) for column in KNOWN_COLUMNS if self.has(column)} | self.others

    @property
    def others(self) -> dict[str, str]:
        """Columns of the source that are read for their values alone, as they are called here and there."""
        names = sorted({*self.keep_rows, *self.drop_rows, *self.refund_rows, *self.group_by})
        return {f"other_{place}": name for place, name in enumerate(names, start=1)}
