"""Small logs that tests can read by eye."""

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
from duckdb import DuckDBPyConnection

from clv.transactions import cleaning, connection, reading
from clv.transactions.source import CDNOW, CDNOW_COLUMNS, ISO_DATE, SourceSettings
from clv.transactions.tables import LEDGER, REJECTED, TRANSACTIONS

DAY_ZERO = date(2024, 1, 1)
TODAY = date(2025, 1, 1)
COLUMNS = {"customer_id": "id", "date": "date", "amount": "amount"}
WITH_ORDERS = COLUMNS | {"order_id": "order"}


def day(number: int) -> date:
    """Return the date `number` days after day zero (2024-01-01)."""
    return DAY_ZERO + timedelta(days=number)


def purchases(customer_id: str, *, days: Sequence[int], amounts: Sequence[float]) -> pd.DataFrame:
    """Return one customer's purchases as rows of a transactions table."""
    return pd.DataFrame(
        {
            "customer_id": pd.Series([customer_id] * len(days), dtype="str"),
            "date": pd.to_datetime([day(number) for number in days]).astype("datetime64[us]"),
            "amount": [float(amount) for amount in amounts],
        }
    )


def view(*logs: pd.DataFrame) -> DuckDBPyConnection:
    """Return a connection in which the logs together are the view `transactions`."""
    con = connection.connect()
    con.register("transactions", pd.concat(logs, ignore_index=True))
    return con


def cdnow() -> DuckDBPyConnection:
    """Return a connection in which `transactions` is the cleaned CDNOW sample."""
    con = connection.connect()
    settings = SourceSettings(CDNOW, columns=CDNOW_COLUMNS, date_format=ISO_DATE)
    reading.read(con, settings)
    cleaning.clean(con, settings, today=date(2026, 1, 1))
    return con


def source(path, text, **options):
    """Write a CSV file and return the settings that read it."""
    file = path / "log.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    columns = WITH_ORDERS if b"order" in file.read_bytes().partition(b"\n")[0] else COLUMNS
    return SourceSettings(
        file, **({"columns": columns, "date_format": "%Y-%m-%d", "max_rejected_share": 1.0} | options)
    )


def cleaned(settings):
    """Read and clean a source; return the connection with its tables."""
    con = connection.connect()
    reading.read(con, settings)
    cleaning.clean(con, settings, today=TODAY)
    return con


def kept(con):
    """Return the clean transactions as (customer, month-day, amount)."""
    frame = cleaning.frame(con, TRANSACTIONS)
    return [(row.customer_id, f"{row.date:%m-%d}", row.amount) for row in frame.itertuples()]


def rules(con):
    """Return what was rejected as [record, rule]."""
    return cleaning.frame(con, REJECTED)[["record", "rule"]].to_numpy().tolist()


def ledger(con):
    """Return the ledger as (line, rows, amount)."""
    frame = cleaning.frame(con, LEDGER)
    return [(row.line, row.rows, row.amount) for row in frame.itertuples()]


def with_orders(path, rows, **options):
    """Clean a log whose rows name their order; return the connection."""
    return cleaned(source(path, "id,date,amount,order\n" + rows, **options))
