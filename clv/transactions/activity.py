"""How busy the log is: weeks and amounts."""

import pandas as pd
from duckdb import DuckDBPyConnection

from clv.transactions.connection import quoted

MOST_AMOUNTS = 20_000  # of a picture


def weekly_activity(con: DuckDBPyConnection, transactions: str) -> pd.DataFrame:
    """Return purchases and revenue per calendar week, weeks without any included: date (Monday), purchases, revenue."""
    return con.execute(
        f"""
        WITH log AS (SELECT date_trunc('week', date)::DATE AS week, amount FROM {quoted(transactions)}),
        weeks AS (SELECT unnest(generate_series(min(week), max(week), INTERVAL 7 DAY))::DATE AS week FROM log)
        SELECT week::TIMESTAMP AS date, count(amount) AS purchases,
               coalesce(sum(amount::DECIMAL(18, 6)), 0)::DOUBLE AS revenue
        FROM weeks LEFT JOIN log USING (week) GROUP BY week ORDER BY week"""
    ).df()


def order_amounts(con: DuckDBPyConnection, transactions: str) -> pd.Series:
    """Return the positive amounts of customer-days, or of an evenly spaced sample of them, smallest first."""
    return con.execute(
        f"""
        WITH numbered AS (SELECT amount, row_number() OVER () AS place FROM {quoted(transactions)} WHERE amount > 0)
        SELECT amount FROM numbered
        WHERE place % greatest(1, (SELECT count(*) FROM numbered) // $most) = 0 ORDER BY amount""",
        {"most": MOST_AMOUNTS},
    ).df()["amount"]
