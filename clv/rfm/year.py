"""What a log's own months say of its year: repeat purchases of each, for a calendar that is to be learnt."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.rfm.tables import MONTHLY_PURCHASES
from clv.transactions.connection import quoted


def monthly_purchases(con: DuckDBPyConnection, transactions: str, *, last_day: date) -> pd.DataFrame:
    """Return table MONTHLY_PURCHASES; months without a purchase are there with zero."""
    rows = con.execute(
        f"""
        WITH bought AS (
            SELECT date_trunc('month', date)::DATE AS month,
                   row_number() OVER (PARTITION BY customer_id ORDER BY date) > 1 AS again
            FROM {quoted(transactions)} WHERE date::DATE <= $until),
        months AS (
            SELECT unnest(generate_series(min(month), $until::DATE, INTERVAL 1 MONTH))::DATE AS month FROM bought)
        SELECT strftime(month, '%Y-%m') AS month, count(*) FILTER (again) AS repeat_purchases
        FROM months LEFT JOIN bought USING (month) GROUP BY 1 ORDER BY 1""",
        {"until": last_day},
    ).df()
    return tables.check(MONTHLY_PURCHASES, rows.astype({"month": "str"}))


def with_history(calendar: Mapping[str, Any] | None, months: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return a calendar whose months are to be learnt with what they are learnt from, table MONTHLY_PURCHASES."""
    if calendar is None or not calendar["learnt"]:
        return calendar
    return {**calendar, "history": dict(zip(months["month"], months["repeat_purchases"].tolist(), strict=True))}
