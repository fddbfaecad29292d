"""What a log's own months say of its year: repeat purchases of each, where nobody stated what its months are like."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.models.learnt_year import learnt
from clv.rfm.tables import MONTHLY_PURCHASES
from clv.transactions.connection import quoted

NOTHING_STATED: dict[str, Any] = {"months": None, "spans": [], "uncertainty": 0.0}


def monthly_purchases(con: DuckDBPyConnection, transactions: str, *, last_day: date) -> pd.DataFrame:
    """Return table MONTHLY_PURCHASES up to the last whole month; months without a purchase are there with zero."""
    rows = con.execute(
        f"""
        WITH bought AS (
            SELECT date_trunc('month', date)::DATE AS month,
                   row_number() OVER (PARTITION BY customer_id ORDER BY date) > 1 AS again
            FROM {quoted(transactions)} WHERE date::DATE <= $until),
        months AS (
            SELECT unnest(generate_series(min(month), date_trunc('month', $until::DATE + 1) - INTERVAL 1 MONTH,
                INTERVAL 1 MONTH))::DATE AS month FROM bought)
        SELECT strftime(month, '%Y-%m') AS month, count(*) FILTER (again) AS repeat_purchases
        FROM months LEFT JOIN bought USING (month) GROUP BY 1 ORDER BY 1""",
        {"until": last_day},
    ).df()
    return tables.check(MONTHLY_PURCHASES, rows.astype({"month": "str"}))


def with_history(calendar: Mapping[str, Any] | None, months: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return the calendar of a run: if nobody stated its months, with the history that they are learnt from.

    `months` is table MONTHLY_PURCHASES. Where it shows no year, what was stated stands alone: None, if nothing was.
    """
    history = dict(zip(months["month"], months["repeat_purchases"].tolist(), strict=True))
    if (calendar and calendar["months"]) or len(set(learnt(list(history.items()), date.max)[0])) == 1:
        return calendar
    return {**(calendar or NOTHING_STATED), "history": history}
